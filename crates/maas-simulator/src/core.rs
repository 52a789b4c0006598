//! The engine core: it decides when each token exists, and nothing else.
//!
//! In the process tree it is a child of its own, so that killing or stopping it does what it does
//! to a real vLLM; in a test it is a task. Either way it is this code behind a socket.

use std::{collections::VecDeque, io, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    time::Instant,
};

use crate::frame::{Add, Command, Event, Frame, Frames};

/// Why the core ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoreEnd {
    /// The API process is gone.
    ApiGone,
    /// The worker is gone.
    WorkerGone,
    /// It was told to die.
    Told,
}

#[derive(Debug)]
struct Sequence {
    id: u64,
    prefill: u64,
    left: u64,
    each: Duration,
    due: Instant,
}

#[derive(Debug)]
struct Core {
    running: Vec<Sequence>,
    waiting: VecDeque<Add>,
    max_running: usize,
    hung: bool,
    out: BytesMut,
}

/// Serves one API process. `worker` answers each step with a byte; without one there is no worker.
pub(crate) async fn serve(
    link: UnixStream,
    worker: &mut Option<(UnixStream, u32)>,
    max_running: u64,
) -> CoreEnd {
    let (from_api, mut to_api) = link.into_split();
    let mut commands = Frames::new(from_api);
    let mut core = Core::new(max_running);
    let pid = worker.as_ref().map_or(0, |(_, pid)| u64::from(*pid));
    Event::Hello { worker: pid }.write(&mut core.out);
    loop {
        if core.flush(&mut to_api).await.is_err() {
            return CoreEnd::ApiGone;
        }
        let due = core.next_due();
        tokio::select! {
            command = next_command(&mut commands) => match command {
                None => return CoreEnd::ApiGone,
                Some(Command::Die) => return CoreEnd::Told,
                Some(command) => core.take(command),
            },
            () = sleep_until(due) => {
                if let Some((worker, _)) = worker
                    && execute(worker).await.is_err() {
                    return CoreEnd::WorkerGone;
                }
                core.step(Instant::now());
            }
            () = gone(worker) => return CoreEnd::WorkerGone,
        }
    }
}

/// A frame that no API of this build sends is as good as none.
async fn next_command(commands: &mut Frames<OwnedReadHalf>) -> Option<Command> {
    commands.next().await.ok().flatten()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Lets the worker do a step: a stopped worker stops the core with it.
async fn execute(worker: &mut UnixStream) -> io::Result<()> {
    worker.write_all(&[1]).await?;
    worker.read_exact(&mut [0]).await.map(|_| ())
}

/// Waits until the worker has gone. It never speaks unasked, so a read that ends means gone.
async fn gone(worker: &mut Option<(UnixStream, u32)>) {
    match worker {
        Some((worker, _)) => {
            worker.read_exact(&mut [0]).await.ok();
        }
        None => std::future::pending().await,
    }
}

impl Core {
    fn new(max_running: u64) -> Self {
        Self {
            running: Vec::new(),
            waiting: VecDeque::new(),
            max_running: usize::try_from(max_running).unwrap_or(usize::MAX).max(1),
            hung: false,
            out: BytesMut::new(),
        }
    }

    async fn flush(&mut self, to_api: &mut OwnedWriteHalf) -> io::Result<()> {
        let result = to_api.write_all(&self.out).await;
        self.out.clear();
        result
    }

    fn next_due(&self) -> Option<Instant> {
        let due = self.running.iter().map(|sequence| sequence.due).min();
        due.filter(|_| !self.hung)
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Add(add) => self.waiting.push_back(add),
            Command::Cancel { id } => {
                self.running.retain(|sequence| sequence.id != id);
                self.waiting.retain(|add| add.id != id);
            }
            Command::Hang => self.hung = true,
            Command::Resume => self.hung = false,
            Command::Die => {}
        }
        self.admit(Instant::now());
    }

    /// Moves sequences from the queue to the batch, and says how many there are now. A hung core
    /// says nothing: its numbers stand still, as a real one's do.
    fn admit(&mut self, now: Instant) {
        if self.hung {
            return;
        }
        while self.running.len() < self.max_running
            && let Some(add) = self.waiting.pop_front()
        {
            Event::Scheduled { id: add.id }.write(&mut self.out);
            self.running.push(Sequence {
                id: add.id,
                prefill: add.prefill,
                left: add.tokens,
                each: add.each,
                due: now + add.first,
            });
        }
        let (running, waiting) = (self.running.len() as u64, self.waiting.len() as u64);
        Event::Queue { running, waiting }.write(&mut self.out);
    }

    /// Produces a token for each sequence whose time has come.
    fn step(&mut self, now: Instant) {
        let mut tokens = 0;
        for sequence in self
            .running
            .iter_mut()
            .filter(|sequence| sequence.due <= now)
        {
            tokens += 1 + std::mem::take(&mut sequence.prefill);
            sequence.left = sequence.left.saturating_sub(1);
            sequence.due = now + sequence.each;
            Event::Token { id: sequence.id }.write(&mut self.out);
        }
        if tokens == 0 {
            return;
        }
        Event::Step { tokens }.write(&mut self.out);
        let before = self.running.len();
        self.running.retain(|sequence| sequence.left > 0);
        if self.running.len() != before {
            self.admit(now);
        }
    }
}

#[cfg(test)]
mod tests;
