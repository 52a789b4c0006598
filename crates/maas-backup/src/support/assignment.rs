//! Values of what is called a password, token or secret: `password = "x"`, `HF_TOKEN=x`,
//! `"api_key": "x"`, `--token x`, `Authorization: Basic x`; and long random texts on a line with such a
//! word.
//!
//! Counts of tokens are what half of our logs are about (`max_tokens`, `token_count`): `token` is a
//! word for a secret only at the end of a name.

use super::{
    redact::{SecretKind, Span},
    token::{is_key, public_part, run},
};

/// Secret wherever they stand in a name.
const ANYWHERE: [&str; 6] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "pepper",
    "credential",
];
/// Secret at the end of a name only.
const AT_END: [&str; 9] = [
    "token",
    "apikey",
    "api-key",
    "api_key",
    "access_key",
    "private_key",
    "authorization",
    "cookie",
    "pwd",
];
/// On a line with one of these, a long random text is taken for a secret.
const BESIDE: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "pepper",
    "credential",
    "token",
    "private",
    "key",
];
const SHORTEST_RANDOM: usize = 32;

pub(super) fn find(text: &str, spans: &mut Vec<Span>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        if BESIDE.iter().any(|word| lower.contains(word)) {
            random(line, start, spans);
        }
        let words = ANYWHERE.iter().chain(&AT_END);
        if words.into_iter().any(|word| lower.contains(word)) {
            assignments(text, start, line.len(), spans);
        }
        start += line.len();
    }
}

fn assignments(text: &str, start: usize, length: usize, spans: &mut Vec<Span>) {
    let end = start + length;
    let mut at = start;
    while at < end {
        let name_end = run(text, at, |b| is_key(b) || b == b'.');
        if name_end == at {
            at += 1;
            continue;
        }
        if is_secret_name(&text[at..name_end])
            && let Some(range) = value(text, at, name_end, end)
        {
            let from = range.start + public_part(&text[range.clone()]);
            spans.push((from..range.end, SecretKind::Assigned));
        }
        at = name_end;
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ANYWHERE.iter().any(|word| name.contains(word))
        || AT_END.iter().any(|word| name.ends_with(word))
}

/// The value that follows a name, by how it is written; without its quotes.
fn value(text: &str, name: usize, after: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    // A quote that closes the name, perhaps itself escaped.
    let closed = run(text, after, |b| matches!(b, b'"' | b'\'' | b'\\'));
    let blank = |from| run(text, from, |b| matches!(b, b' ' | b'\t')).min(end);
    let at = blank(closed);
    let flag = text[name..after].starts_with("--") && closed == after;
    let (sign, start) = match bytes.get(at) {
        Some(sign @ (b'=' | b':')) if at < end => (
            *sign,
            blank(run(text, at, |b| matches!(b, b'=' | b':' | b'>')).min(end)),
        ),
        Some(_) if flag && at > after => (b'=', at),
        Some(_) | None => return None,
    };
    if start >= end {
        return None;
    }
    if has_scheme(&text.as_bytes()[start..end]) {
        return None;
    }
    if let Some(range) = quoted(text, start, end) {
        return Some(range);
    }
    let stop = match sign {
        // In JSON a bare value is a number or a word.
        b':' if closed > after => run(text, start, |b| {
            !b.is_ascii_whitespace() && !b",}]".contains(&b)
        }),
        // A header or YAML: all that follows.
        b':' => run(text, start, |b| b != b'\n' && b != b'\r'),
        _ => run(text, start, |b| {
            !b.is_ascii_whitespace() && !b"&;,".contains(&b)
        }),
    };
    Some(start..stop.min(end))
}

/// `Bearer x`: looked for by its form, so that the public id of a key of ours stays.
fn has_scheme(value: &[u8]) -> bool {
    [&b"bearer "[..], b"basic "].iter().any(|scheme| {
        let begin = value.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    })
}

/// What stands between quotes: `"…"`, `'…'`, `\"…\"`, or three of them and any number of lines. To the
/// end of the line, or of the text, when they are not closed.
fn quoted(text: &str, start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    for three in ["\"\"\"", "'''"] {
        if let Some(rest) = text[start..].strip_prefix(three) {
            let length = rest.find(three).unwrap_or(rest.len());
            return Some(start + 3..start + 3 + length);
        }
    }
    let line = text[start..end].trim_end_matches(['\n', '\r']);
    let slashes = line.bytes().take_while(|b| *b == b'\\').count();
    let quote = *line.as_bytes().get(slashes)?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let open = start + slashes + 1;
    let bytes = &line.as_bytes()[slashes + 1..];
    let (mut at, mut run) = (0, 0);
    while at < bytes.len() {
        // Closed by a quote behind as many backslashes as opened it; more are part of the value.
        if bytes[at] == quote && run <= slashes {
            return Some(open..open + at - run);
        }
        run = if bytes[at] == b'\\' { run + 1 } else { 0 };
        at += 1;
    }
    Some(open..start + line.len())
}

/// Runs of hex or base 64 that no person has written. Digests say that they are digests.
fn random(line: &str, start: usize, spans: &mut Vec<Span>) {
    let is_part = |b: u8| is_key(b) || matches!(b, b'+' | b'/' | b'=');
    let mut at = 0;
    while at < line.len() {
        let end = run(line, at, is_part);
        if end - at >= SHORTEST_RANDOM && !is_public(line, at) && looks_random(&line[at..end]) {
            spans.push((start + at..start + end, SecretKind::Random));
        }
        at = end.max(at + 1);
    }
}

/// A digest that says so, and keys of ours, which are looked for by their form.
fn is_public(line: &str, at: usize) -> bool {
    line[..at].ends_with("sha256:") || line[at..].starts_with("sk-maas-")
}

/// Has digits and letters, and no more slashes, dashes and underscores than chance gives: a path or a
/// name has many.
fn looks_random(text: &str) -> bool {
    let count = |of: fn(&u8) -> bool| text.bytes().filter(of).count();
    let digits = count(u8::is_ascii_digit);
    let letters = count(u8::is_ascii_alphabetic);
    let marks = text.len() - digits - letters;
    digits >= 2 && letters >= 2 && marks * 8 <= text.len()
}
