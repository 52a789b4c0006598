//! A lane: one volume is read from one end to the other, and never waits for what happens to its
//! bytes as long as there are buffers. Hashing, writing and forcing to the disk are stages behind it.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read},
    ops::Range,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use maas_bundle::{Media, MediaError, Object};
use maas_types::Digest;

use super::{
    buffers::{BUFFER, Pool},
    round::Event,
    stages::{Ending, Fed},
    tries::{Attempt, Tries, Verdict},
};
use crate::{MediumFault, Mismatch, StoreError, store::staging::Target};

/// A file to be read: one piece of a blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) target: &'a Target<'a>,
    /// Which of the round's targets that is.
    pub(super) index: usize,
    /// Which of its pieces.
    pub(super) number: usize,
    pub(super) object: &'a Object,
    pub(super) medium: &'a dyn Media,
}

/// What the last stage says of a piece that went through.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) item: usize,
    /// What was found instead of the signed digest; `None` when it was right.
    pub(super) wrong: Option<Digest>,
}

/// The reading end of a lane.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    items: &'a [Item<'a>],
    pool: Pool,
    to: Outlets<'a>,
    /// Items that have not been read yet.
    fresh: Range<usize>,
    /// Items that are to be read again.
    again: VecDeque<usize>,
    /// What went wrong with those before.
    tries: HashMap<usize, Tries>,
    /// Items of which the last stage has not spoken yet.
    unsettled: usize,
}

/// What a reader is connected with.
#[derive(Debug)]
pub(super) struct Outlets<'a> {
    pub(super) stages: [Sender<Fed>; 3],
    pub(super) settled: Receiver<Settled>,
    pub(super) events: Sender<Event>,
    pub(super) stop: &'a AtomicBool,
}

/// What became of one reading.
enum Reading {
    /// Handed on; the last stage will say whether it was right.
    Handed,
    Failed(Attempt),
    /// The run is over, or a stage is gone and has said why.
    Over,
}

impl<'a> Reader<'a> {
    pub(super) fn new(items: &'a [Item<'a>], pool: Pool, to: Outlets<'a>) -> Self {
        Self {
            items,
            pool,
            to,
            fresh: 0..items.len(),
            again: VecDeque::new(),
            tries: HashMap::new(),
            unsettled: 0,
        }
    }

    /// Reads every item, again where its medium failed; ends when all are settled or the run is over.
    pub(super) fn run(mut self) {
        if let Err(error) = self.read_all() {
            self.to.stop.store(true, Ordering::SeqCst);
            // Nobody listens when the run is over.
            self.to.events.send(Event::Failed(error)).ok();
        }
    }

    fn read_all(&mut self) -> Result<(), StoreError> {
        while let Some(item) = self.next()? {
            match self.read(item)? {
                Reading::Handed => self.unsettled += 1,
                Reading::Failed(attempt) => self.judge(item, attempt)?,
                Reading::Over => break,
            }
        }
        Ok(())
    }

    /// The next file to be read. Those that failed come first; when there is nothing to read, waits
    /// for what the last stage says of the others.
    fn next(&mut self) -> Result<Option<usize>, StoreError> {
        loop {
            while let Ok(settled) = self.to.settled.try_recv() {
                self.take_in(&settled)?;
            }
            if let Some(item) = self.again.pop_front().or_else(|| self.fresh.next()) {
                return Ok(Some(item));
            }
            if self.unsettled == 0 {
                return Ok(None);
            }
            match self.to.settled.recv() {
                Ok(settled) => self.take_in(&settled)?,
                // The last stage has failed and has said why.
                Err(_) => return Ok(None),
            }
        }
    }

    fn take_in(&mut self, settled: &Settled) -> Result<(), StoreError> {
        self.unsettled -= 1;
        let Some(found) = settled.wrong else {
            return Ok(());
        };
        let attempt = Attempt::Wrong {
            expected: self.items[settled.item].object.digest.to_string(),
            found: found.to_string(),
        };
        self.judge(settled.item, attempt)
    }

    /// Puts a file in front of the others, to be read again, or says why not.
    fn judge(&mut self, item: usize, attempt: Attempt) -> Result<(), StoreError> {
        if let Some(verdict) = self.tries.entry(item).or_default().failed(attempt) {
            return Err(self.items[item].error(verdict));
        }
        self.to.events.send(Event::Retried).ok();
        self.again.push_front(item);
        Ok(())
    }

    /// Reads one file and feeds it to the stages.
    fn read(&mut self, at: usize) -> Result<Reading, StoreError> {
        let item = self.items[at];
        let file = match item.medium.open(&item.object.path) {
            Ok(file) => file,
            Err(MediaError::Io { source, .. }) if source.kind() != io::ErrorKind::InvalidData => {
                return Ok(Reading::Failed(Attempt::Unreadable { offset: 0, source }));
            }
            Err(error) => return Err(error.into()),
        };
        if file.size != item.object.size {
            return Ok(Reading::Failed(item.wrong_length(file.size)));
        }
        if !self.feed(&Fed::Start(at)) {
            return Ok(Reading::Over);
        }
        let mut reader = file.reader;
        let reading = self.pour(item, &mut *reader);
        let ending = match reading {
            Reading::Handed => Ending::Complete,
            Reading::Failed(_) | Reading::Over => Ending::BrokenOff,
        };
        Ok(if self.feed(&Fed::End(ending)) {
            reading
        } else {
            Reading::Over
        })
    }

    /// The bytes of one file, in full buffers, and a look for one byte more than was signed.
    fn pour(&mut self, item: Item<'_>, reader: &mut dyn Read) -> Reading {
        let (size, mut at) = (item.object.size, 0);
        while at < size {
            if self.to.stop.load(Ordering::SeqCst) {
                return Reading::Over;
            }
            let mut buffer = self.pool.take();
            let want = usize::try_from(size - at).map_or(BUFFER, |left| left.min(BUFFER));
            let (count, error) = fill(reader, &mut buffer.room()[..want]);
            let offset = at;
            at += count as u64;
            self.to.events.send(Event::Read(count as u64)).ok();
            if let Some(source) = error {
                return Reading::Failed(Attempt::Unreadable { offset: at, source });
            }
            if count < want {
                return Reading::Failed(item.wrong_length(at));
            }
            let chunk = buffer.filled(count, item.object.offset + offset);
            if !self.feed(&Fed::Chunk(chunk)) {
                return Reading::Over;
            }
        }
        match fill(reader, &mut [0]) {
            (0, None) => Reading::Handed,
            (_, None) => Reading::Failed(Attempt::Wrong {
                expected: format!("{size} bytes"),
                found: "more".to_owned(),
            }),
            (_, Some(source)) => Reading::Failed(Attempt::Unreadable { offset: at, source }),
        }
    }

    /// Whether every stage has taken it.
    fn feed(&self, fed: &Fed) -> bool {
        let mut stages = self.to.stages.iter();
        stages.all(|stage| stage.send(fed.clone()).is_ok())
    }
}

impl Item<'_> {
    fn wrong_length(&self, found: u64) -> Attempt {
        Attempt::Wrong {
            expected: format!("{} bytes", self.object.size),
            found: format!("{found} bytes"),
        }
    }

    /// The part's number for people; `None` for a blob that travels whole.
    fn part(&self) -> Option<usize> {
        (!self.target.is_whole()).then_some(self.number + 1)
    }

    fn error(&self, verdict: Verdict) -> StoreError {
        let (volume, file) = (self.medium.label().to_owned(), self.object.path.to_string());
        match verdict {
            Verdict::Content { expected, found } => StoreError::Content(Box::new(Mismatch {
                volume,
                file,
                blob: self.target.blob.digest,
                part: self.part(),
                offset: self.object.offset,
                expected,
                found,
            })),
            Verdict::Medium {
                attempts,
                offset,
                kind,
                source,
            } => StoreError::Medium(Box::new(MediumFault {
                volume,
                file,
                part: self.part(),
                offset,
                attempts,
                kind,
                source,
            })),
        }
    }
}

/// Fills a buffer as far as there is something to read, and says why it could not go on.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut count = 0;
    while count < buffer.len() {
        match reader.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}
