//! What a simulated engine is told before it starts.

use std::{net::SocketAddr, time::Duration};

use camino::Utf8PathBuf;
use jiff::Timestamp;

use crate::{Behaviour, Log};

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket at this path, as `--uds` says. A file that is already there is not removed, as
    /// in vLLM: the start fails.
    Unix(Utf8PathBuf),
    /// A TCP address, as `--host` and `--port` say. Port 0 takes a free one.
    Tcp(SocketAddr),
}

/// What the model is for: decides which routes exist, as vLLM's `--runner` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Runner {
    /// Chat, completions, messages, responses.
    #[default]
    Generate,
    /// Embeddings.
    Pooling,
}

/// Whether a switch of `vllm serve` is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Switch {
    /// Not given, or given as `--no-…`.
    #[default]
    Off,
    /// Given.
    On,
}

impl Switch {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// Where the time comes from; a test gives its own.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub fn() -> Timestamp);

impl Clock {
    /// The machine's clock.
    pub const SYSTEM: Self = Self(system_now);

    /// The present instant.
    pub fn now(self) -> Timestamp {
        (self.0)()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the crate's one clock; everything else takes `Clock`"
)]
fn system_now() -> Timestamp {
    Timestamp::now()
}

/// The settings of one engine. `Settings::new` gives those of `vllm serve DIR --served-model-name NAME`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the model: `root` in `/v1/models`. Nothing in it is read.
    pub model_dir: String,
    /// `--served-model-name`: the first is the name in answers, the others are aliases.
    pub served_names: Vec<String>,
    /// `--max-model-len`, tokens of prompt and answer together.
    pub max_model_len: u64,
    /// `--max-num-seqs`: sequences beyond it wait.
    pub max_num_seqs: u64,
    /// `--runner`.
    pub runner: Runner,
    /// `--enable-prompt-tokens-details`: `usage.prompt_tokens_details.cached_tokens` is filled in.
    pub prompt_tokens_details: Switch,
    /// `--enable-force-include-usage`: usage on every chunk of every stream.
    pub force_include_usage: Switch,
    /// `--enable-request-id-headers`: `X-Request-Id` is echoed.
    pub request_id_headers: Switch,
    /// `--enable-prefix-caching`; on by default, as in vLLM.
    pub prefix_caching: Switch,
    /// `--enable-server-load-tracking`: `/load` counts.
    pub load_tracking: Switch,
    /// Whether requests are logged: off with `--disable-uvicorn-access-log`.
    pub access_log: Switch,
    /// `--disable-access-log-for-endpoints`: paths that are not logged.
    pub quiet_paths: Vec<String>,
    /// `--shutdown-timeout`: 0 aborts what is in flight, more waits that long for it.
    pub shutdown_timeout: Duration,
    /// Token times and failures.
    pub behaviour: Behaviour,
    /// Makes ids differ between engines; the same seed and the same requests give the same ids.
    pub seed: u64,
    /// For `created` and `date`.
    pub clock: Clock,
    /// Where log lines go.
    pub log: Log,
}

impl Settings {
    /// The settings of `vllm serve MODEL_DIR --served-model-name NAME`, silent, answering at once.
    pub fn new(name: &str) -> Self {
        Self {
            model_dir: format!("models/{name}"),
            served_names: vec![name.to_owned()],
            max_model_len: DEFAULT_MAX_MODEL_LEN,
            max_num_seqs: DEFAULT_MAX_NUM_SEQS,
            runner: Runner::Generate,
            prompt_tokens_details: Switch::Off,
            force_include_usage: Switch::Off,
            request_id_headers: Switch::Off,
            prefix_caching: Switch::On,
            load_tracking: Switch::Off,
            access_log: Switch::On,
            quiet_paths: Vec::new(),
            shutdown_timeout: Duration::ZERO,
            behaviour: Behaviour::default(),
            seed: 0,
            clock: Clock::SYSTEM,
            log: Log::silent(),
        }
    }

    /// The name in answers.
    pub fn name(&self) -> &str {
        self.served_names.first().map_or("", String::as_str)
    }
}

/// What a small current model has; vLLM reads it from `config.json`, which is not there to be read.
pub(crate) const DEFAULT_MAX_MODEL_LEN: u64 = 32_768;

/// vLLM's own default for an API server.
pub(crate) const DEFAULT_MAX_NUM_SEQS: u64 = 256;
