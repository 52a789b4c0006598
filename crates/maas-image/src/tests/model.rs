//! Random layers against a simple model: a map from names to what is there.
//!
//! The model knows overlays as the image specification tells them: a layer is a set of changes, its
//! whiteouts apply to what is below it and then its entries to the result. It knows nothing of order,
//! inodes or disks.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{site::Site, tar::Tar};
use crate::Policy;

#[derive(Debug, Clone)]
enum Change {
    File(String, u8),
    Folder(String),
    Link(String, u8),
    Remove(String),
    Clear(String),
}

type Model = BTreeMap<String, String>;

const FOLDER: &str = "/";

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (name(), any::<u8>()).prop_map(|(name, byte)| Change::File(name, byte)),
        3 => name().prop_map(Change::Folder),
        1 => (name(), any::<u8>()).prop_map(|(name, byte)| Change::Link(name, byte)),
        2 => name().prop_map(Change::Remove),
        1 => name().prop_map(Change::Clear),
    ]
}

impl Change {
    fn name(&self) -> &str {
        match self {
            Self::File(name, _)
            | Self::Folder(name)
            | Self::Link(name, _)
            | Self::Remove(name)
            | Self::Clear(name) => name,
        }
    }

    const fn is_whiteout(&self) -> bool {
        matches!(self, Self::Remove(_) | Self::Clear(_))
    }

    fn write(&self, tar: Tar) -> Tar {
        match self {
            Self::File(name, byte) => tar.file(name, byte.to_string().as_bytes()),
            Self::Folder(name) => tar.folder(name),
            Self::Link(name, byte) => tar.symlink(name, &format!("{byte}")),
            Self::Clear(name) => tar.empty(&format!("{name}/.wh..wh..opq")),
            Self::Remove(name) => match name.rsplit_once('/') {
                Some((folder, last)) => tar.empty(&format!("{folder}/.wh.{last}")),
                None => tar.empty(&format!(".wh.{name}")),
            },
        }
    }
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn ways(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

/// The tree after one more layer; `None` where an entry lies below something that is no folder, or
/// where a whiteout does and so would be refused or not by what else the layer has.
fn lay(lower: &Model, layer: &[Change]) -> Option<Model> {
    let mut tree = lower.clone();
    for change in layer.iter().filter(|change| change.is_whiteout()) {
        let name = change.name();
        let hides_itself = matches!(change, Change::Remove(_));
        let is_hidden = |other: &str| is_below(other, name) || (hides_itself && other == name);
        tree.retain(|other, _| !is_hidden(other));
    }
    for change in layer.iter().filter(|change| !change.is_whiteout()) {
        let name = change.name();
        for way in ways(name) {
            if tree
                .entry(way.to_owned())
                .or_insert_with(|| FOLDER.to_owned())
                != FOLDER
            {
                return None;
            }
        }
        let now = match change {
            Change::File(_, byte) => byte.to_string(),
            Change::Link(_, byte) => format!("-> {byte}"),
            Change::Folder(_) | Change::Remove(_) | Change::Clear(_) => FOLDER.to_owned(),
        };
        if now != FOLDER {
            tree.retain(|other, _| !is_below(other, name));
        }
        tree.insert(name.to_owned(), now);
    }
    Some(tree)
}

/// Whiteouts first or last, or as they come: the result must be the same, so long as every way leads
/// through folders all the time.
fn order(layer: &[Change], how: u8) -> Vec<Change> {
    let mut layer = layer.to_vec();
    match how % 3 {
        0 => layer.sort_by_key(|change| !change.is_whiteout()),
        1 => layer.sort_by_key(Change::is_whiteout),
        _ => {}
    }
    layer
}

/// Whether what a layer brings lies below folders only, even before its whiteouts hide what was there.
fn is_plain(lower: &Model, layer: &[Change]) -> bool {
    let brings = |name: &str| {
        let mut named = layer.iter().filter(|change| !change.is_whiteout());
        named.any(|change| change.name() == name && !matches!(change, Change::Folder(_)))
    };
    layer.iter().all(|change| {
        let cleared = matches!(change, Change::Clear(_)).then(|| change.name());
        let mut all = ways(change.name()).chain(cleared);
        all.all(|way| !brings(way) && lower.get(way).is_none_or(|what| what == FOLDER))
    })
}

fn found(site: &Site) -> Model {
    let seen = site.rootfs().into_iter().filter(|(name, _)| name != ".");
    seen.map(|(name, (mode, .., content))| {
        let content = String::from_utf8(content).unwrap();
        let content = match mode & 0o170_000 {
            0o040_000 => FOLDER.to_owned(),
            0o120_000 => format!("-> {content}"),
            _ => content,
        };
        (name, content)
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_lie_on_each_other_as_in_the_model(
        layers in prop::collection::vec((prop::collection::vec(change(), 0..8), any::<u8>()), 1..5)
    ) {
        let mut model = Model::new();
        let mut archives = Vec::new();
        for (layer, how) in &layers {
            if !is_plain(&model, layer) {
                continue;
            }
            let Some(next) = lay(&model, layer) else {
                continue;
            };
            model = next;
            let ordered = order(layer, *how);
            archives.push(ordered.iter().fold(Tar::new(), |tar, change| change.write(tar)).end());
        }
        let site = Site::new();
        let unpacked = site.lay(&archives, &Policy::for_user());
        prop_assert!(unpacked.is_ok(), "{unpacked:?}");
        prop_assert_eq!(found(&site), model);
    }
}
