#!/bin/bash
# A bundle on real file systems, read by a real kernel in a machine without a network: three sticks (FAT32,
# exFAT, FAT32) put in one after the other, one of them with a damaged part that is then replaced; the same
# bundle on a disc (ISO 9660) and on ext4; and a delta for what the machine has then.
#
#   tests/scripts/usb-sticks.sh VM-DIR
#
# VM-DIR is what tests/scripts/vm/build.sh makes. Needs qemu-system-x86_64, dosfstools, exfatprogs, exfat-fuse,
# mtools, xorriso and root (for a loop device); 8 GB of disk; about 8 minutes, most of them emulation.
set -euo pipefail
vm=$(realpath "$1")
cd "$(dirname "$0")/../.."
cargo build --quiet --release -p maas-appliance
appliance=$PWD/target/release/maas-appliance
boot=$PWD/tests/scripts/vm/boot.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
strip -o maas-appliance "$appliance"
appliance=$work/maas-appliance

# === A bundle whose weights are in two parts ===
for who in ana bo; do "$appliance" key gen --out $who.key --unsafe-without-passphrase 2>/dev/null; done
"$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.key.pub >/dev/null 2>&1
for who in ana bo; do "$appliance" trust root sign 1.root.json --key $who.key 2>/dev/null; done
mkdir model
printf '{"max_position_embeddings": 2048}\n' >model/config.json
printf '{"version": "1.0"}\n' >model/tokenizer.json
python3 - <<'PYTHON'
import json, os, struct
size = 1_050_000_000
header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
with open("model/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header)
    block = os.urandom(10_000_000)
    for _ in range(size // len(block)):
        file.write(block)
PYTHON
cat >tiny.toml <<'TOML'
name = "tiny"
title = "Tiny"
licence = "Apache-2.0"
task = "generate"
context = 2048
[engine]
TOML
recipe() {
    printf 'bundle = "sticks-%s"\nepoch = %s\nversion = "%s"\nbinary = "%s"\n[[model]]\nmanifest = "tiny.toml"\nfolder = "model"\n' \
        "$1" "$1" "$1" "$appliance" >recipe.toml
}
build() {
    recipe "$1"
    "$appliance" bundle build recipe.toml --out "release-$1" 2>/dev/null
    for who in ana bo; do "$appliance" bundle sign "release-$1" --key $who.key 2>/dev/null; done
}
build 1
"$appliance" bundle copy release-1 --to one --to two --to three 2>&1 | grep -v '%' || true
cp -r three damaged
part=$(find damaged -path '*/parts/sha256/*' -o -path '*/blobs/sha256/*' | head -1)
[ -n "$(find two three one -path '*/parts/sha256/*')" ]
for stick in one two three; do [ -d $stick/MAAS/sticks-1/parts ] && with_part=$stick; done
rm -rf damaged; cp -r "$with_part" damaged
part=$(find damaged -path '*/parts/sha256/*' | head -1)
printf 'X' | dd of="$part" bs=1 seek=1000 conv=notrunc status=none
echo "the damaged copy is of stick $with_part, part ${part##*/} at byte 1000"

# === File systems ===
fat() { # FOLDER IMAGE LABEL
    truncate -s "$(( $(du -sm "$1" | cut -f1) + 80 ))M" "$2"
    mkfs.vfat -F 32 -n "$3" "$2" >/dev/null
    mcopy -s -i "$2" "$1"/* ::
}
exfat() {
    truncate -s "$(( $(du -sm "$1" | cut -f1) + 80 ))M" "$2"
    mkfs.exfat -L "$3" "$2" >/dev/null
    device=$(losetup -f --show "$2")
    mkdir -p mounted
    mount.exfat-fuse "$device" mounted >/dev/null 2>&1
    cp -r "$1"/* mounted/
    umount mounted
    losetup -d "$device"
}
fat one one.img MAAS1
exfat two two.img MAAS2
fat three three.img MAAS3
case $with_part in two) exfat damaged damaged.img MAASBAD ;; *) fat damaged damaged.img MAASBAD ;; esac
"$appliance" bundle copy release-1 --to whole 2>/dev/null
xorriso -as mkisofs -quiet -R -J -V MAASCD -o disc.iso whole 2>/dev/null
truncate -s 1500M ext4.img && mke2fs -q -t ext4 -L MAASEXT -d whole -F ext4.img

# A delta for a host that has release 1: what it has is known here, so its inventory can be.
printf '{"max_position_embeddings": 1024}\n' >model/config.json
build 2
"$appliance" --root elsewhere trust add 1.root.json --fingerprint "$("$appliance" trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)",/\1/p')" >/dev/null 2>&1
"$appliance" --root elsewhere install --media whole >/dev/null 2>&1
"$appliance" --root elsewhere inventory --export have.json 2>/dev/null
rm -rf elsewhere
"$appliance" bundle copy release-2 --have have.json --to delta 2>/dev/null
fat delta delta.img MAASDELTA
echo "the whole of release 2: $(du -sb release-2 | cut -f1) bytes; the delta: $(du -sb delta | cut -f1) bytes, of which the program beside it $(stat -c %s "$appliance")"

# === What the operator does ===
mkdir start
cp "$appliance" 1.root.json start/
fingerprint=$("$appliance" trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)",/\1/p')
cat >start/autorun.sh <<OPERATOR
cp /media/usb/maas-appliance /root/; cd /root
say() { echo "VM: \$*"; }
turn() { # NAME EXPECTED COMMAND...
    name=\$1; want=\$2; shift 2
    "\$@" >/tmp/out 2>&1; got=\$?
    say "\$name: exit \$got (want \$want): \$(grep -v '%' /tmp/out | tail -2 | tr '\n' ' ' | cut -c1-330)"
}
take() { mkdir -p /mnt/\$1; mount -o ro,nosuid,nodev,noexec LABEL=\$1 /mnt/\$1 && say "\$1 is \$(findmnt -no FSTYPE /mnt/\$1)"; }
for n in MAAS1 MAAS2 MAAS3 MAASBAD MAASEXT MAASCD MAASDELTA; do take \$n; done
turn trust 0 ./maas-appliance trust add /media/usb/1.root.json --fingerprint "$fingerprint"
for n in 1 2 3; do
    if [ "\$n" = "$( case $with_part in one) echo 1 ;; two) echo 2 ;; three) echo 3 ;; esac )" ]; then
        turn "stick \$n, damaged" 21 ./maas-appliance install --media /mnt/MAASBAD --one-at-a-time
    fi
    want=26; [ \$n = 3 ] && want=0
    turn "stick \$n" \$want ./maas-appliance install --media /mnt/MAAS\$n --one-at-a-time
done
turn "ISO 9660" 0 ./maas-appliance bundle verify /mnt/MAASCD
turn "ext4" 0 ./maas-appliance bundle verify /mnt/MAASEXT
turn "three sticks at once" 0 ./maas-appliance bundle verify /mnt/MAAS3 /mnt/MAAS1 /mnt/MAAS2
turn "delta" 0 ./maas-appliance install --media /mnt/MAASDELTA
turn "the disc again" 22 ./maas-appliance install --media /mnt/MAASCD
say DONE
systemctl poweroff
OPERATOR
fat start start.img MAASUSB
cp --sparse=always "$vm/root.ext4" disk.ext4
drives=()
number=1
for image in one.img two.img three.img damaged.img ext4.img disc.iso delta.img; do
    drives+=(-drive "if=none,id=m$number,file=$image,format=raw,readonly=on" -device "usb-storage,bus=xhci.0,drive=m$number,removable=on")
    number=$((number + 1))
done
timeout 1500 "$boot" "$vm" disk.ext4 start.img "${drives[@]}" >console 2>&1 || true
tr -d '\r' <console | sed 's/\x1b\[[0-9;]*m//g' | grep -a '^VM:' || { tail -30 console; exit 1; }
tr -d '\r' <console | grep -aq '^VM: DONE' || exit 1
! tr -d '\r' <console | grep -a '^VM:' | grep -aE 'exit ([0-9]+) \(want ([0-9]+)\)' | sed -E 's/.*exit ([0-9]+) \(want ([0-9]+)\).*/\1 \2/' | awk '$1 != $2' | grep .
