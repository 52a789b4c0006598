//! Owner, mode, time and extended attributes: what of them is taken over.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fsetxattr, futimens},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{
    archive::{Entry, Kind, Time},
    error::Failure,
    policy::{Ownership, Policy, SetIds, Xattrs},
};

const SET_IDS: u32 = 0o6000;
const CAPABILITY: &str = "security.capability";

/// What policy or file system left out, counted by entries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Device nodes.
    pub devices: u64,
    /// Setuid and setgid bits.
    pub set_ids: u64,
    /// Extended attributes.
    pub xattrs: u64,
}

/// What an entry is to be.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
    mtime: Time,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    /// A folder that no layer describes: the same on every host and at every time.
    pub(crate) fn of_unnamed_folder() -> Self {
        Self {
            uid: 0,
            gid: 0,
            mode: 0o755,
            mtime: Time::default(),
            xattrs: Vec::new(),
        }
    }

    /// Owner, mode and time as the archive has them.
    pub(crate) const fn plain(entry: &Entry) -> Self {
        Self {
            uid: entry.uid,
            gid: entry.gid,
            mode: entry.mode,
            mtime: entry.mtime,
            xattrs: Vec::new(),
        }
    }

    /// What the policy leaves of an entry's.
    pub(crate) fn of(entry: &Entry, policy: &Policy, left: &mut Left) -> Self {
        let mut attributes = Self::plain(entry);
        if policy.set_ids == SetIds::Strip && attributes.mode & SET_IDS != 0 {
            attributes.mode &= !SET_IDS;
            left.set_ids += 1;
        }
        if entry.kind == Kind::Folder || entry.kind == Kind::File {
            let may = |name: &str| is_kept(name, policy);
            let all = entry.xattrs.len();
            let kept = entry.xattrs.iter().filter(|(name, _)| may(name)).cloned();
            attributes.xattrs = kept.collect();
            left.xattrs += (all - attributes.xattrs.len()) as u64;
        }
        attributes
    }

    /// Owner first, because a change of owner clears setuid; time last, because the rest changes it.
    pub(crate) fn set_on(
        &self,
        handle: &OwnedFd,
        owner: Option<(Option<Uid>, Option<Gid>)>,
        left: &mut Left,
    ) -> Result<(), Failure> {
        if let Some((user, group)) = owner {
            fchown(handle, user, group).map_err(|e| Failure::Disk("set the owner of", e))?;
        }
        for (name, value) in &self.xattrs {
            match fsetxattr(handle, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) => {}
                // The file system has none, or has no room for this one.
                Err(Errno::OPNOTSUPP | Errno::TOOBIG | Errno::RANGE | Errno::INVAL) => {
                    left.xattrs += 1;
                }
                Err(errno) => return Err(Failure::Disk("set an attribute of", errno)),
            }
        }
        fchmod(handle, Mode::from_raw_mode(self.mode))
            .map_err(|e| Failure::Disk("set the mode of", e))?;
        futimens(handle, &self.times()).map_err(|e| Failure::Disk("set the time of", e))
    }

    /// The time of the last change, for both times that can be set.
    pub(crate) const fn times(&self) -> Timestamps {
        let time = Timespec {
            tv_sec: self.mtime.seconds,
            tv_nsec: self.mtime.nanoseconds as _,
        };
        Timestamps {
            last_access: time,
            last_modification: time,
        }
    }
}

fn is_kept(name: &str, policy: &Policy) -> bool {
    if name == CAPABILITY {
        return policy.set_ids == SetIds::Keep && policy.ownership == Ownership::Keep;
    }
    policy.xattrs == Xattrs::KeepUser
        && name.starts_with("user.")
        && !name.starts_with("user.overlay.")
        && !name.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_attributes_only_those_of_users_are_taken_over() {
        let policy = Policy::for_root();
        assert!(is_kept("user.note", &policy));
        for name in [
            "user.overlay.opaque",
            "trusted.overlay.opaque",
            "security.capability",
            "security.selinux",
            "system.posix_acl_access",
            "",
        ] {
            assert!(!is_kept(name, &policy), "{name}");
        }
        let keeps = Policy {
            set_ids: SetIds::Keep,
            ..Policy::for_root()
        };
        assert!(is_kept("security.capability", &keeps));
        let drops = Policy {
            xattrs: Xattrs::Drop,
            ..Policy::for_root()
        };
        assert!(!is_kept("user.note", &drops));
    }
}
