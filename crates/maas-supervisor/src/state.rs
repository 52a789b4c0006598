//! The folders and the lock that one supervisor works with.

use std::{io, os::unix::fs::DirBuilderExt};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Layout;

use crate::{error::SupervisorError, files::ProcessLock, settings::BackEnd};

/// The layout below the root's one true path, with the folders that engines need. Specs, sockets
/// and marks name files by it, and processes with other working folders must read the same.
pub(crate) fn prepared(layout: &Layout, back_end: &BackEnd) -> Result<Layout, SupervisorError> {
    make(layout.root())?;
    let layout = resolved(layout)?;
    make(&layout.engines())?;
    match back_end {
        BackEnd::Direct => {
            make(&layout.engine_logs())?;
            make(&layout.engine_cache())?;
        }
        // Their units make them, for the engines' user.
        BackEnd::Units { .. } => {}
    }
    Ok(layout)
}

/// The same, without making anything; `None` if no engine was ever started there.
pub(crate) fn existing(layout: &Layout) -> Result<Option<Layout>, SupervisorError> {
    if layout.engines().is_dir() {
        resolved(layout).map(Some)
    } else {
        Ok(None)
    }
}

fn resolved(layout: &Layout) -> Result<Layout, SupervisorError> {
    let root = layout.root();
    root.canonicalize_utf8()
        .map(Layout::new)
        .map_err(failed(root))
}

fn make(folder: &Utf8Path) -> Result<(), SupervisorError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        // Sockets without a password of their own, and logs.
        .mode(0o750)
        .create(folder)
        .map_err(failed(folder))
}

/// Makes sure that there is one supervisor.
pub(crate) fn lock(layout: &Layout) -> Result<ProcessLock, SupervisorError> {
    let lock = layout.run().join("supervisor.lock");
    match ProcessLock::take(&lock) {
        Ok(Some(held)) => Ok(held),
        Ok(None) => Err(SupervisorError::Busy {
            root: layout.root().to_owned(),
            lock,
        }),
        Err(source) => Err(SupervisorError::State { path: lock, source }),
    }
}

pub(crate) fn failed(path: &Utf8Path) -> impl FnOnce(io::Error) -> SupervisorError + use<> {
    let path: Utf8PathBuf = path.to_owned();
    move |source| SupervisorError::State { path, source }
}
