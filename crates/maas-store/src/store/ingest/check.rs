//! Hashing what lies on this host's own disk, on a thread of its own: blobs that did not go by in
//! order, and files in the store that the journal does not know. Our own disk is not believed either.

use std::{
    os::fd::OwnedFd,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Blob, Digest};
use rustix::{
    fs::{Advice, fadvise},
    io::Errno,
};
use sha2::{Digest as _, Sha256};

use super::{buffers::BUFFER, round::Event};
use crate::{
    StoreError,
    store::staging::{Piece, Target, failed, open_for_reading},
};

/// Something to be hashed.
#[derive(Debug)]
pub(super) enum Job<'a> {
    /// All pieces of this target are staged.
    Staged(usize, &'a Target<'a>),
    /// A file in the store, by its place in the list of those that are not noted.
    Unnoted(usize, Utf8PathBuf, &'a Blob),
}

/// What the hashing showed.
#[derive(Debug)]
pub(super) enum Finding {
    /// It is what was signed.
    Right,
    /// These pieces are not what they were when they came in.
    Rotten(Vec<usize>),
    /// Each piece is right and the whole is not.
    WrongWhole(Digest),
}

/// Hashes until there is nothing more to hash, or the run is over.
pub(super) fn run(jobs: &Receiver<Job<'_>>, events: &Sender<Event>, stop: &AtomicBool) {
    let check = Check { events, stop };
    for job in jobs {
        let event = match job {
            Job::Staged(target, staged) => Event::Checked {
                target,
                finding: check.staged(staged),
            },
            Job::Unnoted(number, path, blob) => Event::Looked {
                number,
                finding: check.file(&path, blob),
            },
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// `None` everywhere: the run was over before there was an answer.
struct Check<'a> {
    events: &'a Sender<Event>,
    stop: &'a AtomicBool,
}

impl Check<'_> {
    fn staged(&self, target: &Target<'_>) -> Result<Option<Finding>, StoreError> {
        let file = open_for_reading(target.path())?;
        // Advice only.
        fadvise(&file, 0, None, Advice::Sequential).ok();
        let signed = target.blob.digest;
        let (hash, passed) = target.passing.lock().so_far();
        let mut whole = self.hash(&file, hash, target.pieces.get(passed..).unwrap_or(&[]));
        if passed > 0 && !matches!(whole, Ok(Some(found)) if found == signed) {
            whole = self.hash(&file, Sha256::new(), &target.pieces);
        }
        match &whole {
            Ok(None) => return Ok(None),
            Ok(Some(found)) if *found == signed => return Ok(Some(Finding::Right)),
            // What cannot be read may be written again: disks replace bad blocks on writing.
            Ok(Some(_)) | Err(_) => {}
        }
        let mut rotten = Vec::new();
        for (number, piece) in target.pieces.iter().enumerate() {
            match self.hash(&file, Sha256::new(), &[*piece]) {
                Ok(None) => return Ok(None),
                Ok(Some(found)) if found == piece.digest => {}
                Ok(Some(_)) | Err(_) => rotten.push(number),
            }
        }
        if !rotten.is_empty() {
            return Ok(Some(Finding::Rotten(rotten)));
        }
        let found = whole.map_err(failed(target.path()))?;
        Ok(found.map(Finding::WrongWhole))
    }

    fn file(&self, path: &Utf8Path, blob: &Blob) -> Result<Option<Finding>, StoreError> {
        let file = open_for_reading(path)?;
        let all = Piece {
            digest: blob.digest,
            offset: 0,
            size: blob.size,
        };
        let found = self.hash(&file, Sha256::new(), &[all]);
        let finding = |found| match found {
            found if found == blob.digest => Finding::Right,
            found => Finding::WrongWhole(found),
        };
        Ok(found.map_err(failed(path))?.map(finding))
    }

    /// Hashes neighbouring pieces of a file. A file that is too short has another digest.
    fn hash(
        &self,
        file: &OwnedFd,
        mut hash: Sha256,
        pieces: &[Piece],
    ) -> Result<Option<Digest>, Errno> {
        let mut buffer = vec![0; BUFFER];
        let mut at = pieces.first().map_or(0, |piece| piece.offset);
        let end = pieces.last().map_or(0, |piece| piece.offset + piece.size);
        while at < end {
            if self.stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
            let want = usize::try_from(end - at).map_or(BUFFER, |left| left.min(BUFFER));
            match rustix::io::pread(file, &mut buffer[..want], at) {
                Ok(0) => break,
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    at += count as u64;
                    self.events.send(Event::Rehashed(count as u64)).ok();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(Some(Digest::from_bytes(hash.finalize().into())))
    }
}
