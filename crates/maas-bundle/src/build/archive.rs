//! A tar archive as a table of names and places.
//!
//! Threats: `../` and absolute names, links, sparse members, a name that stands twice, sizes that
//! two readers understand differently, endless tables. Defences: nothing is ever unpacked to a
//! path; only regular members are seen, and of them only those whose exact name we ask for; a name
//! that stands twice is refused; the table has a limit; every slice is hashed and compared with a
//! digest before it counts.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::intake::Input;
use crate::{Source, SourceError};

/// Members of an image archive: layers and configs of some hundred images at most.
const MOST_MEMBERS: usize = 100_000;

/// The members of an archive by name.
#[derive(Debug)]
pub(super) struct Archive {
    path: Utf8PathBuf,
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    offset: u64,
    size: u64,
}

/// Why a file is not an archive that we read.
#[derive(Debug)]
pub(super) enum ArchiveError {
    Source(SourceError),
    Refused(String),
}

impl Archive {
    pub(super) fn open(source: &dyn Source, path: &Utf8Path) -> Result<Self, ArchiveError> {
        let error = |error: io::Error| {
            ArchiveError::Source(SourceError::Io {
                path: path.to_owned(),
                source: error,
            })
        };
        let mut file = source.open(path).map_err(ArchiveError::Source)?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file)
            .take(4)
            .read_to_end(&mut magic)
            .map_err(error)?;
        if magic.starts_with(&[0x1f, 0x8b]) || magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let what = "the whole archive is compressed: decompress it first";
            return Err(ArchiveError::Refused(what.to_owned()));
        }
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        let mut members = BTreeMap::new();
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek().map_err(error)? {
            let entry = entry.map_err(error)?;
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
                continue; // We ask for ASCII names only.
            };
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let member = Member {
                offset: entry.raw_file_position(),
                size: entry.size(),
            };
            if members.len() >= MOST_MEMBERS {
                let what = format!("it has more than {MOST_MEMBERS} members");
                return Err(ArchiveError::Refused(what));
            }
            if members.insert(name.clone(), member).is_some() {
                let what = format!("`{}` stands there twice", crate::json::plain(&name));
                return Err(ArchiveError::Refused(what));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            members,
        })
    }

    /// The member with exactly this name.
    pub(super) fn member(&self, name: &str) -> Option<Input> {
        let Member { offset, size } = *self.members.get(name)?;
        Some(Input::Slice {
            path: self.path.clone(),
            offset,
            size,
        })
    }
}
