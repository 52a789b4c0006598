//! The support bundle: logs, settings and reports that a site may hand to those who support it, with
//! what is secret taken out.
//!
//! Threats: a key, a password or a private key in a log or a settings file that leaves the site; a
//! person who sends what they have not seen. Defences: every text goes through [`redact`], which takes
//! out too much rather than too little; what [`Bundle::preview`] lists is, byte for byte, what
//! [`Bundle::write`] writes. Not defended: prompts in a log (the appliance writes none), and a secret
//! that looks like a word, stands beside no word for secrets and is not known to the caller.

mod assignment;
mod bundle;
mod pem;
mod redact;
mod token;

pub use bundle::{Bundle, Content, Envelope, Kind, Line, SupportEntry};
pub use redact::{Email, KnownSecretError, Redacted, SecretKind, Secrets, redact};
