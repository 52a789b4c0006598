//! Everything that a plan must know about the host, gathered once and in one place. The rest of the
//! planning is functions of these values.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Bundle, Media, Report, Silent, Verified, locate, verify_surroundings};
use maas_store::{Generation, MissingBytes, Presence, Store, TrustDb};
use maas_types::{BillOfLading, Digest, GenerationId, GpuInventory, ImageName, Layout};
use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use maas_host::Finding;

use crate::{Approvals, InstallError, Seat, Trial};

/// What this site takes beyond what is signed: the operator's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Whether code that comes with a model may run here, if the model's manifest allows it too.
    pub remote_code: bool,
    /// Which image engines run in.
    pub engine_image: EngineImage,
    /// How many people must have agreed to a release before it is activated.
    pub approvals: u32,
    /// How long a release that replaces another must serve before it is kept, seconds.
    pub trial_seconds: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            remote_code: false,
            engine_image: EngineImage::None,
            approvals: 1,
            trial_seconds: Trial::SECONDS,
        }
    }
}

/// Whether a release that replaces another is put on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialWish {
    /// Somebody watches it: a service of the host, or the command that asks.
    Wanted,
    /// Nobody does.
    Unwanted,
}

/// Which image of a bundle engines run in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineImage {
    /// None: vLLM is the host's.
    #[default]
    None,
    /// The only one.
    Only,
    /// The one with this name.
    Named(ImageName),
}

impl EngineImage {
    /// The image that this means in a bundle; `None` where it means none, or the bundle has no such one.
    pub fn of(&self, bill: &BillOfLading) -> Option<(ImageName, Digest)> {
        let found = match self {
            Self::Only if bill.images.len() == 1 => bill.images.first(),
            Self::None | Self::Only => None,
            Self::Named(name) => bill.images.iter().find(|image| image.name == *name),
        };
        found.map(|image| (image.name.clone(), image.manifest))
    }
}

/// What is known about the host and about what of the bundle is here already.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The machine and its disk.
    pub host: Host,
    /// What was found about the machine itself, with what somebody has accepted of it; empty where the
    /// appliance lies below a folder and the machine is not its own.
    pub machine: Vec<Finding>,
    /// Where it is installed.
    pub seat: Seat,
    /// Whether a release that replaces another is put on trial.
    pub trial: TrialWish,
    /// The generation that serves.
    pub current: Option<GenerationId>,
    /// A complete generation of this very bundle.
    pub same_bill: Option<GenerationId>,
    /// Another release of the bundle's epoch that is here: whose numbers do not count up can be exchanged
    /// one for the other.
    pub same_epoch: Option<GenerationId>,
    /// Every generation here that can be read.
    pub generations: Vec<GenerationId>,
    /// What is wrong with the others, each in one sentence.
    pub damaged: Vec<String>,
    /// Highest epoch ever installed; 0 before the first, and when the keys that signed epochs are
    /// replaced.
    pub epoch_floor: u64,
    /// The bundle's blobs: what is here of each, in the order of the bill.
    pub blobs: Vec<BlobFact>,
    /// What is needed and on none of the volumes.
    #[serde(skip)]
    pub missing: Option<MissingBytes>,
    /// Everything on the volumes but the blobs, compared with what was signed.
    pub surroundings: Report,
    /// What this site takes.
    pub policy: Policy,
    /// Who has agreed to the release.
    pub approvals: Approvals,
    /// Blobs that the volumes leave out because this host should have them, and that it has not.
    pub lacking: Vec<Digest>,
}

/// The machine and the disk of its state folder.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    /// As `uname -m` says: `x86_64`.
    pub arch: String,
    /// As `uname -s` says, in lower case: `linux`.
    pub os: String,
    /// Kernel release, for the record.
    pub kernel: String,
    /// Logical processors.
    pub processors: usize,
    /// Main memory, bytes.
    pub memory_bytes: u64,
    /// Effective user id.
    pub uid: u32,
    /// `--root`, or `/`.
    pub root: Utf8PathBuf,
    /// The state folder, or the nearest folder above it that is there.
    pub disk: Utf8PathBuf,
    /// Bytes that an ordinary user may still write there: engines are ordinary users.
    pub free_bytes: u64,
    /// Inodes that an ordinary user may still use there; `None` where the file system makes them as
    /// needed.
    pub free_inodes: Option<u64>,
    /// Allocation unit of that file system, bytes.
    pub block_bytes: u64,
    /// Name of that file system where it is one that cannot hold a store: no hard links, no modes.
    pub unfit_file_system: Option<String>,
    /// GPUs, where an agent or a caller has asked NVML.
    pub gpus: Option<GpuInventory>,
}

/// What is here of one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlobFact {
    /// The blob.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// Bytes that need not be read from a volume again.
    pub here: u64,
    /// Bytes of disk that it already occupies.
    pub on_disk: u64,
}

impl Facts {
    /// Looks at host, store and volumes. Writes nothing, reads no content of a blob on a volume.
    pub fn gather(
        layout: &Layout,
        db: Option<&TrustDb>,
        bundle: &Verified<Bundle>,
        media: &[&dyn Media],
        gpus: Option<GpuInventory>,
        policy: Policy,
    ) -> Result<Self, InstallError> {
        let store = Store::new(layout);
        let all = Generation::list(layout)?;
        let same_bill = all
            .whole
            .iter()
            .rfind(|g| g.record().bill_digest == *bundle.bill_digest() && g.check().is_ok());
        Ok(Self {
            host: Host::look(layout, gpus)?,
            machine: Vec::new(),
            seat: Seat::of(layout),
            trial: match Seat::of(layout) {
                Seat::Host => TrialWish::Wanted,
                Seat::Unsupervised | Seat::Folder => TrialWish::Unwanted,
            },
            current: Generation::current_id(layout)?,
            same_bill: same_bill.map(Generation::id),
            same_epoch: all
                .whole
                .iter()
                .rfind(|g| {
                    g.id().epoch == bundle.bill().epoch
                        && g.record().bill_digest != *bundle.bill_digest()
                })
                .map(Generation::id),
            generations: all.whole.iter().map(Generation::id).collect(),
            damaged: all
                .damaged
                .iter()
                .map(|(_, error)| error.to_string())
                .collect(),
            epoch_floor: match (bundle.recovered_floors(), db) {
                (Some(floors), _) => floors.epoch,
                (None, Some(db)) => db.floors()?.epoch,
                (None, None) => 0,
            },
            blobs: blobs(&store, db, bundle)?,
            missing: store.missing(db, bundle, &locate(bundle, media)?, media)?,
            surroundings: verify_surroundings(bundle, media, &Silent),
            policy,
            approvals: Approvals::read(layout, &bundle.bill().bundle, bundle.bill_digest())?,
            lacking: lacking(&store, db, bundle, media)?,
        })
    }
}

/// What a delta stands on, as far as it is not here.
fn lacking(
    store: &Store,
    db: Option<&TrustDb>,
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
) -> Result<Vec<Digest>, InstallError> {
    let located = locate(bundle, media)?;
    let left_out = located.missing().iter().filter(|object| object.left_out);
    let mut blobs: Vec<_> = left_out.map(|object| object.blob).collect();
    blobs.dedup();
    let mut lacking = Vec::new();
    for digest in blobs {
        let blob = bundle.bill().blob(&digest);
        let here = match blob {
            Some(blob) => store.presence(db, blob)?,
            None => Presence::Absent,
        };
        if !matches!(here, Presence::Stored | Presence::Unnoted) {
            lacking.push(digest);
        }
    }
    Ok(lacking)
}

fn blobs(
    store: &Store,
    db: Option<&TrustDb>,
    bundle: &Verified<Bundle>,
) -> Result<Vec<BlobFact>, InstallError> {
    let blobs = bundle.bill().blobs.iter();
    blobs
        .map(|blob| {
            let here = match store.presence(db, blob)? {
                Presence::Stored | Presence::Unnoted => blob.size,
                Presence::Staged(bytes) => bytes,
                Presence::Absent => 0,
            };
            Ok(BlobFact {
                digest: blob.digest,
                size: blob.size,
                here,
                on_disk: store.on_disk(blob),
            })
        })
        .collect()
}

impl Host {
    /// Looks at the machine and at the disk that the appliance lies on or will lie on.
    pub fn look(layout: &Layout, gpus: Option<GpuInventory>) -> Result<Self, InstallError> {
        let name = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let disk = nearest_folder(&layout.state());
        let failed = |source: rustix::io::Errno| InstallError::Fact {
            what: format!("the free space of `{disk}`"),
            source: source.into(),
        };
        let room = rustix::fs::statvfs(disk.as_str()).map_err(failed)?;
        let kind = rustix::fs::statfs(disk.as_str()).map_err(failed)?.f_type;
        let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kinds).map_err(|error| InstallError::Fact {
            what: "how much memory there is".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(Self {
            arch: text(name.machine()),
            os: text(name.sysname()).to_ascii_lowercase(),
            kernel: text(name.release()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.total_memory(),
            uid: rustix::process::geteuid().as_raw(),
            root: layout.root().to_owned(),
            free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
            // btrfs and others say 0 of 0: they make inodes as they need them.
            free_inodes: (room.f_files > 0).then_some(room.f_favail),
            block_bytes: room.f_frsize.max(1),
            unfit_file_system: unfit(i128::from(kind)).map(str::to_owned),
            disk,
            gpus,
        })
    }
}

/// The folder itself, or the nearest one above it that is there.
fn nearest_folder(path: &Utf8Path) -> Utf8PathBuf {
    path.ancestors()
        .find(|folder| !folder.as_str().is_empty() && folder.is_dir())
        .unwrap_or(Utf8Path::new("."))
        .to_owned()
}

/// File systems without hard links or modes, by the numbers of `statfs(2)`.
fn unfit(kind: i128) -> Option<&'static str> {
    match kind {
        0x4d44 => Some("FAT"),
        0x2011_bab0 => Some("exFAT"),
        0x9660 => Some("ISO 9660"),
        0x1501_3346 => Some("UDF"),
        _ => None,
    }
}
