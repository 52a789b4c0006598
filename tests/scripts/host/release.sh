#!/bin/bash
# A signed release with a model and an image, for the tests on whole hosts:
#
#   release.sh APPLIANCE WORK EPOCH [BAD]
#
# leaves WORK/stick-EPOCH, ready to be copied to a medium. Keys and root are made the first time. The image is
# a bare C library: the simulated engine needs no more. With BAD the model's engine refuses its flags.
set -euo pipefail
appliance=$1 work=$2 epoch=$3 bad=${4:-}
here=$(dirname "$(realpath "$0")")
mkdir -p "$work"; cd "$work"
if [ ! -f 1.root.json ]; then
    for who in ana bo; do "$appliance" key gen --out $who.key --unsafe-without-passphrase 2>/dev/null; done
    "$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.key.pub >/dev/null 2>&1
    for who in ana bo; do "$appliance" trust root sign 1.root.json --key $who.key 2>/dev/null; done
    mkdir -p model
    printf '{"max_position_embeddings": 2048}\n' >model/config.json
    printf '{"version": "1.0"}\n' >model/tokenizer.json
    python3 - <<'PYTHON'
import json, os, struct
size = 24_000_000
header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
with open("model/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + os.urandom(size))
PYTHON
fi
if [ ! -d image ]; then
    [ -f glibc.tar ] || mmdebstrap -q --variant=extract --include=libc6,libgcc-s1 bookworm glibc.tar
    python3 "$here/image.py" glibc.tar image
fi
flag=
[ -z "$bad" ] || flag='args = ["--no-such-flag"]'
# Another context length is another engine: an upgrade has something to do.
cat >tiny.toml <<TOML
name = "tiny"
title = "Tiny"
licence = "Apache-2.0"
task = "generate"
context = $((2040 + epoch))
[engine]
$flag
TOML
cat >recipe.toml <<TOML
bundle = "host-$epoch"
epoch = $epoch
version = "1.$epoch"
binary = "$appliance"
install_sh = "$here/../../../installer/install.sh"
readme = "$here/../../../installer/README.txt"
[[model]]
manifest = "tiny.toml"
folder = "model"
[[image]]
name = "vllm"
reference = "localhost/bare:1"
source = "image"
TOML
rm -rf "release-$epoch" "stick-$epoch"
"$appliance" bundle build recipe.toml --out "release-$epoch" 2>/dev/null
for who in ana bo; do "$appliance" bundle sign "release-$epoch" --key $who.key 2>/dev/null; done
"$appliance" bundle copy "release-$epoch" --to "stick-$epoch" >/dev/null 2>&1
