//! in-toto Statement v1: what the signer says about what.
//!
//! Source: in-toto attestation framework, `spec/v1/statement.md`. Unknown members are ignored, as it
//! wants. The predicate stays unread until its type is known.

use std::collections::BTreeMap;

use maas_types::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{FormatError, json};

/// The type of every statement of version 1.
pub(crate) const TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement whose predicate is not read yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    pub(crate) predicate_type: String,
    #[serde(default)]
    predicate: Option<Box<RawValue>>,
}

/// What a statement is about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// Informational. Absent where an image is signed.
    #[serde(default)]
    pub(crate) name: String,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Parses a payload whose signature is good.
    pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Self, FormatError> {
        let statement: Self = json::strict("signed statement", payload, limit)?;
        if statement.kind == TYPE {
            Ok(statement)
        } else {
            Err(FormatError::Value {
                member: "the statement's type",
                found: json::plain(&statement.kind),
                wanted: TYPE,
            })
        }
    }

    /// The one subject.
    pub(crate) fn subject(&self) -> Result<&Subject, FormatError> {
        match self.subject.as_slice() {
            [subject] => Ok(subject),
            several => Err(FormatError::Subjects {
                found: several.len(),
            }),
        }
    }

    /// The predicate, once its type is known.
    pub(crate) fn predicate<T: serde::de::DeserializeOwned>(&self) -> Result<T, FormatError> {
        let text = self.predicate.as_ref().map_or("null", |raw| raw.get());
        serde_json::from_str(text).map_err(|error| FormatError::Json {
            what: "predicate",
            why: json::plain(&error.to_string()),
        })
    }
}

impl Subject {
    pub(crate) fn new(name: &str, digest: Digest) -> Self {
        Self {
            name: name.to_owned(),
            digest: [("sha256".to_owned(), digest.hex())].into(),
        }
    }

    /// Its SHA-256; digests by other algorithms are not looked at.
    pub(crate) fn sha256(&self) -> Result<Digest, FormatError> {
        self.digest
            .get("sha256")
            .and_then(|hex| Digest::from_hex(hex).ok())
            .ok_or(FormatError::SubjectDigest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Statement, FormatError> {
        Statement::read(text.as_bytes(), 1 << 10)
    }

    #[test]
    fn a_statement_of_another_type_is_refused() {
        let error = read(
            r#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":"x"}"#,
        )
        .unwrap_err();
        insta::assert_snapshot!(error, @"the statement's type is `https://in-toto.io/Statement/v0.1`, not `https://in-toto.io/Statement/v1`");
    }

    #[test]
    fn a_subject_is_one_and_has_a_sha256() {
        let with = |subjects: &str| {
            read(&format!(
                r#"{{"_type":"{TYPE}","subject":[{subjects}],"predicateType":"x","more":1}}"#
            ))
            .unwrap()
        };
        let good = format!(
            r#"{{"digest":{{"sha512":"00","sha256":"{}"}}}}"#,
            "ab".repeat(32)
        );
        assert!(with(&good).subject().unwrap().sha256().is_ok());
        let two = with(&format!("{good},{good}"));
        assert_eq!(
            two.subject().unwrap_err(),
            FormatError::Subjects { found: 2 }
        );
        for digest in ["", r#""sha256":"AB""#, r#""sha512":"00""#] {
            let statement = with(&format!(r#"{{"digest":{{{digest}}}}}"#));
            assert_eq!(
                statement.subject().unwrap().sha256(),
                Err(FormatError::SubjectDigest)
            );
        }
    }
}
