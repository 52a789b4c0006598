//! One pass over the volumes: starts nothing, hears everything. Each event is taken in by the one
//! thread that owns the journal, so notes come in an order and no lane ever waits for another.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, Sender},
};

use maas_bundle::LocatedBlob;
use maas_types::Digest;
use sha2::Digest as _;

use super::{
    Progress,
    check::{Finding, Job},
    plan::Plan,
    run::Run,
};
use crate::StoreError;

/// What the threads of a run tell its coordinator.
#[derive(Debug)]
pub(super) enum Event {
    /// So many bytes came from a volume.
    Read(u64),
    /// A reading failed and will be repeated.
    Retried,
    /// A piece was right and is on the disk.
    Staged { target: usize, number: usize },
    /// So many bytes were hashed from our own disk.
    Rehashed(u64),
    /// A target whose pieces are all staged was hashed; `None` when the run was over before.
    Checked {
        target: usize,
        finding: Result<Option<Finding>, StoreError>,
    },
    /// A file in the store was hashed; `None` when the run was over before.
    Looked {
        number: usize,
        finding: Result<Option<Finding>, StoreError>,
    },
    /// A lane cannot go on.
    Failed(StoreError),
    /// A lane has nothing more to tell.
    LaneEnded,
}

/// One pass over the volumes.
pub(super) struct Round<'r, 'a, 'p> {
    run: &'r mut Run<'a>,
    plan: &'r Plan<'p>,
    /// For each target, how many pieces are not staged yet.
    left: Vec<usize>,
    jobs: Sender<Job<'r>>,
    /// Lanes that have not ended and jobs that are not answered.
    under_way: usize,
    stop: &'r AtomicBool,
    /// The first one is the one to tell.
    error: Option<StoreError>,
    again: Vec<&'p LocatedBlob<'p>>,
}

impl<'r, 'a, 'p> Round<'r, 'a, 'p> {
    pub(super) fn new(
        run: &'r mut Run<'a>,
        plan: &'r Plan<'p>,
        lanes: usize,
        jobs: Sender<Job<'r>>,
        stop: &'r AtomicBool,
    ) -> Self {
        let left = plan.open.iter().map(|open| {
            let not_staged = open.staged.iter().filter(|staged| !**staged);
            not_staged.count()
        });
        Self {
            run,
            plan,
            left: left.collect(),
            jobs,
            under_way: lanes,
            stop,
            error: None,
            again: Vec::new(),
        }
    }

    /// Hears out every lane, also after a failure: what was right stays noted. Answers the blobs of
    /// which something must be read again.
    pub(super) fn hear_all(
        mut self,
        inbox: &Receiver<Event>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<&'p LocatedBlob<'p>>, StoreError> {
        self.start();
        while self.under_way > 0 {
            // All gone without a word: a thread has panicked, and its scope will say so.
            let Ok(event) = inbox.recv() else { break };
            if let Err(error) = self.hear(event, progress) {
                self.stop.store(true, Ordering::SeqCst);
                self.error.get_or_insert(error);
            }
        }
        match self.error {
            None => Ok(self.again),
            Some(error) => {
                self.run.tidy(&error);
                Err(error)
            }
        }
    }

    /// What needs no reading from a volume, only hashing here.
    fn start(&mut self) {
        for (number, located) in self.plan.unnoted.iter().enumerate() {
            let path = self.run.store.path(&located.blob.digest);
            self.hash(Job::Unnoted(number, path, located.blob));
        }
        for target in 0..self.left.len() {
            if self.left[target] == 0 {
                self.hash(Job::Staged(target, &self.plan.open[target].target));
            }
        }
    }

    fn hash(&mut self, job: Job<'r>) {
        if self.jobs.send(job).is_ok() {
            self.under_way += 1;
        }
    }

    fn hear(&mut self, event: Event, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        let done = &mut self.run.done;
        match event {
            Event::Read(bytes) => {
                done.bytes_read += bytes;
                progress(Progress::Read(bytes));
            }
            Event::Retried => done.retries += 1,
            Event::Rehashed(bytes) => {
                done.bytes_resumed += bytes;
                progress(Progress::Rehashed(bytes));
            }
            Event::Staged { target, number } => self.staged(target, number, progress)?,
            Event::Checked { target, finding } => {
                self.under_way -= 1;
                if let Some(finding) = finding? {
                    self.checked(target, finding, progress)?;
                }
            }
            Event::Looked { number, finding } => {
                self.under_way -= 1;
                if let Some(finding) = finding? {
                    self.looked(number, &finding)?;
                }
            }
            Event::Failed(error) => return Err(error),
            Event::LaneEnded => self.under_way -= 1,
        }
        Ok(())
    }

    /// A piece is on the disk: only now is it noted.
    fn staged(
        &mut self,
        at: usize,
        number: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let target = &self.plan.open[at].target;
        let (blob, piece) = (target.blob, target.pieces[number]);
        self.run.done.bytes_written += piece.size;
        self.left[at] -= 1;
        if target.is_whole() {
            // It goes into the store at once; a note in between would be one more wait for the disk.
            self.run.keep(target)?;
            progress(Progress::Stored(blob.digest));
            return Ok(());
        }
        let (lock, db) = (self.run.lock, self.run.db);
        db.part_is_staged(lock, &blob.digest, number, &piece.digest)?;
        if self.left[at] > 0 {
            return Ok(());
        }
        let (hash, passed) = target.passing.lock().so_far();
        let found = Digest::from_bytes(hash.finalize().into());
        if passed == target.pieces.len() && found == blob.digest {
            return self.checked(at, Finding::Right, progress);
        }
        // After a failure nothing is begun any more.
        if self.error.is_none() {
            self.hash(Job::Staged(at, target));
        }
        Ok(())
    }

    /// The whole blob was hashed.
    fn checked(
        &mut self,
        at: usize,
        finding: Finding,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let open = &self.plan.open[at];
        let (lock, db, digest) = (self.run.lock, self.run.db, &open.target.blob.digest);
        match finding {
            Finding::Right => {
                self.run.keep(&open.target)?;
                progress(Progress::Stored(*digest));
            }
            Finding::Rotten(numbers) => {
                for number in numbers {
                    db.forget_part(lock, digest, number)?;
                }
                self.again.push(open.located);
            }
            Finding::WrongWhole(found) => {
                db.forget_staged(lock, digest)?;
                return Err(open.target.wrong_whole(found));
            }
        }
        Ok(())
    }

    /// A file in the store was hashed that the journal did not know.
    fn looked(&mut self, number: usize, finding: &Finding) -> Result<(), StoreError> {
        let located = self.plan.unnoted[number];
        match finding {
            Finding::Right => self.run.note_present(located.blob),
            Finding::Rotten(_) | Finding::WrongWhole(_) => {
                self.again.push(located);
                self.run.remove(located.blob)
            }
        }
    }
}
