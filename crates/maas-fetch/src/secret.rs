//! A token or password that somebody gave us: never printed, wiped when dropped.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use zeroize::Zeroizing;

/// Text that opens doors. `Debug` does not show it, there is no `Display`, and its memory is wiped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text, without the white space around it that files and pasting leave.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// `Authorization: Bearer …` (RFC 6750). `None` when the text cannot stand in a header.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        Self::header(&Zeroizing::new(format!("Bearer {}", self.0.as_str())))
    }

    /// `Authorization: Basic …` (RFC 7617).
    pub(crate) fn basic(&self, user: &str) -> Option<HeaderValue> {
        let pair = Zeroizing::new(format!("{user}:{}", self.0.as_str()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Self::header(&Zeroizing::new(format!("Basic {}", encoded.as_str())))
    }

    /// Marked as sensitive, so that no layer below prints it or keeps it in a compression table.
    fn header(text: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed_in_any_form() {
        let secret = Secret::new("hf_abc\n");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let header = secret.bearer().unwrap();
        assert_eq!(header.as_bytes(), b"Bearer hf_abc");
        assert_eq!(format!("{header:?}"), "Sensitive");
        // RFC 7617, section 2.
        let basic = Secret::new("open sesame").basic("Aladdin").unwrap();
        assert_eq!(basic.as_bytes(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn a_secret_that_would_start_another_header_line_makes_none() {
        assert!(Secret::new("a\r\nx: y").bearer().is_none());
    }
}
