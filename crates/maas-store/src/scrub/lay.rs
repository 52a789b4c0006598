//! How the files of the store and of the generations lie: names, lengths, modes, and that a generation's
//! file is the store's. Looks at no content, so it takes moments.

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Layout;
use rustix::fs::FileType;
use serde::Serialize;

use crate::{Generation, Store, StoreError, store::inode};

/// A file that does not lie as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Crooked {
    /// The file.
    pub path: Utf8PathBuf,
    /// What is wrong with it.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong with how a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// There is none, or no regular file.
    #[error("is missing, or not a file")]
    Absent,
    /// It is a file of its own where it should be the store's.
    #[error("is not the store's file")]
    Another,
    /// Its length is wrong.
    #[error("has {found} bytes, want {expected}")]
    Length {
        /// What the signed bill says.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// Somebody may write to it.
    #[error("may be written to (mode {mode:04o}): nobody but `install` should")]
    Writable {
        /// Its permission bits.
        mode: u32,
    },
}

/// Everything in the store and in generations that does not lie as it should.
pub fn crooked(layout: &Layout) -> Result<Vec<Crooked>, StoreError> {
    let store = Store::new(layout);
    let mut found = Vec::new();
    for digest in store.files()?.keys() {
        let path = store.path(digest);
        found.extend(writable(&path).map(|fault| Crooked { path, fault }));
    }
    for generation in Generation::list(layout)?.whole {
        for (path, digest) in generation.links() {
            let expected = generation.record().bill.blob(&digest);
            let stored = inode(&store.path(&digest));
            let fault = fault(&path, expected.map(|blob| blob.size), stored);
            found.extend(fault.map(|fault| Crooked { path, fault }));
        }
    }
    Ok(found)
}

/// What is wrong with a generation's file. Where the store has none, that is the blob's fault, and told there.
fn fault(path: &Utf8Path, expected: Option<u64>, stored: Option<(u64, u64)>) -> Option<Fault> {
    let Some(here) = inode(path) else {
        return Some(Fault::Absent);
    };
    if stored.is_some_and(|stored| stored != here) {
        return Some(Fault::Another);
    }
    let (expected, found) = (expected?, crate::store::file_length(path)?);
    (expected != found).then_some(Fault::Length { expected, found })
}

fn writable(path: &Utf8Path) -> Option<Fault> {
    let status = rustix::fs::lstat(path.as_str()).ok()?;
    let mode = status.st_mode & 0o7777;
    let regular = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
    (regular && mode & 0o222 != 0).then_some(Fault::Writable { mode })
}
