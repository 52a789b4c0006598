//! What a bundle says beside its content: signatures of models, bills of materials, documents of others.

use std::io::{self, Read as _};

use maas_attest::oms::{self, Method};
use maas_sbom::{Bom, Built, FileFact, ModelFacts};
use maas_types::{
    BillOfLading, BlobPath, Document, DocumentKind, ModelSignature, ModelSigner, ShippedModel,
};

use super::{
    BuildError, Order,
    intake::{Input, Intake},
    model::read_text,
};
use crate::{
    ModelFiles, bill,
    endorse::{check_endorsements, parts_of, signed_files},
    model::{measure, sizes},
};

/// What a `CycloneDX` document in JSON is called (IANA).
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";

/// The package that the binary is built from.
const PACKAGE: &str = "maas-appliance";

/// A `Cargo.lock` and a README are far below; a model's settings too.
const LARGEST_TEXT: u64 = 4 << 20;

/// Fills in a bill that has its models and images, and checks what their makers signed: what no host
/// would take is not built.
pub(super) fn all(
    order: &Order<'_>,
    intake: &mut Intake<'_>,
    bill: &mut BillOfLading,
) -> Result<(), BuildError> {
    bill.blobs = intake.blobs();
    sign_models(order, intake, bill)?;
    if order.recipe.sbom {
        for at in 0..bill.models.len() {
            let document = model_sbom(intake, bill, &bill.models[at])?;
            bill.documents.push(document);
        }
        bill.documents.extend(binary_sbom(order, intake, bill)?);
    }
    for wanted in &order.recipe.documents {
        bill.documents.push(Document {
            kind: wanted.kind,
            of: wanted.of.clone(),
            media_type: wanted.media_type.clone(),
            blob: intake.take(Input::File(wanted.file.clone()))?.digest,
        });
    }
    let key = |document: &Document| (document.of.clone(), document.kind, document.blob);
    bill.documents.sort_by_key(key);
    bill.documents.dedup();
    if bill.images.iter().any(|image| image.signatures.is_some()) {
        bill.critical.push(bill::IMAGE_SIGNATURES.to_owned());
    }
    if bill.models.iter().any(|model| model.signature.is_some()) {
        bill.critical.push(bill::MODEL_SIGNATURES.to_owned());
    }
    bill.blobs = intake.blobs();
    check_endorsements(bill, &|digest| intake.small(digest))?;
    Ok(())
}

/// A document of our own about `of`.
pub(super) fn sbom(intake: &mut Intake<'_>, of: &str, bom: &Bom) -> Result<Document, BuildError> {
    Ok(Document {
        kind: DocumentKind::Sbom,
        of: of.to_owned(),
        media_type: CYCLONEDX.to_owned(),
        blob: intake.take(Input::Made(bom.to_json()))?.digest,
    })
}

/// Signs every model that nobody has signed, where there is a key.
fn sign_models(
    order: &Order<'_>,
    intake: &mut Intake<'_>,
    bill: &mut BillOfLading,
) -> Result<(), BuildError> {
    let Some(key) = order.model_key else {
        return Ok(());
    };
    for at in 0..bill.models.len() {
        let model = &bill.models[at];
        if model.signature.is_some() {
            continue;
        }
        let name = &model.manifest.name;
        let parts = parts_of(bill, model);
        let files = signed_files(bill, model, &parts);
        let signature = oms::sign(name.as_str(), &files, Method::Files, key);
        let signature = signature.map_err(|source| BuildError::Signing {
            model: name.clone(),
            source,
        })?;
        let blob = intake.take(Input::Made(signature))?.digest;
        let signer = ModelSigner::Key(key.public().to_pem());
        bill.models[at].signature = Some(ModelSignature { blob, signer });
    }
    Ok(())
}

fn model_sbom(
    intake: &mut Intake<'_>,
    bill: &BillOfLading,
    model: &ShippedModel,
) -> Result<Document, BuildError> {
    let name = &model.manifest.name;
    let size = |blob| bill.blob(blob).map_or(0, |blob| blob.size);
    let files: Vec<_> = model
        .files
        .iter()
        .map(|file| FileFact {
            path: file.path.clone(),
            digest: file.blob,
            size: size(&file.blob),
        })
        .collect();
    let taken = Taken {
        intake,
        bill,
        model,
    };
    let measured = measure(name, &taken)?;
    let config = taken.text("config.json");
    let readme = taken.text("README.md");
    let bom = maas_sbom::model(
        &ModelFacts {
            manifest: &model.manifest,
            oci_manifest: model.oci_manifest,
            files: &files,
            measured: (measured.parameters > 0).then_some(&measured),
            config: config.as_deref(),
            readme: readme.as_deref(),
            publisher: None,
            source: None,
        },
        bill.created,
    );
    sbom(intake, name.as_str(), &bom)
}

fn binary_sbom(
    order: &Order<'_>,
    intake: &mut Intake<'_>,
    bill: &BillOfLading,
) -> Result<Option<Document>, BuildError> {
    let Some(path) = &order.recipe.cargo_lock else {
        return Ok(None);
    };
    let lock = read_text(intake.source(), path)?;
    let built = Built {
        root_package: PACKAGE,
        digest: bill.binary,
        version: &bill.version,
    };
    let bom = maas_sbom::binary(&lock, built, bill.created);
    let bom = bom.map_err(|source| BuildError::Lock {
        path: path.clone(),
        source,
    })?;
    sbom(intake, "binary", &bom).map(Some)
}

/// A model whose files were read.
struct Taken<'a, 'b> {
    intake: &'a Intake<'b>,
    bill: &'a BillOfLading,
    model: &'a ShippedModel,
}

impl Taken<'_, '_> {
    /// A small file of the model; `None` when it has none, or one that is not small.
    fn text(&self, name: &str) -> Option<Vec<u8>> {
        let path: BlobPath = name.parse().ok()?;
        let file = self.model.files.iter().find(|file| file.path == path)?;
        let small = self.bill.blob(&file.blob)?.size <= LARGEST_TEXT;
        small.then(|| self.head(&path, LARGEST_TEXT).ok()).flatten()
    }
}

impl ModelFiles for Taken<'_, '_> {
    fn list(&self) -> Vec<(BlobPath, u64)> {
        sizes(self.bill, self.model)
    }

    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.model.files.iter().find(|file| file.path == *path);
        let blob = &file.ok_or(io::ErrorKind::NotFound)?.blob;
        let mut bytes = Vec::new();
        let reader = self.intake.reader(blob)?;
        reader.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
