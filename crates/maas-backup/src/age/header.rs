//! The text at the beginning of an age file: one stanza for each recipient, then a MAC.
//!
//! Threats and defences: as in the module above; here: no line end but `\n`, one way to write each
//! base 64 text, at most [`MOST_STANZAS`] stanzas and [`LONGEST`] bytes, so that a header costs
//! nothing before somebody's key has opened it.

use std::io::Read;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};

use super::{FileKey, derive, payload::fill};
use crate::{BackupError, Damage};

const VERSION: &[u8] = b"age-encryption.org/v1";
/// More recipients than a site has officers; a key is tried on each.
pub(super) const MOST_STANZAS: usize = 20;
const LONGEST: usize = 16 << 10;
/// Base 64 characters in a full line of a body; a body ends with a line that is shorter.
const COLUMNS: usize = 64;

/// One recipient's part: `-> TYPE ARGUMENT…` and a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stanza {
    /// The type and its arguments.
    pub(super) words: Vec<String>,
    /// For the types known here, the wrapped file key.
    pub(super) body: Vec<u8>,
}

/// A header that was read, not yet authenticated.
#[derive(Debug)]
pub(super) struct Header {
    /// At least one.
    pub(super) stanzas: Vec<Stanza>,
    covered: Vec<u8>,
    mac: Vec<u8>,
}

impl Header {
    /// Whether the header is what was sealed with this key.
    pub(super) fn check(&self, key: &FileKey) -> Result<(), BackupError> {
        hmac::verify(&mac_key(key), &self.covered, &self.mac)
            .map_err(|_| Damage::Header("its authentication code is wrong").into())
    }
}

pub(super) fn write(stanzas: &[Stanza], key: &FileKey) -> Vec<u8> {
    let mut text = VERSION.to_vec();
    for stanza in stanzas {
        text.extend_from_slice(b"\n-> ");
        text.extend_from_slice(stanza.words.join(" ").as_bytes());
        let body = BASE64.encode(&stanza.body);
        // A body of whole lines is followed by an empty one.
        let full = body.len() / COLUMNS;
        for line in 0..=full {
            let end = body.len().min((line + 1) * COLUMNS);
            text.push(b'\n');
            text.extend_from_slice(&body.as_bytes()[line * COLUMNS..end]);
        }
    }
    text.extend_from_slice(b"\n---");
    let mac = hmac::sign(&mac_key(key), &text);
    text.push(b' ');
    text.extend_from_slice(BASE64.encode(mac).as_bytes());
    text.push(b'\n');
    text
}

/// Reads up to the end of the MAC's line, and not one byte more.
pub(super) fn read(mut read: impl Read) -> Result<Header, BackupError> {
    let mut covered = Vec::new();
    let first = line(&mut read, &mut covered, VERSION.len())?;
    if first != VERSION {
        return Err(Damage::NotABackup.into());
    }
    let mut stanzas = Vec::new();
    let mut next = line(&mut read, &mut covered, LONGEST)?;
    while let Some(words) = next.strip_prefix(b"-> ") {
        if stanzas.len() == MOST_STANZAS {
            return Err(bad("it has more than 20 recipients"));
        }
        let words = parse_words(words)?;
        let body = body(&mut read, &mut covered)?;
        stanzas.push(Stanza { words, body });
        next = line(&mut read, &mut covered, LONGEST)?;
    }
    let mac = next
        .strip_prefix(b"--- ")
        .and_then(|mac| BASE64.decode(mac).ok());
    let mac = mac.filter(|mac| mac.len() == 32);
    let mac = mac.ok_or_else(|| bad("its authentication code is missing"))?;
    if stanzas.is_empty() {
        return Err(bad("it names no recipient"));
    }
    covered.truncate(covered.len() - next.len() - 1 + b"---".len());
    Ok(Header {
        stanzas,
        covered,
        mac,
    })
}

fn parse_words(words: &[u8]) -> Result<Vec<String>, BackupError> {
    let words = words.split(|byte| *byte == b' ').map(|word| {
        let printable = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
        let word = std::str::from_utf8(word).ok().filter(|_| printable);
        word.map(str::to_owned)
    });
    let words: Option<Vec<_>> = words.collect();
    words.ok_or_else(|| bad("a recipient's line is malformed"))
}

fn body(read: &mut impl Read, covered: &mut Vec<u8>) -> Result<Vec<u8>, BackupError> {
    let mut text = Vec::new();
    loop {
        let line = line(read, covered, LONGEST)?;
        if line.len() > COLUMNS {
            return Err(bad("a line is too long"));
        }
        text.extend_from_slice(&line);
        if line.len() < COLUMNS {
            break;
        }
    }
    BASE64
        .decode(&text)
        .map_err(|_| bad("a recipient's part is not base 64"))
}

/// One line without its end, which is also added, with its end, to what the MAC covers.
fn line(
    read: &mut impl Read,
    covered: &mut Vec<u8>,
    longest: usize,
) -> Result<Vec<u8>, BackupError> {
    let start = covered.len();
    loop {
        let mut byte = [0];
        if fill(read, &mut byte).map_err(BackupError::reading)? == 0 {
            return Err(match start {
                0 => Damage::NotABackup.into(),
                _ => bad("it ends in the middle"),
            });
        }
        covered.push(byte[0]);
        if byte == *b"\n" {
            return Ok(covered[start..covered.len() - 1].to_vec());
        }
        if covered.len() - start > longest || covered.len() > LONGEST {
            return Err(match start {
                0 => Damage::NotABackup.into(),
                _ => bad("it is longer than 16 KiB"),
            });
        }
    }
}

fn bad(what: &'static str) -> BackupError {
    Damage::Header(what).into()
}

fn mac_key(key: &FileKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*derive(&[], &**key, b"header"))
}
