//! The secret that keys are hashed with.

use maas_store::{Lock, atomic};
use serde::Serialize;

use crate::InstallError;

/// 32 bytes: as long as what SHA-256 gives, below which HMAC keys are discouraged (RFC 2104, section 3).
const PEPPER_BYTES: usize = 32;

/// What became of the pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pepper {
    /// It was made.
    Made,
    /// It was there and stays as it is.
    Kept,
}

/// Makes the pepper (0600) where there is none. One that is there is never overwritten: all keys
/// would be lost.
pub fn ensure_pepper(lock: &Lock) -> Result<Pepper, InstallError> {
    let path = lock.layout().pepper();
    match path.symlink_metadata() {
        Ok(found) if found.is_file() && found.len() == PEPPER_BYTES as u64 => Ok(Pepper::Kept),
        Ok(found) => Err(InstallError::Pepper {
            path,
            found: found.len(),
            want: PEPPER_BYTES as u64,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut pepper = [0; PEPPER_BYTES];
            getrandom::fill(&mut pepper)
                .map_err(|error| InstallError::Random(std::io::Error::other(error)))?;
            lock.disk().make_folder(&lock.layout().state())?;
            atomic::replace_on(lock.disk(), &path, &pepper, atomic::Access::Private)?;
            Ok(Pepper::Made)
        }
        Err(source) => Err(InstallError::Fact {
            what: format!("whether `{path}` is there"),
            source,
        }),
    }
}
