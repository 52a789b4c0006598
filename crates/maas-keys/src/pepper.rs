//! The site's secret, and the code under which a key is stored.
//!
//! A key is stored as HMAC-SHA-256(pepper, `<id>_<secret>`). The secret has 256 random bits, so a
//! slow password hash would add nothing but time per request; the pepper makes a stolen `state.db`
//! worthless without a second file; the id in the input keeps one row's code from working in
//! another row.

use std::{fmt, io};

use aws_lc_rs::hmac;
use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// The secret that keys are hashed with, 32 bytes.
pub struct Pepper(hmac::Key);

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// The file cannot be read or written.
    #[error("failed to read or create the pepper `{path}`")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold 32 bytes, so it is not the pepper or not all of it.
    #[error("the pepper `{path}` has {length} bytes instead of 32; restore it from a backup")]
    Length {
        /// The file.
        path: Utf8PathBuf,
        /// Its length.
        length: usize,
    },
}

impl PepperError {
    /// What the process tells the shell.
    pub fn exit(&self) -> maas_types::Exit {
        match self {
            Self::Io { .. } => maas_types::Exit::Failed,
            Self::Length { .. } => maas_types::Exit::Content,
        }
    }
}

impl Pepper {
    /// Wraps 32 secret bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Reads the pepper at `path`, or writes `fresh` there (mode 0600, synced, never over an existing
    /// file) and takes that.
    ///
    /// A new pepper beside a database with old keys is noticed by [`crate::Registry::open`].
    pub fn load_or_create(path: &Utf8Path, fresh: &[u8; 32]) -> Result<Self, PepperError> {
        let failed = |source| PepperError::Io {
            path: path.to_owned(),
            source,
        };
        match fs_err::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path, fresh).map_err(failed)?;
                Self::load(path)
            }
            _ => Self::load(path),
        }
    }

    fn load(path: &Utf8Path) -> Result<Self, PepperError> {
        let bytes = fs_err::read(path).map_err(|source| PepperError::Io {
            path: path.to_owned(),
            source,
        })?;
        let bytes = Zeroizing::new(bytes);
        match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(Self::from_bytes(bytes)),
            Err(_) => Err(PepperError::Length {
                path: path.to_owned(),
                length: bytes.len(),
            }),
        }
    }

    pub(crate) fn code(&self, text: &str) -> Code {
        let tag = hmac::sign(&self.0, text.as_bytes());
        Code(tag.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper")
    }
}

/// Whole or not at all: a crash half-way leaves a file of another name, and a link never replaces.
fn create(path: &Utf8Path, fresh: &[u8; 32]) -> io::Result<()> {
    use io::Write;

    let new = path.with_extension("new");
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(fresh)?;
    file.sync_all()?;
    match fs_err::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs_err::remove_file(&new)?,
    }
    match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => fs_err::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// What is stored of a key: an HMAC-SHA-256. Compared in constant time only.
#[derive(Clone, Copy)]
pub(crate) struct Code([u8; 32]);

impl Code {
    /// No secret has this code, as far as anybody can find one; it stands in for unknown ids so that
    /// they take as long as known ones.
    pub(crate) const NOBODY: Self = Self([0; 32]);

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for Code {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("pepper");
        (folder, path)
    }

    #[test]
    fn a_pepper_is_created_once_and_never_replaced() {
        let (_folder, path) = folder();
        let first = Pepper::load_or_create(&path, &[1; 32]).unwrap();
        let second = Pepper::load_or_create(&path, &[2; 32]).unwrap();
        assert!(bool::from(first.code("x").ct_eq(&second.code("x"))));
        assert_eq!(fs_err::read(&path).unwrap(), [1; 32]);
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_pepper_cut_short_is_refused_and_kept() {
        let (_folder, path) = folder();
        fs_err::write(&path, [1; 31]).unwrap();
        let error = Pepper::load_or_create(&path, &[2; 32]).unwrap_err();
        assert!(
            matches!(error, PepperError::Length { length: 31, .. }),
            "{error}"
        );
        assert_eq!(fs_err::read(&path).unwrap(), [1; 31]);
    }

    #[test]
    fn another_pepper_gives_another_code() {
        let (one, two) = (Pepper::from_bytes(&[1; 32]), Pepper::from_bytes(&[2; 32]));
        assert!(!bool::from(one.code("x").ct_eq(&two.code("x"))));
        assert!(!bool::from(one.code("x").ct_eq(&one.code("y"))));
    }

    #[test]
    fn the_code_is_hmac_sha_256() {
        // Made with `openssl dgst -sha256 -mac HMAC`: RFC 4231 has no case with a 32-byte key.
        let code = Pepper::from_bytes(&[0x0b; 32]).code("Hi There");
        let text = format!("{:02x?}", code.0).replace(", ", "");
        insta::assert_snapshot!(text, @"[198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7]");
        assert_eq!(format!("{code:?}"), "Code");
    }
}
