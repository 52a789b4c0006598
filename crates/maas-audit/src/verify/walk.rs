//! The decision, entry by entry. Pure: what it knows of the past is a head and a few numbers.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{ClockWentBack, Fault, Problem, RefusedCheckpoint, Verdict};
use crate::{Checkpoint, Entry, Head, HostPublicKey};

pub(super) struct Walk<'a> {
    /// What the next entry must follow; without a hash where the entries before were not given.
    next: u64,
    previous: Option<Head>,
    /// Good checkpoints that lie ahead, nearest first.
    ahead: VecDeque<&'a Checkpoint>,
    time: Option<Timestamp>,
    verdict: Verdict,
}

impl<'a> Walk<'a> {
    pub(super) fn start(first: u64, checkpoints: &'a [Checkpoint], keys: &[HostPublicKey]) -> Self {
        let first = first.max(1);
        let mut verdict = Verdict::new(first);
        let mut good = Vec::new();
        for (index, checkpoint) in checkpoints.iter().enumerate() {
            if keys.iter().any(|key| checkpoint.is_signed_by(key)) {
                good.push(checkpoint);
            } else {
                verdict.refused.push(RefusedCheckpoint {
                    index,
                    origin: checkpoint.origin.clone(),
                    sequence: checkpoint.head.sequence,
                    time: checkpoint.time,
                });
            }
        }
        verdict.outside = good.iter().filter(|c| c.head.sequence < first - 1).count();
        good.retain(|checkpoint| checkpoint.head.sequence >= first - 1);
        good.sort_by_key(|checkpoint| checkpoint.head.sequence);
        let mut walk = Self {
            next: first,
            previous: (first == 1).then_some(Head::START),
            ahead: good.into(),
            time: None,
            verdict,
        };
        if first == 1 {
            walk.meet(Head::START);
        }
        walk
    }

    /// Takes the next entry; `false` when there is nothing more to find out.
    pub(super) fn step(&mut self, entry: Result<Entry, String>) -> bool {
        match entry {
            Ok(entry) => match self.problem(&entry) {
                Some(problem) => self.fault(self.next, problem),
                None => self.accept(&entry),
            },
            Err(why) => self.fault(self.next, Problem::Unreadable(why)),
        }
        self.verdict.fault.is_none()
    }

    fn problem(&self, entry: &Entry) -> Option<Problem> {
        let found = entry.sequence;
        if found > self.next {
            return Some(Problem::Missing { found });
        }
        if found < self.next {
            return Some(Problem::OutOfPlace { found });
        }
        // Asked first: who edits an entry breaks this one, and the next one does not follow it.
        if entry.computed() != entry.hash {
            return Some(Problem::Changed);
        }
        let follows = self.previous.is_none_or(|head| head.hash == entry.previous);
        (!follows).then_some(Problem::Unlinked)
    }

    fn accept(&mut self, entry: &Entry) {
        if self.previous.is_none() {
            self.meet(Head {
                sequence: entry.sequence - 1,
                hash: entry.previous,
            });
        }
        if let Some(before) = self.time.filter(|before| *before > entry.time) {
            let clock = self.verdict.clock.get_or_insert(ClockWentBack {
                times: 0,
                sequence: entry.sequence,
                from: before,
                to: entry.time,
            });
            clock.times += 1;
        }
        self.time = Some(entry.time);
        self.previous = Some(entry.head());
        self.next = entry.sequence.saturating_add(1);
        self.verdict.entries += 1;
        self.verdict.head = Some(entry.head());
        self.meet(entry.head());
    }

    /// Compares the checkpoints that were signed right here.
    fn meet(&mut self, head: Head) {
        while let Some(checkpoint) = self
            .ahead
            .pop_front_if(|checkpoint| checkpoint.head.sequence == head.sequence)
        {
            if checkpoint.head.hash == head.hash {
                self.verdict.covered = Some((head.sequence, checkpoint.time));
                continue;
            }
            let after = self.verdict.covered.map_or(0, |(sequence, _)| sequence);
            let first = self.verdict.first.max(after + 1);
            let (last, signed) = (head.sequence, checkpoint.time);
            let problem = if last < first {
                Problem::Unlinked
            } else {
                Problem::Rewritten { last, signed }
            };
            self.fault(first, problem);
        }
    }

    pub(super) fn end(mut self) -> Verdict {
        let first = self.verdict.first;
        // Of the entry before a part without entries: there was nothing to compare it with.
        self.ahead
            .retain(|checkpoint| checkpoint.head.sequence >= first);
        if let Some(beyond) = self.ahead.back() {
            let problem = Problem::CutOff {
                last: beyond.head.sequence,
                signed: beyond.time,
            };
            self.fault(self.next, problem);
        }
        self.verdict
    }

    fn fault(&mut self, sequence: u64, problem: Problem) {
        self.verdict
            .fault
            .get_or_insert(Fault { sequence, problem });
    }
}
