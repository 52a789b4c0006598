//! What the installers of languages write down.

use serde::Deserialize;
use serde_json::Value;

use super::{
    found::{Ecosystem, Package},
    stanza::Stanza,
};

/// A Python distribution's core metadata. Its licence is `License-Expression` (PEP 639), else
/// `License`, else the last part of a classifier.
pub(super) fn python(text: &str) -> Option<Package> {
    let stanza = Stanza::head(text);
    let classifier = || {
        stanza
            .all("Classifier")
            .filter_map(|classifier| classifier.strip_prefix("License :: "))
            .filter_map(|licence| licence.rsplit(" :: ").next())
            .find(|licence| *licence != "OSI Approved")
    };
    let licence = stanza
        .get("License-Expression")
        .or_else(|| stanza.get("License").filter(|text| *text != "UNKNOWN"))
        .or_else(classifier);
    let package = Package::new(Ecosystem::Python, stanza.get("Name"), stanza.get("Version"))?;
    Some(package.with_licence(licence))
}

#[derive(Deserialize)]
struct PackageJson {
    name: Option<String>,
    version: Option<String>,
    license: Option<Value>,
    licenses: Option<Value>,
}

/// A Node package. npm's old forms of a licence, `{"type": …}` and a list of such, are still about.
pub(super) fn node(text: &str) -> Option<Package> {
    let json: PackageJson = serde_json::from_str(text).ok()?;
    let licence = json.license.as_ref().or(json.licenses.as_ref());
    let licence = licence.and_then(|value| {
        let one = value.as_array().map_or(Some(value), |list| list.first())?;
        one.as_str().or_else(|| one.get("type")?.as_str())
    });
    let package = Package::new(
        Ecosystem::Node,
        json.name.as_deref(),
        json.version.as_deref(),
    )?;
    Some(package.with_licence(licence))
}
