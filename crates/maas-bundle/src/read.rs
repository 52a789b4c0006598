//! Reading small files whole, never more than their kind may have.

use std::io::{self, Read};

use crate::{Media, MediaError, MediaPath, TrustError};

/// Reads a file of at most `limit` bytes; a longer one is refused after `limit + 1` bytes, whatever
/// length the file system claims (endless data attack, TUF 5.3.3 and others).
pub(crate) fn read_capped(
    media: &dyn Media,
    path: &MediaPath,
    limit: u64,
) -> Result<Vec<u8>, TrustError> {
    let file = media.open(path)?;
    let mut bytes = Vec::new();
    file.reader
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| io_error(media, path, source))?;
    if bytes.len() as u64 > limit {
        return Err(TrustError::TooLarge {
            file: path.as_str().to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

pub(crate) fn io_error(media: &dyn Media, path: &MediaPath, source: io::Error) -> MediaError {
    MediaError::Io {
        volume: media.label().to_owned(),
        path: path.clone(),
        source,
    }
}
