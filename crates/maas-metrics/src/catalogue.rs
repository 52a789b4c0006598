//! Every metric of our own: its name, type, labels and meaning, each in one place.
//!
//! The page is written from these definitions, and so is the reference page; a test holds each
//! rendered sample to the labels given here.
//!
//! Cardinality: the labels `model` and `team` take names that an administrator admitted, the others
//! are closed enums. `maas_requests_total` is the widest: models × teams × routes × outcomes that
//! really occurred, which 20 models and 50 teams keep below some ten thousand series. Users and keys
//! are not labels, for their number and their privacy; the ledger knows them.

/// What a metric is, in the words of the text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process that counts starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations sorted into buckets, with their sum and count.
    Histogram,
}

impl Kind {
    /// The word in a `# TYPE` line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The family's name, unit and `_total` included.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its label names, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// One or two sentences for the `# HELP` line and the reference page. Plain ASCII without a
    /// backslash, so that it needs no escaping.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Definition {
    define(name, Kind::Counter, labels, help)
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Definition {
    define(name, Kind::Gauge, labels, help)
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Definition {
    define(name, Kind::Histogram, labels, help)
}

const fn define(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Definition {
    Definition {
        name,
        kind,
        labels,
        help,
    }
}

// The gateway.

pub(crate) const BUILD_INFO: Definition = gauge(
    "maas_build_info",
    &["version"],
    "Always 1; the version of the gateway that answers.",
);
pub(crate) const GATEWAY_START_TIME: Definition = gauge(
    "maas_gateway_start_time_seconds",
    &[],
    "When the gateway started, Unix time.",
);
pub(crate) const REQUESTS: Definition = counter(
    "maas_requests_total",
    &["model", "team", "route", "outcome"],
    "Admitted requests, by how they ended.",
);
pub(crate) const TOKENS: Definition = counter(
    "maas_tokens_total",
    &["model", "team", "kind"],
    "Tokens billed. Kind cached is a part of input, not beside it.",
);
pub(crate) const REQUESTS_IN_FLIGHT: Definition = gauge(
    "maas_requests_in_flight",
    &["model"],
    "Admitted requests that have not ended yet.",
);
pub(crate) const REQUEST_SECONDS: Definition = histogram(
    "maas_request_seconds",
    &["model"],
    "Time from admission to the end of an answer, as the client sees it.",
);
pub(crate) const TIME_TO_FIRST_TOKEN: Definition = histogram(
    "maas_time_to_first_token_seconds",
    &["model"],
    "Time from admission to the first token sent to the client, of streamed answers.",
);
pub(crate) const REFUSALS: Definition = counter(
    "maas_refusals_total",
    &["reason"],
    "Requests that were refused before any engine saw them.",
);
pub(crate) const REVOKED_STREAMS: Definition = counter(
    "maas_revoked_streams_total",
    &[],
    "Answers cut off because their key was revoked.",
);

// The supervisor's table.

pub(crate) const GENERATION_INFO: Definition = gauge(
    "maas_generation_info",
    &["generation"],
    "Always 1; the generation whose models are served.",
);
pub(crate) const ENGINE_TABLE_AGE: Definition = gauge(
    "maas_engine_table_age_seconds",
    &[],
    "Seconds since the supervisor last wrote its table of engines.",
);
pub(crate) const ENGINE_INFO: Definition = gauge(
    "maas_engine_info",
    &["engine", "model", "kind", "task"],
    "Always 1; what answers behind an engine. Kind simulated is no model.",
);
pub(crate) const ENGINE_STATE: Definition = gauge(
    "maas_engine_state",
    &["engine", "model", "state"],
    "1 for the state that an engine is in, 0 for every other.",
);
pub(crate) const ENGINE_RESTARTS: Definition = counter(
    "maas_engine_restarts_total",
    &["engine", "model"],
    "Starts after a death, since the supervisor started.",
);
pub(crate) const ENGINE_PROGRESS: Definition = gauge(
    "maas_engine_start_progress_ratio",
    &["engine", "model"],
    "Loading progress, 0 to 1, while an engine starts and where it is known.",
);

// The GPU agent's facts. Values carry the UUID only: NVML's index changes when a card falls off
// the bus, and a series must not jump from one card to another. The index is in `maas_gpu_info`.

pub(crate) const NVML_UP: Definition = gauge(
    "maas_nvml_up",
    &[],
    "1 if the last call of the GPU agent came back with an answer in time.",
);
pub(crate) const NVML_STATE: Definition = gauge(
    "maas_nvml_state",
    &["state"],
    "1 for the state that NVML is in, 0 for every other. Blocked and failing mean that the GPU facts are old.",
);
pub(crate) const NVML_LAST_SUCCESS: Definition = gauge(
    "maas_nvml_last_success_timestamp_seconds",
    &[],
    "When NVML last answered, Unix time; the GPU facts are from then.",
);
pub(crate) const GPU_DRIVER_INFO: Definition = gauge(
    "maas_gpu_driver_info",
    &["driver", "cuda"],
    "Always 1; the NVIDIA driver and the CUDA version that it supports.",
);
pub(crate) const GPU_UNIDENTIFIED: Definition = gauge(
    "maas_gpu_unidentified",
    &[],
    "GPUs that NVML counts but that never told their UUID.",
);
pub(crate) const GPU_INFO: Definition = gauge(
    "maas_gpu_info",
    &["gpu_uuid", "gpu", "name", "pci_bus_id"],
    "Always 1; what a GPU is. Label gpu is NVML's index now, which may change.",
);
pub(crate) const GPU_UNREADABLE: Definition = gauge(
    "maas_gpu_unreadable_facts",
    &["gpu_uuid"],
    "Facts about a GPU that could not be read at the last attempt. Not 0 for a GPU that is lost.",
);
pub(crate) const GPU_MEMORY_TOTAL: Definition = gauge(
    "maas_gpu_memory_total_bytes",
    &["gpu_uuid"],
    "All memory of a GPU.",
);
pub(crate) const GPU_MEMORY_USED: Definition = gauge(
    "maas_gpu_memory_used_bytes",
    &["gpu_uuid"],
    "Memory in use by anybody.",
);
pub(crate) const GPU_PROCESSES: Definition = gauge(
    "maas_gpu_processes",
    &["gpu_uuid"],
    "Compute processes on a GPU.",
);
pub(crate) const GPU_UTILIZATION: Definition = gauge(
    "maas_gpu_utilization_ratio",
    &["gpu_uuid"],
    "Share of NVML's last sample period in which a kernel ran, 0 to 1.",
);
pub(crate) const GPU_TEMPERATURE: Definition = gauge(
    "maas_gpu_temperature_celsius",
    &["gpu_uuid"],
    "Core temperature.",
);
pub(crate) const GPU_POWER: Definition =
    gauge("maas_gpu_power_watts", &["gpu_uuid"], "Power drawn now.");
pub(crate) const GPU_ECC: Definition = counter(
    "maas_gpu_ecc_errors_total",
    &["gpu_uuid", "kind"],
    "Memory errors since the driver was loaded; kind corrected or uncorrected.",
);
pub(crate) const GPU_XID: Definition = counter(
    "maas_gpu_xid_total",
    &["gpu_uuid", "xid"],
    "XID errors seen since the GPU agent started, of the newest 64 of a GPU.",
);

// The relay.

pub(crate) const RELAY_UP: Definition = gauge(
    "maas_relay_up",
    &["engine", "model"],
    "1 if the engine's own metrics could be read for this page.",
);
pub(crate) const RELAY_DROPPED: Definition = gauge(
    "maas_relay_dropped_lines",
    &["engine", "model"],
    "Lines of the engine's metrics that are malformed or contradictory and are left out of this page.",
);

const ALL: [Definition; 32] = [
    BUILD_INFO,
    GATEWAY_START_TIME,
    REQUESTS,
    TOKENS,
    REQUESTS_IN_FLIGHT,
    REQUEST_SECONDS,
    TIME_TO_FIRST_TOKEN,
    REFUSALS,
    REVOKED_STREAMS,
    GENERATION_INFO,
    ENGINE_TABLE_AGE,
    ENGINE_INFO,
    ENGINE_STATE,
    ENGINE_RESTARTS,
    ENGINE_PROGRESS,
    NVML_UP,
    NVML_STATE,
    NVML_LAST_SUCCESS,
    GPU_DRIVER_INFO,
    GPU_UNIDENTIFIED,
    GPU_INFO,
    GPU_UNREADABLE,
    GPU_MEMORY_TOTAL,
    GPU_MEMORY_USED,
    GPU_PROCESSES,
    GPU_UTILIZATION,
    GPU_TEMPERATURE,
    GPU_POWER,
    GPU_ECC,
    GPU_XID,
    RELAY_UP,
    RELAY_DROPPED,
];

/// Every metric of our own, in the order of the page.
pub fn catalogue() -> &'static [Definition] {
    &ALL
}
