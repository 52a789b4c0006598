#!/bin/sh
# Starts maas-appliance from the medium that this script lies on.
#
#   sh /media/usb/install.sh                    installs from this medium
#   sh /media/usb/install.sh --dry-run          any other words go to `maas-appliance install`
#   sh /media/usb/install.sh --media /media/b   a second stick
#
# It does one thing that the binary cannot do for itself: compare the binary's digest with the one
# on the paper that travelled apart from the medium. Everything after that, signatures first of
# all, is checked by the binary.
set -eu

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

medium=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || fail "cannot find my own folder" 26
binary=$medium/maas-appliance
[ -f "$binary" ] || fail "there is no maas-appliance beside me in $medium" 26

# The medium may be mounted noexec, as it should be, and it may answer differently the second time:
# copy first, then look at the copy only.
copy=$(mktemp -d "${TMPDIR:-/tmp}/maas-install.XXXXXX") || fail "cannot make a temporary folder"
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
cp -- "$binary" "$copy/maas-appliance" || fail "cannot read $binary: the medium may be failing" 26
chmod 0700 "$copy/maas-appliance"

if command -v sha256sum >/dev/null 2>&1; then
    found=$(sha256sum <"$copy/maas-appliance")
elif command -v openssl >/dev/null 2>&1; then
    found=$(openssl dgst -sha256 -r <"$copy/maas-appliance")
else
    fail "neither sha256sum nor openssl is here, so the binary cannot be compared" 5
fi
found=${found%% *}

if [ -n "${MAAS_BINARY_SHA256:-}" ]; then
    [ "$found" = "$MAAS_BINARY_SHA256" ] ||
        fail "the binary is not the one on the paper (paper $MAAS_BINARY_SHA256, found $found)" 21
elif [ -t 0 ]; then
    printf 'SHA-256 of maas-appliance on this medium:\n\n'
    printf '%s\n' "$found" | sed 's/..../& /g; s/^/    /'
    printf '\nIs that what stands on the paper that came with it? [yes/no] '
    read -r answer
    [ "$answer" = yes ] || fail "stopped; nothing was changed" 20
else
    fail "no terminal: set MAAS_BINARY_SHA256 to the digest on the paper" 20
fi

"$copy/maas-appliance" install --media "$medium" "$@"
