//! Looks at the names on the volumes, and at no content: what is there, what is missing, what does
//! not belong there (FORMAT.md 2.2, 2.7, 6.1).
//!
//! Threats: names that are not ours, links and pipes in the place of files, objects on several
//! volumes, folders within folders. Defence: each folder of the format is listed once, every entry
//! is compared with the closed list of names that may be there, and nothing else is entered.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::{BillOfLading, BundleId, Digest};

use crate::{
    Bundle, Entry, EntryKind, Fault, Media, MediaError, MediaPath, MediumName, Problem, json,
    metadata::MetadataFile,
    read::read_capped,
    volume::{
        Assignment, ObjectKind, ObjectName, VOLUME_JSON, VolumeRecord, carried, label, objects,
    },
};

/// What other systems leave at the root of a stick. Known, noted, never read. `autorun.inf` is not
/// among them: it makes other people's machines run something.
const LITTER: [&str; 8] = [
    "System Volume Information",
    "$RECYCLE.BIN",
    ".Trashes",
    ".Spotlight-V100",
    ".fseventsd",
    ".DS_Store",
    "lost+found",
    ".Trash-1000",
];

/// The names on all volumes.
#[derive(Debug)]
pub(crate) struct Survey {
    /// For each object that is somewhere: on which volume.
    pub(crate) places: BTreeMap<(ObjectKind, Digest), usize>,
    /// For each volume: its record, when that is as it must be.
    pub(crate) records: Vec<Option<(VolumeRecord, Assignment)>>,
    /// For each volume: the objects that lie there.
    pub(crate) present: Vec<BTreeSet<ObjectName>>,
    /// What is wrong, missing objects not among it.
    pub(crate) problems: Vec<Problem>,
    /// Objects that are nowhere, and the label of the volume that should hold them.
    pub(crate) missing: Vec<(ObjectName, Option<String>)>,
    /// Litter that was passed over.
    pub(crate) notes: Vec<String>,
    /// Blobs that this copy leaves out because the host has them, by its own word.
    pub(crate) left_out: BTreeSet<Digest>,
}

/// Lists every volume once.
pub(crate) fn survey(bundle: &Bundle, media: &[&dyn Media]) -> Result<Survey, MediaError> {
    let bill = &bundle.bill;
    let wanted: BTreeMap<_, _> = objects(bill)
        .into_iter()
        .map(|object| ((object.kind, object.digest), object))
        .collect();
    let mut survey = Survey {
        places: BTreeMap::new(),
        records: Vec::new(),
        present: Vec::new(),
        problems: Vec::new(),
        missing: Vec::new(),
        notes: Vec::new(),
        left_out: BTreeSet::new(),
    };
    for (at, volume) in media.iter().enumerate() {
        let mut lister = Lister {
            bundle,
            volume: *volume,
            survey: &mut survey,
        };
        lister.volume_root()?;
        lister.bundle_folder()?;
        let mut present = BTreeSet::new();
        lister.objects(ObjectKind::Blob, &wanted, &mut present)?;
        lister.objects(ObjectKind::Part, &wanted, &mut present)?;
        let record = lister.record()?;
        lister.misplaced(record.as_ref(), &present);
        survey.take_objects(at, &present, media, &bill.bundle);
        survey.present.push(present);
        survey.records.push(record);
    }
    survey.compare_records(media, &bill.bundle);
    let records = survey.records.iter().flatten();
    survey.left_out = match records.map(|(_, assignment)| &assignment.left_out).next() {
        Some(left_out) => left_out.clone(),
        None => BTreeSet::new(),
    };
    survey.find_missing(bill, media);
    Ok(survey)
}

impl Survey {
    fn take_objects(
        &mut self,
        at: usize,
        present: &BTreeSet<ObjectName>,
        media: &[&dyn Media],
        id: &BundleId,
    ) {
        for object in present {
            if let Some(first) = self.places.insert((object.kind, object.digest), at) {
                self.places.insert((object.kind, object.digest), first);
                self.problems.push(Problem {
                    volume: media[at].label().to_owned(),
                    file: object.path(id).as_str().to_owned(),
                    carries: String::new(),
                    fault: Fault::Duplicate {
                        other: media[first].label().to_owned(),
                    },
                });
            }
        }
    }

    /// All volumes of one copy tell the same story, each with its own number.
    fn compare_records(&mut self, media: &[&dyn Media], id: &BundleId) {
        let mut numbers = BTreeMap::new();
        let mut story: Option<(usize, &Assignment)> = None;
        let mut problems = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
            let Some((record, assignment)) = record else {
                continue;
            };
            let first = *story.get_or_insert((at, assignment));
            let twin = numbers.insert(record.volume, at);
            let reason = if first.1 != assignment {
                format!(
                    "`{}` belongs to another copy of the bundle",
                    media[first.0].label()
                )
            } else if let Some(twin) = twin {
                format!("`{}` says that it is the same volume", media[twin].label())
            } else {
                continue;
            };
            problems.push(Problem {
                volume: media[at].label().to_owned(),
                file: MediaPath::volume(id).as_str().to_owned(),
                carries: String::new(),
                fault: Fault::Differs { offset: 0, reason },
            });
        }
        self.problems.extend(problems);
    }

    fn find_missing(&mut self, bill: &BillOfLading, media: &[&dyn Media]) {
        let mut carried = carried(bill, &self.left_out);
        carried.sort();
        for object in carried {
            if !self.places.contains_key(&(object.kind, object.digest)) {
                let owner = self.owner_of(&object, media);
                self.missing.push((object, owner));
            }
        }
    }

    /// The label of the volume that should hold an object: of the one at hand whose number it is, or
    /// the written label of one that is not at hand.
    fn owner_of(&self, object: &ObjectName, media: &[&dyn Media]) -> Option<String> {
        let (_, assignment) = self.records.iter().flatten().next()?;
        let at = assignment
            .shares
            .iter()
            .position(|share| share.contains(object))?;
        let given = self
            .records
            .iter()
            .position(|record| record.as_ref().is_some_and(|(r, _)| r.volume == at + 1));
        Some(match given {
            Some(index) => media[index].label().to_owned(),
            None => self.written_label(at, assignment.shares.len()),
        })
    }

    fn written_label(&self, at: usize, of: usize) -> String {
        let records = self.records.iter().flatten().next();
        records.map_or_else(String::new, |(record, _)| {
            label(record.bundle(), at + 1, of)
        })
    }
}

/// Lists the folders of one volume.
struct Lister<'a> {
    bundle: &'a Bundle,
    volume: &'a dyn Media,
    survey: &'a mut Survey,
}

impl Lister<'_> {
    fn id(&self) -> &BundleId {
        &self.bundle.bill.bundle
    }

    fn volume_root(&mut self) -> Result<(), MediaError> {
        let root = MediaPath::volume_root();
        let medium_files: BTreeSet<_> = self
            .bundle
            .bill
            .medium_files
            .iter()
            .filter_map(|file| MediumName::from_name(&file.name))
            .map(MediumName::as_str)
            .collect();
        for entry in self.volume.list(&root)? {
            let name = entry.name.as_str();
            if (name == "MAAS" && entry.kind == EntryKind::Folder) || medium_files.contains(name) {
                continue;
            }
            self.extra_or_litter(&root, &entry);
        }
        // Other bundles beside ours are their own business.
        let bundles = MediaPath::bundles();
        for entry in self.volume.list(&bundles)? {
            let is_bundle =
                entry.kind == EntryKind::Folder && entry.name.parse::<BundleId>().is_ok();
            if !is_bundle {
                self.extra_or_litter(&bundles, &entry);
            }
        }
        Ok(())
    }

    fn bundle_folder(&mut self) -> Result<(), MediaError> {
        let id = self.id().clone();
        let names = |path: &MediaPath| path.file_name().to_owned();
        let metadata: BTreeSet<_> = self
            .bundle
            .files
            .iter()
            .map(|MetadataFile { path, .. }| names(path))
            .collect();
        let bill = names(&MediaPath::bill(&id, &self.bundle.bill_digest));
        let only = |name: &str| BTreeSet::from([name.to_owned()]);
        self.only_files(&MediaPath::metadata(&id), &metadata)?;
        self.only_files(&MediaPath::target_files(&id), &BTreeSet::from([bill]))?;
        self.only_folders(&MediaPath::blobs_parent(&id), &only("sha256"))?;
        self.only_folders(&MediaPath::parts_parent(&id), &only("sha256"))?;
        let folder = MediaPath::bundle(&id);
        for entry in self.volume.list(&folder)? {
            let belongs = match entry.name.as_str() {
                "metadata" | "targets" | "blobs" | "parts" => entry.kind == EntryKind::Folder,
                // What these must be is compared byte for byte with the content.
                "oci-layout" | "index.json" | "volume.json" | "SHA256SUMS" => true,
                _ => false,
            };
            if !belongs {
                self.extra(&folder, &entry);
            }
        }
        Ok(())
    }

    fn only_files(
        &mut self,
        folder: &MediaPath,
        names: &BTreeSet<String>,
    ) -> Result<(), MediaError> {
        for entry in self.volume.list(folder)? {
            if !names.contains(&entry.name) {
                self.extra(folder, &entry);
            }
        }
        Ok(())
    }

    fn only_folders(
        &mut self,
        folder: &MediaPath,
        names: &BTreeSet<String>,
    ) -> Result<(), MediaError> {
        for entry in self.list_or_empty(folder)? {
            if !names.contains(&entry.name) || entry.kind != EntryKind::Folder {
                self.extra(folder, &entry);
            }
        }
        Ok(())
    }

    /// Lists one folder of objects; what is wrong by name or length is a problem at once.
    fn objects(
        &mut self,
        kind: ObjectKind,
        wanted: &BTreeMap<(ObjectKind, Digest), ObjectName>,
        present: &mut BTreeSet<ObjectName>,
    ) -> Result<(), MediaError> {
        let folder = match kind {
            ObjectKind::Blob => MediaPath::blobs(self.id()),
            ObjectKind::Part => MediaPath::parts(self.id()),
        };
        for entry in self.list_or_empty(&folder)? {
            let digest = Digest::from_hex(&entry.name).ok();
            match digest.and_then(|digest| wanted.get(&(kind, digest))) {
                None => self.extra(&folder, &entry),
                Some(object) => {
                    present.insert(*object);
                    let fault = match entry.kind {
                        EntryKind::File { size } => wrong_length(object.size, size),
                        EntryKind::Folder | EntryKind::Link | EntryKind::Special => {
                            Some(Fault::NotRegular {
                                found: entry.kind.to_string(),
                            })
                        }
                    };
                    self.fault(&folder, &entry, fault);
                }
            }
        }
        Ok(())
    }

    /// Reads `volume.json`; one that is not as it must be is a problem and answers `None`.
    fn record(&mut self) -> Result<Option<(VolumeRecord, Assignment)>, MediaError> {
        let path = MediaPath::volume(self.id());
        let parsed = match read_capped(self.volume, &path, VOLUME_JSON) {
            Ok(bytes) => VolumeRecord::parse(
                &bytes,
                self.id(),
                &self.bundle.bill_digest,
                &self.bundle.bill,
            ),
            Err(crate::TrustError::Medium(error @ MediaError::Io { .. })) => return Err(error),
            Err(crate::TrustError::Medium(MediaError::Missing { .. })) => {
                self.push(path.as_str().to_owned(), Fault::Missing);
                return Ok(None);
            }
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(record) => Ok(Some(record)),
            Err(reason) => {
                let fault = Fault::Differs { offset: 0, reason };
                self.push(path.as_str().to_owned(), fault);
                Ok(None)
            }
        }
    }

    /// Objects that this volume's own record puts on another one.
    fn misplaced(
        &mut self,
        record: Option<&(VolumeRecord, Assignment)>,
        present: &BTreeSet<ObjectName>,
    ) {
        let Some((record, assignment)) = record else {
            return;
        };
        let share: BTreeSet<_> = assignment.share(record.volume).iter().collect();
        for object in present.iter().filter(|object| !share.contains(object)) {
            let path = object.path(self.id());
            let found = "an object of another volume".to_owned();
            self.push(path.as_str().to_owned(), Fault::Extra { found });
        }
    }

    /// A bundle without any blob on this volume has no such folder.
    fn list_or_empty(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        match self.volume.list(folder) {
            Err(MediaError::Missing { .. } | MediaError::NotRegular { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    fn extra_or_litter(&mut self, folder: &MediaPath, entry: &Entry) {
        let name = entry.name.as_str();
        if LITTER.contains(&name) || name.starts_with("._") {
            let name = file_in(folder, name);
            self.survey.notes.push(format!(
                "`{name}` on `{}` was left there by another system and is not read",
                self.volume.label()
            ));
        } else {
            self.extra(folder, entry);
        }
    }

    fn extra(&mut self, folder: &MediaPath, entry: &Entry) {
        let found = entry.kind.to_string();
        self.fault(folder, entry, Some(Fault::Extra { found }));
    }

    fn fault(&mut self, folder: &MediaPath, entry: &Entry, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.push(file_in(folder, &entry.name), fault);
        }
    }

    fn push(&mut self, file: String, fault: Fault) {
        self.survey.problems.push(Problem {
            volume: self.volume.label().to_owned(),
            file,
            carries: String::new(),
            fault,
        });
    }
}

/// A wrong length, as the file system claims it. A right one proves nothing.
pub(crate) fn wrong_length(expected: u64, found: u64) -> Option<Fault> {
    if found < expected {
        return Some(Fault::Short { expected, found });
    }
    (found > expected).then_some(Fault::Long {
        expected,
        found: Some(found),
    })
}

fn file_in(folder: &MediaPath, name: &str) -> String {
    let name = json::plain(name);
    if folder.as_str().is_empty() {
        name
    } else {
        format!("{folder}/{name}")
    }
}
