//! Where an image's documents and blobs are: an OCI layout in a folder or in an archive, or an
//! archive as `podman save` and `docker save` write it.

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Digest;

use super::{
    archive::{Archive, ArchiveError},
    intake::Input,
};
use crate::{Source, SourceError, SourceKind};

/// A place with named files.
#[derive(Debug)]
pub(super) enum Layout {
    /// A folder.
    Folder(Utf8PathBuf),
    /// A tar archive.
    Archive(Archive),
}

impl Layout {
    pub(super) fn open(source: &dyn Source, path: &Utf8Path) -> Result<Self, ArchiveError> {
        match source.kind(path).map_err(ArchiveError::Source)? {
            SourceKind::Folder => Ok(Self::Folder(path.to_owned())),
            SourceKind::File { .. } => Archive::open(source, path).map(Self::Archive),
        }
    }

    /// The file with exactly this name; `None` when it is not there.
    pub(super) fn file(
        &self,
        source: &dyn Source,
        name: &str,
    ) -> Result<Option<Input>, SourceError> {
        match self {
            Self::Archive(archive) => Ok(archive.member(name)),
            Self::Folder(folder) => {
                let path = folder.join(name);
                match source.kind(&path) {
                    Ok(SourceKind::File { .. }) => Ok(Some(Input::File(path))),
                    Ok(SourceKind::Folder) => Ok(None),
                    Err(SourceError::Io { source, .. })
                        if source.kind() == std::io::ErrorKind::NotFound =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// A blob of an OCI layout.
    pub(super) fn blob(
        &self,
        source: &dyn Source,
        digest: &Digest,
    ) -> Result<Option<Input>, SourceError> {
        self.file(source, &format!("blobs/sha256/{}", digest.hex()))
    }
}
