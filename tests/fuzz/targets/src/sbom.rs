//! Bills of materials: those of others, and ours of images and models.

use std::{collections::BTreeSet, io::Read};

use jiff::Timestamp;
use maas_bundle::parse_model_manifest;
use maas_sbom::{Bom, ImageFacts, ImageScan, ModelFacts, ScanError, model, summary};
use maas_types::Digest;

use crate::{
    archive, files,
    json::{self, Json},
};

/// A bill that is accepted is strict JSON of a known version, and every component is listed.
pub fn sbom_summary(data: &[u8]) {
    let Ok(summary) = summary(data) else {
        return;
    };
    let document = json::read(data).expect("an accepted bill is JSON, and not deep");
    assert!(!document.repeats() && document.depth() <= 64);
    // `serde` reads a structure from a list as well; what is counted below are objects.
    let (Some(format), Some(version)) = (document.get("bomFormat"), document.get("specVersion"))
    else {
        return;
    };
    assert_eq!(format.text().as_deref(), Some("CycloneDX"));
    assert_eq!(version.text().as_ref(), Some(&summary.spec_version));
    assert!(["1.4", "1.5", "1.6"].contains(&summary.spec_version.as_str()));
    let subject = document
        .get("metadata")
        .map_or(Some(0), |metadata| match metadata {
            Json::Object(_) => metadata.get("component").map_or(Some(0), nested),
            _ => None,
        });
    if let (Some(subject), Some(listed)) = (subject, nested(&document)) {
        assert_eq!(summary.items.len(), subject + listed);
    }
    let counted: u64 = summary.counts.values().sum();
    assert_eq!(counted, summary.items.len() as u64);
}

/// How many components there are below one; `None` where a list stands for an object.
fn nested(component: &Json<'_>) -> Option<usize> {
    match component {
        Json::Object(_) => {}
        Json::Null => return Some(0),
        _ => return None,
    }
    let Some(components) = component.get("components") else {
        return Some(0);
    };
    let below: Option<Vec<_>> = components.items()?.iter().map(nested).collect();
    Some(below?.into_iter().map(|below| below + 1).sum())
}

/// Layers, at most three, with their checksums made right when the first byte is odd: they are read to
/// their end, the same ones give the same bill, and it is a bill.
pub fn image_scan(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let layers = files(data, 3)
        .into_iter()
        .map(<[u8]>::to_vec)
        .map(|mut layer| {
            if how % 2 == 1 {
                archive::repair(&mut layer);
            }
            layer
        });
    let layers: Vec<_> = layers.collect();
    let scanned = scan(&layers);
    assert_eq!(scanned.is_ok(), scan(&layers).is_ok());
    if let Ok(bom) = scanned {
        assert_eq!(scan(&layers).ok().as_ref(), Some(&bom));
        is_bill(&bom);
    }
}

fn scan(layers: &[Vec<u8>]) -> Result<Bom, ScanError> {
    let mut scan = ImageScan::new();
    for (number, layer) in (0..).zip(layers) {
        let mut reader = layer.as_slice();
        scan.layer(Digest::from_bytes([number; 32]), reader.by_ref())?;
        assert!(reader.is_empty(), "a layer was not read to its end");
    }
    let facts = ImageFacts {
        name: "engine",
        reference: "example.org/engine:1",
        manifest: Digest::from_bytes([9; 32]),
    };
    Ok(scan.finish(facts, Timestamp::UNIX_EPOCH))
}

fn is_bill(bom: &Bom) {
    let bytes = bom.to_json();
    let read = summary(&bytes).expect("our own bill can be read");
    assert_eq!(read.items.len(), bom.component_count());
    let document = json::read(&bytes).expect("our own bill is JSON");
    assert!(!document.repeats());
    let mut references = BTreeSet::new();
    for component in document
        .get("components")
        .and_then(Json::items)
        .unwrap_or_default()
    {
        let reference = component
            .get("bom-ref")
            .and_then(Json::text)
            .expect("each has one");
        assert!(
            references.insert(reference.clone()),
            "{reference} stands there twice"
        );
        if let Some(purl) = component.get("purl").and_then(Json::text) {
            let graphic = purl.chars().all(|c| c.is_ascii_graphic());
            assert!(purl.starts_with("pkg:") && graphic, "{purl}");
        }
        let evidence = component.get("evidence").and_then(|e| e.get("occurrences"));
        for place in evidence.and_then(Json::items).unwrap_or_default() {
            let place = place
                .get("location")
                .and_then(Json::text)
                .expect("each has one");
            let plain = |part: &str| !matches!(part, "" | "." | "..");
            assert!(place.split('/').all(plain), "{place}");
        }
    }
}

/// `README.md` and `config.json` of a model give a bill, whatever is in them.
pub fn model_card(data: &[u8]) {
    let files = files(data, 2);
    let manifest = "name = 'tiny'\ntitle = 'Tiny'\nlicence = 'Apache-2.0'\ntask = 'generate'\n\
        context = 2048\n[engine]\n";
    let manifest = parse_model_manifest(manifest, "tiny.toml".into()).expect("a manifest");
    let facts = ModelFacts {
        manifest: &manifest,
        oci_manifest: Digest::from_bytes([9; 32]),
        files: &[],
        measured: None,
        config: files.get(1).copied(),
        readme: files.first().copied(),
        publisher: None,
        source: None,
    };
    is_bill(&model(&facts, Timestamp::UNIX_EPOCH));
}
