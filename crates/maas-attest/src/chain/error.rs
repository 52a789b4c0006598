//! Why a certificate does not speak for the wanted signer.

use jiff::Timestamp;

use crate::{KeyError, Refusal};

/// Why a chain of certificates is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate, or more than any real chain has.
    #[error("the signature has {found} certificates (want 1 to 8)")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// Not a certificate.
    #[error("a certificate {place} is damaged")]
    Unreadable {
        /// `in the signature` or `of a trusted root`.
        place: &'static str,
    },
    /// A certificate that is not valid yet or any more.
    #[error("the certificate of `{subject}` is valid from {from} until {until}, and it is {now}")]
    Validity {
        /// Whose certificate it is.
        subject: String,
        /// The first second of its validity.
        from: Timestamp,
        /// The last second of its validity.
        until: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// A certificate that may not be used in this way.
    #[error("the certificate of `{subject}` may not be used here: {why}")]
    Unfit {
        /// Whose certificate it is.
        subject: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The chain does not reach a trusted authority.
    #[error("the certificate of `{subject}` was issued by `{issuer}`, which is not trusted here")]
    Issuer {
        /// Whose certificate it is.
        subject: String,
        /// Who issued it, or claims to have.
        issuer: String,
    },
    /// A good certificate of somebody else.
    #[error("the signer is {}, not `{wanted}`", quoted(found))]
    Identity {
        /// The expected name.
        wanted: String,
        /// The names in the certificate.
        found: Vec<String>,
    },
    /// A certificate for a key that cannot be used.
    #[error("the certificate of `{subject}` holds a key that is not supported")]
    Key {
        /// Whose certificate it is.
        subject: String,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
}

impl ChainError {
    /// What kind of no this is.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Length { .. } | Self::Unreadable { .. } | Self::Key { .. } => {
                Refusal::NotUnderstood
            }
            Self::Validity { .. }
            | Self::Unfit { .. }
            | Self::Issuer { .. }
            | Self::Identity { .. } => Refusal::NotTrusted,
        }
    }
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nobody by name".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}
