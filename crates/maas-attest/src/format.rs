//! What can be wrong with the form of a signature.

/// Why a signature file is not one that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Larger than anything of its kind should be.
    #[error("the {what} is larger than {limit} bytes")]
    TooBig {
        /// What it is.
        what: &'static str,
        /// The limit, bytes.
        limit: usize,
    },
    /// Not JSON, or not with the members that it needs.
    #[error("the {what} is not the JSON it should be: {why}")]
    Json {
        /// What it is.
        what: &'static str,
        /// What the parser said.
        why: String,
    },
    /// A member that has another value than the only one allowed.
    #[error("{member} is `{found}`, not `{wanted}`")]
    Value {
        /// The member.
        member: &'static str,
        /// Its value.
        found: String,
        /// The value that it must have.
        wanted: &'static str,
    },
    /// No DSSE envelope, or something beside it.
    #[error("the bundle must hold a DSSE envelope and no other content")]
    Content,
    /// No way to tell who signed, or several.
    #[error("the bundle must name its signer in exactly one way, and it has {found}")]
    Material {
        /// How many ways it has.
        found: usize,
    },
    /// No signature in the envelope, or several.
    #[error("the envelope must have exactly one signature, and it has {found}")]
    Signatures {
        /// How many it has.
        found: usize,
    },
    /// No subject in the statement, or several.
    #[error("the statement must have exactly one subject, and it has {found}")]
    Subjects {
        /// How many it has.
        found: usize,
    },
    /// A subject without a SHA-256 digest.
    #[error("the subject has no SHA-256 digest of 64 lower-case hex digits")]
    SubjectDigest,
}
