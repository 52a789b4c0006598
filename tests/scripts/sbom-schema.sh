#!/bin/bash
# Bills of materials against the official CycloneDX 1.6 schema, and their counts against the tools
# whose databases they were read from.
#
#   tests/scripts/sbom-schema.sh [DIR]        keeps its Python environment and what it wrote in DIR
#
# DIR is target/cyclonedx unless given. Needs uv, Rust and a package mirror that uv is configured for;
# with dpkg-query also this machine's Debian packages are listed and counted. MAAS_SBOM_MODEL, a model's
# folder, and MAAS_SBOM_MANIFEST, its manifest, add a model to the tiny one that the script makes.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=${1:-target/cyclonedx}
mkdir -p "$home"
home=$(cd "$home" && pwd)
venv=$home/venv
[ -x "$venv/bin/python" ] || uv venv -q --seed "$venv"
"$venv/bin/python" -c 'import cyclonedx.validation.json, jsonschema' 2>/dev/null ||
    VIRTUAL_ENV=$venv uv pip install -q 'cyclonedx-python-lib[json-validation]'

cargo build --quiet -p maas-sbom --example sbom
sbom=${CARGO_TARGET_DIR:-target}/debug/examples/sbom
work=$home/work
rm -rf "$work"
mkdir -p "$work"

# === The binary ===

"$sbom" binary Cargo.lock maas-appliance >"$work/binary.json"

# === An image: this machine's Debian packages, then a Python environment laid over them ===

layers=()
if command -v dpkg-query >/dev/null; then
    tar -C / -cf "$work/1.tar" etc/os-release usr/lib/os-release var/lib/dpkg/status
    layers+=("$work/1.tar")
fi
mkdir -p "$work/rootfs/opt"
cp -a "$venv" "$work/rootfs/opt/venv"
tar -C "$work/rootfs" -cf "$work/2.tar" .
layers+=("$work/2.tar")
"$sbom" image image "${layers[@]}" >"$work/image.json"
# The same with the environment hidden again by a whiteout.
mkdir "$work/hiding"
: >"$work/hiding/.wh.opt"
tar -C "$work/hiding" -cf "$work/3.tar" .
"$sbom" image hidden "${layers[@]}" "$work/3.tar" >"$work/hidden.json"

# === Models ===

model() { # NAME MANIFEST FOLDER
    "$sbom" model "$2" "$3" >"$work/model-$1.json"
}
tiny=$work/tiny
mkdir "$tiny"
printf '{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 2048}\n' >"$tiny/config.json"
printf -- '---\nlicense: apache-2.0\nbase_model:\n  - someone/base\ndatasets: [one/set]\nlanguage: en\n---\n# Tiny\n' >"$tiny/README.md"
"$venv/bin/python" - "$tiny/model.safetensors" <<'PY'
import json, struct, sys
header = json.dumps({"w": {"dtype": "BF16", "shape": [16, 8], "data_offsets": [0, 256]}}).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(header)) + header + bytes(256))
PY
model tiny models-manifest/tiny.toml "$tiny"
if [ -n "${MAAS_SBOM_MODEL:-}" ]; then
    model given "$MAAS_SBOM_MANIFEST" "$MAAS_SBOM_MODEL"
fi

# === Schema ===

"$venv/bin/python" - "$work"/*.json <<'PY'
import json, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

def spelt_otherwise(purl):
    """Purls that the reference implementation reads, and writes in another way."""
    return PackageURL.from_string(purl).to_string() != purl

wrong = 0
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text())
    bom = json.loads(path.read_text())
    refs = [c["bom-ref"] for c in bom["components"] + [bom["metadata"]["component"]]]
    known = set(refs)
    dangling = [d for e in bom.get("dependencies", []) for d in [e["ref"], *e["dependsOn"]] if d not in known]
    purls = [c["purl"] for c in bom["components"] if "purl" in c]
    odd = [purl for purl in purls if spelt_otherwise(purl)]
    verdict = "valid" if error is None else f"INVALID: {error}"
    print(f"{path.name:20} {len(bom['components']):5} components, {path.stat().st_size:8} bytes: {verdict}; {len(purls)} purls, {len(odd)} not canonical")
    for purl in odd[:5]:
        print('  ', purl, PackageURL.from_string(purl).to_string())
    if error or odd or dangling or len(known) != len(refs):
        wrong = 1
        print(f"  {len(dangling)} dangling references, {len(refs) - len(known)} references twice")
sys.exit(wrong)
PY

# === Counts ===

count() { # FILE TYPE
    grep -c "\"purl\": \"pkg:$2/" "$work/$1.json" || true
}
same() { # WHAT OURS THEIRS
    echo "$1: $2 listed, $3 by the tool itself"
    [ "$2" = "$3" ]
}
if command -v dpkg-query >/dev/null; then
    same "Debian packages" "$(count image deb)" \
        "$(dpkg-query -W -f '${db:Status-Status}\n' | grep -cx installed)"
    same "Debian packages, Python hidden" "$(count hidden deb)" "$(count image deb)"
fi
# pip does not list what a package carries inside itself (`_vendor`); the bill does, and says where.
pip=$("$venv/bin/python" -m pip list --format freeze --disable-pip-version-check | wc -l)
ours=$("$venv/bin/python" - "$work/image.json" <<'PY'
import json, sys
components = json.load(open(sys.argv[1]))["components"]
python = [c for c in components if c.get("purl", "").startswith("pkg:pypi/")]
at_top = lambda c: any("/_vendor/" not in o["location"] for o in c["evidence"]["occurrences"])
print(sum(map(at_top, python)))
PY
)
echo "Python packages with those inside others: $(count image pypi)"
same "Python packages at the top" "$ours" "$pip"
same "Python packages under a whiteout" "$(count hidden pypi)" 0
cargo tree --quiet --locked -p maas-appliance --edges normal,build,dev --target all --prefix none |
    sed 's/ (.*//; s/ v/@/' | grep -v '^maas-appliance@' | sort -u >"$work/tree"
"$sbom" show "$work/binary.json" | sed -n 's/^library \([^ ]*\) \([^ ]*\) .*/\1@\2/p' | sort >"$work/listed"
echo "crates: $(wc -l <"$work/listed") listed; cargo tree has $(wc -l <"$work/tree") of them, for every target, and $(comm -23 "$work/tree" "$work/listed" | wc -l) others"
[ -z "$(comm -23 "$work/tree" "$work/listed")" ]
