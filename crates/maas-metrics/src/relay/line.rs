//! One line of an engine's page: what it is, or that it is malformed.
//!
//! Stricter than the format where vLLM has no need of the slack: no time stamps, no spaces inside
//! braces, no trailing comma, no control characters.

/// The longest line that is looked at, bytes. The longest of vLLM 0.32 is 1,063
/// (`vllm:cache_config_info`).
pub(super) const MAX_LINE_BYTES: usize = 4096;

/// What may pass. Everything else is another program's business.
const PREFIX: &str = "vllm:";

/// A line.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// `# HELP name text`
    Help { name: &'a str, text: &'a str },
    /// `# TYPE name kind`
    Type { name: &'a str, kind: FamilyKind },
    /// `name{label="value",…} number`
    Sample(Sample<'a>),
    /// Not about `vllm:*`.
    Foreign,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

/// A sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// Names and values, the values escaped as they came; sorted by name, no name twice.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) value: &'a str,
}

/// A line that about `vllm:*` but not in the format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl FamilyKind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            "untyped" => Self::Untyped,
            _ => return None,
        })
    }

    /// The word in a `# TYPE` line.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }

    /// What a family of this type may append to its name in a sample.
    pub(super) const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter | Self::Gauge | Self::Untyped => &[""],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Summary => &["", "_sum", "_count"],
        }
    }
}

impl<'a> Sample<'a> {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| *value)
    }
}

/// Parses one line, without its line feed.
pub(super) fn parse(line: &[u8]) -> Result<Line<'_>, Malformed> {
    let (directive, rest) = [&b"# HELP "[..], b"# TYPE "]
        .into_iter()
        .find_map(|directive| Some((directive, line.strip_prefix(directive)?)))
        .unwrap_or((b"", line));
    if !rest.starts_with(PREFIX.as_bytes()) {
        return Ok(Line::Foreign);
    }
    if line.len() > MAX_LINE_BYTES {
        return Err(Malformed);
    }
    let text = str::from_utf8(rest).map_err(|_| Malformed)?;
    if text.contains(char::is_control) {
        return Err(Malformed);
    }
    match directive {
        b"# HELP " => parse_help(text),
        b"# TYPE " => parse_type(text),
        _ => parse_sample(text).map(Line::Sample),
    }
    .ok_or(Malformed)
}

fn parse_help(text: &str) -> Option<Line<'_>> {
    let (name, text) = text.split_once(' ').unwrap_or((text, ""));
    let valid = is_metric_name(name) && escapes_are_among(text, &['\\', 'n']);
    valid.then_some(Line::Help { name, text })
}

fn parse_type(text: &str) -> Option<Line<'_>> {
    let (name, kind) = text.split_once(' ')?;
    let kind = FamilyKind::parse(kind)?;
    is_metric_name(name).then_some(Line::Type { name, kind })
}

fn parse_sample(text: &str) -> Option<Sample<'_>> {
    let name_end = text.find(['{', ' '])?;
    let (name, rest) = text.split_at(name_end);
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    labels.sort_unstable();
    let twice = labels.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let value = rest.strip_prefix(' ')?;
    let valid = is_metric_name(name) && !twice && is_number(value);
    valid.then_some(Sample {
        name,
        labels,
        value,
    })
}

/// Parses `label="value",…}` and gives back what stands behind the brace.
fn parse_labels(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        return Some((labels, after));
    }
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let value_end = closing_quote(quoted)?;
        let (value, after) = (&quoted[..value_end], &quoted[value_end + 1..]);
        if !is_label_name(name) || !escapes_are_among(value, &['\\', 'n', '"']) {
            return None;
        }
        labels.push((name, value));
        if let Some(after) = after.strip_prefix('}') {
            return Some((labels, after));
        }
        rest = after.strip_prefix(',')?;
    }
}

/// The position of the first quote that no backslash precedes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Whether every backslash introduces one of `known`.
fn escapes_are_among(text: &str, known: &[char]) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !chars.next().is_some_and(|next| known.contains(&next)) {
            return false;
        }
    }
    true
}

fn is_metric_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
    })
}

/// A label name that an engine may use: not ours, and not one that Prometheus keeps for itself.
fn is_label_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well
        && !name.starts_with("__")
        && !name.starts_with("maas_")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A number in the format's words. Rust reads more spellings (`inf`, `nan`), and reads `1e999` as
/// infinity where Prometheus gives up.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    matches!(text, "NaN" | "+Inf" | "-Inf")
        || (text.bytes().all(digits) && text.parse().is_ok_and(f64::is_finite))
}
