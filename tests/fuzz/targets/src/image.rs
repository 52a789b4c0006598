//! Archives of container images, as a builder takes them.

use std::{collections::BTreeSet, io::Read as _};

use camino::Utf8Path;
use flate2::read::MultiGzDecoder;
use maas_bundle::{Content, MemoryMedia, Order, Recipe, RootFile, Silent, build, verify_contents};

use crate::{SAMPLE, archive, files, json, sha256};

const RECIPE: &str = "bundle = 'sample-7'\nepoch = 7\nversion = '7.0.0'\nbinary = 'bin'\n[[image]]\n\
    name = 'engine'\nreference = 'example.org/engine:1'\nsource = 'image.tar'\n";

/// No layer of the corpus unpacks to more.
const MOST_UNPACKED: u64 = 1 << 24;

/// An archive by its first byte: as it is, with its checksums made right, or an OCI layout or a
/// `docker save` archive made of layer, config, manifest and index, in which `@…` become digests and
/// sizes. What is built is a bundle that a host accepts, and every layer is what the config promises.
pub fn image_archive(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let archive = match how % 4 {
        0 => data.to_vec(),
        1 => {
            let mut archive = data.to_vec();
            archive::repair(&mut archive);
            archive
        }
        2 => oci(data),
        _ => docker(data),
    };
    let source = MemoryMedia::new("inputs")
        .with("bin", &b"\x7fELF not really\n"[..])
        .with("image.tar", archive);
    let recipe = Recipe::parse(RECIPE, Utf8Path::new("recipe.toml")).expect("a recipe");
    let roots = [RootFile::parse(&SAMPLE.root.bytes()).expect("the sample's root")];
    let order = Order {
        have: &BTreeSet::new(),
        model_key: None,
        recipe: &recipe,
        source: &source,
        roots: &roots,
        now: SAMPLE.now,
        progress: &Silent,
    };
    let mut built = MemoryMedia::new("built");
    let Ok(mut done) = build(&order, &mut built) else {
        let metadata = |path: &String| path.contains("/metadata/");
        assert!(
            !built.files.keys().any(metadata),
            "metadata of a build that failed"
        );
        return;
    };
    for key in &SAMPLE.keys[..2] {
        done.metadata.sign(key).expect("the key is listed");
    }
    done.metadata
        .write(&mut built)
        .expect("memory can be written");
    let mut sample = SAMPLE.clone();
    sample.media = vec![built];
    let bundle = sample.verified().expect("what was built is accepted");
    let report = verify_contents(&bundle, &sample.volumes(), &Silent);
    assert!(report.is_good(), "{:?}", report.problems);
    let image = &bundle.bill().images[0];
    is_image(&sample.media[0], &image.manifest.hex());
}

/// The documents of a built image once more.
fn is_image(media: &MemoryMedia, manifest: &str) {
    let blob = |digest: &str| {
        let path = format!(
            "MAAS/sample-7/blobs/sha256/{}",
            digest.trim_start_matches("sha256:")
        );
        let bytes =
            media
                .bytes(&path)
                .map(<[u8]>::to_vec)
                .or_else(|| match media.files.get(&path) {
                    Some(Content::Zeros(size)) => Some(vec![0; usize::try_from(*size).ok()?]),
                    _ => None,
                });
        bytes.expect("every blob that is named is there")
    };
    let manifest = blob(manifest);
    let manifest = json::read(&manifest).expect("a manifest is JSON");
    assert!(!manifest.repeats() && manifest.get("manifests").is_none());
    // `serde` reads a structure from a list as well.
    let (Some(config), Some(layers)) = (manifest.get("config"), manifest.get("layers")) else {
        return;
    };
    let Some(digest) = config.get("digest").and_then(json::Json::text) else {
        return;
    };
    let config = blob(&digest);
    let config = json::read(&config).expect("a config is JSON");
    let Some(diff_ids) = config
        .get("rootfs")
        .and_then(|rootfs| rootfs.get("diff_ids"))
    else {
        return;
    };
    let (layers, diff_ids) = (
        layers.items().expect("a list"),
        diff_ids.items().expect("a list"),
    );
    assert_eq!(layers.len(), diff_ids.len());
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let Some(digest) = layer.get("digest").and_then(json::Json::text) else {
            continue;
        };
        let kind = layer
            .get("mediaType")
            .and_then(json::Json::text)
            .expect("a media type");
        let bytes = blob(&digest);
        let size = layer.get("size").and_then(json::Json::whole);
        assert_eq!(size, Some(bytes.len() as u128));
        if kind.ends_with("gzip") {
            assert_eq!(Some(sha256(&unpacked(&bytes))), diff_id.text());
        } else if kind.ends_with("tar") {
            assert_eq!(Some(sha256(&bytes)), diff_id.text());
        }
    }
}

fn unpacked(layer: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if layer.starts_with(&[0x1f, 0x8b]) {
        let unpacked = MultiGzDecoder::new(layer).take(MOST_UNPACKED);
        let _ = { unpacked }.read_to_end(&mut bytes);
        bytes
    } else {
        layer.to_vec()
    }
}

/// Fills in what one file says of another.
fn fill(template: &[u8], name: &str, file: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(template);
    text.replace(&format!("@n_{name}"), &file.len().to_string())
        .replace(&format!("@x_{name}"), &sha256(file)["sha256:".len()..])
        .replace(&format!("@{name}"), &sha256(file))
        .into_bytes()
}

/// Layer and config of an input, the config filled in.
fn parts(data: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<Vec<u8>>) {
    let mut files = files(data, 4).into_iter();
    let mut next = || files.next().unwrap_or_default().to_vec();
    let (layer, config) = (next(), next());
    let config = fill(&config, "diff", &unpacked(&layer));
    let rest = [next(), next()].map(|file| {
        let file = fill(&file, "layer", &layer);
        fill(&file, "config", &config)
    });
    (layer, config, rest.into())
}

fn oci(data: &[u8]) -> Vec<u8> {
    let (layer, config, rest) = parts(data);
    let (manifest, index) = (&rest[0], fill(&rest[1], "manifest", &rest[0]));
    let name = |file: &[u8]| format!("blobs/sha256/{}", &sha256(file)["sha256:".len()..]);
    let names = [name(&layer), name(&config), name(manifest)];
    archive::archive(&[
        ("oci-layout", b"{\"imageLayoutVersion\": \"1.0.0\"}"),
        ("index.json", &index),
        (&names[0], &layer),
        (&names[1], &config),
        (&names[2], manifest),
    ])
}

fn docker(data: &[u8]) -> Vec<u8> {
    let (layer, config, rest) = parts(data);
    archive::archive(&[
        ("manifest.json", &rest[0]),
        ("config.json", &config),
        ("layer.tar", &layer),
        ("other.tar", &rest[1]),
    ])
}
