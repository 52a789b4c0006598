//! What can go wrong when a bundle is installed.

use camino::Utf8PathBuf;
use maas_bundle::{EndorsementError, MediaError, ModelError, Report, TrustError};
use maas_store::{DiskError, StoreError};
use maas_types::{ByteSize, Digest, Exit};

/// A failure of planning or applying.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The store, the trust database or a generation.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A root that is not trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A volume cannot be listed.
    #[error(transparent)]
    Medium(#[from] MediaError),
    /// A model holds something that may not be installed. Nothing was activated.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What the maker of a model or an image has signed is not what came. Nothing was activated.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
    /// Not enough room. Found out before the first write.
    #[error(transparent)]
    NoSpace(Box<Shortage>),
    /// The host is not fit for this bundle. Found out before the first write.
    #[error("this host cannot take the bundle: {}", .failures.join("; "))]
    Unfit {
        /// What failed, each in one sentence.
        failures: Vec<String>,
    },
    /// The site's policy refuses the bundle. Found out before the first write.
    #[error("{text}")]
    Refused {
        /// What it refuses.
        text: String,
    },
    /// An image cannot be unpacked. Nothing was activated.
    #[error(transparent)]
    Image(#[from] maas_image::ImageError),
    /// Not enough people have agreed. Found out before the first write.
    #[error("{text}")]
    Unapproved {
        /// How many have, and how many must.
        text: String,
    },
    /// The volumes are not as they were signed. Found out before the first write.
    #[error("the media are not as they were signed: {}", sentences(.0))]
    Altered(Box<Report>),
    /// The volumes are a delta over something that is not here. Found out before the first write.
    #[error(
        "the volumes are a delta, and {blobs} blob(s) that they leave out are not here: {first}"
    )]
    NoBase {
        /// How many.
        blobs: usize,
        /// The first of them.
        first: Digest,
    },
    /// Files are on none of the volumes. Found out before the first write.
    #[error(transparent)]
    Missing(Box<maas_store::MissingBytes>),
    /// Something that the host itself should say cannot be read.
    #[error("failed to find out {what}")]
    Fact {
        /// What was asked: `the free space of /var/lib`.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program of the host that the seat needs has failed.
    #[error("`{command}` failed: {detail}")]
    HostCommand {
        /// As it would be typed.
        command: String,
        /// What it said.
        detail: String,
    },
    /// The pepper is there and not ours.
    #[error(
        "`{path}` has {found} bytes, want {want}; it is never overwritten, because every key is hashed with it"
    )]
    Pepper {
        /// The file.
        path: Utf8PathBuf,
        /// Its length.
        found: u64,
        /// The length it should have.
        want: u64,
    },
    /// The system has no random bytes for us.
    #[error("failed to get random bytes from the system")]
    Random(#[source] std::io::Error),
}

/// How much room is missing where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file system of `{path}` has too little room: {} and {inodes_needed} inodes are needed, {} and {inodes_free} inodes are free",
    ByteSize(*.bytes_needed), ByteSize(*.bytes_free)
)]
pub struct Shortage {
    /// The state folder, or the nearest folder above it that is there.
    pub path: Utf8PathBuf,
    /// Bytes that must be free, the reserve included.
    pub bytes_needed: u64,
    /// Bytes that are free.
    pub bytes_free: u64,
    /// Inodes that must be free, the reserve included.
    pub inodes_needed: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
}

/// The findings, the first ones in full.
fn sentences(report: &Report) -> String {
    /// More do not help anybody to decide what to do with the stick.
    const SHOWN: usize = 5;
    let mut shown: Vec<_> = report
        .problems
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if report.problems.len() > SHOWN {
        shown.push(format!("and {} more", report.problems.len() - SHOWN));
    }
    shown.join("; ")
}

impl From<DiskError> for InstallError {
    fn from(error: DiskError) -> Self {
        Self::Store(error.into())
    }
}

impl InstallError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Trust(error) => error.exit(),
            Self::Medium(error) => error.exit(),
            Self::Model(error) => error.exit(),
            Self::Endorsement(error) => error.exit(),
            Self::NoSpace(_) => Exit::NoSpace,
            Self::Unfit { .. } => Exit::HostCheck,
            Self::Refused { .. } => Exit::Policy,
            Self::Unapproved { .. } => Exit::Approval,
            Self::Image(error) => match error.kind() {
                maas_image::ErrorKind::Content => Exit::Content,
                maas_image::ErrorKind::Policy => Exit::Policy,
                maas_image::ErrorKind::NoSpace => Exit::NoSpace,
                maas_image::ErrorKind::Io => Exit::Failed,
            },
            Self::Altered(report) => report.exit(),
            Self::Missing(_) | Self::NoBase { .. } => Exit::Medium,
            Self::HostCommand { .. }
            | Self::Fact { .. }
            | Self::Pepper { .. }
            | Self::Random(_) => Exit::Failed,
        }
    }
}
