//! Finds the top-level members of a JSON object without building it.
//!
//! Threats: a body that we and the engine read differently, so that what was admitted is not what is
//! run (`{"model":"a","model":"b"}`, `{"model":"a","\u006dodel":"b"}`, `NaN`, single quotes, bytes
//! that are not UTF-8, text after the object); a body that costs more to read than to send (endless
//! nesting, millions of keys).
//! Defences: the grammar of RFC 8259 and nothing beyond it; keys are compared after their escapes are
//! resolved; a second occurrence of a key that we act on is refused, not resolved; depth is bounded;
//! keys that nobody asked about cost no memory.

use std::{borrow::Cow, ops::Range};

/// How deep objects and arrays may nest.
///
/// Why 128: `serde_json`'s own limit, above any tool schema seen in the wild (about 20), and far below
/// the depth at which the engine's Python parser gives up (about 990).
pub(crate) const DEEPEST: u32 = 128;

/// Text that is not the JSON object we want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScanError {
    /// Breaks RFC 8259.
    #[error("not valid JSON at byte {at}: {what}")]
    Syntax {
        /// Offset of the byte that does not fit.
        at: usize,
        /// What was wrong with it.
        what: &'static str,
    },
    /// Valid so far, but deeper than [`DEEPEST`].
    #[error("nested deeper than {DEEPEST} levels at byte {at}")]
    TooDeep {
        /// Offset of the bracket that is one too many.
        at: usize,
    },
    /// A key that decides what is run or billed stands there twice.
    #[error("`{key}` stands there twice, again at byte {at}")]
    Twice {
        /// The key.
        key: &'static str,
        /// Offset of the second one.
        at: usize,
    },
}

/// Where a member of an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// The key, with its quotes.
    pub(crate) key: Range<usize>,
    /// The value.
    pub(crate) value: Range<usize>,
    /// The comma before it; `None` for the first member.
    pub(crate) comma_before: Option<usize>,
    /// The comma after it; `None` for the last member.
    pub(crate) comma_after: Option<usize>,
}

/// The members of one object that somebody asked about, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// Offset just after `{`.
    pub(crate) inside: usize,
    /// How many members there are in all.
    pub(crate) members: usize,
    found: Vec<(&'static str, Member)>,
}

impl Object {
    /// The member called `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Member> {
        self.found
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, member)| member)
    }

    /// The bytes of the value of `key`; `None` when it is absent or `null`.
    pub(crate) fn value<'a>(&self, bytes: &'a [u8], key: &str) -> Option<&'a [u8]> {
        let value = bytes.get(self.get(key)?.value.clone())?;
        (value != b"null").then_some(value)
    }

    /// What was found, in the order in which it stands.
    pub(crate) fn found(&self) -> impl Iterator<Item = (&'static str, &Member)> {
        self.found.iter().map(|(name, member)| (*name, member))
    }
}

/// Checks that `bytes` is one JSON object and finds its members called one of `wanted`.
pub(crate) fn object(bytes: &[u8], wanted: &[&'static str]) -> Result<Object, ScanError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        return Err(ScanError::Syntax {
            at,
            what: "these bytes are not UTF-8",
        });
    }
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.space();
    if scanner.peek() != Some(b'{') {
        return scanner.fault("a JSON object was expected");
    }
    let object = scanner.object(1, wanted)?;
    scanner.space();
    match scanner.peek() {
        None => Ok(object),
        Some(_) => scanner.fault("there is more text after the object"),
    }
}

/// How many values a JSON array holds, and the first byte of its first one. The text must have passed
/// [`object`] as part of a body.
pub(crate) fn array_len(bytes: &[u8]) -> Option<(u64, u8)> {
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.space();
    let (count, first) = scanner.array(1).ok()?;
    Some((count, first?))
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, ScanError> {
        Err(ScanError::Syntax { at: self.at, what })
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, which must be next.
    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ScanError> {
        if self.peek() != Some(byte) {
            return self.fault(what);
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: u32) -> Result<(), ScanError> {
        match self.peek() {
            Some(b'{') => self.object(depth, &[]).map(drop),
            Some(b'[') => self.array(depth).map(drop),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(_) => self.fault("a value was expected"),
            None => self.fault("the text ends where a value was expected"),
        }
    }

    fn object(&mut self, depth: u32, wanted: &[&'static str]) -> Result<Object, ScanError> {
        if depth > DEEPEST {
            return Err(ScanError::TooDeep { at: self.at });
        }
        self.expect(b'{', "`{` was expected")?;
        let mut object = Object {
            inside: self.at,
            members: 0,
            found: Vec::new(),
        };
        let mut comma_before = None;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(object);
        }
        loop {
            self.space();
            let mut member = self.member(depth)?;
            member.comma_before = comma_before;
            self.space();
            comma_before = (self.peek() == Some(b',')).then_some(self.at);
            member.comma_after = comma_before;
            object.members += 1;
            self.note(&mut object, member, wanted)?;
            if comma_before.is_none() {
                self.expect(b'}', "`,` or `}` was expected")?;
                return Ok(object);
            }
            self.at += 1;
        }
    }

    fn member(&mut self, depth: u32) -> Result<Member, ScanError> {
        let key = self.at;
        if self.peek() != Some(b'"') {
            return self.fault("a key in double quotes was expected");
        }
        self.string()?;
        let key = key..self.at;
        self.space();
        self.expect(b':', "`:` was expected")?;
        self.space();
        let value = self.at;
        self.value(depth + 1)?;
        Ok(Member {
            key,
            value: value..self.at,
            comma_before: None,
            comma_after: None,
        })
    }

    /// Keeps the member if its key is wanted, and refuses a second one of the same key.
    fn note(
        &self,
        object: &mut Object,
        member: Member,
        wanted: &[&'static str],
    ) -> Result<(), ScanError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let raw = &self.bytes[member.key.clone()];
        let key = unescaped(raw);
        let Some(key) = wanted.iter().find(|name| name.as_bytes() == key.as_ref()) else {
            return Ok(());
        };
        if object.get(key).is_some() {
            return Err(ScanError::Twice {
                key,
                at: member.key.start,
            });
        }
        object.found.push((key, member));
        Ok(())
    }

    /// Returns how many values there are, and the first byte of the first.
    fn array(&mut self, depth: u32) -> Result<(u64, Option<u8>), ScanError> {
        if depth > DEEPEST {
            return Err(ScanError::TooDeep { at: self.at });
        }
        self.expect(b'[', "`[` was expected")?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok((0, None));
        }
        let first = self.peek();
        let mut count = 0;
        loop {
            self.space();
            self.value(depth + 1)?;
            count += 1;
            self.space();
            if self.peek() != Some(b',') {
                self.expect(b']', "`,` or `]` was expected")?;
                return Ok((count, first));
            }
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at..];
            let Some(run) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return self.fault("the text ends inside a string");
            };
            if let Some(control) = rest[..run].iter().position(|byte| *byte < 0x20) {
                self.at += control;
                return self.fault("a control character in a string must be escaped");
            }
            self.at += run;
            if rest[run] == b'"' {
                self.at += 1;
                return Ok(());
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.fault("`\\u` needs four hex digits");
                }
                self.at += 5;
            }
            Some(_) | None => return self.fault("no such escape in JSON"),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return self.fault("a digit was expected");
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), ScanError> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.fault("a value was expected");
        }
        self.at += word.len();
        Ok(())
    }
}

/// The key between the quotes, its escapes resolved. A key that cannot be resolved (half a surrogate
/// pair) is nobody's key and stays as it is.
fn unescaped(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inner = &quoted[1..quoted.len() - 1];
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_slice::<String>(quoted)
        .map_or(Cow::Borrowed(inner), |key| Cow::Owned(key.into_bytes()))
}

#[cfg(test)]
mod tests;
