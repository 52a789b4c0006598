#!/bin/bash
# The installer on a whole machine: Debian 12 in QEMU, a stick on a USB controller, no network.
#
#   machine.sh VM-DIR install        FAT32 and exFAT: install, reboot, an answer, not one packet out   (4 minutes)
#   machine.sh VM-DIR cuts [N]       N (30) power cuts in install and in upgrade, each one mended      (30 minutes)
#
# VM-DIR is what tests/scripts/vm/build.sh makes. Needs qemu-system-x86_64, dosfstools, exfatprogs, exfat-fuse,
# mtools, socat, tcpdump-free (the capture is read by python3) and root, for a loop device. Emulation only.
set -euo pipefail
vm=$(realpath "$1") what=$2 count=${3:-30}
cd "$(dirname "$0")/../../.."
scripts=$PWD/tests/scripts/host
boot=$PWD/tests/scripts/vm/boot.sh
# MAAS_BINARY names a program to test that was built before.
[ -n "${MAAS_BINARY:-}" ] || cargo build --quiet --release -p maas-appliance
work=$(mktemp -d)
qemu=
end() { [ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || true; umount "$work/mounted" 2>/dev/null || true; rm -rf "$work"; }
trap end EXIT
strip -o "$work/maas-appliance" "${MAAS_BINARY:-target/release/maas-appliance}"
for n in 1 2; do "$scripts/release.sh" "$work/maas-appliance" "$work/releases" $n; done
cd "$work"
fingerprint=$(./maas-appliance trust show releases/1.root.json --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')

checks=0
ok() { checks=$((checks + 1)); printf 'ok %2d  %s\n' $checks "$1"; }
die() { printf 'FAILED  %s\n' "$1" >&2; [ ! -f console ] || grep -av '^\[ *\(OK\|[0-9.]*\) *\]\|^ *\(Starting\|Stopping\|Mounting\|Unmounting\)' console | tail -60 >&2; exit 1; }

# === Sticks ===
cat >appliance.toml <<'TOML'
[site]
names = ["localhost"]
addresses = ["127.0.0.1"]
[engines]
kind = "simulated"
runtime = "rootfs"
device = "cpu"
simulate = "load=0s"
[policy]
trial_seconds = 5
TOML
# What the machine runs when it has booted; `prelude` has what all of them need.
prelude='
say() { echo "GUEST $*"; }
healthy() { i=0; while [ $i -lt 120 ]; do maas-appliance status >/tmp/status 2>&1 && return 0; i=$((i+1)); sleep 1; done; cat /tmp/status; return 1; }
prepare() {
    mkdir -p /etc/maas-appliance
    [ -f /etc/maas-appliance/appliance.toml ] || cp /media/usb/appliance.toml /etc/maas-appliance/
    mkdir -p /media/bundle
    i=0; while [ ! -e /dev/disk/by-label/MAASDATA ] && [ $i -lt 50 ]; do sleep 0.2; i=$((i+1)); done
    mount -o ro,nosuid,nodev,noexec /dev/disk/by-label/MAASDATA /media/bundle
    cp /media/bundle/maas-appliance /root/first && chmod 700 /root/first
    /root/first trust list 2>/dev/null | grep -q version || /root/first trust add /media/usb/1.root.json --fingerprint "'"$fingerprint"'" >/dev/null 2>&1
}
'
image() { # FOLDER KIND LABEL IMAGE
    local folder=$1 kind=$2 label=$3 image=$4
    rm -f "$image"; truncate -s "$(($(du -sm "$folder" | cut -f1) + 60))M" "$image"
    case $kind in
        fat) mkfs.vfat -F 32 -n "$label" "$image" >/dev/null; mcopy -s -i "$image" "$folder"/* :: ;;
        exfat)
            mkfs.exfat -L "$label" "$image" >/dev/null
            local device; device=$(losetup -f --show "$image")
            mkdir -p mounted; mount.exfat-fuse "$device" mounted >/dev/null 2>&1
            cp -r "$folder"/* mounted/; umount mounted; losetup -d "$device" ;;
    esac
}
control() { # SCRIPT: what the machine runs, on a small stick of its own
    rm -rf content; mkdir content
    cp appliance.toml releases/1.root.json content/
    printf '%s\n%s\nsync\nsystemctl poweroff\n' "$prelude" "$1" >content/autorun.sh
    image content fat MAASUSB control.img
}
stick() { # RELEASE KIND: the stick as the sender wrote it, and nothing else on it
    image "releases/$1" "$2" MAASDATA stick.img
}
disk() { rm -f disk.img; cp --sparse=always "$vm/root.ext4" disk.img; }
start() { # MORE QEMU ARGUMENTS
    : >console.raw
    local data=()
    [ ! -f stick.img ] || data=(-drive if=none,id=u1,file=stick.img,format=raw,cache=writeback -device usb-storage,bus=xhci.0,drive=u1,removable=on,serial=MAAS4711)
    "$boot" "$vm" disk.img control.img "${data[@]}" "$@" >console.raw 2>&1 & qemu=$!
}
console() { tr -d '\r' <console.raw | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g' >console; }
until_off() { # SECONDS: until the machine has gone off by itself
    for _ in $(seq $(($1 * 5))); do kill -0 $qemu 2>/dev/null || { wait $qemu || true; qemu=; console; return 0; }; sleep 0.2; done
    console; die "the machine did not go off in $1 s"
}
until_said() { # TEXT SECONDS
    for _ in $(seq $(($2 * 10))); do grep -qa "$1" console.raw && return; kill -0 $qemu 2>/dev/null || break; sleep 0.1; done
    console; die "the machine never said $1"
}
said() { grep -a "^GUEST $1" console >/dev/null || die "the machine did not say: $1"; }

case $what in
install)
    for kind in fat exfat; do
        disk
        stick stick-1 $kind
        control '
prepare
MAAS_BINARY_SHA256=$(sha256sum </root/first | cut -d" " -f1) sh /media/bundle/install.sh && say installed'
        start
        until_off 300
        said installed
        sed -n '/^\[1\//,/^GUEST installed/p' console | grep -v '%' | sed 's/^/       /'
        ok "$kind: installed from the stick by its install.sh"
        # Another boot, with a card whose other end writes down every packet, and a stick of no bundle.
        rm -f stick.img
        control '
sysctl -qw net.ipv6.conf.all.disable_ipv6=1
modprobe virtio_net 2>/dev/null; ip link set eth0 up 2>/dev/null; ip addr add 10.0.2.15/24 dev eth0 2>/dev/null
healthy && say healthy
cat /tmp/status
maas-appliance team create red >/dev/null
key=$(maas-appliance keys create --team red --json | sed -n "s/.*\"secret\": *\"\(sk-maas[^\"]*\)\".*/\1/p")
curl -s --cacert /etc/maas-appliance/tls/ca.pem https://localhost:8443/v1/chat/completions -H "authorization: Bearer $key" -H "content-type: application/json" -d "{\"model\":\"tiny\",\"max_tokens\":4,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}" | grep -q completion_tokens && say answered
systemctl --no-pager --plain --no-legend list-units "maas*" | cut -c1-90
for n in /sys/class/net/*/statistics/tx_packets; do case $n in */lo/*) ;; *) say "sent $(cat $n) packets through $(echo $n | cut -d/ -f5)";; esac; done'
        rm -f net.pcap
        start -netdev user,id=n0,restrict=on -device virtio-net-pci,netdev=n0 -object filter-dump,id=f0,netdev=n0,file=net.pcap
        until_off 300
        said healthy; said answered; said 'sent 0 packets through eth0'
        sed -n '/^GUEST healthy/,/^GUEST sent/p' console | sed 's/^/       /'
        [ "$(stat -c %s net.pcap)" = 24 ] || die "packets were captured: $(stat -c %s net.pcap) bytes"
        ok "$kind: after a reboot healthy, an answer through the gateway; the capture is empty"
    done
    ;;
cuts)
    # How long an undisturbed run takes bounds the moments.
    run='prepare; say begin; /root/first VERB --media /media/bundle >/tmp/log 2>&1 && say done || { say "failed $?"; cat /tmp/log; }'
    after='
prepare
say "state $(readlink /var/lib/maas-appliance/current 2>/dev/null || echo none)"
if [ -e /var/lib/maas-appliance/current ]; then healthy && say "works before" || say "does not work before"; fi
/root/first VERB --media /media/bundle >/tmp/log 2>&1; code=$?
[ $code = 0 ] && say completed || { say "not completed $code"; cat /tmp/log; }
healthy && say healthy
# Without our program: every blob is called what it is.
bad=0; for f in /var/lib/maas-appliance/store/sha256/*/*; do [ "$(sha256sum <"$f" | cut -d" " -f1)" = "${f##*/}" ] || { bad=1; echo "damaged: $f"; }; done
[ $bad = 0 ] && say "store whole"
say "floor $(maas-appliance status --json | tr -d " \n" | grep -o "\"epoch\":[0-9]*" | head -1)"'
    disk; stick stick-1 fat; control "${run//VERB/install}"; start; until_said 'GUEST begin' 120; begun=$(date +%s%N)
    until_said 'GUEST done' 200; span=$((($(date +%s%N) - begun) / 1000000)); until_off 120
    cp --sparse=always disk.img installed.img
    printf 'an undisturbed install takes %s ms in this machine\n' $span
    table=
    for n in $(seq "$count"); do
        if [ $((n % 2)) = 1 ]; then verb=install from=$vm/root.ext4 release=stick-1; else verb=upgrade from=installed.img release=stick-2; fi
        moment=$((RANDOM * span / 32768))
        rm -f disk.img; cp --sparse=always "$from" disk.img
        image "releases/$release" fat MAASDATA stick.img; control "${run//VERB/$verb}"; start; until_said 'GUEST begin' 120
        sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
        # A quick machine may be through before its moment comes.
        kill -9 $qemu 2>/dev/null || true; wait $qemu 2>/dev/null || true; qemu=
        again=$verb; [ $verb = install ] || again=install
        control "${after//VERB/$again}"; start; until_off 400
        said completed; said healthy; said 'store whole'
        state=$(sed -n 's/^GUEST state //p' console) works=$(sed -n 's/^GUEST \(works\|does not work\) before/\1/p' console)
        [ "$works" != 'does not work' ] || die "after the cut neither release worked"
        line=$(printf '%2d  %-7s  cut after %5d ms  came up with %-16s %-8s then completed, store whole' "$n" $verb $moment "$state" "${works:-}")
        echo "$line"
    done
    ok "$count power cuts: after each of them the old release or the new one worked, and the command completed it"
    ;;
*) echo "install or cuts?" >&2; exit 2 ;;
esac
echo "$checks checks passed"
