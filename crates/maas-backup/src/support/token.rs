//! What shows by its own form that it is secret: keys of services, bearer tokens, passwords in URLs;
//! and, when asked, addresses of people.

use memchr::memmem;

use super::redact::{Email, SecretKind, Span};

/// Our own keys: `sk-maas-<12: public id>_<secret>`.
const OURS: &str = "sk-maas-";
const PUBLIC_ID: usize = 12;
/// How keys of services that people use beside ours begin, and how long they are at least.
const THEIRS: [(&str, usize); 11] = [
    ("sk-", 23),
    ("hf_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("AKIA", 20),
    ("nvapi-", 20),
    ("eyJ", 40),
    ("AGE-SECRET-KEY-1", 20),
];
const SCHEMES: [&str; 2] = ["bearer", "basic"];

pub(super) fn find(text: &str, email: Email, spans: &mut Vec<Span>) {
    for at in memmem::find_iter(text.as_bytes(), OURS) {
        let end = run(text, at, is_key);
        let secret = at + public_part(&text[at..end]);
        spans.push((secret..end, SecretKind::ApiKey));
    }
    for (prefix, shortest) in THEIRS {
        for at in memmem::find_iter(text.as_bytes(), prefix) {
            let end = run(text, at, |b| is_key(b) || b == b'.');
            if end - at >= shortest && !text[at..].starts_with(OURS) {
                spans.push((at..end, SecretKind::ApiKey));
            }
        }
    }
    let lower = text.to_ascii_lowercase();
    for scheme in SCHEMES {
        for at in memmem::find_iter(lower.as_bytes(), scheme) {
            bearer(text, at + scheme.len(), spans);
        }
    }
    for at in memmem::find_iter(text.as_bytes(), "://") {
        user_info(text, at + 3, spans);
    }
    match email {
        Email::Keep => {}
        Email::Remove => addresses(text, spans),
    }
}

/// How much of a key may stay: up to and with the public id, when it has the form of one of ours.
pub(super) fn public_part(key: &str) -> usize {
    let Some(rest) = key.strip_prefix(OURS) else {
        return 0;
    };
    let id = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    match rest.as_bytes().get(id) {
        // Only an id: nothing of it is secret.
        None if id <= PUBLIC_ID => key.len(),
        Some(b'_') if id == PUBLIC_ID => OURS.len() + PUBLIC_ID + 1,
        None | Some(_) => OURS.len(),
    }
}

fn bearer(text: &str, after: usize, spans: &mut Vec<Span>) {
    let start = run(text, after, |b| b == b' ' || b == b'\t');
    let end = run(text, start, |b| !is_end(b));
    if start > after && end - start >= 4 {
        let start = start + public_part(&text[start..end]);
        spans.push((start..end, SecretKind::Bearer));
    }
}

/// `user:password@` after `://`.
fn user_info(text: &str, start: usize, spans: &mut Vec<Span>) {
    let end = run(text, start, |b| !is_end(b) && b != b'/');
    let Some(at) = text[start..end].rfind('@') else {
        return;
    };
    if let Some(colon) = text[start..start + at].find(':') {
        spans.push((start + colon + 1..start + at, SecretKind::Assigned));
    }
}

fn addresses(text: &str, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b'@', bytes) {
        let local = |b: &&u8| b.is_ascii_alphanumeric() || b"._%+-".contains(*b);
        let before = bytes[..at].iter().rev().take_while(local).count();
        let host = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        let end = run(text, at + 1, host);
        if before > 0 && text[at + 1..end].trim_end_matches('.').contains('.') {
            spans.push((at - before..end, SecretKind::Email));
        }
    }
}

/// Where a run of such bytes ends.
pub(super) fn run(text: &str, from: usize, of: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes()[from..].iter();
    from + rest.take_while(|byte| of(**byte)).count()
}

pub(super) fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b';')
}
