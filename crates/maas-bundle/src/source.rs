//! Where the inputs of a bundle come from: the builder's own files, named by the recipe.

use std::{
    fmt,
    io::{self, Read, Seek},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Exit;

/// A folder of inputs. Paths are the recipe's, relative to the recipe's folder (or absolute, or
/// climbing: the recipe's author may name what he may read). Links are followed, because the caches
/// of model hubs are made of them; what is not a file or a folder behind the link is refused.
pub trait Source: Send + Sync {
    /// What lies at `path`.
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError>;

    /// The entries of a folder, in any order, not recursive.
    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError>;

    /// Opens a file at its first byte.
    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError>;
}

/// An open input.
pub trait SourceFile: Read + Seek + Send {}

impl<T: Read + Seek + Send> SourceFile for T {}

impl fmt::Debug for dyn SourceFile + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceFile")
    }
}

/// What an input path names, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A file of so many bytes.
    File {
        /// Its length, bytes.
        size: u64,
    },
    /// A folder.
    Folder,
}

/// An entry of an input folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its name.
    pub name: String,
    /// What it is, links followed.
    pub kind: SourceKind,
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is missing or unreadable.
    #[error("cannot read input `{path}`")]
    Io {
        /// The path as the recipe spells it.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a pipe, a device, or a name that is not UTF-8.
    #[error("input `{path}` is neither a file nor a folder with a UTF-8 name")]
    NotRegular {
        /// The path as the recipe spells it.
        path: Utf8PathBuf,
    },
}

impl SourceError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Io { .. } | Self::NotRegular { .. } => Exit::Failed,
        }
    }
}
