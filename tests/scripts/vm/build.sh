#!/bin/bash
# A bootable Debian 12 machine without a network, made without mounting anything: vmlinuz, initrd.testbed
# and root.ext4 (4 GiB, sparse) in DIR. On boot it runs autorun.sh from a stick labelled MAASUSB.
#
#   tests/scripts/vm/build.sh DIR
#
# Needs mmdebstrap, e2fsprogs, busybox-static and cpio; fetches about 300 MB; takes 1 to 4 minutes.
set -euo pipefail
mkdir -p "$1"; cd "$1"
[ -f rootfs.tar ] || mmdebstrap --variant=minbase --include=systemd,systemd-sysv,udev,dbus,kmod,linux-image-amd64,iproute2,procps,util-linux,dosfstools,exfatprogs,e2fsprogs,dmsetup,zstd,curl,login,passwd,less bookworm rootfs.tar
rm -rf rootfs; mkdir rootfs; tar -C rootfs -xf rootfs.tar
K=$(ls rootfs/usr/lib/modules); cp rootfs/boot/vmlinuz-$K vmlinuz
# --- tiny initrd: busybox + just the modules needed to reach an ext4 root on virtio-blk
rm -rf ird; mkdir -p ird/{bin,dev,proc,sys,mnt,m}; cp /bin/busybox ird/bin/
MODS="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc32c_generic libcrc32c crc16 mbcache jbd2 ext4"
: > ird/m/order
for m in $MODS; do f=$(find rootfs/usr/lib/modules/$K -name "$m.ko" | head -1); [ -n "$f" ] || continue; cp $f ird/m/; echo $m >> ird/m/order; done
cat > ird/init <<'I'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs d /dev; /bin/busybox mount -t proc p /proc; /bin/busybox mount -t sysfs s /sys
for m in $(/bin/busybox cat /m/order); do /bin/busybox insmod /m/$m.ko || echo "insmod $m failed"; done
n=0; while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do /bin/busybox sleep 0.1; n=$((n+1)); done
/bin/busybox mount -t ext4 -o rw /dev/vda /mnt || exec /bin/busybox sh
/bin/busybox mount --move /dev /mnt/dev; /bin/busybox umount /proc /sys
exec /bin/busybox switch_root /mnt /sbin/init
I
chmod +x ird/init; (cd ird; find . | cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) > initrd.testbed
# --- slim + config
R=rootfs; rm -rf $R/boot/* $R/usr/share/{doc,man,locale}/* $R/var/cache/apt/* $R/var/lib/apt/lists/*
(cd $R/usr/lib/modules/$K/kernel && rm -rf drivers/{gpu,media,infiniband,net/wireless,net/ethernet,iio,staging,isdn,hid,input/touchscreen,platform,hwmon,mtd} sound net/{bluetooth,mac80211,wireless,sctp,dccp,tipc} )
echo airgap > $R/etc/hostname; echo 'root::0:0:root:/root:/bin/bash' > $R/etc/passwd.new; sed -n '2,$p' $R/etc/passwd >> $R/etc/passwd.new; mv $R/etc/passwd.new $R/etc/passwd
echo '/dev/vda / ext4 defaults,errors=remount-ro 0 1' > $R/etc/fstab
ln -sf /lib/systemd/system/multi-user.target $R/etc/systemd/system/default.target
for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service; do rm -f $R/etc/systemd/system/*.wants/$u; done
# autorun: on boot, if a stick labelled MAASUSB is present, mount it read-only and run autorun.sh from it; output to the serial console
mkdir -p $R/media/usb
cat > $R/etc/systemd/system/testbed-autorun.service <<'U'
[Unit]
Description=test bed: run autorun.sh from the USB stick
After=multi-user.target
Wants=dev-disk-by\x2dlabel-MAASUSB.device
After=dev-disk-by\x2dlabel-MAASUSB.device
ConditionKernelCommandLine=testbed.autorun
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c 'echo TESTBED-MULTIUSER uptime=$(cut -d" " -f1 /proc/uptime); mount -o ro /dev/disk/by-label/MAASUSB /media/usb && sh /media/usb/autorun.sh; echo TESTBED-AUTORUN-RC=$?'
[Install]
WantedBy=multi-user.target
U
mkdir -p $R/etc/systemd/system/multi-user.target.wants; ln -sf ../testbed-autorun.service $R/etc/systemd/system/multi-user.target.wants/
# ttyS0 = console log; a getty there would vhangup the autorun's tty, so mask it. ttyS1 (if given) = root shell for a harness.
ln -sf /dev/null $R/etc/systemd/system/serial-getty@ttyS0.service
mkdir -p $R/etc/systemd/system/serial-getty@ttyS1.service.d $R/etc/systemd/system/getty.target.wants; printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty -a root --noclear %%I 115200 vt100\n' > $R/etc/systemd/system/serial-getty@ttyS1.service.d/auto.conf
mkdir -p $R/etc/systemd/system.conf.d; printf '[Manager]\nDefaultTimeoutStartSec=300s\nDefaultDeviceTimeoutSec=60s\n' > $R/etc/systemd/system.conf.d/testbed.conf
rm -f root.ext4; truncate -s 4G root.ext4; mke2fs -q -t ext4 -d $R -F root.ext4
ls -las vmlinuz initrd.testbed root.ext4
