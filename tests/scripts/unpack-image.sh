#!/bin/sh
# Real images unpacked by maas-image and by podman (and umoci, where it is): the trees must be the same in
# names, types, modes, owners, times, links and bytes. Then the stream for `docker load` is read by podman
# and skopeo, and `podman pull` takes the layout as crates/maas-image/src/engine.rs asks it to. No container
# runs here, and podman's storage is a folder of this script's own.
#
#   tests/scripts/unpack-image.sh
#
# Needs podman, skopeo and busybox (Debian: podman skopeo busybox-static), as root.
set -eu
cd "$(dirname "$0")/../.."
for tool in podman skopeo busybox; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install podman skopeo busybox-static" >&2; exit 2; }
done
cargo build --quiet --offline -p maas-image --example image
image=${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/image
# Lower-case: podman 4.3 makes a name of a layout's path.
work=${TMPDIR:-/tmp}/unpack-image-$$
mkdir "$work"
podman() { command podman --root "$work/graph" --runroot "$work/run" --storage-driver vfs "$@"; }
trap 'rm -rf "$work"' EXIT
cd "$work"

# Three layers: a tree with every kind of entry, one that takes away and replaces, one below a link.
mkdir -p root/usr/bin root/usr/lib root/etc/opaque/deep root/var root/sealed root/replaced
cp "$(command -v busybox)" root/usr/bin/
ln root/usr/bin/busybox root/usr/bin/sh
ln -s usr/lib root/lib
ln -s /etc/motd root/usr/lib/link
echo one >root/etc/motd
echo old >root/etc/opaque/deep/old
echo old >root/gone
echo old >root/replaced/file
mkfifo root/var/pipe
chown 1000:1001 root/etc/motd
chown -h 7:8 root/usr/lib/link
touch -d '2001-02-03 04:05:06.789' root/etc/motd root/var
chmod 0555 root/sealed
chmod 1777 root/var
truncate -s 3M root/usr/holes
tar -C root -c . | podman import --quiet --change 'CMD ["/bin/sh"]' - localhost/tree:1 >id
layer() {
    container=$(podman create --quiet "localhost/tree:$1")
    tree=$(podman mount "$container")
    "change_$1"
    podman umount "$container" >/dev/null
    podman commit --quiet --format oci "$container" "localhost/tree:$(($1 + 1))" >id
}
change_1() {
    rm "$tree/gone"
    rm -r "$tree/etc/opaque" "$tree/replaced"
    mkdir "$tree/etc/opaque"
    echo new >"$tree/etc/opaque/new"
    echo file >"$tree/replaced"
}
change_2() {
    echo below >"$tree/usr/lib/below"
    rm "$tree/usr/lib/link"
    mkdir "$tree/usr/lib/link"
    chmod 0700 "$tree/etc"
}
layer 1
layer 2

# `sh`, `find` and `sort` see bytes.
export LC_ALL=C
listing() {
    (
        cd "$1"
        find . ! -type d -printf '%P %y %#m %U:%G %s %T@ %l\n' -o ! -path . -type d -printf '%P/ %y %#m %U:%G %T@\n' | sort
        # Without its time, which podman changes as it mounts.
        find . -maxdepth 0 -printf '/ %y %#m %U:%G\n'
        find . -type f -exec sha256sum {} + | sort -k 2
        find . -type f -links +1 -printf '%P %n\n' | sort
    )
}
podman push --quiet localhost/tree:3 oci:packed-gzip:localhost/tree:3 >/dev/null 2>&1
skopeo copy --quiet --dest-compress-format zstd oci:packed-gzip:localhost/tree:3 oci:packed-zstd:localhost/tree:3
for packing in gzip zstd; do
    layout=packed-$packing
    digest=$(sed -n 's/.*"manifests":\[{[^}]*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$layout/index.json")
    "$image" unpack "$layout" "$digest" "ours-$packing"
    grep -o '"mediaType":"[^"]*layer[^"]*"' "$layout/blobs/sha256/${digest#sha256:}" | sort | uniq -c
    theirs=$(podman image mount localhost/tree:3)
    listing "ours-$packing/rootfs" >ours.txt
    listing "$theirs" >theirs.txt
    diff theirs.txt ours.txt || { echo "$packing: podman's tree (<) and ours (>) differ" >&2; exit 1; }
    podman image umount localhost/tree:3 >/dev/null
    echo "$packing: $(wc -l <ours.txt) lines are the same as podman's"
    if command -v umoci >/dev/null; then
        umoci unpack --image "$layout:localhost/tree:3" "umoci-$packing"
        listing "umoci-$packing/rootfs" >theirs.txt
        diff theirs.txt ours.txt || { echo "$packing: umoci's tree (<) and ours (>) differ" >&2; exit 1; }
        echo "$packing: the same as umoci's"
    fi
done

echo "-- the stream"
"$image" archive packed-gzip "$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' packed-gzip/index.json)" localhost/stream:1 >stream.tar
config=$(skopeo inspect --raw "oci:packed-gzip:localhost/tree:3" | sed -n 's/.*"config":{[^}]*"digest":"sha256:\([0-9a-f]*\)".*/\1/p')
skopeo inspect --format 'docker-archive {{.Name}} {{len .Layers}} layers' docker-archive:stream.tar
skopeo inspect --format 'oci-archive {{.Digest}}' oci-archive:stream.tar
podman load --quiet --input stream.tar
same() { [ "$2" = "$3" ] || { echo "$1: $2, want $3" >&2; exit 1; }; echo "$1: the same image"; }
same "podman load" "$(podman image inspect --format '{{.Id}}' localhost/stream:1)" "$config"
podman rmi --all --force >/dev/null
id=$(podman pull --quiet "oci:$work/packed-gzip:localhost/tree:3")
podman image tag "$id" localhost/pulled:1
podman image exists -- localhost/pulled:1
same "podman pull" "$(podman image inspect --format '{{.Id}}' -- localhost/pulled:1)" "$config"
