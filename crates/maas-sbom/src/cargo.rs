//! The bill of our own binary, from `Cargo.lock`.
//!
//! Threats: the lock file is our own, yet a stale or merged one can name packages twice or not at
//! all. Defences: an entry that cannot be told from another, or that is named and missing, is an
//! error and not a gap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use maas_types::Digest;
use serde::Deserialize;

use crate::{
    bom::{Bom, Component, Dependency, Hash, Kind, Property},
    purl::Purl,
    subject::Subject,
};

/// The registry that a purl means when it names none (purl-spec, type `cargo`).
const DEFAULT_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What such a list is and is not.
const COMPLETENESS: &str = "Every crate that Cargo.lock reaches from the root package: for every \
    platform, with every feature, and with what only tests and build scripts of the workspace use, so \
    some are not in the binary. Hashes are of the .crate files, as Cargo.lock has them. The Rust standard library and C code inside crates are not listed.";

/// The binary that a bill is about.
#[derive(Debug, Clone, Copy)]
pub struct Built<'a> {
    /// The package in `Cargo.lock` that it was built from.
    pub root_package: &'a str,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its version, for people.
    pub version: &'a str,
}

/// Why a `Cargo.lock` gives no bill.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not what Cargo writes.
    #[error("Cargo.lock is not a lock file")]
    Syntax(#[source] toml::de::Error),
    /// The root package is not in it, or is in it more than once.
    #[error("Cargo.lock has no package `{name}`, or several")]
    Root {
        /// The package that was asked for.
        name: String,
    },
    /// A package names another that is not there, or that could be one of several.
    #[error(
        "in Cargo.lock, package `{package}` depends on `{dependency}`, which names no one package"
    )]
    Dependency {
        /// The one that depends.
        package: String,
        /// What it names.
        dependency: String,
    },
    /// A checksum is not a SHA-256.
    #[error("in Cargo.lock, the checksum of package `{package}` is not a SHA-256")]
    Checksum {
        /// The package.
        package: String,
    },
}

#[derive(Debug, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The bill of a binary, from the text of the `Cargo.lock` that it was built with.
pub fn binary(cargo_lock: &str, built: Built<'_>, created: Timestamp) -> Result<Bom, LockError> {
    let lock: Lock = toml::from_str(cargo_lock).map_err(LockError::Syntax)?;
    let by_name = by_name(&lock.package);
    let root = match by_name.get(built.root_package).map(Vec::as_slice) {
        Some([root]) => *root,
        _ => {
            return Err(LockError::Root {
                name: built.root_package.to_owned(),
            });
        }
    };
    let subject = Subject::Binary(built.digest);
    let reached = reached(root, &by_name)?;
    let reference = |package: &Package| {
        if std::ptr::eq(package, root) {
            subject.to_string()
        } else {
            package.reference()
        }
    };
    let mut components = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    for (package, needs) in reached {
        let needs: BTreeSet<_> = needs.into_iter().map(&reference).collect();
        dependencies.insert(reference(package), needs);
        if !std::ptr::eq(package, root) {
            components.insert(package.reference(), package.component()?);
        }
    }
    let mut component = Component::subject(Kind::Application, built.root_package, subject);
    component.version = Some(built.version.to_owned());
    Ok(
        Bom::new(subject, created, component, &[COMPLETENESS.to_owned()])
            .with_components(components.into_values().collect())
            .with_dependencies(
                dependencies
                    .into_iter()
                    .map(|(of, needs)| Dependency {
                        of,
                        depends_on: needs.into_iter().collect(),
                    })
                    .collect(),
            ),
    )
}

type ByName<'a> = BTreeMap<&'a str, Vec<&'a Package>>;

fn by_name(packages: &[Package]) -> ByName<'_> {
    let mut by_name = ByName::new();
    for package in packages {
        by_name.entry(&package.name).or_default().push(package);
    }
    by_name
}

/// The root and all that it needs, each with what it needs itself.
fn reached<'a>(
    root: &'a Package,
    by_name: &ByName<'a>,
) -> Result<Vec<(&'a Package, Vec<&'a Package>)>, LockError> {
    let mut seen = BTreeSet::from([root.key()]);
    let mut waiting = vec![root];
    let mut reached = Vec::new();
    while let Some(package) = waiting.pop() {
        let mut needs = Vec::new();
        for text in &package.dependencies {
            let need = resolve(text, by_name).ok_or_else(|| LockError::Dependency {
                package: package.name.clone(),
                dependency: text.clone(),
            })?;
            needs.push(need);
            if seen.insert(need.key()) {
                waiting.push(need);
            }
        }
        reached.push((package, needs));
    }
    Ok(reached)
}

/// The package that `name`, `name version` or `name version (source)` means: Cargo writes as much as
/// it takes to tell it from others.
fn resolve<'a>(text: &str, by_name: &ByName<'a>) -> Option<&'a Package> {
    let mut words = text.splitn(3, ' ');
    let candidates = by_name.get(words.next()?)?;
    let version = words.next();
    let source = words.next().map(|source| source.trim_matches(['(', ')']));
    let mut fitting = candidates.iter().filter(|package| {
        version.is_none_or(|version| package.version == version)
            && source.is_none_or(|source| package.source.as_deref() == Some(source))
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

impl Package {
    fn key(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.version, self.source.as_deref())
    }

    /// Its `bom-ref`: its purl, or for a package of the workspace, which no registry knows, its name.
    fn reference(&self) -> String {
        self.purl()
            .unwrap_or_else(|| format!("workspace {}@{}", self.name, self.version))
    }

    fn purl(&self) -> Option<String> {
        let source = self.source.as_deref()?;
        let purl = Purl::new("cargo", "", &self.name, &self.version);
        let purl = match source.split_once('+') {
            _ if source == DEFAULT_REGISTRY => purl,
            Some(("registry" | "sparse", url)) => purl.with("repository_url", url),
            _ => purl.with("vcs_url", source),
        };
        Some(purl.finish())
    }

    fn component(&self) -> Result<Component, LockError> {
        let mut component = Component::new(Kind::Library, &self.name);
        component.bom_ref = Some(self.reference());
        component.version = Some(self.version.clone());
        component.purl = self.purl();
        if let Some(checksum) = &self.checksum {
            let digest = Digest::from_hex(checksum).map_err(|_| LockError::Checksum {
                package: self.name.clone(),
            })?;
            component.hashes = vec![Hash::sha256(digest)];
        }
        if self.source.is_none() {
            component.properties = vec![Property::new("maas:source", "workspace")];
        }
        Ok(component)
    }
}

#[cfg(test)]
mod tests;
