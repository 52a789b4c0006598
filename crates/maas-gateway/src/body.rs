//! Request and answer bodies stay bytes: [`scan`] finds what must be read, [`understand`] reads it,
//! [`splice`] changes what must change, and everything else passes untouched.

pub(crate) mod content;
pub(crate) mod outgoing;
pub(crate) mod prompt;
pub(crate) mod scan;
pub(crate) mod splice;
pub(crate) mod understand;
