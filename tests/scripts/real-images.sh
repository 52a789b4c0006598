#!/bin/sh
# Container images as podman and skopeo write them, through a bundle, and read from the medium again by
# skopeo. No engine runs a container here.
#
#   tests/scripts/real-images.sh
#
# Needs podman, skopeo and busybox (Debian: podman skopeo busybox-static), as root.
set -eu
cd "$(dirname "$0")/../.."
for tool in podman skopeo busybox; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install podman skopeo busybox-static" >&2; exit 2; }
done
cargo build --quiet --release
appliance=$PWD/target/release/maas-appliance
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
podman() { command podman --root "$work/graph" --runroot "$work/run" --storage-driver vfs "$@"; }

mkdir -p rootfs/bin model
cp "$(command -v busybox)" rootfs/bin/
echo hello >rootfs/greeting
tar -C rootfs -c . | podman import --quiet --change 'CMD ["/bin/busybox"]' - localhost/bb:1 >id
podman save --quiet --format docker-archive -o docker.tar localhost/bb:1
podman save --quiet --format oci-archive -o oci.tar localhost/bb:1
skopeo copy --quiet oci-archive:oci.tar oci:layout:bb
skopeo copy --quiet --dest-compress-format gzip --dest-decompress=false oci:layout:bb oci:gzip:bb
skopeo copy --quiet --dest-compress-format zstd oci:layout:bb oci:zstd:bb

printf '{"max_position_embeddings": 2048}\n' >model/config.json
printf '{}' >model/tokenizer.json
# Eight bytes of length and an empty header: the smallest safetensors file.
printf '\002\000\000\000\000\000\000\000{}' >model/model.safetensors
printf 'name = "tiny"\ntitle = "Tiny"\nlicence = "Apache-2.0"\ntask = "generate"\ncontext = 2048\n[engine]\n' >model.toml
printf '#!/bin/sh\n' >binary
cat >recipe.toml <<'TOML'
bundle = "images-1"
epoch = 1
version = "1"
binary = "binary"
[[model]]
manifest = "model.toml"
folder = "model"
TOML
for source in docker.tar oci.tar layout gzip zstd; do
    printf '[[image]]\nname = "%s"\nreference = "localhost/bb:1"\nsource = "%s"\n' "$source" "$source" >>recipe.toml
done

for who in ana bo; do "$appliance" key gen --out $who.key --unsafe-without-passphrase; done
"$appliance" trust root init --threshold 2 --key ana.key.pub --key bo.key.pub
for who in ana bo; do "$appliance" trust root sign 1.root.json --key $who.key; done
"$appliance" bundle build recipe.toml --out stick
for who in ana bo; do "$appliance" bundle sign stick --key $who.key; done
print=$("$appliance" trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)".*/\1/p')
"$appliance" --root host trust add 1.root.json --fingerprint "$print"
"$appliance" --root host install --media stick
"$appliance" bundle inspect stick | grep '^image'

echo "-- what skopeo reads from the medium, and what it was"
for pair in docker.tar:docker-archive:docker.tar oci.tar:oci-archive:oci.tar layout:oci:layout:bb gzip:oci:gzip:bb zstd:oci:zstd:bb; do
    name=${pair%%:*}
    was=$(skopeo inspect --format '{{.Digest}} {{.Layers}}' "${pair#*:}")
    is=$(skopeo inspect --format '{{.Digest}} {{.Layers}}' "oci:stick/MAAS/images-1:$name")
    # A `podman save` archive has no manifest of its own; its layers must be the same.
    if [ "$name" = docker.tar ]; then was=${was#* }; is=${is#* }; fi
    [ "$was" = "$is" ] || { echo "$name: $is, was $was" >&2; exit 1; }
    echo "$name  $is"
done
# podman makes a name of the path, and names are lower-case.
ln -s stick/MAAS/images-1 medium
podman pull --quiet oci:medium:zstd >pulled
podman images --noheading
echo "all five are what they were"
