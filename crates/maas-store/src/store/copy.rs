//! One file of a medium into the staging file: a thread reads, this one hashes and writes what it is
//! handed. The medium is the bottleneck; hashing and writing hide behind it.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use maas_bundle::{LocatedBlob, Media, MediaError, Object};
use maas_types::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    ingest::Progress,
    staging::{BUFFER, Staging},
};
use crate::{FaultKind, MediumFault, Mismatch, StoreError};

/// Three: bad contacts and dirty caches pass with the second try, and a stick that fails three times
/// will fail the fourth.
const ATTEMPTS: u32 = 3;

/// Buffers between the two threads: one being filled, one waiting, one being hashed.
const IN_FLIGHT: usize = 1;

/// What copying one object took.
pub(super) struct Copied {
    pub(super) digest: Digest,
    pub(super) bytes_read: u64,
    pub(super) retries: u64,
}

/// How one reading of an object ended.
enum Attempt {
    Right(Sha256),
    Wrong { expected: String, found: String },
    Unreadable { offset: u64, source: io::Error },
}

/// Copies one object, again if its medium fails, and compares it with the signed digest.
pub(super) fn copy_object(
    staging: &mut Staging<'_>,
    media: &[&dyn Media],
    located: &LocatedBlob<'_>,
    number: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Copied, StoreError> {
    let copy = Copy::of(staging, media, located, number)?;
    let mut bytes_read = 0;
    let mut wrong: Option<(String, String)> = None;
    for attempt in 1..=ATTEMPTS {
        let mut count = |bytes| {
            bytes_read += bytes;
            progress(Progress::Read(bytes));
        };
        match copy.once(staging, &mut count)? {
            Attempt::Right(whole) => {
                staging.accept(whole);
                return Ok(Copied {
                    digest: copy.object.digest,
                    bytes_read,
                    retries: u64::from(attempt - 1),
                });
            }
            Attempt::Wrong { expected, found } => match wrong {
                // Twice the same: the medium is sound and its content is wrong.
                Some((_, before)) if before == found => {
                    return Err(copy.mismatch(staging, expected, found));
                }
                Some(_) => return Err(copy.fault(attempt, 0, FaultKind::Changing, None)),
                None => wrong = Some((expected, found)),
            },
            Attempt::Unreadable { offset, source } if attempt == ATTEMPTS => {
                return Err(copy.fault(attempt, offset, FaultKind::Unreadable, Some(source)));
            }
            Attempt::Unreadable { .. } => {}
        }
    }
    Err(match wrong {
        Some((expected, found)) => copy.mismatch(staging, expected, found),
        None => copy.fault(ATTEMPTS, 0, FaultKind::Unreadable, None),
    })
}

/// One object and where it lies.
struct Copy<'a> {
    object: &'a Object,
    medium: &'a dyn Media,
    part: Option<usize>,
}

impl<'a> Copy<'a> {
    fn of(
        staging: &Staging<'_>,
        media: &'a [&'a dyn Media],
        located: &'a LocatedBlob<'_>,
        number: usize,
    ) -> Result<Self, StoreError> {
        // By digest and offset: missing objects are left out of the list, so a place in it means
        // nothing.
        let (digest, offset, _) = super::staging::part(staging.blob(), number)
            .ok_or_else(|| staging.wrong_whole(staging.whole()))?;
        let object = located
            .objects
            .iter()
            .find(|object| object.digest == digest && object.offset == offset);
        let found = object.and_then(|object| media.get(object.medium).map(|m| (object, *m)));
        let Some((object, medium)) = found else {
            return Err(StoreError::Missing(Box::new(crate::MissingBytes {
                objects: 1,
                bytes: staging.blob().size,
                path: digest.to_string(),
                should_be_on: None,
                volumes: media.iter().map(|m| m.label().to_owned()).collect(),
            })));
        };
        let part = (!staging.blob().parts.is_empty()).then_some(number + 1);
        Ok(Self {
            object,
            medium,
            part,
        })
    }

    fn once(
        &self,
        staging: &Staging<'_>,
        count: &mut dyn FnMut(u64),
    ) -> Result<Attempt, StoreError> {
        let file = match self.medium.open(&self.object.path) {
            Ok(file) => file,
            Err(MediaError::Io { source, .. }) if source.kind() != io::ErrorKind::InvalidData => {
                return Ok(Attempt::Unreadable { offset: 0, source });
            }
            Err(error) => return Err(error.into()),
        };
        if file.size != self.object.size {
            return Ok(Attempt::Wrong {
                expected: format!("{} bytes", self.object.size),
                found: format!("{} bytes", file.size),
            });
        }
        let (size, mut reader) = (self.object.size, file.reader);
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(IN_FLIGHT);
            scope.spawn(move || read_all(&mut *reader, size, &send));
            self.take(staging, &receive, count)
        })
    }

    /// Hashes and writes the buffers as they come. Returning early ends the reading thread, because
    /// nobody takes its buffers any more.
    fn take(
        &self,
        staging: &Staging<'_>,
        receive: &Receiver<io::Result<Vec<u8>>>,
        count: &mut dyn FnMut(u64),
    ) -> Result<Attempt, StoreError> {
        let (mut part, mut whole, mut at) = (Sha256::new(), staging.hash_so_far(), 0_u64);
        for buffer in receive {
            let buffer = match buffer {
                Ok(buffer) => buffer,
                Err(source) => return Ok(Attempt::Unreadable { offset: at, source }),
            };
            count(buffer.len() as u64);
            if at + buffer.len() as u64 > self.object.size {
                return Ok(Attempt::Wrong {
                    expected: format!("{} bytes", self.object.size),
                    found: "more".to_owned(),
                });
            }
            whole.update(&buffer);
            if self.part.is_some() {
                part.update(&buffer);
            }
            staging.write_at(&buffer, self.object.offset + at)?;
            at += buffer.len() as u64;
        }
        if at < self.object.size {
            return Ok(Attempt::Wrong {
                expected: format!("{} bytes", self.object.size),
                found: format!("{at} bytes"),
            });
        }
        // A blob that travels whole is its own part: hashing it twice would halve the speed.
        let digest = if self.part.is_some() {
            part
        } else {
            whole.clone()
        }
        .finalize();
        let found = Digest::from_bytes(digest.into());
        Ok(if found == self.object.digest {
            Attempt::Right(whole)
        } else {
            Attempt::Wrong {
                expected: self.object.digest.to_string(),
                found: found.to_string(),
            }
        })
    }

    fn mismatch(&self, staging: &Staging<'_>, expected: String, found: String) -> StoreError {
        StoreError::Content(Box::new(Mismatch {
            volume: self.medium.label().to_owned(),
            file: self.object.path.to_string(),
            blob: staging.blob().digest,
            part: self.part,
            offset: self.object.offset,
            expected,
            found,
        }))
    }

    fn fault(
        &self,
        attempts: u32,
        offset: u64,
        kind: FaultKind,
        source: Option<io::Error>,
    ) -> StoreError {
        StoreError::Medium(Box::new(MediumFault {
            volume: self.medium.label().to_owned(),
            file: self.object.path.to_string(),
            part: self.part,
            offset,
            attempts,
            kind,
            source,
        }))
    }
}

/// Reads `size` bytes and looks for one more, in full buffers.
fn read_all(reader: &mut dyn Read, size: u64, send: &SyncSender<io::Result<Vec<u8>>>) {
    // One byte past the signed length, so that a longer file is seen; never more.
    let mut left = size.saturating_add(1);
    while left > 0 {
        let room = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
        let mut buffer = vec![0; room];
        let result = fill(reader, &mut buffer);
        let (count, last) = match &result {
            Ok(count) => (*count, *count < room),
            Err(_) => (0, true),
        };
        left -= count as u64;
        buffer.truncate(count);
        let answer = result.map(|_| buffer);
        // A closed channel means that the other side has seen enough.
        if (count > 0 || answer.is_err()) && send.send(answer).is_err() {
            return;
        }
        if last {
            return;
        }
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match reader.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
