//! The connected side: brings a model from a hub and images from registries into local folders, from
//! which a bundle is built. No host that serves runs any of this.
//!
//! Whatever comes over the network is named by a digest before its first byte is asked for, and has no
//! name on the disk before that digest has been compared. A branch or a tag is resolved once, and the
//! answer is told.
//!
//! - [`Hub`] fetches a revision of a model (Hugging Face's API, and mirrors that speak it).
//! - [`Registry`] fetches an image and its signatures (OCI distribution specification 1.1).
//! - [`Wire`] is how both reach their servers.
#![warn(missing_docs)]

mod access;
mod address;
mod content;
mod error;
mod hub;
#[cfg(test)]
mod loopback;
mod progress;
mod registry;
mod secret;
mod transfer;
mod wire;
mod workspace;

use maas_types::json::plain;

pub use address::{Address, AddressError};
pub use error::FetchError;
pub use hub::{
    FetchedFile, FetchedModel, Hub, ModelRequest, Pattern, RepoId, RepoIdError, Selection, Weights,
};
pub use progress::{Note, Progress, Silent};
pub use registry::{
    Credentials, FetchedImage, ImageRequest, Reference, ReferenceError, Registry, Signatures, Tags,
};
pub use secret::Secret;
pub use wire::{PlainHttp, Roots, Wire, WireError};
