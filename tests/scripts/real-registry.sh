#!/bin/bash
# Images as Debian's docker-registry serves them, fetched by maas-fetch, compared with what skopeo reads from
# the same registry. The cosign signature of the index is a real one, made with openssl; it goes through a
# bundle to a host, and a release that wants another signer is not built.
#
#   tests/scripts/real-registry.sh
#
# Needs docker-registry, podman, skopeo, curl, openssl and busybox (Debian: docker-registry podman skopeo
# curl openssl busybox-static), as root.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in docker-registry podman skopeo curl busybox; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install docker-registry podman skopeo curl busybox-static" >&2; exit 2; }
done
cargo build --quiet -p maas-fetch --example fetch
cargo build --quiet -p maas-appliance
appliance=$PWD/target/debug/maas-appliance
fetch=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug/examples/fetch
work=$(mktemp -d)
registry=
trap 'if [ -n "$registry" ]; then kill "$registry"; wait "$registry" || true; fi; rm -rf "$work"' EXIT
cd "$work"
podman() { command podman --root "$work/graph" --runroot "$work/run" --storage-driver vfs "$@"; }
checks=0
same() { # what, found, wanted
    [ "$2" = "$3" ] || { echo "FAILED: $1: found $2, wanted $3" >&2; exit 1; }
    checks=$((checks + 1))
    echo "ok: $1: $3"
}

# --- a registry on a free port ---
port=$((20000 + RANDOM % 20000))
cat >config.yml <<YML
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: 127.0.0.1:$port }
YML
docker-registry serve config.yml >registry.log 2>&1 &
registry=$!
at=127.0.0.1:$port
curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 "http://$at/v2/" >/dev/null
echo "-- $(docker-registry --version) at $at"

# --- an image for two platforms, and an index of both ---
mkdir -p rootfs/bin
cp "$(command -v busybox)" rootfs/bin/
# More than one buffer, and nothing that compresses.
head -c 5000000 /dev/urandom >rootfs/noise
tar -C rootfs -cf rootfs.tar .
for arch in amd64 arm64; do
    podman import --quiet --os linux --arch $arch --change 'CMD ["/bin/busybox"]' rootfs.tar localhost/bb:$arch >id
    podman save --quiet --format oci-archive -o $arch.tar localhost/bb:$arch
    skopeo copy --quiet --dest-tls-verify=false oci-archive:$arch.tar docker://$at/test/bb:$arch
done
raw() { skopeo inspect --tls-verify=false --raw "docker://$at/test/bb:$1"; }
digest() { sha256sum | cut -d' ' -f1; }
put() { # tag, media type, file
    curl --silent --show-error --fail -X PUT -H "Content-Type: $2" --data-binary "@$3" "http://$at/v2/test/bb/manifests/$1" >/dev/null
}
blob() { # file: uploads it and prints its descriptor's digest and size
    local location
    location=$(curl --silent --fail -X POST -D - -o /dev/null "http://$at/v2/test/bb/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl --silent --show-error --fail -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=sha256:$(digest <"$1")" >/dev/null
    printf '"digest":"sha256:%s","size":%s' "$(digest <"$1")" "$(wc -c <"$1")"
}
manifest_type=application/vnd.oci.image.manifest.v1+json
index_type=application/vnd.oci.image.index.v1+json
entry() { printf '{"mediaType":"%s","digest":"sha256:%s","size":%s,"platform":{"os":"linux","architecture":"%s"}}' $manifest_type "$(raw "$1" | digest)" "$(raw "$1" | wc -c)" "$1"; }
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s,%s]}' $index_type "$(entry arm64)" "$(entry amd64)" >index
put 1 $index_type index
amd64=$(raw amd64 | digest)
index=$(digest <index)

# --- cosign's first form, for the index; its second, for the manifest, under the fallback tag ---
printf '{"critical":{"identity":{"docker-reference":"test/bb"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' "$index" >payload
for who in cosign other; do
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $who.key 2>/dev/null || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $who.key 2>/dev/null
    openssl pkey -in $who.key -pubout -out $who.pub
done
signature=$(openssl dgst -sha256 -sign cosign.key payload | base64 -w0)
printf '{}' >empty
printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}' >bundle
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json",%s,"annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}' \
    $manifest_type "$(blob empty)" "$(blob payload)" "$signature" >simple
put "sha256-$index.sig" $manifest_type simple
printf '{"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json",%s},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",%s}],"subject":{"mediaType":"%s","digest":"sha256:%s","size":%s}}' \
    $manifest_type "$(blob empty)" "$(blob bundle)" $manifest_type "$amd64" "$(raw amd64 | wc -c)" >carrier
put carrier $manifest_type carrier
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:%s","size":%s}]}' \
    $index_type $manifest_type "$(digest <carrier)" "$(wc -c <carrier)" >referrers
put "sha256-$amd64" $index_type referrers

# --- fetch, and compare ---
echo "-- fetch by tag"
"$fetch" image "$at/test/bb:1" out | tee said
said() { sed -n "s/^$1 //p" said; }
same "the index is the one that skopeo sees" "$(said index)" "sha256:$(raw 1 | digest)"
same "the manifest is skopeo's for linux/amd64" "$(said manifest)" "sha256:$amd64"
same "skopeo reads the manifest from the folder" "$(skopeo inspect --raw oci:out | digest)" "$amd64"
same "skopeo finds the layers of both alike" "$(skopeo inspect --format '{{.Layers}}' oci:out)" "$(skopeo inspect --tls-verify=false --format '{{.Layers}}' docker://$at/test/bb:amd64)"
same "the first form of signature came along" "$(said 'signature of index')" "sha256:$(digest <simple)"
same "the second form came along, by the fallback tag" "$(said 'bundle for manifest')" "sha256:$(digest <bundle)"
for file in simple payload carrier bundle empty index; do
    cmp "$file" "out/blobs/sha256/$(digest <$file)"
    checks=$((checks + 1))
done
for name in out/blobs/sha256/*; do
    same "a blob has the digest that is its name" "$(digest <"$name")" "$(basename "$name")"
done
skopeo copy --quiet oci:out docker-archive:back.tar:localhost/back:1
same "skopeo unpacks the folder's image" "$(skopeo inspect --config docker-archive:back.tar | sed -n 's/.*"architecture": *"\([^"]*\)".*/\1/p')" amd64

echo "-- fetch once more, then with a damaged layer, then by digest"
"$fetch" image "$at/test/bb:1" out >said
same "nothing comes twice" "$(said downloaded | cut -d' ' -f1)" 0
layer=$(find out/blobs -size +4000k)
printf x | dd of="$layer" bs=1 seek=1000 conv=notrunc status=none
"$fetch" image "$at/test/bb:1" out >said
same "the damaged layer alone comes again" "$(said downloaded | cut -d' ' -f1)" "$(stat -c %s "$layer")"
same "and is whole" "$(digest <"$layer")" "$(basename "$layer")"
"$fetch" image "$at/test/bb@sha256:$index" byd >said
same "by digest it is the same image" "$(said manifest)" "sha256:$amd64"

echo "-- through a bundle to a host"
appliance() { "$appliance" "$@" 2>>appliance.log; }
appliance bundle fetch image "$at/test/bb:1" --to image
same "the command fetches what the library does" "$(digest <image/index.json)" "$(digest <out/index.json)"
for who in ana bo; do appliance key gen --out $who.key --unsafe-without-passphrase; done
appliance trust root init --threshold 2 --key ana.key.pub --key bo.key.pub >/dev/null
for who in ana bo; do appliance trust root sign 1.root.json --key $who.key; done
recipe() { printf 'bundle = "b"\nepoch = 1\nversion = "1"\nbinary = "/bin/busybox"\n[[image]]\nname = "bb"\nreference = "%s"\nsource = "image"\nsigner = "%s"\n' "$at/test/bb:1" $1 >recipe.toml; }
built() { local code=0; appliance bundle build recipe.toml --out $1 || code=$?; echo $code; }
recipe other.pub
same "another signer is wanted: not built (20)" "$(built wrong)" 20
recipe cosign.pub
same "the signer of the registry's image is wanted: built" "$(built release)" 0
for who in ana bo; do appliance bundle sign release --key $who.key; done
fingerprint=$(appliance trust show 1.root.json --json | sed -n 's/.*"fingerprint": "\(.*\)",/\1/p')
appliance --root host trust add 1.root.json --fingerprint "$fingerprint" >/dev/null
appliance --root host bundle verify release >verified
same "the host checks whose it is" "$(grep -c '^PASS maker      bb is signed by key ' verified)" 1
same "and takes it" "$(appliance --root host install --media release >/dev/null; echo $?)" 0
same "and shows what it is made of" "$(appliance --root host sbom show bb | head -1 | cut -d' ' -f1-2)" "container bb"

echo "-- what is refused"
code() { local code=0; "$fetch" image "$@" >/dev/null 2>err || code=$?; sed 's/^/   /' err >&2; echo $code; }
same "an image for another platform alone (7, not found)" "$(code "$at/test/bb:arm64" arm)" 7
same "a tag that is not there (7)" "$(code "$at/test/bb:none" none)" 7
same "an artifact that is no image (21, content)" "$(code "$at/test/bb:carrier" carrier.out)" 21
stored=registry/docker/registry/v2/blobs/sha256/$(basename "$layer" | cut -c1-2)/$(basename "$layer")/data
printf x | dd of="$stored" bs=1 seek=1000 conv=notrunc status=none
same "a registry whose store is damaged (21)" "$(code "$at/test/bb:1" damaged)" 21
same "of which nothing stays" "$(find damaged -size +1000k)" ""
echo "$checks checks passed"
