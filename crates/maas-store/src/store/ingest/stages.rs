//! What happens to the bytes of a lane behind its reader, each on a thread of its own: written,
//! hashed as a part, hashed as a piece of the whole; and when all that is done, forced to the disk
//! and reported. All hear of the same pieces in the same order, so the n-th answer of each belongs
//! to the n-th piece that went by completely.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::Scope,
};

use maas_types::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    buffers::{Chunk, Pool},
    lane::{Item, Outlets, Reader, Settled},
    round::Event,
};
use crate::{Disk, StoreError};

/// 64 MiB: so much may be dirty before it is asked to go to the disk. A gigabyte at once would make
/// forcing it a wait of seconds, in which nothing is read.
const WRITE_BACK: u64 = 64 << 20;

/// Files that wait to be forced to the disk, each of them open: thousands of small blobs may lie on a
/// volume, and a process may have 1,024 files open.
const UNFORCED: usize = 16;

/// What the reader hands to each stage.
#[derive(Debug, Clone)]
pub(super) enum Fed {
    /// The bytes of this item come next.
    Start(usize),
    Chunk(Chunk),
    End(Ending),
}

/// How the bytes of an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    /// It will come again from its start, or the run is over.
    BrokenOff,
}

/// Starts a lane on threads of its own.
pub(super) fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    items: &'scope [Item<'scope>],
    buffers: usize,
    events: &Sender<Event>,
    stop: &'scope AtomicBool,
) {
    let ((to_writer, bytes), (to_parts, part_bytes), (to_whole, whole_bytes)) =
        (channel(), channel(), channel());
    let ((digest, digests), (passed, passings)) = (channel(), channel());
    let (written, writings) = sync_channel(UNFORCED);
    let (settle, settled) = channel();
    let ended = Ended(events.clone());
    let settler = Settler {
        items,
        writings,
        digests,
        passings,
        settle,
    };
    let outlets = Outlets {
        stages: [to_writer, to_parts, to_whole],
        settled,
        events: events.clone(),
        stop,
    };
    let reader = Reader::new(items, Pool::new(buffers), outlets);
    let fail = Fail {
        events: events.clone(),
        stop,
    };
    let fail_too = fail.clone();
    scope.spawn(move || fail.unless(write(items, &bytes, &written)));
    scope.spawn(move || hash_parts(&part_bytes, &digest));
    scope.spawn(move || hash_wholes(items, &whole_bytes, &passed));
    scope.spawn(move || {
        // The last to end: what is reported is reported before the lane is over.
        let _ended = ended;
        fail_too.unless(settler.run(&fail_too.events));
    });
    scope.spawn(move || reader.run());
}

/// Says that the lane is over, also when its last stage panics.
struct Ended(Sender<Event>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send(Event::LaneEnded).ok();
    }
}

/// Stops the run when a stage fails.
#[derive(Debug, Clone)]
struct Fail<'a> {
    events: Sender<Event>,
    stop: &'a AtomicBool,
}

impl Fail<'_> {
    fn unless(&self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.stop.store(true, Ordering::SeqCst);
            self.events.send(Event::Failed(error)).ok();
        }
    }
}

/// A piece that lies in its staging file, not forced to the disk yet.
struct Written {
    item: usize,
    file: Arc<OwnedFd>,
}

fn write(
    items: &[Item<'_>],
    bytes: &Receiver<Fed>,
    written: &SyncSender<Written>,
) -> Result<(), StoreError> {
    let mut open: Option<Written> = None;
    let mut dirty = 0..0_u64;
    for fed in bytes {
        match (fed, &mut open) {
            (Fed::Start(item), open) => {
                // The next part of the same blob goes into the same file.
                let same = open
                    .take()
                    .filter(|o| items[o.item].index == items[item].index);
                let file = match same {
                    Some(open) => open.file,
                    None => Arc::new(items[item].target.open()?),
                };
                *open = Some(Written { item, file });
                let start = items[item].object.offset;
                dirty = start..start;
            }
            (Fed::Chunk(chunk), Some(Written { item, file })) => {
                let target = items[*item].target;
                target.write_at(&**file, chunk.bytes(), chunk.offset)?;
                dirty.end = chunk.offset + chunk.bytes().len() as u64;
                if dirty.end - dirty.start >= WRITE_BACK {
                    Disk::start_writing_back(&**file, dirty.start, dirty.end - dirty.start);
                    dirty.start = dirty.end;
                }
            }
            (Fed::End(Ending::Complete), Some(Written { item, file })) => {
                let (item, file) = (*item, Arc::clone(file));
                if written.send(Written { item, file }).is_err() {
                    return Ok(());
                }
            }
            (Fed::End(Ending::BrokenOff), _) | (Fed::Chunk(_) | Fed::End(_), None) => {}
        }
    }
    Ok(())
}

fn hash_parts(bytes: &Receiver<Fed>, digests: &Sender<Digest>) {
    let mut hash = Sha256::new();
    for fed in bytes {
        match fed {
            Fed::Start(_) => hash = Sha256::new(),
            Fed::Chunk(chunk) => hash.update(chunk.bytes()),
            Fed::End(Ending::Complete) => {
                let digest = Digest::from_bytes(hash.finalize_reset().into());
                if digests.send(digest).is_err() {
                    return;
                }
            }
            Fed::End(Ending::BrokenOff) => {}
        }
    }
}

/// Hashes blobs as wholes while their parts go by in order.
fn hash_wholes(items: &[Item<'_>], bytes: &Receiver<Fed>, passed: &Sender<()>) {
    let mut passing: Option<(usize, Sha256)> = None;
    for fed in bytes {
        match fed {
            Fed::Start(at) => {
                let item = items[at];
                let hash = (!item.target.is_whole())
                    .then(|| item.target.passing.lock().take(item.number))
                    .flatten();
                passing = hash.map(|hash| (at, hash));
            }
            Fed::Chunk(chunk) => {
                if let Some((_, hash)) = &mut passing {
                    hash.update(chunk.bytes());
                }
            }
            Fed::End(ending) => {
                if let Some((at, hash)) = passing.take() {
                    let mut of_blob = items[at].target.passing.lock();
                    match ending {
                        Ending::Complete => of_blob.give_back(hash),
                        Ending::BrokenOff => of_blob.put_down(),
                    }
                }
                if ending == Ending::Complete && passed.send(()).is_err() {
                    return;
                }
            }
        }
    }
}

/// The last stage.
struct Settler<'a> {
    items: &'a [Item<'a>],
    writings: Receiver<Written>,
    digests: Receiver<Digest>,
    passings: Receiver<()>,
    settle: Sender<Settled>,
}

impl Settler<'_> {
    /// Compares each piece with what was signed. A right one is forced to the disk and then reported,
    /// never the other way round; a wrong one is reported to the reader only.
    fn run(&self, events: &Sender<Event>) -> Result<(), StoreError> {
        for Written { item: at, file } in &self.writings {
            let (Ok(found), Ok(())) = (self.digests.recv(), self.passings.recv()) else {
                return Ok(());
            };
            let item = self.items[at];
            let right = found == item.object.digest;
            if right {
                item.target.sync(&*file)?;
                let (target, number) = (item.index, item.number);
                events.send(Event::Staged { target, number }).ok();
            } else {
                item.target.passing.lock().spoil();
            }
            let wrong = (!right).then_some(found);
            // The reader is gone when the run is over; what was right is still worth reporting.
            self.settle.send(Settled { item: at, wrong }).ok();
        }
        Ok(())
    }
}
