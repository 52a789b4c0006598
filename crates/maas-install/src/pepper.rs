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
            lock.disk().make_folder(&lock.layout().gateway())?;
            atomic::replace_on(lock.disk(), &path, &pepper, atomic::Access::Private)?;
            Ok(Pepper::Made)
        }
        Err(source) => Err(InstallError::Fact {
            what: format!("whether `{path}` is there"),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use camino::Utf8Path;
    use maas_store::Holder;
    use maas_types::Layout;

    use super::*;

    fn lock(folder: &tempfile::TempDir) -> Lock {
        let holder = Holder {
            pid: 1,
            command: "test".to_owned(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        let layout = Layout::new(Utf8Path::from_path(folder.path()).unwrap());
        Lock::acquire(&layout, &holder).unwrap()
    }

    #[test]
    fn the_pepper_is_made_once_private_and_random() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (lock(&one), lock(&two));
        assert_eq!(ensure_pepper(&one).unwrap(), Pepper::Made);
        assert_eq!(ensure_pepper(&two).unwrap(), Pepper::Made);
        let read = |lock: &Lock| fs_err::read(lock.layout().pepper()).unwrap();
        let made = read(&one);
        assert_ne!(made, read(&two));
        assert_eq!(ensure_pepper(&one).unwrap(), Pepper::Kept);
        assert_eq!(made, read(&one));
        let mode = fs_err::metadata(one.layout().pepper())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_pepper_of_another_length_is_refused_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder);
        fs_err::create_dir_all(lock.layout().gateway()).unwrap();
        fs_err::write(lock.layout().pepper(), b"short").unwrap();
        assert!(matches!(
            ensure_pepper(&lock),
            Err(InstallError::Pepper {
                found: 5,
                want: 32,
                ..
            })
        ));
        assert_eq!(fs_err::read(lock.layout().pepper()).unwrap(), b"short");
    }
}
