use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _, sync::atomic::Ordering};

use camino::Utf8Path;
use jiff::Timestamp;
use maas_bundle::{
    Content, LocatedBlob, MediaPath, MemoryMedia, Object, digest_of, sample::Sample,
};
use maas_types::{Exit, Layout, Part};

use self::flaky::Flaky;
use super::*;
use crate::{Disk, Holder};

mod damage;
mod disk;
mod flaky;
mod lanes;
mod media;
mod one_at_a_time;
mod power;

/// Blobs of every shape, spread over volumes: empty, one byte, whole, the binary, and one in three parts.
struct Bundle {
    blobs: Vec<(Blob, Vec<u8>)>,
    volumes: Vec<MemoryMedia>,
    binary: Digest,
}

const PART: usize = 5_000;

fn pattern(seed: u8, length: usize) -> Vec<u8> {
    let steps = std::iter::successors(Some(seed), |byte| Some(byte.wrapping_add(31)));
    steps.take(length).collect()
}

fn bundle() -> Bundle {
    bundle_on(2)
}

fn bundle_on(count: usize) -> Bundle {
    let id = "acme-1".parse().unwrap();
    let stick = |number| MemoryMedia::new(format!("stick-{number}"));
    let mut volumes: Vec<_> = (1..=count).map(stick).collect();
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
            volumes[number % count]
                .files
                .insert(path, Content::from(*part));
        }
        if parts.is_empty() {
            let path = MediaPath::blob(&id, &digest).to_string();
            let content = Content::from(bytes.clone());
            volumes[nth % count].files.insert(path, content);
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

    /// Where everything lies when these of its volumes are at hand.
    fn located(&self, at_hand: &[usize]) -> Vec<LocatedBlob<'_>> {
        let id = "acme-1".parse().unwrap();
        let place = |path: &MediaPath| {
            let on = |volume: &usize| self.volumes[*volume].files.contains_key(path.as_str());
            at_hand.iter().position(on)
        };
        let objects = |blob: &Blob| {
            let pieces = crate::store::staging::pieces(blob);
            let objects = pieces.iter().filter_map(|piece| {
                let path = match blob.parts.len() {
                    0 => MediaPath::blob(&id, &piece.digest),
                    _ => MediaPath::part(&id, &piece.digest),
                };
                Some(Object {
                    digest: piece.digest,
                    size: piece.size,
                    offset: piece.offset,
                    medium: place(&path)?,
                    path,
                })
            });
            objects.collect()
        };
        let blobs = self.blobs.iter();
        blobs
            .map(|(blob, _)| LocatedBlob {
                blob,
                objects: objects(blob),
            })
            .collect()
    }

    fn ingest(&self, host: &Host, disk: Disk) -> Result<Ingested, StoreError> {
        let all: Vec<_> = (0..self.volumes.len()).collect();
        self.ingest_some(host, disk, &all)
    }

    /// With these of its volumes at hand.
    fn ingest_some(
        &self,
        host: &Host,
        disk: Disk,
        at_hand: &[usize],
    ) -> Result<Ingested, StoreError> {
        let volumes: Vec<_> = at_hand.iter().map(|at| &self.volumes[*at]).collect();
        let volumes: Vec<_> = volumes.iter().map(|v| *v as &dyn Media).collect();
        self.take(host, disk, &volumes, &self.located(at_hand), &mut |_| ())
    }

    /// From all of its volumes, each behind something else.
    fn ingest_from(
        &self,
        host: &Host,
        disk: Disk,
        volumes: &[&dyn Media],
    ) -> Result<Ingested, StoreError> {
        let all: Vec<_> = (0..self.volumes.len()).collect();
        self.take(host, disk, volumes, &self.located(&all), &mut |_| ())
    }

    fn take(
        &self,
        host: &Host,
        disk: Disk,
        media: &[&dyn Media],
        located: &[LocatedBlob<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Ingested, StoreError> {
        let lock = Lock::acquire_on(disk, &host.layout, &host.holder)?;
        let db = TrustDb::open(&lock)?;
        let run = Run {
            store: &Store::new(&host.layout),
            lock: &lock,
            db: &db,
            media,
            binary: self.binary,
            done: Ingested::default(),
        };
        run.take(located, progress)
    }

    /// The blob in parts.
    fn big(&self) -> &Blob {
        let mut blobs = self.blobs.iter().map(|(blob, _)| blob);
        blobs.find(|blob| !blob.parts.is_empty()).unwrap()
    }

    /// The name of one of its parts on a volume.
    fn part(&self, number: usize) -> String {
        let part = self.big().parts[number].digest;
        MediaPath::part(&"acme-1".parse().unwrap(), &part).to_string()
    }

    fn flaky<'a>(&'a self, flaky: impl Fn(&'a MemoryMedia) -> Flaky<'a>) -> Vec<Flaky<'a>> {
        self.volumes.iter().map(flaky).collect()
    }
}

fn dynamic<M: Media>(media: &[M]) -> Vec<&dyn Media> {
    media.iter().map(|m| m as &dyn Media).collect()
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

    /// Which parts of a blob the journal knows to be staged.
    fn staged_parts(&self, blob: &Blob) -> Vec<usize> {
        let db = TrustDb::read(&self.layout).unwrap().unwrap();
        let parts = db.staged_parts(&blob.digest).unwrap();
        parts.into_keys().collect()
    }

    fn staged(&self) -> usize {
        fs_err::read_dir(self.layout.staging()).map_or(0, Iterator::count)
    }
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

// === what goes right ===

#[test]
fn each_byte_is_read_once_and_a_second_run_reads_none() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.flaky(Flaky::counting);
    let first = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap();
    assert_eq!(first.bytes_read, bundle.bytes());
    assert_eq!(first.bytes_written, bundle.bytes());
    assert_eq!((first.blobs_written, first.blobs_present), (5, 0));
    assert_eq!(first.retries, 0);
    // Parts from two volumes do not go by in order; what did not is hashed from our own disk.
    assert!(first.bytes_resumed <= bundle.big().size);
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!((second.bytes_read, second.bytes_written), (0, 0));
    assert_eq!((second.blobs_written, second.blobs_present), (0, 5));
    assert_eq!(second.bytes_present, bundle.bytes());
    assert_eq!(second.bytes_resumed, 0);
}

#[test]
fn the_medium_itself_is_asked_for_exactly_the_signed_bytes() {
    let (host, bundle) = (host(), bundle());
    let counted = bundle.flaky(Flaky::counting);
    bundle
        .ingest_from(&host, Disk::real(), &dynamic(&counted))
        .unwrap();
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

#[test]
fn what_this_bundle_left_in_staging_stays_though_its_volume_is_away() {
    let (host, bundle) = (host(), bundle());
    bundle.ingest_some(&host, Disk::real(), &[0]).unwrap();
    let nothing = bundle.ingest_some(&host, Disk::real(), &[]).unwrap();
    assert_eq!((nothing.bytes_read, nothing.bytes_resumed), (0, 0));
    assert_eq!(host.staged_parts(bundle.big()), [0, 2]);
    let last = bundle.ingest_some(&host, Disk::real(), &[1]).unwrap();
    assert_eq!(host.store().len(), 5);
    assert_eq!(last.blobs_written + last.blobs_present, 5);
}
