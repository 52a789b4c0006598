//! The link `current`, which says what serves.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{GenerationId, Layout};

use super::Generation;
use crate::{Lock, StoreError, TrustDb, atomic};

/// What a rollback did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RolledBack {
    /// What served before.
    pub from: GenerationId,
    /// What serves now.
    pub to: GenerationId,
}

impl Generation {
    /// Makes this generation the one that serves, at one instant. What served is noted first: after a
    /// power cut in between, [`Generation::before`] believes the link.
    pub fn switch(&self, lock: &Lock, db: &TrustDb) -> Result<(), StoreError> {
        db.note_serving(lock, self.id())?;
        self.flip(lock)
    }

    /// Goes back to the generation that served before. Floors stay: an older bundle on a medium is
    /// refused as before, only what is already here can come back.
    pub fn rollback(lock: &Lock, db: &TrustDb) -> Result<RolledBack, StoreError> {
        let (from, target) = Self::before(lock.layout(), db)?;
        target.check()?;
        target.flip(lock)?;
        db.forget_serving_after(lock, target.id())?;
        Ok(RolledBack {
            from,
            to: target.id(),
        })
    }

    /// What serves, and the generation that served before it and is still here: where a rollback goes.
    pub fn before(layout: &Layout, db: &TrustDb) -> Result<(GenerationId, Self), StoreError> {
        let (from, target) = before_id(layout, db)?;
        Ok((from, Self::open(layout, &target)?))
    }

    fn flip(&self, lock: &Lock) -> Result<(), StoreError> {
        let target = Utf8PathBuf::from(format!("generations/{}", self.id()));
        let link = lock.layout().current();
        Ok(atomic::flip_link_on(lock.disk(), &link, &target)?)
    }
}

/// The names of what [`Generation::before`] answers, whatever is in their folders.
pub(crate) fn before_id(
    layout: &Layout,
    db: &TrustDb,
) -> Result<(GenerationId, GenerationId), StoreError> {
    let from = current_id(layout)?.ok_or_else(|| StoreError::NoCurrent {
        path: layout.current(),
    })?;
    let mut served = db.served()?;
    // What was noted and never came to serve, or was left by a rollback that was cut off.
    let last = served.iter().rposition(|id| *id == from);
    served.truncate(last.unwrap_or(served.len()));
    let target = served
        .iter()
        .rev()
        .find(|id| **id != from && layout.generation(id).is_dir())
        .ok_or(StoreError::NothingBefore { current: from })?;
    Ok((from, *target))
}

/// The name that `current` says; `None` when there is no such link.
pub(super) fn current_id(layout: &Layout) -> Result<Option<GenerationId>, StoreError> {
    let link = layout.current();
    let target = match fs_err::read_link(&link) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Read { path: link, source }),
    };
    let target = Utf8Path::from_path(&target);
    let id = target
        .and_then(|target| target.strip_prefix("generations").ok())
        .and_then(|name| name.as_str().parse().ok());
    id.map(Some).ok_or_else(|| StoreError::GenerationDamaged {
        path: link,
        detail: "the link does not say `generations/<epoch>-<serial>`".to_owned(),
    })
}
