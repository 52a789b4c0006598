//! What a bundle carries for the operator unless the recipe says otherwise: the bootstrap script and
//! the page that this binary was built with, and this binary itself.

use std::io::Cursor;

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Recipe, SourceEntry, SourceError, SourceFile, SourceKind};
use maas_store::SourceFolder;

/// Input paths that no file system has: a slash twice, and a name in angle brackets.
const INSTALL_SH: &str = "//<built-in>/install.sh";
const README: &str = "//<built-in>/README.txt";

const INSTALL_SH_TEXT: &str = include_str!("../../../../../installer/install.sh");
const README_TEXT: &str = include_str!("../../../../../installer/README.txt");

/// Fills in what the recipe leaves out.
pub(super) fn complete(mut recipe: Recipe) -> Recipe {
    recipe.install_sh.get_or_insert_with(|| INSTALL_SH.into());
    recipe.readme.get_or_insert_with(|| README.into());
    recipe
}

/// The recipe's folder, and the built-in files beside it.
#[derive(Debug)]
pub(super) struct Source {
    folder: SourceFolder,
}

impl Source {
    /// Inputs relative to `folder`.
    pub(super) fn over(folder: &Utf8Path) -> Self {
        Self {
            folder: SourceFolder::new(Utf8PathBuf::from(folder)),
        }
    }
}

fn built_in(path: &Utf8Path) -> Option<&'static str> {
    match path.as_str() {
        INSTALL_SH => Some(INSTALL_SH_TEXT),
        README => Some(README_TEXT),
        _ => None,
    }
}

impl maas_bundle::Source for Source {
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError> {
        match built_in(path) {
            Some(text) => Ok(SourceKind::File {
                size: text.len() as u64,
            }),
            None => self.folder.kind(path),
        }
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError> {
        self.folder.list(folder)
    }

    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError> {
        match built_in(path) {
            Some(text) => Ok(Box::new(Cursor::new(text))),
            None => self.folder.open(path),
        }
    }
}
