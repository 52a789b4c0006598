//! The trial of a new release: who replaces what served goes back by himself when it does not serve.
//!
//! ```text
//! trial.json     what is on trial, written before the switch; gone when the trial is over
//! trial-runner   a link to the binary of the release before, which runs the trial
//! ```
//!
//! The older release judges the newer one: it is known to run, and if the new binary does not even start, the
//! trial takes place all the same. After a power cut it goes on with the time that is left.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_store::{Generation, Lock, TrustDb, atomic};
use maas_types::{EngineState, EngineTable, GenerationId, Layout, ModelName};
use serde::{Deserialize, Serialize};

use crate::{InstallError, RollbackReceipt};

/// A release that has yet to show that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// `maas-appliance/trial/v1`. The older release reads what the newer one has written: fields are only
    /// ever added.
    pub schema: String,
    /// What served before and comes back.
    pub from: GenerationId,
    /// What is on trial.
    pub to: GenerationId,
    /// When it began, by the host's clock; for people.
    pub began: Timestamp,
    /// Models that must answer: those that did before and are in the new release too.
    pub models: Vec<ModelName>,
    /// How long the models must have answered, seconds.
    pub seconds: u64,
    /// How much of that is over, seconds.
    pub passed: u64,
    /// How long the first answers may take, seconds: the longest start of a model, and a margin.
    pub start_seconds: u64,
    /// How much of that is over, seconds.
    pub waited: u64,
}

/// What is thought of a trial at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not every model answers yet.
    Starting {
        /// Which does not, and how it is.
        waits_for: String,
    },
    /// All answer; the time is not over.
    Serving,
    /// It has shown what it had to.
    Kept,
    /// It does not serve.
    Bad {
        /// Why, in one sentence.
        reason: String,
    },
}

/// Whether the gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// It does.
    Answers,
    /// It does not.
    Silent,
}

/// An engine that was started so often within a trial is not going to stay: the first restart may be an
/// accident of the change itself (memory that comes back late), the second is none.
const RESTARTS: u32 = 2;

/// What a start may take beyond the model's own limit: draining the old engine, and a busy host.
const MARGIN_SECONDS: u64 = 180;

impl Trial {
    /// The value of [`Trial::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/trial/v1";

    /// How long a trial is unless the site says otherwise, seconds.
    pub const SECONDS: u64 = 600;

    /// A trial of `to`, where `table` says what answers now. A release in which nothing has answered yet is
    /// no better than the new one: nothing must answer then.
    pub fn of(
        from: GenerationId,
        to: &Generation,
        table: Option<&EngineTable>,
        seconds: u64,
        began: Timestamp,
    ) -> Self {
        let ready = |name: &ModelName| table.is_some_and(|t| t.ready_for(name).next().is_some());
        let models = to.models().iter().map(|model| &model.manifest);
        let starts = models.clone().map(|m| m.engine.start_timeout_seconds);
        Self {
            schema: Self::SCHEMA.to_owned(),
            from,
            to: to.id(),
            began,
            seconds,
            passed: 0,
            start_seconds: starts.max().unwrap_or(0).saturating_add(MARGIN_SECONDS),
            waited: 0,
            models: models.map(|m| m.name.clone()).filter(ready).collect(),
        }
    }

    /// Judges what the supervisor says, and whether the gateway answers.
    pub fn judge(&self, table: Option<&EngineTable>, gateway: Endpoint) -> Verdict {
        let starting = match self.open(table, gateway) {
            Ok(starting) => starting,
            Err(reason) => return Verdict::Bad { reason },
        };
        match starting {
            Some(waits_for) if self.waited >= self.start_seconds => Verdict::Bad {
                reason: format!("after {} s {waits_for}", self.waited),
            },
            Some(waits_for) => Verdict::Starting { waits_for },
            None if self.passed >= self.seconds => Verdict::Kept,
            None => Verdict::Serving,
        }
    }

    /// What is not there yet, or what will never be.
    fn open(
        &self,
        table: Option<&EngineTable>,
        gateway: Endpoint,
    ) -> Result<Option<String>, String> {
        let Some(table) = table.filter(|table| table.generation == Some(self.to)) else {
            return Ok(Some("the supervisor has not taken it up".to_owned()));
        };
        let mut waits_for = None;
        for model in &self.models {
            let engines = || table.engines.iter().filter(|engine| engine.model == *model);
            let lost = |engine: &&maas_types::EngineEntry| {
                engine.state == EngineState::Failed || engine.restarts >= RESTARTS
            };
            if let Some(engine) = engines().find(lost) {
                let why = engine
                    .reason
                    .as_deref()
                    .unwrap_or("it is restarted again and again");
                return Err(format!("engine `{}` does not stay up: {why}", engine.id));
            }
            if table.ready_for(model).next().is_none() {
                let how = engines().next().map_or("absent", |e| e.state.as_str());
                waits_for.get_or_insert_with(|| format!("`{model}` does not answer ({how})"));
            }
        }
        if gateway == Endpoint::Silent {
            waits_for.get_or_insert_with(|| "the gateway does not answer".to_owned());
        }
        Ok(waits_for)
    }

    /// Counts `seconds` that went by under this verdict.
    pub fn count(&mut self, verdict: &Verdict, seconds: u64) {
        match verdict {
            Verdict::Starting { .. } => self.waited = self.waited.saturating_add(seconds),
            Verdict::Serving => self.passed = self.passed.saturating_add(seconds),
            Verdict::Kept | Verdict::Bad { .. } => {}
        }
    }

    /// Begins: from here on the release before can come back by itself.
    pub fn begin(&self, lock: &Lock) -> Result<(), InstallError> {
        let target = Utf8PathBuf::from(format!("generations/{}/bin/maas-appliance", self.from));
        atomic::flip_link_on(lock.disk(), &lock.layout().trial_runner(), &target)?;
        self.write(lock)
    }

    /// Writes down how far it is.
    pub fn write(&self, lock: &Lock) -> Result<(), InstallError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| InstallError::Fact {
            what: "how to write the trial".to_owned(),
            source: error.into(),
        })?;
        let access = atomic::Access::Public;
        Ok(atomic::replace_on(
            lock.disk(),
            &lock.layout().trial(),
            &text,
            access,
        )?)
    }

    /// The trial that is going on.
    pub fn read(layout: &Layout) -> Result<Option<Self>, InstallError> {
        let path = layout.trial();
        let failed = |source| InstallError::Fact {
            what: format!("what is on trial (`{path}`)"),
            source,
        };
        match fs_err::read(&path) {
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Ends it, however it went. The record goes first: a link alone means nothing.
    pub fn end(lock: &Lock) -> Result<(), InstallError> {
        for path in [lock.layout().trial(), lock.layout().trial_runner()] {
            if path.symlink_metadata().is_ok() {
                lock.disk().remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Goes back, if what is on trial still serves; somebody may have been quicker.
    pub fn go_back(&self, lock: &Lock) -> Result<Option<RollbackReceipt>, InstallError> {
        if Generation::current_id(lock.layout())? != Some(self.to) {
            Self::end(lock)?;
            return Ok(None);
        }
        let (_, before) = Generation::before(lock.layout(), &TrustDb::open(lock)?)?;
        if before.id() != self.from {
            return Err(InstallError::Fact {
                what: format!("that generation {} comes back", self.from),
                source: std::io::Error::other(format!("before it served {}", before.id())),
            });
        }
        crate::rollback(lock).map(Some)
    }
}

/// A trial that ended badly, for whoever asks later why the older release serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTrial {
    /// `maas-appliance/failed-trial/v1`
    pub schema: String,
    /// What was on trial.
    pub trial: Trial,
    /// When it ended, by the host's clock.
    pub ended: Timestamp,
    /// Why, in one sentence.
    pub reason: String,
}

impl FailedTrial {
    /// The value of [`FailedTrial::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/failed-trial/v1";

    /// Writes it beside the receipt of the release.
    pub fn write(
        lock: &Lock,
        trial: &Trial,
        reason: &str,
        ended: Timestamp,
    ) -> Result<(), InstallError> {
        let failed = Self {
            schema: Self::SCHEMA.to_owned(),
            trial: trial.clone(),
            ended,
            reason: reason.to_owned(),
        };
        let text = serde_json::to_vec_pretty(&failed).map_err(|error| InstallError::Fact {
            what: "how to write what became of the trial".to_owned(),
            source: error.into(),
        })?;
        let path = Self::path(lock.layout(), trial.to);
        lock.disk().make_folder(&lock.layout().receipts())?;
        let access = atomic::Access::Public;
        Ok(atomic::replace_on(lock.disk(), &path, &text, access)?)
    }

    /// How the trial of a generation failed; `None` if it did not.
    pub fn read(layout: &Layout, of: GenerationId) -> Result<Option<Self>, InstallError> {
        let path = Self::path(layout, of);
        match fs_err::read(&path) {
            // One of another version is no reason to refuse to work.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(InstallError::Fact {
                what: format!("how the trial of {of} ended"),
                source,
            }),
        }
    }

    fn path(layout: &Layout, of: GenerationId) -> Utf8PathBuf {
        layout.receipts().join(format!("{of}.trial.json"))
    }
}

#[cfg(test)]
mod tests;
