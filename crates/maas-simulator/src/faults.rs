//! Token times and failures on command: `MAAS_SIMULATE` at the start, `POST /simulate` at run time.

use std::{str::FromStr, time::Duration};

use serde::Deserialize;

/// How the engine behaves. Text form: `load=3s,first_token=50ms,token=5ms,fail=hang`, where the
/// words are the fields' names and durations are a number and `ms` or `s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// How long loading takes, from the first log line until it listens: a slow load.
    pub load: Duration,
    /// From a sequence's admission to its first token.
    pub first_token: Duration,
    /// From one token to the next.
    pub token: Duration,
    /// How long an answer is that no limit cuts, tokens.
    pub answer_tokens: u64,
    /// Exit with code 0, unasked, this long after the start of serving.
    pub exit0_after: Option<Duration>,
    /// What goes wrong, if anything.
    pub fail: Option<Failure>,
}

impl Default for Behaviour {
    /// Answers at once: tests need no patience.
    fn default() -> Self {
        Self {
            load: Duration::ZERO,
            first_token: Duration::ZERO,
            token: Duration::ZERO,
            answer_tokens: DEFAULT_ANSWER_TOKENS,
            exit0_after: None,
            fail: None,
        }
    }
}

/// Long enough to see a stream as one, short enough to read.
const DEFAULT_ANSWER_TOKENS: u64 = 24;

/// What goes wrong. Each is something that a real vLLM, or what stands before one, has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// `hang`: no more tokens; `/health` stays 200.
    Hang,
    /// `exit0`: the process exits with code 0, unasked.
    Exit0,
    /// `die`: the core dies: 503 on `/health`, open streams get an error event, exit 0 after 3 s.
    Die,
    /// `die_on_first_token`: healthy until the first request, whose first token kills the core.
    DieOnFirstToken,
    /// `orphan`: the API process is killed with signal 9; core and worker live on.
    Orphan,
    /// `stream_error[:N]`: each answer breaks off with an error after N tokens (default 3).
    StreamError(u64),
    /// `drop[:N]`: each connection is cut after N tokens (default 3).
    Drop(u64),
    /// `html`: requests are answered 502 with an HTML page.
    Html,
    /// `refuse`: requests are answered 503.
    Refuse,
    /// `start`: loading ends in an error and exit code 1. At the start only.
    Start,
}

/// A word or value that `MAAS_SIMULATE` or `/simulate` does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// Not `word=value`, or the word is unknown.
    #[error("`{0}` is not one of load=, first_token=, token=, answer_tokens=, exit0_after=, fail=")]
    UnknownWord(String),
    /// The value does not fit its word.
    #[error("`{value}` is not a value for `{word}` (want {want})")]
    BadValue {
        /// The word before `=`.
        word: &'static str,
        /// What was found.
        value: String,
        /// What would be right.
        want: &'static str,
    },
}

/// What `POST /simulate` takes; absent fields stay as they are, `"fail": null` ends the failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// New [`Behaviour::first_token`], milliseconds.
    #[serde(default)]
    pub first_token_ms: Option<u64>,
    /// New [`Behaviour::token`], milliseconds.
    #[serde(default)]
    pub token_ms: Option<u64>,
    /// New [`Behaviour::answer_tokens`].
    #[serde(default)]
    pub answer_tokens: Option<u64>,
    /// What becomes of [`Behaviour::fail`].
    #[serde(default)]
    pub fail: NextFailure,
}

/// The failure after a [`Change`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NextFailure {
    /// The one before; the field is absent.
    #[default]
    Same,
    /// None; the field is null.
    Nothing,
    /// The one of this name, in the words of [`Failure`].
    Word(String),
}

impl<'de> Deserialize<'de> for NextFailure {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = Option::<String>::deserialize(from)?;
        Ok(word.map_or(Self::Nothing, Self::Word))
    }
}

impl Change {
    /// Starts `failure`, and nothing else.
    pub fn fail(failure: Failure) -> Self {
        Self {
            fail: NextFailure::Word(failure.to_string()),
            ..Self::default()
        }
    }

    /// Ends whatever failure there is.
    pub fn heal() -> Self {
        Self {
            fail: NextFailure::Nothing,
            ..Self::default()
        }
    }
}

impl Behaviour {
    /// This behaviour with `change` applied; refused whole when one part of it is wrong.
    pub fn changed(&self, change: &Change) -> Result<Self, BehaviourError> {
        let mut next = self.clone();
        if let Some(ms) = change.first_token_ms {
            next.first_token = Duration::from_millis(ms);
        }
        if let Some(ms) = change.token_ms {
            next.token = Duration::from_millis(ms);
        }
        if let Some(tokens) = change.answer_tokens {
            next.answer_tokens = tokens;
        }
        match &change.fail {
            NextFailure::Same => {}
            NextFailure::Nothing => next.fail = None,
            NextFailure::Word(word) => next.fail = Some(running_failure(word)?),
        }
        Ok(next)
    }
}

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        let mut behaviour = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let unknown = || BehaviourError::UnknownWord(part.to_owned());
            let (word, value) = part.split_once('=').ok_or_else(unknown)?;
            match word {
                "load" => behaviour.load = duration("load", value)?,
                "first_token" => behaviour.first_token = duration("first_token", value)?,
                "token" => behaviour.token = duration("token", value)?,
                "answer_tokens" => behaviour.answer_tokens = number("answer_tokens", value)?,
                "exit0_after" => behaviour.exit0_after = Some(duration("exit0_after", value)?),
                "fail" => behaviour.fail = Some(value.parse()?),
                _ => return Err(unknown()),
            }
        }
        Ok(behaviour)
    }
}

impl FromStr for Failure {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        let (word, after) = match text.split_once(':') {
            Some((word, after)) => (word, Some(number("fail", after)?)),
            None => (text, None),
        };
        let after_tokens = after.unwrap_or(DEFAULT_AFTER_TOKENS);
        match (word, after) {
            ("stream_error", _) => Ok(Self::StreamError(after_tokens)),
            ("drop", _) => Ok(Self::Drop(after_tokens)),
            ("hang", None) => Ok(Self::Hang),
            ("exit0", None) => Ok(Self::Exit0),
            ("die", None) => Ok(Self::Die),
            ("die_on_first_token", None) => Ok(Self::DieOnFirstToken),
            ("orphan", None) => Ok(Self::Orphan),
            ("html", None) => Ok(Self::Html),
            ("refuse", None) => Ok(Self::Refuse),
            ("start", None) => Ok(Self::Start),
            _ => Err(BehaviourError::BadValue {
                word: "fail",
                value: text.to_owned(),
                want: "hang, exit0, die, die_on_first_token, orphan, stream_error[:N], drop[:N], \
                       html, refuse or start; a slow load is `load=60s` at the start",
            }),
        }
    }
}

/// The first chunks have gone out and been believed.
const DEFAULT_AFTER_TOKENS: u64 = 3;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hang => f.write_str("hang"),
            Self::Exit0 => f.write_str("exit0"),
            Self::Die => f.write_str("die"),
            Self::DieOnFirstToken => f.write_str("die_on_first_token"),
            Self::Orphan => f.write_str("orphan"),
            Self::StreamError(after) => write!(f, "stream_error:{after}"),
            Self::Drop(after) => write!(f, "drop:{after}"),
            Self::Html => f.write_str("html"),
            Self::Refuse => f.write_str("refuse"),
            Self::Start => f.write_str("start"),
        }
    }
}

fn running_failure(word: &str) -> Result<Failure, BehaviourError> {
    let failure = word.parse()?;
    if failure == Failure::Start {
        return Err(BehaviourError::BadValue {
            word: "fail",
            value: word.to_owned(),
            want: "a failure of a running engine; `start` belongs into MAAS_SIMULATE",
        });
    }
    Ok(failure)
}

fn duration(word: &'static str, value: &str) -> Result<Duration, BehaviourError> {
    let bad = || BehaviourError::BadValue {
        word,
        value: value.to_owned(),
        want: "a whole number and `ms` or `s`, such as 50ms",
    };
    let (digits, of): (_, fn(u64) -> Duration) = match value.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis),
        None => (
            value.strip_suffix('s').ok_or_else(bad)?,
            Duration::from_secs,
        ),
    };
    digits.parse().map(of).map_err(|_| bad())
}

fn number(word: &'static str, value: &str) -> Result<u64, BehaviourError> {
    value.parse().map_err(|_| BehaviourError::BadValue {
        word,
        value: value.to_owned(),
        want: "a whole number",
    })
}

#[cfg(test)]
mod tests;
