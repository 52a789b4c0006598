//! A second reader of JSON (RFC 8259), which keeps everything: members that stand twice, numbers as
//! they were written, texts undecoded. It is compared with the readers under test.

use std::collections::BTreeSet;

/// Levels of nesting that this reader follows; it recurses.
const DEPTH: u32 = 200;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// As it stands.
    Number(&'a str),
    /// What stands between the quotes.
    Text(&'a [u8]),
    /// `[…]`
    List(Vec<Self>),
    /// `{…}`, in its order.
    Object(Vec<(&'a [u8], Self)>),
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRead {
    /// Not JSON.
    Malformed,
    /// Deeper than this reader goes; says nothing about the input.
    TooDeep,
}

/// Reads the whole of `bytes`.
pub fn read(bytes: &[u8]) -> Result<Json<'_>, NotRead> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(DEPTH)?;
    reader.space();
    if reader.at == bytes.len() {
        Ok(value)
    } else {
        Err(NotRead::Malformed)
    }
}

/// What a text between quotes means; `None` when it is not Unicode.
pub fn decode(raw: &[u8]) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = std::str::from_utf8(raw).ok()?.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        units.push(match rest.next()? {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let hex: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&hex, 16).ok()?
            }
            c @ ('"' | '\\' | '/') => c as u16,
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}

impl<'a> Json<'a> {
    /// The last member of that name, as most readers take it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let named = |(key, _): &&(&[u8], Self)| decode(key).as_deref() == Some(name);
        members.iter().rev().find(named).map(|(_, value)| value)
    }

    /// The text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(raw) => decode(raw),
            _ => None,
        }
    }

    /// A whole number without a sign.
    pub fn whole(&self) -> Option<u128> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn members(&self) -> Option<&[(&'a [u8], Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether a name stands twice, at any level, or is none.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
            Self::List(items) => items.iter().any(Self::repeats),
            Self::Object(members) => {
                let mut seen = BTreeSet::new();
                members.iter().any(|(key, value)| {
                    decode(key).is_none_or(|key| !seen.insert(key)) || value.repeats()
                })
            }
        }
    }

    /// Levels of lists and objects.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 0,
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
        }
    }

    /// OLPC canonical JSON; `None` for what it does not have, and for texts beyond ASCII, which it
    /// normalises.
    pub fn canonical(&self) -> Option<String> {
        Some(match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => self.whole().map(|_| (*number).to_owned())?,
            Self::Text(raw) => quoted(&decode(raw)?)?,
            Self::List(items) => {
                let items: Option<Vec<_>> = items.iter().map(Self::canonical).collect();
                format!("[{}]", items?.join(","))
            }
            Self::Object(members) => {
                let mut parts = Vec::new();
                for (key, value) in members {
                    parts.push((decode(key)?, value.canonical()?));
                }
                parts.sort();
                let parts: Option<Vec<_>> = parts
                    .into_iter()
                    .map(|(key, value)| Some(format!("{}:{value}", quoted(&key)?)))
                    .collect();
                format!("{{{}}}", parts?.join(","))
            }
        })
    }
}

fn quoted(text: &str) -> Option<String> {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.is_ascii().then(|| format!("\"{escaped}\""))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, levels: u32) -> Result<Json<'a>, NotRead> {
        self.space();
        match self.bytes.get(self.at) {
            Some(b'"') => self.text().map(Json::Text),
            Some(b'[') => {
                let levels = levels.checked_sub(1).ok_or(NotRead::TooDeep)?;
                let mut items = Vec::new();
                self.sequence(b']', |reader| {
                    items.push(reader.value(levels)?);
                    Ok(())
                })?;
                Ok(Json::List(items))
            }
            Some(b'{') => {
                let levels = levels.checked_sub(1).ok_or(NotRead::TooDeep)?;
                let mut members = Vec::new();
                self.sequence(b'}', |reader| {
                    reader.space();
                    let key = reader.text()?;
                    reader.space();
                    reader.expect(b":")?;
                    members.push((key, reader.value(levels)?));
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b't') => self.expect(b"true").map(|()| Json::Bool(true)),
            Some(b'f') => self.expect(b"false").map(|()| Json::Bool(false)),
            Some(b'n') => self.expect(b"null").map(|()| Json::Null),
            _ => self.number().map(Json::Number),
        }
    }

    /// What stands between the bracket here and its partner, with commas between.
    fn sequence(
        &mut self,
        end: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), NotRead>,
    ) -> Result<(), NotRead> {
        self.at += 1;
        self.space();
        if self.bytes.get(self.at) == Some(&end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            self.space();
            let next = self.bytes.get(self.at).ok_or(NotRead::Malformed)?;
            self.at += 1;
            match *next {
                b',' => {}
                next if next == end => return Ok(()),
                _ => return Err(NotRead::Malformed),
            }
        }
    }

    fn text(&mut self) -> Result<&'a [u8], NotRead> {
        self.expect(b"\"")?;
        let start = self.at;
        loop {
            match self.bytes.get(self.at).ok_or(NotRead::Malformed)? {
                b'"' => break,
                b'\\' => self.at += 2,
                0..0x20 => return Err(NotRead::Malformed),
                _ => self.at += 1,
            }
        }
        let raw = &self.bytes[start..self.at];
        self.at += 1;
        Ok(raw)
    }

    fn number(&mut self) -> Result<&'a str, NotRead> {
        let start = self.at;
        self.skip(b"-", 1);
        if self.skip(b"0", 1) == 0 && self.digits() == 0 {
            return Err(NotRead::Malformed);
        }
        if self.skip(b".", 1) == 1 && self.digits() == 0 {
            return Err(NotRead::Malformed);
        }
        if self.skip(b"eE", 1) == 1 {
            self.skip(b"+-", 1);
            if self.digits() == 0 {
                return Err(NotRead::Malformed);
            }
        }
        std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| NotRead::Malformed)
    }

    fn digits(&mut self) -> usize {
        self.skip(b"0123456789", usize::MAX)
    }

    fn space(&mut self) {
        self.skip(b" \t\r\n", usize::MAX);
    }

    fn skip(&mut self, any: &[u8], most: usize) -> usize {
        let rest = &self.bytes[self.at..];
        let count = rest
            .iter()
            .take(most)
            .take_while(|b| any.contains(b))
            .count();
        self.at += count;
        count
    }

    fn expect(&mut self, word: &[u8]) -> Result<(), NotRead> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(NotRead::Malformed);
        }
        self.at += word.len();
        Ok(())
    }
}
