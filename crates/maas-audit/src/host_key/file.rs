//! The key's file: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.

use std::{io, os::unix::fs::PermissionsExt as _};

use aws_lc_rs::signature::Ed25519KeyPair;
use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use maas_types::Exit;
use pkcs8::{LineEnding, SecretDocument};
use zeroize::Zeroizing;

const LABEL: &str = "PRIVATE KEY";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The file cannot be read or made.
    #[error("failed to read or create the host's key `{path}`")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else may read it, and sign in this host's name.
    #[error(
        "the host's key `{path}` can be read by others (mode {mode:04o}), who could sign in this host's name: if nobody has, `chmod 600` it; else move it away, so that a new one is made, and tell the auditors"
    )]
    Exposed {
        /// The file.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold an Ed25519 key.
    #[error(
        "`{path}` is not an Ed25519 private key (want a PEM file with a line `-----BEGIN PRIVATE KEY-----`): restore it from a backup; a new key would not answer for what the old one signed"
    )]
    NotAKey {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The public half that was given cannot be read.
    #[error("failed to read the public key of a host")]
    Public(#[source] maas_attest::KeyError),
    /// The public half that was given is of another kind.
    #[error("this key is not an Ed25519 key, and hosts sign with no others")]
    NotEd25519,
}

impl HostKeyError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NotAllowed
            }
            Self::Io { .. } => Exit::Failed,
            Self::Exposed { .. } => Exit::Policy,
            Self::NotAKey { .. } => Exit::Content,
            Self::Public(error) => error.exit(),
            Self::NotEd25519 => Exit::Usage,
        }
    }
}

pub(super) fn load(path: &Utf8Path) -> Result<Ed25519KeyPair, HostKeyError> {
    let failed = |source| HostKeyError::Io {
        path: path.to_owned(),
        source,
    };
    let file = fs_err::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(HostKeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let pem = Zeroizing::new(io::read_to_string(file).map_err(failed)?);
    let document = SecretDocument::from_pem(pem.trim_end())
        .ok()
        .filter(|(label, _)| *label == LABEL)
        .map(|(_, document)| document);
    document
        .and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.as_bytes()).ok())
        .ok_or_else(|| HostKeyError::NotAKey {
            path: path.to_owned(),
        })
}

/// Whole or not at all: a crash half-way leaves a file of another name, and a link never replaces what
/// somebody else has made meanwhile.
pub(super) fn create(path: &Utf8Path, pair: &Ed25519KeyPair) -> Result<(), HostKeyError> {
    let der = pair.to_pkcs8v1().expect("a key can be written");
    let pem = SecretDocument::try_from(der.as_ref())
        .and_then(|der| der.to_pem(LABEL, LineEnding::LF))
        .expect("a key can be written");
    write(path, pem.as_bytes()).map_err(|source| HostKeyError::Io {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write as _;

    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let linked = match fs_err::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs_err::remove_file(&new)?;
    linked?;
    crate::log::sync_folder_of(path)
}
