//! PEM blocks with private keys, whole or not, and whatever a log has put between their lines.

use memchr::memmem;

use super::redact::{SecretKind, Span};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// No label is longer.
const LABEL: usize = 64;
/// An encrypted RSA key of 8192 bits has some 6,500 bytes.
const LONGEST_KEY: usize = 8 << 10;

pub(super) fn find(text: &str, spans: &mut Vec<Span>) {
    let mut done = 0;
    for at in memmem::find_iter(text.as_bytes(), BEGIN) {
        if at >= done && is_private(text, at + BEGIN.len()) {
            done = end_of_key(text, at + BEGIN.len());
            spans.push((at..done, SecretKind::PrivateKey));
        }
    }
    // The tail of a log may begin in the middle of a key.
    for at in memmem::find_iter(text.as_bytes(), END) {
        let inside = |(range, _): &Span| range.contains(&at);
        if is_private(text, at + END.len()) && !spans.iter().any(inside) {
            let start = text.floor_char_boundary(at.saturating_sub(LONGEST_KEY));
            let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
            spans.push((start..at, SecretKind::PrivateKey));
        }
    }
}

fn is_private(text: &str, label: usize) -> bool {
    let end = text.floor_char_boundary(text.len().min(label + LABEL));
    let label = text[label..end].split(DASHES).next().unwrap_or_default();
    label.contains("PRIVATE KEY") || label.contains("SECRET KEY")
}

/// After the closing line; without one, the end of the text.
fn end_of_key(text: &str, from: usize) -> usize {
    let Some(end) = text[from..].find(END).map(|at| from + at + END.len()) else {
        return text.len();
    };
    text[end..]
        .find(DASHES)
        .map_or(text.len(), |at| end + at + DASHES.len())
}
