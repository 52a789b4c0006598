//! One thing that was looked at, and how it turned out.

use maas_types::Exit;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable code: `D-KERNEL`.
    pub id: &'static str,
    /// How it turned out.
    pub level: Level,
    /// What was found, in one sentence.
    pub text: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Why somebody has accepted it as it is; set exactly where the level says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// What a failure tells the shell.
    #[serde(skip)]
    failed: Exit,
}

/// How a finding turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is as it should be.
    Pass,
    /// It is not, and somebody has taken that on with a reason.
    Accepted,
    /// It will work, and somebody should know.
    Warn,
    /// It will not work.
    Fail,
}

impl Finding {
    /// It is as it should be.
    pub fn pass(id: &'static str, text: impl Into<String>) -> Self {
        Self {
            id,
            level: Level::Pass,
            text: text.into(),
            fix: None,
            accepted: None,
            failed: Exit::HostCheck,
        }
    }

    /// It will work, and somebody should know. `fix` is what a person can type or do.
    pub fn warn(id: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            fix: Some(fix.into()),
            ..Self::pass(id, text)
        }
    }

    /// It will not work. `fix` is what a person can type or do.
    pub fn fail(id: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(id, text, fix)
        }
    }

    /// The same finding, whose failure ends the process with `exit` instead of
    /// [`Exit::HostCheck`].
    #[must_use]
    pub fn exiting(self, exit: Exit) -> Self {
        Self {
            failed: exit,
            ..self
        }
    }

    /// The same finding, accepted for `reason`.
    #[must_use]
    pub(crate) fn accepted(self, reason: &str) -> Self {
        Self {
            level: Level::Accepted,
            accepted: Some(reason.to_owned()),
            ..self
        }
    }

    /// What the process tells the shell because of this finding: [`Exit::Done`] unless it failed.
    pub const fn exit(&self) -> Exit {
        match self.level {
            Level::Pass | Level::Accepted | Level::Warn => Exit::Done,
            Level::Fail => self.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_ends_the_process() {
        let full = Finding::fail("D-DISK-SPACE", "full", "free some").exiting(Exit::NoSpace);
        assert_eq!(full.exit(), Exit::NoSpace);
        assert_eq!(full.accepted("a reason").exit(), Exit::Done);
        assert_eq!(Finding::warn("D-X", "so so", "look").exit(), Exit::Done);
        assert_eq!(Finding::fail("D-X", "bad", "mend").exit(), Exit::HostCheck);
    }

    #[test]
    fn the_json_form_leaves_out_what_is_not_there() {
        let json = |finding| serde_json::to_value(finding).unwrap();
        assert_eq!(
            json(Finding::pass("D-X", "good")),
            serde_json::json!({"id": "D-X", "level": "pass", "text": "good"})
        );
        assert_eq!(
            json(Finding::fail("D-X", "bad", "mend").accepted("ticket 4711")),
            serde_json::json!({
                "id": "D-X", "level": "accepted", "text": "bad", "fix": "mend",
                "accepted": "ticket 4711"
            })
        );
    }
}
