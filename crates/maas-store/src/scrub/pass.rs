//! A pass over all blobs.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::{Digest, Layout};

use super::{
    Crooked, Damage, Event, Finding, Pace, Record, Underway, Verdict, WholePass, crooked,
    read::{Looked, look},
    subject::{Subject, subjects},
};
use crate::{Disk, Generation, Holder, Lock, Store, StoreError, TrustDb, lock::Held};

/// 256 MiB: so much is read again at most after an interruption, beside the blob that it broke off in.
const NOTE_EACH: u64 = 256 << 20;

/// Where a pass begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Where the one before was interrupted, or at the start.
    GoOn,
    /// At the start.
    Anew,
}

/// What becomes of a damaged blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It is moved aside, so that the next install reads it again.
    Move,
    /// It stays where it is.
    Leave,
}

/// A scrub that nobody else is doing at the same time.
#[derive(Debug)]
pub struct Scrub {
    layout: Layout,
    disk: Disk,
    holder: Holder,
    _alone: Held,
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The pass.
    pub pass: WholePass,
    /// Blobs that are not as they should be.
    pub found: Vec<Found>,
    /// Files that do not lie as they should.
    pub crooked: Vec<Crooked>,
}

/// A blob that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// What is wrong with it.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it was not moved aside though it should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_moved: Option<String>,
}

impl Report {
    /// Whether all is as it should be.
    pub fn is_good(&self) -> bool {
        self.found.is_empty() && self.crooked.is_empty()
    }
}

impl Scrub {
    /// Gets ready, or says who else is reading the store over.
    pub fn begin(disk: Disk, layout: &Layout, holder: Holder) -> Result<Self, StoreError> {
        disk.make_folder(&layout.scrub())?;
        let alone = Held::acquire(layout.scrub().join("lock"), &holder)?;
        Ok(Self {
            layout: layout.clone(),
            disk,
            holder,
            _alone: alone,
        })
    }

    /// Reads every blob of every generation, and whatever else lies in the store, to the end. `now` is told
    /// for the record only.
    pub fn run(
        &self,
        begin: Begin,
        aside: Aside,
        now: &dyn Fn() -> Timestamp,
        pace: &mut Pace<'_>,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<Report, StoreError> {
        let subjects = subjects(&self.layout)?;
        let mut record = Record::read(&self.layout)?;
        let underway = match (record.underway.take(), begin) {
            (Some(underway), Begin::GoOn) => underway,
            (Some(_), Begin::Anew) | (None, _) => Underway::new(now()),
        };
        let mut pass = Pass {
            scrub: self,
            aside,
            now,
            record,
            underway,
            unwritten: 0,
            not_moved: BTreeMap::new(),
        };
        let open = pass.plan(&subjects);
        told(Event::Planned {
            bytes: pass.underway.bytes,
            done: pass.underway.bytes_done,
        });
        pass.write()?;
        for (digest, subject) in open {
            pass.blob(*digest, subject, pace, told)?;
        }
        pass.end(&subjects)
    }
}

/// A pass under way.
struct Pass<'a> {
    scrub: &'a Scrub,
    aside: Aside,
    now: &'a dyn Fn() -> Timestamp,
    record: Record,
    underway: Underway,
    /// Bytes that were read since the record was written.
    unwritten: u64,
    not_moved: BTreeMap<Digest, String>,
}

impl Pass<'_> {
    /// What is still to be read. Blobs may have come and gone since the pass began: the numbers are of today.
    fn plan<'s>(
        &mut self,
        subjects: &'s BTreeMap<Digest, Subject>,
    ) -> Vec<(&'s Digest, &'s Subject)> {
        let after = self.underway.after;
        let is_done = |digest: &Digest| after.is_some_and(|after| *digest <= after);
        let (done, open): (Vec<_>, Vec<_>) =
            subjects.iter().partition(|(digest, _)| is_done(digest));
        self.underway.bytes_done = done.iter().map(|(_, subject)| subject.size).sum();
        self.underway.blobs_done = done.len() as u64;
        self.underway.bytes = subjects.values().map(|subject| subject.size).sum();
        open
    }

    /// Reads one blob and writes down what that showed.
    fn blob(
        &mut self,
        digest: Digest,
        subject: &Subject,
        pace: &mut Pace<'_>,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StoreError> {
        let path = Store::new(&self.scrub.layout).path(&digest);
        let looked = look(&path, digest, pace, &mut |bytes| told(Event::Read(bytes)));
        let is_bad = looked.verdict != Verdict::Ok && self.is_still_needed(digest, &looked)?;
        let finding = if is_bad {
            let finding = self.finding(digest, subject, looked)?;
            told(Event::Found(&finding));
            Some(finding)
        } else {
            None
        };
        self.underway.after = Some(digest);
        self.underway.bytes_done += subject.size;
        self.underway.blobs_done += 1;
        self.unwritten += subject.size;
        let write = finding.is_some() || self.unwritten >= NOTE_EACH;
        let size = subject.size;
        let damage = finding.map(|finding| Damage { finding, size });
        self.record.note(&digest, damage);
        if write { self.write() } else { Ok(()) }
    }

    /// A blob that is gone by now may be garbage that was collected: then no generation needs it.
    fn is_still_needed(&self, digest: Digest, looked: &Looked) -> Result<bool, StoreError> {
        if looked.verdict != Verdict::Missing {
            return Ok(true);
        }
        let all = Generation::list(&self.scrub.layout)?.whole;
        Ok(all.iter().any(|g| g.record().bill.blob(&digest).is_some()))
    }

    fn finding(
        &mut self,
        digest: Digest,
        subject: &Subject,
        looked: Looked,
    ) -> Result<Finding, StoreError> {
        // Found and moved aside by an earlier pass, it is missing now.
        let before = self.scrub.layout.quarantine().join(digest.hex());
        let mut aside = before.is_file().then_some(before);
        if let (Aside::Move, Some(file)) = (self.aside, looked.file) {
            match self.scrub.move_aside(&digest, file) {
                Ok(moved) => aside = moved.or(aside),
                Err(error @ StoreError::Busy { .. }) => {
                    self.not_moved.insert(digest, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Finding {
            digest,
            verdict: looked.verdict,
            used_by: subject.used_by.iter().cloned().collect(),
            found_at: (self.now)(),
            aside,
        })
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.unwritten = 0;
        self.record.underway = Some(self.underway.clone());
        self.record.write(&self.scrub.disk, &self.scrub.layout)
    }

    fn end(mut self, subjects: &BTreeMap<Digest, Subject>) -> Result<Report, StoreError> {
        let known = |damage: &Damage| subjects.contains_key(&damage.finding.digest);
        self.record.damage.retain(known);
        let pass = WholePass {
            began: self.underway.began,
            ended: (self.now)(),
            blobs: self.underway.blobs_done,
            bytes: self.underway.bytes_done,
            damaged: self.record.damage.len() as u64,
        };
        self.record.underway = None;
        self.record.last = Some(pass.clone());
        self.record.write(&self.scrub.disk, &self.scrub.layout)?;
        let not_moved = &mut self.not_moved;
        let found = self.record.damage.into_iter().map(|damage| Found {
            not_moved: not_moved.remove(&damage.finding.digest),
            finding: damage.finding,
        });
        Ok(Report {
            pass,
            found: found.collect(),
            crooked: crooked(&self.scrub.layout)?,
        })
    }
}

impl Scrub {
    /// Holds the lock for a moment.
    fn move_aside(
        &self,
        digest: &Digest,
        seen: (u64, u64),
    ) -> Result<Option<Utf8PathBuf>, StoreError> {
        let lock = Lock::acquire_on(self.disk.clone(), &self.layout, &self.holder)?;
        let db = TrustDb::open(&lock)?;
        Store::new(&self.layout).quarantine(&lock, &db, digest, seen)
    }
}
