//! The configuration file: TOML text → `RawConfig` (what is written) → [`Config`] (what is meant).
//!
//! All of it is checked before any port opens, and every mistake in it is reported at once, with
//! file, line, key and an example. A missing file means the defaults.

mod problem;
mod raw;

use std::net::{IpAddr, SocketAddr};

use camino::{Utf8Path, Utf8PathBuf};
use maas_install::Policy;
use maas_types::{EngineKind, Exit, ImageName};

pub(crate) use problem::ConfigProblem;
use raw::RawConfig;

/// A complete, commented file: `maas-appliance config example`.
pub(crate) const EXAMPLE: &str = include_str!("../../../installer/appliance.example.toml");

/// The settings of one host, validated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) site: Site,
    pub(crate) gateway: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) engines: Engines,
    pub(crate) gpus: Gpus,
    pub(crate) policy: Policy,
}

/// What the host is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Site {
    /// DNS names in the server certificate; the first one is in URLs that are shown to people.
    pub(crate) names: Vec<String>,
    /// IP addresses in the server certificate.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whose midnight ends a day's budget.
    pub(crate) time_zone: String,
}

/// How engines are run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Engines {
    pub(crate) device: Device,
    pub(crate) kind: EngineKind,
    pub(crate) runtime: Runtime,
    /// The `vllm` program of the `host` runtime.
    pub(crate) vllm: Utf8PathBuf,
    /// How long an engine may finish what it has when it is told to stop, seconds.
    pub(crate) drain_seconds: u64,
    /// Speed and faults of simulated engines, in the words of `MAAS_SIMULATE`.
    pub(crate) simulate: Option<String>,
}

/// What an engine runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The host's own file system: vLLM was installed there.
    Host,
    /// An image of the bundle, unpacked by `install` and run by systemd alone.
    Rootfs {
        /// Which image; `None` is the only one.
        image: Option<ImageName>,
    },
}

/// Where engines run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// On GPUs where NVML reports some, else on the CPU.
    Auto,
    /// On the CPU, which counts as one placement slot.
    Cpu,
    /// On GPUs only.
    Gpu,
}

/// How NVML is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gpus {
    /// The NVML library; `None` is the driver's own.
    pub(crate) library: Option<Utf8PathBuf>,
    /// Seconds between two rounds of questions.
    pub(crate) interval_seconds: u64,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read the configuration")]
    Unreadable(#[source] std::io::Error),
    /// What it says is wrong.
    #[error("{file} has {} mistake(s):\n{}", problems.len(), problem::listed(file, problems))]
    Wrong {
        /// The file.
        file: Utf8PathBuf,
        /// Every mistake in it.
        problems: Vec<ConfigProblem>,
    },
}

impl ConfigError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreadable(_) => Exit::NotAllowed,
            Self::Wrong { .. } => Exit::Usage,
        }
    }
}

impl Config {
    /// Reads `file`; a missing file gives the defaults for a host called `hostname`.
    pub(crate) fn load(file: &Utf8Path, hostname: &str) -> Result<Self, ConfigError> {
        match fs_err::read_to_string(file) {
            Ok(text) => Self::parse(file, &text, hostname),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::parse(file, "", hostname)
            }
            Err(error) => Err(ConfigError::Unreadable(error)),
        }
    }

    /// Reads the text of `file`.
    pub(crate) fn parse(file: &Utf8Path, text: &str, hostname: &str) -> Result<Self, ConfigError> {
        let wrong = |problems| ConfigError::Wrong {
            file: file.to_owned(),
            problems,
        };
        let raw: RawConfig = toml::from_str(text)
            .map_err(|error| wrong(vec![ConfigProblem::from_toml(text, &error)]))?;
        raw.validate(text, hostname).map_err(wrong)
    }

    /// The address that people on the internal network type: `https://name:port`.
    pub(crate) fn url(&self) -> String {
        let name = self.site.names.first().map_or("localhost", String::as_str);
        format!("https://{name}:{}", self.gateway.port())
    }
}

#[cfg(test)]
mod tests;
