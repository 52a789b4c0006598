//! Taking secrets out of a text.

use std::{collections::BTreeMap, fmt, ops::Range};

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use super::{assignment, pem, token};

/// Longer than a line that a person reads; a stack trace fits.
const LONGEST_LINE: usize = 8 << 10;
/// Shorter known secrets would take ordinary words out. Longer than what stands in their place, so
/// that taking one out always makes the text shorter and comes to an end.
const SHORTEST_KNOWN: usize = 8;

/// What kind of secret was taken out; its text stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// A key of the gateway (but for its public id) or of another service.
    ApiKey,
    /// What follows `Bearer` or `Basic`.
    Bearer,
    /// A PEM block with a private key.
    PrivateKey,
    /// The value of something called a password, token, secret …
    Assigned,
    /// A long random text on a line with such a word.
    Random,
    /// An address of a person.
    Email,
    /// A text that the caller knows to be secret.
    Known,
}

impl SecretKind {
    /// What stands in the place of the secret.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::ApiKey => "[api-key]",
            Self::Bearer => "[bearer]",
            Self::PrivateKey => "[private-key]",
            Self::Assigned => "[secret]",
            Self::Random => "[random]",
            Self::Email => "[e-mail]",
            Self::Known => "[known]",
        }
    }
}

/// Whether addresses of people stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Email {
    /// They stay: who did what is often the question.
    #[default]
    Keep,
    /// They are taken out.
    Remove,
}

/// What is secret here, beside what looks like it.
#[derive(Default)]
pub struct Secrets {
    known: Vec<Zeroizing<String>>,
    email: Email,
}

/// A known secret that is too short to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a known secret has fewer than 8 bytes: looking for it would take ordinary words out")]
pub struct KnownSecretError;

impl Secrets {
    /// Known secrets, each at least 8 bytes, wherever they stand.
    pub fn new(
        known: impl IntoIterator<Item = String>,
        email: Email,
    ) -> Result<Self, KnownSecretError> {
        let known: Vec<_> = known.into_iter().map(Zeroizing::new).collect();
        let short = known.iter().any(|secret| secret.len() < SHORTEST_KNOWN);
        if short {
            return Err(KnownSecretError);
        }
        Ok(Self { known, email })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text.
    pub text: String,
    /// How many of each kind were taken out.
    pub removed: BTreeMap<SecretKind, u64>,
    /// How many lines were longer than 8 KiB and were cut there.
    pub cut_lines: u64,
}

/// A place in a text and why it goes.
pub(super) type Span = (Range<usize>, SecretKind);

/// Takes secrets out of `text`. No text of `secrets` is in the result.
pub fn redact(text: &str, secrets: &Secrets) -> Redacted {
    let mut removed = BTreeMap::new();
    let mut spans = known(text, secrets);
    pem::find(text, &mut spans);
    token::find(text, secrets.email, &mut spans);
    assignment::find(text, &mut spans);
    let text = without(text, spans, &mut removed);
    let (mut text, cut_lines) = cut(&text);
    // Marks and cuts put texts beside each other that were not.
    loop {
        let spans = known(&text, secrets);
        if spans.is_empty() {
            break;
        }
        text = without(&text, spans, &mut removed);
    }
    Redacted {
        text,
        removed,
        cut_lines,
    }
}

/// Every place of every known secret, overlapping ones too.
fn known(text: &str, secrets: &Secrets) -> Vec<Span> {
    let mut spans = Vec::new();
    for secret in &secrets.known {
        let finder = Finder::new(secret.as_bytes());
        let mut from = 0;
        while let Some(at) = finder.find(&text.as_bytes()[from..]) {
            let start = from + at;
            spans.push((start..start + secret.len(), SecretKind::Known));
            from = start + 1;
        }
    }
    spans
}

/// The text with each span replaced by a mark; spans that overlap or touch become one.
fn without(text: &str, mut spans: Vec<Span>, removed: &mut BTreeMap<SecretKind, u64>) -> String {
    spans.retain(|(range, _)| !range.is_empty());
    spans.sort_by_key(|(range, kind)| (range.start, *kind));
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    let mut spans = spans.into_iter().peekable();
    while let Some((mut range, kind)) = spans.next() {
        while let Some((next, _)) = spans.next_if(|(next, _)| next.start <= range.end) {
            range.end = range.end.max(next.end);
        }
        result.push_str(&text[done..range.start]);
        result.push_str(kind.mark());
        *removed.entry(kind).or_default() += 1;
        done = range.end;
    }
    result.push_str(&text[done..]);
    result
}

/// No line longer than 8 KiB.
fn cut(text: &str) -> (String, u64) {
    let mut result = String::with_capacity(text.len());
    let mut count = 0;
    for line in text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        if content.len() <= LONGEST_LINE {
            result.push_str(line);
            continue;
        }
        count += 1;
        let end = content.floor_char_boundary(LONGEST_LINE);
        result.push_str(&content[..end]);
        result.push_str(" [line cut]");
        result.push_str(&line[content.len()..]);
    }
    (result, count)
}

#[cfg(test)]
mod tests;
