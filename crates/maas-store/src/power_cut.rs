//! A rehearsed power cut, for the tests of every crate that writes through a [`Disk`].
//!
//! After so many effects every further one fails, as nothing happens any more on a machine without
//! power, clearing up included. Then bytes that were written and not forced to the disk are lost:
//! they read as zeros, which is what a journalling file system may leave of them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Mode, OFlags};

use crate::{Disk, Effect};

/// A disk that loses its power after so many effects.
#[derive(Debug, Clone)]
pub struct PowerCut {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    left: usize,
    happened: bool,
    /// Ranges of each file that were written and not forced to the disk.
    unforced: BTreeMap<Utf8PathBuf, Vec<(u64, u64)>>,
}

impl PowerCut {
    /// The power goes before effect number `effects`, counted from 0.
    pub fn before_effect(effects: usize) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                left: effects,
                happened: false,
                unforced: BTreeMap::new(),
            })),
        }
    }

    /// The disk that will lose its power.
    pub fn disk(&self) -> Disk {
        let state = Arc::clone(&self.state);
        Disk::watched(move |effect| guard(&state).hear(effect))
    }

    /// Whether the power went, or all was done before.
    pub fn happened(&self) -> bool {
        guard(&self.state).happened
    }

    /// Loses what was not forced to the disk. To be called when everything that used the disk has
    /// ended.
    pub fn lose_unforced(&self) -> io::Result<()> {
        for (path, ranges) in std::mem::take(&mut guard(&self.state).unforced) {
            lose(&path, &ranges)?;
        }
        Ok(())
    }
}

impl State {
    fn hear(&mut self, effect: &Effect<'_>) -> io::Result<()> {
        if self.left == 0 {
            self.happened = true;
            return Err(io::Error::other("the power is gone"));
        }
        self.left -= 1;
        match effect {
            Effect::Write(path, offset, bytes) => {
                let ranges = self.unforced.entry((*path).to_owned()).or_default();
                ranges.push((*offset, *bytes));
            }
            Effect::Sync(path) => {
                self.unforced.remove(*path);
            }
            Effect::Rename(from, to) => {
                if let Some(ranges) = self.unforced.remove(*from) {
                    self.unforced.insert((*to).to_owned(), ranges);
                }
            }
            Effect::Remove(path) => {
                self.unforced.retain(|file, _| !file.starts_with(path));
            }
            Effect::MakeFolder(_)
            | Effect::Create(_)
            | Effect::Allocate(..)
            | Effect::SyncFolder(_)
            | Effect::Link(..)
            | Effect::Symlink(..)
            | Effect::SetMode(..)
            | Effect::Commit(..) => {}
        }
        Ok(())
    }
}

fn lose(path: &Utf8Path, ranges: &[(u64, u64)]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path.as_str(), flags, Mode::empty())?;
    for (offset, bytes) in ranges {
        let zeros = vec![0; usize::try_from(*bytes).map_err(io::Error::other)?];
        rustix::io::pwrite(&file, &zeros, *offset)?;
    }
    Ok(())
}

/// A test that panicked while it held the state must not hide its own message.
fn guard(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
