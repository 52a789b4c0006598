//! TUF metadata: roots, the files of other people's repositories, the files of bundles.

use std::sync::LazyLock;

use jiff::Timestamp;
use maas_bundle::{Client, Renewal, RootFile, TrustedRoot, sample::Sample};
use serde_json::Value;

use crate::{SAMPLE, files, json, sha256};

/// The metadata of the sample.
const FILES: [&str; 4] = [
    "1.root.json",
    "timestamp.json",
    "7.snapshot.json",
    "7.targets.json",
];

/// A root that parses is rendered to the same bytes, and its fingerprint is the SHA-256 of the
/// canonical JSON that this crate makes.
pub fn root(data: &[u8]) {
    let Ok(root) = RootFile::parse(data) else {
        return;
    };
    assert_eq!(root.bytes(), data, "a root is not rendered as it was");
    let document = json::read(data).expect("a root is JSON");
    assert!(!document.repeats(), "a member stands twice in a root");
    let signed = document.get("signed").and_then(json::Json::canonical);
    if let Some(canonical) = signed {
        let fingerprint = root.fingerprint().digest().to_string();
        assert_eq!(fingerprint, sha256(canonical.as_bytes()));
    }
    assert!((1..=1 << 32).contains(&root.version()));
    assert!(root.threshold() >= 1);
    let status = root.status();
    let trusted = status.signed.len() as u64 >= u64::from(status.need);
    let stored = TrustedRoot::from_store(data).is_ok();
    assert!(
        !stored || trusted,
        "a root is trusted that has too few signatures"
    );
    assert_eq!(TrustedRoot::pin(data, &root.fingerprint()).is_ok(), stored);
    let mut next = root.clone();
    for key in &SAMPLE.keys {
        let _ = next.sign(key, None);
    }
    let _ = root.handover(&next);
    let _ = root.rotate(&root.keys(), root.threshold(), SAMPLE.now);
}

/// A repository that is followed: what its keys have signed, each once.
struct Signed {
    root: Vec<u8>,
    all: Vec<Value>,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let bytes = |name| {
        let path = SAMPLE.metadata(name);
        SAMPLE.media[0]
            .bytes(&path)
            .expect("the sample has it")
            .to_vec()
    };
    let root = bytes(FILES[0]);
    let mut all: Vec<_> = FILES.iter().map(|name| signed_part(&bytes(name))).collect();
    all.push(signed_part(&next_root()));
    Signed { root, all }
});

/// The root after the sample's, signed by both.
pub fn next_root() -> Vec<u8> {
    let first = RootFile::parse(&SAMPLE.root.bytes()).expect("the sample's root");
    let keys: Vec<_> = SAMPLE.keys[1..].iter().map(|key| *key.public()).collect();
    let mut next = first.rotate(&keys, 2, SAMPLE.now).expect("two keys");
    for key in &SAMPLE.keys {
        next.sign(key, Some(&first)).expect("the key is listed");
    }
    next.bytes()
}

fn signed_part(bytes: &[u8]) -> Value {
    let mut file: Value = serde_json::from_slice(bytes).unwrap_or_default();
    file["signed"].take()
}

/// Files of a repository in any order, each behind a letter that says as what it is given. Nobody but
/// the sample's keys has signed, so what is accepted is what they signed, however it is written.
pub fn foreign_metadata(data: &[u8]) {
    let Signed { root, all } = &*SIGNED;
    let mut client = Client::start(root, SAMPLE.now).expect("the sample's root");
    for file in files(data, 16) {
        let Some((kind, file)) = file.split_first() else {
            continue;
        };
        let accepted = match kind {
            b'r' => client.next_root(file).is_ok(),
            b't' => matches!(client.timestamp(file), Ok(Renewal::New)),
            b's' => client.snapshot(file).is_ok(),
            b'g' => client.targets(file).is_ok(),
            b'b' => {
                client.trusted_before(file, None);
                false
            }
            // Anybody's root may be followed by whom it was given to.
            b'1' => {
                let _ = Client::start(file, SAMPLE.now);
                false
            }
            _ => {
                let _ = client.end_of_roots();
                false
            }
        };
        if accepted {
            let signed = signed_part(file);
            assert!(all.contains(&signed), "accepted and not signed: {signed}");
            assert!(!json::read(file).expect("JSON").repeats());
        }
        let _ = (client.wanted_snapshot(), client.wanted_targets());
        if let Some(target) = client.target("bundle.json") {
            let (_, bill) = SAMPLE.bill();
            assert!(target.fits(&bill) && !target.fits(data));
        }
    }
}

/// One metadata file of the sample is replaced: it is accepted as it was, and not otherwise.
pub fn bundle_metadata(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else {
        return;
    };
    let mut sample = SAMPLE.clone();
    let path = sample.metadata(FILES[usize::from(*which) % FILES.len()]);
    let before = SAMPLE.media[0].bytes(&path).expect("the sample has it");
    sample.media[0].files.insert(path.clone(), bytes.into());
    assert_eq!(sample.verified().is_ok(), bytes == before, "{path}");
}

/// The `signed` part of one metadata file is replaced, and its own keys sign that. Whatever they sign,
/// it names the sample's bill, has its version, and has not expired.
pub fn signed_metadata(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else {
        return;
    };
    let Ok(signed) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let mut sample = SAMPLE.clone();
    let file = FILES[usize::from(*which) % FILES.len()];
    let keys = sample.keys.clone();
    sample.forge(file, &[&keys[0], &keys[1]], |part| *part = signed.clone());
    let Ok(bundle) = sample.verified() else {
        return;
    };
    accepted(&sample, file);
    assert_eq!(bundle.bill_bytes(), SAMPLE.bill().1);
    assert_eq!(bundle.next_floors().epoch, 7);
    assert!(bundle.new_roots().is_empty() && bundle.accepted_expired().is_none());
}

fn accepted(sample: &Sample, file: &str) {
    let path = sample.metadata(file);
    let bytes = sample.media[0].bytes(&path).expect("it was just written");
    let document = json::read(bytes).expect("what is accepted is JSON");
    assert!(!document.repeats());
    let signed = document.get("signed").expect("what is accepted is signed");
    let version = signed.get("version").and_then(json::Json::whole);
    assert_eq!(version, Some(if file == FILES[0] { 1 } else { 7 }));
    let expires = signed.get("expires").and_then(json::Json::text);
    let expires: Timestamp = expires.expect("it expires").parse().expect("a time");
    assert!(expires > sample.now, "{file} expired on {expires}");
    let known: &[&str] = match file {
        "1.root.json" => &["consistent_snapshot", "keys", "roles"],
        "7.targets.json" => &["targets"],
        _ => &["meta"],
    };
    let members = signed.members().expect("an object");
    for (name, _) in members {
        let name = json::decode(name).expect("a name is text");
        let common = ["_type", "expires", "spec_version", "version"].contains(&name.as_str());
        assert!(
            common || known.contains(&name.as_str()),
            "{file} has `{name}`"
        );
    }
}
