use std::{
    collections::BTreeMap,
    io::{self, Read},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use camino::Utf8Path;
use jiff::Timestamp;
use maas_bundle::{
    Content, Entry, MediaError, MediaFile, MediaPath, MemoryMedia, Object, digest_of,
};
use maas_types::{Exit, Layout, Part};

use super::*;
use crate::{Disk, Effect, Holder, power_cut::PowerCut};

/// Blobs of every shape, on two volumes: empty, one byte, whole, the binary, and one in three parts.
struct Bundle {
    blobs: Vec<(Blob, Vec<u8>)>,
    volumes: [MemoryMedia; 2],
    binary: Digest,
}

const PART: usize = 5_000;

fn pattern(seed: u8, length: usize) -> Vec<u8> {
    let steps = std::iter::successors(Some(seed), |byte| Some(byte.wrapping_add(31)));
    steps.take(length).collect()
}

fn bundle() -> Bundle {
    let id = "acme-1".parse().unwrap();
    let mut volumes = [MemoryMedia::new("stick-1"), MemoryMedia::new("stick-2")];
    let contents = [
        Vec::new(),
        pattern(1, 1),
        pattern(2, 10_000),
        pattern(3, 700),
        pattern(4, 2 * PART + 1_234),
    ];
    let binary = digest_of(&contents[3]);
    let mut blobs = Vec::new();
    for (nth, bytes) in contents.into_iter().enumerate() {
        let digest = digest_of(&bytes);
        let parts: Vec<_> = if nth == 4 {
            bytes.chunks(PART).collect()
        } else {
            Vec::new()
        };
        for (number, part) in parts.iter().enumerate() {
            let path = MediaPath::part(&id, &digest_of(part)).to_string();
            volumes[number % 2].files.insert(path, Content::from(*part));
        }
        if parts.is_empty() {
            let path = MediaPath::blob(&id, &digest).to_string();
            let content = Content::from(bytes.clone());
            volumes[nth % 2].files.insert(path, content);
        }
        let parts = parts.iter().map(|part| Part {
            digest: digest_of(part),
            size: part.len() as u64,
        });
        let blob = Blob {
            digest,
            size: bytes.len() as u64,
            parts: parts.collect(),
        };
        blobs.push((blob, bytes));
    }
    blobs.sort_by_key(|(blob, _)| blob.digest);
    Bundle {
        blobs,
        volumes,
        binary,
    }
}

impl Bundle {
    fn bytes(&self) -> u64 {
        self.blobs.iter().map(|(blob, _)| blob.size).sum()
    }

    fn located(&self) -> Vec<LocatedBlob<'_>> {
        let id = "acme-1".parse().unwrap();
        let place = |path: &MediaPath| {
            let on = |volume: &MemoryMedia| volume.files.contains_key(path.as_str());
            self.volumes.iter().position(on).unwrap()
        };
        let objects = |blob: &Blob| {
            let mut offset = 0;
            let parts: Vec<_> = match blob.parts.len() {
                0 => vec![(blob.digest, blob.size, MediaPath::blob(&id, &blob.digest))],
                _ => blob
                    .parts
                    .iter()
                    .map(|part| (part.digest, part.size, MediaPath::part(&id, &part.digest)))
                    .collect(),
            };
            parts
                .into_iter()
                .map(|(digest, size, path)| {
                    let object = Object {
                        digest,
                        size,
                        offset,
                        medium: place(&path),
                        path,
                    };
                    offset += size;
                    object
                })
                .collect()
        };
        self.blobs
            .iter()
            .map(|(blob, _)| LocatedBlob {
                blob,
                objects: objects(blob),
            })
            .collect()
    }

    fn ingest(&self, host: &Host, disk: Disk) -> Result<Ingested, StoreError> {
        let volumes: Vec<&dyn Media> = self.volumes.iter().map(|v| v as &dyn Media).collect();
        self.ingest_from(host, disk, &volumes)
    }

    fn ingest_from(
        &self,
        host: &Host,
        disk: Disk,
        volumes: &[&dyn Media],
    ) -> Result<Ingested, StoreError> {
        let lock = Lock::acquire_on(disk, &host.layout, &host.holder)?;
        let db = TrustDb::open(&lock)?;
        let store = Store::new(&host.layout);
        let run = Run::new(&store, &lock, &db, volumes, self.binary);
        run.take(&self.located(), &mut |_| ())
    }
}

struct Host {
    _keep: tempfile::TempDir,
    layout: Layout,
    holder: Holder,
}

fn host() -> Host {
    let keep = tempfile::tempdir().unwrap();
    let layout = Layout::new(Utf8Path::from_path(keep.path()).unwrap());
    let holder = Holder {
        pid: 1,
        command: "test".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    Host {
        _keep: keep,
        layout,
        holder,
    }
}

impl Host {
    /// Every file in the store by its name, and whether its bytes are what the name says.
    fn store(&self) -> BTreeMap<String, bool> {
        let mut found = BTreeMap::new();
        let Ok(folders) = fs_err::read_dir(self.layout.store().join("sha256")) else {
            return found;
        };
        for folder in folders {
            for file in fs_err::read_dir(folder.unwrap().path()).unwrap() {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                let bytes = fs_err::read(file.path()).unwrap();
                found.insert(name.clone(), digest_of(&bytes).hex() == name);
            }
        }
        found
    }

    fn staged(&self) -> usize {
        fs_err::read_dir(self.layout.staging()).map_or(0, Iterator::count)
    }
}

// === what goes right ===

#[test]
fn each_byte_is_read_once_and_a_second_run_reads_none() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.volumes.each_ref().map(Flaky::counting);
    let media: Vec<&dyn Media> = media.iter().map(|m| m as &dyn Media).collect();
    let first = bundle.ingest_from(&host, Disk::real(), &media).unwrap();
    assert_eq!(first.bytes_read, bundle.bytes());
    assert_eq!(first.bytes_written, bundle.bytes());
    assert_eq!((first.blobs_written, first.blobs_present), (5, 0));
    assert_eq!((first.retries, first.bytes_resumed), (0, 0));
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!((second.bytes_read, second.bytes_written), (0, 0));
    assert_eq!((second.blobs_written, second.blobs_present), (0, 5));
    assert_eq!(second.bytes_present, bundle.bytes());
    assert_eq!(second.bytes_resumed, 0);
}

#[test]
fn the_medium_itself_is_asked_for_exactly_the_signed_bytes() {
    let (host, bundle) = (host(), bundle());
    let counted = bundle.volumes.each_ref().map(Flaky::counting);
    let media: Vec<&dyn Media> = counted.iter().map(|m| m as &dyn Media).collect();
    bundle.ingest_from(&host, Disk::real(), &media).unwrap();
    let read: u64 = counted.iter().map(|m| m.read.load(Ordering::SeqCst)).sum();
    let opened: usize = counted
        .iter()
        .map(|m| m.opened.load(Ordering::SeqCst))
        .sum();
    assert_eq!((read, opened), (bundle.bytes(), 7));
}

#[test]
fn the_store_holds_read_only_files_and_only_the_binary_can_be_executed() {
    let (host, bundle) = (host(), bundle());
    bundle.ingest(&host, Disk::real()).unwrap();
    let store = Store::new(&host.layout);
    for (blob, bytes) in &bundle.blobs {
        let path = store.path(&blob.digest);
        assert_eq!(fs_err::read(&path).unwrap(), *bytes);
        let mode = fs_err::metadata(&path).unwrap().permissions().mode() & 0o7777;
        let want = if blob.digest == bundle.binary {
            0o555
        } else {
            0o444
        };
        assert_eq!(mode, want);
    }
    assert_eq!(host.staged(), 0);
}

#[test]
fn what_another_bundle_left_in_staging_goes_away() {
    let (host, bundle) = (host(), bundle());
    fs_err::create_dir_all(host.layout.staging()).unwrap();
    let left = host.layout.staging().join("ab".repeat(32));
    fs_err::write(&left, b"left over").unwrap();
    fs_err::write(host.layout.staging().join("note"), b"not ours").unwrap();
    bundle.ingest(&host, Disk::real()).unwrap();
    assert!(!left.exists());
    assert_eq!(host.staged(), 1);
}

// === power cuts ===

#[test]
fn a_power_cut_at_any_effect_leaves_only_right_blobs_and_nothing_noted_is_read_again() {
    let bundle = bundle();
    let mut cuts = 0;
    loop {
        let host = host();
        let cut = PowerCut::before_effect(cuts);
        let first = bundle.ingest(&host, cut.disk());
        cut.lose_unforced().unwrap();
        assert_eq!(first.is_err(), cut.happened());
        assert!(host.store().values().all(|right| *right), "cut {cuts}");
        let here = bytes_here(&host, &bundle);
        let second = bundle.ingest(&host, Disk::real()).unwrap();
        assert_eq!(second.bytes_read + here, bundle.bytes(), "cut {cuts}");
        assert_eq!(host.store().len(), 5);
        assert!(host.store().values().all(|right| *right), "cut {cuts}");
        assert_eq!(host.staged(), 0);
        assert_eq!(bundle.ingest(&host, Disk::real()).unwrap().bytes_read, 0);
        if first.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 60, "only {cuts} effects were cut");
}

fn bytes_here(host: &Host, bundle: &Bundle) -> u64 {
    let db = TrustDb::read(&host.layout).unwrap();
    let store = Store::new(&host.layout);
    let here = |blob| match store.presence(db.as_ref(), blob).unwrap() {
        Presence::Stored | Presence::Unnoted => blob.size,
        Presence::Staged(bytes) => bytes,
        Presence::Absent => 0,
    };
    bundle.blobs.iter().map(|(blob, _)| here(blob)).sum()
}

#[test]
fn a_full_disk_has_its_own_exit_code() {
    let (host, bundle) = (host(), bundle());
    let disk = Disk::watched(|effect| {
        if matches!(effect, Effect::Allocate(_, bytes) if *bytes > 9_000) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let error = bundle.ingest(&host, disk).unwrap_err();
    assert_eq!(error.exit(), Exit::NoSpace, "{error}");
}

// === our own disk is not believed either ===

/// A run that ends when all parts of the big blob but the last are staged.
fn interrupted(host: &Host, bundle: &Bundle) {
    let staged = AtomicUsize::new(0);
    let big = bundle.blobs.iter().find(|(blob, _)| !blob.parts.is_empty());
    let big = big.unwrap().0.digest.hex();
    let disk = Disk::watched(move |effect| {
        let ours = matches!(effect, Effect::Sync(path) if path.as_str().ends_with(&big));
        if ours && staged.fetch_add(1, Ordering::SeqCst) == 2 {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    });
    bundle.ingest(host, disk).unwrap_err();
    assert_eq!(host.staged(), 1);
}

fn big(bundle: &Bundle) -> &Blob {
    let mut blobs = bundle.blobs.iter().map(|(blob, _)| blob);
    blobs.find(|blob| !blob.parts.is_empty()).unwrap()
}

#[test]
fn staged_parts_are_hashed_again_from_our_own_disk_and_not_read_again() {
    let (host, bundle) = (host(), bundle());
    interrupted(&host, &bundle);
    let left = bundle.bytes() - bytes_here(&host, &bundle);
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(second.bytes_read, left);
    assert_eq!(second.bytes_resumed, 2 * PART as u64);
}

#[test]
fn a_staged_part_that_rotted_is_read_again() {
    let (host, bundle) = (host(), bundle());
    interrupted(&host, &bundle);
    let staged = host.layout.staging().join(big(&bundle).digest.hex());
    let mut bytes = fs_err::read(&staged).unwrap();
    bytes[PART + 7] ^= 1;
    fs_err::write(&staged, bytes).unwrap();
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(second.bytes_resumed, PART as u64);
    assert!(host.store().values().all(|right| *right));
}

#[test]
fn a_file_in_the_store_that_the_journal_does_not_know_is_hashed_before_it_counts() {
    let (host, bundle) = (host(), bundle());
    let blob = big(&bundle);
    let path = Store::new(&host.layout).path(&blob.digest);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, vec![7; usize::try_from(blob.size).unwrap()]).unwrap();
    let done = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(done.blobs_written, 5);
    assert!(host.store().values().all(|right| *right));
}

// === media that lie, fail or lack something ===

#[test]
fn a_changed_byte_in_any_file_is_found_and_leaves_nothing_of_that_blob() {
    let whole = bundle();
    for volume in 0..2 {
        let names: Vec<_> = whole.volumes[volume].files.keys().cloned().collect();
        for name in names {
            let length = whole.volumes[volume].bytes(&name).unwrap().len();
            for at in [0, length / 2, length.saturating_sub(1)] {
                let (host, mut bundle) = (host(), bundle());
                if length == 0 {
                    continue;
                }
                bundle.volumes[volume].change(&name, |bytes| bytes[at] ^= 0x80);
                let error = bundle.ingest(&host, Disk::real()).unwrap_err();
                let StoreError::Content(mismatch) = &error else {
                    panic!("{error:?}");
                };
                assert_eq!(error.exit(), Exit::Content);
                assert_eq!(mismatch.file, name);
                assert_eq!(mismatch.volume, format!("stick-{}", volume + 1));
                assert!(host.store().values().all(|right| *right));
                assert!(!host.store().contains_key(&mismatch.blob.hex()));
                assert_eq!(host.staged(), 0);
                let db = TrustDb::read(&host.layout).unwrap().unwrap();
                assert!(db.staged_parts(&mismatch.blob).unwrap().is_empty());
            }
        }
    }
}

#[test]
fn a_file_that_is_longer_or_shorter_than_signed_is_found() {
    for change in [
        |bytes: &mut Vec<u8>| bytes.push(0),
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1),
    ] {
        let (host, mut bundle) = (host(), bundle());
        let part = big(&bundle).parts[1].digest;
        let name = MediaPath::part(&"acme-1".parse().unwrap(), &part).to_string();
        bundle.volumes[1].change(&name, change);
        let error = bundle.ingest(&host, Disk::real()).unwrap_err();
        assert_eq!(error.exit(), Exit::Content, "{error}");
        assert!(
            error.to_string().contains("part 2, from byte 5000"),
            "{error}"
        );
    }
}

#[test]
fn a_mismatch_names_volume_file_part_offset_and_both_digests() {
    let (host, mut bundle) = (host(), bundle());
    let part = big(&bundle).parts[1].digest;
    let name = MediaPath::part(&"acme-1".parse().unwrap(), &part).to_string();
    bundle.volumes[1].change(&name, |bytes| bytes[9] ^= 1);
    let error = bundle.ingest(&host, Disk::real()).unwrap_err();
    insta::assert_snapshot!(error, @"volume `stick-2`: `MAAS/acme-1/parts/sha256/75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e` (part 2, from byte 5000 of sha256:cc7e58a3729de52faec2899f8ecbe9f3f86d0dd1323690fe6e149f82ed2015b3) does not have the signed content (expected sha256:75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e, found sha256:0e8920ef4f34be210ddc407805956236ea4b2cd42a64dcbb81e513653d1fc025)");
}

#[test]
fn a_reading_that_fails_twice_is_repeated_and_then_right() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.volumes.each_ref().map(|v| Flaky::failing(v, 2));
    let media: Vec<&dyn Media> = media.iter().map(|m| m as &dyn Media).collect();
    let done = bundle.ingest_from(&host, Disk::real(), &media).unwrap();
    assert_eq!(done.retries, 4);
    assert!(host.store().values().all(|right| *right));
}

#[test]
fn a_medium_that_goes_on_failing_is_named_with_file_and_offset_and_staged_parts_stay() {
    let (host, bundle) = (host(), bundle());
    let blob = big(&bundle);
    let bad = MediaPath::part(&"acme-1".parse().unwrap(), &blob.parts[1].digest);
    let media = bundle.volumes.each_ref().map(|v| Flaky {
        bad_file: Some(bad.to_string()),
        ..Flaky::failing(v, usize::MAX)
    });
    let media: Vec<&dyn Media> = media.iter().map(|m| m as &dyn Media).collect();
    let error = bundle.ingest_from(&host, Disk::real(), &media).unwrap_err();
    assert_eq!(error.exit(), Exit::Medium);
    insta::assert_snapshot!(error, @"volume `stick-2`: `MAAS/acme-1/parts/sha256/75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e` (part 2) cannot be read at byte 0 (tried 3 times: a failing stick, reader or memory)");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "input/output error of the test");
    let here = bytes_here(&host, &bundle);
    assert!(here >= PART as u64);
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(second.bytes_read, bundle.bytes() - here);
}

#[test]
fn a_medium_that_answers_differently_each_time_is_a_failing_one() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.volumes.each_ref().map(|v| Flaky {
        noise: true,
        ..Flaky::counting(v)
    });
    let media: Vec<&dyn Media> = media.iter().map(|m| m as &dyn Media).collect();
    let error = bundle.ingest_from(&host, Disk::real(), &media).unwrap_err();
    let StoreError::Medium(fault) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(fault.kind, crate::FaultKind::Changing);
    assert!(host.store().values().all(|right| *right));
}

/// A volume that counts, fails, or changes its mind.
#[derive(Debug)]
struct Flaky<'a> {
    inner: &'a MemoryMedia,
    read: AtomicU64,
    opened: AtomicUsize,
    /// How many openings give a file that fails in its middle.
    failures: AtomicUsize,
    /// Only this one fails, when given.
    bad_file: Option<String>,
    noise: bool,
}

impl<'a> Flaky<'a> {
    fn counting(inner: &'a MemoryMedia) -> Self {
        Self::failing(inner, 0)
    }

    fn failing(inner: &'a MemoryMedia, failures: usize) -> Self {
        Self {
            inner,
            read: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            failures: AtomicUsize::new(failures),
            bad_file: None,
            noise: false,
        }
    }

    fn fails(&self, path: &MediaPath) -> bool {
        let this_one = self
            .bad_file
            .as_ref()
            .is_none_or(|bad| bad == path.as_str());
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        this_one && self.failures.fetch_update(order, order, one_less).is_ok()
    }
}

impl Media for Flaky<'_> {
    fn label(&self) -> &str {
        Media::label(self.inner)
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        Media::list(self.inner, folder)
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        let file = Media::open(self.inner, path)?;
        let opening = self.opened.fetch_add(1, Ordering::SeqCst);
        let reader = FlakyFile {
            inner: file.reader,
            read: &self.read,
            left: self.fails(path).then_some(file.size / 2),
            noise: self.noise.then_some(opening.to_le_bytes()[0]),
        };
        Ok(MediaFile {
            size: file.size,
            reader: Box::new(reader),
        })
    }
}

struct FlakyFile<'a> {
    inner: Box<dyn Read + Send + 'a>,
    read: &'a AtomicU64,
    left: Option<u64>,
    noise: Option<u8>,
}

impl Read for FlakyFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match self.left {
            Some(0) => return Err(io::Error::other("input/output error of the test")),
            Some(left) => buffer.len().min(usize::try_from(left).unwrap()),
            None => buffer.len(),
        };
        let count = self.inner.read(&mut buffer[..most])?;
        if let (Some(noise), Some(first)) = (self.noise, buffer.first_mut()) {
            *first = first.wrapping_add(noise).wrapping_add(1);
        }
        self.left = self.left.map(|left| left - count as u64);
        self.read.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}
