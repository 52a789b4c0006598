//! The house keeps its shape: who may depend on whom, what lies at the root, how long a file may be.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};
use maas_tests::repository;

/// Each crate and the crates of ours that it may use. `docs/ARCHITECTURE.md` says why.
const MAY_USE: &[(&str, &[&str])] = &[
    ("maas-types", &[]),
    ("maas-metrics", &["maas-types"]),
    ("maas-sbom", &["maas-types"]),
    ("maas-attest", &["maas-types"]),
    ("maas-audit", &["maas-types", "maas-attest"]),
    ("maas-bundle", &["maas-types", "maas-attest", "maas-sbom"]),
    ("maas-fetch", &["maas-types"]),
    ("maas-image", &["maas-types"]),
    ("maas-gpu", &["maas-types"]),
    ("maas-host", &["maas-types"]),
    ("maas-keys", &["maas-types"]),
    ("maas-simulator", &["maas-types"]),
    ("maas-store", &["maas-types", "maas-bundle"]),
    ("maas-backup", &["maas-types", "maas-store"]),
    (
        "maas-install",
        &[
            "maas-types",
            "maas-bundle",
            "maas-image",
            "maas-host",
            "maas-store",
        ],
    ),
    ("maas-supervisor", &["maas-types", "maas-store"]),
    ("maas-gateway", &["maas-types", "maas-keys", "maas-metrics"]),
    (
        "maas-appliance",
        &[
            "maas-types",
            "maas-metrics",
            "maas-attest",
            "maas-fetch",
            "maas-sbom",
            "maas-bundle",
            "maas-gpu",
            "maas-keys",
            "maas-simulator",
            "maas-store",
            "maas-image",
            "maas-audit",
            "maas-backup",
            "maas-host",
            "maas-install",
            "maas-supervisor",
            "maas-gateway",
        ],
    ),
    ("fake-nvml", &[]),
    (
        "maas-fuzz-targets",
        &[
            "maas-types",
            "maas-sbom",
            "maas-bundle",
            "maas-image",
            "maas-backup",
        ],
    ),
];

#[test]
fn every_crate_uses_only_what_the_table_allows() {
    let table: BTreeMap<_, BTreeSet<_>> = MAY_USE
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let metadata = MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        // Only ours: what other platforms would need is not downloaded and not asked for.
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let ours: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    for package in metadata.workspace_packages() {
        if package.name.as_str() == "maas-tests" {
            continue;
        }
        let allowed = table
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} is not in the table of crates", package.name));
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Normal && ours.contains(&dependency.name) {
                assert!(
                    allowed.contains(dependency.name.as_str()),
                    "{} must not depend on {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn supervisor_and_gateway_never_see_each_other() {
    let uses = |name: &str| {
        MAY_USE
            .iter()
            .find(|(crate_name, _)| *crate_name == name)
            .unwrap()
            .1
    };
    assert!(!uses("maas-gateway").contains(&"maas-supervisor"));
    assert!(!uses("maas-supervisor").contains(&"maas-gateway"));
}

#[test]
fn the_root_is_as_the_user_drew_it() {
    let found: BTreeSet<_> = repository()
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| !name.starts_with('.') && name != "target" && name != "Cargo.lock")
        .collect();
    let wanted = [
        "Cargo.toml",
        "README.md",
        "bundle",
        "crates",
        "docs",
        "installer",
        "models-manifest",
        "systemd",
        "tests",
    ];
    assert_eq!(found, wanted.map(str::to_owned).into());
}

#[test]
fn no_source_file_is_longer_than_one_sitting() {
    let mut long = Vec::new();
    let mut folders = vec![repository().join("crates"), repository().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                // What the fuzzers' own workspace has built, dependencies' sources included.
                if !path.ends_with("fuzz/target") {
                    folders.push(path.to_owned());
                }
            } else if path.extension() == Some("rs") && path.file_stem() != Some("tests") {
                let lines = std::fs::read_to_string(path).unwrap().lines().count();
                if lines > 500 {
                    long.push(format!("{path}: {lines} lines"));
                }
            }
        }
    }
    assert!(
        long.is_empty(),
        "look for the noun hiding in:\n{}",
        long.join("\n")
    );
}

#[test]
fn only_bundle_fetch_asks_a_network() {
    let folder = repository().join("crates/maas-appliance/src");
    let mut users = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.into_path());
            } else if std::fs::read_to_string(entry.path())
                .unwrap()
                .contains("maas_fetch")
            {
                users.push(entry.into_path());
            }
        }
    }
    users.sort();
    // The second turns its errors into ours.
    let may = ["command/bundle/fetch.rs", "error.rs"].map(|name| folder.join(name));
    assert_eq!(users, may);
}
