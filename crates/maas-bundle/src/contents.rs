//! Reads every byte of a bundle once and says everything that is wrong (FORMAT.md 6).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use maas_types::{Blob, Digest, Exit};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    Bundle, Fault, HashingReader, Media, MediaError, MediaPath, MediumName, Mismatch, Phase,
    Problem, Progress, Verified, bill, derived,
    locate::objects_of,
    reader::Buffer,
    survey::{Survey, survey, wrong_length},
    volume::carried,
};

mod ahead;

/// What a full reading found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Everything that is wrong; empty when the medium is as it was signed.
    pub problems: Vec<Problem>,
    /// What was seen and passed over.
    pub notes: Vec<String>,
    /// Content read and compared, bytes.
    pub bytes: u64,
    /// Files read and compared.
    pub files: u64,
    /// Blobs that travel on none of the volumes, by the word of the volumes (a delta): whoever reads
    /// this must have them.
    pub left_out: Vec<Digest>,
}

impl Report {
    /// Whether the medium is as it was signed.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// The exit code that answers this: wrong content before a missing or failing medium.
    pub fn exit(&self) -> Exit {
        let mut exits = self.problems.iter().map(Problem::exit);
        match exits.next() {
            None => Exit::Done,
            Some(first) if exits.all(|exit| exit == first) => first,
            Some(_) => Exit::Content,
        }
    }
}

/// Compares all content of a bundle with its signed bill: every object, every file beside `MAAS/`,
/// every derived file, every name. The metadata and the bill were read by
/// [`crate::verify_metadata`].
pub fn verify_contents(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
    progress: &dyn Progress,
) -> Report {
    read(bundle, media, progress, Extent::Everything)
}

/// Compares everything on the volumes but the objects themselves, which the store reads: every name
/// and length, every file beside `MAAS/`, every derived file. What is missing is not looked for. An
/// installer does this before its first write.
pub fn verify_surroundings(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
    progress: &dyn Progress,
) -> Report {
    read(bundle, media, progress, Extent::Surroundings)
}

/// Everything, of a bundle that nobody has verified.
pub(crate) fn compare(bundle: &Bundle, media: &[&dyn Media], progress: &dyn Progress) -> Report {
    read(bundle, media, progress, Extent::Everything)
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    Surroundings,
}

fn read(bundle: &Bundle, media: &[&dyn Media], progress: &dyn Progress, extent: Extent) -> Report {
    let mut report = Report::default();
    match survey(bundle, media) {
        Ok(survey) => {
            let reading = Reading::start(bundle, media, survey, progress, &mut report);
            match extent {
                Extent::Everything => reading.read_all(),
                Extent::Surroundings => reading.read_surroundings(),
            }
        }
        Err(error) => report.problems.push(listing_failed(error)),
    }
    report
        .problems
        .sort_by(|a, b| (&a.volume, &a.file).cmp(&(&b.volume, &b.file)));
    report
}

fn listing_failed(error: MediaError) -> Problem {
    let (volume, path, fault) = match error {
        MediaError::Missing { volume, path } => (volume, path, Fault::Missing),
        MediaError::NotRegular {
            volume,
            path,
            found,
        } => {
            let found = found.to_string();
            (volume, path, Fault::NotRegular { found })
        }
        MediaError::Io {
            volume,
            path,
            source,
        } => {
            let reason = source.to_string();
            (volume, path, Fault::Unreadable { reason })
        }
    };
    Problem {
        volume,
        file: path.as_str().to_owned(),
        carries: String::new(),
        fault,
    }
}

/// A reading under way.
struct Reading<'a> {
    bundle: &'a Bundle,
    media: &'a [&'a dyn Media],
    survey: Survey,
    /// What each blob is for, for people.
    carries: BTreeMap<Digest, String>,
    /// Volume and path of what is known to be wrong by name or length.
    condemned: BTreeSet<(String, String)>,
    progress: &'a dyn Progress,
    buffer: Buffer,
    report: &'a mut Report,
}

/// One file to be read.
struct Wanted<'a> {
    medium: usize,
    path: &'a MediaPath,
    size: u64,
    digest: Digest,
    /// Where its bytes begin in the whole.
    offset: u64,
}

impl<'a> Reading<'a> {
    fn start(
        bundle: &'a Bundle,
        media: &'a [&'a dyn Media],
        survey: Survey,
        progress: &'a dyn Progress,
        report: &'a mut Report,
    ) -> Self {
        let mut carries: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for (digest, what) in bill::references(&bundle.bill) {
            carries.entry(digest).or_default().push(what);
        }
        report.notes.clone_from(&survey.notes);
        report.left_out = survey.left_out.iter().copied().collect();
        Self {
            bundle,
            media,
            carries: carries
                .into_iter()
                .map(|(digest, what)| (digest, what.join(", ")))
                .collect(),
            condemned: survey
                .problems
                .iter()
                .map(|problem| (problem.volume.clone(), problem.file.clone()))
                .collect(),
            survey,
            progress,
            buffer: Buffer::new(),
            report,
        }
    }

    fn read_all(mut self) {
        let carried = carried(&self.bundle.bill, &self.survey.left_out);
        let all = carried.iter().map(|object| object.size);
        let all = all.fold(self.bytes_beside(), u64::saturating_add);
        self.progress.start(Phase::Verify, all);
        self.missing_objects();
        for blob in &self.bundle.bill.blobs {
            self.blob(blob);
        }
        self.surroundings();
    }

    fn read_surroundings(mut self) {
        self.progress.start(Phase::Verify, self.bytes_beside());
        self.surroundings();
    }

    fn surroundings(&mut self) {
        self.report.problems.append(&mut self.survey.problems);
        for medium in 0..self.media.len() {
            self.medium_files(medium);
            self.derived_files(medium);
        }
    }

    fn bytes_beside(&self) -> u64 {
        let files = self.bundle.bill.medium_files.iter();
        let each: u64 = files.map(|file| file.size).fold(0, u64::saturating_add);
        each.saturating_mul(self.media.len() as u64)
    }

    fn missing_objects(&mut self) {
        let id = &self.bundle.bill.bundle;
        let labels: BTreeSet<_> = self.media.iter().map(|medium| medium.label()).collect();
        let mut not_given = BTreeSet::new();
        for (object, owner) in &self.survey.missing {
            let fault = match owner {
                Some(label) if !labels.contains(label.as_str()) => {
                    // One finding per volume, not one per part.
                    if !not_given.insert(label.clone()) {
                        continue;
                    }
                    Fault::VolumeNotGiven
                }
                Some(_) | None => Fault::Missing,
            };
            let fallback = self.media.first().map_or("", |medium| medium.label());
            self.report.problems.push(Problem {
                volume: owner.clone().unwrap_or_else(|| fallback.to_owned()),
                file: object.path(id).as_str().to_owned(),
                carries: self
                    .carries
                    .get(&object.digest)
                    .cloned()
                    .unwrap_or_default(),
                fault,
            });
        }
    }

    /// Reads a blob's objects in order; the whole is hashed beside the parts.
    fn blob(&mut self, blob: &Blob) {
        let id = &self.bundle.bill.bundle;
        let objects = objects_of(blob);
        let mut whole = (objects.len() > 1).then(Sha256::new);
        let mut offset = 0;
        let mut good = true;
        let mut last = None;
        for object in &objects {
            let path = object.path(id);
            if let Some(medium) = self
                .survey
                .places
                .get(&(object.kind, object.digest))
                .copied()
            {
                let wanted = Wanted {
                    medium,
                    path: &path,
                    size: object.size,
                    digest: object.digest,
                    offset,
                };
                good &= self.file(&wanted, Some(blob), whole.as_mut());
                last = Some((medium, path));
            } else {
                good = false;
            }
            offset += object.size;
        }
        let found = whole.map(|hash| Digest::from_bytes(hash.finalize().into()));
        if let (true, Some(found), Some((medium, path))) = (good, found, last) {
            // The parts are right and the whole is not: the signer's builder was wrong.
            let fault = (found != blob.digest).then_some(Fault::Digest {
                expected: blob.digest,
                found,
                range: (0, blob.size),
            });
            self.push(medium, &path, Some(blob.digest), fault);
        }
    }

    fn medium_files(&mut self, medium: usize) {
        for file in &self.bundle.bill.medium_files {
            let Some(name) = MediumName::from_name(&file.name) else {
                continue; // `bill::check` has refused other names.
            };
            let wanted = Wanted {
                medium,
                path: &MediaPath::medium_file(name),
                size: file.size,
                digest: file.digest,
                offset: 0,
            };
            self.file(&wanted, None, None);
        }
    }

    /// Makes the derived files again and compares bytes. `volume.json` is checked by the survey.
    fn derived_files(&mut self, medium: usize) {
        let bill = &self.bundle.bill;
        let here: Vec<_> = match &self.survey.records[medium] {
            Some((record, assignment)) => assignment.share(record.volume).to_vec(),
            None => self.survey.present[medium].iter().copied().collect(),
        };
        let mut files = derived::common(bill);
        files.push(derived::sums(bill, &self.bundle.bill_digest, &here));
        for file in files {
            let fault = self.compare(medium, &file.path, &file.bytes);
            self.push(medium, &file.path, None, fault);
        }
    }

    fn compare(&mut self, medium: usize, path: &MediaPath, expected: &[u8]) -> Option<Fault> {
        let file = match self.media[medium].open(path) {
            Ok(file) => file,
            Err(error) => return Some(listing_failed(error).fault),
        };
        let mut found = Vec::new();
        let limit = expected.len() as u64 + 1;
        if let Err(error) = file.reader.take(limit).read_to_end(&mut found) {
            let reason = error.to_string();
            return Some(Fault::Unreadable { reason });
        }
        self.report.files += 1;
        let differs = expected.iter().zip(&found).position(|(a, b)| a != b);
        if let Some(offset) = differs {
            return Some(Fault::Differs {
                offset: offset as u64,
                reason: "it is made from the bill of lading, and is not what that gives".to_owned(),
            });
        }
        wrong_length(expected.len() as u64, found.len() as u64)
    }

    /// Reads one signed file. Whether it was right.
    fn file(
        &mut self,
        wanted: &Wanted<'_>,
        blob: Option<&Blob>,
        whole: Option<&mut Sha256>,
    ) -> bool {
        let volume = self.media[wanted.medium].label().to_owned();
        if self
            .condemned
            .contains(&(volume, wanted.path.as_str().to_owned()))
        {
            return false;
        }
        let fault = self.read_signed(wanted, whole);
        let good = fault.is_none();
        self.push(
            wanted.medium,
            wanted.path,
            blob.map(|blob| blob.digest),
            fault,
        );
        good
    }

    fn read_signed(&mut self, wanted: &Wanted<'_>, whole: Option<&mut Sha256>) -> Option<Fault> {
        let file = match self.media[wanted.medium].open(wanted.path) {
            Ok(file) => file,
            Err(error) => return Some(listing_failed(error).fault),
        };
        if let Some(fault) = wrong_length(wanted.size, file.size) {
            return Some(fault);
        }
        let signed = ahead::Signed {
            size: wanted.size,
            digest: wanted.digest,
        };
        let (progress, report) = (self.progress, &mut *self.report);
        report.files += 1;
        let compared = if ahead::is_worth_it(&signed) {
            ahead::compare(file.reader, &signed, whole, &mut |bytes| {
                progress.advance(bytes);
                report.bytes += bytes;
            })
        } else {
            self.read_small(file.reader, &signed, whole)
        };
        match compared {
            Ok(Ok(())) => None,
            Ok(Err(mismatch)) => Some(fault_of(mismatch, wanted)),
            Err(error) => Some(Fault::Unreadable {
                reason: error.to_string(),
            }),
        }
    }

    fn read_small(
        &mut self,
        reader: Box<dyn Read + Send + '_>,
        signed: &ahead::Signed,
        mut whole: Option<&mut Sha256>,
    ) -> std::io::Result<Result<(), Mismatch>> {
        let mut reader = HashingReader::new(reader, signed.size, signed.digest);
        let (progress, report) = (self.progress, &mut *self.report);
        let pumped = self.buffer.pump(&mut reader, |bytes| {
            if let Some(whole) = whole.as_deref_mut() {
                whole.update(bytes);
            }
            progress.advance(bytes.len() as u64);
            report.bytes += bytes.len() as u64;
            Ok::<_, std::io::Error>(())
        });
        let finished = pumped.and_then(|()| reader.finish())?;
        Ok(finished.map(drop))
    }

    fn push(
        &mut self,
        medium: usize,
        path: &MediaPath,
        blob: Option<Digest>,
        fault: Option<Fault>,
    ) {
        let Some(fault) = fault else { return };
        let carries = blob.and_then(|digest| self.carries.get(&digest).cloned());
        self.report.problems.push(Problem {
            volume: self.media[medium].label().to_owned(),
            file: path.as_str().to_owned(),
            carries: carries.unwrap_or_default(),
            fault,
        });
    }
}

fn fault_of(mismatch: Mismatch, wanted: &Wanted<'_>) -> Fault {
    match mismatch {
        Mismatch::Short { expected, found } => Fault::Short { expected, found },
        Mismatch::Long { expected } => Fault::Long {
            expected,
            found: None,
        },
        Mismatch::Digest { expected, found } => Fault::Digest {
            expected,
            found,
            range: (wanted.offset, wanted.offset + wanted.size),
        },
    }
}

#[cfg(test)]
mod tests;
