//! From what was found to components.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ByPackage, Gaps, MOST_PACKAGES,
    found::{Ecosystem, Found, Package, Placed, System},
    tree::Tree,
};
use crate::{
    bom::{Component, Evidence, Kind, Occurrence, Property},
    licence::declared,
    purl::Purl,
    subject::Subject,
};

/// Places of one package that are listed; a package that stands in more is still one component.
const MOST_PLACES: usize = 100;

/// What is left of all layers.
pub(super) struct Listing<'a> {
    system: Option<&'a System>,
    packages: ByPackage<'a>,
    rpm: Option<&'a str>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let mut listing = Self {
            system: None,
            packages: ByPackage::new(),
            rpm: None,
        };
        for (path, found) in tree.iter() {
            match found {
                // `etc/os-release` comes first, and wins as it does in `os-release(5)`.
                Found::System(system) => listing.system = listing.system.or(Some(system)),
                Found::RpmDatabase => listing.rpm = listing.rpm.or(Some(path)),
                Found::Packages(packages) => {
                    for placed in packages {
                        let places = listing.packages.entry(&placed.package).or_default();
                        places.push((path, placed));
                    }
                }
            }
        }
        listing
    }

    /// The component that the bill is about.
    pub(super) fn subject(&self, name: &str, reference: &str, subject: Subject) -> Component {
        let mut component = Component::subject(Kind::Container, name, subject);
        component.properties = vec![Property::new("maas:reference", reference)];
        if let Some(path) = self.rpm {
            component
                .properties
                .push(Property::new("maas:rpm-database", path));
        }
        component
    }

    /// What the list leaves out.
    pub(super) fn completeness(&self, gaps: Gaps) -> Vec<String> {
        let mut said = vec![
            "Packages as dpkg, apk, Python and Node write them down in the image, after all layers. \
             Files that belong to no package are not listed. Licences are what each package says of \
             itself; Debian packages say it in texts that are not read."
                .to_owned(),
        ];
        if self.rpm.is_some() {
            said.push(
                "rpm database present, not read: packages from RPM are not listed.".to_owned(),
            );
        }
        if self.system.is_none() {
            said.push(
                "No os-release: packages of dpkg and apk are named as Debian's and Alpine's."
                    .to_owned(),
            );
        }
        let counted = [
            (gaps.too_long, "files were too long and are not read."),
            (
                gaps.unreadable,
                "files are not what their names say and are not read.",
            ),
            (
                gaps.too_many,
                "packages were beyond the limit and are not listed.",
            ),
        ];
        for (count, what) in counted.iter().filter(|(count, _)| *count > 0) {
            said.push(format!("{count} {what}"));
        }
        debug_assert!(
            self.packages.len() <= MOST_PACKAGES,
            "the scan keeps the limit"
        );
        said
    }

    /// The operating system, then packages by ecosystem, name and version.
    pub(super) fn components(&self) -> Vec<Component> {
        let mut taken = BTreeMap::new();
        let system = self.system.map(operating_system);
        let packages = self.packages.iter().map(|(package, places)| {
            let mut component = self.component(package, places);
            // Two that differ only in what a purl does not say still need two references.
            let purl = component.purl.clone().unwrap_or_default();
            let count: &mut u32 = taken.entry(purl.clone()).or_default();
            *count += 1;
            component.bom_ref = Some(match *count {
                1 => purl,
                n => format!("{purl}#{n}"),
            });
            component
        });
        system.into_iter().chain(packages).collect()
    }

    fn component(&self, package: &Package, places: &[(&str, &Placed)]) -> Component {
        let mut component = Component::new(Kind::Library, &package.name);
        component.version = Some(package.version.clone());
        component.purl = Some(self.purl(package));
        component.licenses = package.licence.as_deref().map(declared).unwrap_or_default();
        let paths: BTreeSet<_> = places.iter().map(|(path, _)| *path).collect();
        component.evidence = Some(Evidence {
            occurrences: paths
                .into_iter()
                .take(MOST_PLACES)
                .map(|path| Occurrence {
                    location: path.to_owned(),
                })
                .collect(),
        });
        let layers: BTreeSet<_> = places.iter().map(|(_, placed)| placed.layer).collect();
        component.properties = layers
            .into_iter()
            .map(|layer| Property::new("maas:layer", &layer.to_string()))
            .chain(
                package
                    .source
                    .iter()
                    .map(|source| Property::new("maas:source-package", source)),
            )
            .collect();
        component
    }

    fn purl(&self, package: &Package) -> String {
        let (name, version) = (&package.name, &package.version);
        match package.ecosystem {
            Ecosystem::Debian => self.distribution_purl("deb", "debian", package),
            Ecosystem::Alpine => self.distribution_purl("apk", "alpine", package),
            // purl-spec, type `pypi`: lower case, `-` for `_`.
            Ecosystem::Python => {
                let name = name.to_lowercase().replace('_', "-");
                Purl::new("pypi", "", &name, version).finish()
            }
            Ecosystem::Node => {
                let (scope, name) = name.rsplit_once('/').unwrap_or(("", name));
                Purl::new("npm", scope, name, version).finish()
            }
        }
    }

    fn distribution_purl(&self, kind: &str, otherwise: &str, package: &Package) -> String {
        let vendor = self.system.map_or(otherwise, |system| system.id.as_str());
        let distro = self.system.and_then(|system| {
            let version = system.version.as_deref()?;
            Some(format!("{}-{version}", system.id))
        });
        Purl::new(
            kind,
            &vendor.to_lowercase(),
            &package.name,
            &package.version,
        )
        .with("arch", package.architecture.as_deref().unwrap_or_default())
        .with("distro", distro.as_deref().unwrap_or_default())
        .finish()
    }
}

fn operating_system(system: &System) -> Component {
    let mut component = Component::new(Kind::OperatingSystem, &system.id);
    component.bom_ref = Some(format!("operating-system {}", system.id));
    component.version.clone_from(&system.version);
    component.description.clone_from(&system.title);
    component
}
