//! Copying a built bundle to one or several volumes. What is copied is compared with the bill on its
//! way, so a copy is never worse than its origin; signatures are copied as they are.

use std::{collections::BTreeSet, io};

use maas_types::{BillOfLading, BundleId, Digest, Exit};

use crate::{
    HashingReader, Media, MediaError, MediaPath, MediumName, Mismatch, Phase, Problem, Progress,
    Report, Sink, Spread, SpreadError, TrustError, contents, derived,
    draft::Draft,
    read::io_error,
    reader::Buffer,
    survey::{Survey, survey},
    volume::{Assignment, carried, label, volumes_of},
};

/// Why a bundle was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The origin is no bundle.
    #[error(transparent)]
    Origin(#[from] TrustError),
    /// A volume failed.
    #[error(transparent)]
    Medium(#[from] MediaError),
    /// The volumes do not fit the bundle.
    #[error(transparent)]
    Spread(#[from] SpreadError),
    /// The origin has something missing, extra, or of a wrong length.
    #[error("the origin is not complete: {first}")]
    Incomplete {
        /// The first finding.
        first: Box<Problem>,
    },
    /// An object or file of the origin is missing.
    #[error("the origin lacks `{path}`")]
    Missing {
        /// Its name.
        path: MediaPath,
    },
    /// A file of the origin is not what was signed.
    #[error("`{path}` on `{volume}` is not what the bill of lading says")]
    Content {
        /// The origin's label.
        volume: String,
        /// Its name.
        path: MediaPath,
        /// How it differs.
        #[source]
        source: Mismatch,
    },
}

impl CopyError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Origin(error) => error.exit(),
            Self::Medium(MediaError::Io { source, .. })
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                Exit::NoSpace
            }
            Self::Medium(error) => error.exit(),
            Self::Spread(SpreadError::TooSmall { .. }) => Exit::NoSpace,
            Self::Spread(SpreadError::TooMany { .. } | SpreadError::Capacities { .. }) => {
                Exit::Usage
            }
            Self::Incomplete { .. } | Self::Missing { .. } | Self::Content { .. } => Exit::Content,
        }
    }
}

/// What is to be copied, and how.
#[derive(Clone, Copy)]
pub struct Consignment<'a> {
    /// Which bundle; the only one that is there when left out.
    pub bundle: Option<&'a BundleId>,
    /// How it is spread.
    pub spread: &'a Spread,
    /// Blobs that the host has (`inventory --export`), which need not travel.
    pub have: &'a BTreeSet<Digest>,
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
}

impl std::fmt::Debug for Consignment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consignment")
            .field("bundle", &self.bundle)
            .field("spread", &self.spread)
            .finish_non_exhaustive()
    }
}

/// A volume that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What to write on the stick.
    pub label: String,
    /// Objects on it.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies a bundle from its volumes to new ones: metadata, bill, derived files and the files beside
/// `MAAS/` on each, every object on exactly one.
pub fn copy(
    from: &[&dyn Media],
    to: &mut [&mut dyn Sink],
    consignment: &Consignment<'_>,
) -> Result<Vec<Copied>, CopyError> {
    let draft = Draft::read(from, consignment.bundle)?;
    copy_draft(&draft, from, to, consignment)
}

/// How many volumes of one size a bundle needs.
pub fn volumes_needed(
    from: &[&dyn Media],
    consignment: &Consignment<'_>,
    size: u64,
) -> Result<usize, CopyError> {
    let draft = Draft::read(from, consignment.bundle)?;
    let left_out = left_out(&draft, &complete_survey(&draft, from)?, consignment);
    let objects = carried(&draft.bundle.bill, &left_out);
    let each = every_volume(&draft) + beside(&draft.bundle.bill);
    Ok(volumes_of(&objects, size, each)?)
}

/// Reads a copy again and compares every byte with its own bill: whether the stick has taken what was
/// written, not whether anybody should believe it. The caller sees to it that the volumes are asked and
/// not a cache.
pub fn compare_copy(
    copy: &[&dyn Media],
    bundle: Option<&BundleId>,
    progress: &dyn Progress,
) -> Result<Report, TrustError> {
    let draft = Draft::read(copy, bundle)?;
    Ok(contents::compare(&draft.bundle, copy, progress))
}

/// For samples, whose parts may be smaller.
pub(crate) fn copy_with(
    from: &[&dyn Media],
    to: &mut [&mut dyn Sink],
    spread: &Spread,
    part_bytes: u64,
) -> Result<Vec<Copied>, CopyError> {
    let draft = Draft::read_with(from, None, part_bytes)?;
    let consignment = Consignment {
        bundle: None,
        spread,
        have: &BTreeSet::new(),
        progress: &crate::Silent,
    };
    copy_draft(&draft, from, to, &consignment)
}

fn copy_draft(
    draft: &Draft,
    from: &[&dyn Media],
    to: &mut [&mut dyn Sink],
    consignment: &Consignment<'_>,
) -> Result<Vec<Copied>, CopyError> {
    let bill = &draft.bundle.bill;
    let survey = complete_survey(draft, from)?;
    let (beside, volumes) = (beside(bill), to.len());
    let left_out = left_out(draft, &survey, consignment);
    let each = every_volume(draft) + beside;
    let assignment = Assignment::spread(bill, consignment.spread, volumes, each, left_out)?;
    let objects = assignment.shares.iter().flatten();
    let total = objects
        .map(|object| object.size)
        .fold(0, u64::saturating_add);
    let total = total.saturating_add(beside.saturating_mul(volumes as u64));
    consignment.progress.start(Phase::Copy, total);
    for (at, sink) in to.iter_mut().enumerate() {
        let mut copying = Copying {
            draft,
            from,
            survey: &survey,
            sink: *sink,
            progress: consignment.progress,
        };
        copying.volume(&assignment, at + 1)?;
    }
    let written = (1..=volumes).map(|volume| {
        let share = assignment.share(volume);
        Copied {
            label: label(&bill.bundle, volume, volumes),
            objects: share.len(),
            bytes: share.iter().map(|object| object.size).sum(),
        }
    });
    Ok(written.collect())
}

/// Blobs that the host has, and those that the origin leaves out already.
fn left_out(draft: &Draft, survey: &Survey, consignment: &Consignment<'_>) -> BTreeSet<Digest> {
    let listed = draft.bundle.bill.blobs.iter().map(|blob| blob.digest);
    listed
        .filter(|blob| consignment.have.contains(blob) || survey.left_out.contains(blob))
        .collect()
}

/// Bytes of the files beside `MAAS/`; the bill's rules keep the sum below 2^60.
fn beside(bill: &BillOfLading) -> u64 {
    bill.medium_files.iter().map(|file| file.size).sum()
}

fn complete_survey(draft: &Draft, from: &[&dyn Media]) -> Result<Survey, CopyError> {
    let survey = survey(&draft.bundle, from)?;
    if let Some(first) = survey.problems.first() {
        return Err(CopyError::Incomplete {
            first: Box::new(first.clone()),
        });
    }
    match survey.missing.first() {
        None => Ok(survey),
        Some((object, _)) => Err(CopyError::Missing {
            path: object.path(&draft.bundle.bill.bundle),
        }),
    }
}

/// Bytes that every volume carries beside its objects; at most, because lists get shorter when they
/// are split.
fn every_volume(draft: &Draft) -> u64 {
    let bundle = &draft.bundle;
    let single = Assignment::single(&bundle.bill, BTreeSet::new());
    let derived = derived::files(&bundle.bill, &bundle.bill_digest, &single, 1);
    let derived: usize = derived.iter().map(|file| file.bytes.len()).sum();
    let metadata: usize = bundle.files.iter().map(|file| file.bytes.len()).sum();
    let small = bundle.files.len() + 8;
    (derived + metadata + bundle.bill_bytes.len() + small * (128 << 10)) as u64
}

/// One volume being written.
struct Copying<'a, 'b> {
    draft: &'a Draft,
    from: &'a [&'a dyn Media],
    survey: &'a Survey,
    sink: &'a mut (dyn Sink + 'b),
    progress: &'a dyn Progress,
}

impl Copying<'_, '_> {
    fn volume(&mut self, assignment: &Assignment, volume: usize) -> Result<(), CopyError> {
        let bundle = &self.draft.bundle;
        let bill = &bundle.bill;
        for object in assignment.share(volume) {
            let path = object.path(&bill.bundle);
            let key = (object.kind, object.digest);
            let origin = self.survey.places.get(&key).copied().unwrap_or_default();
            self.file(origin, &path, (object.size, object.digest))?;
        }
        for file in &bill.medium_files {
            if let Some(name) = MediumName::from_name(&file.name) {
                let path = MediaPath::medium_file(name);
                self.file(0, &path, (file.size, file.digest))?;
            }
        }
        let path = MediaPath::bill(&bill.bundle, &bundle.bill_digest);
        self.sink.replace(&path, &bundle.bill_bytes)?;
        for file in derived::files(bill, &bundle.bill_digest, assignment, volume) {
            self.sink.replace(&file.path, &file.bytes)?;
        }
        Ok(self.draft.metadata.write(self.sink)?)
    }

    fn file(
        &mut self,
        origin: usize,
        path: &MediaPath,
        (size, digest): (u64, Digest),
    ) -> Result<(), CopyError> {
        let media = self.from[origin];
        let mut reader = HashingReader::new(media.open(path)?.reader, size, digest);
        let volume = self.sink.label().to_owned();
        let mut file = self.sink.create(path)?;
        let sink_error = |source| MediaError::Io {
            volume: volume.clone(),
            path: path.clone(),
            source,
        };
        Buffer::new()
            .pump(&mut reader, |bytes| {
                self.progress.advance(bytes.len() as u64);
                file.write_all(bytes)
                    .map_err(|error| Either::Sink(sink_error(error)))
            })
            .map_err(|error| match error {
                Either::Read(source) => io_error(media, path, source),
                Either::Sink(error) => error,
            })?;
        let checked = reader
            .finish()
            .map_err(|source| io_error(media, path, source))?;
        checked.map_err(|source| CopyError::Content {
            volume: media.label().to_owned(),
            path: path.clone(),
            source,
        })?;
        Ok(file.finish().map_err(sink_error)?)
    }
}

/// Which side failed.
enum Either {
    Read(io::Error),
    Sink(MediaError),
}

impl From<io::Error> for Either {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

#[cfg(test)]
mod tests;
