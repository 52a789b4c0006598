//! Findings that somebody has taken on.

use crate::{
    Finding, Level,
    catalogue::{Entry, entry},
};

/// An acceptance that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// No finding about the machine has this code.
    #[error(
        "`{id}` is not the code of a finding that can be accepted; \
         they are listed in docs/reference/findings.md"
    )]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// It would not help.
    #[error("{id} cannot be accepted: {why}")]
    Never {
        /// The code.
        id: &'static str,
        /// Why it would not help.
        why: &'static str,
    },
    /// Without a reason nobody will know later why.
    #[error("{id} is accepted with a reason only; say why: --accept {id} --reason \"ticket 4711\"")]
    NoReason {
        /// The code.
        id: &'static str,
    },
}

/// Turns the failures and warnings that are named into accepted ones, each with its reason. All or
/// none: an acceptance that is not taken changes nothing.
///
/// To accept what passes is allowed and changes nothing: scripts say the same on every host.
pub fn accept(
    findings: Vec<Finding>,
    accepted: &[(&str, &str)],
) -> Result<Vec<Finding>, AcceptError> {
    for (id, reason) in accepted {
        let Some(Entry { id, never, .. }) = entry(id) else {
            let id = id.escape_debug().to_string();
            return Err(AcceptError::Unknown { id });
        };
        if let Some(why) = never {
            return Err(AcceptError::Never { id, why });
        }
        if reason.trim().is_empty() {
            return Err(AcceptError::NoReason { id });
        }
    }
    let reason_of = |finding: &Finding| {
        let mut accepted = accepted.iter();
        accepted.find_map(|(id, reason)| (*id == finding.id).then_some(reason.trim()))
    };
    let findings = findings
        .into_iter()
        .map(|finding| match (finding.level, reason_of(&finding)) {
            (Level::Warn | Level::Fail, Some(reason)) => finding.accepted(reason),
            (Level::Pass | Level::Accepted, _) | (_, None) => finding,
        });
    Ok(findings.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Finding> {
        vec![
            Finding::fail("D-CLOCK", "1970", "set it"),
            Finding::pass("D-PORT", "free"),
            Finding::fail("D-DISK-SPACE", "full", "free some"),
            Finding::warn("D-OLD", "ollama", "stop it"),
        ]
    }

    #[test]
    fn what_is_named_is_accepted_with_its_reason_and_the_rest_stays() {
        let accepted = [
            ("D-CLOCK", " GPS, ticket 4711 "),
            ("D-PORT", "x"),
            ("D-OLD", "y"),
        ];
        let after = accept(some(), &accepted).unwrap();
        let levels: Vec<_> = after.iter().map(|finding| finding.level).collect();
        assert_eq!(
            levels,
            [Level::Accepted, Level::Pass, Level::Fail, Level::Accepted]
        );
        assert_eq!(after[0].accepted.as_deref(), Some("GPS, ticket 4711"));
        assert_eq!(
            (after[0].text.as_str(), after[1].accepted.as_deref()),
            ("1970", None)
        );
    }

    #[test]
    fn what_cannot_help_is_refused() {
        for (id, reason, text) in [
            (
                "D-DISK-SPACE",
                "it will do",
                "D-DISK-SPACE cannot be accepted: what does not fit is not installed",
            ),
            (
                "D-CLOCK",
                "  ",
                "D-CLOCK is accepted with a reason only; say why: --accept D-CLOCK --reason \"ticket 4711\"",
            ),
            (
                "P-CONTENT\n",
                "x",
                "`P-CONTENT\\n` is not the code of a finding that can be accepted; they are listed in docs/reference/findings.md",
            ),
        ] {
            let error = accept(some(), &[("D-OLD", "fine"), (id, reason)]).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }
}
