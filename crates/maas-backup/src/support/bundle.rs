//! What is in a support bundle, shown before it is written.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    io::{Read as _, Seek as _, SeekFrom, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::{SecretKind, Secrets, redact};
use crate::{
    BackupError, EntryName,
    age::{self, Random, Seal},
    archive,
};

/// The end of a log is what matters; an entry is kept in memory.
const LONGEST: u64 = 16 << 20;
const CONTENTS: &str = "support/CONTENTS.txt";

/// Something to put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportEntry {
    /// Its name in the bundle.
    pub name: EntryName,
    /// Its text.
    pub content: Content,
    /// What it is, for people.
    pub kind: Kind,
}

/// Where a text comes from. What is not UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// As it is.
    Bytes(Vec<u8>),
    /// From a file: its last 16 MiB.
    File(Utf8PathBuf),
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What a command of ours prints.
    Report,
    /// A settings file.
    Settings,
    /// A log.
    Log,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Report => "report",
            Self::Settings => "settings",
            Self::Log => "log",
        })
    }
}

/// One file of the bundle, as it will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: EntryName,
    /// What it is.
    pub kind: Kind,
    /// Its bytes, after secrets were taken out.
    pub bytes: u64,
    /// Bytes at its beginning that were left out.
    pub left_out: u64,
    /// What was taken out.
    pub removed: BTreeMap<SecretKind, u64>,
    /// Lines that were cut at 8 KiB.
    pub cut_lines: u64,
}

/// Whether a bundle is sealed.
#[derive(Debug)]
pub enum Envelope<'a> {
    /// Anybody can read it: zstd of a tar file.
    Plain,
    /// As a backup is.
    Sealed(Seal<'a>),
}

/// A support bundle, in memory and without secrets.
#[derive(Debug)]
pub struct Bundle(Vec<(Line, String)>);

impl Bundle {
    /// Reads and redacts everything. A file that cannot be read is there with the reason as its text:
    /// a bundle is asked for when things are broken.
    pub fn prepare(entries: &[SupportEntry], secrets: &Secrets) -> Result<Self, BackupError> {
        let mut files: Vec<_> = entries.iter().map(|entry| one(entry, secrets)).collect();
        files.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        let twice = files.windows(2).find(|two| two[0].0.name == two[1].0.name);
        let taken = files
            .iter()
            .find(|(line, _)| line.name.as_str() == CONTENTS);
        if let Some((line, _)) = twice.map(|two| &two[0]).or(taken) {
            let problem = format!("`{}` is named twice", line.name);
            return Err(BackupError::Items { problem });
        }
        Ok(Self(files))
    }

    /// What will be written.
    pub fn preview(&self) -> impl Iterator<Item = &Line> {
        self.0.iter().map(|(line, _)| line)
    }

    /// The text that will be written for an entry.
    pub fn text(&self, name: &EntryName) -> Option<&str> {
        let mut files = self.0.iter();
        files
            .find(|(line, _)| line.name == *name)
            .map(|(_, text)| text.as_str())
    }

    /// Writes it, a list of what is in it first.
    pub fn write<W: Write>(
        &self,
        out: W,
        envelope: &Envelope<'_>,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<W, BackupError> {
        match envelope {
            Envelope::Plain => self.pack(out, now),
            Envelope::Sealed(seal) => self
                .pack(age::seal(out, seal, random)?, now)?
                .finish()
                .map_err(BackupError::writing),
        }
    }

    fn pack<W: Write>(&self, out: W, now: Timestamp) -> Result<W, BackupError> {
        let contents = self.contents();
        let files = self.0.iter().map(|(line, text)| (line.name.as_str(), text));
        let files = std::iter::once((CONTENTS, &contents)).chain(files);
        archive::pack_texts(files, now, out)
    }

    fn contents(&self) -> String {
        let mut text = String::from("What is in this bundle, and what was taken out of it:\n\n");
        for line in self.preview() {
            let removed = line.removed.iter();
            let removed: Vec<_> = removed
                .map(|(kind, n)| format!("{n} {}", kind.mark()))
                .collect();
            writeln!(
                text,
                "{:>12} bytes  {:<8}  {}  {}",
                line.bytes,
                line.kind,
                line.name,
                removed.join(", ")
            )
            .expect("a String takes everything");
        }
        text
    }
}

fn one(entry: &SupportEntry, secrets: &Secrets) -> (Line, String) {
    let (bytes, left_out) = match &entry.content {
        Content::Bytes(bytes) => tail_of(bytes, LONGEST),
        Content::File(path) => match tail(path, LONGEST) {
            Ok(tail) => tail,
            Err(error) => (format!("not read: {error}\n").into_bytes(), 0),
        },
    };
    let redacted = redact(&String::from_utf8_lossy(&bytes), secrets);
    let line = Line {
        name: entry.name.clone(),
        kind: entry.kind,
        bytes: redacted.text.len() as u64,
        left_out,
        removed: redacted.removed,
        cut_lines: redacted.cut_lines,
    };
    (line, redacted.text)
}

fn tail_of(bytes: &[u8], longest: u64) -> (Vec<u8>, u64) {
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    let from = bytes.len().saturating_sub(longest);
    from_whole_line(bytes[from..].to_vec(), from as u64)
}

fn tail(path: &Utf8Path, longest: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let mut file = fs_err::File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(longest);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(longest).read_to_end(&mut bytes)?;
    Ok(from_whole_line(bytes, from))
}

/// Half a line could be half a secret that nothing recognises.
fn from_whole_line(mut bytes: Vec<u8>, left_out: u64) -> (Vec<u8>, u64) {
    if left_out == 0 {
        return (bytes, 0);
    }
    let end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
    bytes.drain(..end);
    (bytes, left_out + end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_taken_from_a_whole_line_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("log");
        let log = b"one\ntwo\nthree\n";
        fs_err::write(&path, log).unwrap();
        for longest in 0..20 {
            let (text, left_out) = tail_of(log, longest);
            assert_eq!(tail(&path, longest).unwrap(), (text.clone(), left_out));
            assert_eq!(text.len() as u64 + left_out, log.len() as u64);
            assert!(log.ends_with(&text));
            let before = usize::try_from(left_out).unwrap().checked_sub(1);
            assert!(before.is_none_or(|at| log[at] == b'\n'), "{longest}");
        }
    }
}
