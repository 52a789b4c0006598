//! What an earlier supervisor has left running, found in its files and believed only as far as the
//! processes themselves say so.

use std::{io, time::Duration};

use camino::Utf8PathBuf;
use fs_err as fs;
use maas_types::Layout;

use crate::{
    files::{self, ProcessLock},
    spec::{EngineFiles, EngineSpec},
    status::EngineStatus,
};

/// An engine that was started before this process.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) files: EngineFiles,
    pub(crate) spec: EngineSpec,
    pub(crate) status: Option<EngineStatus>,
    pub(crate) life: Life,
}

/// Whether its shim is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Lives,
    Dead,
}

/// A shim writes its first status in milliseconds. Only one that was started by a supervisor in its
/// last moments can still be without.
const FIRST_STATUS: Duration = Duration::from_secs(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Every engine that has a spec. A spec that cannot be read is reported and left alone: it may be
/// of a newer version.
pub(crate) async fn recover(layout: &Layout) -> io::Result<Vec<Found>> {
    let mut specs: Vec<Utf8PathBuf> = fs::read_dir(layout.engines())?
        .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.ok()?.path()).ok())
        .collect();
    specs.sort();
    let mut found = Vec::new();
    for path in specs {
        let Some(files) = EngineFiles::of_spec(&path) else {
            continue;
        };
        let spec: Option<EngineSpec> = files::read(&path);
        match spec {
            Some(spec) if spec.schema == EngineSpec::SCHEMA && spec.id == *files.id() => {
                found.push(look(files, spec).await);
            }
            Some(_) | None => {
                tracing::error!(%path, "ignored `{path}`: this version cannot read it as a spec");
            }
        }
    }
    Ok(found)
}

async fn look(files: EngineFiles, spec: EngineSpec) -> Found {
    let begun = tokio::time::Instant::now();
    loop {
        let status: Option<EngineStatus> = files::read(&files.status());
        let lives = status.as_ref().is_some_and(|status| status.shim.is_alive());
        // Nobody holds the lock: no shim is there, and none is about to write a status.
        let free = matches!(ProcessLock::take(&files.lock()), Ok(Some(_)));
        if lives || free || begun.elapsed() > FIRST_STATUS {
            let life = if lives { Life::Lives } else { Life::Dead };
            return Found {
                files,
                spec,
                status,
                life,
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}
