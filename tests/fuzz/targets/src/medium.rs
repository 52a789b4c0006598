//! Volumes that were damaged, and the one file on them that is only a hint.

use std::{collections::BTreeMap, sync::LazyLock};

use arbitrary::Unstructured;
use maas_bundle::{
    Bundle, Content, MemoryMedia, Silent, Verified, locate, look_into, sample::Sample,
    verify_contents, verify_surroundings,
};

use crate::SAMPLE;

static TWO: LazyLock<Sample> =
    LazyLock::new(|| Sample::on_volumes(7, 2).expect("a sample can be built"));

/// A sample whose metadata is verified, and where its objects lie.
struct Known {
    sample: Sample,
    bundle: Verified<Bundle>,
    places: Vec<(usize, String)>,
}

impl Known {
    fn new(sample: &Sample) -> Self {
        let bundle = sample.verified().expect("a sample is good");
        Self {
            sample: sample.clone(),
            places: places(sample, &bundle),
            bundle,
        }
    }
}

static KNOWN: LazyLock<[(Known, usize); 2]> =
    LazyLock::new(|| [(Known::new(&SAMPLE), 0), (Known::new(&TWO), 1)]);

/// `volume.json` is replaced: what is trusted and where every object is found stay the same, and the
/// volume is good only with the one that was there.
pub fn volume_json(data: &[u8]) {
    for (known, volume) in &*KNOWN {
        let mut sample = known.sample.clone();
        let path = format!("MAAS/{}/volume.json", sample.bundle);
        let same = sample.media[*volume].bytes(&path) == Some(data);
        sample.media[*volume].files.insert(path, data.into());
        let report = verify_contents(&known.bundle, &sample.volumes(), &Silent);
        assert_eq!(report.is_good(), same, "{:?}", report.problems);
        assert_eq!(places(&sample, &known.bundle), known.places);
        // Verification does not read the file, and signatures cost more than all else: once in a while.
        if data.len().is_multiple_of(64) {
            let again = sample
                .verified()
                .expect("a hint is not part of what is trusted");
            assert_eq!(again.bill_digest(), known.bundle.bill_digest());
        }
    }
}

fn places(sample: &Sample, bundle: &Verified<Bundle>) -> Vec<(usize, String)> {
    let media = sample.volumes();
    let located = locate(bundle, &media).expect("memory can be listed");
    assert!(located.missing().is_empty());
    let objects = located.blobs().iter().flat_map(|blob| &blob.objects);
    objects
        .map(|object| (object.medium, object.path.to_string()))
        .collect()
}

/// Two volumes, damaged again and again. They are refused, or every byte that matters is as it was.
pub fn medium(data: &[u8]) {
    let mut choices = Unstructured::new(data);
    let mut sample = TWO.clone();
    for _ in 0..choices.int_in_range(1..=5).unwrap_or(1) {
        if damage(&mut sample.media, &mut choices).is_err() {
            break;
        }
    }
    if sample.media.is_empty() {
        assert!(sample.verified().is_err());
        return;
    }
    let Ok(bundle) = sample.verified() else {
        return;
    };
    assert_eq!(bundle.bill_bytes(), TWO.bill().1);
    let media = sample.volumes();
    let report = verify_contents(&bundle, &media, &Silent);
    let around = verify_surroundings(&bundle, &media, &Silent);
    let models = look_into(&bundle, &media, None);
    if report.is_good() {
        assert!(around.is_good() && models.is_ok());
        assert_eq!(contents(&sample.media), contents(&TWO.media));
    }
}

/// The files of all volumes in the order of their numbers, without what other systems leave.
fn contents(media: &[MemoryMedia]) -> Vec<BTreeMap<&str, &Content>> {
    let ours = |path: &&String| {
        let litter = |name: &str| name.starts_with("._") || LITTER.contains(&name);
        let mut parts = path.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("MAAS"), Some(name), Some(_)) => name == "sample-7",
            (Some("MAAS"), Some(name), None) | (Some(name), _, _) => !litter(name),
            _ => true,
        }
    };
    let mut volumes: Vec<BTreeMap<_, _>> = media
        .iter()
        .map(|media| {
            let files = media.files.iter().filter(|(path, _)| ours(path));
            files
                .map(|(path, content)| (path.as_str(), content))
                .collect()
        })
        .collect();
    volumes.sort_by_key(|files| match files.get("MAAS/sample-7/volume.json") {
        Some(Content::Bytes(bytes)) => bytes.to_vec(),
        _ => Vec::new(),
    });
    volumes
}

const LITTER: [&str; 3] = ["System Volume Information", ".DS_Store", "lost+found"];

const NEW: [&str; 10] = [
    "autorun.inf",
    ".DS_Store",
    "System Volume Information",
    "MAAS/._x",
    "MAAS/x",
    "MAAS/sample-7/x",
    "MAAS/sample-8/x",
    "MAAS/sample-7/metadata/2.root.json",
    "MAAS/sample-7/blobs/sha256/x",
    "MAAS/sample-7/parts/sha256/x",
];

fn damage(media: &mut Vec<MemoryMedia>, choices: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let volume = choices.choose_index(media.len())?;
    let some_path = |media: &[MemoryMedia], volume: usize, choices: &mut Unstructured<'_>| {
        let files = &media[volume].files;
        let at = choices.choose_index(files.len())?;
        Ok::<_, arbitrary::Error>(files.keys().nth(at).cloned().unwrap_or_default())
    };
    let path = some_path(media, volume, choices)?;
    match choices.int_in_range(0..=11)? {
        0 => {
            let (at, bit) = (choices.arbitrary::<u16>()?, choices.int_in_range(0..=7)?);
            media[volume].change(&path, |bytes| {
                let length = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(usize::from(at) % length) {
                    *byte ^= 1 << bit;
                }
            });
        }
        1 => {
            let keep = usize::from(choices.arbitrary::<u16>()?);
            media[volume].change(&path, |bytes| bytes.truncate(keep));
        }
        2 => {
            let more: Vec<u8> = choices.arbitrary()?;
            media[volume].change(&path, |bytes| bytes.extend(more));
        }
        3 => {
            media[volume].files.remove(&path);
        }
        4 => {
            let contents = [Content::Link, Content::Special, Content::Zeros(1 << 40)];
            let content = choices.choose(&contents)?.clone();
            media[volume].files.insert(path, content);
        }
        5 => {
            let new = (*choices.choose(&NEW)?).to_owned();
            let content = Content::from(choices.arbitrary::<Vec<u8>>()?);
            media[volume].files.insert(new, content);
        }
        6 => {
            let other = choices.choose_index(media.len())?;
            let content = media[volume].files[&path].clone();
            media[other].files.insert(path, content);
        }
        7 => {
            let other = choices.choose_index(media.len())?;
            let to = some_path(media, other, choices)?;
            let a = media[volume].files[&path].clone();
            let b = media[other].files.insert(to, a);
            media[volume].files.insert(path, b.unwrap_or(Content::Link));
        }
        8 => media.reverse(),
        9 => {
            media.remove(volume);
            if media.is_empty() {
                return Err(arbitrary::Error::NotEnoughData);
            }
        }
        10 => {
            let twin = media[volume].clone();
            media.push(twin);
        }
        _ => {
            let bytes = choices.arbitrary::<Vec<u8>>()?;
            media[volume].files.insert(path, bytes.into());
        }
    }
    if media.iter().any(|media| media.files.is_empty()) {
        return Err(arbitrary::Error::NotEnoughData);
    }
    Ok(())
}
