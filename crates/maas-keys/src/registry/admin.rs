//! Administration: commit to SQLite, swap the picture in memory, cut streams, return.
//!
//! What takes leave away is swapped in also when the commit fails, and says so; what gives it is not.
//!
//! Each function holds the administration's lock from its first look to its last write, so two
//! administrators never overwrite each other, and none of them holds a lock that a request waits for.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use maas_types::{KeyId, TeamName};
use parking_lot::MappedMutexGuard;
use rusqlite::Connection;

use super::Registry;
use crate::{
    Entropy, KeyRecord, KeysError, NewKey, NewTeam, Revocation, SecretToken, TeamRecord,
    TeamSettings, database,
    snapshot::{KeyEntry, Snapshot, TeamEntry, Tokens},
};

/// The longest name of a key: what fits on a line of a list.
const LONGEST_KEY_NAME: usize = 100;

impl Registry {
    /// Creates a team.
    pub fn create_team(&self, new: NewTeam, now: Timestamp) -> Result<TeamRecord, KeysError> {
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        if snapshot.teams.contains_key(&new.name) {
            return Err(KeysError::TeamExists(new.name));
        }
        let record = TeamRecord {
            name: new.name,
            created: database::to_millisecond(now),
            disabled: None,
            settings: storable(new.settings),
        };
        database::insert_team(&connection, &record)
            .map_err(|source| self.0.failed("create a team in", source))?;
        let team = TeamEntry::new(record.clone());
        self.swap(snapshot.with_team(team, Tokens::Kept));
        Ok(record)
    }

    /// Replaces a team's limits and models. Effective for the next request; running ones go on.
    pub fn change_team(
        &self,
        name: &TeamName,
        settings: TeamSettings,
    ) -> Result<TeamRecord, KeysError> {
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        let mut team = TeamEntry::clone(find_team(&snapshot, name)?);
        team.record.settings = storable(settings);
        self.commit_team(&connection, &team)?;
        let record = team.record.clone();
        self.swap(snapshot.with_team(team, Tokens::Kept));
        Ok(record)
    }

    /// Refuses all keys of a team from now on and cuts their streams, also when that cannot be written
    /// ([`KeysError::NotKept`]).
    pub fn disable_team(&self, name: &TeamName, now: Timestamp) -> Result<Revocation, KeysError> {
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        let mut team = TeamEntry::clone(find_team(&snapshot, name)?);
        // Written again when it stands in memory already: the last attempt may not have been kept.
        team.record
            .disabled
            .get_or_insert(database::to_millisecond(now));
        let kept = database::update_team(&connection, &team.record);
        let cut = team.cut.clone();
        self.swap(snapshot.with_team(team, Tokens::Kept));
        // Counted before they are told: whoever hears it at once is gone a moment later.
        let live = snapshot.keys_of(name).map(|key| running(key)).sum();
        let live = if cut.is_cancelled() { 0 } else { live };
        cut.cancel();
        kept.map_err(|source| self.not_kept(format!("team `{name}`"), source))?;
        Ok(Revocation { streams_cut: live })
    }

    /// Accepts the keys of a disabled team again, except those that were revoked.
    pub fn enable_team(&self, name: &TeamName) -> Result<TeamRecord, KeysError> {
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        let mut team = TeamEntry::clone(find_team(&snapshot, name)?);
        if team.record.disabled.is_none() {
            return Ok(team.record);
        }
        team.record.disabled = None;
        self.commit_team(&connection, &team)?;
        let meters = Arc::clone(&team.meters);
        let record = team.record.clone();
        let team = TeamEntry {
            meters,
            ..TeamEntry::new(team.record)
        };
        self.swap(snapshot.with_team(team, Tokens::Fresh));
        Ok(record)
    }

    /// All teams, by name. Memory only.
    pub fn teams(&self) -> Vec<TeamRecord> {
        let snapshot = self.0.snapshot.load();
        snapshot.teams.values().map(|t| t.record.clone()).collect()
    }

    /// One team. Memory only.
    pub fn team(&self, name: &TeamName) -> Result<TeamRecord, KeysError> {
        find_team(&self.0.snapshot.load(), name).map(|team| team.record.clone())
    }

    /// Creates a key. The secret is in the answer and nowhere else.
    pub fn create_key(
        &self,
        new: NewKey,
        now: Timestamp,
        entropy: &Entropy,
    ) -> Result<(KeyRecord, SecretToken), KeysError> {
        let characters = new.name.chars().count();
        if !(1..=LONGEST_KEY_NAME).contains(&characters) || new.name.chars().any(char::is_control) {
            return Err(KeysError::KeyName);
        }
        let expires = new.expires.map(database::to_millisecond);
        if let Some(expires) = expires.filter(|expires| *expires <= now) {
            return Err(KeysError::ExpiresInThePast { expires, now });
        }
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        let team = find_team(&snapshot, &new.team)?;
        let (id, token) = SecretToken::generate(entropy);
        let record = KeyRecord {
            id,
            team: new.team.clone(),
            user: new.user,
            name: new.name,
            created: database::to_millisecond(now),
            expires,
            revoked: None,
            limits: new.limits.storable(),
            models: new.models,
        };
        let code = self.0.pepper.code(token.covered());
        database::insert_key(&connection, &record, &code)
            .map_err(|source| self.0.failed("create a key in", source))?;
        self.swap(snapshot.with_key(KeyEntry::new(record.clone(), code, team)));
        Ok((record, token))
    }

    /// Revokes a key for good. When this returns, the next request with the key is refused and the
    /// token of each of its permits is cancelled, also when the database cannot be written: a full disk
    /// must not keep a stolen key alive ([`KeysError::NotKept`]). Revoking twice changes nothing.
    pub fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<Revocation, KeysError> {
        let connection = self.administrate()?;
        let snapshot = self.0.snapshot.load_full();
        let mut key = KeyEntry::clone(find_key(&snapshot, id)?);
        // Written again when it stands in memory already: the last attempt may not have been kept.
        let revoked = *key
            .record
            .revoked
            .get_or_insert(database::to_millisecond(now));
        let kept = database::revoke_key(&connection, id, revoked);
        self.swap(snapshot.with_key(key.clone()));
        let live = if key.cut.is_cancelled() {
            0
        } else {
            running(&key)
        };
        key.cut.cancel();
        kept.map_err(|source| self.not_kept(format!("key `{id}`"), source))?;
        Ok(Revocation { streams_cut: live })
    }

    /// All keys, or those of a team, oldest first. Memory only.
    pub fn keys(&self, team: Option<&TeamName>) -> Vec<KeyRecord> {
        let snapshot = self.0.snapshot.load();
        let all = snapshot.keys.values().map(|key| &key.record);
        let wanted = all.filter(|key| team.is_none_or(|team| key.team == *team));
        let mut keys: Vec<_> = wanted.cloned().collect();
        keys.sort_unstable_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        keys
    }

    /// One key. Memory only.
    pub fn key(&self, id: &KeyId) -> Result<KeyRecord, KeysError> {
        find_key(&self.0.snapshot.load(), id).map(|key| key.record.clone())
    }

    /// The administration's lock and its connection.
    fn administrate(&self) -> Result<MappedMutexGuard<'_, Connection>, KeysError> {
        parking_lot::MutexGuard::try_map(self.0.admin.lock(), |admin| {
            admin.as_mut().map(|admin| &mut admin.connection)
        })
        .map_err(|_| KeysError::Closed)
    }

    fn commit_team(&self, connection: &Connection, team: &TeamEntry) -> Result<(), KeysError> {
        database::update_team(connection, &team.record)
            .map_err(|source| self.0.failed("change a team in", source))
    }

    fn not_kept(&self, whose: String, source: rusqlite::Error) -> KeysError {
        KeysError::NotKept {
            whose,
            path: self.0.path.clone(),
            source,
        }
    }

    fn swap(&self, snapshot: Snapshot) {
        self.0.snapshot.store(Arc::new(snapshot));
    }
}

fn storable(settings: TeamSettings) -> TeamSettings {
    TeamSettings {
        limits: settings.limits.storable(),
        ..settings
    }
}

fn running(key: &KeyEntry) -> usize {
    key.live.load(Ordering::SeqCst)
}

fn find_team<'a>(snapshot: &'a Snapshot, name: &TeamName) -> Result<&'a Arc<TeamEntry>, KeysError> {
    let team = snapshot.teams.get(name);
    team.ok_or_else(|| KeysError::UnknownTeam(name.clone()))
}

fn find_key<'a>(snapshot: &'a Snapshot, id: &KeyId) -> Result<&'a Arc<KeyEntry>, KeysError> {
    let key = snapshot.keys.get(id);
    key.ok_or_else(|| KeysError::UnknownKey(id.clone()))
}
