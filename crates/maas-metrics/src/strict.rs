//! A strict reader of format 0.0.4, for tests: what it takes, every Prometheus takes.

use std::collections::{BTreeMap, BTreeSet};

/// A page that was read.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Families by name.
    pub(crate) families: BTreeMap<String, Family>,
}

#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Page {
    /// The value of the one sample of that name whose labels include `labels`.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        };
        let samples = self.families.values().flat_map(|family| &family.samples);
        let found: Vec<&Sample> = samples.filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].value
    }
}

/// Reads a page, or says which line is wrong.
pub(crate) fn read(text: &str) -> Result<Page, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("no line feed at the end".to_owned());
    }
    let mut page = Page::default();
    let mut owners = BTreeMap::<String, String>::new();
    let mut series = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|r| r.split_once(' '))
        else {
            return wrong("want HELP");
        };
        let Some(kind) = lines
            .next()
            .and_then(|l| l.strip_prefix(&format!("# TYPE {name} ")))
        else {
            return wrong("want TYPE below");
        };
        let suffixes: &[&str] = match kind {
            "counter" | "gauge" | "untyped" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "summary" => &["", "_sum", "_count"],
            _ => return wrong("unknown type"),
        };
        if !is_name(name, ":") {
            return wrong("bad name");
        }
        for claimed in suffixes.iter().chain(&[""]).collect::<BTreeSet<_>>() {
            if owners
                .insert(format!("{name}{claimed}"), name.to_owned())
                .is_some()
            {
                return wrong("a name in two families");
            }
        }
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = read_sample(line).ok_or_else(|| format!("bad sample: {line}"))?;
            let suffix = sample.name.strip_prefix(name);
            if !suffix.is_some_and(|suffix| suffixes.contains(&suffix)) {
                return Err(format!("stranger below {name}: {line}"));
            }
            if !series.insert((sample.name.clone(), sample.labels.clone())) {
                return Err(format!("series twice: {line}"));
            }
            if sample.name.ends_with("_bucket") && kind == "histogram" {
                sample.labels["le"]
                    .parse::<f64>()
                    .map_err(|_| format!("bad le: {line}"))?;
            }
            samples.push(sample);
        }
        if samples.is_empty() {
            return wrong("no samples");
        }
        let family = Family {
            help: unescape(help, "\\n").ok_or("bad help")?,
            kind: kind.to_owned(),
            samples,
        };
        page.families.insert(name.to_owned(), family);
    }
    Ok(page)
}

fn read_sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let mut end = 0;
            while !after[end..].starts_with('"') {
                let escape = usize::from(after[end..].starts_with('\\'));
                end += escape;
                end += after[end..].chars().next()?.len_utf8();
            }
            let value = unescape(&after[..end], "\\n\"")?;
            if !is_name(label, "") || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = &after[end + 1..];
            rest = match rest.strip_prefix(',') {
                Some(more) if more.starts_with('}') => return None,
                Some(more) => more,
                None if rest.starts_with('}') => rest,
                None => return None,
            };
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        // An overflow is an error to Prometheus.
        value => value.parse().ok().filter(|value: &f64| value.is_finite())?,
    };
    is_name(name, ":").then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn is_name(name: &str, extra: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || extra.contains(c);
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn unescape(text: &str, known: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next().filter(|c| known.contains(*c))? {
                'n' => '\n',
                c => c,
            },
            c if c.is_control() => return None,
            c => c,
        };
        plain.push(c);
    }
    Some(plain)
}
