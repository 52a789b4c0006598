//! Specifications for containers (CDI): which files of the driver a container is given.

use serde::Serialize;

use crate::{
    Version,
    tree::{Tree, word},
};

/// A specification of NVIDIA's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CdiSpec {
    /// `/etc/cdi/nvidia.yaml`
    pub path: String,
    /// The driver whose libraries it names: after the driver changes, those files are gone.
    pub driver: Option<Version>,
}

pub(super) fn specs(tree: &Tree<'_>) -> Vec<CdiSpec> {
    let folders = ["/etc/cdi", "/run/cdi", "/var/run/cdi"];
    // `/var/run` is `/run` on all but old hosts.
    let folders = folders
        .iter()
        .filter(|folder| **folder != "/var/run/cdi" || tree.link("/var/run").is_none());
    let files = folders.flat_map(|folder| {
        let names = tree.names(folder).into_iter();
        names.map(move |name| format!("{folder}/{name}"))
    });
    let specs = files.filter_map(|path| {
        let text = tree.text(&path)?;
        text.contains("nvidia.com/gpu").then(|| CdiSpec {
            path: word(&path),
            driver: library(&text),
        })
    });
    specs.collect()
}

/// The version in `/usr/lib64/libcuda.so.580.95.05`, whether the file is YAML or JSON.
fn library(text: &str) -> Option<Version> {
    let mut places = text.split("libcuda.so.").skip(1);
    places.find_map(|after| {
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '.');
        let name = &after[..end.unwrap_or(after.len())];
        Version::parse(name).filter(|_| name.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_names_the_driver_that_it_was_made_for() {
        let text = "hostPath: /usr/lib64/libcuda.so.1\nhostPath: /usr/lib64/libcuda.so.550.54.15\n";
        assert_eq!(library(text), Some(Version::new(&[550, 54, 15])));
        assert_eq!(library("libcuda.so.1"), None);
        assert_eq!(library("libcuda.so.é.1"), None);
    }
}
