//! Which files of a revision are fetched.

use std::collections::BTreeMap;

use maas_types::BlobPath;

use super::{Pattern, RepoId, listing::Listed};
use crate::{FetchError, Note, Progress, plain};

/// What runs code when it is read (pickle), and the same weights for other frameworks.
const OTHER_WEIGHTS: [&str; 9] = [
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".bin.index.json",
    ".h5",
    ".msgpack",
    ".ot",
];

/// Which files are wanted. By default: all that a bundle may hold, without second copies of the weights.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// If not empty, only files that fit one of these.
    pub include: Vec<Pattern>,
    /// No file that fits one of these.
    pub exclude: Vec<Pattern>,
    /// Which kinds of weights.
    pub weights: Weights,
}

/// Which kinds of weights are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Where there are safetensors, no pickles and no weights for TensorFlow, Flax and Rust.
    #[default]
    SafetensorsFirst,
    /// All that the patterns let through.
    All,
}

impl Selection {
    pub(super) fn choose(
        &self,
        repo: &RepoId,
        listed: Vec<Listed<String>>,
        progress: &dyn Progress,
    ) -> Result<Vec<Listed<BlobPath>>, FetchError> {
        let count = listed.len();
        let by_pattern: Vec<_> = listed
            .into_iter()
            .filter(|file| keep(&file.path, self.rule_against(&file.path), progress))
            .collect();
        let safe = by_pattern
            .iter()
            .any(|file| file.path.ends_with(".safetensors"));
        let by_weights = by_pattern.into_iter().filter(|file| {
            let other = OTHER_WEIGHTS.iter().any(|end| file.path.ends_with(end));
            let rule = "the model has safetensors, and these are other weights";
            let rule = (safe && other && self.weights == Weights::SafetensorsFirst).then_some(rule);
            keep(&file.path, rule, progress)
        });
        let mut chosen = Vec::new();
        for file in by_weights {
            let path = file.path.parse::<BlobPath>();
            let path = path.map_err(|source| FetchError::Path {
                repo: repo.to_string(),
                source,
            })?;
            let (size, id) = (file.size, file.id);
            chosen.push(Listed { path, size, id });
        }
        chosen.sort_by(|a, b| a.path.cmp(&b.path));
        distinct(&chosen)?;
        if chosen.is_empty() {
            return Err(FetchError::Missing {
                what: format!("a file of `{repo}` that is wanted"),
                why: format!("it has {count} files, and the patterns leave none"),
            });
        }
        Ok(chosen)
    }

    fn rule_against(&self, path: &str) -> Option<&'static str> {
        let hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
        if path.split('/').any(hidden) {
            return Some("it begins with a dot, and no bundle holds it");
        }
        if !self.include.is_empty() && !self.include.iter().any(|p| p.matches(path)) {
            return Some("it fits no include pattern");
        }
        let excluded = self.exclude.iter().any(|p| p.matches(path));
        excluded.then_some("it fits an exclude pattern")
    }
}

fn keep(path: &str, rule: Option<&str>, progress: &dyn Progress) -> bool {
    if let Some(rule) = rule {
        let file = &plain(path);
        progress.note(&Note::LeftOut { file, rule });
    }
    rule.is_none()
}

/// No two are one file where case is folded, and none is both a file and a folder.
fn distinct(files: &[Listed<BlobPath>]) -> Result<(), FetchError> {
    let mut seen = BTreeMap::new();
    for file in files {
        if let Some(other) = seen.insert(file.path.as_str().to_ascii_lowercase(), &file.path) {
            return Err(same(&file.path, other));
        }
    }
    for file in files {
        let lower = file.path.as_str().to_ascii_lowercase();
        let mut folders = lower.match_indices('/').map(|(at, _)| &lower[..at]);
        if let Some(other) = folders.find_map(|folder| seen.get(folder)) {
            return Err(same(&file.path, other));
        }
    }
    Ok(())
}

fn same(one: &BlobPath, other: &BlobPath) -> FetchError {
    FetchError::SameName {
        one: one.to_string(),
        other: other.to_string(),
    }
}
