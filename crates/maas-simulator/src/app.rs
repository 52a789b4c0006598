//! What all requests of one engine share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::{
    Behaviour, BehaviourError, Change, Failure, NextFailure, Settings, answer::mix, engine::Engine,
    error::ApiError, frame::Command, metrics::Metrics, prefix::PrefixCache, request::Request,
};

/// An end that was commanded, for the one who started the engine to carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Exit with code 0, now.
    Exit0,
    /// Kill the API process and leave the rest.
    Orphan,
}

/// One engine.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) prefix: Mutex<PrefixCache>,
    /// Requests that `/load` counts.
    pub(crate) load: Arc<AtomicU64>,
    behaviour: Mutex<Behaviour>,
    ids: AtomicU64,
    endings: mpsc::UnboundedSender<Ending>,
}

impl App {
    pub(crate) fn new(
        settings: Settings,
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
        endings: mpsc::UnboundedSender<Ending>,
    ) -> Arc<Self> {
        let app = Arc::new(Self {
            behaviour: Mutex::new(settings.behaviour.clone()),
            settings,
            engine,
            metrics,
            prefix: Mutex::default(),
            load: Arc::default(),
            ids: AtomicU64::new(0),
            endings,
        });
        let failure = app.behaviour().fail;
        app.begin(failure);
        app
    }

    /// How it behaves now.
    pub(crate) fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().clone()
    }

    /// Changes how it behaves, from now on and for running requests where that can be.
    pub(crate) fn simulate(&self, change: &Change) -> Result<Behaviour, BehaviourError> {
        let next = {
            let mut behaviour = self.behaviour.lock();
            *behaviour = behaviour.changed(change)?;
            behaviour.clone()
        };
        if change.fail != NextFailure::Same {
            self.begin(next.fail);
        }
        Ok(next)
    }

    /// The failure that requests meet now.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.behaviour.lock().fail
    }

    /// Sixteen hex digits that no other id of this engine has.
    pub(crate) fn fresh_id(&self) -> String {
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", mix(mix(self.settings.seed) ^ count))
    }

    /// The id of a request, without its prefix: the client's, or a fresh one.
    pub(crate) fn request_id(&self, request: &Request) -> String {
        request.id.clone().unwrap_or_else(|| self.fresh_id())
    }

    /// Seconds since 1970.
    pub(crate) fn created(&self) -> i64 {
        self.settings.clock.now().as_second()
    }

    /// `system_fingerprint`.
    pub(crate) fn fingerprint() -> String {
        "simulated-vllm-0.32.0".to_owned()
    }

    /// Refuses a model that is not served here. A request without a model gets the served one.
    pub(crate) fn check_model(&self, request: &Request) -> Result<(), ApiError> {
        match request.text("model") {
            Some(asked) if !self.settings.served_names.iter().any(|name| name == asked) => {
                Err(ApiError::unknown_model(asked, &self.settings.served_names))
            }
            _ => Ok(()),
        }
    }

    /// Starts what a failure does by itself; the others act when a request comes.
    fn begin(&self, failure: Option<Failure>) {
        match failure {
            Some(Failure::Hang) => self.engine.send(Command::Hang),
            Some(Failure::Die) => self.engine.send(Command::Die),
            Some(Failure::Exit0) => drop(self.endings.send(Ending::Exit0)),
            Some(Failure::Orphan) => drop(self.endings.send(Ending::Orphan)),
            Some(
                Failure::DieOnFirstToken
                | Failure::StreamError(_)
                | Failure::Drop(_)
                | Failure::Html
                | Failure::Refuse
                | Failure::Start,
            )
            | None => self.engine.send(Command::Resume),
        }
    }
}
