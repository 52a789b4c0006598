//! Backups of an appliance: its configuration, state and keys, sealed in one file; and the bundle of
//! logs and facts that a site may hand to those who support it.
//!
//! The format is `docs/reference/backup-format.md`; the code cites its clauses. The files that are
//! backed up are the caller's list. Not in it: weights, images and caches, which a medium brings again.
//!
//! Touches the files it is given and nothing else: time, randomness and folders are arguments, and a
//! restore takes the [`maas_store::Lock`] and writes through its [`maas_store::Disk`].
#![warn(missing_docs)]

pub mod age;
mod archive;
mod create;
mod database;
mod error;
mod fingerprint;
mod manifest;
mod name;
mod restore;
mod scratch;
pub mod support;
mod verify;

pub use create::{Created, Item, Making, Source, create};
pub use error::{BackupError, Damage};
pub use manifest::{Access, Entry, Kind, Manifest, Owner};
pub use name::{EntryName, NameError};
pub use restore::{Area, Choice, Existing, Ids, Restored, Restoring, finish, restore};
pub use verify::{Verified, verify};

#[cfg(test)]
mod tests;
