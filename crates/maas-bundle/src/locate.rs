//! Which volume holds what: for a reader that takes each object once, in its own order.

use std::collections::BTreeMap;

use maas_types::{Blob, Digest};

use crate::{
    Bundle, Media, MediaError, MediaPath, Problem, Verified,
    survey::survey,
    volume::{ObjectKind, ObjectName},
};

/// Where every blob of a bundle lies.
#[derive(Debug)]
pub struct Located<'a> {
    blobs: Vec<LocatedBlob<'a>>,
    missing: Vec<MissingObject>,
    problems: Vec<Problem>,
}

/// A blob and the objects that it is made of.
#[derive(Debug, Clone)]
pub struct LocatedBlob<'a> {
    /// The signed entry.
    pub blob: &'a Blob,
    /// Its parts in order, or the blob itself when it travels whole. Objects that no volume holds
    /// are left out here and listed by [`Located::missing`].
    pub objects: Vec<Object>,
}

/// A file on a medium: a whole blob, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its signed length, bytes.
    pub size: u64,
    /// Where its bytes belong in the blob: bytes from the blob's start.
    pub offset: u64,
    /// Index of the volume in the slice that was given to [`locate`].
    pub medium: usize,
    /// Its name there.
    pub path: MediaPath,
}

/// An object that none of the volumes holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingObject {
    /// SHA-256 of the object.
    pub digest: Digest,
    /// The blob that it belongs to.
    pub blob: Digest,
    /// Its signed length, bytes.
    pub size: u64,
    /// Its name on any volume.
    pub path: MediaPath,
    /// Label of the volume that should hold it, as the volumes at hand say (an unsigned hint).
    pub volume: Option<String>,
    /// Whether this copy leaves it out because the host is expected to have it.
    pub left_out: bool,
}

impl<'a> Located<'a> {
    /// Every blob, sorted by digest as in the bill.
    pub fn blobs(&self) -> &[LocatedBlob<'a>] {
        &self.blobs
    }

    /// What must still be put in; empty when all is there.
    pub fn missing(&self) -> &[MissingObject] {
        &self.missing
    }

    /// What the names alone show to be wrong: extra files, links, wrong lengths, a wrong
    /// `volume.json`. An installer refuses before its first write when there are any.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Finds every object by listing each volume once; reads no object.
pub fn locate<'a>(
    bundle: &'a Verified<Bundle>,
    media: &[&dyn Media],
) -> Result<Located<'a>, MediaError> {
    let survey = survey(bundle, media)?;
    let id = &bundle.bill.bundle;
    let owners: BTreeMap<_, _> = survey
        .missing
        .iter()
        .map(|(object, owner)| ((object.kind, object.digest), owner))
        .collect();
    let mut missing = Vec::new();
    let mut blobs = Vec::new();
    for blob in &bundle.bill.blobs {
        let mut objects = Vec::new();
        let mut offset = 0;
        for object in objects_of(blob) {
            let path = object.path(id);
            match survey.places.get(&(object.kind, object.digest)) {
                Some(medium) => objects.push(Object {
                    digest: object.digest,
                    size: object.size,
                    offset,
                    medium: *medium,
                    path,
                }),
                None => missing.push(MissingObject {
                    digest: object.digest,
                    blob: blob.digest,
                    size: object.size,
                    path,
                    volume: owners
                        .get(&(object.kind, object.digest))
                        .and_then(|owner| (*owner).clone()),
                    left_out: survey.left_out.contains(&blob.digest),
                }),
            }
            offset += object.size;
        }
        blobs.push(LocatedBlob { blob, objects });
    }
    Ok(Located {
        blobs,
        missing,
        problems: survey.problems,
    })
}

/// The files that carry a blob, in order.
pub(crate) fn objects_of(blob: &Blob) -> Vec<ObjectName> {
    if blob.parts.is_empty() {
        return vec![ObjectName {
            kind: ObjectKind::Blob,
            digest: blob.digest,
            size: blob.size,
        }];
    }
    let parts = blob.parts.iter().map(|part| ObjectName {
        kind: ObjectKind::Part,
        digest: part.digest,
        size: part.size,
    });
    parts.collect()
}
