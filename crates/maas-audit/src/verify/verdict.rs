//! What was found, and how it is said.

use std::fmt;

use jiff::Timestamp;
use maas_types::Exit;

use crate::{Head, Origin};

/// What [`crate::verify`] found. Its text is for a person; every line of it is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The number that the first entry should have.
    pub first: u64,
    /// How many entries are a whole chain, from the first on.
    pub entries: u64,
    /// The last of them.
    pub head: Option<Head>,
    /// The last entry that a good checkpoint vouches for, and when that was signed.
    pub covered: Option<(u64, Timestamp)>,
    /// The first thing that is wrong with the log. What comes after it was not judged.
    pub fault: Option<Fault>,
    /// Checkpoints that none of the keys signed.
    pub refused: Vec<RefusedCheckpoint>,
    /// Good checkpoints for entries before the first that was given: they say nothing here.
    pub outside: usize,
    /// Whether the clock went back between entries. That happens, and is no fault of the log.
    pub clock: Option<ClockWentBack>,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the first entry that is not what was written, or not there.
    pub sequence: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A later one stands in its place.
    Missing {
        /// Which.
        found: u64,
    },
    /// An earlier one stands in its place, again or late.
    OutOfPlace {
        /// Which.
        found: u64,
    },
    /// Its content does not give its hash.
    Changed,
    /// It does not follow the one before it.
    Unlinked,
    /// It is not an entry at all.
    Unreadable(String),
    /// The chain is whole, and another one than was signed.
    Rewritten {
        /// The entry that the checkpoint is for.
        last: u64,
        /// When the checkpoint was signed.
        signed: Timestamp,
    },
    /// The log ends before it, and a checkpoint was signed for later entries.
    CutOff {
        /// The entry that the checkpoint is for.
        last: u64,
        /// When the checkpoint was signed.
        signed: Timestamp,
    },
}

/// A checkpoint that none of the keys signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCheckpoint {
    /// Which of those that were given, from 0.
    pub index: usize,
    /// The host that it names.
    pub origin: Origin,
    /// The entry that it is for.
    pub sequence: u64,
    /// When it says that it was signed.
    pub time: Timestamp,
}

/// Entries with an earlier time than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockWentBack {
    /// How many.
    pub times: u64,
    /// The first of them.
    pub sequence: u64,
    /// The time of the entry before it.
    pub from: Timestamp,
    /// Its own.
    pub to: Timestamp,
}

impl Verdict {
    pub(super) const fn new(first: u64) -> Self {
        Self {
            first,
            entries: 0,
            head: None,
            covered: None,
            fault: None,
            refused: Vec::new(),
            outside: 0,
            clock: None,
        }
    }

    /// Whether nothing is wrong: neither with the log nor with a checkpoint. How far that reaches, see
    /// [`Self::covered`].
    pub fn is_sound(&self) -> bool {
        self.fault.is_none() && self.refused.is_empty()
    }

    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match (&self.fault, self.refused.is_empty()) {
            (Some(_), _) => Exit::Audit,
            (None, false) => Exit::Untrusted,
            (None, true) => Exit::Done,
        }
    }

    fn reach(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.head.map_or(self.first - 1, |head| head.sequence);
        match self.covered {
            _ if self.fault.is_some() => Ok(()),
            None => write!(
                f,
                "\nno checkpoint vouches for this: whether entries were cut off at its end, or all of it was computed anew, cannot be told"
            ),
            Some((covered, signed)) if covered < last => write!(
                f,
                "\nup to entry {covered} it is as it was signed at {signed:.0}; whether entries after {last} were cut off, or those after {covered} computed anew, cannot be told"
            ),
            Some((covered, signed)) => {
                write!(
                    f,
                    "\nup to entry {covered} it is as it was signed at {signed:.0}"
                )
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = match self.entries {
            0 => "no entry".to_owned(),
            1 => format!("entry {}", self.first),
            count => format!("entries {} to {}", self.first, self.first + (count - 1)),
        };
        match &self.fault {
            Some(fault) => write!(f, "{fault}\nthe chain itself holds up to there: {right}")?,
            None => write!(f, "audit chain ok: {right}")?,
        }
        self.reach(f)?;
        for refused in &self.refused {
            write!(
                f,
                "\nthe checkpoint of `{}` for entry {}, dated {:.0}, is signed by none of the keys given: it was changed, or another key of that host is needed",
                refused.origin, refused.sequence, refused.time
            )?;
        }
        match self.outside {
            0 => {}
            1 => write!(
                f,
                "\n1 checkpoint is for an entry before {} and was not compared",
                self.first
            )?,
            several => write!(
                f,
                "\n{several} checkpoints are for entries before {} and were not compared",
                self.first
            )?,
        }
        self.clock
            .as_ref()
            .map_or(Ok(()), |clock| write!(f, "\n{clock}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.sequence;
        match &self.problem {
            Problem::Missing { found } => write!(
                f,
                "entry {first} is missing: entry {found} stands in its place"
            ),
            Problem::OutOfPlace { found } => write!(
                f,
                "entry {first} is not where it should be: entry {found} stands there, which is out of order or there twice"
            ),
            Problem::Changed => write!(
                f,
                "entry {first} was changed after it was written: its content does not give its hash"
            ),
            Problem::Unlinked => write!(
                f,
                "entry {first} does not follow the entry before it: one of the two was replaced, or entries between them were removed or inserted and the rest numbered anew"
            ),
            Problem::Unreadable(why) => write!(f, "entry {first} cannot be read: {why}"),
            Problem::Rewritten { last, signed } => write!(
                f,
                "entry {first} or one after it, up to {last}, is not what the host signed at {signed:.0}: the log was changed and its hashes computed anew, or an older copy of it was put back and written on"
            ),
            Problem::CutOff { last, signed } => write!(
                f,
                "entry {first} is missing: the log ends before it, and at {signed:.0} the host signed a log up to entry {last}"
            ),
        }
    }
}

impl fmt::Display for ClockWentBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            times,
            sequence,
            from,
            to,
        } = self;
        let often = match times {
            1 => "once,".to_owned(),
            several => format!("{several} times, first"),
        };
        write!(
            f,
            "warning: the clock went back {often} at entry {sequence}, from {from:.0} to {to:.0}; entries are in order of their numbers"
        )
    }
}
