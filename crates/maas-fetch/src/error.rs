//! What can go wrong while fetching, and what to do then.

use std::{io, time::Duration};

use camino::Utf8PathBuf;
use maas_types::{BlobPathError, ByteSize, Exit};

use crate::{AddressError, ReferenceError, RepoIdError, wire::WireError};

/// A download that did not happen, or not whole. What is already there and right stays; the same
/// call goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Not the name of a repository of a hub.
    #[error(transparent)]
    RepoId(#[from] RepoIdError),
    /// Not a reference to an image.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The server gives no useful answer, and asking again will not help.
    #[error(transparent)]
    Wire(Box<WireError>),
    /// The server gives no useful answer, and we have asked often enough.
    #[error("gave up after {attempts} failures in a row{}", .wait.map(|wait| format!("; the server asks us to wait {} s", wait.as_secs())).unwrap_or_default())]
    GaveUp {
        /// How often we have asked.
        attempts: u32,
        /// How long the server asks us to wait.
        wait: Option<Duration>,
        /// The last failure.
        #[source]
        source: Box<WireError>,
    },
    /// The hub or registry does not let us in.
    #[error("access to `{what}` is denied ({}): {why}", .source.answered().map(|s| s.to_string()).unwrap_or_default())]
    Denied {
        /// The repository.
        what: String,
        /// What that means, with or without a token.
        why: &'static str,
        /// The server's answer.
        #[source]
        source: Box<WireError>,
    },
    /// There is no such model, revision, image or platform.
    #[error("{what} is not there: {why}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What was found instead.
        why: String,
    },
    /// A document of the server breaks the rules.
    #[error("the answer about `{what}` cannot be used: {reason}")]
    Malformed {
        /// Which document.
        what: String,
        /// Which rule.
        reason: String,
    },
    /// Content that is not what was announced, twice.
    #[error("`{file}` from {address} is {found}, announced was {expected}")]
    Digest {
        /// The file.
        file: String,
        /// Where it came from.
        address: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Content that is shorter or longer than announced, twice.
    #[error("`{file}` from {address} has {found} bytes, announced were {expected}")]
    Length {
        /// The file.
        file: String,
        /// Where it came from.
        address: String,
        /// How long it should be.
        expected: u64,
        /// How long it is.
        found: String,
    },
    /// A file name that no bundle may hold.
    #[error("model `{repo}` holds a file that no bundle may hold")]
    Path {
        /// The repository.
        repo: String,
        /// Which, and why.
        #[source]
        source: BlobPathError,
    },
    /// Two files that some file systems take for one.
    #[error("`{one}` and `{other}` are one file where upper and lower case are the same")]
    SameName {
        /// A file.
        one: String,
        /// Another.
        other: String,
    },
    /// The image would bring layers from elsewhere.
    #[error("a layer of `{reference}` is to be had elsewhere only ({media_type})")]
    Foreign {
        /// The image.
        reference: String,
        /// What the layer says it is.
        media_type: String,
    },
    /// A tag where only a digest will do.
    #[error("`{reference}` names no digest, and a tag may be another image tomorrow")]
    DigestRequired {
        /// The reference as given.
        reference: String,
    },
    /// The disk is too small; found out before the first byte.
    #[error("`{folder}` needs {} more and has {} free", ByteSize(*.needed), ByteSize(*.free))]
    NoSpace {
        /// The folder.
        folder: Utf8PathBuf,
        /// Bytes that would be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Another process fills the same folder.
    #[error("another fetch fills `{folder}`")]
    Busy {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// A link or folder lies where a file has to go.
    #[error("`{path}` is a link or a folder, and a file has to go there")]
    InTheWay {
        /// Where.
        path: Utf8PathBuf,
    },
    /// The local disk failed; the cause names the file.
    #[error("the folder cannot be read or written")]
    Disk {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    pub(crate) fn disk(source: io::Error) -> Self {
        Self::Disk { source }
    }

    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Address(_) | Self::RepoId(_) | Self::Reference(_) => Exit::Usage,
            Self::Wire(error) => match **error {
                WireError::Plain { .. } => Exit::Policy,
                WireError::BadRoots => Exit::Usage,
                WireError::NoRoots { .. } => Exit::HostCheck,
                WireError::Redirect { .. }
                | WireError::Unreachable { .. }
                | WireError::Broken { .. }
                | WireError::Short { .. }
                | WireError::Silent { .. }
                | WireError::Status { .. }
                | WireError::TooLong { .. } => Exit::Failed,
            },
            Self::GaveUp { .. } | Self::InTheWay { .. } => Exit::Failed,
            Self::Denied { .. } => Exit::NotAllowed,
            Self::Missing { .. } => Exit::NotFound,
            Self::Malformed { .. } | Self::Digest { .. } | Self::Length { .. } => Exit::Content,
            Self::Path { .. }
            | Self::SameName { .. }
            | Self::Foreign { .. }
            | Self::DigestRequired { .. } => Exit::Policy,
            Self::NoSpace { .. } => Exit::NoSpace,
            Self::Busy { .. } => Exit::Busy,
            Self::Disk { source } => {
                let kind = source.kind();
                if matches!(
                    kind,
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) {
                    Exit::NoSpace
                } else {
                    Exit::Failed
                }
            }
        }
    }

    /// What to do next, if there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Wire(error) => match **error {
                WireError::Plain { .. } => Some(
                    "use https://; if the network between is yours alone, say so with the insecure setting",
                ),
                WireError::NoRoots { .. } => Some(
                    "install the package ca-certificates, or name your own authority's certificate (SSL_CERT_FILE)",
                ),
                WireError::Unreachable { .. } => Some(
                    "look at the cause above: a name, a port or a certificate; a site's own authority must be among the roots",
                ),
                WireError::BadRoots
                | WireError::Redirect { .. }
                | WireError::Broken { .. }
                | WireError::Short { .. }
                | WireError::Silent { .. }
                | WireError::Status { .. }
                | WireError::TooLong { .. } => None,
            },
            Self::GaveUp { .. } => Some(
                "what has arrived is kept; type the same command again later, it goes on from there",
            ),
            Self::Denied { .. } => Some(
                "open the repository's page in a browser: log in, accept the licence if it asks, make a token that may read, and give that token",
            ),
            Self::Missing { .. } => Some(
                "compare the spelling with the server's page; a private repository is not there for those without a token",
            ),
            Self::Digest { .. } | Self::Length { .. } => Some(
                "a proxy or mirror on the way may change files, or the server's store is damaged; try another network, then tell the publisher",
            ),
            Self::Path { .. } | Self::SameName { .. } => {
                Some("leave the file out with an exclude pattern, if the model runs without it")
            }
            Self::DigestRequired { .. } => Some(
                "resolve the tag once, compare the digest with the publisher's, and write it behind the name: name@sha256:…",
            ),
            Self::NoSpace { .. } => {
                Some("choose a folder on a larger disk; nothing has been written")
            }
            Self::Busy { .. } => Some("wait for it, or choose another folder"),
            Self::InTheWay { .. } => Some("move it away, or choose an empty folder"),
            Self::Address(_)
            | Self::RepoId(_)
            | Self::Reference(_)
            | Self::Malformed { .. }
            | Self::Foreign { .. }
            | Self::Disk { .. } => None,
        }
    }
}

impl From<WireError> for FetchError {
    fn from(error: WireError) -> Self {
        Self::Wire(Box::new(error))
    }
}
