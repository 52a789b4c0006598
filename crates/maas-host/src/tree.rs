//! The host's files, read below one folder.
//!
//! Threats: files below `/proc` and `/etc` hold text that any local user may have chosen (the name of
//! a process, a mount point), a file can be endless, a FIFO in place of a file blocks whoever opens
//! it, and text with control characters takes over a terminal.
//! Defence: only regular files are read, opened without blocking and up to a limit; folders are listed
//! up to a limit; text that is kept goes through [`word`]. Nothing here fails: what cannot be read is
//! not there.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    io::Errno,
};

/// Enough for the longest table of sockets or mounts that a person would wait for, bytes.
const LONGEST_TEXT: usize = 4 << 20;

/// Enough for every process of a big host.
const MOST_NAMES: usize = 1 << 17;

/// Longest foreign text that is kept, characters.
const LONGEST_WORD: usize = 200;

/// A host's files below one folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    root: &'a Utf8Path,
}

impl<'a> Tree<'a> {
    /// The host below `root`; `/` for this one.
    pub(crate) fn new(root: &'a Utf8Path) -> Self {
        Self { root }
    }

    /// Where a path of the host lies.
    pub(crate) fn path(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The first bytes of a regular file.
    pub(crate) fn bytes(&self, path: impl AsRef<Utf8Path>, most: usize) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(self.path(path).as_str(), flags, Mode::empty()).ok()?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file).ok()?.st_mode);
        if kind != FileType::RegularFile {
            return None;
        }
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        while bytes.len() < most {
            let room = buffer.len().min(most - bytes.len());
            match rustix::io::read(&file, &mut buffer[..room]) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR) => {}
                // Some files of /proc and /sys refuse to be read only when they are.
                Err(_) if bytes.is_empty() => return None,
                Err(_) => break,
            }
        }
        Some(bytes)
    }

    /// A text file; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&self, path: impl AsRef<Utf8Path>) -> Option<String> {
        let bytes = self.bytes(path, LONGEST_TEXT)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first line of a file, fit to be shown; `None` if it is empty.
    pub(crate) fn word(&self, path: impl AsRef<Utf8Path>) -> Option<String> {
        let text = self.text(path)?;
        Some(word(text.lines().next()?)).filter(|word| !word.is_empty())
    }

    /// A file that holds one number.
    pub(crate) fn number<T: std::str::FromStr>(&self, path: impl AsRef<Utf8Path>) -> Option<T> {
        self.word(path)?.parse().ok()
    }

    /// The names in a folder, in order; none if it is not there. Names that are not UTF-8 are left
    /// out.
    pub(crate) fn names(&self, folder: impl AsRef<Utf8Path>) -> Vec<String> {
        let Ok(entries) = self.path(folder).read_dir_utf8() else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .take(MOST_NAMES)
            .filter_map(|entry| Some(entry.ok()?.file_name().to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Whether something has this name; links are not followed.
    pub(crate) fn has(&self, path: impl AsRef<Utf8Path>) -> bool {
        self.stat(path).is_some()
    }

    /// What has this name; links are not followed.
    pub(crate) fn stat(&self, path: impl AsRef<Utf8Path>) -> Option<Stat> {
        rustix::fs::lstat(self.path(path).as_str()).ok()
    }

    /// The path without links in it; `None` if it is not there, or a link leads out of the tree.
    pub(crate) fn real(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let real = self.path(path).canonicalize_utf8().ok()?;
        let inside = real
            .strip_prefix(self.root.canonicalize_utf8().ok()?)
            .ok()?;
        Some(Utf8Path::new("/").join(inside))
    }

    /// What a symbolic link says.
    pub(crate) fn link(&self, path: impl AsRef<Utf8Path>) -> Option<String> {
        let target = self.path(path).read_link_utf8().ok()?;
        Some(target.into_string())
    }
}

/// Foreign text, fit to be shown on one line: trimmed, without control characters, not long.
pub(crate) fn word(text: &str) -> String {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    trimmed
        .chars()
        .take(LONGEST_WORD)
        // Also what turns the direction of writing around, or hides: Unicode's format characters.
        .map(|c| match c {
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c if c.is_control() => '?',
            c => c,
        })
        .collect()
}

/// The value of `key: value` or `key=value` in a text of such lines, fit to be shown.
pub(crate) fn value(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(separator)?;
        (name.trim() == key).then(|| word(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_fifo_in_place_of_a_file_blocks_nobody() {
        let (_keep, root) = folder();
        let fifo = root.join("fifo");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, fifo.as_str(), FileType::Fifo, mode, 0).unwrap();
        assert_eq!(Tree::new(&root).text("/fifo"), None);
    }

    #[test]
    fn an_endless_file_is_cut_off() {
        let (_keep, root) = folder();
        fs_err::write(root.join("long"), vec![b'x'; 100_000]).unwrap();
        assert_eq!(
            Tree::new(&root).bytes("/long", 70_000).unwrap().len(),
            70_000
        );
    }

    #[test]
    fn foreign_text_cannot_take_over_a_terminal() {
        assert_eq!(word("  a\x1b[2Jb\u{202e}c\n"), "a?[2Jb?c");
        assert_eq!(word(&"x".repeat(9_999)).len(), LONGEST_WORD);
    }

    #[test]
    fn a_missing_file_is_not_an_error() {
        let (_keep, root) = folder();
        let tree = Tree::new(&root);
        assert_eq!(tree.text("/proc/version"), None);
        assert_eq!(tree.names("/proc"), Vec::<String>::new());
        assert!(!tree.has("/proc"));
    }
}
