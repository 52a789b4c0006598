//! Every finding about a machine, from one table: in order, by code, and as a page.

mod table;

use std::fmt::Write as _;

use crate::{Finding, Level, Machine, Wants, check::Outcome};

pub(crate) use table::Entry;
use table::GROUPS;

fn entries() -> impl Iterator<Item = &'static Entry> {
    GROUPS.iter().flat_map(|(_, entries)| entries.iter())
}

/// The finding with a code.
pub(crate) fn entry(id: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.id == id)
}

/// Every finding about a machine, in the order of the reference page, each code once. Pure.
///
/// What cannot be looked at is left out, for a pass without a look would be a lie: D-LATENCY where nobody
/// measured, and what the driver would tell while none is loaded, which D-DRIVER says.
pub fn findings(machine: &Machine, wants: &Wants) -> Vec<Finding> {
    let finding = |entry: &Entry| {
        let finding = match (entry.check)(machine, wants) {
            Outcome::NotLooked => return None,
            Outcome::Pass(text) => Finding::pass(entry.id, text),
            Outcome::Warn(text, fix) => Finding::warn(entry.id, text, fix),
            Outcome::Fail(text, fix) => Finding::fail(entry.id, text, fix),
        };
        Some(finding.exiting(entry.exit))
    };
    entries().filter_map(finding).collect()
}

/// The page `docs/reference/findings.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "<!-- Generated: `maas_host::reference()`. A test holds it. -->\n# Findings about a machine\n\n\
         `install` looks at all of these before its first write, and `doctor` afterwards. Nothing needs a \
         default route, DNS or a time server. To go on in spite of one, say why: `--accept D-CLOCK --reason \
         \"GPS clock, ticket 4711\"`; it is logged. A failure ends with exit code 5, or 25 where space is \
         short.\n",
    );
    for (heading, entries) in &GROUPS {
        let _ = write!(
            page,
            "\n## {heading}\n\n| code | as it should be | otherwise | may be accepted |\n|---|---|---|---|\n"
        );
        for entry in *entries {
            let worst = match entry.worst {
                Level::Pass | Level::Accepted => "is only told",
                Level::Warn => "warns",
                Level::Fail => "warns or fails",
            };
            let may = match (entry.never, entry.worst) {
                (Some(why), _) => format!("never: {why}"),
                (None, Level::Pass) => "nothing to accept".to_owned(),
                (None, Level::Accepted | Level::Warn | Level::Fail) => "yes".to_owned(),
            };
            let _ = writeln!(
                page,
                "| `{}` | {} | {worst} | {may} |",
                entry.id, entry.meaning
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_looks_like_one() {
        let codes: Vec<_> = entries().map(|entry| entry.id).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        for code in codes {
            let rest = code.strip_prefix("D-").unwrap();
            assert!(
                rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'),
                "{code}"
            );
        }
    }

    #[test]
    fn what_can_never_be_accepted_can_fail() {
        for entry in entries().filter(|entry| entry.never.is_some()) {
            assert_eq!(entry.worst, Level::Fail, "{}", entry.id);
        }
    }
}
