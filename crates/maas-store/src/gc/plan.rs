//! The decision.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maas_types::{Digest, GenerationId};

use super::{Facts, GIVEN_UP, Kept, Plan, Removal, Uses, Why};
use crate::gc::facts::{Here, Needs};

pub(super) fn plan(facts: &Facts, uses: &Uses, keep: usize, now: Timestamp) -> Plan {
    let kept = kept(facts, uses, keep);
    let stays = |id: &GenerationId| kept.iter().any(|kept| kept.id == *id);
    let needed = Needed::of(facts, uses, &stays, now);
    let mut removals: Vec<_> = facts
        .generations
        .iter()
        .filter(|here| !stays(&here.id))
        .map(|here| Removal::Generation {
            id: here.id,
            bytes: here.bytes,
        })
        .collect();
    removals.extend(garbage(facts, &needed));
    Plan {
        bytes: removals.iter().map(Removal::bytes).sum(),
        kept,
        removals,
        unreadable: needed.unreadable,
    }
}

/// The generations that stay, oldest first, each with the strongest reason.
fn kept(facts: &Facts, uses: &Uses, keep: usize) -> Vec<Kept> {
    let reason = |id: &GenerationId| {
        if facts.current == Some(*id) {
            Some(Why::Current)
        } else if facts.before == Some(*id) {
            Some(Why::Before)
        } else if uses.trial.contains(id) {
            Some(Why::Trial)
        } else if uses.engines.contains(id) {
            Some(Why::Engine)
        } else {
            None
        }
    };
    let mut left = keep;
    let mut kept = Vec::new();
    let mut newest_first: Vec<&Here> = facts.generations.iter().collect();
    newest_first.sort_by_key(|here| std::cmp::Reverse(here.id));
    for Here { id, .. } in newest_first {
        let why = reason(id).or_else(|| {
            left = left.checked_sub(1)?;
            Some(Why::Newest)
        });
        kept.extend(why.map(|why| Kept { id: *id, why }));
    }
    kept.reverse();
    kept
}

/// What must stay.
struct Needed {
    blobs: BTreeSet<Digest>,
    images: BTreeSet<Digest>,
    /// Blobs of an install under way; empty when there is none, or when it was given up.
    wanted: BTreeSet<Digest>,
    /// Whether there is a note of an install that was given up.
    given_up: bool,
    unreadable: Vec<String>,
}

impl Needed {
    fn of(
        facts: &Facts,
        uses: &Uses,
        stays: &dyn Fn(&GenerationId) -> bool,
        now: Timestamp,
    ) -> Self {
        let mut needed = Self {
            blobs: BTreeSet::new(),
            images: uses.images.iter().copied().collect(),
            wanted: BTreeSet::new(),
            given_up: false,
            unreadable: Vec::new(),
        };
        for here in facts.generations.iter().filter(|here| stays(&here.id)) {
            match &here.needs {
                Some(Needs { blobs, images }) => {
                    needed.blobs.extend(blobs);
                    needed.images.extend(images);
                }
                None => needed.unreadable.push(format!("generation {}", here.id)),
            }
        }
        for import in &facts.imports {
            match &import.blobs {
                Some(blobs) => needed.blobs.extend(blobs),
                None => needed
                    .unreadable
                    .push(format!("the import `{}`", import.name)),
            }
        }
        if let Some(wanted) = &facts.wanted {
            needed.given_up = now.duration_since(wanted.noted) > GIVEN_UP;
            if !needed.given_up {
                needed.wanted.clone_from(&wanted.blobs);
                needed.blobs.extend(&wanted.blobs);
            }
        }
        needed
    }
}

/// Blobs, images and leftovers that go.
fn garbage(facts: &Facts, needed: &Needed) -> Vec<Removal> {
    let known = needed.unreadable.is_empty();
    let blobs = facts.blobs.iter();
    let blobs = blobs.filter(|(digest, _)| known && !needed.blobs.contains(digest));
    let blobs = blobs.map(|(digest, bytes)| Removal::Blob {
        digest: *digest,
        bytes: *bytes,
    });
    let images = facts.images.iter();
    let images = images.filter(|(manifest, _)| known && !needed.images.contains(manifest));
    let images = images.map(|(manifest, bytes)| Removal::Image {
        manifest: *manifest,
        bytes: *bytes,
    });
    let staged = facts.staged.iter();
    let staged = staged.filter(|(digest, _)| !needed.wanted.contains(digest));
    let staged = staged.map(|(digest, bytes)| Removal::Staged {
        digest: *digest,
        bytes: *bytes,
    });
    // Whoever looks into a damaged blob has until it is in the store again, or until nobody needs it.
    let aside = facts.quarantined.iter();
    let aside = aside.filter(|(digest, _)| {
        facts.blobs.contains_key(digest) || (known && !needed.blobs.contains(digest))
    });
    let aside = aside.map(|(_, place)| place);
    let leftovers = facts.leftovers.iter().chain(aside);
    let leftovers = leftovers.map(|(path, bytes)| Removal::Leftover {
        path: path.clone(),
        bytes: *bytes,
    });
    let note = facts.wanted.iter().filter(|_| needed.given_up);
    let note = note.map(|wanted| Removal::Leftover {
        path: wanted.path.clone(),
        bytes: wanted.bytes,
    });
    let all = blobs.chain(images).chain(staged);
    all.chain(leftovers).chain(note).collect()
}
