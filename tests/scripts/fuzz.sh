#!/bin/sh
# Every parser of hostile input under libFuzzer, with AddressSanitizer: a panic, a broken promise, a hang
# of 30 seconds or 2 GB of memory fails the run. What each target promises stands in tests/fuzz/targets/src.
#
#   tests/scripts/fuzz.sh [SECONDS [TARGET …]]     60 seconds for each target, and all of them
#
# Needs a nightly compiler and cargo-fuzz (cargo install cargo-fuzz --locked). Begins with what is kept in
# tests/fuzz/corpus; what it finds goes on in target/fuzz/corpus. An input that breaks a promise lies in
# target/fuzz/crashes/TARGET: fix the cause, and keep the input in tests/fuzz/crashes/TARGET, where
# `cargo test -p maas-tests --test corpus` runs it for ever. To shorten it first:
#   cargo +nightly fuzz tmin --fuzz-dir tests/fuzz TARGET INPUT
# Inputs that reach something new are kept by copying them from target/fuzz/corpus, few and small.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
fuzz=$PWD/tests/fuzz
work=$PWD/target/fuzz
targets=${*:-$(sed -n 's/^name = "\(.*\)"$/\1/p' "$fuzz/Cargo.toml" | grep -v '^maas-fuzz$')}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$work/build}"

cargo +nightly fuzz --version >/dev/null 2>&1 || {
    echo "a nightly compiler and cargo-fuzz are needed: cargo install cargo-fuzz --locked" >&2
    exit 2
}
cargo +nightly fuzz build --fuzz-dir "$fuzz"

dictionary() {
    case $1 in
    root | *_metadata) echo tuf ;;
    bill | volume_json) echo bill ;;
    safetensors | shard_index | model_settings | model_card) echo model ;;
    image_archive | image_layer | image_scan) echo image ;;
    recipe | model_manifest) echo toml ;;
    keys | fingerprint) echo keys ;;
    sbom_summary) echo sbom ;;
    *) echo none ;;
    esac
}

failed=
printf '%-18s %12s %9s %9s %8s\n' target executions coverage features inputs
for target in $targets; do
    mkdir -p "$work/corpus/$target" "$work/crashes/$target"
    log=$work/$target.log
    words=$fuzz/dictionaries/$(dictionary "$target").dict
    [ -f "$words" ] && words=-dict=$words || words=
    # The first folder is written to.
    # shellcheck disable=SC2086
    if ASAN_OPTIONS=detect_odr_violation=0:malloc_context_size=2 \
        "$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release/$target" $words \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$work/crashes/$target/" \
        "$work/corpus/$target" "$fuzz/corpus/$target" >"$log" 2>&1; then
        :
    else
        failed="$failed $target"
        echo "$target: see $log" >&2
        grep -E "panicked at|^ERROR|SUMMARY|Test unit written" "$log" >&2 || tail -5 "$log" >&2
    fi
    last=$(grep -E '^#[0-9]+.* cov: ' "$log" | tail -1)
    field() { printf '%s\n' "$last" | sed -n "s/.* $1: *\([0-9]*\).*/\1/p"; }
    done=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-18s %12s %9s %9s %8s\n' "$target" "${done:-?}" "$(field cov)" "$(field ft)" "$(field corp)"
done
[ -z "$failed" ] || { echo "broken:$failed" >&2; exit 1; }
