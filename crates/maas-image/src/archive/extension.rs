//! What stands before an entry to say what its header has no room for: PAX records, GNU long names.

use std::collections::BTreeSet;

use super::{Time, number};
use crate::error::Flaw;

const XATTR: &str = "SCHILY.xattr.";

/// Sizes from here on do not fit into a header, which then holds anything.
const OCTAL_END: u64 = 1 << 33;

/// Extensions of one entry.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    has_pax: bool,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<Time>,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
    pub(super) sparse: Sparse,
}

/// What PAX says about holes, in three versions (GNU tar manual, "Storing Sparse Files").
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// `offset,length,…` of versions 0.0 and 0.1.
    pub(super) map: Vec<u64>,
    pub(super) real_size: Option<u64>,
    /// Version 1.0: the map stands before the contents.
    pub(super) is_in_contents: bool,
    pub(super) is_said: bool,
    name: Option<Vec<u8>>,
}

impl Extensions {
    pub(super) fn long_name(&mut self, name: Vec<u8>) -> Result<(), Flaw> {
        once(&mut self.long_name, until_nul(name))
    }

    pub(super) fn long_link(&mut self, name: Vec<u8>) -> Result<(), Flaw> {
        once(&mut self.long_link, until_nul(name))
    }

    pub(super) fn local(&mut self, text: &[u8]) -> Result<(), Flaw> {
        if std::mem::replace(&mut self.has_pax, true) {
            return Err(Flaw::Archive("two extended headers before one entry"));
        }
        let mut seen = BTreeSet::new();
        for (key, value) in records(text)? {
            // Old maps of holes are one key many times.
            let may_repeat = key.starts_with(b"GNU.sparse.");
            if !may_repeat && !seen.insert(key) {
                return Err(Flaw::Archive("one key twice in an extended header"));
            }
            // An empty value takes a record back.
            if !value.is_empty() {
                self.record(key, value)?;
            }
        }
        Ok(())
    }

    /// Global records are obeyed by some readers and not by others: those that matter are refused.
    pub(super) fn global(text: &[u8]) -> Result<(), Flaw> {
        let is_harmless = |key: &[u8]| matches!(key, b"comment" | b"charset" | b"hdrcharset");
        if records(text)?.iter().all(|(key, _)| is_harmless(key)) {
            Ok(())
        } else {
            Err(Flaw::Archive("a global header that changes entries"))
        }
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Flaw> {
        let number = || number::decimal(value).ok_or(Flaw::Archive("a record's number is not one"));
        match key {
            b"path" => self.path = Some(text(value)?),
            b"linkpath" => self.link = Some(text(value)?),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"mtime" => self.mtime = Some(time(value)?),
            _ => {
                let key = String::from_utf8_lossy(key);
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.push((name.to_owned(), value.to_owned()));
                } else if let Some(key) = key.strip_prefix("GNU.sparse.") {
                    self.sparse.record(key, value)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn name(&self, header: &[u8]) -> Result<Vec<u8>, Flaw> {
        let pax = self.sparse.name.as_ref().or(self.path.as_ref());
        one_of(self.long_name.as_ref(), pax, header)
    }

    pub(super) fn link(&self, header: &[u8]) -> Result<Vec<u8>, Flaw> {
        one_of(self.long_link.as_ref(), self.link.as_ref(), header)
    }

    /// Stored bytes. Header and record may differ only where the header cannot say it.
    pub(super) fn size(&self, header: u64) -> Result<u64, Flaw> {
        match self.size {
            Some(size) if size == header || header == 0 || size >= OCTAL_END => Ok(size),
            Some(_) => Err(Flaw::Archive("an entry has two sizes")),
            None => Ok(header),
        }
    }

    pub(super) fn uid(&self, header: &[u8]) -> Result<u32, Flaw> {
        number::id(self.uid.map_or_else(|| number(header), |n| Ok(n.into()))?)
    }

    pub(super) fn gid(&self, header: &[u8]) -> Result<u32, Flaw> {
        number::id(self.gid.map_or_else(|| number(header), |n| Ok(n.into()))?)
    }

    pub(super) fn mtime(&self, header: &[u8]) -> Result<Time, Flaw> {
        match self.mtime {
            Some(time) => Ok(time),
            None => Ok(Time {
                seconds: i64::try_from(number(header)?)
                    .map_err(|_| Flaw::Archive("a time is beyond all measure"))?,
                nanoseconds: 0,
            }),
        }
    }
}

impl Sparse {
    fn record(&mut self, key: &str, value: &[u8]) -> Result<(), Flaw> {
        let number =
            |text: &[u8]| number::decimal(text).ok_or(Flaw::Archive("a map of holes is malformed"));
        self.is_said = true;
        match key {
            "offset" | "numbytes" => self.map.push(number(value)?),
            "map" => {
                let numbers = value.split(|byte| *byte == b',');
                self.map = numbers.map(number).collect::<Result<_, _>>()?;
            }
            "size" | "realsize" => once(&mut self.real_size, number(value)?)?,
            "major" => self.is_in_contents = value == b"1",
            "name" => self.name = Some(text(value)?),
            _ => {}
        }
        Ok(())
    }
}

/// Key and value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// PAX records, `<length> <key>=<value>\n` each (POSIX, "pax Extended Header").
fn records(mut text: &[u8]) -> Result<Vec<Record<'_>>, Flaw> {
    const MALFORMED: Flaw = Flaw::Archive("an extended header is malformed");
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().position(|b| *b == b' ').ok_or(MALFORMED)?;
        let length = number::decimal(&text[..space]).and_then(|n| usize::try_from(n).ok());
        let length = length.ok_or(MALFORMED)?;
        let record = text.get(space + 1..length).ok_or(MALFORMED)?;
        let record = record.strip_suffix(b"\n").ok_or(MALFORMED)?;
        let equals = record.iter().position(|b| *b == b'=').ok_or(MALFORMED)?;
        records.push((&record[..equals], &record[equals + 1..]));
        text = &text[length..];
    }
    Ok(records)
}

/// A value that is a name. A NUL in it would end it for some readers.
fn text(value: &[u8]) -> Result<Vec<u8>, Flaw> {
    if value.contains(&0) {
        return Err(Flaw::Name);
    }
    Ok(value.to_owned())
}

/// Seconds, perhaps before 1970, perhaps with a fraction.
fn time(value: &[u8]) -> Result<Time, Flaw> {
    const WRONG: Flaw = Flaw::Archive("a time is not one");
    let (sign, digits) = match value.strip_prefix(b"-") {
        Some(rest) => (-1, rest),
        None => (1, value),
    };
    let mut halves = digits.splitn(2, |byte| *byte == b'.');
    let whole = halves.next().and_then(number::decimal).ok_or(WRONG)?;
    let mut fraction = halves.next().unwrap_or_default().to_vec();
    fraction.resize(9, b'0');
    let nanoseconds = number::decimal(&fraction).ok_or(WRONG)?;
    let total = sign * (i128::from(whole) * 1_000_000_000 + i128::from(nanoseconds));
    Ok(Time {
        seconds: i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| WRONG)?,
        nanoseconds: u32::try_from(total.rem_euclid(1_000_000_000)).map_err(|_| WRONG)?,
    })
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Flaw> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Flaw::Archive("one extension twice before one entry")),
    }
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    name
}

fn one_of(gnu: Option<&Vec<u8>>, pax: Option<&Vec<u8>>, header: &[u8]) -> Result<Vec<u8>, Flaw> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) if gnu != pax => Err(Flaw::Archive("an entry has two names")),
        (Some(name), _) | (None, Some(name)) => Ok(name.clone()),
        (None, None) => Ok(header.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_with_fractions_are_read() {
        let time = |text: &[u8]| time(text).map(|time| (time.seconds, time.nanoseconds));
        assert_eq!(time(b"12"), Ok((12, 0)));
        assert_eq!(time(b"12.5"), Ok((12, 500_000_000)));
        assert_eq!(time(b"-0.25"), Ok((-1, 750_000_000)));
        assert_eq!(time(b"1.1234567899"), Ok((1, 123_456_789)));
        for wrong in [&b""[..], b"x", b"1.x", b"--1"] {
            assert!(time(wrong).is_err());
        }
    }

    #[test]
    fn a_record_whose_length_lies_is_refused() {
        assert_eq!(records(b"9 path=a\n").unwrap(), [(&b"path"[..], &b"a"[..])]);
        for wrong in [
            &b"8 path=a\n"[..],
            b"11 path=a\n",
            b"99999999999999999999 path=a\n",
            b"0 path=a\n",
            b"path=a\n",
            b"7 patha\n",
        ] {
            assert!(records(wrong).is_err());
        }
    }
}
