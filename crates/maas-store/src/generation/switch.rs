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
    /// Makes this generation the one that serves, at one instant.
    pub fn switch(&self, lock: &Lock) -> Result<(), StoreError> {
        let target = Utf8PathBuf::from(format!("generations/{}", self.id()));
        let link = lock.layout().current();
        Ok(atomic::flip_link_on(lock.disk(), &link, &target)?)
    }

    /// Goes back to the generation that was installed before the one that serves. Floors stay: an
    /// older bundle on a medium is refused as before, only what is already here can come back.
    pub fn rollback(lock: &Lock, db: &TrustDb) -> Result<RolledBack, StoreError> {
        let layout = lock.layout();
        let from = current_id(layout)?.ok_or_else(|| StoreError::NoCurrent {
            path: layout.current(),
        })?;
        let order = db.generations()?;
        let before: Vec<_> = order
            .iter()
            .map(|row| row.id)
            .take_while(|id| *id != from)
            .collect();
        let target = before
            .iter()
            .rev()
            .find(|id| layout.generation(id).is_dir())
            .ok_or(StoreError::NothingBefore { current: from })?;
        let target = Self::open(layout, target)?;
        target.check()?;
        target.switch(lock)?;
        Ok(RolledBack {
            from,
            to: target.id(),
        })
    }
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
