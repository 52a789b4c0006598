#!/usr/bin/env bash
# Signs models with the reference implementation of OMS and verifies them here, and the other way
# round: by key and by certificate, as files and as shards, good ones and changed ones.
#
# Usage: model-signing-interop.sh [FOLDER]     needs: uv, openssl 3, 3 GB of space
# Closes with a line `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

work=${1:-target/model-signing}
mkdir -p "$work"
work=$(realpath "$work")
python="$work/venv/bin/python"
passed=0 failed=0

[ -x "$python" ] || uv venv --quiet --python 3.11 "$work/venv" || exit 1
# pyopenssl: model-signing 1.1.1 imports it and does not ask for it.
uv pip install --quiet --python "$python" model-signing==1.1.1 cryptography pyopenssl || exit 1
cargo build --quiet -p maas-attest --example oms || exit 1

here() { cargo run --quiet -p maas-attest --example oms -- "$@"; }

# expect WANTED NAME COMMAND...: WANTED is an exit code, or `fail` for any but 0.
expect() {
  local wanted=$1 name=$2 output code
  shift 2
  output=$("$@" 2>&1)
  code=$?
  output=$(tail -n 1 <<<"$output")
  if [ "$code" = "$wanted" ] || { [ "$wanted" = fail ] && [ "$code" != 0 ]; }; then
    passed=$((passed + 1))
    printf 'ok    %-52s %3s  %s\n' "$name" "$code" "${output:0:150}"
  else
    failed=$((failed + 1))
    printf 'FAIL  %-52s %3s, not %s  %s\n' "$name" "$code" "$wanted" "$output"
  fi
}

# --- A model: nested, with names whose order differs by string and by component, with an empty file
# and with one that is longer than a shard.
model="$work/model"
rm -rf "$model" "$work/keys" "$work"/*.sig
mkdir -p "$model/weights" "$work/keys"
printf '{"architectures":["LlamaForCausalLM"]}' >"$model/config.json"
printf '{"weight_map":{}}' >"$model/weights.index.json"
printf 'first shard' >"$model/weights/part-1.safetensors"
: >"$model/empty.txt"
truncate -s 1200000001 "$model/weights/part-2.safetensors"
printf 'end' | dd of="$model/weights/part-2.safetensors" bs=1 seek=1199999998 conv=notrunc status=none
printf 'not shipped' >"$work/left-out"

# --- Keys: three curves, an authority with one in between, a signer, and a stranger.
cd "$work/keys" || exit 1
for curve in 256 384 521; do
  openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:P-$curve" -out "p$curve.key"
  openssl pkey -in "p$curve.key" -pubout -out "p$curve.pem"
done
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out stranger.key
openssl pkey -in stranger.key -pubout -out stranger.pem
authority='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n'
openssl req -x509 -newkey rsa:3072 -noenc -keyout root.key -out root.pem -days 30 \
  -subj '/CN=Test root' -addext keyUsage=critical,keyCertSign 2>/dev/null
openssl req -x509 -newkey rsa:3072 -noenc -keyout other-root.key -out other-root.pem -days 30 \
  -subj '/CN=Test root' -addext keyUsage=critical,keyCertSign 2>/dev/null
openssl req -new -newkey rsa:3072 -noenc -keyout between.key -subj '/CN=Test authority' 2>/dev/null |
  openssl x509 -req -CA root.pem -CAkey root.key -days 30 -out between.pem \
    -extfile <(printf '%b' "$authority") 2>/dev/null
openssl req -new -key p384.key -subj '/CN=Model Release' |
  openssl x509 -req -CA between.pem -CAkey between.key -days 30 -out signer.pem -extfile <(
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n'
    printf 'subjectAltName=email:models@example.com\n') 2>/dev/null
cd - >/dev/null || exit 1
keys="$work/keys"
# After the certificates were made, or they would not be valid yet.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# The command line of model-signing cannot make shards; its library can.
there() {
  "$python" - "$@" <<'PY'
import sys
from model_signing import hashing, signing, verifying

verb, method, kind, model, signature, *files = sys.argv[1:]
config = hashing.Config().set_ignored_paths(paths=[signature])
if method == "shards":
    config = config.use_shard_serialization()
if verb == "sign":
    signer = signing.Config().set_hashing_config(config)
    if kind == "key":
        signer.use_elliptic_key_signer(private_key=files[0])
    else:
        signer.use_certificate_signer(
            private_key=files[0], signing_certificate=files[1], certificate_chain=files[2:])
    signer.sign(model, signature)
    print("signed there")
else:
    verifier = verifying.Config()
    if method == "shards":
        verifier.set_hashing_config(config)
    verifier.use_elliptic_key_verifier(public_key=files[0]).verify(model, signature)
    print("good there")
PY
}

by_key() { here verify --now "$now" --key "$1" --signature "$2" "$model"; }
by_certificate() {
  here verify --now "$now" --root "$1" --identity "$2" --signature "$3" "$model"
}

"$python" -m model_signing --version
for method in files shards; do
  for curve in 256 384 521; do
    signature="$work/there-$method-p$curve.sig"
    expect 0 "there: sign $method by key P-$curve" \
      there sign "$method" key "$model" "$signature" "$keys/p$curve.key"
    expect 0 "here: verify them" by_key "$keys/p$curve.pem" "$signature"
    expect 20 "here: refuse them for another key" by_key "$keys/stranger.pem" "$signature"
  done
  signature="$work/there-$method-certificate.sig"
  expect 0 "there: sign $method by certificate" there sign "$method" certificate "$model" \
    "$signature" "$keys/p384.key" "$keys/signer.pem" "$keys/between.pem"
  expect 0 "here: verify them as models@example.com" \
    by_certificate "$keys/root.pem" models@example.com "$signature"
  expect 20 "here: a common name beside other names is nobody" \
    by_certificate "$keys/root.pem" 'Model Release' "$signature"
  expect 20 "here: refuse them as somebody else" \
    by_certificate "$keys/root.pem" release@example.com "$signature"
  expect 20 "here: refuse them under another root" \
    by_certificate "$keys/other-root.pem" models@example.com "$signature"

  signature="$work/here-$method.sig"
  expect 0 "here: sign $method by key P-256" here sign --method "$method" --key "$keys/p256.key" \
    --signature "$signature" "$model"
  expect 0 "here: verify them" by_key "$keys/p256.pem" "$signature"
  expect 0 "there: verify them" \
    there verify "$method" key "$model" "$signature" "$keys/p256.pem"
  expect fail "there: refuse them for another key" \
    there verify "$method" key "$model" "$signature" "$keys/stranger.pem"
done

# The command line, with its own defaults, and the signature among the files.
expect 0 "there: sign with the command line" "$python" -m model_signing sign key \
  --private_key "$keys/p256.key" --signature "$model/model.sig" "$model"
expect 0 "here: verify with the signature in the model" by_key "$keys/p256.pem" "$model/model.sig"
rm "$model/model.sig"
expect 0 "here: sign with the signature outside" here sign --key "$keys/p256.key" \
  --signature "$work/cli.sig" "$model"
expect 0 "there: verify with the command line" "$python" -m model_signing verify key \
  --public_key "$keys/p256.pem" --signature "$work/cli.sig" "$model"

# Every change of the model is refused on both sides.
refused() {
  for method in files shards; do
    expect 21 "here: refuse $1, $method" by_key "$keys/p256.pem" "$work/there-$method-p256.sig"
    expect fail "there: refuse $1, $method" \
      there verify "$method" key "$model" "$work/here-$method.sig" "$keys/p256.pem"
  done
}
printf 'END' | dd of="$model/weights/part-2.safetensors" bs=1 seek=1199999998 conv=notrunc status=none
refused "a changed end"
printf 'end' | dd of="$model/weights/part-2.safetensors" bs=1 seek=1199999998 conv=notrunc status=none
mv "$work/left-out" "$model/extra.txt"
refused "one file more"
mv "$model/extra.txt" "$work/left-out"
mv "$model/config.json" "$work/config.json"
refused "one file fewer"
mv "$work/config.json" "$model/config.json"

rm -rf "$model" "$keys" "$work"/*.sig "$work/left-out"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
