//! Instants in the one form that is hashed and signed: UTC with three decimals,
//! `2026-11-25T07:30:31.123Z`.

use jiff::Timestamp;
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// The instant as the log keeps it.
pub(crate) fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

pub(crate) fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Reads that form and no other, so that one instant has one text.
pub(crate) fn parse(written: &str) -> Option<Timestamp> {
    let at = written.parse().ok()?;
    (text(at) == written).then_some(at)
}

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(*at))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let written = String::deserialize(from)?;
    parse(&written)
        .ok_or_else(|| D::Error::custom("the time is not like `2026-11-25T07:30:31.123Z`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_one_text() {
        let at: Timestamp = "2026-11-25T08:30:31.1239+01:00".parse().unwrap();
        let kept = to_millisecond(at);
        assert_eq!(text(kept), "2026-11-25T07:30:31.123Z");
        assert_eq!(parse("2026-11-25T07:30:31.123Z"), Some(kept));
        for other in [
            "2026-11-25T07:30:31.1230Z",
            "2026-11-25T07:30:31.123+00:00",
            "2026-11-25t07:30:31.123Z",
            "2026-11-25 07:30:31.123Z",
            "2026-11-25T07:30:31Z",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
