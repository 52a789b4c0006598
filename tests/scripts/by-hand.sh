#!/bin/bash
# What a person does by hand today, beside what one command does: the same weights and the same image from the
# same folder to the same disk. By hand: rsync, sha256sum -c, podman load. Here: bundle verify, install.
#
#   tests/scripts/by-hand.sh FOLDER [GB]
#
# FOLDER gets about three times GB (4 when left out) and is emptied in the end. Needs rsync and podman, and root
# (to drop the page cache before each run). Prints one table; ratios, not times, are what can be compared.
set -euo pipefail
folder=$(realpath "$1") gb=${2:-4}
cd "$(dirname "$0")/../.."
cargo build --quiet --release -p maas-appliance
work=$(mktemp -d -p "$folder")
trap 'rm -rf "$work"' EXIT
strip -o "$work/maas-appliance" target/release/maas-appliance
appliance=$work/maas-appliance
cd "$work"
podman() { command podman --root "$work/graph" --runroot "$work/run" --storage-driver vfs "$@"; }
cold() { sync; echo 3 >/proc/sys/vm/drop_caches; }
timed() { # NAME COMMAND...
    cold
    local name=$1 before after; shift
    before=$(date +%s%N)
    "$@" >/dev/null 2>&1
    sync
    after=$(date +%s%N)
    eval "$name=$(((after - before) / 1000000))"
}

mkdir -p weights rootfs/bin
python3 - "$gb" <<'PYTHON'
import json, os, struct, sys
shards = max(1, int(sys.argv[1]) // 2)
names = [f"model-{n + 1:05}-of-{shards:05}.safetensors" for n in range(shards)]
index = {}
for number, name in enumerate(names):
    size = 2_000_000_000
    header = json.dumps({f"w{number}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with open(f"weights/{name}", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _ in range(100):
            file.write(os.urandom(size // 100))
    index[f"w{number}"] = name
json.dump({"metadata": {}, "weight_map": index}, open("weights/model.safetensors.index.json", "w"))
open("weights/config.json", "w").write('{"max_position_embeddings": 2048}\n')
open("weights/tokenizer.json", "w").write('{"version": "1.0"}\n')
PYTHON
cp "$(command -v busybox)" rootfs/bin/
head -c 300000000 /dev/urandom >rootfs/layer
tar -C rootfs -c . | podman import --quiet - localhost/image:1 >/dev/null
podman save --quiet --format docker-archive -o image.tar localhost/image:1 >/dev/null
podman rmi localhost/image:1 >/dev/null
mkdir stick
cp -r weights image.tar stick/
(cd stick && find . -type f | xargs sha256sum >../SUMS && mv ../SUMS SUMS)

for who in ana bo; do "$appliance" key gen --out $who.key --unsafe-without-passphrase 2>/dev/null; done
"$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.key.pub >/dev/null 2>&1
for who in ana bo; do "$appliance" trust root sign 1.root.json --key $who.key 2>/dev/null; done
printf 'name = "big"\ntitle = "Big"\nlicence = "Apache-2.0"\ntask = "generate"\ncontext = 2048\n[engine]\n' >big.toml
printf 'bundle = "big"\nepoch = 1\nversion = "1"\nbinary = "maas-appliance"\n[[model]]\nmanifest = "big.toml"\nfolder = "weights"\n[[image]]\nname = "image"\nreference = "localhost/image:1"\nsource = "image.tar"\n' >recipe.toml
"$appliance" bundle build recipe.toml --out bundle 2>/dev/null
for who in ana bo; do "$appliance" bundle sign bundle --key $who.key 2>/dev/null; done
fingerprint=$("$appliance" trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)",/\1/p')
"$appliance" --root host trust add 1.root.json --fingerprint "$fingerprint" >/dev/null 2>&1
rm -rf weights

timed copy rsync -a stick/ srv/
timed sums sh -c 'cd srv && sha256sum -c SUMS'
timed load podman load -i srv/image.tar
rm -rf srv
timed verify "$appliance" --root host bundle verify bundle
timed install "$appliance" --root host install --media bundle
hand=$((copy + sums + load))
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }
ratio() { printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100)); }
cat <<TABLE
| $gb GB of weights, an image of 0.3 GB | s | of all by hand |
|---|---|---|
| rsync -a | $(seconds $copy) | $(ratio $copy $hand) |
| sha256sum -c | $(seconds $sums) | $(ratio $sums $hand) |
| podman load | $(seconds $load) | $(ratio $load $hand) |
| **all by hand**: no signature, no floor, no way back | $(seconds $hand) | 1.00 |
| \`bundle verify\` | $(seconds $verify) | $(ratio $verify $hand) |
| \`install\`: verified while it is stored, switched at once | $(seconds $install) | $(ratio $install $hand) |
TABLE
