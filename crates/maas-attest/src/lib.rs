//! What others signed: models by `OpenSSF` Model Signing, container images by cosign.
//!
//! A bundle's own signatures say who *shipped* it. This crate reads the signatures that its parts
//! bring along from where they were made, and compares what was signed with what is shipped.
//!
//! | signature | format | module |
//! |---|---|---|
//! | model | OMS v1.0 in a Sigstore bundle v0.3, by key or by certificate | [`oms`] |
//! | image, old layout | simple signing payloads in an OCI manifest, by key | [`cosign`] |
//! | image, new layout | in-toto statement in a Sigstore bundle v0.3, by key | [`cosign`] |
//!
//! Nothing here opens a file, asks a network, reads a clock or hashes content: bytes, digests and
//! the time are arguments, so what a store already knows is never read twice. Keyless signatures
//! need a log and a network, or an ageing copy of their trust root; they are refused by name.
//!
//! A signature can fail in three ways that call for three different people: nobody signed, somebody
//! signed who is not trusted, or the signature is wrong. [`Refusal`] keeps them apart, and apart from
//! good signatures over other content.
#![warn(missing_docs)]

mod bundle;
mod chain;
pub mod cosign;
pub mod dsse;
mod format;
mod json;
mod key;
mod octets;
pub mod oms;
mod refusal;
mod statement;

pub use chain::ChainError;
pub use format::FormatError;
pub use key::{Algorithm, KeyError, PublicKey, SigningKey};
pub use refusal::Refusal;

/// SHA-256 of bytes in memory.
fn digest_of(bytes: &[u8]) -> maas_types::Digest {
    use sha2::Digest as _;
    maas_types::Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}
