//! What a bill is about, and the serial number that follows from it.

use std::fmt;

use maas_types::Digest;
use sha2::{Digest as _, Sha256};

/// Kinds of subject; part of the serial number, so that one digest has one bill of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Binary(Digest),
    Image(Digest),
    Model(Digest),
}

impl Subject {
    /// `urn:uuid:…`, derived from kind and digest as RFC 9562, 6.5 derives names, but with SHA-256;
    /// RFC 9562, 5.8 gives such values version 8, because version 5 means SHA-1.
    pub(crate) fn serial_number(self) -> String {
        let hash = Sha256::digest(format!("maas-sbom {self}"));
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        let hex = hex::encode(id);
        let groups = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        format!("urn:uuid:{}", groups.join("-"))
    }

    pub(crate) const fn digest(self) -> Digest {
        match self {
            Self::Binary(digest) | Self::Image(digest) | Self::Model(digest) => digest,
        }
    }
}

impl fmt::Display for Subject {
    /// `image sha256:…`, also the subject's `bom-ref`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Binary(_) => "binary",
            Self::Image(_) => "image",
            Self::Model(_) => "model",
        };
        write!(f, "{kind} {}", self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_follows_from_kind_and_digest_and_nothing_else() {
        let digest = Digest::from_bytes([7; 32]);
        let serial = Subject::Image(digest).serial_number();
        assert_eq!(serial, Subject::Image(digest).serial_number());
        assert_ne!(serial, Subject::Model(digest).serial_number());
        insta::assert_snapshot!(serial, @"urn:uuid:b330c04b-5f5c-8305-bd95-1768a4f2eb2a");
    }
}
