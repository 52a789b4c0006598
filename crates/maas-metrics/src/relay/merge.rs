//! The pages of several engines as one: each family once, no name in two families, no series twice.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
};

use super::{
    EngineScrape, MAX_SCRAPE_BYTES,
    line::{FamilyKind, Line, Sample, is_number, parse},
};
use crate::exposition::Exposition;

/// Families by name.
#[derive(Debug, Default)]
pub(super) struct Merge<'a> {
    families: BTreeMap<&'a str, Family<'a>>,
    /// Which family owns a sample's name: `vllm:x_count` may be the count of `vllm:x` or a counter of
    /// its own, never both on one page.
    owners: HashMap<String, &'a str>,
    /// The first HELP of each family.
    helps: HashMap<&'a str, &'a str>,
    /// Every series that is on the page, `name{labels}`.
    series: HashSet<String>,
}

#[derive(Debug)]
struct Family<'a> {
    kind: FamilyKind,
    /// In the order in which they came: buckets must stay in the order of their bounds.
    samples: Vec<(String, &'a str)>,
}

/// A line that contradicts what is on the page.
struct Contradiction;

impl<'a> Merge<'a> {
    /// Adds an engine's page. Returns how many lines were left out.
    pub(super) fn add(&mut self, scrape: &EngineScrape<'_>, body: &'a [u8]) -> u64 {
        let (body, mut dropped) = bounded(body);
        let mut announced = HashSet::new();
        for line in body.split(|byte| *byte == b'\n') {
            let taken = match parse(line) {
                Ok(Line::Foreign) => Ok(()),
                Ok(Line::Help { name, text }) => {
                    self.helps.entry(name).or_insert(text);
                    Ok(())
                }
                Ok(Line::Type { name, kind }) => self.announce(name, kind, &mut announced),
                Ok(Line::Sample(sample)) => self.sample(scrape, &sample, &announced),
                Err(_) => Err(Contradiction),
            };
            dropped += u64::from(taken.is_err());
        }
        dropped
    }

    /// Takes a `# TYPE` line of an engine that has `announced` some families before.
    fn announce(
        &mut self,
        name: &'a str,
        kind: FamilyKind,
        announced: &mut HashSet<&'a str>,
    ) -> Result<(), Contradiction> {
        match self.families.get(name) {
            Some(family) if family.kind == kind => {}
            Some(_) => return Err(Contradiction),
            None => self.claim(name, kind)?,
        }
        announced.insert(name).then_some(()).ok_or(Contradiction)
    }

    /// Makes a family the owner of all the names that its samples may have, and of its own.
    fn claim(&mut self, name: &'a str, kind: FamilyKind) -> Result<(), Contradiction> {
        let mut names: Vec<String> = kind
            .suffixes()
            .iter()
            .map(|s| format!("{name}{s}"))
            .collect();
        if !names.iter().any(|claimed| claimed == name) {
            names.push(name.to_owned());
        }
        if names.iter().any(|name| self.owners.contains_key(name)) {
            return Err(Contradiction);
        }
        self.owners
            .extend(names.into_iter().map(|claimed| (claimed, name)));
        let samples = Vec::new();
        self.families.insert(name, Family { kind, samples });
        Ok(())
    }

    fn sample(
        &mut self,
        scrape: &EngineScrape<'_>,
        sample: &Sample<'a>,
        announced: &HashSet<&'a str>,
    ) -> Result<(), Contradiction> {
        let owner = self.owners.get(sample.name).ok_or(Contradiction)?;
        let family = self.families.get_mut(owner).ok_or(Contradiction)?;
        let suffix = &sample.name[owner.len()..];
        if !announced.contains(owner) || !fits(family.kind, suffix, sample) {
            return Err(Contradiction);
        }
        let series = labelled(scrape, sample);
        if !self.series.insert(series.clone()) {
            return Err(Contradiction);
        }
        family.samples.push((series, sample.value));
        Ok(())
    }

    /// Writes the families that have samples, in the order of their names.
    pub(super) fn write(&self, page: &mut Exposition) {
        for (name, family) in &self.families {
            if family.samples.is_empty() {
                continue;
            }
            let help = self.helps.get(name).copied().unwrap_or_default();
            page.header(name, family.kind.as_str(), help);
            for (series, value) in &family.samples {
                page.line(&format!("{series} {value}"));
            }
        }
    }
}

/// The part of a page that is looked at, whole lines only, and how many lines are left out.
fn bounded(body: &[u8]) -> (&[u8], u64) {
    if body.len() <= MAX_SCRAPE_BYTES {
        return (body, 0);
    }
    let head = &body[..MAX_SCRAPE_BYTES];
    let end = head.iter().rposition(|b| *b == b'\n').unwrap_or(0);
    // The caller may have stopped reading, so the number of lines behind is not known: at least one.
    (&body[..end], 1)
}

/// Whether a sample may stand in a family of this type under this suffix.
fn fits(kind: FamilyKind, suffix: &str, sample: &Sample<'_>) -> bool {
    let numbered = |label| sample.label(label).is_some_and(is_number);
    kind.suffixes().contains(&suffix)
        && match (kind, suffix) {
            (FamilyKind::Histogram, "_bucket") => numbered("le"),
            (FamilyKind::Summary, "") => numbered("quantile"),
            _ => true,
        }
}

/// `name{maas_engine="…",maas_model="…",…}`. Our names need no escaping; the engine's values are
/// escaped as they came.
fn labelled(scrape: &EngineScrape<'_>, sample: &Sample<'_>) -> String {
    let EngineScrape { engine, model, .. } = scrape;
    let name = sample.name;
    let mut series = format!("{name}{{maas_engine=\"{engine}\",maas_model=\"{model}\"");
    for (label, value) in &sample.labels {
        write!(series, ",{label}=\"{value}\"").expect("writing to a string cannot fail");
    }
    series.push('}');
    series
}
