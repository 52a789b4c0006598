//! JSON, read strictly.
//!
//! Threats: one document that two readers understand differently (duplicate keys, trailing bytes),
//! nesting that eats the stack, a document that eats the memory, its text in our messages. Defences:
//! a size limit before anything is parsed; duplicate keys at any level, more than [`DEPTH`] levels and
//! anything after the end are refused before a typed structure is filled; texts of errors are escaped
//! and cut.

use std::{collections::HashSet, fmt};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

use crate::FormatError;

/// Levels of nesting. The deepest document that is read here has ten.
const DEPTH: u32 = 64;

/// Parses the whole of `bytes`, at most `limit` of them, as one `T`.
pub(crate) fn strict<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<T, FormatError> {
    if bytes.len() > limit {
        return Err(FormatError::TooBig { what, limit });
    }
    let wrong = |error: serde_json::Error| FormatError::Json {
        what,
        why: plain(&error.to_string()),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Level(DEPTH)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(wrong)?;
    serde_json::from_slice(bytes).map_err(wrong)
}

/// Text of somebody else, fit for a message: at most 200 characters, none of them control characters
/// or marks that turn the reading direction.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| {
            let keep = !c.is_control() && !('\u{202a}'..='\u{2069}').contains(&c);
            let escaped = (!keep).then(|| c.escape_unicode()).into_iter().flatten();
            escaped.chain(keep.then_some(c))
        })
        .collect()
}

/// Walks any JSON value that may have so many more levels.
struct Level(u32);

impl Level {
    fn below<E: Error>(&self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom(format_args!("more than {DEPTH} levels of nesting")))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.below()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            members.next_value_seed(self.below()?)?;
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format_args!(
                    "`{twice}` stands there twice"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, FormatError> {
        strict("test", bytes, 1 << 20)
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_level() {
        let error = read(br#"{"a": [{"b": 1, "\u0062": 2}]}"#).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"the test is not the JSON it should be: `b` stands there twice at line 1 column 28"
        );
        assert!(read(br#"{"a": [{"b": 1}, {"b": 2}]}"#).is_ok());
    }

    #[test]
    fn deep_nesting_and_trailing_bytes_are_refused() {
        let deep = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(read(&deep(64)).is_ok());
        assert!(read(&deep(65)).is_err());
        assert!(read(&deep(100_000)).is_err());
        for bytes in [&b"{} {}"[..], b"NaN", b"", b"{\"a\":1,}", b"\xff", b"{}\0"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn size_is_looked_at_before_content() {
        let error = strict::<Value>("test", b"not JSON", 7).unwrap_err();
        insta::assert_snapshot!(error, @"the test is larger than 7 bytes");
    }

    #[test]
    fn somebody_elses_text_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
    }
}
