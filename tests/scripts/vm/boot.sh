#!/bin/bash
# Boots the machine of build.sh with a copy of its disk; the console is on stdout, and there is no network.
#
#   tests/scripts/vm/boot.sh DIR DISK STICK [more arguments of qemu]
#
# Needs qemu-system-x86_64. Emulation only, so that it runs inside a virtual machine too.
V=$1; D=$2; U=$3; shift 3
ARGS=(-nodefaults -no-user-config -M q35 -accel ${ACCEL:-tcg,thread=multi,tb-size=512} -cpu ${CPU:-max} -smp ${SMP:-2} -m ${MEM:-1024}
 -display none -serial stdio -nic none -kernel $V/vmlinuz -initrd $V/initrd.testbed
 -append "console=ttyS0,115200 root=/dev/vda rw quiet mitigations=off net.ifnames=0 systemd.show_status=1 ${APPEND-testbed.autorun}"
 -drive if=none,id=d0,file=$D,format=${DFMT:-raw},cache=writeback,discard=unmap -device virtio-blk-pci,drive=d0 -device virtio-rng-pci
 -device qemu-xhci,id=xhci -no-reboot)
[ -n "$U" ] && [ "$U" != none ] && ARGS+=(-drive if=none,id=u0,file=$U,format=raw,cache=writeback -device usb-storage,bus=xhci.0,drive=u0,removable=on,serial=MAAS0001)
exec qemu-system-x86_64 "${ARGS[@]}" "$@"
