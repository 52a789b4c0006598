//! The bill of a model.
//!
//! Two kinds of statement meet here, and each says which it is (`maas:basis`): what was computed from
//! the bytes of the bundle, and what an author or curator wrote and nobody can compute, such as a
//! licence or the model that this one was made from.
//!
//! Threats: `config.json` and `README.md` are the author's and may hold anything. Defences: both are
//! read up to a limit, for a few named fields, by readers that give nothing rather than an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maas_types::{BlobPath, Digest, ModelManifest};

use self::{card::Card, config::Config, front_matter::FrontMatter};
use crate::{
    basis::Basis,
    bom::{Bom, Component, ExternalReference, Hash, Kind, Pedigree, Property},
    licence::declared,
    subject::Subject,
};

mod card;
mod config;
mod front_matter;

const COMPLETENESS: &str = "Every file of the model, with its digest. What the model was trained \
    on and made from is as complete as its author says.";

/// What is known about a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelFacts<'a> {
    /// What its curator says.
    pub manifest: &'a ModelManifest,
    /// SHA-256 of its OCI manifest.
    pub oci_manifest: Digest,
    /// All its files.
    pub files: &'a [FileFact],
    /// What the headers of its weights say; `None` when nobody looked.
    pub measured: Option<&'a Measured>,
    /// `config.json`, when it has one.
    pub config: Option<&'a [u8]>,
    /// `README.md`, when it has one.
    pub readme: Option<&'a [u8]>,
    /// Who publishes it, as the curator says.
    pub publisher: Option<&'a str>,
    /// Where it came from, as the curator says.
    pub source: Option<SourceRevision<'a>>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// Where it lies in the model's folder.
    pub path: BlobPath,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
}

/// What the headers of a model's safetensors files say, which decides how their bytes are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// Elements of all tensors. Of packed quantised weights, elements as they are stored.
    pub parameters: u64,
    /// How many of them have each type.
    pub dtypes: BTreeMap<String, u64>,
    /// Bytes of all tensors.
    pub bytes: u64,
}

/// A repository and its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceRevision<'a> {
    /// An address.
    pub repository: &'a str,
    /// The commit.
    pub commit: &'a str,
}

/// The bill of a model.
pub fn model(facts: &ModelFacts<'_>, created: Timestamp) -> Bom {
    let subject = Subject::Model(facts.oci_manifest);
    let config = facts.config.map(Config::read).unwrap_or_default();
    let front = facts.readme.map(FrontMatter::read).unwrap_or_default();
    let mut component = Component::subject(
        Kind::MachineLearningModel,
        facts.manifest.name.as_str(),
        subject,
    );
    component.description = Some(facts.manifest.title.clone());
    component.publisher = facts.publisher.map(str::to_owned);
    component.licenses = declared(&facts.manifest.licence);
    component.pedigree = pedigree(&front);
    component.external_references = facts.source.map(source).into_iter().collect();
    component.components = files(facts.files);
    component.properties = properties(facts, &config, &front);
    component.model_card = Some(
        Card {
            task: facts.manifest.task,
            config: &config,
            front: &front,
            measured: facts.measured,
        }
        .to_json(),
    );
    Bom::new(subject, created, component, &[COMPLETENESS.to_owned()])
}

fn files(files: &[FileFact]) -> Vec<Component> {
    let by_path: BTreeMap<_, _> = files.iter().map(|file| (&file.path, file)).collect();
    by_path
        .into_values()
        .map(|file| {
            let mut component = Component::new(Kind::File, file.path.as_str());
            component.bom_ref = Some(format!("file {}", file.path));
            component.hashes = vec![Hash::sha256(file.digest)];
            component.properties = vec![
                Basis::CheckedAgainstBytes.of_all(),
                Property::new("maas:size", &file.size.to_string()),
            ];
            component
        })
        .collect()
}

/// What it was made from, as its README says.
fn pedigree(front: &FrontMatter) -> Option<Pedigree> {
    let ancestors: Vec<_> = front
        .all("base_model")
        .map(|name| {
            let mut component = Component::new(Kind::MachineLearningModel, name);
            component.properties = vec![Basis::AuthorsClaim.of_all()];
            component
        })
        .collect();
    (!ancestors.is_empty()).then_some(Pedigree { ancestors })
}

fn source(source: SourceRevision<'_>) -> ExternalReference {
    ExternalReference {
        kind: "vcs",
        // The schema wants an IRI: what an address may not hold is left out.
        url: source
            .repository
            .chars()
            .filter(|c| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(*c))
            .collect(),
        comment: format!("commit {}; authors-claim", source.commit),
    }
}

fn properties(facts: &ModelFacts<'_>, config: &Config, front: &FrontMatter) -> Vec<Property> {
    let mut properties = vec![
        Basis::CheckedAgainstBytes.of("hashes"),
        Basis::AuthorsClaim.of("licence"),
        Property::new("maas:context", &facts.manifest.context.to_string()),
        Basis::AuthorsClaim.of("context"),
    ];
    let mut claim = |field: &str, value: Option<&str>| {
        if let Some(value) = value {
            properties.push(Property::new(&format!("maas:{field}"), value));
            properties.push(Basis::AuthorsClaim.of(field));
        }
    };
    claim("origin", facts.manifest.origin.as_deref());
    claim("source-commit", facts.source.map(|source| source.commit));
    claim(
        "config-context",
        config.context.map(|c| c.to_string()).as_deref(),
    );
    claim("config-dtype", config.dtype.as_deref());
    claim("config-quantisation", config.quantisation.as_deref());
    for (key, field) in [
        ("license", "readme-licence"),
        ("license_name", "readme-licence-name"),
    ] {
        claim(field, front.all(key).next());
    }
    if facts.publisher.is_some() {
        properties.push(Basis::AuthorsClaim.of("publisher"));
    }
    if front.all("base_model").next().is_some() {
        properties.push(Basis::AuthorsClaim.of("pedigree"));
    }
    properties
}

#[cfg(test)]
mod tests;
