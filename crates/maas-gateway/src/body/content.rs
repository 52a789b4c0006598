//! Text that belongs to a client: prompts and answers.

use std::{fmt, ops::Deref};

use bytes::Bytes;

/// Bytes that must not reach a log, a metric or an error: their `Debug` says how many they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content(pub(crate) Bytes);

impl Deref for Content {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_debug_says_how_many_bytes_and_not_which() {
        let content = Content(Bytes::from_static(b"my secret plan"));
        assert_eq!(format!("{content:?}"), "14 bytes");
    }
}
