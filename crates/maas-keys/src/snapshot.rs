//! What the request path reads: an immutable picture of all teams and keys.
//!
//! Administration builds a new picture and swaps it in; a request that has loaded the old one keeps
//! it to its end. Nothing that a request does can write an old entry back.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, atomic::AtomicUsize},
};

use maas_types::{KeyId, ModelName, TeamName, UserName};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{KeyRecord, TeamRecord, meter::Meters, pepper::Code};

/// Everybody who may ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) keys: HashMap<KeyId, Arc<KeyEntry>>,
    pub(crate) teams: BTreeMap<TeamName, Arc<TeamEntry>>,
}

/// A key, its team, and what cuts its streams.
#[derive(Debug, Clone)]
pub(crate) struct KeyEntry {
    pub(crate) record: KeyRecord,
    pub(crate) code: Code,
    pub(crate) team: Arc<TeamEntry>,
    /// Its place in the team's [`Meters`].
    pub(crate) slot: usize,
    /// A child of the team's: cancelled by revoking the key or disabling the team.
    pub(crate) cut: CancellationToken,
    /// Admitted requests that are not settled.
    pub(crate) live: Arc<AtomicUsize>,
}

/// A team and the counters that it shares with its keys.
#[derive(Debug, Clone)]
pub(crate) struct TeamEntry {
    pub(crate) record: TeamRecord,
    pub(crate) cut: CancellationToken,
    pub(crate) meters: Arc<Mutex<Meters>>,
}

impl Snapshot {
    /// The same picture with another team entry, which the team's keys then refer to.
    pub(crate) fn with_team(&self, team: TeamEntry, tokens: Tokens) -> Self {
        let mut next = self.clone();
        let team = Arc::new(team);
        for entry in next.keys.values_mut() {
            if entry.record.team != team.record.name {
                continue;
            }
            let cut = match tokens {
                Tokens::Fresh if entry.record.revoked.is_none() => team.cut.child_token(),
                Tokens::Fresh | Tokens::Kept => entry.cut.clone(),
            };
            *entry = Arc::new(KeyEntry {
                team: Arc::clone(&team),
                cut,
                ..KeyEntry::clone(entry)
            });
        }
        next.teams.insert(team.record.name.clone(), team);
        next
    }

    /// The same picture with another key entry.
    pub(crate) fn with_key(&self, key: KeyEntry) -> Self {
        let mut next = self.clone();
        next.keys.insert(key.record.id.clone(), Arc::new(key));
        next
    }

    /// The keys of a team, in no order.
    pub(crate) fn keys_of<'a>(
        &'a self,
        team: &'a TeamName,
    ) -> impl Iterator<Item = &'a Arc<KeyEntry>> {
        self.keys
            .values()
            .filter(move |entry| entry.record.team == *team)
    }
}

/// Whether keys keep the tokens that cut their streams or, after their team was disabled and enabled
/// again, get new ones.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tokens {
    Kept,
    Fresh,
}

impl TeamEntry {
    pub(crate) fn new(record: TeamRecord) -> Self {
        let cut = CancellationToken::new();
        if record.disabled.is_some() {
            cut.cancel();
        }
        Self {
            record,
            cut,
            meters: Arc::default(),
        }
    }
}

impl KeyEntry {
    pub(crate) fn new(record: KeyRecord, code: Code, team: &Arc<TeamEntry>) -> Self {
        let cut = team.cut.child_token();
        if record.revoked.is_some() {
            cut.cancel();
        }
        Self {
            record,
            code,
            slot: team.meters.lock().add_key(),
            team: Arc::clone(team),
            cut,
            live: Arc::default(),
        }
    }
}

/// Who asks: proof that a presented key was good at that moment. Made by
/// [`crate::Registry::authenticate`] only. Cheap to clone.
#[derive(Clone)]
pub struct Principal {
    pub(crate) key: Arc<KeyEntry>,
}

impl Principal {
    /// The key's public half; may be logged.
    pub fn key(&self) -> &KeyId {
        &self.key.record.id
    }

    /// What people call the key.
    pub fn key_name(&self) -> &str {
        &self.key.record.name
    }

    /// Who pays.
    pub fn team(&self) -> &TeamName {
        &self.key.record.team
    }

    /// Who holds the key, where that is a person.
    pub fn user(&self) -> Option<&UserName> {
        self.key.record.user.as_ref()
    }

    /// Whether both the key's list and its team's list allow `model`. Filters `/v1/models`, too.
    pub fn may_use(&self, model: &ModelName) -> bool {
        self.key.record.models.allows(model) && self.key.team.record.settings.models.allows(model)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("key", self.key())
            .field("team", self.team())
            .field("user", &self.user())
            .finish()
    }
}
