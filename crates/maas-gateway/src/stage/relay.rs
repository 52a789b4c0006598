//! Passes a stream on, frame by frame, and ends it once.
//!
//! A task of its own, beside the client's connection: a client that reads slowly or not at all must
//! not keep a revoked or abandoned request running in the engine. It holds at most
//! [`FRAMES_AHEAD`] frames; beyond that the engine is slowed down.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use maas_types::Outcome;
use tokio::{sync::mpsc, time::Instant};

use super::{
    forward::{Opened, read_error},
    settle::Settlement,
};
use crate::{
    Pace, dialect,
    gateway::Shared,
    meter::{Meter, State},
    refusal::Refusal,
    reply::{self, Reply},
    sse::Frames,
};

/// Frames between engine and client. Why 32: a few hundred milliseconds of tokens, and about 10 kB.
const FRAMES_AHEAD: usize = 32;

/// How long a client may take to accept the event that says why its stream was cut. Why 1 s: it is a
/// courtesy; the engine is free already.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long an engine may take to close its stream after the last event.
const AFTER_THE_END: Duration = Duration::from_secs(5);

type Opening = Pin<Box<dyn Future<Output = Result<Opened, Refusal>> + Send>>;

/// One stream.
#[derive(Debug)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
    settlement: Settlement,
    meter: Meter,
    frames: Frames,
    to_client: mpsc::Sender<Bytes>,
    heard: Instant,
    progress: Progress,
    /// Whether the first token has come.
    spoke: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has come from the engine yet.
    Silent,
    /// Frames are coming.
    Running,
    /// The last frame has come; the request is settled.
    Settled,
}

/// Why a stream ends before the engine ended it.
#[derive(Debug)]
enum Cut {
    ClientGone,
    Revoked,
    ShutDown,
    EngineSilent,
    EngineBrokeOff,
    /// The engine refused or failed after the stream to the client had begun.
    Refused {
        said: Refusal,
        outcome: Outcome,
    },
}

/// What happens next.
enum Event {
    Bytes(Bytes),
    End,
    Quiet,
    Cut(Cut),
}

impl Relay {
    /// Passes on the stream of an engine that has begun to answer.
    pub(crate) fn started(
        shared: &Arc<Shared>,
        opened: Opened,
        meter: Meter,
        settlement: Settlement,
    ) -> Reply {
        let (relay, reply) = Self::new(shared, meter, settlement);
        shared.tasks.spawn(relay.run(opened));
        reply
    }

    /// Keeps the client's connection alive until an engine begins to answer.
    pub(crate) fn waiting(
        shared: &Arc<Shared>,
        opening: Opening,
        meter: Meter,
        settlement: Settlement,
    ) -> Reply {
        let (mut relay, reply) = Self::new(shared, meter, settlement);
        relay.keep_alive();
        shared.tasks.spawn(async move {
            match relay.wait(opening).await {
                Ok(opened) => relay.run(opened).await,
                Err(cut) => relay.cut(cut).await,
            }
        });
        reply
    }

    fn new(shared: &Arc<Shared>, meter: Meter, settlement: Settlement) -> (Self, Reply) {
        let (to_client, from_engine) = mpsc::channel(FRAMES_AHEAD);
        let relay = Self {
            shared: Arc::clone(shared),
            settlement,
            meter,
            frames: Frames::default(),
            to_client,
            heard: Instant::now(),
            progress: Progress::Silent,
            spoke: false,
        };
        (relay, reply::stream(from_engine))
    }

    fn pace(&self) -> &Pace {
        &self.shared.settings.pace
    }

    /// Says something, unless the client has not even taken what was said before.
    fn keep_alive(&mut self) {
        let frame = dialect::keep_alive(self.settlement.api.dialect());
        drop(self.to_client.try_send(frame));
    }

    /// Waits for an engine to begin.
    async fn wait(&mut self, mut opening: Opening) -> Result<Opened, Cut> {
        let mut opened = loop {
            let quiet = tokio::time::sleep(self.pace().keep_alive);
            tokio::select! {
                biased;
                () = self.settlement.revoked() => return Err(Cut::Revoked),
                () = self.shared.cut.cancelled() => return Err(Cut::ShutDown),
                () = self.to_client.closed() => return Err(Cut::ClientGone),
                opened = &mut opening => {
                    break opened.map_err(|said| Cut::Refused { said, outcome: Outcome::EngineFailed })?;
                }
                () = quiet => {}
            }
            if self.heard.elapsed() > self.pace().engine_silence {
                return Err(Cut::EngineSilent);
            }
            self.keep_alive();
        };
        self.settlement.sent_to(&opened.engine.entry.id);
        if opened.exchange.status.is_success() {
            return Ok(opened);
        }
        let error = read_error(&mut opened, self.settlement.api.dialect(), &self.settlement).await;
        let outcome = if error.refused {
            Outcome::EngineRefused
        } else {
            Outcome::EngineFailed
        };
        Err(Cut::Refused {
            said: error.midway,
            outcome,
        })
    }

    /// Passes frames on until the stream ends or is cut.
    async fn run(mut self, mut opened: Opened) {
        self.heard = Instant::now();
        loop {
            let step = match self.event(&mut opened).await {
                Event::Bytes(bytes) => self.pass(&bytes).await,
                Event::Quiet => {
                    self.keep_alive();
                    Ok(())
                }
                Event::End if self.progress == Progress::Settled => {
                    // Bytes after the last event, if there are any, are the client's as well.
                    let rest = self.frames.rest();
                    if !rest.is_empty() {
                        drop(self.send(rest).await);
                    }
                    opened.exchange.finished(&opened.engine);
                    return;
                }
                Event::End => Err(Cut::EngineBrokeOff),
                Event::Cut(cut) => Err(cut),
            };
            if let Err(cut) = step {
                // The engine stops computing now, not when the client has heard of it.
                drop(opened);
                self.cut(cut).await;
                return;
            }
        }
    }

    async fn event(&mut self, opened: &mut Opened) -> Event {
        let pace = &self.shared.settings.pace;
        let (quiet, patience) = match self.progress {
            Progress::Settled => (AFTER_THE_END, AFTER_THE_END),
            Progress::Silent | Progress::Running => (pace.keep_alive, pace.engine_silence),
        };
        tokio::select! {
            biased;
            () = self.settlement.revoked() => Event::Cut(Cut::Revoked),
            () = self.shared.cut.cancelled() => Event::Cut(Cut::ShutDown),
            () = self.to_client.closed() => Event::Cut(Cut::ClientGone),
            part = opened.exchange.next() => {
                self.heard = Instant::now();
                match part {
                    Some(Ok(bytes)) => Event::Bytes(bytes),
                    Some(Err(_)) => Event::Cut(Cut::EngineBrokeOff),
                    None => Event::End,
                }
            }
            () = tokio::time::sleep(quiet) => {
                if self.heard.elapsed() >= patience {
                    Event::Cut(Cut::EngineSilent)
                } else {
                    Event::Quiet
                }
            }
        }
    }

    /// Passes on the frames that are whole now.
    async fn pass(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next() {
            let seen = self.meter.observe(&frame);
            self.settlement.observe(self.meter.usage());
            if self.progress == Progress::Silent {
                self.progress = Progress::Running;
            }
            // `response.created` and the like come before there is a token.
            if !self.spoke && self.meter.usage().output > 0 {
                self.spoke = true;
                self.settlement.first_token();
            }
            // Billed before the client hears the end, so that whoever asks then finds it in the bill.
            match seen.state {
                State::Going => {}
                State::Ended => self.settle(Outcome::Complete),
                State::Failed => self.settle(Outcome::EngineFailed),
                State::Aborted => return Err(Cut::EngineBrokeOff),
            }
            if let Some(bytes) = seen.forward {
                self.send(bytes).await?;
            }
        }
        if self.frames.is_too_large() {
            return Err(Cut::EngineBrokeOff);
        }
        Ok(())
    }

    fn settle(&mut self, outcome: Outcome) {
        self.settlement.finish(outcome, StatusCode::OK);
        self.progress = Progress::Settled;
    }

    /// Gives the client a frame, and waits for as long as it may take to accept it.
    async fn send(&mut self, bytes: Bytes) -> Result<(), Cut> {
        let bytes = match self.to_client.try_send(bytes) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Cut::ClientGone),
            Err(mpsc::error::TrySendError::Full(bytes)) => bytes,
        };
        let sending = self.to_client.send(bytes);
        tokio::select! {
            biased;
            () = self.settlement.revoked() => Err(Cut::Revoked),
            () = self.shared.cut.cancelled() => Err(Cut::ShutDown),
            sent = tokio::time::timeout(self.shared.settings.pace.client_stall, sending) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(Cut::ClientGone),
            }
        }
    }

    /// Ends the stream before its time: bills what was seen, then says why.
    async fn cut(mut self, cut: Cut) {
        let served = self.progress != Progress::Silent;
        let (outcome, said) = match cut {
            Cut::ClientGone => (Outcome::ClientGone, None),
            Cut::Revoked => (Outcome::Revoked, Some(Refusal::RevokedMidway)),
            Cut::ShutDown => (Outcome::ShutDown, Some(Refusal::ShuttingDown)),
            Cut::EngineSilent => {
                let silence = self.pace().engine_silence;
                (Outcome::TimedOut, Some(Refusal::EngineSilent(silence)))
            }
            Cut::EngineBrokeOff => (Outcome::EngineFailed, Some(Refusal::EngineBrokeOff)),
            Cut::Refused { said, outcome } => (outcome, Some(said)),
        };
        let already_ended = self.progress == Progress::Settled;
        match outcome {
            // Nothing came of it, and that is not the client's doing.
            Outcome::EngineFailed | Outcome::EngineRefused | Outcome::ShutDown if !served => {
                self.settlement.finish_unserved(outcome, StatusCode::OK);
            }
            Outcome::Complete
            | Outcome::ClientGone
            | Outcome::EngineFailed
            | Outcome::EngineRefused
            | Outcome::TimedOut
            | Outcome::Revoked
            | Outcome::ShutDown => self.settlement.finish(outcome, StatusCode::OK),
        }
        if let Some(said) = said.filter(|_| !already_ended) {
            let id = self.settlement.id.clone();
            let thread = self.meter.thread();
            let frame = dialect::stream_error(self.settlement.api, &said, &id, thread);
            drop(tokio::time::timeout(FAREWELL, self.to_client.send(frame)).await);
        }
    }
}
