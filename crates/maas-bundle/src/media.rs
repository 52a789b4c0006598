//! A volume to read and a volume to write: a stick, a disc, a folder, or memory.
//!
//! Threats: links, pipes and devices where a file should be; names of the medium's own choosing;
//! files that are longer than signed. Defences: implementations open only a [`MediaPath`], which
//! nobody can make from free text; they must not follow links, must not cross to another file
//! system, must not block on a pipe, and must answer [`MediaError::NotRegular`] for anything that
//! is not a regular file with one link.

use std::{
    fmt,
    io::{self, Read, Write},
};

use maas_types::Exit;

pub use memory::{Content, MemoryMedia};
pub use path::{MediaPath, MediumName};

mod memory;
mod path;

/// A volume that is read.
pub trait Media: Send + Sync + fmt::Debug {
    /// What people call it: the mount point, the folder. Used in messages only.
    fn label(&self) -> &str;

    /// The entries of one folder, in any order, not recursive, without `.` and `..`.
    ///
    /// A folder that is not there is [`MediaError::Missing`]; a link or a file in its place is
    /// [`MediaError::NotRegular`].
    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError>;

    /// Opens a regular file. The length is what the file system says now; readers bound themselves
    /// by the signed length and never by this one.
    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError>;
}

/// An open file on a volume.
pub struct MediaFile<'a> {
    /// Its length as the file system says, bytes.
    pub size: u64,
    /// Its bytes, from the first.
    pub reader: Box<dyn Read + Send + 'a>,
}

impl fmt::Debug for MediaFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// One entry of a folder on a volume. The name is the medium's own and may be anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name; bytes that are not UTF-8 become U+FFFD. Never used to open anything.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file of so many bytes.
    File {
        /// Its length, bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link, wherever it points.
    Link,
    /// A pipe, a socket, a device.
    Special,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::File { .. } => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Special => "a pipe, socket or device",
        })
    }
}

/// A volume that is written.
pub trait Sink: Send {
    /// What people call it. Used in messages only.
    fn label(&self) -> &str;

    /// Starts a file that is not there yet; folders above it are made. A file that is there is an
    /// [`io::ErrorKind::AlreadyExists`] error. A dropped, unfinished file leaves nothing behind
    /// under that name. A path that [`MediaPath::is_executable`] gets mode 0755, others 0644.
    fn create(&mut self, path: &MediaPath) -> Result<Box<dyn SinkFile + '_>, MediaError>;

    /// Writes a small file, or replaces it at once: a reader sees the old bytes or the new ones.
    fn replace(&mut self, path: &MediaPath, bytes: &[u8]) -> Result<(), MediaError>;
}

/// A file on its way to a [`Sink`].
pub trait SinkFile: Write + Send {
    /// All bytes are written: make them durable and give the file its name.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Why a volume could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Nothing lies under that name.
    #[error("`{path}` is missing on `{volume}`")]
    Missing {
        /// The volume's label.
        volume: String,
        /// The name.
        path: MediaPath,
    },
    /// Something else than a file (or than a folder, when listing) lies under that name.
    #[error("`{path}` on `{volume}` is {found}")]
    NotRegular {
        /// The volume's label.
        volume: String,
        /// The name.
        path: MediaPath,
        /// What it is.
        found: EntryKind,
    },
    /// The medium failed.
    #[error("cannot read or write `{path}` on `{volume}`")]
    Io {
        /// The volume's label.
        volume: String,
        /// The name.
        path: MediaPath,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl MediaError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::NotRegular { .. } => Exit::Content,
            Self::Io { .. } => Exit::Medium,
        }
    }
}
