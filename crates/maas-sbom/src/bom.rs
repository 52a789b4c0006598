//! The part of `CycloneDX` 1.6 (ECMA-424) that we write, member for member in the schema's order.

use jiff::Timestamp;
use maas_types::Digest;
use serde::Serialize;

use crate::{licence::LicenceChoice, subject::Subject};

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    #[serde(rename = "bomFormat")]
    format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
    compositions: Vec<Composition>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Metadata {
    timestamp: Timestamp,
    tools: Tools,
    component: Component,
    properties: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tools {
    components: Vec<Component>,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Application,
    Container,
    File,
    Library,
    MachineLearningModel,
    OperatingSystem,
}

/// A thing that a subject consists of, or the subject itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Component {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    pub(crate) bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) publisher: Option<String>,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) licenses: Vec<LicenceChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pedigree: Option<Pedigree>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_references: Vec<ExternalReference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model_card: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) properties: Vec<Property>,
}

/// A SHA-256 of the bytes of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Hash {
    alg: &'static str,
    content: String,
}

/// What a component was made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Pedigree {
    pub(crate) ancestors: Vec<Component>,
}

/// Where to read more, outside the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ExternalReference {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) url: String,
    pub(crate) comment: String,
}

/// Where in the subject a component was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence {
    pub(crate) occurrences: Vec<Occurrence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Occurrence {
    pub(crate) location: String,
}

/// A word of ours where the standard has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Who needs whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dependency {
    #[serde(rename = "ref")]
    pub(crate) of: String,
    pub(crate) depends_on: Vec<String>,
}

/// How complete a list is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Composition {
    aggregate: &'static str,
    assemblies: Vec<String>,
}

impl Bom {
    /// The bill of `subject`. Every list of ours is `incomplete`: none of the three sources names all
    /// that is there, and `completeness` says what is missing.
    pub(crate) fn new(
        subject: Subject,
        created: Timestamp,
        component: Component,
        completeness: &[String],
    ) -> Self {
        let mut tool = Component::new(Kind::Application, env!("CARGO_PKG_NAME"));
        tool.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Self {
            format: "CycloneDX",
            spec_version: "1.6",
            serial_number: subject.serial_number(),
            version: 1,
            compositions: vec![Composition {
                aggregate: "incomplete",
                assemblies: vec![subject.to_string()],
            }],
            metadata: Metadata {
                timestamp: created,
                tools: Tools {
                    components: vec![tool],
                },
                component,
                properties: completeness
                    .iter()
                    .map(|text| Property::new("maas:completeness", text))
                    .collect(),
            },
            components: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    pub(crate) fn with_components(mut self, components: Vec<Component>) -> Self {
        self.components = components;
        self
    }

    pub(crate) fn with_dependencies(mut self, dependencies: Vec<Dependency>) -> Self {
        self.dependencies = dependencies;
        self
    }

    /// The file: two spaces, members in the schema's order, a final newline.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("our own structures are always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// `urn:uuid:…`, a function of the subject's kind and digest.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// How many components it lists beside its subject.
    pub fn component_count(&self) -> usize {
        self.components.len() + self.metadata.component.components.len()
    }
}

impl Component {
    /// A component with a name and nothing else.
    pub(crate) fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            bom_ref: None,
            publisher: None,
            name: name.to_owned(),
            version: None,
            description: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
            purl: None,
            pedigree: None,
            external_references: Vec::new(),
            components: Vec::new(),
            evidence: None,
            model_card: None,
            properties: Vec::new(),
        }
    }

    /// The component that a bill is about.
    pub(crate) fn subject(kind: Kind, name: &str, subject: Subject) -> Self {
        let mut component = Self::new(kind, name);
        component.bom_ref = Some(subject.to_string());
        component.hashes = vec![Hash::sha256(subject.digest())];
        component
    }
}

impl Hash {
    pub(crate) fn sha256(digest: Digest) -> Self {
        Self {
            alg: "SHA-256",
            content: digest.hex(),
        }
    }
}

impl Property {
    pub(crate) fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}
