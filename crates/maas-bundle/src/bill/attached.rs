//! What a bill attaches to models and images: signatures of others, and documents (FORMAT.md 3.12 to
//! 3.14).

use std::collections::BTreeSet;

use maas_types::{BillOfLading, Digest, Document, DocumentKind, ImageSignatures, ModelSigner};

use super::{BillError, inconsistent};
use crate::json;

/// The critical feature of a bill with signed models.
pub(crate) const MODEL_SIGNATURES: &str = "model-signatures";
/// The critical feature of a bill with signed images.
pub(crate) const IMAGE_SIGNATURES: &str = "image-signatures";

/// A PEM file of a key or a certificate is two kilobytes at most; RSA roots have three.
const LONGEST_PEM: usize = 16 << 10;

/// Authorities that may stand for one signer.
const MOST_ROOTS: usize = 8;

/// Names, media types: a line for people.
const LONGEST_LINE: usize = 512;

pub(super) fn check(bill: &BillOfLading) -> Result<(), BillError> {
    for model in &bill.models {
        let name = &model.manifest.name;
        if let Some(signature) = &model.signature {
            needs(bill, MODEL_SIGNATURES)?;
            if !is_possible(&signature.signer) {
                return inconsistent(format!("the signer of model `{name}` is not one"));
            }
        }
    }
    for image in &bill.images {
        if let Some(signatures) = &image.signatures {
            needs(bill, IMAGE_SIGNATURES)?;
            if !is_signed(signatures) {
                let name = &image.name;
                return inconsistent(format!(
                    "the signatures of image `{name}` are none, or not sorted"
                ));
            }
        }
    }
    check_documents(bill)
}

/// Every digest that something attached names, with a word for it.
pub(super) fn references(bill: &BillOfLading) -> impl Iterator<Item = (Digest, String)> {
    let models = bill.models.iter().filter_map(|model| {
        let signature = model.signature.as_ref()?;
        let name = &model.manifest.name;
        Some((signature.blob, format!("the signature of model `{name}`")))
    });
    let images = bill.images.iter().flat_map(|image| {
        let name = &image.name;
        let blobs = image.signatures.iter().flat_map(|signatures| {
            let ImageSignatures {
                key: _,
                index,
                simple,
                payloads,
                bundles,
            } = signatures;
            index.iter().chain(simple).chain(payloads).chain(bundles)
        });
        blobs.map(move |blob| (*blob, format!("a signature of image `{name}`")))
    });
    let documents = bill.documents.iter().map(|document| {
        let what = match document.kind {
            DocumentKind::Sbom => "the bill of materials",
            DocumentKind::Provenance => "the statement of origin",
        };
        (document.blob, format!("{what} of `{}`", document.of))
    });
    models.chain(images).chain(documents)
}

/// A reader that does not know a feature must not pass over it.
fn needs(bill: &BillOfLading, feature: &str) -> Result<(), BillError> {
    if bill.critical.iter().any(|critical| critical == feature) {
        return Ok(());
    }
    inconsistent(format!("it has {feature} and does not call them critical"))
}

fn is_possible(signer: &ModelSigner) -> bool {
    let pem = |text: &String| !text.is_empty() && text.len() <= LONGEST_PEM;
    match signer {
        ModelSigner::Key(key) => pem(key),
        ModelSigner::Certificate { roots, identity } => {
            (1..=MOST_ROOTS).contains(&roots.len()) && roots.iter().all(pem) && is_line(identity)
        }
    }
}

fn is_signed(signatures: &ImageSignatures) -> bool {
    let ImageSignatures {
        key,
        index: _,
        simple,
        payloads,
        bundles,
    } = signatures;
    let sorted = |digests: &[Digest]| digests.is_sorted_by(|a, b| a < b);
    !key.is_empty()
        && key.len() <= LONGEST_PEM
        && (!simple.is_empty() || !bundles.is_empty())
        && (!simple.is_empty() || payloads.is_empty())
        && sorted(simple)
        && sorted(payloads)
        && sorted(bundles)
}

fn check_documents(bill: &BillOfLading) -> Result<(), BillError> {
    let key = |document: &Document| (document.of.clone(), document.kind, document.blob);
    if !bill.documents.is_sorted_by(|a, b| key(a) < key(b)) {
        return inconsistent("the documents are not sorted and unique");
    }
    let models = bill.models.iter().map(|model| model.manifest.name.as_str());
    let images = bill.images.iter().map(|image| image.name.as_str());
    let subjects: BTreeSet<_> = models.chain(images).chain(["binary"]).collect();
    for document in &bill.documents {
        if !subjects.contains(document.of.as_str()) {
            let of = json::plain(&document.of);
            return inconsistent(format!("a document is about `{of}`, which is not in it"));
        }
        if !is_line(&document.media_type) {
            return inconsistent("a document's media type is not plain text");
        }
    }
    Ok(())
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_LINE && !text.chars().any(char::is_control)
}
