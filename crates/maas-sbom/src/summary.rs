//! Reading any bill: one of ours or a vendor's.
//!
//! Threats: a document of gigabytes, nesting that eats the stack, a key twice of which two readers
//! take different ones, bytes after the end, names that move a terminal's cursor. Defences: a limit
//! before parsing, [`json::strict`] before any structure is filled, and fields that nobody prints are not
//! kept. Texts come out as they stand: whoever prints them makes them plain.

use std::collections::BTreeMap;

use maas_types::json;
use serde::{Deserialize, Serialize};

/// Longest bill. A scanner's list of every file of an engine's image has some 50 MB.
const LARGEST: usize = 128 << 20;

/// Versions of `CycloneDX` whose JSON has these fields in these places.
const VERSIONS: [&str; 3] = ["1.4", "1.5", "1.6"];

/// What a bill says, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `1.6`.
    pub spec_version: String,
    /// `urn:uuid:…`.
    pub serial_number: Option<String>,
    /// When it was made, in its own words.
    pub created: Option<String>,
    /// What it is about.
    pub subject: Option<Item>,
    /// What it lists, nested ones after those that hold them.
    pub items: Vec<Item>,
    /// How many of each type.
    pub counts: BTreeMap<String, u64>,
    /// How complete its lists are, in its own words: aggregates, then `maas:completeness`.
    pub completeness: Vec<String>,
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// `library`, `application`, `file`, …
    pub kind: String,
    /// Its name, behind its group when it has one: `group/name`.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// SPDX identifiers, expressions or names.
    pub licences: Vec<String>,
    /// Its package URL.
    pub purl: Option<String>,
}

/// Why bytes are not a bill that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BomError {
    /// It is longer than any real one.
    #[error("the bill of materials has {bytes} bytes; at most {limit} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is not strict JSON, or not `CycloneDX`.
    #[error("the bill of materials cannot be read: {reason}")]
    Malformed {
        /// What the parser says; it may hold text of the bill.
        reason: String,
    },
    /// It is another format, or another version.
    #[error("the bill of materials is not CycloneDX 1.4, 1.5 or 1.6")]
    Format,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: String,
    spec_version: String,
    serial_number: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    compositions: Vec<Composition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Component>,
    properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "type")]
    kind: String,
    group: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    licenses: Vec<LicenceChoice>,
    #[serde(default)]
    components: Vec<Self>,
}

#[derive(Deserialize)]
struct LicenceChoice {
    license: Option<Licence>,
    expression: Option<String>,
}

#[derive(Deserialize)]
struct Licence {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Composition {
    aggregate: String,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    #[serde(default)]
    value: String,
}

/// Reads a bill of `CycloneDX` 1.4, 1.5 or 1.6 in JSON.
pub fn summary(bytes: &[u8]) -> Result<Summary, BomError> {
    if bytes.len() > LARGEST {
        return Err(BomError::TooLong {
            bytes: bytes.len(),
            limit: LARGEST,
        });
    }
    let malformed = |error: serde_json::Error| BomError::Malformed {
        reason: error.to_string(),
    };
    let document: Document = json::strict(bytes).map_err(malformed)?;
    if document.bom_format != "CycloneDX" || !VERSIONS.contains(&document.spec_version.as_str()) {
        return Err(BomError::Format);
    }
    let mut items = Vec::new();
    let subject = document.metadata.component.map(|mut component| {
        let nested = std::mem::take(&mut component.components);
        list(nested, &mut items);
        component.item()
    });
    list(document.components, &mut items);
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.kind.clone()).or_default() += 1;
    }
    Ok(Summary {
        spec_version: document.spec_version,
        serial_number: document.serial_number,
        created: document.metadata.timestamp,
        subject,
        items,
        counts,
        completeness: completeness(document.compositions, document.metadata.properties),
    })
}

/// Components and what is nested in them; [`json::strict`] has bounded how deep.
fn list(components: Vec<Component>, items: &mut Vec<Item>) {
    for mut component in components {
        let nested = std::mem::take(&mut component.components);
        items.push(component.item());
        list(nested, items);
    }
}

fn completeness(compositions: Vec<Composition>, properties: Vec<Property>) -> Vec<String> {
    let mut said: Vec<_> = compositions.into_iter().map(|c| c.aggregate).collect();
    said.sort();
    said.dedup();
    let ours = properties
        .into_iter()
        .filter(|property| property.name == "maas:completeness");
    said.extend(ours.map(|property| property.value));
    said
}

impl Component {
    fn item(self) -> Item {
        let licence = |choice: LicenceChoice| {
            let one = choice
                .license
                .and_then(|licence| licence.id.or(licence.name));
            one.or(choice.expression)
        };
        Item {
            kind: self.kind,
            name: match self.group.filter(|group| !group.is_empty()) {
                Some(group) => format!("{group}/{}", self.name),
                None => self.name,
            },
            version: self.version,
            licences: self.licenses.into_iter().filter_map(licence).collect(),
            purl: self.purl,
        }
    }
}

#[cfg(test)]
mod tests;
