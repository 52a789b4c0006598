//! Container images without a container engine: unpacked into a root file system from which a service
//! manager runs an engine (`RootDirectory=`), or handed over to podman, Docker or containerd.
//!
//! ```text
//! layout ─► index ─► manifest ─► config          read strictly, hashed          document
//!              layer ─► blob ─► gunzip ─► tar    both digests on the way        layer, archive
//!                                      └► tree   beneath the root, whiteouts    tree, beneath
//!                                          └► syncfs ─► rename                  unpack
//! layout ─► one tar stream ─► docker load, ctr images import                    stream
//! ```
//!
//! The image was verified when it came: these are the signed bytes. They are hostile all the same; a
//! signature says who answers for an image, not that nothing in it leads out of it. Each module that
//! reads says what it expects and what it does about it.
//!
//! Where tools differ this is what is done here:
//!
//! | case | here |
//! |---|---|
//! | a folder over a link to a folder | takes the link's place, as in umoci and podman |
//! | a file over a link | takes the link's place; the target stays as it is |
//! | an entry below a link to a folder | lands in that folder, found with the image's root as `/` |
//! | an entry below a file or a dangling link | refused |
//! | a whiteout in any order | hides lower layers only |
//! | a whiteout of what is not there | nothing happens |
//! | a folder that no entry describes | 0755, root, 1970 |
//! | owner, mode and time of a hard link | those of its target |
//! | setuid, setgid, capabilities, devices | by [`Policy`] |
//!
//! Nothing here starts a process, reads a clock or the environment, or touches a network.
#![warn(missing_docs)]

mod archive;
mod beneath;
mod blob;
mod document;
pub mod engine;
mod error;
mod layer;
mod metadata;
mod name;
mod policy;
mod stream;
mod tree;
mod unpack;

pub use document::RunConfig;
pub use error::{ErrorKind, Flaw, ImageError};
pub use metadata::Left;
pub use policy::{Devices, Limits, Ownership, Policy, SetIds, Xattrs};
pub use stream::{ImageIds, archive, image_ids};
pub use unpack::{Progress, Record, Unpacked, unpack};

#[cfg(test)]
mod tests;
