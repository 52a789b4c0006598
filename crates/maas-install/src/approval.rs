//! Who has agreed to a release: where a site's policy asks for two people, one brings it in and another one,
//! who is not the same, lets it be activated (NIST SP 800-53, AC-5).
//!
//! What is approved is the digest of the signed bill of lading: every byte of the release and nothing else.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_store::{Lock, atomic};
use maas_types::{BundleId, Digest, Layout};
use serde::{Deserialize, Serialize};

use crate::InstallError;

/// Somebody at the host, as whom he logged in: `sudo` changes the user and not the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user id of the login.
    pub uid: u32,
    /// Its name, where the host knows one.
    pub name: String,
}

/// One person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub person: Person,
    /// When, by the host's clock.
    pub at: Timestamp,
}

/// Everybody's word on one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// `maas-appliance/approvals/v1`
    pub schema: String,
    /// The release.
    pub bundle: BundleId,
    /// SHA-256 of its bill of lading.
    pub bill_digest: Digest,
    /// Who has agreed, in order.
    pub given: Vec<Approval>,
}

impl Approvals {
    /// The value of [`Approvals::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/approvals/v1";

    /// Nobody's yet.
    pub fn none(bundle: BundleId, bill_digest: Digest) -> Self {
        Self {
            schema: Self::SCHEMA.to_owned(),
            bundle,
            bill_digest,
            given: Vec::new(),
        }
    }

    /// Those on this release; a release of the same name and another content has its own, which is none.
    pub fn read(
        layout: &Layout,
        bundle: &BundleId,
        bill_digest: &Digest,
    ) -> Result<Self, InstallError> {
        let path = path(layout, bundle);
        let failed = |source| InstallError::Fact {
            what: format!("who has approved `{bundle}` (`{path}`)"),
            source,
        };
        let none = || Self::none(bundle.clone(), *bill_digest);
        match fs_err::read(&path) {
            Ok(bytes) => {
                let read: Self =
                    serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
                let same = read.bundle == *bundle && read.bill_digest == *bill_digest;
                Ok(if same { read } else { none() })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(none()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Adds a person's word. `false` if he has given it before: twice one person is one person.
    pub fn give(&mut self, person: Person, at: Timestamp) -> bool {
        if self
            .given
            .iter()
            .any(|given| given.person.uid == person.uid)
        {
            return false;
        }
        self.given.push(Approval { person, at });
        true
    }

    /// Writes them down.
    pub fn write(&self, lock: &Lock) -> Result<(), InstallError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| InstallError::Fact {
            what: "how to write an approval".to_owned(),
            source: error.into(),
        })?;
        lock.disk().make_folder(&lock.layout().arrivals())?;
        let path = path(lock.layout(), &self.bundle);
        Ok(atomic::replace_on(
            lock.disk(),
            &path,
            &text,
            atomic::Access::Public,
        )?)
    }

    /// Who, for people: `ana, bo`.
    pub fn names(&self) -> String {
        let names: Vec<_> = self
            .given
            .iter()
            .map(|given| given.person.name.as_str())
            .collect();
        names.join(", ")
    }
}

fn path(layout: &Layout, bundle: &BundleId) -> Utf8PathBuf {
    layout.arrivals().join(format!("{bundle}.approvals.json"))
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use maas_store::Holder;

    use super::*;

    fn person(uid: u32) -> Person {
        Person {
            uid,
            name: format!("user{uid}"),
        }
    }

    fn digest(byte: u8) -> Digest {
        Digest::from_hex(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn twice_one_person_is_one_person() {
        let mut approvals = Approvals::none("a-1".parse().unwrap(), digest(1));
        assert!(approvals.give(person(1000), Timestamp::UNIX_EPOCH));
        assert!(!approvals.give(person(1000), Timestamp::UNIX_EPOCH));
        assert!(approvals.give(person(1001), Timestamp::UNIX_EPOCH));
        assert_eq!(approvals.names(), "user1000, user1001");
    }

    #[test]
    fn a_word_on_one_release_is_none_on_another_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(folder.path()).unwrap());
        let holder = Holder {
            pid: 1,
            command: "test".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        let lock = Lock::acquire(&layout, &holder).unwrap();
        let bundle: BundleId = "a-1".parse().unwrap();
        let mut approvals = Approvals::none(bundle.clone(), digest(1));
        approvals.give(person(1000), Timestamp::UNIX_EPOCH);
        approvals.write(&lock).unwrap();
        let read = |byte| Approvals::read(&layout, &bundle, &digest(byte)).unwrap();
        assert_eq!(read(1), approvals);
        assert_eq!(read(2).given, []);
    }
}
