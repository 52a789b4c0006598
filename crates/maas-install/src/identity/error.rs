//! What can go wrong with certificates.

use camino::Utf8PathBuf;
use maas_store::DiskError;
use maas_types::Exit;

/// A failure to make or read the appliance's certificates.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The configuration names nothing that clients could connect to.
    #[error("the configuration names neither a DNS name nor an address for the server certificate")]
    NoNames,
    /// A name that no certificate can hold.
    #[error("`{name}` is not a DNS name (want letters, digits, `-` and `.`, at most 253)")]
    BadName {
        /// The name, control characters escaped.
        name: String,
    },
    /// A file could not be read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file of ours is not what we wrote.
    #[error("`{path}` is not {what}: {detail}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// There is no CA yet.
    #[error("there is no CA certificate at `{path}` yet")]
    NoAuthority {
        /// Where it should be.
        path: Utf8PathBuf,
    },
    /// The CA's key is gone, and a certificate must be signed. The CA is not made anew: every client
    /// would stop trusting this appliance.
    #[error(
        "`{path}` is missing, so no server certificate can be signed; the CA is not made anew, because every client would have to be told"
    )]
    NoAuthorityKey {
        /// Where it should be.
        path: Utf8PathBuf,
    },
    /// The CA's certificate is gone although one was in use.
    #[error(
        "`{path}` is missing, and `{chain}` shows that there was a CA; it is not made anew, because every client would have to be told. Its certificate is the last one in that file"
    )]
    AuthorityGone {
        /// Where it should be.
        path: Utf8PathBuf,
        /// What shows that it was there, and holds a copy.
        chain: Utf8PathBuf,
    },
    /// The CA has ended.
    #[error(
        "the CA in `{path}` has expired; move the folder's files away to make a new one, and hand it out"
    )]
    AuthorityExpired {
        /// The certificate.
        path: Utf8PathBuf,
    },
    /// The cryptographic library refused.
    #[error("failed to {doing}")]
    Crypto {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        #[source]
        source: rcgen::Error,
    },
}

impl IdentityError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoNames | Self::BadName { .. } => Exit::Usage,
            Self::NoAuthority { .. } => Exit::NotFound,
            Self::Disk(error) if error.is_full() => Exit::NoSpace,
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::NotAllowed
            }
            Self::Read { .. }
            | Self::Disk(_)
            | Self::Malformed { .. }
            | Self::NoAuthorityKey { .. }
            | Self::AuthorityGone { .. }
            | Self::AuthorityExpired { .. }
            | Self::Crypto { .. } => Exit::Failed,
        }
    }
}
