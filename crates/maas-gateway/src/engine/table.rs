//! The supervisor's table, read from its file whenever that is replaced.
//!
//! A reader sees the old table or the new one, because the file is replaced by rename. A table that
//! cannot be read, or that has grown old because the supervisor is gone, does not stop a gateway
//! that could serve: the last good one stays, and `/readyz`, `status` and metrics say so.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use camino::{Utf8Path, Utf8PathBuf};
use futures_util::StreamExt;
use inotify::{Inotify, WatchMask};
use jiff::Timestamp;
use maas_types::{EngineState, EngineTable, ModelName};
use tokio_util::sync::CancellationToken;

use super::pick::Engine;
use crate::GatewayError;

/// How often the file is looked at when nothing is announced. Why 1 s: inotify tells of a change at
/// once; this is for file systems that do not, and half of the supervisor's 2 s between two writes.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the table current.
#[derive(Debug)]
pub(crate) struct EngineTableWatch {
    path: Utf8PathBuf,
    view: ArcSwap<View>,
}

/// One version of the table.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// `None` until there is one: no supervisor has written it yet.
    pub(crate) table: Option<EngineTable>,
    pub(crate) engines: Vec<Arc<Engine>>,
    /// Why the file as it is now is not this table.
    pub(crate) problem: Option<String>,
}

/// How fresh a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Absent,
    Stale,
    Fresh,
}

impl View {
    pub(crate) fn sequence(&self) -> u64 {
        self.table.as_ref().map_or(0, |table| table.sequence)
    }

    /// Every engine of `model`.
    pub(crate) fn of<'a>(&'a self, model: &'a ModelName) -> impl Iterator<Item = &'a Arc<Engine>> {
        self.engines
            .iter()
            .filter(move |engine| engine.entry.model == *model)
    }

    /// Engines that may be given requests.
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Arc<Engine>> {
        self.engines
            .iter()
            .filter(|engine| engine.entry.state == EngineState::Ready)
    }

    pub(crate) fn freshness(&self, now: Timestamp, stale_after: Duration) -> Freshness {
        match &self.table {
            None => Freshness::Absent,
            Some(table) => {
                let age = now.duration_since(table.written);
                match Duration::try_from(age) {
                    Ok(age) if age > stale_after => Freshness::Stale,
                    // Written in the future: a clock was set back, the table is not old.
                    Ok(_) | Err(_) => Freshness::Fresh,
                }
            }
        }
    }

    /// The next view: `table`, with what is known of the engines that it shares with this one.
    fn with(&self, table: EngineTable) -> Self {
        let known = |entry: &maas_types::EngineEntry| {
            let same =
                |old: &&Arc<Engine>| old.entry.id == entry.id && old.entry.socket == entry.socket;
            let old = self.engines.iter().find(same);
            old.map_or_else(Arc::default, |old| Arc::clone(&old.local))
        };
        let engine = |entry: &maas_types::EngineEntry| {
            Arc::new(Engine {
                entry: entry.clone(),
                local: known(entry),
            })
        };
        Self {
            engines: table.engines.iter().map(engine).collect(),
            table: Some(table),
            problem: None,
        }
    }

    /// The same table, and why the newest file is not it.
    fn but(&self, problem: String) -> Self {
        Self {
            table: self.table.clone(),
            engines: self.engines.clone(),
            problem: Some(problem),
        }
    }
}

impl EngineTableWatch {
    /// Reads the table for the first time. Its folder is made if it is not there.
    pub(crate) fn open(path: Utf8PathBuf) -> Result<Self, GatewayError> {
        let folder = path.parent().unwrap_or(Utf8Path::new("/"));
        fs_err::create_dir_all(folder).map_err(|source| GatewayError::EngineTable {
            path: folder.to_owned(),
            source,
        })?;
        let watch = Self {
            path,
            view: ArcSwap::default(),
        };
        watch.read();
        Ok(watch)
    }

    /// The table as it is now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Follows the file until `stop`.
    pub(crate) async fn follow(&self, stop: &CancellationToken) {
        let mut events = self.events();
        loop {
            let announced = async {
                match &mut events {
                    Some(events) => events.next().await.is_some_and(|event| event.is_ok()),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                well = announced => if !well { events = None },
                () = tokio::time::sleep(LOOK) => {}
            }
            self.read();
        }
    }

    /// Changes in the folder; `None` where the kernel has no more watches to give.
    fn events(&self) -> Option<inotify::EventStream<[u8; 1024]>> {
        let folder = self.path.parent()?;
        let watch = || {
            let inotify = Inotify::init()?;
            inotify
                .watches()
                .add(folder, WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE)?;
            inotify.into_event_stream([0; 1024])
        };
        let events: std::io::Result<_> = watch();
        events
            .inspect_err(|error| {
                tracing::warn!(path = %folder, %error, "Cannot watch `{folder}`; looking every second");
            })
            .ok()
    }

    fn read(&self) {
        let old = self.view.load();
        match load(&self.path) {
            Ok(None) => {}
            Ok(Some(table)) if old.table.as_ref() == Some(&table) && old.problem.is_none() => {}
            Ok(Some(table)) => {
                let next = old.with(table);
                tracing::debug!(sequence = next.sequence(), "Read the table of engines");
                self.view.store(Arc::new(next));
            }
            Err(problem) if old.problem.as_ref() == Some(&problem) => {}
            Err(problem) => {
                tracing::error!(path = %self.path, "Keeping the old table of engines: {problem}");
                self.view.store(Arc::new(old.but(problem)));
            }
        }
    }
}

/// Reads the file; `None` when there is none.
fn load(path: &Utf8Path) -> Result<Option<EngineTable>, String> {
    let text = match fs_err::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let table: EngineTable =
        serde_json::from_slice(&text).map_err(|error| format!("`{path}` is damaged: {error}"))?;
    if table.schema != EngineTable::SCHEMA {
        let (found, want) = (table.schema, EngineTable::SCHEMA);
        return Err(format!(
            "`{path}` has schema `{found}`, this gateway reads `{want}`"
        ));
    }
    Ok(Some(table))
}

#[cfg(test)]
mod tests;
