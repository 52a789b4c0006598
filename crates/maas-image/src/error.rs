//! What can go wrong with an image.

use std::io;

use camino::Utf8PathBuf;
use maas_types::{Digest, json::plain};
use rustix::io::Errno;

/// An image that was not unpacked or handed over.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The layout does not list the manifest that was asked for.
    #[error("`{path}` does not list the manifest {manifest}: the folder is of another image")]
    NotListed {
        /// The layout's `index.json`.
        path: Utf8PathBuf,
        /// What was asked for.
        manifest: Digest,
    },
    /// Index, manifest or config is not what it has to be.
    #[error("the {what} `{path}` cannot be used: {detail}")]
    Document {
        /// `index`, `manifest`, `config` or `layout mark`.
        what: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong, in plain text.
        detail: String,
    },
    /// A blob is not what its name promises.
    #[error("`{path}` is damaged: its bytes are {found}, wanted {wanted}; scrub the store")]
    Damaged {
        /// The blob.
        path: Utf8PathBuf,
        /// What it has to be.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// A blob has another length than its descriptor says.
    #[error("`{path}` has {found} bytes, wanted {wanted}; scrub the store")]
    Length {
        /// The blob.
        path: Utf8PathBuf,
        /// Bytes announced.
        wanted: u64,
        /// Bytes there.
        found: u64,
    },
    /// A layer says something that cannot be, or that is not done here.
    #[error("layer {layer} of the image{}: {flaw}", at(.entry))]
    Layer {
        /// Digest of the layer's blob.
        layer: Digest,
        /// The entry's name as plain text; empty where it is about the layer.
        entry: String,
        /// What is wrong with it.
        flaw: Box<Flaw>,
    },
    /// The disk, or the quota on it, is full.
    #[error(
        "no space left for `{path}`: with it the image's files have {bytes} bytes so far; what was unpacked is removed again"
    )]
    NoSpace {
        /// What was being written.
        path: String,
        /// Bytes of the image's files up to this one, itself included.
        bytes: u64,
    },
    /// Something else lies where the image should.
    #[error("`{path}` is there already and is not this image: {detail}; move it away")]
    Occupied {
        /// The folder.
        path: Utf8PathBuf,
        /// What it is.
        detail: String,
    },
    /// The system refused.
    #[error("failed to {doing} `{path}`")]
    Io {
        /// `open`, `write`, …
        doing: &'static str,
        /// What it was done to, as plain text.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What an error means for whoever must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The image is not what it should be: get it again.
    Content,
    /// The image asks for what is not done here: another image, or another policy.
    Policy,
    /// Make room.
    NoSpace,
    /// The machine.
    Io,
}

/// What is wrong with a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not a tar archive, or one that two readers understand differently.
    #[error("it is not a sound tar archive: {0}")]
    Archive(&'static str),
    /// gzip or zstd gave up: damaged, cut short, or a zstd window of more than 128 MiB.
    #[error("it cannot be decompressed: {0}")]
    Compression(String),
    /// First bytes and media type disagree.
    #[error("its media type says {announced}, its first bytes say {found}")]
    Packing {
        /// What the media type says.
        announced: &'static str,
        /// What the bytes say.
        found: &'static str,
    },
    /// Not a layer that is understood here.
    #[error("its media type `{0}` is not that of a layer")]
    MediaType(String),
    /// A layer whose bytes are to come from somewhere else.
    #[error("its bytes are to be fetched from elsewhere (`urls`)")]
    Foreign,
    /// Unpacked it is not what the config promises.
    #[error("unpacked it is {found}, but the config promises {wanted}")]
    DiffId {
        /// What the config says.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// A name leads up.
    #[error("the name has `..` in it")]
    Upwards,
    /// A name that no file can have.
    #[error("the name is empty, has a NUL in it, or is too long")]
    Name,
    /// A name that whiteouts reserve.
    #[error("the name is a whiteout of nothing that can be")]
    Whiteout,
    /// What leads to the entry is not a folder, or a link that leads nowhere.
    #[error("what leads to it is not a folder within the image")]
    Parent,
    /// The target of a hard link is missing, a folder, or the link itself.
    #[error("the hard link's target `{0}` is not a file within the image")]
    LinkTarget(String),
    /// The root of the image is given as something else than a folder.
    #[error("the root of the image must be a folder")]
    Root,
    /// A device.
    #[error("it is a device; an engine gets its devices from the host")]
    Device,
    /// A kind of entry that is not known.
    #[error("entries of type {0:?} are not known")]
    Type(char),
    /// More than the policy allows.
    #[error("{what}: more than the {limit} that are allowed")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much may be.
        limit: u64,
    },
}

impl Flaw {
    /// A limit that is exceeded.
    pub(crate) const fn limit(what: &'static str, limit: u64) -> Self {
        Self::Limit { what, limit }
    }
}

impl ImageError {
    /// What the error means for whoever must act.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotListed { .. }
            | Self::Document { .. }
            | Self::Damaged { .. }
            | Self::Length { .. } => ErrorKind::Content,
            Self::Layer { flaw, .. } => match **flaw {
                Flaw::Foreign | Flaw::Device | Flaw::Limit { .. } | Flaw::MediaType(_) => {
                    ErrorKind::Policy
                }
                Flaw::Archive(_)
                | Flaw::Compression(_)
                | Flaw::Packing { .. }
                | Flaw::DiffId { .. }
                | Flaw::Upwards
                | Flaw::Name
                | Flaw::Whiteout
                | Flaw::Parent
                | Flaw::LinkTarget(_)
                | Flaw::Root
                | Flaw::Type(_) => ErrorKind::Content,
            },
            Self::NoSpace { .. } => ErrorKind::NoSpace,
            Self::Occupied { .. } | Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// What is wrong with a layer, or with its entry of that name.
    pub(crate) fn layer(layer: Digest, name: &[u8], flaw: Flaw) -> Self {
        Self::Layer {
            layer,
            entry: shown(name),
            flaw: Box::new(flaw),
        }
    }

    /// A failure of the system, or of its space.
    pub(crate) fn io(doing: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let path = path.into();
        if is_full(&source) {
            Self::NoSpace { path, bytes: 0 }
        } else {
            Self::Io {
                doing,
                path,
                source,
            }
        }
    }

    /// The same, with how much the image has by then.
    pub(crate) fn after(mut self, written: u64) -> Self {
        if let Self::NoSpace { bytes, .. } = &mut self {
            *bytes = written;
        }
        self
    }
}

/// Why one entry was not applied; the layer and the name are added by who knows them.
#[derive(Debug)]
pub(crate) enum Failure {
    Flaw(Flaw),
    Disk(&'static str, Errno),
    /// The layer itself could not be read.
    Read(io::Error),
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// Bytes of an archive as text for a person.
pub(crate) fn shown(name: &[u8]) -> String {
    plain(&String::from_utf8_lossy(name))
}

fn at(entry: &str) -> String {
    match entry {
        "" => String::new(),
        name => format!(", entry `{name}`"),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_no_space() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            let error = ImageError::io("write", "a", errno.into()).after(7);
            assert!(matches!(&error, ImageError::NoSpace { path, bytes: 7 } if path == "a"));
            assert_eq!(error.kind(), ErrorKind::NoSpace);
        }
        assert_eq!(
            ImageError::io("write", "a", Errno::IO.into()).kind(),
            ErrorKind::Io
        );
    }

    #[test]
    fn a_name_of_an_archive_cannot_move_the_cursor() {
        assert_eq!(shown(b"a\x1b[2J\xff"), "a\\u{1b}[2J\u{fffd}");
    }
}
