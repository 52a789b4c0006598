//! Reading one blob.

use std::{io::Read as _, os::fd::OwnedFd};

use camino::Utf8Path;
use maas_types::Digest;
use rustix::fs::{FileType, Mode, OFlags, fstat};
use sha2::{Digest as _, Sha256};

use super::{Pace, Verdict};
use crate::folder::{Cache, FileReader};

/// 1 MiB: at a low rate the pauses between two readings stay short.
const BUFFER: usize = 1 << 20;

/// What a blob is, and which file that was: an install may put another one in its place meanwhile.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) verdict: Verdict,
    pub(super) file: Option<(u64, u64)>,
}

/// Reads a blob, a second time when it is not right at first.
pub(super) fn look(
    path: &Utf8Path,
    expected: Digest,
    pace: &mut Pace<'_>,
    progress: &mut dyn FnMut(u64),
) -> Looked {
    let opened = rustix::fs::open(
        path.as_str(),
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
    );
    let file = match opened {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => {
            let (verdict, file) = (Verdict::Missing, None);
            return Looked { verdict, file };
        }
        Err(errno) => {
            let error = errno.to_string();
            let (verdict, file) = (Verdict::Unreadable { error }, None);
            return Looked { verdict, file };
        }
    };
    let id = fstat(&file)
        .ok()
        .filter(|status| FileType::from_raw_mode(status.st_mode) == FileType::RegularFile)
        .map(|status| (status.st_dev, status.st_ino));
    if id.is_none() {
        let error = "it is not a regular file".to_owned();
        return Looked {
            verdict: Verdict::Unreadable { error },
            file: None,
        };
    }
    let verdict = match hash(&file, pace, progress) {
        Ok(found) if found == expected => Verdict::Ok,
        // Not counted: what is told of progress is told once for each byte of the store.
        first => judge(expected, first, hash(&file, pace, &mut |_| ())),
    };
    Looked { verdict, file: id }
}

/// Of a first reading that was not right, and a second.
fn judge(
    expected: Digest,
    first: std::io::Result<Digest>,
    second: std::io::Result<Digest>,
) -> Verdict {
    match (first, second) {
        (Ok(first), Ok(found)) if first == found => Verdict::Damaged { expected, found },
        (Ok(_), Ok(_)) => Verdict::Unreadable {
            error: "it was something else at each of two readings: a failing disk or memory"
                .to_owned(),
        },
        // A reading that succeeds once is kept: the disk may have got it back by itself.
        (Err(_), Ok(found)) if found == expected => Verdict::Ok,
        (_, Err(error)) | (Err(error), Ok(_)) => Verdict::Unreadable {
            error: error.to_string(),
        },
    }
}

fn hash(
    file: &OwnedFd,
    pace: &mut Pace<'_>,
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<Digest> {
    let mut reader = FileReader::new(file.try_clone()?, Cache::Avoid);
    let mut buffer = vec![0; BUFFER];
    let mut hash = Sha256::new();
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(count) => {
                hash.update(&buffer[..count]);
                progress(count as u64);
                pace.spend(count as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
