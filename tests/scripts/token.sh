#!/bin/sh
# A release signed with a key that does not leave its token: SoftHSM 2 through PKCS #11, driven by pkcs11-tool,
# beside an ordinary key. A host then takes the release.
#
#   tests/scripts/token.sh
#
# Needs softhsm2 and opensc (Debian), and openssl.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet -p maas-appliance
appliance=$PWD/target/debug/maas-appliance
module=/usr/lib/softhsm/libsofthsm2.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir tokens
printf 'directories.tokendir = %s/tokens\n' "$work" >softhsm2.conf
export SOFTHSM2_CONF=$work/softhsm2.conf
softhsm2-util --init-token --free --label releases --pin 1234 --so-pin 5678 >/dev/null
token() { pkcs11-tool --module "$module" --token-label releases --login --pin 1234 "$@"; }
token --keypairgen --key-type EC:prime256v1 --label bo >/dev/null
token --read-object --type pubkey --label bo -o bo.der 2>/dev/null
openssl pkey -pubin -inform DER -in bo.der -out bo.pub
"$appliance" key gen --out ana.key --unsafe-without-passphrase 2>/dev/null
"$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.pub >/dev/null 2>&1

sign_in_token() { # FOLDER
    for file in "$1"/*.tbs; do
        openssl dgst -sha256 -binary "$file" >digest
        token --sign --mechanism ECDSA --signature-format openssl --label bo -i digest -o "${file%.tbs}.sig" >/dev/null
    done
}
"$appliance" trust root sign 1.root.json --key ana.key 2>/dev/null
"$appliance" trust root sign 1.root.json --export ceremony 2>/dev/null
sign_in_token ceremony
"$appliance" trust root sign 1.root.json --public bo.pub --signatures ceremony

printf '#!/bin/sh\n' >binary
printf 'bundle = "b"\nepoch = 1\nversion = "1"\nbinary = "binary"\n' >recipe.toml
"$appliance" bundle build recipe.toml --out bundle 2>/dev/null
"$appliance" bundle sign bundle --key ana.key 2>/dev/null
"$appliance" bundle sign bundle --export release 2>/dev/null
sign_in_token release
"$appliance" bundle sign bundle --public bo.pub --signatures release
fingerprint=$("$appliance" trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)",/\1/p')
"$appliance" bundle verify bundle --trust-root 1.root.json --fingerprint "$fingerprint"
