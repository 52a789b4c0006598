//! The front matter of a model's `README.md`: the YAML between two lines of `---`.
//!
//! Threats: YAML of an author, with anchors that multiply, tags that construct, nesting without end.
//! Defences: no YAML is parsed. Lines are read one by one for a few keys at the margin, each with a
//! scalar, a list in brackets or a list of `- item` lines; whatever else stands there is passed over.

use std::collections::BTreeMap;

/// How much of a README is looked at. Front matter with long result tables has some tens of kilobytes.
const LONGEST: usize = 256 << 10;

/// Values of one key, and characters of one value.
const MOST_VALUES: usize = 100;
const LONGEST_VALUE: usize = 200;

const KEYS: [&str; 8] = [
    "license",
    "license_name",
    "base_model",
    "datasets",
    "language",
    "tags",
    "pipeline_tag",
    "library_name",
];

/// Key to values, in the author's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FrontMatter(BTreeMap<&'static str, Vec<String>>);

impl FrontMatter {
    pub(super) fn read(readme: &[u8]) -> Self {
        let readme = &readme[..readme.len().min(LONGEST)];
        let text = String::from_utf8_lossy(readme);
        let mut lines = text
            .trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim_end);
        let mut front = Self::default();
        if lines.next() != Some("---") {
            return front;
        }
        let mut key = None;
        for line in lines.take_while(|line| !matches!(*line, "---" | "...")) {
            if let Some(item) = line.trim_start().strip_prefix("- ") {
                front.add(key, item);
            } else if line.starts_with(|c: char| !c.is_whitespace() && c != '#') {
                key = front.open(line);
            }
        }
        front
    }

    /// The values of a key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// A line at the margin: the key that items below belong to, if it is one of ours.
    fn open(&mut self, line: &str) -> Option<&'static str> {
        let (name, value) = line.split_once(':')?;
        let key = KEYS.into_iter().find(|key| *key == name.trim_end());
        let value = value.trim();
        match value
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
        {
            Some(list) => list.split(',').for_each(|item| self.add(key, item)),
            None => self.add(key, value),
        }
        key
    }

    fn add(&mut self, key: Option<&'static str>, text: &str) {
        let (Some(key), Some(value)) = (key, scalar(text)) else {
            return;
        };
        let values = self.0.entry(key).or_default();
        if values.len() < MOST_VALUES && !values.contains(&value) {
            values.push(value);
        }
    }
}

/// A scalar on one line: plain without its comment, or quoted. `None` for what is none.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let rest = text.strip_prefix(quote)?;
        rest.split_once(quote).map(|(inside, _)| inside)
    });
    let value = match quoted {
        Some(inside) => inside,
        // Block texts, anchors, aliases, tags and maps are not scalars.
        None if text.starts_with(['|', '>', '&', '*', '!', '{', '#', '[']) => return None,
        None if text.contains(": ") || text.ends_with(':') => return None,
        None => text.split(" #").next().unwrap_or_default().trim(),
    };
    let is_empty = matches!(value, "" | "null" | "~");
    (!is_empty).then(|| value.chars().take(LONGEST_VALUE).collect())
}
