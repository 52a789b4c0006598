//! What a host signs about its log: so many entries, the last of which has this hash.
//!
//! The form is a C2SP signed note (`c2sp.org/signed-note`), so that its tools check the signature. It is
//! not a `tlog-checkpoint`, whose third line is the root of a Merkle tree; the first line here makes sure
//! that neither is taken for the other.
//!
//! Threats: a checkpoint whose text two readers understand differently; a signature of another host, or
//! over something else, taken for this log's. Defences: one text per checkpoint, compared byte for byte
//! after reading; the host's name stands in the text and in the key's hint.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use maas_types::Exit;

use crate::{Head, HostKey, HostPublicKey, KeyHint, Origin, instant};

const TITLE: &str = "maas-appliance audit checkpoint v1";

/// Bytes of a checkpoint; ours have about 400.
const LIMIT: usize = 4096;

/// A signed statement of where a log ended. Keep it where whoever can write the log cannot: printed, in
/// a mail, on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The host that signed.
    pub origin: Origin,
    /// How far the log went.
    pub head: Head,
    /// When, by that host's clock, to the millisecond.
    pub time: Timestamp,
    /// Which key to try.
    pub key: KeyHint,
    /// Ed25519, over the text up to the blank line.
    pub signature: [u8; 64],
}

/// Text that is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a checkpoint of an audit log (want the seven lines that `audit export` wrote, the first of them `{TITLE}`), or it was changed"
)]
pub struct CheckpointError;

impl CheckpointError {
    /// What the process tells the shell.
    pub const fn exit(self) -> Exit {
        Exit::Content
    }
}

impl Checkpoint {
    /// Signs.
    pub(crate) fn sign(head: Head, now: Timestamp, key: &HostKey) -> Self {
        let public = key.public();
        let mut checkpoint = Self {
            origin: public.origin().clone(),
            head,
            time: instant::to_millisecond(now),
            key: public.hint(),
            signature: [0; 64],
        };
        checkpoint.signature = key.sign(checkpoint.text().as_bytes());
        checkpoint
    }

    /// Whether `key`'s owner signed this, under its own name.
    pub fn is_signed_by(&self, key: &HostPublicKey) -> bool {
        self.origin == *key.origin()
            && self.key == key.hint()
            && key.verify(self.text().as_bytes(), &self.signature)
    }

    /// What is signed.
    fn text(&self) -> String {
        let Head { sequence, hash } = self.head;
        let (origin, time) = (&self.origin, instant::text(self.time));
        format!("{TITLE}\n{origin}\n{sequence}\n{hash}\n{time}\n")
    }
}

/// Seven lines: the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = STANDARD.encode([self.key.0.as_slice(), &self.signature].concat());
        writeln!(f, "{}\n— {} {signature}", self.text(), self.origin)
    }
}

/// Nothing is trusted yet: see [`Checkpoint::is_signed_by`].
impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(note: &str) -> Result<Self, CheckpointError> {
        let read = if note.len() <= LIMIT {
            parse(note)
        } else {
            None
        };
        read.filter(|checkpoint| checkpoint.to_string() == note)
            .ok_or(CheckpointError)
    }
}

fn parse(note: &str) -> Option<Checkpoint> {
    let lines: Vec<_> = note.lines().collect();
    let [_, origin, sequence, hash, time, _, signed] = lines.as_slice() else {
        return None;
    };
    let bytes = STANDARD.decode(signed.rsplit(' ').next()?).ok()?;
    let (key, signature) = bytes.split_first_chunk::<4>()?;
    Some(Checkpoint {
        origin: origin.parse().ok()?,
        head: Head {
            sequence: sequence.parse().ok()?,
            hash: hash.parse().ok()?,
        },
        time: instant::parse(time)?,
        key: KeyHint(*key),
        signature: signature.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use maas_types::Digest;
    use proptest::prelude::*;

    use super::*;

    fn key() -> HostKey {
        HostKey::from_seed("maas.site.internal".parse().unwrap(), &[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        let head = Head {
            sequence: 118_204,
            hash: Digest::from_bytes([0xab; 32]),
        };
        let now = "2026-11-25T07:30:31.1239Z".parse().unwrap();
        Checkpoint::sign(head, now, &key())
    }

    #[test]
    fn the_form_is_frozen() {
        insta::assert_snapshot!(checkpoint(), @"
        maas-appliance audit checkpoint v1
        maas.site.internal
        118204
        sha256:abababababababababababababababababababababababababababababababab
        2026-11-25T07:30:31.123Z

        — maas.site.internal WzkcuQIWqiwHZ45pcawr/6Qyw836UhwUYHVHATx8sTFlhy+ZozrY5pZcpKwx+6pyZ/7wQWhETI7wU/vei3vncPc8cAc=
        ");
    }

    #[test]
    fn it_comes_back_from_its_text() {
        let read: Checkpoint = checkpoint().to_string().parse().unwrap();
        assert_eq!(read, checkpoint());
        assert!(read.is_signed_by(key().public()));
    }

    #[test]
    fn another_key_and_another_host_did_not_sign_it() {
        let other = HostKey::from_seed("maas.site.internal".parse().unwrap(), &[8; 32]);
        assert!(!checkpoint().is_signed_by(other.public()));
        let renamed = HostKey::from_seed("b".parse().unwrap(), &[7; 32]);
        assert!(!checkpoint().is_signed_by(renamed.public()));
        let mut moved = checkpoint();
        moved.origin = "b".parse().unwrap();
        moved.key = renamed.public().hint();
        assert!(!moved.is_signed_by(renamed.public()));
    }

    proptest! {
        /// One byte of the text changed in any way: not a checkpoint, or not signed.
        #[test]
        fn any_changed_byte_is_noticed(place in 0..400_usize, with: u8) {
            let mut bytes = checkpoint().to_string().into_bytes();
            let place = place % bytes.len();
            prop_assume!(bytes[place] != with);
            bytes[place] = with;
            let read = String::from_utf8(bytes).ok().and_then(|note| note.parse().ok());
            prop_assert!(!read.is_some_and(|note: Checkpoint| note.is_signed_by(key().public())));
        }

        #[test]
        fn reading_any_text_is_safe(text: String) {
            prop_assert!(text.parse::<Checkpoint>().is_err());
        }
    }
}
