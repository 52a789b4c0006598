//! Hostile bundles, one for each attack that a folder can hold. `bundle/golden/bad/` is their frozen form;
//! `bundle/golden/bad/README.md` says which attacks are tests elsewhere.
//!
//! Whoever made these had the sample's keys where a signature is right: what is tested then is the check
//! behind the signature.

use jiff::{SignedDuration, Timestamp};
use maas_bundle::{
    Content, Expired, Floors, Media, MediaPath, Silent, Trust, TrustedRoot, look_into,
    sample::Sample, verify_contents, verify_metadata,
};
use maas_types::Exit;
use serde_json::{Value, json};

mod content;
mod metadata;
mod names;

/// One hostile bundle and the host that meets it.
#[derive(Debug)]
pub struct Attack {
    /// The folder's name.
    pub name: &'static str,
    /// What is tried, in one line.
    pub what: &'static str,
    /// The volumes and what made them.
    pub sample: Sample,
    /// What the host trusts; the sample's own root unless the attack is another publisher's.
    pub root: TrustedRoot,
    /// What the host has accepted before.
    pub floors: Floors,
    /// When it meets the bundle.
    pub now: Timestamp,
}

/// What a host says to a bundle: an exit code and every finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code.
    pub exit: Exit,
    /// What is said, a line each.
    pub lines: Vec<String>,
}

impl Attack {
    fn new(name: &'static str, what: &'static str, change: impl FnOnce(&mut Sample)) -> Self {
        Self::on_volumes(name, what, 1, change)
    }

    fn on_volumes(
        name: &'static str,
        what: &'static str,
        volumes: u32,
        change: impl FnOnce(&mut Sample),
    ) -> Self {
        let mut sample = Sample::on_volumes(7, volumes).unwrap();
        let (root, now) = (sample.root.clone(), sample.now);
        change(&mut sample);
        Self {
            name,
            what,
            sample,
            root,
            floors: Floors::default(),
            now,
        }
    }

    /// Every attack, in the order of the listing.
    pub fn all() -> Vec<Self> {
        [metadata::attacks(), names::attacks(), content::attacks()]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Verdict {
    /// Everything that a host looks at before it activates a bundle, in its order.
    pub fn of(media: &[&dyn Media], root: &TrustedRoot, floors: &Floors, now: Timestamp) -> Self {
        let trust = Trust {
            root,
            floors,
            now,
            expired: &Expired::Refuse,
        };
        let bundle = match verify_metadata(media, None, &trust) {
            Ok(bundle) => bundle,
            Err(error) => {
                return Self {
                    exit: error.exit(),
                    lines: vec![said(&error)],
                };
            }
        };
        let report = verify_contents(&bundle, media, &Silent);
        if !report.is_good() {
            return Self {
                exit: report.exit(),
                lines: report.problems.iter().map(ToString::to_string).collect(),
            };
        }
        match look_into(&bundle, media, None) {
            Ok(_) => Self {
                exit: Exit::Done,
                lines: Vec::new(),
            },
            Err(error) => Self {
                exit: error.exit(),
                lines: vec![said(&error)],
            },
        }
    }

    /// For people: the exit code, then a line each.
    pub fn text(&self) -> String {
        let exit = format!("exit {}", self.exit.code());
        let lines = self.lines.iter().map(|line| format!("    {line}"));
        let lines: Vec<_> = [exit].into_iter().chain(lines).collect();
        lines.join("\n")
    }
}

/// An error with its causes, in one line.
fn said(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let said: Vec<_> = causes.map(ToString::to_string).collect();
    said.join(": ")
}

/// The path of some blob on the first volume.
fn a_blob(sample: &Sample) -> String {
    let files = &sample.media[0].files;
    let path = files.keys().find(|path| path.contains("/blobs/sha256/"));
    path.expect("a sample has blobs").clone()
}

/// The day after everything but the root has expired.
fn too_late(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_hours(401 * 24)
}

fn put(sample: &mut Sample, volume: usize, path: &str, content: impl Into<Content>) {
    let files = &mut sample.media[volume].files;
    files.insert(path.to_owned(), content.into());
}

fn bundle_path(sample: &Sample, name: &str) -> String {
    format!("{}/{name}", MediaPath::bundle(&sample.bundle))
}

fn set(value: &mut Value, pointer: &str, to: impl Into<Value>) {
    *value.pointer_mut(pointer).expect("the member is there") = to.into();
}

fn remove(value: &mut Value, pointer: &str, member: &str) -> Value {
    let object = value.pointer_mut(pointer).and_then(Value::as_object_mut);
    object
        .and_then(|object| object.remove(member))
        .unwrap_or(json!(null))
}
