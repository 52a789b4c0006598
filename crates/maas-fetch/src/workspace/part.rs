//! A file that is not whole yet: its first bytes, and a note of what they are the first bytes of.

use std::fs::Metadata;

use camino::Utf8PathBuf;
use fs_err::tokio::{File, OpenOptions};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::{Workspace, hash};
use crate::{
    FetchError,
    content::{ContentId, Hasher, Sums, sha256},
};

/// Bytes gathered before a write: networks deliver 16 KiB at a time, disks like more.
const BUFFER: usize = 1 << 20;

/// What the bytes of a part belong to. Anything else asked for starts from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    path: String,
    id: ContentId,
    size: u64,
    /// The server's strong validator, if it gave one.
    etag: Option<String>,
}

/// A part, open for the bytes that follow.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    workspace: &'a Workspace,
    note: Note,
    bytes: Utf8PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
    buffer: Vec<u8>,
}

impl Workspace {
    fn part_places(&self, path: &str) -> (Utf8PathBuf, Utf8PathBuf) {
        // Paths have folders and up to 1,024 bytes; file names have neither.
        let name = sha256(path.as_bytes()).short();
        (
            self.own(&format!("{name}.part")),
            self.own(&format!("{name}.json")),
        )
    }

    /// How many bytes of a file an earlier run has left here; they need no space and no network.
    pub(crate) fn part_length(&self, path: &str, size: u64, id: ContentId) -> u64 {
        self.usable_part(path, size, id)
            .map_or(0, |(_, length)| length)
    }

    fn usable_part(&self, path: &str, size: u64, id: ContentId) -> Option<(Note, u64)> {
        let (bytes, note) = self.part_places(path);
        let note: Note = serde_json::from_slice(&fs_err::read(note).ok()?).ok()?;
        let length = fs_err::symlink_metadata(bytes)
            .ok()
            .filter(Metadata::is_file)?
            .len();
        let same = note.path == path && note.id == id && note.size == size && length <= size;
        same.then_some((note, length))
    }
}

impl<'a> Part<'a> {
    /// Opens what an earlier run has left of this file, or an empty part.
    pub(crate) async fn open(
        workspace: &'a Workspace,
        path: &str,
        size: u64,
        id: ContentId,
    ) -> Result<Self, FetchError> {
        let (bytes, _) = workspace.part_places(path);
        let (note, length, hasher) = match workspace.usable_part(path, size, id) {
            Some((note, length)) if length > 0 => {
                (note, length, hash(bytes.clone(), id, size).await?)
            }
            Some(_) | None => {
                let path = path.to_owned();
                let etag = None;
                (
                    Note {
                        path,
                        id,
                        size,
                        etag,
                    },
                    0,
                    Hasher::new(id, size),
                )
            }
        };
        let mut options = OpenOptions::new();
        options.create(true).append(true).truncate(false);
        let file = options.open(&bytes).await.map_err(FetchError::disk)?;
        file.set_len(length).await.map_err(FetchError::disk)?;
        Ok(Self {
            workspace,
            note,
            bytes,
            file,
            hasher,
            length,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn etag(&self) -> Option<&str> {
        self.note.etag.as_deref()
    }

    /// Begins from nothing, with the validator of the server's new answer.
    pub(crate) async fn restart(&mut self, etag: Option<String>) -> Result<(), FetchError> {
        self.buffer.clear();
        self.file.set_len(0).await.map_err(FetchError::disk)?;
        self.length = 0;
        self.hasher = Hasher::new(self.note.id, self.note.size);
        self.note.etag = etag;
        let (_, note) = self.workspace.part_places(&self.note.path);
        let text = serde_json::to_vec(&self.note).expect("text and numbers are JSON");
        self.workspace.replace(&note, &text)
    }

    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush().await?;
        }
        Ok(())
    }

    /// What has been pushed is in the file.
    pub(crate) async fn flush(&mut self) -> Result<(), FetchError> {
        let written = self.file.write_all(&self.buffer).await;
        written.map_err(FetchError::disk)?;
        self.file.flush().await.map_err(FetchError::disk)?;
        self.buffer.clear();
        Ok(())
    }

    /// The sums of all bytes so far.
    pub(crate) fn sums(&self) -> Sums {
        self.hasher.clone().finish()
    }

    /// Gives the whole file its name, and remembers that it is right.
    pub(crate) async fn keep(mut self, sums: &Sums) -> Result<(), FetchError> {
        self.flush().await?;
        self.file.sync_all().await.map_err(FetchError::disk)?;
        let place = self.workspace.folder.join(&self.note.path);
        if let Some(parent) = place.parent() {
            fs_err::create_dir_all(parent).map_err(FetchError::disk)?;
        }
        fs_err::rename(&self.bytes, &place).map_err(FetchError::disk)?;
        let (_, note) = self.workspace.part_places(&self.note.path);
        remove(&note)?;
        self.workspace.remember(&self.note.path, self.note.id, sums)
    }

    /// Leaves nothing behind.
    pub(crate) fn discard(self) -> Result<(), FetchError> {
        let (bytes, note) = self.workspace.part_places(&self.note.path);
        remove(&bytes)?;
        remove(&note)
    }
}

fn remove(place: &camino::Utf8Path) -> Result<(), FetchError> {
    match fs_err::remove_file(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FetchError::disk(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
