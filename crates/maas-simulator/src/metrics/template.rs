//! The recorded exposition text, to be filled with values.

use std::{collections::HashMap, fmt::Write};

use parking_lot::Mutex;

use super::histogram::Histogram;

/// vLLM 0.32's families with labels and without values, in their order.
const RECORDED: &str = include_str!("vllm.txt");

/// The name under which they were recorded.
const RECORDED_LABEL: &str = "model_name=\"tiny\"";

/// The labels that tell samples of one family apart.
const TELLING: [&str; 4] = [
    "finished_reason=\"",
    "reason=\"",
    "source=\"",
    "sleep_state=\"",
];

/// The text, cut into what is copied and what is filled in.
#[derive(Debug)]
pub(super) struct Template {
    lines: Vec<Line>,
    histograms: HashMap<&'static str, Mutex<Histogram>>,
}

#[derive(Debug)]
enum Line {
    Comment(&'static str),
    Sample { head: &'static str, value: Value },
}

#[derive(Debug)]
enum Value {
    /// When the family came to be.
    Created,
    /// Looked up as `name` or `name/label`.
    Plain(String),
    Bucket(&'static str, usize),
    Sum(&'static str),
    Count(&'static str),
}

impl Template {
    /// The recorded families.
    pub(super) fn vllm() -> Self {
        let mut bounds: HashMap<&'static str, Vec<f64>> = HashMap::new();
        for line in RECORDED.lines() {
            if let Some(name) = line
                .strip_prefix("# TYPE ")
                .and_then(|l| l.strip_suffix(" histogram"))
            {
                bounds.insert(name, Vec::new());
            }
        }
        let lines = RECORDED
            .lines()
            .map(|line| Line::read(line, &mut bounds))
            .collect();
        let histograms = bounds
            .into_iter()
            .map(|(name, bounds)| (name, Mutex::new(Histogram::new(bounds))))
            .collect();
        Self { lines, histograms }
    }

    /// Adds an observation to the histogram of that name.
    pub(super) fn observe(&self, name: &str, value: f64) {
        if let Some(histogram) = self.histograms.get(name) {
            histogram.lock().observe(value);
        }
    }

    /// The text with values.
    pub(super) fn render(
        &self,
        model: &str,
        created: &str,
        values: &HashMap<&'static str, f64>,
    ) -> String {
        let label = format!("model_name=\"{}\"", escape(model));
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Comment(comment) => writeln!(text, "{comment}"),
                Line::Sample { head, value } => {
                    let value = self.value(value, created, values);
                    writeln!(text, "{} {value}", head.replace(RECORDED_LABEL, &label))
                }
            }
            .expect("writing to a string cannot fail");
        }
        text
    }

    fn value(&self, value: &Value, created: &str, values: &HashMap<&'static str, f64>) -> String {
        let of = |name: &str, read: &dyn Fn(&Histogram) -> f64| {
            let histogram = self.histograms.get(name);
            float(histogram.map_or(0.0, |histogram| read(&histogram.lock())))
        };
        match value {
            Value::Created => created.to_owned(),
            Value::Plain(key) => float(values.get(key.as_str()).copied().unwrap_or(0.0)),
            Value::Bucket(name, index) => of(name, &|histogram| histogram.bucket(*index)),
            Value::Sum(name) => of(name, &Histogram::sum),
            Value::Count(name) => of(name, &Histogram::count),
        }
    }
}

impl Line {
    fn read(line: &'static str, bounds: &mut HashMap<&'static str, Vec<f64>>) -> Self {
        if line.starts_with('#') {
            return Self::Comment(line);
        }
        let (name, labels) = line.split_once('{').unwrap_or((line, ""));
        let value = if name.ends_with("_created") {
            Value::Created
        } else if let Some(family) = name.strip_suffix("_bucket") {
            let bounds = bounds.entry(family).or_default();
            bounds.push(
                label(labels, "le=\"")
                    .and_then(|le| le.parse().ok())
                    .unwrap_or(f64::INFINITY),
            );
            Value::Bucket(family, bounds.len() - 1)
        } else if let Some(family) = name.strip_suffix("_sum").filter(|f| bounds.contains_key(f)) {
            Value::Sum(family)
        } else if let Some(family) = name
            .strip_suffix("_count")
            .filter(|f| bounds.contains_key(f))
        {
            Value::Count(family)
        } else {
            let telling = TELLING.iter().find_map(|key| label(labels, key));
            Value::Plain(telling.map_or_else(|| name.to_owned(), |label| format!("{name}/{label}")))
        };
        Self::Sample { head: line, value }
    }
}

fn label<'a>(labels: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = labels.split_once(key)?;
    after.split_once('"').map(|(value, _)| value)
}

/// A label's value, escaped as the exposition format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A number as Python's Prometheus client writes it: `0.0`, `6577.0`, `1.003618304e+09`.
pub(crate) fn float(value: f64) -> String {
    let mut text = value.to_string();
    if value.is_infinite() {
        return "+Inf".to_owned();
    }
    if !text.contains('.') {
        text.push_str(".0");
    }
    // It moves the point when more than six digits stand before it.
    match text.find('.') {
        Some(dot) if value > 0.0 && dot > 6 => {
            let digits = text.replace('.', "");
            let (first, rest) = digits.split_at(1);
            let mantissa = format!("{first}.{rest}");
            let mantissa = mantissa.trim_end_matches(['0', '.']);
            format!("{mantissa}e+{:02}", dot - 1)
        }
        _ => text,
    }
}
