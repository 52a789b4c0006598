//! The machine itself, as a release and the configuration want it.

use camino::Utf8Path;
use maas_host::{Finding, Machine, Services, Wants, accept, findings, measure_latency};
use maas_install::{Person, Seat};
use maas_store::{Lock, atomic};
use maas_types::{BillOfLading, Exit, GpuInventory, Layout};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    config::{Config, Device, Runtime},
    error::CommandError,
};

/// What the installer's own findings answer, with the numbers of the very bundle.
const ANSWERED: [&str; 4] = ["D-ARCH", "D-DISK-FS", "D-DISK-SPACE", "D-DISK-INODES"];

/// Synced writes that are measured: enough for a 99th percentile, and less than a second on a disk that is
/// fit for a ledger.
const WRITES: usize = 100;

/// What is found about the machine; nothing where the appliance lies below a folder.
pub(super) fn look(
    layout: &Layout,
    config: &Config,
    bill: Option<&BillOfLading>,
    gpus: Option<&GpuInventory>,
) -> Vec<Finding> {
    let seat = Seat::of(layout);
    if seat == Seat::Folder {
        return Vec::new();
    }
    let wants = wants(layout, config, bill, seat);
    let mut machine = Machine::look(layout.root(), &wants, clock::now());
    if let Some(gpus) = gpus {
        machine.add_inventory(gpus);
    }
    let begun = tokio::time::Instant::now();
    let state = layout.state();
    let folder = nearest(&state);
    // A folder that nobody may write to is told by the other findings.
    machine.latency = measure_latency(folder, WRITES, || begun.elapsed()).ok();
    let mut found = findings(&machine, &wants);
    if bill.is_some() {
        found.retain(|finding| !ANSWERED.contains(&finding.id));
    }
    found
}

/// The folder itself, or the nearest one above it that is there.
pub(super) fn nearest(path: &Utf8Path) -> &Utf8Path {
    path.ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Utf8Path::new("/"))
}

/// An engine's process, its Python and its caches, before the first weight (measured: 2.9 GB for the smallest
/// model, 4 GB with a margin).
const ENGINE_MEMORY: u64 = 4_000_000_000;

fn wants(layout: &Layout, config: &Config, bill: Option<&BillOfLading>, seat: Seat) -> Wants {
    // Without a release there is nothing that the clock could be compared with.
    let built = bill.map_or_else(clock::now, |bill| bill.created);
    let mut wants = Wants::least(layout.state(), built);
    wants.services = match seat {
        Seat::Host => Services::Systemd,
        Seat::Unsupervised | Seat::Folder => Services::Direct,
    };
    wants.runtime = match config.engines.runtime {
        Runtime::Host => maas_host::Runtime::Host,
        Runtime::Rootfs { .. } => maas_host::Runtime::Rootfs,
    };
    // Afterwards they are ours: systemd holds the one, the gateway the other.
    if !layout.current().is_symlink() {
        wants.ports = vec![config.gateway.port(), config.metrics.port()];
    }
    let models = bill.map_or(&[][..], |bill| &bill.models);
    let engines = models.iter().map(|model| &model.manifest.engine);
    let count: u64 = engines
        .clone()
        .map(|engine| u64::from(engine.replicas))
        .sum();
    if config.engines.kind == maas_types::EngineKind::Vllm {
        wants.memory = wants.memory.max(count.saturating_mul(ENGINE_MEMORY));
    }
    if config.engines.device == Device::Gpu {
        wants.gpus = engines
            .clone()
            .map(|e| e.gpus.saturating_mul(e.replicas))
            .sum();
        wants.gpus_per_engine = engines.clone().map(|e| e.gpus).max().unwrap_or(1);
        wants.gpu_memory = engines.filter_map(|e| e.gpu_memory).max().unwrap_or(0);
    }
    wants
}

/// Something that a person takes as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accepted {
    id: String,
    reason: String,
    person: Person,
    at: jiff::Timestamp,
}

/// What was accepted on this host before.
pub(super) fn accepted(layout: &Layout) -> Result<Vec<Accepted>, CommandError> {
    Ok(super::lookup::published(&layout.accepted())?.unwrap_or_default())
}

/// Findings after what was accepted before and what is accepted now.
pub(super) fn take(
    found: Vec<Finding>,
    before: &[Accepted],
    now: &[(&str, &str)],
) -> Result<Vec<Finding>, CommandError> {
    let known = |id: &str| found.iter().any(|finding| finding.id == id);
    let before = before
        .iter()
        .map(|old| (old.id.as_str(), old.reason.as_str()));
    // What is not looked at today needs no leave.
    let before: Vec<_> = before.filter(|(id, _)| known(id)).collect();
    let all = [&before[..], now].concat();
    accept(found, &all).map_err(|error| CommandError::new(Exit::Usage, error.to_string()))
}

/// Remembers what is accepted from now on.
pub(super) fn remember(
    lock: &Lock,
    now: &[(&str, &str)],
    person: &Person,
) -> Result<(), CommandError> {
    let mut all = accepted(lock.layout())?;
    for (id, reason) in now {
        all.retain(|old| old.id != *id);
        all.push(Accepted {
            id: (*id).to_owned(),
            reason: (*reason).to_owned(),
            person: person.clone(),
            at: clock::now(),
        });
    }
    let text = serde_json::to_vec_pretty(&all)
        .map_err(|error| CommandError::new(Exit::Bug, error.to_string()))?;
    let path = lock.layout().accepted();
    let access = atomic::Access::Public;
    atomic::replace_on(lock.disk(), &path, &text, access)
        .map_err(|error| maas_store::StoreError::from(error).into())
}
