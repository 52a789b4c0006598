//! The bundles that are measured: random weights, and stand-ins of which only names and lengths count.

use std::collections::BTreeSet;
use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
};

use camino::Utf8Path;
use jiff::Timestamp;
use maas_bundle::{
    Bundle, Content, Entry, Expired, Floors, Media, MediaError, MediaFile, MediaPath, MemoryMedia,
    Order, Recipe, RootFile, Silent, Source, SourceEntry, SourceError, SourceFile, SourceKind,
    Trust, TrustedRoot, Verified, build as build_bundle, digest_of, sample::Sample,
    verify_metadata,
};
use maas_store::{MediaFolder, SinkFolder};
use serde_json::json;

pub(crate) const MB: u64 = 1_000_000;
pub(crate) const GB: u64 = 1_000 * MB;

/// One small shard, and then shards of a common size.
const SMALL: u64 = 400 * MB;
const SHARD: u64 = 2_500 * MB;

/// When the bundle is built, signed and installed.
pub(crate) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn root() -> RootFile {
    let publics = [1, 2, 3].map(|byte| *Sample::key(byte).public());
    let mut root = RootFile::init(&publics, 2, now()).unwrap();
    for byte in [1, 2] {
        root.sign(&Sample::key(byte), None).unwrap();
    }
    root
}

/// The bundle on these volumes, its metadata verified.
pub(crate) fn verified(media: &[&dyn Media]) -> Verified<Bundle> {
    let trust = Trust {
        root: &TrustedRoot::from_store(&root().bytes()).unwrap(),
        floors: &Floors::default(),
        now: now(),
        expired: &Expired::Refuse,
    };
    verify_metadata(media, None, &trust).unwrap()
}

/// Builds and signs a bundle with so many bytes of weights.
pub(crate) fn build(stick: &Utf8Path, bytes: u64) {
    let mut shards = vec![SMALL.min(bytes)];
    let mut left = bytes - shards[0];
    while left > 0 {
        shards.push(left.min(SHARD));
        left -= shards[shards.len() - 1];
    }
    let recipe = Recipe::parse(&Sample::recipe(1), "bench.toml".into()).unwrap();
    let roots = [root()];
    let order = Order {
        have: &BTreeSet::new(),
        model_key: None,
        recipe: &recipe,
        source: &Inputs {
            others: Sample::inputs(),
            shards,
        },
        roots: &roots,
        now: now(),
        progress: &Silent,
    };
    let mut sink = SinkFolder::create(stick).unwrap();
    let mut built = build_bundle(&order, &mut sink).unwrap();
    for byte in [1, 2] {
        built.metadata.sign(&Sample::key(byte)).unwrap();
    }
    built.metadata.write(&mut sink).unwrap();
}

/// A signed bundle of so many bytes, of whose blobs only names and lengths are there: files with
/// nothing in them. Answers how many parts it has.
pub(crate) fn stand_in(stick: &Utf8Path, bytes: u64) -> u64 {
    let mut sample = Sample::new(1).unwrap();
    let digest = |what: String| digest_of(what.as_bytes());
    let parts = bytes / GB;
    let bundle = sample.bundle.clone();
    for part in 0..parts {
        let path = MediaPath::part(&bundle, &digest(format!("part {part}")));
        let content = Content::Zeros(GB);
        sample.media[0].files.insert(path.to_string(), content);
    }
    sample.forge_bill_value(|bill| {
        for blob in 0..parts / 5 {
            let five = (0..5).map(|n| digest(format!("part {}", blob * 5 + n)));
            let five: Vec<_> = five
                .map(|digest| json!({"digest": digest, "size": GB}))
                .collect();
            let digest = digest(format!("blob {blob}"));
            let blobs = bill["blobs"].as_array_mut().unwrap();
            blobs.push(json!({"digest": digest, "size": 5 * GB, "parts": five}));
            let files = bill["models"][0]["files"].as_array_mut().unwrap();
            files.push(json!({"path": format!("model-{blob:05}.safetensors"), "blob": digest}));
        }
        for (list, key) in [("/blobs", "digest"), ("/models/0/files", "path")] {
            let list = bill.pointer_mut(list).unwrap().as_array_mut().unwrap();
            list.sort_by_key(|entry| entry[key].as_str().unwrap().to_owned());
        }
    });
    for (path, content) in &sample.media[0].files {
        let path = stick.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content {
            Content::Bytes(bytes) => fs::write(&path, bytes).unwrap(),
            Content::Zeros(size) => fs::File::create(&path).unwrap().set_len(*size).unwrap(),
            Content::Link | Content::Special => panic!("a sample has none"),
        }
    }
    parts
}

/// A volume that shows every other part only, as if the others lay on another one.
#[derive(Debug)]
pub(crate) struct EveryOther(pub(crate) MediaFolder);

impl Media for EveryOther {
    fn label(&self) -> &str {
        self.0.label()
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        let mut entries = self.0.list(folder)?;
        if folder.as_str().ends_with("/parts/sha256") {
            entries.sort();
            let every_other = entries.into_iter().step_by(2);
            return Ok(every_other.collect());
        }
        Ok(entries)
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        self.0.open(path)
    }
}

// === inputs of a build ===

/// The sample's inputs, and shards of random weights in its model's folder, which are made as they
/// are read.
struct Inputs {
    others: MemoryMedia,
    shards: Vec<u64>,
}

impl Inputs {
    fn shard(&self, path: &Utf8Path) -> Option<Shard> {
        let name = path.as_str().strip_prefix("tiny/shard-")?;
        let number: usize = name.strip_suffix(".safetensors")?.parse().ok()?;
        Some(Shard::new(number, *self.shards.get(number)?))
    }
}

impl Source for Inputs {
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError> {
        match self.shard(path) {
            Some(shard) => Ok(SourceKind::File { size: shard.size }),
            None => self.others.kind(path),
        }
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError> {
        let mut entries = Source::list(&self.others, folder)?;
        if folder == "tiny" {
            let shards = self.shards.iter().enumerate();
            entries.extend(shards.map(|(number, size)| SourceEntry {
                name: format!("shard-{number}.safetensors"),
                kind: SourceKind::File {
                    size: Shard::new(number, *size).size,
                },
            }));
        }
        Ok(entries)
    }

    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError> {
        match self.shard(path) {
            Some(shard) => Ok(Box::new(shard)),
            None => Source::open(&self.others, path),
        }
    }
}

/// A safetensors file with one tensor of random bytes.
struct Shard {
    header: Vec<u8>,
    size: u64,
    at: u64,
    seed: u64,
}

impl Shard {
    fn new(number: usize, data: u64) -> Self {
        let text = format!(
            "{{\"w{number}\":{{\"dtype\":\"U8\",\"shape\":[{data}],\"data_offsets\":[0,{data}]}}}}"
        );
        let text = format!("{text:width$}", width = text.len().next_multiple_of(8));
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        header.extend(text.bytes());
        Self {
            size: header.len() as u64 + data,
            header,
            at: 0,
            seed: number as u64 + 1,
        }
    }

    /// `SplitMix64`: the n-th word is a function of n.
    fn word(&self, nth: u64) -> u64 {
        let mut word = (self.seed << 48)
            .wrapping_add(nth)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

impl Read for Shard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let header = self.header.len();
        let at = usize::try_from(self.at).unwrap();
        let mut count = buffer.len().min(left);
        if at < header {
            count = count.min(header - at);
            buffer[..count].copy_from_slice(&self.header[at..at + count]);
        } else {
            // The header ends with a whole word.
            let (mut nth, skip) = (self.at / 8, at % 8);
            let (first, rest) = buffer[..count].split_at_mut(count.min((8 - skip) % 8));
            if !first.is_empty() {
                first.copy_from_slice(&self.word(nth).to_le_bytes()[skip..skip + first.len()]);
                nth += 1;
            }
            for (word, nth) in rest.chunks_mut(8).zip(nth..) {
                word.copy_from_slice(&self.word(nth).to_le_bytes()[..word.len()]);
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Shard {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?.min(self.size);
        Ok(self.at)
    }
}
