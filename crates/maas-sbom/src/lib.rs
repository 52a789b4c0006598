//! Bills of materials: what a bundle's binary, images and models consist of, as `CycloneDX` 1.6 JSON.
//!
//! Nothing here touches a file, a socket, a clock or the environment: bytes, readers and the time
//! are arguments, and the same arguments give the same bytes. What a list leaves out, it says
//! (`maas:completeness`, `compositions`); what its author only claims, it marks (`maas:basis`).
//!
//! | of | from | function |
//! |---|---|---|
//! | the binary | `Cargo.lock` | [`binary`] |
//! | an image | its layers, each read once as a tar stream | [`ImageScan`] |
//! | a model | its files, its manifest, `config.json`, `README.md` | [`model`] |
//! | anything | `CycloneDX` 1.4 to 1.6 of ours or of a vendor | [`summary`] |
#![warn(missing_docs)]

mod basis;
mod bom;
mod cargo;
mod image;
mod licence;
mod model;
mod purl;
mod subject;
mod summary;

pub use bom::Bom;
pub use cargo::{Built, LockError, binary};
pub use image::{ImageFacts, ImageScan, ScanError};
pub use model::{FileFact, Measured, ModelFacts, SourceRevision, model};
pub use summary::{BomError, Item, Summary, summary};
