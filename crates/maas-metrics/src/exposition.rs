//! Prometheus' text format 0.0.4, written from definitions.

use std::fmt::{Display, Write};

use crate::Definition;

/// A page under construction.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Writes one family: what `fill` adds, below its `# HELP` and `# TYPE`. A family without
    /// samples is left out. Each definition may be written once per page.
    pub(crate) fn family(&mut self, definition: &Definition, fill: impl FnOnce(&mut Family<'_>)) {
        let start = self.text.len();
        self.header(definition.name, definition.kind.as_str(), definition.help);
        let header_end = self.text.len();
        fill(&mut Family {
            definition,
            text: &mut self.text,
        });
        if self.text.len() == header_end {
            self.text.truncate(start);
        }
    }

    /// Writes a family's `# HELP` and `# TYPE`. `help` must be escaped.
    pub(crate) fn header(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Writes a finished line.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("writing to a string cannot fail");
    }
}

/// The samples of one family.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    definition: &'a Definition,
    text: &'a mut String,
}

impl Family<'_> {
    /// Adds a sample. `values` are the labels' values, in the order of the definition.
    pub(crate) fn sample<const N: usize>(&mut self, values: [&str; N], value: impl Display) {
        debug_assert_eq!(
            N,
            self.definition.labels.len(),
            "{} has other labels",
            self.definition.name
        );
        self.text.push_str(self.definition.name);
        let mut before = '{';
        for (label, value) in self.definition.labels.iter().zip(values) {
            self.text.push(before);
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape_into(self.text, value);
            self.text.push('"');
            before = ',';
        }
        if N > 0 {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").expect("writing to a string cannot fail");
    }
}

/// A label value as it stands between quotes. Control characters other than a line feed have no
/// escape in the format and could steer a reader's terminal: each becomes U+FFFD.
fn escape_into(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => text.push(char::REPLACEMENT_CHARACTER),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const NAMED: Definition = Definition {
        name: "maas_named",
        kind: Kind::Gauge,
        labels: &["name"],
        help: "A name.",
    };

    #[test]
    fn a_label_value_cannot_leave_its_quotes_or_steer_a_terminal() {
        let mut page = Exposition::default();
        page.family(&NAMED, |family| {
            family.sample(["a\"b\\c\nd\u{1b}[2J"], 1);
        });
        insta::assert_snapshot!(page.finish(), @r#"
        # HELP maas_named A name.
        # TYPE maas_named gauge
        maas_named{name="a\"b\\c\nd�[2J"} 1
        "#);
    }

    #[test]
    fn a_family_without_samples_is_not_announced() {
        let mut page = Exposition::default();
        page.family(&NAMED, |_| ());
        assert_eq!(page.finish(), "");
    }
}
