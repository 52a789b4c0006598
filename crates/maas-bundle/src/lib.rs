//! The bundle: what the connected side builds, signs and copies, and the host verifies.
//!
//! The format is `bundle/FORMAT.md`; numbers in comments are its clauses. Nothing here touches a
//! file, the clock, the environment or a source of randomness: volumes and inputs are traits, `now`
//! and random bytes are arguments.
//!
//! | step | function | gives |
//! |---|---|---|
//! | keys | [`PrivateKey::generate`] | PEM files |
//! | root | [`RootFile::init`], [`RootFile::sign`] | `1.root.json`, a fingerprint |
//! | look into models | [`check_model`] | nothing that runs, nothing missing |
//! | build | [`Recipe::parse`], [`build`] | [`Built`], unsigned |
//! | sign | [`Metadata::sign`], [`Metadata::merge`] | signatures, on several machines |
//! | copy | [`copy`] | volumes |
//! | look | [`inspect`] | [`Inspection`], unverified |
//! | verify | [`verify_metadata`], [`verify_contents`] | [`Verified`]`<`[`Bundle`]`>`, [`Report`] |
//! | read | [`locate`], [`HashingReader`] | objects, each once |
#![warn(missing_docs)]

mod arrived;
mod bill;
mod build;
mod contents;
mod copy;
mod derived;
mod diff;
mod draft;
mod endorse;
mod inspect;
mod json;
mod key;
mod locate;
mod media;
mod metadata;
mod model;
mod oci;
mod problem;
mod progress;
mod read;
mod reader;
mod recipe;
pub mod sample;
mod source;
mod survey;
mod trust;
mod tuf;
mod verified;
mod verify;
mod volume;

pub use arrived::{ArrivedError, Base, look_into};
pub use bill::BillError;
pub use build::{BuildError, Built, Order, build};
pub use contents::{Report, verify_contents, verify_surroundings};
pub use copy::{Consignment, Copied, CopyError, compare_copy, copy, volumes_needed};
pub use diff::{Change, Difference, How, Side, diff};
pub use endorse::{Endorsement, EndorsementError, LARGEST_SIGNATURE, check_endorsements};
pub use inspect::{InspectedImage, InspectedModel, InspectedRoot, Inspection, inspect};
pub use key::{Algorithm, Detached, KeyError, PrivateKey, PublicKey, Salt, Signer, SignerId};
pub use locate::{Located, LocatedBlob, MissingObject, Object, locate};
pub use media::{
    Content, Entry, EntryKind, Media, MediaError, MediaFile, MediaPath, MediumName, MemoryMedia,
    Sink, SinkFile,
};
pub use metadata::{Metadata, MetadataFile};
pub use model::{ModelError, ModelFiles, RemoteCode, check_model, check_models};
pub use problem::{Fault, Problem};
pub use progress::{Phase, Progress, Silent};
pub use reader::{HashingReader, Mismatch, digest_of};
pub use recipe::{Recipe, RecipeError, RecipeImage, RecipeModel, parse_model_manifest};
pub use source::{Source, SourceEntry, SourceError, SourceFile, SourceKind};
pub use trust::{Expired, Floors, Trust, TrustError};
pub use tuf::{
    Client, Fingerprint, FingerprintError, Handover, MetaFile, Renewal, Role, RoleStatus,
    RootError, RootFile, RootSigners, SignError, Signers, TargetFile, TrustedRoot,
};
pub use verified::{AcceptedExpired, Bundle, Verified};
pub use verify::{bundles_on, verify_metadata};
pub use volume::{Spread, SpreadError};
