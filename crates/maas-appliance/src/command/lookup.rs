//! Values that a service publishes for everybody to read.

use camino::Utf8Path;
use maas_types::Exit;
use serde::de::DeserializeOwned;

use crate::error::CommandError;

/// Reads what a service replaced by rename; `None` when it never did.
pub(super) fn published<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>, CommandError> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        CommandError::new(
            Exit::Content,
            format!("{path} is not what a service of ours publishes"),
        )
        .hint(format!("the reader said: {error}"))
    })
}
