#!/usr/bin/env bash
# Makes signatures of an image as cosign makes them, without this crate: in the old layout with
# openssl, in the new one with Sigstore's own Python types. The files in tests/vectors/cosign came from
# here. Private keys are thrown away.
#
# Usage: cosign-vectors.sh OUT [VENV]     needs: openssl 3, uv
set -euo pipefail

out=${1:?folder for the vectors}
venv=${2:-target/model-signing/venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

[ -x "$venv/bin/python" ] || uv venv --quiet --python 3.11 "$venv"
uv pip install --quiet --python "$venv/bin/python" sigstore-models==0.0.6 cryptography

printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}' \
  >"$out/image.json"
image=$(sha256sum "$out/image.json" | cut -d' ' -f1)
printf '{"critical":{"identity":{"docker-reference":"registry.example.com/vllm"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' \
  "$image" >"$out/payload.json"
payload=$(sha256sum "$out/payload.json" | cut -d' ' -f1)
size=$(stat -c %s "$out/payload.json")

# NAME KEY... : makes NAME.pem, NAME.manifest.json (old layout) and NAME.bundle.json (new layout).
make() {
  local name=$1 hash=$2
  shift 2
  openssl genpkey "$@" -out "$work/$name.key" 2>/dev/null
  openssl pkey -in "$work/$name.key" -pubout -out "$out/$name.pem"
  if [ "$hash" = none ]; then
    openssl pkeyutl -sign -rawin -inkey "$work/$name.key" -in "$out/payload.json" -out "$work/$name.sig"
  else
    openssl dgst "-$hash" -sign "$work/$name.key" -out "$work/$name.sig" "$out/payload.json"
  fi
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":%s,"digest":"sha256:%s","annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}' \
    "$size" "$payload" "$(base64 -w0 "$work/$name.sig")" >"$out/$name.manifest.json"
  "$venv/bin/python" - "$work/$name.key" "$hash" "$image" >"$out/$name.bundle.json" <<'PY'
import base64, hashlib, json, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore_models import intoto
from sigstore_models.bundle import v1 as bundle
from sigstore_models.common import v1 as common

key_file, hash_name, image = sys.argv[1:]
key = serialization.load_pem_private_key(open(key_file, "rb").read(), None)
# The statement that `cosign sign` makes (cmd/cosign/cli/sign/sign.go).
payload = json.dumps({
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"digest": {"sha256": image}}],
    "predicateType": "https://sigstore.dev/cosign/sign/v1",
    "predicate": {},
}).encode()
kind = "application/vnd.in-toto+json"
message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
if hash_name == "none":
    signature = key.sign(message)
else:
    signature = key.sign(message, ec.ECDSA(getattr(hashes, hash_name.upper())()))
der = key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
made = bundle.Bundle(
    media_type="application/vnd.dev.sigstore.bundle.v0.3+json",
    verification_material=bundle.VerificationMaterial(
        public_key=common.PublicKeyIdentifier(hint=hint), tlog_entries=[]),
    dsse_envelope=intoto.Envelope(
        payload=base64.b64encode(payload), payload_type=kind,
        signatures=[intoto.Signature(sig=base64.b64encode(signature), keyid=hint)]),
)
print(made.to_json())
PY
  echo "made $name"
}

make p256 sha256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
# The hash function of cosign's specification, and the curve's own, which cosign 3 signs with.
make p384-sha256 sha256 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
make p384-sha384 sha384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
make ed25519 none -algorithm ED25519
