//! `quickstart` and its choices.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

/// `quickstart`
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Which engine answers
    #[arg(long, value_enum, default_value_t = QuickstartEngine::Auto)]
    pub(crate) engine: QuickstartEngine,
    /// A model folder (safetensors, `config.json`, tokenizer); the simulated engine needs none
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<Utf8PathBuf>,
    /// The vLLM program, when it is not on the PATH
    #[arg(long, value_name = "FILE")]
    pub(crate) vllm: Option<Utf8PathBuf>,
    /// Where everything goes; emptied before, removed after
    #[arg(long, value_name = "DIR", default_value = "target/quickstart")]
    pub(crate) folder: Utf8PathBuf,
    /// Port of the endpoint on 127.0.0.1; a free one when left out and 8443 is taken
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// End after the three calls instead of waiting for Ctrl-C
    #[arg(long)]
    pub(crate) once: bool,
}

/// Which engine answers in a quickstart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QuickstartEngine {
    /// A real vLLM when one is found and a model is given, else the simulated one
    Auto,
    /// A real vLLM
    Vllm,
    /// The simulated engine: vLLM's HTTP, no model
    Simulated,
}
