//! What an installation will do, decided from facts alone. Touches nothing.

use maas_bundle::{Bundle, Verified};
use maas_types::{BillOfLading, BundleId, ByteSize, Digest, Exit, GenerationId, ImageName};
use serde::Serialize;

use maas_host::{Finding, Level};

use crate::{Facts, InstallError, Seat, Shortage, TrialWish, preflight};

/// Room that must be left when the bundle is in: 1 GB. Databases, logs and engines' compile caches
/// grow from the first minute, and a full disk stops the ledger and with it every answer.
const RESERVE_BYTES: u64 = 1_000_000_000;

/// Inodes that must be left: engines' caches are many small files.
const RESERVE_INODES: u64 = 1_000;

/// Folders and files that an installation makes beside blobs and generation: the store's and the
/// generations' folders, the database with its log, the lock, the receipt. Counted: 14.
const OWN_INODES: u64 = 32;

/// Bytes of those, and of folders' own blocks; the database's log is cut at 4 MB by `SQLite`.
const OWN_BYTES: u64 = 16_000_000;

/// Room and reading that a bundle needs on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Bytes to read from volumes.
    pub bytes_to_read: u64,
    /// Bytes that are here from before.
    pub bytes_here: u64,
    /// Bytes that the disk must take, in its own blocks.
    pub bytes_to_write: u64,
    /// Bytes that must be free: those and the reserve.
    pub bytes_free: u64,
    /// Inodes that must be free: new ones and the reserve.
    pub inodes_free: u64,
    /// Blobs to bring in.
    pub blobs: u64,
}

impl Needs {
    /// Counts. A host on which all is there needs nothing, not even the reserve: saying so must
    /// work on a full disk.
    pub fn of(facts: &Facts, bill: &BillOfLading) -> Self {
        let block = facts.host.block_bytes;
        let open = || facts.blobs.iter().filter(|blob| blob.here < blob.size);
        let bytes_here = facts.blobs.iter().map(|blob| blob.here).sum();
        let blobs = facts
            .blobs
            .iter()
            .filter(|blob| blob.on_disk < blob.size || blob.here < blob.size)
            .count() as u64;
        let mut needs = Self {
            bytes_to_read: open().map(|blob| blob.size - blob.here).sum(),
            bytes_here,
            bytes_to_write: 0,
            bytes_free: 0,
            inodes_free: 0,
            blobs,
        };
        if blobs == 0 && facts.same_bill.is_some() {
            return needs;
        }
        let whole_blocks = |bytes: u64| bytes.div_ceil(block).saturating_mul(block);
        needs.bytes_to_write = open()
            .map(|blob| whole_blocks(blob.size.saturating_sub(blob.on_disk)))
            .sum::<u64>()
            .saturating_add(OWN_BYTES);
        needs.bytes_free = needs.bytes_to_write.saturating_add(RESERVE_BYTES);
        // A new blob may bring a new prefix folder; hard links take none.
        let models: u64 = bill.models.iter().map(|m| 1 + m.files.len() as u64).sum();
        let generation = 4 + models + 6 * bill.images.len() as u64;
        needs.inodes_free = 2 * blobs + generation + OWN_INODES + RESERVE_INODES;
        needs
    }
}

/// One step of an installation, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Newer roots of the bundle become this host's.
    Roots {
        /// Their versions.
        versions: Vec<u64>,
    },
    /// Blobs are read, verified and stored.
    Blobs {
        /// How many are new.
        count: u64,
        /// How many bytes are read.
        bytes: u64,
    },
    /// The stored models are looked into.
    Models {
        /// How many.
        count: usize,
    },
    /// The floors rise: nothing older is accepted from then on.
    Floors {
        /// The new epoch.
        epoch: u64,
    },
    /// The generation is assembled.
    Generation {
        /// Its name; one that is here and complete is taken.
        id: GenerationId,
    },
    /// The image that engines run in is unpacked.
    Image {
        /// Its name in the bundle.
        name: ImageName,
        /// Its manifest.
        manifest: Digest,
    },
    /// What serves is noted, and comes back by itself if the new generation does not serve.
    Trial {
        /// How long the new generation must serve, seconds.
        seconds: u64,
    },
    /// The generation becomes the one that serves.
    Switch {
        /// What served before.
        from: Option<GenerationId>,
        /// What serves then.
        to: GenerationId,
    },
    /// The release's own binary, units, users and folders are laid out on the host.
    Seat,
    /// The services run, as the release has them.
    Services,
    /// What was done is written down.
    Receipt,
}

impl Step {
    /// One line for people.
    pub fn title(&self) -> String {
        match self {
            Self::Roots { versions } if versions.is_empty() => "roots are as they were".to_owned(),
            Self::Roots { versions } => format!("trust {} newer roots", versions.len()),
            Self::Blobs { count: 0, .. } => "every blob is here".to_owned(),
            Self::Blobs { count, bytes } => {
                format!("read, verify and store {count} blobs, {}", ByteSize(*bytes))
            }
            Self::Models { count } => format!("look into {count} models for what may not run here"),
            Self::Floors { epoch } => format!("accept nothing older than epoch {epoch}"),
            Self::Generation { id } => format!("assemble generation {id}"),
            Self::Image { name, .. } => format!("unpack the image `{name}`"),
            Self::Trial { seconds } => {
                format!("put it on trial: what serves now comes back if it fails in {seconds} s")
            }
            Self::Switch { to, .. } => format!("switch to generation {to}"),
            Self::Seat => "lay out the binary, its units and its users".to_owned(),
            Self::Services => "start the services, engines excepted".to_owned(),
            Self::Receipt => "write the receipt".to_owned(),
        }
    }
}

/// What an installation will do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan<'a> {
    /// `maas-appliance/plan/v1`
    pub schema: &'static str,
    /// The bundle.
    pub bundle: BundleId,
    /// Its version, for people.
    pub version: String,
    /// SHA-256 of its bill of lading.
    pub bill_digest: Digest,
    /// Whether this very bundle serves already and is complete.
    pub already_installed: bool,
    /// Room and reading.
    pub needs: Needs,
    /// Every preflight finding.
    pub findings: Vec<Finding>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The facts that all this follows from.
    pub facts: Facts,
    #[serde(skip)]
    verified: &'a Verified<Bundle>,
}

impl<'a> Plan<'a> {
    /// The value of [`Plan::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/plan/v1";

    /// Decides. The same facts and bundle give the same plan.
    pub fn new(facts: Facts, bundle: &'a Verified<Bundle>) -> Self {
        let bill = bundle.bill();
        let needs = Needs::of(&facts, bill);
        let id = facts
            .same_bill
            .unwrap_or_else(|| next_id(&facts, bill.epoch));
        let already_installed =
            needs.blobs == 0 && facts.same_bill.is_some() && facts.same_bill == facts.current;
        let roots = bundle
            .new_roots()
            .iter()
            .map(maas_bundle::TrustedRoot::version);
        Self {
            schema: Self::SCHEMA,
            bundle: bill.bundle.clone(),
            version: bill.version.clone(),
            bill_digest: *bundle.bill_digest(),
            already_installed,
            needs,
            findings: preflight(&facts, bill),
            steps: steps(&facts, &needs, bill, roots.collect(), id),
            facts,
            verified: bundle,
        }
    }

    /// The latest moment that the bundle gives reason to believe in.
    pub fn trusted_time(&self) -> jiff::Timestamp {
        self.verified.next_floors().time
    }

    /// The bundle that it installs.
    pub fn verified(&self) -> &'a Verified<Bundle> {
        self.verified
    }

    /// Whether the plan may be applied. Ask before the lock is taken: after a refusal nothing has
    /// been created.
    pub fn ready(&self) -> Result<(), InstallError> {
        if let Some(finding) = self.findings.iter().find(|f| f.exit() == Exit::Approval) {
            return Err(InstallError::Unapproved {
                text: finding.text.clone(),
            });
        }
        self.ready_to_store()
    }

    /// Whether all of it may be stored now, to be activated later.
    pub fn ready_to_store(&self) -> Result<(), InstallError> {
        self.ready_for_a_volume()?;
        match &self.facts.missing {
            None => Ok(()),
            Some(missing) => Err(InstallError::Missing(Box::new(missing.clone()))),
        }
    }

    /// Whether everything but absent volumes allows it: what is on those at hand may be stored.
    pub fn ready_for_a_volume(&self) -> Result<(), InstallError> {
        let failed = || self.findings.iter().filter(|f| f.level == Level::Fail);
        let unfit: Vec<_> = failed()
            .filter(|finding| finding.exit() == Exit::HostCheck)
            .map(|finding| finding.text.clone())
            .collect();
        if !unfit.is_empty() {
            return Err(InstallError::Unfit { failures: unfit });
        }
        if failed().any(|finding| finding.exit() == Exit::Stale) {
            return Err(maas_store::StoreError::BelowFloor {
                what: "epoch",
                floor: self.facts.epoch_floor,
                found: self.verified.bill().epoch,
            }
            .into());
        }
        if let Some(finding) = failed().find(|finding| finding.exit() == Exit::Policy) {
            return Err(InstallError::Refused {
                text: finding.text.clone(),
            });
        }
        if !self.facts.surroundings.is_good() {
            let report = self.facts.surroundings.clone();
            return Err(InstallError::Altered(Box::new(report)));
        }
        if let Some(first) = self.facts.lacking.first() {
            return Err(InstallError::NoBase {
                blobs: self.facts.lacking.len(),
                first: *first,
            });
        }
        if failed().any(|finding| finding.exit() == Exit::NoSpace) {
            let host = &self.facts.host;
            return Err(InstallError::NoSpace(Box::new(Shortage {
                path: host.disk.clone(),
                bytes_needed: self.needs.bytes_free,
                bytes_free: host.free_bytes,
                inodes_needed: self.needs.inodes_free,
                inodes_free: host.free_inodes.unwrap_or(u64::MAX),
            })));
        }
        Ok(())
    }
}

fn steps(
    facts: &Facts,
    needs: &Needs,
    bill: &BillOfLading,
    roots: Vec<u64>,
    id: GenerationId,
) -> Vec<Step> {
    let mut steps = vec![
        Step::Roots { versions: roots },
        Step::Blobs {
            count: needs.blobs,
            bytes: needs.bytes_to_read,
        },
        Step::Models {
            count: bill.models.len(),
        },
        Step::Floors { epoch: bill.epoch },
        Step::Generation { id },
    ];
    if let Some((name, manifest)) = facts.policy.engine_image.of(bill) {
        steps.push(Step::Image { name, manifest });
    }
    // Before the switch: the new binary knows old generations, the old one need not know new ones.
    match facts.seat {
        Seat::Host => steps.push(Step::Seat),
        Seat::Unsupervised | Seat::Folder => {}
    }
    if facts.current.is_some_and(|current| current != id) && facts.trial == TrialWish::Wanted {
        steps.push(Step::Trial {
            seconds: facts.policy.trial_seconds,
        });
    }
    steps.push(Step::Switch {
        from: facts.current,
        to: id,
    });
    match facts.seat {
        Seat::Host => steps.push(Step::Services),
        Seat::Unsupervised | Seat::Folder => {}
    }
    steps.push(Step::Receipt);
    steps
}

fn next_id(facts: &Facts, epoch: u64) -> GenerationId {
    let serials = facts.generations.iter().filter(|id| id.epoch == epoch);
    let last = serials.map(|id| id.serial).max().unwrap_or(0);
    GenerationId {
        epoch,
        serial: last.saturating_add(1),
    }
}
