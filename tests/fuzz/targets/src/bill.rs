//! Bills of lading that two keys have signed: what is left is what the bill says.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use maas_bundle::{
    Bundle, Consignment, MemoryMedia, Silent, Sink, Spread, Verified, copy, inspect, locate,
    look_into, sample::Sample, verify_contents,
};
use maas_types::{BillOfLading, Blob, PART_BYTES, ShippedModel};
use serde_json::{Value, json};

use crate::{SAMPLE, json as second, sha256};

/// The text of the sample's bill is replaced.
pub fn bill(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        signed_for(text);
    }
}

/// The sample's bill is changed member by member, so that most of it is right.
pub fn bill_edits(data: &[u8]) {
    let mut choices = Unstructured::new(data);
    let (_, bytes) = SAMPLE.bill();
    let mut bill: Value = serde_json::from_slice(&bytes).expect("a bill is JSON");
    for _ in 0..choices.int_in_range(1..=6).unwrap_or(1) {
        if edit(&mut bill, &mut choices).is_err() {
            break;
        }
    }
    signed_for(&serde_json::to_string_pretty(&bill).expect("JSON"));
}

/// Goes down to some member and changes it.
fn edit(value: &mut Value, choices: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    let here = children == 0 || choices.ratio(1, 4)?;
    if !here {
        let at = choices.choose_index(children)?;
        let child = match value {
            Value::Array(items) => items.get_mut(at),
            Value::Object(members) => members.values_mut().nth(at),
            _ => None,
        };
        return edit(
            child.expect("the index was chosen below the length"),
            choices,
        );
    }
    match (choices.int_in_range(0..=4)?, &mut *value) {
        (0, Value::Array(items)) if !items.is_empty() => {
            let (from, to) = (
                choices.choose_index(items.len())?,
                choices.choose_index(items.len())?,
            );
            let copy = items[from].clone();
            items.insert(to, copy);
        }
        (1, Value::Array(items)) if !items.is_empty() => {
            let at = choices.choose_index(items.len())?;
            items.remove(at);
        }
        (1, Value::Object(members)) if !members.is_empty() => {
            let at = choices.choose_index(members.len())?;
            let name = members.keys().nth(at).cloned().unwrap_or_default();
            members.remove(&name);
        }
        (2, Value::Array(items)) if !items.is_empty() => {
            let (a, b) = (
                choices.choose_index(items.len())?,
                choices.choose_index(items.len())?,
            );
            items.swap(a, b);
        }
        (3, Value::String(text)) => {
            let at = choices.choose_index(text.len().max(1))?;
            if text.is_char_boundary(at) {
                text.insert(at, choices.arbitrary()?);
            }
        }
        _ => *value = new_value(choices)?,
    }
    Ok(())
}

fn new_value(choices: &mut Unstructured<'_>) -> arbitrary::Result<Value> {
    const NUMBERS: [u64; 12] = [
        0,
        1,
        7,
        8,
        1 << 32,
        (1 << 32) + 1,
        1 << 60,
        (1 << 60) + 1,
        1 << 63,
        u64::MAX,
        PART_BYTES,
        PART_BYTES + 1,
    ];
    const TEXTS: [&str; 16] = [
        "config.json",
        "CONFIG.json",
        "../config.json",
        "a/b",
        "a/../b",
        "tokenizer",
        "/etc/passwd",
        "tiny",
        "Tiny",
        "engine",
        "install.sh",
        "maas-appliance",
        "README.txt",
        "maas-bundle/1",
        "2026-11-22T12:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    Ok(match choices.int_in_range(0..=6)? {
        0 => json!(choices.choose(&NUMBERS)?),
        1 => json!(choices.choose(&TEXTS)?),
        2 => json!(choices.arbitrary::<u64>()?),
        3 => json!(choices.arbitrary::<String>()?),
        4 => {
            let blobs = SAMPLE.media[0].files.values();
            let blobs: Vec<_> = blobs
                .filter_map(|content| match content {
                    maas_bundle::Content::Bytes(bytes) => Some(sha256(bytes)),
                    _ => None,
                })
                .collect();
            json!(choices.choose(&blobs)?)
        }
        5 => {
            let last: u64 = choices.int_in_range(1..=PART_BYTES)?;
            let digest = |byte: u8| format!("sha256:{}", hex::encode([byte; 32]));
            json!([{"digest": digest(1), "size": PART_BYTES}, {"digest": digest(2), "size": last}])
        }
        _ => Value::Null,
    })
}

fn signed_for(text: &str) {
    let mut sample = SAMPLE.clone();
    sample.forge_bill(|bill| text.clone_into(bill));
    let Ok(bundle) = sample.verified() else {
        return;
    };
    assert_eq!(bundle.bill_bytes(), text.as_bytes());
    let document = second::read(text.as_bytes());
    let document = document.expect("an accepted bill is JSON, and not deep");
    assert!(
        !document.repeats(),
        "a member stands twice in an accepted bill"
    );
    obeys(bundle.bill(), &sample);
    arrives(&bundle, &sample);
}

/// FORMAT.md 3, once more and without haste.
fn obeys(bill: &BillOfLading, sample: &Sample) {
    assert_eq!(bill.format, "maas-bundle/1");
    assert!(bill.critical.is_empty(), "{:?}", bill.critical);
    assert_eq!(bill.product, "maas-appliance");
    assert_eq!(
        (bill.requires.arch.as_str(), bill.requires.os.as_str()),
        ("x86_64", "linux")
    );
    assert_eq!((&bill.bundle, bill.epoch), (&sample.bundle, 7));
    assert!(bill.created < sample.now + jiff::SignedDuration::from_hours(400 * 24));
    let mut listed = BTreeSet::new();
    for blob in &bill.blobs {
        assert!(
            listed.insert(blob.digest),
            "{} is listed twice",
            blob.digest
        );
        in_parts(blob);
    }
    assert!(bill.blobs.is_sorted_by_key(|blob| blob.digest));
    let beside = bill.medium_files.iter().map(|file| u128::from(file.size));
    let blobs = bill.blobs.iter().map(|blob| u128::from(blob.size));
    assert!(blobs.chain(beside).sum::<u128>() <= 1 << 60);
    let mut named = BTreeSet::from([bill.binary]);
    folded(bill.models.iter().map(|model| model.manifest.name.as_str()));
    for model in &bill.models {
        paths(model);
        named.extend(model.files.iter().map(|file| file.blob));
        named.extend([model.oci_manifest, model.oci_config]);
    }
    folded(bill.images.iter().map(|image| image.name.as_str()));
    for image in &bill.images {
        assert!(!image.reference.chars().any(char::is_control));
        assert!(image.blobs.contains(&image.manifest));
        named.extend(&image.blobs);
    }
    assert_eq!(named, listed, "what is named and what is listed differ");
    let mut beside = BTreeMap::new();
    for file in &bill.medium_files {
        assert!(["install.sh", "maas-appliance", "README.txt"].contains(&file.name.as_str()));
        assert!(beside.insert(file.name.as_str(), file.digest).is_none());
    }
    assert_eq!(beside.get("maas-appliance"), Some(&bill.binary));
}

fn in_parts(blob: &Blob) {
    let Some((last, others)) = blob.parts.split_last() else {
        assert!(blob.size <= PART_BYTES, "{blob:?}");
        return;
    };
    assert!(
        blob.size > PART_BYTES && (1..=PART_BYTES).contains(&last.size),
        "{blob:?}"
    );
    assert!(
        others.iter().all(|part| part.size == PART_BYTES),
        "{blob:?}"
    );
    assert_eq!(
        blob.parts.iter().map(|part| part.size).sum::<u64>(),
        blob.size
    );
}

/// No two names are one where case is folded; answers them so.
fn folded<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(
            seen.insert(name.to_lowercase()),
            "{name} stands there twice"
        );
    }
    seen
}

fn paths(model: &ShippedModel) {
    let names = folded(model.files.iter().map(|file| file.path.as_str()));
    assert!(names.contains("config.json"));
    for name in &names {
        assert!(
            name.is_ascii() && name.len() <= 1_024 && name.split('/').count() <= 16,
            "{name}"
        );
        for part in name.split('/') {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-+@=.".contains(c);
            let dots = part.starts_with('.') && part.trim_matches('.').is_empty();
            assert!(!part.is_empty() && !dots && part.len() <= 200, "{name}");
            assert!(part.chars().all(plain) && !part.ends_with('.'), "{name}");
        }
        let mut folders = name.match_indices('/').map(|(at, _)| &name[..at]);
        assert!(
            !folders.any(|folder| names.contains(folder)),
            "{name} is below a file"
        );
    }
}

/// What a host and a copier do next. What is found good is what the bill says, byte for byte.
fn arrives(bundle: &Verified<Bundle>, sample: &Sample) {
    let media = sample.volumes();
    let located = locate(bundle, &media).map(|located| located.problems().len());
    let report = verify_contents(bundle, &media, &Silent);
    let _ = look_into(bundle, &media, None);
    let inspection = inspect(&media, None).expect("what is verified can be looked at");
    assert_eq!(inspection.bill, *bundle.bill_digest());
    if !report.is_good() {
        return;
    }
    assert_eq!(located.ok(), Some(0));
    for blob in &bundle.bill().blobs {
        let path = format!("MAAS/{}/blobs/sha256/{}", sample.bundle, blob.digest.hex());
        let bytes = sample.media[0]
            .bytes(&path)
            .expect("a good volume has every blob");
        assert_eq!(
            (sha256(bytes), bytes.len() as u64),
            (blob.digest.to_string(), blob.size)
        );
    }
    let mut copies = [MemoryMedia::new("one"), MemoryMedia::new("two")];
    let mut sinks: Vec<_> = copies
        .iter_mut()
        .map(|media| media as &mut dyn Sink)
        .collect();
    let consignment = Consignment {
        bundle: None,
        spread: &Spread::Evenly,
        have: &BTreeSet::new(),
        progress: &Silent,
    };
    copy(&media, &mut sinks, &consignment).expect("what is good can be copied");
    let mut two = sample.clone();
    two.media = copies.into();
    let again = two.verified().expect("a copy is verified as its origin is");
    assert!(verify_contents(&again, &two.volumes(), &Silent).is_good());
}
