//! What facts mean for what is wanted: pure functions, a file for each group of findings.

pub(crate) mod cpu;
pub(crate) mod disk;
pub(crate) mod gpu;
pub(crate) mod kernel;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod nvidia;
pub(crate) mod old;
pub(crate) mod security;
pub(crate) mod system;
pub(crate) mod time;

/// How one question turned out; the catalogue knows its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody has looked, on purpose.
    NotLooked,
    /// It is as it should be.
    Pass(String),
    /// It will work, and somebody should know: what was found, what to do.
    Warn(String, String),
    /// It will not work: what was found, what to do.
    Fail(String, String),
}

pub(crate) fn pass(text: impl Into<String>) -> Outcome {
    Outcome::Pass(text.into())
}

/// `1 GPU`, `2 GPUs`
pub(crate) fn count(number: impl TryInto<u64>, thing: &str) -> String {
    match number.try_into() {
        Ok(1) => format!("1 {thing}"),
        Ok(number) => format!("{number} {thing}s"),
        Err(_) => format!("very many {thing}s"),
    }
}

pub(crate) fn warn(text: impl Into<String>, fix: impl Into<String>) -> Outcome {
    Outcome::Warn(text.into(), fix.into())
}

pub(crate) fn fail(text: impl Into<String>, fix: impl Into<String>) -> Outcome {
    Outcome::Fail(text.into(), fix.into())
}
