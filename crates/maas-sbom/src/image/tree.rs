//! What has been found so far, by path.

use std::{collections::BTreeMap, ops::Bound};

use super::{archive::EntryKind, found::Found, path::Hidden};

/// Finds by normal path.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Found>,
    packages: usize,
}

impl Tree {
    pub(super) fn get(&self, path: &str) -> Option<&Found> {
        self.files.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Found)> {
        self.files
            .iter()
            .map(|(path, found)| (path.as_str(), found))
    }

    /// How many packages all finds have together.
    pub(super) const fn packages(&self) -> usize {
        self.packages
    }

    pub(super) fn insert(&mut self, path: String, found: Found) {
        self.remove(&path);
        self.packages += found.weight();
        self.files.insert(path, found);
    }

    /// Makes room for an entry: what has its name goes, and unless it is a folder all below as well.
    /// Gives back what had its name.
    pub(super) fn lay(&mut self, path: &str, kind: EntryKind) -> Option<Found> {
        if kind != EntryKind::Folder {
            self.remove_below(path);
        }
        self.remove(path)
    }

    /// Applies a whiteout of a layer above.
    pub(super) fn hide(&mut self, hidden: &Hidden) {
        match hidden {
            Hidden::Name(path) => {
                self.remove(path);
                self.remove_below(path);
            }
            Hidden::Contents(folder) => self.remove_below(folder),
            Hidden::Nothing => {}
        }
    }

    /// Lays the finds of a layer above over these; room was made as each was met.
    pub(super) fn cover(&mut self, upper: Self) {
        for (path, found) in upper.files {
            self.insert(path, found);
        }
    }

    fn remove(&mut self, path: &str) -> Option<Found> {
        let found = self.files.remove(path)?;
        self.packages -= found.weight();
        Some(found)
    }

    fn remove_below(&mut self, folder: &str) {
        let start = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let below: Vec<_> = self
            .files
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&start))
            .cloned()
            .collect();
        for path in below {
            self.remove(&path);
        }
    }
}
