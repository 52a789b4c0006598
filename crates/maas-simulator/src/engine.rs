//! The API process's end of the socket to the core.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use crate::{
    frame::{Add, Command, Event, Frame, Frames},
    metrics::Metrics,
};

/// What happens to a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is being produced.
    Scheduled,
    /// Its next token exists.
    Token,
    /// It was aborted because the engine stops.
    Aborted,
    /// The core is gone.
    Dead,
}

/// Says what happens to which choice of a request.
type ProgressSender = mpsc::UnboundedSender<(u64, Progress)>;

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Yes.
    Serving,
    /// It finishes what it has.
    Draining,
    /// The core is gone.
    Dead,
}

/// The connection to the core and every sequence that it works on.
#[derive(Debug)]
pub(crate) struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    sequences: Mutex<HashMap<u64, (u64, ProgressSender)>>,
    next: AtomicU64,
    worker: AtomicU32,
    hello: Notify,
    idle: Notify,
    life: watch::Sender<Life>,
}

/// The sequences of one request. Dropping it cancels those that are not done.
#[derive(Debug)]
pub(crate) struct Generation {
    engine: Arc<Engine>,
    ids: Vec<u64>,
    progress: mpsc::UnboundedReceiver<(u64, Progress)>,
}

impl Engine {
    /// Takes the socket to a core; the tasks that serve it go into `tasks`.
    pub(crate) fn start(
        link: UnixStream,
        metrics: Arc<Metrics>,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let engine = Arc::new(Self {
            commands,
            sequences: Mutex::default(),
            next: AtomicU64::new(0),
            worker: AtomicU32::new(0),
            hello: Notify::new(),
            idle: Notify::new(),
            life: watch::Sender::new(Life::Serving),
        });
        let (from_core, to_core) = link.into_split();
        tasks.spawn(write(queue, to_core));
        tasks.spawn(read(Arc::clone(&engine), Frames::new(from_core), metrics));
        engine
    }

    /// Waits for the core's first word and gives the worker's process id, 0 for none.
    pub(crate) async fn worker(&self) -> u32 {
        self.hello.notified().await;
        self.worker.load(Ordering::Acquire)
    }

    /// Whether requests are taken, now and later.
    pub(crate) fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Takes no new requests from now on.
    pub(crate) fn drain(&self) {
        self.life.send_if_modified(|life| {
            let serving = *life == Life::Serving;
            if serving {
                *life = Life::Draining;
            }
            serving
        });
    }

    /// Gives the core one sequence for each of `wanted`; its choice is its place there.
    pub(crate) fn generate(self: &Arc<Self>, wanted: &[Add]) -> Generation {
        let (sender, progress) = mpsc::unbounded_channel();
        let mut ids = Vec::with_capacity(wanted.len());
        for (choice, add) in (0..).zip(wanted) {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            self.sequences.lock().insert(id, (choice, sender.clone()));
            ids.push(id);
            // After the insertion: a core that dies now finds the sequence and ends it.
            if *self.life.borrow() == Life::Dead {
                sender.send((choice, Progress::Dead)).ok();
            }
            self.send(Command::Add(Add { id, ..*add }));
        }
        Generation {
            engine: Arc::clone(self),
            ids,
            progress,
        }
    }

    pub(crate) fn send(&self, command: Command) {
        self.commands.send(command).ok();
    }

    /// Ends every sequence, because the engine stops or because its core is gone.
    pub(crate) fn end_all(&self, progress: Progress) {
        for (choice, sender) in self.sequences.lock().values() {
            sender.send((*choice, progress)).ok();
        }
    }

    /// How many sequences have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.sequences.lock().len()
    }

    /// Waits until no sequence is left.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }

    fn take(&self, event: Event, metrics: &Metrics) {
        let to = |id: u64, progress| {
            if let Some((choice, sender)) = self.sequences.lock().get(&id) {
                sender.send((*choice, progress)).ok();
            }
        };
        match event {
            Event::Hello { worker } => {
                let worker = u32::try_from(worker).unwrap_or(0);
                self.worker.store(worker, Ordering::Release);
                self.hello.notify_one();
            }
            Event::Scheduled { id } => to(id, Progress::Scheduled),
            Event::Token { id } => to(id, Progress::Token),
            Event::Step { tokens } => metrics.step(tokens),
            Event::Queue { running, waiting } => metrics.queue(running, waiting),
        }
    }
}

impl Generation {
    /// The next thing that happens, and to which choice.
    pub(crate) async fn next(&mut self) -> (u64, Progress) {
        // The engine keeps a sender for every sequence, so the channel closes only with the engine.
        self.progress.recv().await.unwrap_or((0, Progress::Dead))
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let mut sequences = self.engine.sequences.lock();
        for id in &self.ids {
            sequences.remove(id);
            // The core ignores one that it has finished.
            self.engine.send(Command::Cancel { id: *id });
        }
        if sequences.is_empty() {
            self.engine.idle.notify_waiters();
        }
    }
}

async fn write(mut queue: mpsc::UnboundedReceiver<Command>, mut to_core: OwnedWriteHalf) {
    let mut bytes = BytesMut::new();
    while let Some(command) = queue.recv().await {
        command.write(&mut bytes);
        while let Ok(more) = queue.try_recv() {
            more.write(&mut bytes);
        }
        if to_core.write_all(&bytes).await.is_err() {
            return; // The reader finds the core gone and says so.
        }
        bytes.clear();
    }
}

async fn read(engine: Arc<Engine>, mut frames: Frames<OwnedReadHalf>, metrics: Arc<Metrics>) {
    while let Ok(Some(event)) = frames.next().await {
        engine.take(event, &metrics);
    }
    engine.life.send_replace(Life::Dead);
    engine.hello.notify_one();
    engine.end_all(Progress::Dead);
}
