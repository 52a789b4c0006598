//! What a file must be: by SHA-256, or by the name that git gives a blob.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use maas_types::Digest;
use serde::{Deserialize, Serialize};

/// Names one content.
///
/// Git's SHA-1 is what a hub has for small files, and no proof against somebody who makes two files
/// with one name (two PDF files of 2017); it tells a damaged download. What counts later is the SHA-256 that
/// is taken of the same bytes, and that a signature covers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum ContentId {
    Sha256(Digest),
    /// SHA-1 over `blob <length>\0` and the content.
    GitBlob([u8; 20]),
}

/// Takes all sums of a file in one pass.
#[derive(Clone)]
pub(crate) struct Hasher {
    sha256: Context,
    git: Option<Context>,
}

/// The sums of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) sha256: Digest,
    git: Option<[u8; 20]>,
}

impl ContentId {
    /// Parses 40 lower-case hex digits.
    pub(crate) fn from_git(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self::GitBlob(bytes))
    }
}

impl Hasher {
    pub(crate) fn new(id: ContentId, size: u64) -> Self {
        let git = match id {
            ContentId::Sha256(_) => None,
            ContentId::GitBlob(_) => {
                let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                context.update(format!("blob {size}\0").as_bytes());
                Some(context)
            }
        };
        Self {
            sha256: Context::new(&SHA256),
            git,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(git) = &mut self.git {
            git.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Sums {
        let sha256 = self.sha256.finish();
        let sha256 = sha256.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let git = |context: Context| {
            let sum = context.finish();
            sum.as_ref().try_into().expect("SHA-1 has 20 bytes")
        };
        Sums {
            sha256: Digest::from_bytes(sha256),
            git: self.git.map(git),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Sums {
    /// What was found, in the terms of what was announced.
    pub(crate) fn in_terms_of(&self, id: ContentId) -> ContentId {
        match (id, self.git) {
            (ContentId::GitBlob(_), Some(git)) => ContentId::GitBlob(git),
            (ContentId::GitBlob(_), None) | (ContentId::Sha256(_), _) => {
                ContentId::Sha256(self.sha256)
            }
        }
    }

    pub(crate) fn are(&self, id: ContentId) -> bool {
        self.in_terms_of(id) == id
    }
}

/// The SHA-256 of bytes in memory.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let sum = aws_lc_rs::digest::digest(&SHA256, bytes);
    Digest::from_bytes(sum.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => fmt::Display::fmt(digest, f),
            Self::GitBlob(bytes) => write!(f, "git:{}", hex::encode(bytes)),
        }
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<ContentId> for String {
    fn from(id: ContentId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ContentId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if let Some(git) = text.strip_prefix("git:") {
            return Self::from_git(git).ok_or("not a git object name");
        }
        text.parse().map(Self::Sha256).map_err(|_| "not a digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_git_and_of_sha256sum() {
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`.
        let id = ContentId::from_git("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let mut hasher = Hasher::new(id, 6);
        hasher.update(b"hel");
        hasher.update(b"lo\n");
        let sums = hasher.finish();
        assert!(sums.are(id));
        let hex = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(sums.sha256, Digest::from_hex(hex).unwrap());
        assert_eq!(sums.sha256, sha256(b"hello\n"));
        assert!(!sums.are(ContentId::Sha256(sha256(b"hello"))));
    }

    #[test]
    fn an_id_survives_its_own_text() {
        for id in [ContentId::GitBlob([7; 20]), ContentId::Sha256(sha256(b""))] {
            assert_eq!(ContentId::try_from(String::from(id)), Ok(id));
        }
    }
}
