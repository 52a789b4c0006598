//! The usage ledger: one row per admitted request, written by one thread.
//!
//! A request claims its slot when it is admitted, so that settling always finds room: the bound is
//! on what is admitted, never on what is settled. The thread writes groups of rows in one
//! transaction. When SQLite fails, the rows stay here, new requests are refused, and the same
//! transaction is tried again until it works; a row that was written already is ignored by its
//! request id, so a commit whose answer was lost bills nobody twice.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use maas_types::{EngineId, Outcome, Usage};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::{Ask, database, snapshot::KeyEntry};

/// Requests that are running or not yet on disk. A host answers rarely more than 1,000 requests a
/// second, so this is some ten seconds of a disk that stands still, and about 10 MB.
pub(crate) const SLOTS: usize = 16_384;
/// Rows that end the wait for more: from here on a bigger group gains little (measured: 100 rows
/// 25,000 rows/s, 10 rows 5,200 rows/s, one row 560 rows/s with `synchronous=FULL`).
const GROUP: usize = 128;
/// How long the first row of a group waits for others. An fsync takes 1 to 7 ms, so this costs
/// nothing that anybody can see.
const GATHER: Duration = Duration::from_millis(4);
/// How long to leave a failing disk alone. Short, because every admission is refused meanwhile.
const RETRY: Duration = Duration::from_millis(250);
/// How often a closing ledger tries a failing disk before it writes the rows to the log instead:
/// within the 10 s that a service usually has to stop.
const CLOSING_TRIES: u32 = 8;

/// One settled request.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// When it was admitted.
    pub(crate) at: Timestamp,
    /// The site's day of its admission.
    pub(crate) date: Date,
    pub(crate) who: Arc<KeyEntry>,
    pub(crate) ask: Arc<Ask>,
    pub(crate) usage: Usage,
    pub(crate) outcome: Outcome,
    pub(crate) engine: Option<EngineId>,
    /// Unknown for a permit that was dropped.
    pub(crate) took: Option<Duration>,
}

/// Room for one row, given back when the row is on disk.
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The gateway's end of the ledger.
pub(crate) struct Ledger {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<usize>>>,
}

struct Queue {
    rows: Mutex<Rows>,
    /// There is something to write, or the end has come.
    some: Condvar,
    /// A group is full, or the end has come.
    full: Condvar,
    taken: Arc<AtomicUsize>,
    slots: usize,
    healthy: AtomicBool,
    open: AtomicBool,
}

#[derive(Default)]
struct Rows {
    waiting: Vec<(Row, Slot)>,
    /// What the writer has in hand; still here until it is committed.
    writing: Arc<Vec<(Row, Slot)>>,
    closing: bool,
    /// The writer has ended; nobody will look here again.
    ended: bool,
}

impl Ledger {
    /// Starts the writer on a connection of its own.
    pub(crate) fn start(connection: Connection, slots: usize) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            rows: Mutex::default(),
            some: Condvar::new(),
            full: Condvar::new(),
            taken: Arc::default(),
            slots,
            healthy: AtomicBool::new(true),
            open: AtomicBool::new(true),
        });
        let writer = std::thread::Builder::new().name("maas-ledger".to_owned());
        let writer = writer.spawn({
            let queue = Arc::clone(&queue);
            move || write(&queue, connection)
        })?;
        Ok(Self {
            queue,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Room for one more row, or `None` when the ledger cannot promise to keep it.
    pub(crate) fn claim(&self) -> Option<Slot> {
        if !self.healthy() {
            return None;
        }
        let more = |taken| (taken < self.queue.slots).then_some(taken + 1);
        let order = Ordering::SeqCst;
        self.queue.taken.fetch_update(order, order, more).ok()?;
        Some(Slot(Arc::clone(&self.queue.taken)))
    }

    /// Whether the last write worked and the ledger is open.
    pub(crate) fn healthy(&self) -> bool {
        self.queue.healthy.load(Ordering::SeqCst) && self.queue.open.load(Ordering::SeqCst)
    }

    /// Hands over a row. Never waits for the disk.
    pub(crate) fn push(&self, row: Row, slot: Slot) {
        let mut rows = self.queue.rows.lock();
        if rows.ended {
            drop(rows);
            log_lost(&row);
            return;
        }
        rows.waiting.push((row, slot));
        let waiting = rows.waiting.len();
        drop(rows);
        if waiting == 1 {
            self.queue.some.notify_one();
        } else if waiting == GROUP {
            self.queue.full.notify_one();
        }
    }

    /// Rows that may not be on disk yet. Some of them may be: the request id tells.
    pub(crate) fn pending(&self) -> Vec<Row> {
        let rows = self.queue.rows.lock();
        let all = rows.writing.iter().chain(&rows.waiting);
        all.map(|(row, _)| row.clone()).collect()
    }

    /// Refuses new requests, writes what is there and stops the writer. Returns how many rows could
    /// not be written and went to the log. Blocks; a second call returns 0.
    pub(crate) fn close(&self) -> usize {
        self.queue.open.store(false, Ordering::SeqCst);
        let Some(writer) = self.writer.lock().take() else {
            return 0;
        };
        self.queue.rows.lock().closing = true;
        self.queue.some.notify_all();
        self.queue.full.notify_all();
        writer.join().unwrap_or_else(|_| self.queue.abandon())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("taken", &self.queue.taken.load(Ordering::SeqCst))
            .field("healthy", &self.healthy())
            .finish_non_exhaustive()
    }
}

/// Without a writer nobody is admitted, however it ended.
struct Writing<'a>(&'a Queue);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.open.store(false, Ordering::SeqCst);
    }
}

/// The writer's life. Returns how many rows it could not write.
fn write(queue: &Queue, mut connection: Connection) -> usize {
    let _writing = Writing(queue);
    while let Some(batch) = queue.next() {
        let mut closing_tries = CLOSING_TRIES;
        let rows = || batch.iter().map(|(row, _)| row);
        while let Err(error) = database::append(&mut connection, rows()) {
            queue.failed(&error, batch.len());
            if queue.pause() {
                closing_tries -= 1;
            }
            if closing_tries == 0 {
                drop(batch);
                return queue.abandon();
            }
        }
        drop(batch);
        queue.committed();
    }
    0
}

impl Queue {
    /// The next group, once there is one; `None` when closing and nothing is left.
    fn next(&self) -> Option<Arc<Vec<(Row, Slot)>>> {
        let mut rows = self.rows.lock();
        while rows.waiting.is_empty() && !rows.closing {
            self.some.wait(&mut rows);
        }
        if rows.waiting.len() < GROUP && !rows.closing {
            self.full.wait_for(&mut rows, GATHER);
        }
        if rows.waiting.is_empty() {
            rows.ended = true;
            return None;
        }
        let batch = std::mem::replace(&mut rows.waiting, Vec::with_capacity(GROUP));
        rows.writing = Arc::new(batch);
        Some(Arc::clone(&rows.writing))
    }

    fn committed(&self) {
        let done = std::mem::take(&mut self.rows.lock().writing);
        drop(done);
        if !self.healthy.swap(true, Ordering::SeqCst) {
            tracing::info!("The usage ledger can be written again; requests are admitted");
        }
    }

    fn failed(&self, error: &rusqlite::Error, rows: usize) {
        if self.healthy.swap(false, Ordering::SeqCst) {
            tracing::error!(
                error = error as &dyn std::error::Error,
                rows,
                "The usage ledger cannot be written; requests are refused until it can be"
            );
        }
    }

    /// Leaves the disk alone for a moment. Returns whether the ledger is being closed.
    fn pause(&self) -> bool {
        let mut rows = self.rows.lock();
        self.full.wait_for(&mut rows, RETRY);
        rows.closing
    }

    /// The last resort: usage that no database takes goes to the log, whole.
    fn abandon(&self) -> usize {
        let mut rows = self.rows.lock();
        rows.ended = true;
        let (writing, waiting) = (
            std::mem::take(&mut rows.writing),
            std::mem::take(&mut rows.waiting),
        );
        drop(rows);
        for (row, _) in writing.iter().chain(&waiting) {
            log_lost(row);
        }
        writing.len() + waiting.len()
    }
}

fn log_lost(row: &Row) {
    tracing::error!(
        request = %row.ask.request,
        key = %row.who.record.id,
        team = %row.who.record.team,
        model = %row.ask.model,
        day = %row.date,
        input = row.usage.input,
        cached = row.usage.cached,
        output = row.usage.output,
        outcome = row.outcome.as_str(),
        "Usage could not be written to the ledger"
    );
}
