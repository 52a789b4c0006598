//! The C library, by its file: asking it would need a call that is not safe.

use serde::Serialize;

use crate::{Version, tree::Tree};

/// Where distributions keep it.
const PLACES: [&str; 7] = [
    "/lib64/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib/libc.so.6",
];

/// Longer than any C library so far, bytes.
const LONGEST: usize = 8 << 20;

/// What every copy of it says about itself: `GNU C Library (Debian GLIBC 2.36-9) stable release
/// version 2.36.`
const BANNER: &[u8] = b"GNU C Library ";

/// The C library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Libc {
    /// GNU's.
    Glibc(Version),
    /// musl, which Alpine has.
    Musl,
    /// None was found, or it does not say.
    Unknown,
}

impl Libc {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        if let Some(version) = PLACES.iter().find_map(|place| glibc(tree, place)) {
            return Self::Glibc(version);
        }
        let musl = tree.names("/lib").iter().any(|n| n.starts_with("ld-musl-"));
        if musl { Self::Musl } else { Self::Unknown }
    }
}

fn glibc(tree: &Tree<'_>, place: &str) -> Option<Version> {
    // Until 2.33 it was a link to `libc-2.28.so`.
    let linked = tree.link(place);
    let by_name = linked.as_deref().and_then(|target| {
        let (_, file) = target.rsplit_once('/').unwrap_or(("", target));
        Version::parse(file.strip_prefix("libc-")?)
    });
    by_name.or_else(|| banner(&tree.bytes(place, LONGEST)?))
}

fn banner(bytes: &[u8]) -> Option<Version> {
    let begin = bytes.windows(BANNER.len()).position(|at| at == BANNER)?;
    let sentence = bytes.get(begin..bytes.len().min(begin + 256))?;
    let sentence = String::from_utf8_lossy(sentence);
    let (_, version) = sentence.split_once("version ")?;
    Version::parse(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_the_sentence_that_the_library_says() {
        let file =
            b"\x7fELF\0\0junk GNU C Library (GNU libc) stable release version 2.34.\nCopyright";
        assert_eq!(banner(file), Some(Version::new(&[2, 34])));
        assert_eq!(banner(b"GNU C Library ("), None);
        assert_eq!(banner(b""), None);
    }

    /// Skips where this host's library lies elsewhere.
    #[test]
    fn the_library_of_this_host_says_its_version() {
        if let Libc::Glibc(version) = Libc::look(&Tree::new("/".into())) {
            assert_eq!(version.major(), 2);
        }
    }
}
