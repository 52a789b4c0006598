//! How far an engine has come, read from what it prints.
//!
//! The lines are those of vLLM 0.32. They change between releases, so nothing depends on them: a
//! line that is not known leaves the progress as it is, and READY is decided by a token alone.
//! The log is an engine's own words, so a line is cut, its control characters are escaped, and
//! after the first token nothing but the name of an exception is kept, as a message may then quote
//! a client's prompt.

use serde::{Deserialize, Serialize};

/// How far loading has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does.
    pub stage: Stage,
    /// 0 to 100, for a bar: the share of the usual steps, not of the time. Never falls.
    pub percent: u8,
}

/// What a loading engine does, in the usual order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The process starts and imports its libraries.
    #[default]
    Launch,
    /// It has read its flags and the model's configuration.
    Configure,
    /// Its core processes start.
    Engine,
    /// It reads the weights.
    Weights,
    /// It compiles and measures.
    Compile,
    /// It has taken memory for the key-value cache.
    Memory,
    /// It captures CUDA graphs.
    Graphs,
    /// It opens its socket.
    Serve,
    /// It answers; its first token is awaited.
    FirstToken,
}

impl Stage {
    /// Where the stage begins on the bar. Weights get the widest part: they take the most time on
    /// everything but a toy.
    const fn begins(self) -> u8 {
        match self {
            Self::Launch => 0,
            Self::Configure => 3,
            Self::Engine => 6,
            Self::Weights => 10,
            Self::Compile => 60,
            Self::Memory => 80,
            Self::Graphs => 85,
            Self::Serve => 95,
            Self::FirstToken => 99,
        }
    }

    /// What it does, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "starting the process",
            Self::Configure => "reading its configuration",
            Self::Engine => "starting its core",
            Self::Weights => "loading weights",
            Self::Compile => "compiling and warming up",
            Self::Memory => "reserving its cache",
            Self::Graphs => "capturing graphs",
            Self::Serve => "opening its socket",
            Self::FirstToken => "producing its first token",
        }
    }
}

/// Text in a line → the stage that it tells. Sources: a recorded start of vLLM 0.32 and the format
/// strings of 0.33 (`field/supervisor.md` 6).
const STAGES: [(&str, Stage); 17] = [
    ("non-default args:", Stage::Configure),
    ("Resolved architecture:", Stage::Configure),
    ("Initializing a V1 LLM engine", Stage::Engine),
    ("Starting to load model", Stage::Weights),
    ("checkpoint shards:", Stage::Weights),
    ("Loading weights took", Stage::Compile),
    ("Model loading took", Stage::Compile),
    ("Using cache directory", Stage::Compile),
    ("torch.compile took", Stage::Compile),
    ("Warming up model", Stage::Compile),
    ("Available KV cache memory", Stage::Memory),
    ("KV cache size:", Stage::Memory),
    ("Capturing CUDA graph", Stage::Graphs),
    ("Graph capturing finished", Stage::Graphs),
    ("init engine (profile", Stage::Serve),
    ("Starting vLLM server on", Stage::Serve),
    ("Application startup complete", Stage::FirstToken),
];

impl Progress {
    /// The progress after `line`.
    #[must_use]
    pub(crate) fn after(self, line: &str) -> Self {
        let found = STAGES.iter().find(|(text, _)| line.contains(text));
        let Some(&(text, stage)) = found.filter(|(_, stage)| *stage >= self.stage) else {
            return self;
        };
        let part = match text {
            "checkpoint shards:" => shards_done(line).unwrap_or(0),
            _ => 0,
        };
        let width = Stage::Compile.begins() - Stage::Weights.begins();
        let within = u32::from(width) * u32::from(part) / 100;
        let percent = stage.begins() + u8::try_from(within).unwrap_or(width);
        Self {
            stage,
            percent: percent.max(self.percent),
        }
    }
}

/// `…checkpoint shards:  43% Completed | 3/7 …` → 43
fn shards_done(line: &str) -> Option<u8> {
    let (before, _) = line.split_once("% Completed")?;
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|percent| *percent <= 100)
}

/// Finds the line that best says why an engine died.
#[derive(Debug, Default)]
pub(crate) struct RootCause {
    lines: u64,
    first: Option<(u64, String)>,
    last: Option<String>,
    answers_clients: bool,
}

/// An exception that is followed by so many lines did not kill the engine. A traceback of vLLM with
/// its workers' copies has up to about 200 lines.
const STILL_FRESH: u64 = 400;

/// A root cause is one line on a person's screen, with the reason around it.
const LONGEST: usize = 300;

/// They only say that something else has failed.
const NOT_A_CAUSE: [&str; 4] = [
    "Engine core initialization failed",
    "See root cause above",
    "EngineDeadError",
    "WorkerProc initialization failed",
];

impl RootCause {
    pub(crate) fn read(&mut self, line: &str) {
        self.lines += 1;
        let text = without_prefix(line);
        if text.is_empty() {
            return;
        }
        self.last = Some(printable(text));
        if !is_exception(text) || NOT_A_CAUSE.iter().any(|not| text.contains(not)) {
            return;
        }
        let stale = |at: u64| self.lines.saturating_sub(at) > STILL_FRESH;
        if self.first.as_ref().is_none_or(|(at, _)| stale(*at)) {
            let kept = if self.answers_clients {
                text.split(':').next().unwrap_or(text)
            } else {
                text
            };
            let kept = printable(kept);
            self.first = Some((self.lines, kept));
        }
    }

    /// From now on the engine answers clients.
    pub(crate) fn first_token(&mut self) {
        *self = Self {
            answers_clients: true,
            ..Self::default()
        };
    }

    /// The best line, if there is one.
    pub(crate) fn line(&self) -> Option<String> {
        let fresh = self
            .first
            .as_ref()
            .filter(|(at, _)| self.lines - at <= STILL_FRESH);
        match fresh {
            Some((_, line)) => Some(line.clone()),
            None if !self.answers_clients => self.last.clone(),
            None => None,
        }
    }
}

/// `(Worker pid=7) ERROR 11-22 07:26:39 [a.py:1] ValueError: x` → `ValueError: x`
fn without_prefix(line: &str) -> &str {
    let mut text = line.trim();
    if text.starts_with('(')
        && let Some((process, rest)) = text.split_once(") ")
        && process.contains("pid=")
    {
        text = rest.trim_start();
    }
    let level = ["ERROR ", "CRITICAL ", "WARNING ", "INFO "];
    if level.iter().any(|l| text.starts_with(l))
        && let Some((_, rest)) = text.split_once("] ")
    {
        text = rest.trim_start();
    }
    text
}

/// `torch.OutOfMemoryError: CUDA out of memory…`, `vllm serve: error: unrecognized arguments…`
fn is_exception(text: &str) -> bool {
    let head = text.split(':').next().unwrap_or(text);
    let is_path = head
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    let named = head.ends_with("Error") || head.ends_with("Exception");
    (is_path && named) || text.contains(": error: ")
}

fn printable(text: &str) -> String {
    let kept: String = text.chars().take(LONGEST).collect();
    kept.chars()
        .flat_map(|c| {
            let escaped = c.is_control();
            escaped
                .then(|| c.escape_default())
                .into_iter()
                .flatten()
                .chain((!escaped).then_some(c))
        })
        .collect()
}

#[cfg(test)]
mod tests;
