#!/bin/sh
# A bundle that we wrote, read by the reference client of TUF (python-tuf): metadata, rotation of the root,
# and the bill of lading as its target. Keys are Ed25519 and ECDSA P-256 together.
#
#   tests/scripts/python-tuf.sh
#
# Needs uv. (What python-tuf writes, we read in tuf-conformance.sh.)
set -eu
cd "$(dirname "$0")/../.."
work=$PWD/target/python-tuf
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || {
    uv venv --quiet "$work/venv"
    uv pip install --quiet --python "$work/venv/bin/python" 'tuf==7.0.0' 'securesystemslib[crypto]==1.4.0' 'cryptography'
}
cargo build --quiet -p maas-appliance
appliance=$PWD/target/debug/maas-appliance
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for who in ana bo cy; do
    case $who in bo) algorithm=p256 ;; *) algorithm=ed25519 ;; esac
    "$appliance" key gen --out $who.key --algorithm $algorithm --unsafe-without-passphrase 2>/dev/null
done
"$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.key.pub 2>/dev/null
for who in ana bo; do "$appliance" trust root sign 1.root.json --key $who.key 2>/dev/null; done
"$appliance" trust root rotate 1.root.json --threshold 2 --key bo.key.pub --key cy.key.pub 2>/dev/null
for who in ana bo cy; do "$appliance" trust root sign 2.root.json --key $who.key 2>/dev/null; done
printf '#!/bin/sh\n' >binary
printf 'bundle = "b"\nepoch = 7\nversion = "7"\nbinary = "binary"\n' >recipe.toml
"$appliance" bundle build recipe.toml --out bundle 2>/dev/null
for who in bo cy; do "$appliance" bundle sign bundle --key $who.key 2>/dev/null; done
"$work/venv/bin/python" - bundle/MAAS/b <<'PYTHON'
import hashlib, http.server, functools, pathlib, sys, tempfile, threading
from tuf.ngclient import Updater

bundle = pathlib.Path(sys.argv[1])
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(bundle)))
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

def client(first_root):
    state, targets = tempfile.mkdtemp(), tempfile.mkdtemp()
    return Updater(state, f"{base}/metadata/", targets, f"{base}/targets/", bootstrap=first_root)

updater = client((bundle / "metadata/1.root.json").read_bytes())
updater.refresh()
bill = updater.get_targetinfo("bundle.json")
path = updater.download_target(bill)
digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
assert (bundle / f"targets/{digest}.bundle.json").exists()
print(f"python-tuf follows root 1 to {updater._trusted_set.root.version} and takes the bill {digest[:12]}")

timestamp = bundle / "metadata/timestamp.json"
timestamp.write_bytes(timestamp.read_bytes().replace(b'"version": 7', b'"version": 8'))
try:
    client((bundle / "metadata/1.root.json").read_bytes()).refresh()
except Exception as error:
    print(f"and refuses a changed timestamp: {type(error).__name__}")
else:
    sys.exit("a changed timestamp was accepted")
PYTHON
