//! What the distribution's own tools write down.

use super::{
    found::{Ecosystem, Package, System},
    stanza::{Stanza, stanzas},
};

/// What a package's state is that does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaid {
    Installed,
    NotInstalled,
}

/// Packages that are installed and not merely remembered (`dpkg(1)`, "package states").
pub(super) fn dpkg(text: &str, unsaid: Unsaid) -> Vec<Package> {
    let is_installed = |stanza: &Stanza<'_>| {
        let state = stanza.get("Status").and_then(|s| s.split(' ').nth(2));
        match state {
            Some(state) => state == "installed",
            None => unsaid == Unsaid::Installed,
        }
    };
    stanzas(text)
        .filter(is_installed)
        .filter_map(|stanza| {
            let (name, version) = (stanza.get("Package"), stanza.get("Version"));
            let package = Package::new(Ecosystem::Debian, name, version)?;
            Some(
                package
                    .with_architecture(stanza.get("Architecture"))
                    .with_source(stanza.get("Source")),
            )
        })
        .collect()
}

/// apk's list: one letter a field, `P` package, `V` version, `A` architecture, `L` licence, `o` origin.
pub(super) fn apk(text: &str) -> Vec<Package> {
    stanzas(text)
        .filter_map(|stanza| {
            let name = stanza.get("P");
            let package = Package::new(Ecosystem::Alpine, name, stanza.get("V"))?;
            Some(
                package
                    .with_architecture(stanza.get("A"))
                    .with_source(stanza.get("o").filter(|origin| Some(*origin) != name))
                    .with_licence(stanza.get("L")),
            )
        })
        .collect()
}

/// `os-release(5)`: shell assignments, of which only the plain and the quoted occur.
pub(super) fn os_release(text: &str) -> Option<System> {
    let get = |key: &str| {
        let value = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        let value = value.trim().trim_matches(['"', '\'']);
        (1..=256).contains(&value.len()).then(|| value.to_owned())
    };
    Some(System {
        id: get("ID")?,
        version: get("VERSION_ID"),
        title: get("PRETTY_NAME"),
    })
}
