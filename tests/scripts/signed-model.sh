#!/bin/bash
# A model that its maker has signed with the reference implementation of OMS (PyPI model-signing), through a
# bundle to a host; and one that we sign when it is built, verified there again on what the host has installed.
#
#   tests/scripts/signed-model.sh
#
# Needs uv and openssl.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$PWD/target/model-signing/venv
[ -x "$venv/bin/python" ] || uv venv --quiet --python 3.11 "$venv"
uv pip install --quiet --python "$venv/bin/python" model-signing==1.1.1 pyopenssl
cargo build --quiet -p maas-appliance
appliance=$PWD/target/debug/maas-appliance
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
there() { "$venv/bin/python" -m model_signing "$@" >/dev/null 2>&1; }
same() { [ "$2" = "$3" ] || { echo "FAILED: $1: $2, wanted $3" >&2; cat log >&2; exit 1; }; echo "ok: $1"; }
run() { local code=0; "$appliance" "$@" >out 2>log || code=$?; echo $code; }

mkdir model
printf '{"max_position_embeddings": 2048}\n' >model/config.json
printf '{"version": "1.0"}\n' >model/tokenizer.json
python3 -c '
import json, os, struct
header = json.dumps({"w": {"dtype": "U8", "shape": [3000000], "data_offsets": [0, 3000000]}}).encode()
open("model/model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + os.urandom(3000000))'
for who in maker stranger; do
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $who.key 2>/dev/null
    openssl pkey -in $who.key -pubout -out $who.pub
done
there sign key --private_key maker.key --signature model.sig model

for who in ana bo; do run key gen --out $who.key --unsafe-without-passphrase >/dev/null; done
run trust root init --threshold 2 --key ana.key.pub --key bo.key.pub >/dev/null
for who in ana bo; do run trust root sign 1.root.json --key $who.key >/dev/null; done
printf 'name = "tiny"\ntitle = "Tiny"\nlicence = "Apache-2.0"\ntask = "generate"\ncontext = 2048\n[engine]\n' >tiny.toml
printf '#!/bin/sh\n' >binary
recipe() { printf 'bundle = "b-%s"\nepoch = %s\nversion = "1"\nbinary = "binary"\n[[model]]\nmanifest = "tiny.toml"\nfolder = "model"\n' "$1" "$1" >recipe.toml; }
wants() { recipe 1; printf 'signature = "model.sig"\nsigner = { key = "%s" }\n' "$1" >>recipe.toml; }
sign() { for who in ana bo; do run bundle sign "$1" --key $who.key >/dev/null; done; }

wants stranger.pub
same "another maker is wanted: not built (20)" "$(run bundle build recipe.toml --out wrong)" 20
wants maker.pub
cp model/config.json kept
printf '{"max_position_embeddings": 9999}\n' >model/config.json
same "the model was changed after it was signed: not built (21)" "$(run bundle build recipe.toml --out wrong)" 21
mv kept model/config.json
same "signed there, built here" "$(run bundle build recipe.toml --out first)" 0
sign first
run trust show 1.root.json --json >/dev/null
fingerprint=$(sed -n 's/.*"fingerprint": "\(.*\)",/\1/p' out)
run --root host trust add 1.root.json --fingerprint "$fingerprint" >/dev/null
same "the host verifies it" "$(run --root host bundle verify first)" 0
same "and says whose it is" "$(grep -c '^PASS maker      tiny is signed by key ' out)" 1
same "and installs it" "$(run --root host install --media first)" 0

recipe 2
same "signed here when it is built" "$(run bundle build recipe.toml --out second --model-key maker.key)" 0
sign second
same "installed" "$(run --root host install --media second)" 0
run bundle inspect second --json >/dev/null
blob=$(python3 -c '
import glob, json
bill = json.load(open(glob.glob("second/MAAS/b-2/targets/*.bundle.json")[0]))
print(bill["models"][0]["signature"]["blob"].split(":")[1])')
installed=host/var/lib/maas-appliance/current/models/tiny
there verify key --public_key maker.pub --signature "second/MAAS/b-2/blobs/sha256/$blob" "$installed"
echo "ok: the reference implementation verifies what the host has installed"
if there verify key --public_key stranger.pub --signature "second/MAAS/b-2/blobs/sha256/$blob" "$installed"; then exit 1; fi
echo "ok: and not for another key"
