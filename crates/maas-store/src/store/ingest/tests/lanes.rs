//! Volumes are read at the same time, and none of them alone decides.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex,
        atomic::AtomicUsize,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use maas_bundle::{Entry, MediaError, MediaFile};

use super::*;
use crate::Effect;

/// Not a pace but an end: a run that reads one volume after the other would wait for ever.
const LONG: Duration = Duration::from_mins(1);

/// A volume whose files are opened and then wait for the other one to be opened.
#[derive(Debug)]
struct Meeting<'a> {
    inner: &'a MemoryMedia,
    here: Sender<()>,
    other: Mutex<Option<Receiver<()>>>,
}

impl Media for Meeting<'_> {
    fn label(&self) -> &str {
        Media::label(self.inner)
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        Media::list(self.inner, folder)
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        self.here.send(()).ok();
        if let Some(other) = self.other.lock().unwrap().take() {
            other
                .recv_timeout(LONG)
                .expect("the other volume is read too");
        }
        Media::open(self.inner, path)
    }
}

#[test]
fn two_volumes_are_read_at_the_same_time() {
    let (host, bundle) = (host(), bundle());
    let ((to_first, first), (to_second, second)) = (channel(), channel());
    let meeting = |at: usize, here, other| Meeting {
        inner: &bundle.volumes[at],
        here,
        other: Mutex::new(Some(other)),
    };
    let media = [meeting(0, to_second, first), meeting(1, to_first, second)];
    let done = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap();
    assert_eq!(done.bytes_read, bundle.bytes());
    assert_eq!(host.store().len(), 5);
}

#[test]
fn a_blob_is_filled_from_several_lanes_and_hashed_as_a_whole() {
    for count in 1..=12 {
        let (host, bundle) = (host(), bundle_on(count));
        let done = bundle.ingest(&host, Disk::real()).unwrap();
        assert_eq!((done.bytes_read, done.blobs_written), (bundle.bytes(), 5));
        assert_eq!(host.store().len(), 5);
        assert!(host.store().values().all(|right| *right));
    }
}

#[test]
fn on_one_volume_the_whole_is_hashed_in_passing() {
    let (host, bundle) = (host(), bundle_on(1));
    let done = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(done.bytes_resumed, 0);
}

/// A volume that goes on after the other has failed for the last time, and a volume that fails.
#[derive(Debug)]
enum Pair<'a> {
    Fails(&'a MemoryMedia, Sender<()>),
    GoesOn(&'a MemoryMedia, Mutex<Receiver<()>>, AtomicUsize),
}

impl Media for Pair<'_> {
    fn label(&self) -> &str {
        match self {
            Self::Fails(inner, _) | Self::GoesOn(inner, ..) => Media::label(*inner),
        }
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        match self {
            Self::Fails(inner, _) | Self::GoesOn(inner, ..) => Media::list(*inner, folder),
        }
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        match self {
            Self::Fails(inner, failed) => {
                let file = Media::open(*inner, path)?;
                Ok(MediaFile {
                    size: file.size,
                    reader: Box::new(Broken(failed)),
                })
            }
            Self::GoesOn(inner, failed, opened) => {
                // The first waits for all three attempts of the other volume.
                if opened.fetch_add(1, Ordering::SeqCst) == 0 {
                    let failed = failed.lock().unwrap();
                    (0..3).for_each(|_| failed.recv_timeout(LONG).unwrap());
                }
                Media::open(*inner, path)
            }
        }
    }
}

struct Broken<'a>(&'a Sender<()>);

impl Read for Broken<'_> {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.send(()).ok();
        Err(io::Error::other("input/output error of the test"))
    }
}

/// A blob on the first volume, and the others on the second.
fn many_small_blobs(count: u16) -> Bundle {
    let id = "acme-1".parse().unwrap();
    let mut volumes = vec![MemoryMedia::new("stick-1"), MemoryMedia::new("stick-2")];
    let mut blobs = Vec::new();
    for number in 0..count {
        let bytes = number.to_le_bytes().to_vec();
        let digest = digest_of(&bytes);
        let path = MediaPath::blob(&id, &digest).to_string();
        let volume = &mut volumes[usize::from(number > 0)];
        volume.files.insert(path, Content::from(bytes.clone()));
        let blob = Blob {
            digest,
            size: bytes.len() as u64,
            parts: Vec::new(),
        };
        blobs.push((blob, bytes));
    }
    Bundle {
        binary: blobs[0].0.digest,
        blobs,
        volumes,
    }
}

#[test]
fn many_small_blobs_do_not_take_as_many_open_files() {
    let (host, bundle) = (host(), many_small_blobs(200));
    let most = Arc::new(AtomicUsize::new(0));
    let (seen, staging) = (Arc::clone(&most), host.layout.staging());
    let disk = Disk::watched(move |effect| {
        if matches!(effect, Effect::Create(_)) {
            let files = fs_err::read_dir("/proc/self/fd")?.flatten();
            let ours = files.filter(|file| {
                let to = fs_err::read_link(file.path());
                to.is_ok_and(|to| to.starts_with(&staging))
            });
            seen.fetch_max(ours.count(), Ordering::SeqCst);
        }
        Ok(())
    });
    bundle.ingest(&host, disk).unwrap();
    assert_eq!(host.store().len(), 200);
    // Two lanes, each with those that wait, one being written, one being forced, and the one that
    // goes into the store.
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 2 * (16 + 2) + 1, "{most} files were open");
}

#[test]
fn an_error_in_one_lane_stops_the_others() {
    const FILES: u16 = 3_000;
    let (host, bundle) = (host(), many_small_blobs(FILES));
    let (tell, failed) = channel();
    let media = [
        Pair::Fails(&bundle.volumes[0], tell),
        Pair::GoesOn(&bundle.volumes[1], Mutex::new(failed), AtomicUsize::new(0)),
    ];
    let error = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Medium);
    let Pair::GoesOn(_, _, opened) = &media[1] else {
        panic!("the second goes on");
    };
    let opened = opened.load(Ordering::SeqCst);
    assert!(opened < usize::from(FILES) / 2, "{opened} files were read");
    assert!(host.store().values().all(|right| *right));
}
