//! Licences as their authors give them.

use serde::Serialize;
use spdx::{Expression, ParseMode, license_id};

/// Longest licence text that is listed, characters. Some packages put the whole text where its name
/// belongs.
const LONGEST: usize = 200;

/// The list's own spelling, old identifiers included: packages live longer than identifiers.
const MODE: ParseMode = ParseMode {
    allow_deprecated: true,
    ..ParseMode::STRICT
};

/// One licence of a component (`CycloneDX` 1.6, `licenseChoice`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum LicenceChoice {
    One {
        license: Licence,
    },
    Expression {
        expression: String,
        acknowledgement: Acknowledgement,
    },
}

/// An SPDX identifier, or a name in the author's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Licence {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    acknowledgement: Acknowledgement,
}

/// `declared`: "the authors said so", against `concluded`, which would need a lawyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Acknowledgement {
    Declared,
}

/// The `licenses` of a component: an identifier when it is one, else an expression when it is one,
/// else a name. Nothing for text that says nothing.
pub(crate) fn declared(text: &str) -> Vec<LicenceChoice> {
    let text = first_line(text);
    if text.is_empty() || text.eq_ignore_ascii_case("unknown") {
        return Vec::new();
    }
    let acknowledgement = Acknowledgement::Declared;
    let choice = if license_id(&text).is_some_and(|id| id.name == text) {
        LicenceChoice::One {
            license: Licence {
                id: Some(text),
                name: None,
                acknowledgement,
            },
        }
    } else if Expression::parse_mode(&text, MODE).is_ok() {
        LicenceChoice::Expression {
            expression: text,
            acknowledgement,
        }
    } else {
        LicenceChoice::One {
            license: Licence {
                id: None,
                name: Some(text),
                acknowledgement,
            },
        }
    };
    vec![choice]
}

/// The first line that holds something, cut to [`LONGEST`] characters.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        serde_json::to_string(&declared(text)).unwrap()
    }

    #[test]
    fn a_licence_is_an_identifier_an_expression_or_a_name() {
        let given = [
            "MIT",
            "GPL-2.0",
            "MIT OR Apache-2.0",
            "LicenseRef-Gemma",
            "BSD-2-Clause BSD-3-Clause",
            "The Vendor Licence, version 2",
            "UNKNOWN",
            " \n\nMIT License\n\nCopyright",
        ];
        insta::assert_snapshot!(given.map(json).join("\n"), @r#"
        [{"license":{"id":"MIT","acknowledgement":"declared"}}]
        [{"license":{"id":"GPL-2.0","acknowledgement":"declared"}}]
        [{"expression":"MIT OR Apache-2.0","acknowledgement":"declared"}]
        [{"expression":"LicenseRef-Gemma","acknowledgement":"declared"}]
        [{"license":{"name":"BSD-2-Clause BSD-3-Clause","acknowledgement":"declared"}}]
        [{"license":{"name":"The Vendor Licence, version 2","acknowledgement":"declared"}}]
        []
        [{"license":{"name":"MIT License","acknowledgement":"declared"}}]
        "#);
    }

    #[test]
    fn a_licence_text_in_the_place_of_a_name_is_cut() {
        assert_eq!(first_line(&"x".repeat(5_000)).len(), LONGEST);
    }
}
