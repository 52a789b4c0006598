//! What to type next, for errors of the crates below. They say what is wrong and where; which command
//! helps is known only here, where commands are.

use maas_bundle::{
    BuildError, CopyError, EndorsementError, MediaError, ModelError, SignError, TrustError,
};
use maas_gateway::admin::ClientError;
use maas_install::InstallError;
use maas_store::StoreError;

/// An error for which there may be a next step.
pub(crate) trait Hint {
    /// The step, as a sentence or a command to type.
    fn hint(&self) -> Option<&'static str>;
}

const ANOTHER_COPY: &str =
    "do not use this medium; ask the sender for another copy, and tell them what was found";
const COMPARE: &str =
    "compare `maas-appliance trust show` with the sender's fingerprint, by telephone or on paper";
const BACK: &str = "ask the sender for a newer bundle; to go back to a generation that is here: maas-appliance rollback";
const OTHER_PORT: &str = "try another port or reader, then another copy; what is stored is kept, the same command goes on from there";
const ALL_VOLUMES: &str =
    "put the other volumes in and name each with --media; the same command goes on from there";

impl Hint for TrustError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoMedium => None,
            Self::NoBundle { .. } | Self::WrongVolume { .. } => {
                Some("name the folder that holds MAAS/: the mount point of the stick")
            }
            Self::SeveralBundles { .. } => Some("say which: --bundle ID"),
            Self::Medium(error) => error.hint(),
            Self::Unsigned { .. } | Self::Threshold { .. } => Some(
                "the sender must have it signed: maas-appliance bundle sign DIR --key KEY (a root: trust root sign)",
            ),
            Self::UnknownSigners { .. } | Self::OtherRoot { .. } | Self::RootChain { .. } => {
                Some(COMPARE)
            }
            Self::Fingerprint { .. } => {
                Some("do not trust this file; read both fingerprints out once more with the sender")
            }
            Self::BadSignature { .. }
            | Self::DuplicateSigner { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::MixedVolumes { .. }
            | Self::OtherBill { .. }
            | Self::Bill { .. } => Some(ANOTHER_COPY),
            Self::Replayed { .. } | Self::OlderEpoch { .. } => Some(BACK),
            Self::Expired { .. } => Some(
                "ask the sender for a newer bundle, or accept it: --accept-expired --reason \"…\", which is recorded",
            ),
        }
    }
}

impl Hint for EndorsementError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model { .. } | Self::Image { .. } | Self::Index { .. } => Some(
                "ask its maker, and do not use it: what is shipped is not what they signed, or they did not sign",
            ),
            Self::Signer { .. } | Self::Authority { .. } => Some(
                "the recipe's `signer` must be PEM: a public key, or the authority's certificate",
            ),
            Self::Read { .. } => None,
        }
    }
}

impl Hint for ModelError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => None,
            Self::Dangerous { .. } => {
                Some("leave the file out of the model's folder if no engine needs it")
            }
            Self::Code { .. } => Some(
                "leave the code out and `auto_map` out of the settings: vLLM has most architectures of its own",
            ),
            Self::Damaged { .. } => Some("get the file again from where it came from"),
            Self::NotWhole { .. } => Some(
                "an engine would ask a hub for it, and there is none: put it into the model's folder",
            ),
        }
    }
}

impl Hint for MediaError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } | Self::NotRegular { .. } => Some(ANOTHER_COPY),
            Self::Io { .. } => Some(OTHER_PORT),
        }
    }
}

impl Hint for StoreError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Busy { .. } => Some("wait for it to end; if that process is gone, run it again"),
            Self::DatabaseDamaged { .. } | Self::DatabaseGone { .. } => {
                Some("put back trust.db from a backup of this host")
            }
            Self::DatabaseNewer { .. } => {
                Some("use the maas-appliance that wrote it, or a newer one")
            }
            Self::BelowFloor { .. } => Some(BACK),
            Self::ConflictingRoot(_) => Some(COMPARE),
            Self::Content(_) => Some(ANOTHER_COPY),
            Self::Refused(error) => error.hint(),
            Self::Medium(_) => Some(OTHER_PORT),
            Self::Missing(_) => Some(ALL_VOLUMES),
            Self::NoCurrent { .. } => Some("maas-appliance install --media DIR"),
            Self::GenerationDamaged { .. } => Some(
                "remove that generation's folder and install its bundle again: what is whole is not copied",
            ),
            Self::NoSuchGeneration { .. }
            | Self::NothingBefore { .. }
            | Self::Disk(_)
            | Self::Read { .. }
            | Self::Database { .. } => None,
        }
    }
}

impl Hint for InstallError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Image(_) => {
                Some("nothing was activated; the old release, if there was one, serves on")
            }
            Self::HostCommand { .. } => {
                Some("nothing is lost: when the host is mended, run the same command again")
            }
            Self::Store(error) => error.hint(),
            Self::Trust(error) => error.hint(),
            Self::Medium(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Endorsement(error) => error.hint(),
            Self::NoBase { .. } => Some(
                "ask for a full copy, or send what is here: maas-appliance inventory --export FILE",
            ),
            Self::Missing(_) => Some(ALL_VOLUMES),
            Self::Altered(_) => Some(ANOTHER_COPY),
            Self::NoSpace(_) => {
                Some("free that much, or put /var/lib/maas-appliance on a bigger disk")
            }
            Self::Pepper { .. } => Some("put it back from a backup of this host"),
            // The findings above it have their own.
            Self::Unfit { .. }
            | Self::Refused { .. }
            | Self::Unapproved { .. }
            | Self::Fact { .. }
            | Self::Random(_) => None,
        }
    }
}

impl Hint for SignError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotListed { .. } => {
                Some("sign with a key that the root lists: maas-appliance trust show ROOT")
            }
            Self::NotTheSame { .. } => {
                Some("merge signatures of copies of one bundle; build once, then copy the folder")
            }
            Self::WrongSignature { .. } => Some("do not use that copy; have its owner sign again"),
            Self::Signer { .. } => Some(
                "sign the files of --export as they are: Ed25519 over the bytes, ECDSA over their SHA-256 in DER",
            ),
        }
    }
}

impl Hint for BuildError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Endorsement(error) => error.hint(),
            Self::Signing { .. } => Some("take the file out of the model's folder, or rename it"),
            Self::Lock { .. } => Some("give the Cargo.lock that the binary was built with"),
            Self::Source(_) => Some("paths in a recipe are relative to the recipe's own folder"),
            Self::Changed { .. } => Some("build into a new folder; this one is not a bundle"),
            Self::Recipe(_)
            | Self::Sink(_)
            | Self::Bill(_)
            | Self::Roots { .. }
            | Self::ModelFile { .. }
            | Self::Image { .. } => None,
        }
    }
}

impl Hint for CopyError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Origin(error) => error.hint(),
            Self::Medium(error) => error.hint(),
            Self::Incomplete { .. } | Self::Missing { .. } | Self::Content { .. } => {
                Some("build the bundle again, or copy from another copy of it")
            }
            Self::Spread(_) => None,
        }
    }
}

impl Hint for ClientError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotRunning { .. } => {
                Some("systemctl start maas-gateway; then: maas-appliance status")
            }
            Self::Broken { .. } | Self::Silent { .. } => Some("journalctl -u maas-gateway"),
            Self::NotAllowed { .. } | Self::Refused(_) => None,
        }
    }
}
