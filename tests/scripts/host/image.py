#!/usr/bin/env python3
"""An OCI image layout of one layer, from a tar: image.py ROOTFS.tar OUT-DIR"""
import gzip, hashlib, json, os, sys

tar, out = sys.argv[1:]
os.makedirs(f"{out}/blobs/sha256")


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


with open(tar, "rb") as file:
    plain = file.read()
layer = blob(gzip.compress(plain, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
config = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Env": ["PATH=/usr/bin:/bin", "MAAS_FROM_IMAGE=yes"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
}
config = blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
manifest = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": config,
    "layers": [layer],
}
manifest = blob(json.dumps(manifest).encode(), manifest["mediaType"])
with open(f"{out}/index.json", "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [manifest]}, file)
with open(f"{out}/oci-layout", "w") as file:
    file.write('{"imageLayoutVersion":"1.0.0"}')
