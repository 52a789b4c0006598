//! JSON of somebody else, read strictly.
//!
//! Threats: one document that two readers understand differently (duplicate keys, trailing bytes),
//! nesting that eats the stack, its text in our messages. Defences: [`strict`] refuses duplicate keys at
//! any level, more than [`DEPTH`] levels and anything after the end before a typed structure is filled;
//! [`plain`] escapes and cuts what is shown. How many bytes a document may have is its reader's to say.

use std::{collections::HashSet, fmt};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

/// Levels of nesting. Our deepest document has seven, scanners' bills of materials about ten; 64 leaves
/// room for model configs of others.
const DEPTH: u32 = 64;

/// Parses the whole of `bytes` as one `T`.
pub fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Level(DEPTH)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())?;
    serde_json::from_slice(bytes)
}

/// Text of somebody else, fit for a message: at most 200 characters, none of them control characters or
/// marks that turn the reading direction: what a server or a file says must not move the cursor, hide
/// the line above, or be longer than what it explains.
pub fn plain(text: &str) -> String {
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

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Level {
    fn below<E: Error>(&self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom(format!("more than {DEPTH} levels of nesting")))
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
                return Err(A::Error::custom(format!("`{twice}` stands there twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_level() {
        let error = strict::<Value>(br#"{"a": [{"b": 1, "\u0062": 2}]}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b` stands there twice at line 1 column 28"
        );
        assert!(strict::<Value>(br#"{"a": [{"b": 1}, {"b": 2}]}"#).is_ok());
    }

    #[test]
    fn deep_nesting_and_trailing_bytes_are_refused() {
        let deep = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(strict::<Value>(&deep(64)).is_ok());
        assert!(strict::<Value>(&deep(65)).is_err());
        assert!(strict::<Value>(&deep(100_000)).is_err());
        for bytes in [&b"{} {}"[..], b"NaN", b"", b"{\"a\":1,}", b"\xff", b"{}\0"] {
            assert!(strict::<Value>(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn somebody_elses_text_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
    }
}
