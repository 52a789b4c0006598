//! The appliance's own public key infrastructure: a certificate authority that a site hands out once,
//! and a server certificate that is renewed as names change and time passes.
//!
//! ```text
//! tls/ca.pem             0644  what clients must trust; `ca export`
//!     ca.key             0600
//!     server-chain.pem   0644  leaf, then CA: clients such as Node and Python need the full chain
//!     server.key         0600
//! ```
//!
//! Threats: a stolen CA key signs for any name that its clients visit; a CA that changes makes every
//! client fail until somebody visits it. Defences: keys are 0600 from their first byte; the CA may
//! sign server certificates only (`pathLenConstraint` 0) and is never replaced here. It has no name
//! constraints: they would have to name the site's future names too, and a CA that must be handed out
//! again with every new name is soon answered by switching verification off.

mod authority;
mod error;
mod leaf;

use std::net::IpAddr;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use maas_store::{Disk, Lock, atomic};
use serde::Serialize;

use self::{authority::Authority, leaf::Leaf};
pub use self::{error::IdentityError, leaf::LeafReason};

/// What the appliance is called, from its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What people read in the CA's subject: the first DNS name, or the site's own name.
    pub name: String,
    /// DNS names that clients use.
    pub dns_names: Vec<String>,
    /// Addresses that clients use.
    pub addresses: Vec<IpAddr>,
}

/// What [`Identity::ensure`] found or made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ensured {
    /// What became of the CA.
    pub authority: CaAction,
    /// What became of the server certificate.
    pub server: LeafAction,
    /// When the CA ends.
    pub authority_expires: Timestamp,
    /// When the server certificate ends.
    pub server_expires: Timestamp,
    /// SHA-256 of the CA certificate (DER), hex: what a user compares after `ca export`.
    pub authority_fingerprint: String,
}

/// What became of the CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaAction {
    /// It was made.
    Made,
    /// It was there and stays.
    Kept,
}

/// What became of the server certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action", content = "reason")]
pub enum LeafAction {
    /// It was made or renewed, and why.
    Issued(LeafReason),
    /// It was there and stays.
    Kept,
}

/// The files of an appliance's identity.
#[derive(Debug, Clone)]
pub struct Identity {
    folder: Utf8PathBuf,
}

impl Identity {
    /// The identity in this folder, [`maas_types::Layout::tls`]. Reads nothing yet.
    pub fn in_folder(folder: impl Into<Utf8PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Makes what is missing and renews what is due; never touches a CA that is there.
    pub fn ensure(
        lock: &Lock,
        site: &Site,
        now: Timestamp,
    ) -> Result<(Self, Ensured), IdentityError> {
        leaf::check_names(site)?;
        let identity = Self::in_folder(lock.layout().tls());
        lock.disk().make_folder(&identity.folder)?;
        let (authority, authority_action) = identity.authority(lock.disk(), site, now)?;
        let found = Leaf::read(&identity.server_chain(), &identity.server_key())?;
        let (leaf, server) = match leaf::reason(found.as_ref(), &authority, site, now) {
            None => (found, LeafAction::Kept),
            Some(reason) => {
                let leaf = identity.issue(lock.disk(), &authority, site, now)?;
                (Some(leaf), LeafAction::Issued(reason))
            }
        };
        let ensured = Ensured {
            authority: authority_action,
            server,
            authority_expires: authority.expires(),
            server_expires: leaf.map_or(now, |leaf| leaf.expires()),
            authority_fingerprint: authority.fingerprint(),
        };
        Ok((identity, ensured))
    }

    /// The CA certificate, PEM: what `ca export` prints.
    pub fn ca_pem(&self) -> Result<String, IdentityError> {
        let path = self.ca();
        authority::read_text(&path)?.ok_or(IdentityError::NoAuthority { path })
    }

    /// `ca.pem`
    pub fn ca(&self) -> Utf8PathBuf {
        self.folder.join("ca.pem")
    }

    /// `server-chain.pem`
    pub fn server_chain(&self) -> Utf8PathBuf {
        self.folder.join("server-chain.pem")
    }

    /// `server.key`
    pub fn server_key(&self) -> Utf8PathBuf {
        self.folder.join("server.key")
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn ca_key(&self) -> Utf8PathBuf {
        self.folder.join("ca.key")
    }

    /// The CA that is here, or a new one. Its key is written first: a certificate whose key was lost
    /// to a power cut could never sign, and must not be handed out.
    fn authority(
        &self,
        disk: &Disk,
        site: &Site,
        now: Timestamp,
    ) -> Result<(Authority, CaAction), IdentityError> {
        if let Some(authority) = Authority::read(&self.ca(), &self.ca_key())? {
            return Ok((authority, CaAction::Kept));
        }
        // Clients trust the CA that signed what is here; a second one would cut them all off.
        if self.server_chain().exists() {
            return Err(IdentityError::AuthorityGone {
                path: self.ca(),
                chain: self.server_chain(),
            });
        }
        let (authority, key) = Authority::make(site, now)?;
        atomic::replace_on(
            disk,
            &self.ca_key(),
            key.as_bytes(),
            atomic::Access::Private,
        )?;
        let pem = authority.pem().as_bytes();
        atomic::replace_on(disk, &self.ca(), pem, atomic::Access::Public)?;
        Ok((authority, CaAction::Made))
    }

    fn issue(
        &self,
        disk: &Disk,
        authority: &Authority,
        site: &Site,
        now: Timestamp,
    ) -> Result<Leaf, IdentityError> {
        let key_path = self.ca_key();
        let Some(ca_key) = authority::read_text(&key_path)? else {
            return Err(IdentityError::NoAuthorityKey { path: key_path });
        };
        let (leaf, key) = Leaf::issue(authority, &ca_key, &key_path, site, now)?;
        // Key first: until the chain follows, the pair does not match, and the next run renews it.
        atomic::replace_on(
            disk,
            &self.server_key(),
            key.as_bytes(),
            atomic::Access::Private,
        )?;
        let chain = leaf.chain().as_bytes();
        atomic::replace_on(disk, &self.server_chain(), chain, atomic::Access::Public)?;
        Ok(leaf)
    }
}

#[cfg(test)]
mod tests;
