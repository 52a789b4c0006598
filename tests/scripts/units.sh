#!/bin/bash
# The units on a real systemd: process 1 of a namespace over a root directory of its own, with no network.
# Install, users, sandbox, watchdog, adoption, socket activation, upgrade, a bad upgrade, rollback.
#
#   tests/scripts/units.sh
#
# Needs root, systemd-nspawn (Debian: systemd-container), mmdebstrap, curl and python3; fetches 60 MB of Debian
# packages the first time (kept in target/). Takes about a minute. Limits of memory and processor are not
# enforced in a namespace: those are for the virtual machine (tests/scripts/host/machine.sh).
# Ends with 77 where no systemd can be booted at all.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts=$PWD/tests/scripts/host
debian=$PWD/target/debian-systemd.tar
if [ ! -f "$debian" ]; then
    mmdebstrap -q --variant=minbase --include=systemd,systemd-sysv,dbus,procps,iproute2,curl bookworm "${debian%.tar}.new.tar" ||
        { echo "no Debian packages can be had here" >&2; exit 77; }
    mv "${debian%.tar}.new.tar" "$debian"
fi
cargo build --quiet -p maas-appliance
work=$(mktemp -d)
leader=
end() {
    [ -z "$leader" ] || kill -s RTMIN+4 "$leader" 2>/dev/null || true
    # The namespace holds the folder until it is down.
    for _ in $(seq 100); do rm -rf "$work" 2>/dev/null && break; sleep 0.1; done
}
trap end EXIT
strip -o "$work/maas-appliance" target/debug/maas-appliance
for release in 1 2 "3 bad"; do "$scripts/release.sh" "$work/maas-appliance" "$work/releases" $release; done

root=$work/root
mkdir "$root"
tar -C "$root" -xf "$debian"
rm -f "$root/etc/fstab"
for n in 1 2 3; do cp -r "$work/releases/stick-$n" "$root/stick$n"; done
cp "$work/releases/1.root.json" "$root/"
mkdir -p "$root/etc/maas-appliance"
cat >"$root/etc/maas-appliance/appliance.toml" <<'TOML'
[site]
names = ["localhost"]
addresses = ["127.0.0.1"]
[gateway]
listen = "127.0.0.1:8443"
[engines]
kind = "simulated"
runtime = "rootfs"
device = "cpu"
simulate = "load=0s"
[policy]
trial_seconds = 3
TOML
leader=$("$scripts/boot.sh" "$root" "$work/boot.log") || { echo "no systemd can be booted here" >&2; exit 77; }
inside() { nsenter -t "$leader" -a "$@"; }

checks=0
ok() { checks=$((checks + 1)); printf 'ok %2d  %s\n' $checks "$1"; }
die() { printf 'FAILED  %s\n' "$1" >&2; inside journalctl --no-pager -o cat -n 40 -u 'maas*' >&2; exit 1; }
eventually() { # WHAT COMMAND…: within 20 s
    local what=$1; shift
    for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
    die "waited in vain: $what"
}
pid() { inside systemctl show -p MainPID --value "$1"; }
healthy() { inside maas-appliance status >/dev/null; }

# === Install ===
fingerprint=$("$work/maas-appliance" trust show "$work/releases/1.root.json" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')
inside /stick1/maas-appliance trust add /1.root.json --fingerprint "$fingerprint" >/dev/null 2>&1
inside /stick1/maas-appliance install --dry-run --media /stick1 >"$work/plan" 2>/dev/null
[ ! -e "$root/usr/local/bin/maas-appliance" ] || die "a dry run has laid out the binary"
grep -q 'create  /usr/local/lib/systemd/system/maas-gateway.service' "$work/plan" || die "the plan does not say which files it creates"
ok "a dry run names every file that it would create, and creates none"
inside /stick1/maas-appliance install --media /stick1 >/dev/null 2>"$work/install.log" || { cat "$work/install.log" >&2; die "install"; }
eventually "healthy after install" healthy
ok "installed from a stick: $(inside maas-appliance status | sed -n '1p')"
inside /stick1/maas-appliance install --media /stick1 2>/dev/null | grep -q 'installed already' || die "a second install"
ok "a second install changes nothing"
# Its program is there only while something is on trial.
ln -s /usr/local/bin/maas-appliance "$root/var/lib/maas-appliance/trial-runner"
inside systemd-analyze verify --man=no $(cd systemd && for u in *.*; do [ -d "$u" ] || echo "/usr/local/lib/systemd/system/$u"; done) 2>"$work/verify" || { cat "$work/verify" >&2; die "systemd-analyze verify"; }
[ ! -s "$work/verify" ] || { cat "$work/verify" >&2; die "systemd-analyze verify has words to say"; }
rm "$root/var/lib/maas-appliance/trial-runner"
ok "systemd-analyze verify has nothing to say"
for unit in maas-gateway maas-supervisor maas-gpu-agent maas-engine@tiny-0 maas-engine-rootfs@tiny-0 maas-launcher@x maas-trial; do
    inside systemd-analyze security --no-pager --threshold=20 $unit.service >/dev/null 2>&1 || [ $unit = maas-trial ] || die "$unit is exposed above 2.0"
    printf '       %s\n' "$(inside systemd-analyze security --no-pager $unit.service 2>/dev/null | tail -1 | tr -cd '[:print:]' | sed 's/^ *//')"
done
ok "exposure of every service that meets strangers is 2.0 or less"

# === Users and sandbox ===
engine=$(pid maas-engine-rootfs@tiny-0)
# Its process id as it is out here.
outside=
for p in /proc/[0-9]*; do
    if [ "$(awk '/^NSpid/{print $3}' "$p/status" 2>/dev/null)" = "$engine" ] && grep -q engine-shim "$p/cmdline" 2>/dev/null; then outside=${p#/proc/}; fi
done
[ -n "$outside" ] || die "no engine"
user=$(inside id -u maas-engine)
[ "$(awk '/^Uid/{print $2}' "/proc/$outside/status")" = "$user" ] || die "the engine is not its own user"
[ "$(nsenter -t "$outside" -n ip -o link | wc -l)" = 1 ] || die "the engine has a network"
ok "the engine is its own user and has no network but loopback"
for secret in var/lib/maas-appliance/gateway/pepper var/lib/maas-appliance/trust.db etc/maas-appliance/tls/server.key var/lib/maas-appliance/store; do
    [ ! -e "/proc/$outside/root/$secret" ] || die "the engine sees $secret"
    [ -e "$root/$secret" ] || die "there is no $secret to hide"
done
[ -e "/proc/$outside/root/var/lib/maas-appliance/generations/1-1/models/tiny/config.json" ] || die "the engine does not see its model"
ok "of the appliance's folders the engine sees its model and no secret"
[ ! -e "/proc/$outside/root/usr/bin/systemctl" ] || die "the engine runs in the host's files"
tr '\0' '\n' <"/proc/$(pgrep -P "$outside" | head -1)/environ" | grep -qx MAAS_FROM_IMAGE=yes || die "the image's variables"
ok "the engine runs in the image's files, with the image's variables"
[ "$(inside stat -c '%U %a' /var/lib/maas-appliance/gateway /var/lib/maas-appliance/gateway/pepper | tr '\n' ' ')" = 'maas 700 maas 600 ' ] || die "whose the gateway's files are"
! inside setpriv --reuid maas-supervisor --regid maas --clear-groups cat /var/lib/maas-appliance/gateway/pepper 2>/dev/null || die "the supervisor reads the pepper"
may_ask() { inside setpriv --reuid "$1" --regid maas --clear-groups test -w /run/maas-appliance/launcher.sock; }
may_ask maas-supervisor || die "the supervisor cannot ask the launcher"
for other in maas maas-gpu maas-engine; do ! may_ask $other || die "$other may ask the launcher"; done
ok "each service has its own secrets, and only the supervisor may have engines started"

# === A key, and somebody who asks all the time ===
inside maas-appliance team create red >/dev/null 2>&1
key=$(inside maas-appliance keys create --team red --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["secret"])')
cat >"$root/ask.sh" <<ASK
curl -s --max-time 20 --cacert /etc/maas-appliance/tls/ca.pem -o /dev/null -w '%{http_code}' https://localhost:8443/v1/chat/completions \
    -H 'content-type: application/json' -H "authorization: Bearer $key" \
    -d '{"model":"tiny","max_tokens":4,"messages":[{"role":"user","content":"hello"}]}'
ASK
ask() { inside sh /ask.sh; }
[ "$(ask)" = 200 ] || die "no answer"
ok "an answer through the gateway from the engine in its image"

# === Deaths ===
before=$(pid maas-engine-rootfs@tiny-0)
inside kill -KILL "$(pid maas-supervisor)"
eventually "a new supervisor" inside systemctl is-active maas-supervisor
eventually "healthy" healthy
[ "$(pid maas-engine-rootfs@tiny-0)" = "$before" ] || die "the engine was started again"
ok "a killed supervisor is back, and the engine did not notice"
mkdir -p "$root/run"
inside sh -c 'mkdir -p /run/systemd/system/maas-supervisor.service.d; printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/maas-supervisor.service.d/w.conf; systemctl daemon-reload; systemctl restart maas-supervisor'
stuck=$(pid maas-supervisor)
inside kill -STOP "$stuck"
eventually "the watchdog" sh -c "! nsenter -t $leader -a kill -0 $stuck"
eventually "healthy" healthy
[ "$(pid maas-engine-rootfs@tiny-0)" = "$before" ] || die "the engine was started again"
ok "a supervisor that hangs is killed by the watchdog and comes back; the engine did not notice"
inside kill -KILL "$(pid maas-gateway)"
[ "$(ask)" = 200 ] || die "a request while the gateway starts anew"
ok "a request that comes while the gateway starts anew waits and is answered"
inside kill -KILL "$(pid maas-engine-rootfs@tiny-0)"
eventually "the engine again" healthy
[ "$(ask)" = 200 ] || die "no answer after the death of the engine"
ok "a killed engine is started again"

# === Upgrade and rollback ===
: >"$work/codes"
(while [ ! -e "$work/enough" ]; do ask >>"$work/codes" 2>/dev/null; echo >>"$work/codes"; done) &
asker=$!
gateway=$(pid maas-gateway)
inside maas-appliance upgrade --media /stick2 >/dev/null 2>"$work/upgrade.log" || { cat "$work/upgrade.log" >&2; die "upgrade"; }
inside maas-appliance status --json | grep -q '"2-1"' || die "the new generation does not serve"
ok "upgraded: $(grep -c . "$work/upgrade.log") lines, gateway $([ "$(pid maas-gateway)" = "$gateway" ] && echo 'not restarted' || echo 'restarted')"
eventually "the end of the trial" sh -c "[ ! -e $root/var/lib/maas-appliance/trial.json ]"
ok "the new release is kept after its trial"
set +e; inside maas-appliance upgrade --media /stick3 >/dev/null 2>"$work/bad.log"; code=$?; set -e
[ $code = 1 ] && grep -q 'does not serve' "$work/bad.log" || { cat "$work/bad.log" >&2; die "a bad upgrade ended with $code"; }
eventually "healthy again" healthy
inside maas-appliance status --json | grep -q '"2-1"' || die "the old generation does not serve"
ok "a bad release goes back by itself: $(grep '^Error' "$work/bad.log" | cut -c1-90)…"
begun=$(date +%s%N)
inside maas-appliance rollback >/dev/null 2>&1
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 5000 ] || die "rollback took $took ms"
eventually "healthy after rollback" healthy
inside maas-appliance status --json | grep -q '"1-1"' || die "the first generation does not serve"
ok "rollback took $took ms"
touch "$work/enough"; wait $asker || true
good=$(grep -cx 200 "$work/codes" || true) waited=$(grep -cxE '503|529' "$work/codes" || true) lost=$(grep -cvxE '200|503|529' "$work/codes" || true)
printf '       during upgrade, bad upgrade and rollback: %s answered, %s told to wait while the engine started, %s lost\n' "$good" "$waited" "$lost"
[ "$lost" = 0 ] || { sort "$work/codes" | uniq -c >&2; die "requests were lost"; }
ok "no request was lost"
echo "$checks checks passed"
