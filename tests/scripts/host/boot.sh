#!/bin/bash
# Boots a real systemd as process 1 of a namespace over ROOTFS, which must be a root directory of its own:
#
#   boot.sh ROOTFS LOG     prints its process id outside; end it with `kill -s RTMIN+4 PID`
#
# Needs systemd-nspawn and root. No network: only the loopback of the namespace.
set -euo pipefail
rootfs=$(realpath "$1") log=$2
[ "$rootfs" != / ] || { echo "never over the machine's own root" >&2; exit 2; }
systemd-nspawn -q -b -D "$rootfs" -M "maas$$" --register=no --keep-unit --private-network --console=pipe \
    --capability=CAP_SYS_ADMIN </dev/null >"$log" 2>&1 &
nspawn=$!
for _ in $(seq 600); do
    leader=$(ps -o pid= --ppid $nspawn | head -1 | tr -d ' ') || true
    case ${leader:+$(nsenter -t "$leader" -a systemctl is-system-running 2>/dev/null)} in
        running | degraded) echo "$leader"; exit ;;
    esac
    kill -0 $nspawn 2>/dev/null || { echo "it did not boot; see $log" >&2; exit 1; }
    sleep 0.1
done
echo "it did not come up in 60 s; see $log" >&2
exit 1
