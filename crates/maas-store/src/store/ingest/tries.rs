//! Whose fault it is when a reading fails. Decides; touches nothing.

use std::io;

use crate::FaultKind;

/// Three: bad contacts and dirty caches pass with the second try, and a stick that fails three times
/// will fail the fourth.
const ATTEMPTS: u32 = 3;

/// A reading that did not give what was signed.
#[derive(Debug)]
pub(super) enum Attempt {
    /// Other bytes, or more, or fewer; in words.
    Wrong { expected: String, found: String },
    /// An error, so far into the file.
    Unreadable { offset: u64, source: io::Error },
}

/// Why a file is not read again.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The medium is sound and its content is wrong.
    Content { expected: String, found: String },
    /// The medium fails.
    Medium {
        attempts: u32,
        offset: u64,
        kind: FaultKind,
        source: Option<io::Error>,
    },
}

/// The failed readings of one file.
#[derive(Debug, Default)]
pub(super) struct Tries {
    attempts: u32,
    wrong: Option<(String, String)>,
}

impl Tries {
    /// Takes in one more; `None` means that the file shall be read again.
    pub(super) fn failed(&mut self, attempt: Attempt) -> Option<Verdict> {
        self.attempts += 1;
        let attempts = self.attempts;
        match (attempt, self.wrong.take()) {
            (Attempt::Unreadable { offset, source }, _) if attempts >= ATTEMPTS => {
                Some(Verdict::Medium {
                    attempts,
                    offset,
                    kind: FaultKind::Unreadable,
                    source: Some(source),
                })
            }
            (Attempt::Unreadable { .. }, before) => {
                self.wrong = before;
                None
            }
            // Twice the same: that is what lies there.
            (Attempt::Wrong { expected, found }, Some((_, before))) if before == found => {
                Some(Verdict::Content { expected, found })
            }
            (Attempt::Wrong { .. }, Some(_)) => Some(Verdict::Medium {
                attempts,
                offset: 0,
                kind: FaultKind::Changing,
                source: None,
            }),
            (Attempt::Wrong { expected, found }, None) if attempts >= ATTEMPTS => {
                Some(Verdict::Content { expected, found })
            }
            (Attempt::Wrong { expected, found }, None) => {
                self.wrong = Some((expected, found));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(found: &str) -> Attempt {
        Attempt::Wrong {
            expected: "right".to_owned(),
            found: found.to_owned(),
        }
    }

    fn unreadable() -> Attempt {
        Attempt::Unreadable {
            offset: 7,
            source: io::Error::other("the test"),
        }
    }

    /// The answers to these readings, in one letter each: again, content, unreadable, changing.
    fn answers(attempts: Vec<Attempt>) -> String {
        let mut tries = Tries::default();
        let letter = |attempt| match tries.failed(attempt) {
            None => 'a',
            Some(Verdict::Content { .. }) => 'c',
            Some(Verdict::Medium { kind, .. }) => match kind {
                FaultKind::Unreadable => 'u',
                FaultKind::Changing => 'x',
            },
        };
        attempts.into_iter().map(letter).collect()
    }

    #[test]
    fn the_same_wrong_bytes_twice_are_the_content_of_the_medium() {
        assert_eq!(answers(vec![wrong("a"), wrong("a")]), "ac");
        assert_eq!(answers(vec![wrong("a"), unreadable(), wrong("a")]), "aac");
    }

    #[test]
    fn other_wrong_bytes_each_time_are_a_failing_medium() {
        assert_eq!(answers(vec![wrong("a"), wrong("b")]), "ax");
    }

    #[test]
    fn three_failed_readings_are_enough() {
        assert_eq!(
            answers(vec![unreadable(), unreadable(), unreadable()]),
            "aau"
        );
        assert_eq!(answers(vec![wrong("a"), unreadable(), unreadable()]), "aau");
        assert_eq!(answers(vec![unreadable(), unreadable(), wrong("a")]), "aac");
    }
}
