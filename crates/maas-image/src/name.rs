//! Names within an image.
//!
//! Threats: names that lead out (`../x`, `/x`), names that no file can have, names that mean a
//! whiteout of the folder they lie in (`.wh..`). Defence: a name becomes a list of plain components
//! before anything else happens; `..` is refused wherever it stands, a leading `/` or `.` means the
//! image's root.

use crate::{error::Flaw, policy::Limits};

/// Longest component, bytes (Linux, `NAME_MAX`).
const LONGEST: usize = 255;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A name: the components that lead to it from the root, itself the last. Empty for the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(Vec<Vec<u8>>);

/// What a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The root itself.
    Root,
    /// Something of this name in that folder.
    Place(Name, Vec<u8>),
    /// What lower layers have under this name in that folder is gone.
    Remove(Name, Vec<u8>),
    /// What lower layers have in that folder is gone.
    Clear(Name),
}

impl Name {
    pub(crate) fn parse(name: &[u8], limits: &Limits) -> Result<Self, Flaw> {
        if name.is_empty() || name.contains(&0) {
            return Err(Flaw::Name);
        }
        if name.len() as u64 > limits.path_bytes {
            return Err(Flaw::limit("bytes of a name", limits.path_bytes));
        }
        let parts = name
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .map(|part| match part {
                b".." => Err(Flaw::Upwards),
                part if part.len() > LONGEST => Err(Flaw::Name),
                part => Ok(part.to_owned()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if parts.len() as u64 > limits.depth {
            return Err(Flaw::limit("folders within each other", limits.depth));
        }
        Ok(Self(parts))
    }

    pub(crate) fn parts(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The path from the root, without a leading slash; `.` for the root.
    pub(crate) fn path(&self) -> Vec<u8> {
        match self.0.as_slice() {
            [] => b".".to_vec(),
            parts => parts.join(&b'/'),
        }
    }

    /// The folder and what is in it; `None` for the root.
    pub(crate) fn split(mut self) -> Option<(Self, Vec<u8>)> {
        let last = self.0.pop()?;
        Some((self, last))
    }

    /// What an entry of this name asks for (image specification 1.1, layer.md, "Whiteouts").
    pub(crate) fn request(self) -> Result<Request, Flaw> {
        let Some((folder, last)) = self.split() else {
            return Ok(Request::Root);
        };
        if folder.0.iter().any(|part| part.starts_with(WHITEOUT)) {
            return Err(Flaw::Whiteout);
        }
        match last.strip_prefix(WHITEOUT) {
            None => Ok(Request::Place(folder, last)),
            Some(_) if last == OPAQUE => Ok(Request::Clear(folder)),
            // `.wh..wh.` are aufs's own notes, of images from before 2016.
            Some(b"" | b"." | b"..") => Err(Flaw::Whiteout),
            Some(hidden) if hidden.starts_with(WHITEOUT) => Err(Flaw::Whiteout),
            Some(hidden) => Ok(Request::Remove(folder, hidden.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &[u8]) -> Result<Request, Flaw> {
        Name::parse(name, &Limits::default())?.request()
    }

    fn place(folder: &[u8], last: &[u8]) -> Request {
        let folder = Name::parse(folder, &Limits::default()).unwrap();
        Request::Place(folder, last.to_owned())
    }

    #[test]
    fn leading_slashes_and_dots_mean_the_root() {
        for name in [&b"a/b"[..], b"/a/b", b"./a/b", b"//a/./b/", b"a//b"] {
            assert_eq!(request(name), Ok(place(b"a", b"b")));
        }
        for name in [&b"."[..], b"./", b"/", b"//"] {
            assert_eq!(request(name), Ok(Request::Root));
        }
    }

    #[test]
    fn names_that_lead_up_or_nowhere_are_refused() {
        for name in [&b".."[..], b"../a", b"a/../b", b"/..", b"a/.."] {
            assert_eq!(request(name), Err(Flaw::Upwards));
        }
        for name in [&b""[..], b"a\0b", &[b'a'; 256]] {
            assert_eq!(request(name), Err(Flaw::Name));
        }
        assert_eq!(request(b"a..b/..c"), Ok(place(b"a..b", b"..c")));
    }

    #[test]
    fn whiteouts_name_something_beside_them_or_are_refused() {
        let folder = |name: &[u8]| Name::parse(name, &Limits::default()).unwrap();
        assert_eq!(
            request(b"a/.wh.b"),
            Ok(Request::Remove(folder(b"a"), b"b".to_vec()))
        );
        assert_eq!(request(b"a/.wh..wh..opq"), Ok(Request::Clear(folder(b"a"))));
        for name in [
            &b".wh."[..],
            b".wh..",
            b".wh...",
            b".wh./x",
            b"a/.wh.b/c",
            b".wh..wh.plnk",
            b".wh..wh..opq/x",
        ] {
            assert_eq!(request(name), Err(Flaw::Whiteout), "{name:?}");
        }
        assert_eq!(
            request(b".wh...."),
            Ok(Request::Remove(folder(b"."), b"...".to_vec()))
        );
    }
}
