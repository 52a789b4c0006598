//! Inputs: hashed in pass 1, written and hashed again in pass 2.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read, SeekFrom},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Blob, BundleId, Digest, Part};
use sha2::{Digest as _, Sha256};

use super::BuildError;
use crate::{
    MediaError, MediaPath, Progress, Sink, Source, SourceError, SourceFile, SourceKind,
    bill::MANIFEST_BYTES, locate::objects_of, reader::Buffer,
};

/// Folders within folders of an input; the paths of a bundle have at most 16 components.
const DEEPEST: usize = 20;

/// Where bytes come from.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// A whole file.
    File(Utf8PathBuf),
    /// A run of bytes within a file: a member of an archive.
    Slice {
        path: Utf8PathBuf,
        offset: u64,
        size: u64,
    },
    /// Bytes that the builder made.
    Made(Vec<u8>),
}

impl Input {
    /// The first bytes of an input only.
    pub(super) fn start(&self, bytes: u64) -> Self {
        match self {
            Self::File(path) => Self::Slice {
                path: path.clone(),
                offset: 0,
                size: bytes,
            },
            Self::Slice { path, offset, size } => Self::Slice {
                path: path.clone(),
                offset: *offset,
                size: bytes.min(*size),
            },
            Self::Made(made) => Self::Made(made.clone()),
        }
    }
}

/// Something that was read and hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

struct Kept {
    blob: Blob,
    input: Input,
    /// Whether it becomes a blob, or lies beside `MAAS/` only.
    is_blob: bool,
}

/// Everything that was read so far.
pub(super) struct Intake<'a> {
    source: &'a dyn Source,
    part_bytes: u64,
    progress: &'a dyn Progress,
    kept: BTreeMap<Digest, Kept>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(source: &'a dyn Source, part_bytes: u64, progress: &'a dyn Progress) -> Self {
        Self {
            source,
            part_bytes,
            progress,
            kept: BTreeMap::new(),
        }
    }

    pub(super) fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// Reads and hashes an input that becomes a blob.
    pub(super) fn take(&mut self, input: Input) -> Result<Taken, BuildError> {
        self.take_through(input, |_| Ok(()))
            .map(|(taken, ())| taken)
    }

    /// Reads and hashes a file that lies beside `MAAS/`.
    pub(super) fn take_aside(&mut self, input: Input) -> Result<Taken, BuildError> {
        let (blob, ()) = self.hash(&input, |_| Ok(()))?;
        let taken = Taken {
            digest: blob.digest,
            size: blob.size,
        };
        self.kept.entry(blob.digest).or_insert(Kept {
            blob,
            input,
            is_blob: false,
        });
        Ok(taken)
    }

    /// Like [`Intake::take`], while `look` reads the same bytes; it may stop before the end.
    pub(super) fn take_through<T>(
        &mut self,
        input: Input,
        look: impl FnOnce(&mut dyn Read) -> Result<T, BuildError>,
    ) -> Result<(Taken, T), BuildError> {
        let (blob, looked) = self.hash(&input, look)?;
        let taken = Taken {
            digest: blob.digest,
            size: blob.size,
        };
        let kept = Kept {
            blob,
            input,
            is_blob: true,
        };
        self.kept
            .entry(taken.digest)
            .and_modify(|kept| kept.is_blob = true)
            .or_insert(kept);
        Ok((taken, looked))
    }

    /// Reads a document that does not travel: at most `limit` bytes of it are handed out.
    pub(super) fn look_at(
        &self,
        input: &Input,
        limit: u64,
    ) -> Result<(Taken, Vec<u8>), BuildError> {
        let (blob, bytes) = self.hash(input, |reader| {
            let mut bytes = Vec::new();
            let read = reader.take(limit).read_to_end(&mut bytes);
            read.map_err(|source| self.read_error(input, source))?;
            Ok(bytes)
        })?;
        let taken = Taken {
            digest: blob.digest,
            size: blob.size,
        };
        Ok((taken, bytes))
    }

    /// Reads something once more.
    pub(super) fn reader(&self, digest: &Digest) -> io::Result<Box<dyn Read + '_>> {
        let kept = self.kept.get(digest).ok_or(io::ErrorKind::NotFound)?;
        self.open(&kept.input).map_err(io::Error::other)
    }

    /// The bytes of something small that was read.
    pub(super) fn small(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader(digest)?
            .take(MANIFEST_BYTES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All blobs, sorted by digest.
    pub(super) fn blobs(&self) -> Vec<Blob> {
        let blobs = self.kept.values().filter(|kept| kept.is_blob);
        blobs.map(|kept| kept.blob.clone()).collect()
    }

    /// Pass 2 for one blob: writes its objects, hashing what is written.
    pub(super) fn write(
        &self,
        bundle: &BundleId,
        blob: &Blob,
        sink: &mut dyn Sink,
    ) -> Result<(), BuildError> {
        let input = &self.kept[&blob.digest].input;
        let mut reader = self.open(input)?;
        for object in objects_of(blob) {
            let path = object.path(bundle);
            self.copy(
                input,
                &mut reader,
                (object.size, object.digest),
                &path,
                sink,
            )?;
        }
        self.expect_end(input, &mut reader)
    }

    /// Pass 2 for a file beside `MAAS/`.
    pub(super) fn write_to(
        &self,
        digest: &Digest,
        path: &MediaPath,
        sink: &mut dyn Sink,
    ) -> Result<(), BuildError> {
        let Kept { blob, input, .. } = &self.kept[digest];
        let mut reader = self.open(input)?;
        self.copy(input, &mut reader, (blob.size, blob.digest), path, sink)?;
        self.expect_end(input, &mut reader)
    }

    fn copy(
        &self,
        input: &Input,
        reader: &mut dyn Read,
        (size, digest): (u64, Digest),
        path: &MediaPath,
        sink: &mut dyn Sink,
    ) -> Result<(), BuildError> {
        let volume = sink.label().to_owned();
        let sink_error = |source| MediaError::Io {
            volume: volume.clone(),
            path: path.clone(),
            source,
        };
        let mut file = sink.create(path)?;
        let mut hash = Sha256::new();
        let mut written = 0;
        let mut wanted = reader.take(size);
        Buffer::new()
            .pump(&mut wanted, |bytes| {
                hash.update(bytes);
                written += bytes.len() as u64;
                self.progress.advance(bytes.len() as u64);
                file.write_all(bytes)
                    .map_err(|e| Pumped::Sink(sink_error(e)))
            })
            .map_err(|error| match error {
                Pumped::Read(source) => self.read_error(input, source).into(),
                Pumped::Sink(error) => BuildError::Sink(error),
            })?;
        if written != size || Digest::from_bytes(hash.finalize().into()) != digest {
            return Err(BuildError::Changed { input: name(input) });
        }
        file.finish().map_err(|e| BuildError::Sink(sink_error(e)))
    }

    fn expect_end(&self, input: &Input, reader: &mut dyn Read) -> Result<(), BuildError> {
        let mut rest = Vec::new();
        reader
            .take(1)
            .read_to_end(&mut rest)
            .map_err(|source| self.read_error(input, source))?;
        if rest.is_empty() {
            return Ok(());
        }
        Err(BuildError::Changed { input: name(input) })
    }

    /// Hashes all of an input, whole and in parts, while `look` reads along.
    fn hash<T>(
        &self,
        input: &Input,
        look: impl FnOnce(&mut dyn Read) -> Result<T, BuildError>,
    ) -> Result<(Blob, T), BuildError> {
        let reader = self.open(input)?;
        let mut hashing = PartHasher {
            reader,
            part_bytes: self.part_bytes,
            progress: self.progress,
            whole: Sha256::new(),
            part: Sha256::new(),
            part_size: 0,
            size: 0,
            parts: Vec::new(),
        };
        let looked = look(&mut hashing)?;
        Buffer::new()
            .pump(&mut hashing, |_| Ok::<_, io::Error>(()))
            .map_err(|source| self.read_error(input, source))?;
        let blob = hashing.finish();
        // A slice that the file does not hold to its end: the archive is cut off.
        if let Input::Slice { path, size, .. } = input
            && *size != blob.size
        {
            return Err(SourceError::Io {
                path: path.clone(),
                source: io::ErrorKind::UnexpectedEof.into(),
            }
            .into());
        }
        Ok((blob, looked))
    }

    fn open<'b>(&self, input: &'b Input) -> Result<Box<dyn Read + 'b>, BuildError>
    where
        'a: 'b,
    {
        Ok(match input {
            Input::File(path) => Box::new(self.source.open(path)?),
            Input::Slice { path, offset, size } => {
                let mut file = self.source.open(path)?;
                file.seek(SeekFrom::Start(*offset))
                    .map_err(|source| self.read_error(input, source))?;
                Box::new(file.take(*size))
            }
            Input::Made(bytes) => Box::new(Cursor::new(bytes)),
        })
    }

    #[expect(clippy::unused_self, reason = "called beside methods that need it")]
    fn read_error(&self, input: &Input, source: io::Error) -> SourceError {
        SourceError::Io {
            path: name(input).into(),
            source,
        }
    }
}

/// Whose fault it was that a copy stopped.
enum Pumped {
    Read(io::Error),
    Sink(MediaError),
}

impl From<io::Error> for Pumped {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// Hashes what is read through it, whole and in parts.
struct PartHasher<'a> {
    reader: Box<dyn Read + 'a>,
    part_bytes: u64,
    progress: &'a dyn Progress,
    whole: Sha256,
    part: Sha256,
    part_size: u64,
    size: u64,
    parts: Vec<Part>,
}

impl Read for PartHasher<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.whole.update(&buffer[..count]);
        self.size += count as u64;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let room = usize::try_from(self.part_bytes - self.part_size).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(rest.len().min(room));
            self.part.update(now);
            self.part_size += now.len() as u64;
            if self.part_size == self.part_bytes {
                self.close_part();
            }
            rest = later;
        }
        self.progress.advance(count as u64);
        Ok(count)
    }
}

impl PartHasher<'_> {
    fn close_part(&mut self) {
        let hash = std::mem::take(&mut self.part);
        self.parts.push(Part {
            digest: Digest::from_bytes(hash.finalize().into()),
            size: std::mem::take(&mut self.part_size),
        });
    }

    fn finish(mut self) -> Blob {
        if self.part_size > 0 {
            self.close_part();
        }
        let digest = Digest::from_bytes(self.whole.finalize().into());
        if self.size <= self.part_bytes {
            self.parts.clear();
        }
        Blob {
            digest,
            size: self.size,
            parts: self.parts,
        }
    }
}

/// Bytes of all files at or below a path.
pub(super) fn size_below(
    source: &dyn Source,
    path: &Utf8Path,
    depth: usize,
) -> Result<u64, SourceError> {
    match source.kind(path)? {
        SourceKind::File { size } => Ok(size),
        SourceKind::Folder if depth > DEEPEST => Ok(0),
        SourceKind::Folder => {
            let mut total = 0_u64;
            for entry in source.list(path)? {
                let below = size_below(source, &path.join(&entry.name), depth + 1)?;
                total = total.saturating_add(below);
            }
            Ok(total)
        }
    }
}

/// What people call an input.
fn name(input: &Input) -> String {
    match input {
        Input::File(path) | Input::Slice { path, .. } => path.to_string(),
        Input::Made(_) => "a document of the builder".to_owned(),
    }
}

/// Reads a small input whole.
pub(super) fn read_small(
    source: &dyn Source,
    path: &Utf8Path,
    limit: u64,
) -> Result<Vec<u8>, SourceError> {
    let file: Box<dyn SourceFile + '_> = source.open(path)?;
    let mut bytes = Vec::new();
    let error = |source| SourceError::Io {
        path: path.to_owned(),
        source,
    };
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(error(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is bigger than {limit} bytes"),
        )));
    }
    Ok(bytes)
}
