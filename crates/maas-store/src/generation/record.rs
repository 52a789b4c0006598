//! Reading `generation.json` and the names of generations.

use std::io;

use maas_types::{GenerationId, GenerationRecord, Layout};

use crate::StoreError;

/// The record of a generation, checked against the folder that it lies in.
pub(super) fn read(layout: &Layout, id: &GenerationId) -> Result<GenerationRecord, StoreError> {
    let path = layout.generation(id).join("generation.json");
    let bytes = fs_err::read(&path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            StoreError::NoSuchGeneration {
                id: *id,
                folder: layout.generations(),
            }
        } else {
            StoreError::Read {
                path: path.clone(),
                source,
            }
        }
    })?;
    let damaged = |detail: String| StoreError::GenerationDamaged {
        path: path.clone(),
        detail,
    };
    let record: GenerationRecord =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if record.schema != GenerationRecord::SCHEMA {
        let schema = record.schema.escape_debug();
        return Err(damaged(format!(
            "its schema is `{schema}`, want `{}`",
            GenerationRecord::SCHEMA
        )));
    }
    if record.id != *id {
        return Err(damaged(format!(
            "it says that it is generation {}",
            record.id
        )));
    }
    Ok(record)
}

/// The names of all complete generations, by epoch and serial. Names that are not generations, such
/// as one that was being assembled when the power went, are passed over.
pub(crate) fn ids(layout: &Layout) -> Result<Vec<GenerationId>, StoreError> {
    let folder = layout.generations();
    let read = |source| StoreError::Read {
        path: folder.clone(),
        source,
    };
    let entries = match fs_err::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(read)?.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
            ids.push(id);
        }
    }
    ids.sort();
    Ok(ids)
}
