//! From a layout to a folder that is complete or not there.

use std::{
    cell::Cell,
    io::{self, Read, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, json};
use rustix::{
    fs::{CWD, Mode, OFlags, fchmod, fsync, openat, renameat, syncfs},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{
    archive::Archive,
    beneath::Resolve,
    blob,
    document::{Image, Layer, RunConfig},
    error::{Failure, Flaw, ImageError, shown},
    layer::Unpacking,
    metadata::Left,
    policy::{Ownership, Policy},
    tree::{READ_FOLDER, Tree, remove::remove_tree},
};

const RECORD: &str = "image.json";

/// How far it is. Told after each mebibyte of compressed bytes, and at the end of each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The layer at work, the first is 1.
    pub layer: usize,
    /// All layers.
    pub layers: usize,
    /// Compressed bytes that were read, of all layers.
    pub read: u64,
    /// Compressed bytes of all layers.
    pub of: u64,
    /// Entries applied.
    pub entries: u64,
}

/// An unpacked image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The root file system.
    pub rootfs: Utf8PathBuf,
    /// What is known about it.
    pub record: Record,
    /// Whether it was there before.
    pub was_there: bool,
}

/// What lies beside a root file system, in `image.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`Record::SCHEMA`].
    pub schema: String,
    /// The image's manifest.
    pub manifest: Digest,
    /// Its config, which Docker and podman call the image's id.
    pub config: Digest,
    /// How a container of it is to be started.
    pub run: RunConfig,
    /// Whose the files are.
    pub ownership: Ownership,
    /// Files, folders and links in the root file system.
    pub entries: u64,
    /// Bytes of its files; one with two names counts once.
    pub bytes: u64,
    /// What was left out.
    pub left_out: Left,
}

impl Record {
    /// The schema of the record.
    pub const SCHEMA: &'static str = "maas-appliance/unpacked-image/v1";
}

/// Unpacks an image of an OCI image layout into the folder `into`: `into/rootfs` is its root file
/// system, `into/image.json` the [`Record`]. The folder that holds `into` must be there.
///
/// The work is done in `into.partial`, forced to the disk, then renamed: `into` is complete or not
/// there. A partial folder of an interrupted run is removed first, one of a failed run at once. If
/// `into` has this image already nothing is done, whatever policy it was unpacked by; the record says
/// whose the files are and what was left out. Two runs at once on one `into` are the caller's to
/// prevent.
pub fn unpack(
    layout: &Utf8Path,
    manifest: &Digest,
    into: &Utf8Path,
    policy: &Policy,
    progress: &mut dyn FnMut(Progress),
) -> Result<Unpacked, ImageError> {
    unpack_by(None, layout, manifest, into, policy, progress)
}

/// The same with a way of finding folders, `None` for the best.
pub(crate) fn unpack_by(
    resolve: Option<Resolve>,
    layout: &Utf8Path,
    manifest: &Digest,
    into: &Utf8Path,
    policy: &Policy,
    progress: &mut dyn FnMut(Progress),
) -> Result<Unpacked, ImageError> {
    let rootfs = into.join("rootfs");
    if let Some(record) = complete(manifest, into)? {
        return Ok(Unpacked {
            rootfs,
            record,
            was_there: true,
        });
    }
    let image = Image::open(layout, manifest, &policy.limits)?;
    let partial = Utf8PathBuf::from(format!("{into}.partial"));
    clear(&partial)?;
    let run = Run {
        resolve,
        layout,
        image: &image,
        policy,
    };
    let record = run
        .fill(&partial, progress)
        .and_then(|record| publish(&partial, into).map(|()| record));
    if record.is_err() {
        // The error that led here says more than one of this could.
        let _ = remove_tree(partial.as_str());
    }
    Ok(Unpacked {
        rootfs,
        record: record?,
        was_there: false,
    })
}

/// The record of what is there, if that is the image.
fn complete(manifest: &Digest, into: &Utf8Path) -> Result<Option<Record>, ImageError> {
    if fs_err::symlink_metadata(into).is_err() {
        return Ok(None);
    }
    let occupied = |detail: String| ImageError::Occupied {
        path: into.to_owned(),
        detail,
    };
    let path = into.join(RECORD);
    let bytes = fs_err::read(&path)
        .map_err(|error| occupied(format!("it has no record: {}", error.kind())))?;
    let record: Record = json::strict(&bytes)
        .map_err(|error| occupied(format!("its record is damaged: {error}")))?;
    if record.manifest != *manifest || record.schema != Record::SCHEMA {
        return Err(occupied(format!("it is {}", record.manifest)));
    }
    Ok(Some(record))
}

fn clear(partial: &Utf8Path) -> Result<(), ImageError> {
    remove_tree(partial.as_str())
        .map_err(|errno| ImageError::io("remove", partial.as_str(), errno.into()))
}

/// One image on its way into one folder.
struct Run<'a> {
    resolve: Option<Resolve>,
    layout: &'a Utf8Path,
    image: &'a Image,
    policy: &'a Policy,
}

impl Run<'_> {
    fn fill(
        &self,
        partial: &Utf8Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Record, ImageError> {
        let rootfs = partial.join("rootfs");
        let failed = |errno: Errno| ImageError::io("make", rootfs.as_str(), errno.into());
        rustix::fs::mkdir(partial.as_std_path(), Mode::RWXU).map_err(failed)?;
        rustix::fs::mkdir(rootfs.as_std_path(), Mode::RWXU).map_err(failed)?;
        let handle =
            openat(CWD, rootfs.as_std_path(), READ_FOLDER, Mode::empty()).map_err(failed)?;
        let mut tree = Tree::new(handle, self.resolve, self.policy).map_err(failed)?;
        let mut before = 0;
        for (number, layer) in (1..).zip(&self.image.layers) {
            let mut tell = |read: u64, entries: u64| {
                progress(Progress {
                    layer: number,
                    layers: self.image.layers.len(),
                    read: before + read,
                    of: self.image.packed_bytes(),
                    entries,
                });
            };
            self.layer(layer, &mut tree, &mut tell)
                .map_err(|error| error.after(tree.bytes))?;
            before += layer.size;
        }
        let (census, left_out) = tree.finish().map_err(|f| on_disk(f, rootfs.as_str()))?;
        let record = Record {
            schema: Record::SCHEMA.to_owned(),
            manifest: self.image.manifest.digest,
            config: self.image.config.digest,
            run: self.image.run.clone(),
            ownership: self.policy.ownership,
            entries: census.entries,
            bytes: census.bytes,
            left_out,
        };
        write_record(&partial.join(RECORD), &record).map_err(|error| error.after(census.bytes))?;
        Ok(record)
    }

    fn layer(
        &self,
        layer: &Layer,
        tree: &mut Tree<'_>,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ImageError> {
        let mut blob = blob::open(self.layout, &layer.digest, layer.size)?;
        let entries = Cell::new(tree.entries);
        let mut counted = Counted {
            inner: &mut blob,
            read: 0,
            told: 0,
            tell: &mut |read| tell(read, entries.get()),
        };
        let mut name = Vec::new();
        let error = |failure, name: &[u8]| self.error(layer, failure, name);
        let mut unpacking =
            Unpacking::new(&mut counted, layer.size, layer.packing, &self.policy.limits)
                .map_err(|failure| error(failure, b""))?;
        tree.next_layer();
        let mut archive = Archive::new(&mut unpacking, &self.policy.limits);
        let applied = loop {
            match archive.next() {
                Ok(Some(entry)) => {
                    name.clone_from(&entry.name);
                    if let Err(failure) = tree.apply(&entry, &mut archive) {
                        break Err(failure);
                    }
                    entries.set(tree.entries);
                }
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        drop(archive);
        applied.map_err(|failure| error(unpacking.explain(failure), &name))?;
        let diff_id = unpacking.diff_id();
        drop(unpacking);
        blob::is(self.layout, &layer.digest, &blob)?;
        match diff_id {
            Some(found) if found == layer.diff_id => Ok(()),
            found => Err(error(
                Failure::Flaw(Flaw::DiffId {
                    wanted: layer.diff_id,
                    found: found.unwrap_or(layer.digest),
                }),
                b"",
            )),
        }
    }

    fn error(&self, layer: &Layer, failure: Failure, name: &[u8]) -> ImageError {
        match failure {
            Failure::Flaw(flaw) => ImageError::layer(layer.digest, name, flaw),
            Failure::Read(source) => {
                let path = crate::document::blob_path(self.layout, &layer.digest);
                ImageError::io("read", path, source)
            }
            failure @ Failure::Disk(..) => on_disk(failure, &shown(name)),
        }
    }
}

/// A reader that says how far it is.
struct Counted<'a, R> {
    inner: &'a mut R,
    read: u64,
    told: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if self.read - self.told >= 1 << 20 || count == 0 {
            self.told = self.read;
            (self.tell)(self.read);
        }
        Ok(count)
    }
}

fn on_disk(failure: Failure, path: &str) -> ImageError {
    match failure {
        Failure::Disk(doing, errno) => ImageError::io(doing, path, errno.into()),
        Failure::Read(error) => ImageError::io("read", path, error),
        Failure::Flaw(flaw) => {
            let error = io::Error::other(flaw.to_string());
            ImageError::io("finish", path, error)
        }
    }
}

fn write_record(path: &Utf8Path, record: &Record) -> Result<(), ImageError> {
    let mut text = serde_json::to_vec_pretty(record)
        .map_err(|error| ImageError::io("write", path.as_str(), error.into()))?;
    text.push(b'\n');
    fs_err::File::create_new(path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(|error| ImageError::io("write", path.as_str(), error))
}

/// Forces everything to the disk, then gives it its name.
fn publish(partial: &Utf8Path, into: &Utf8Path) -> Result<(), ImageError> {
    let open = |path: &Utf8Path| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path.as_std_path(), flags, Mode::empty())
    };
    let parent = match into.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    };
    let publish = || {
        let folder = open(partial)?;
        fchmod(&folder, Mode::from_raw_mode(0o755))?;
        // One call for a million files, instead of one each.
        syncfs(&folder)?;
        renameat(CWD, partial.as_std_path(), CWD, into.as_std_path())?;
        fsync(open(parent)?)
    };
    publish().map_err(|errno: Errno| ImageError::io("finish", into.as_str(), errno.into()))
}
