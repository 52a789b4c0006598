//! Which engine answers: a real vLLM when there is one, else the simulated one; always said aloud.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Exit, ModelName};

use super::stage::Stage;
use crate::{
    cli::{QuickstartArgs, QuickstartEngine},
    error::CommandError,
};

/// The engine and the model of this run.
#[derive(Debug)]
pub(crate) enum Choice {
    /// A real vLLM at this path with the model in this folder.
    Vllm {
        program: Utf8PathBuf,
        folder: Utf8PathBuf,
        model: ModelName,
    },
    /// The simulated engine with a model folder of a few made-up files.
    Simulated { model: ModelName, why: &'static str },
}

/// Decides, or says what is missing.
pub(super) fn choose(args: &QuickstartArgs) -> Result<Choice, CommandError> {
    let program = args.vllm.clone().or_else(on_path);
    match (args.engine, program, &args.model) {
        (QuickstartEngine::Simulated, _, None) => simulated("you asked for it"),
        (QuickstartEngine::Simulated, _, Some(_)) => Err(CommandError::usage(
            "the simulated engine has no use for --model: it reads no weights",
        )),
        (QuickstartEngine::Vllm, None, _) => {
            Err(CommandError::new(Exit::NotFound, "no vLLM on the PATH")
                .hint("say where it is: --vllm FILE")
                .hint("or fetch one for the CPU: tests/scripts/real-vllm.sh"))
        }
        (QuickstartEngine::Vllm, Some(_), None) => {
            Err(CommandError::usage("a real vLLM needs a model").hint("say which: --model DIR"))
        }
        (_, Some(program), Some(folder)) => real(&program, folder),
        (QuickstartEngine::Auto, None, Some(_)) => Err(CommandError::new(
            Exit::NotFound,
            "--model was given, but no vLLM is on the PATH",
        )
        .hint("say where it is: --vllm FILE")),
        (QuickstartEngine::Auto, None, None) => simulated("no vLLM was found on the PATH"),
        (QuickstartEngine::Auto, Some(_), None) => {
            simulated("a vLLM was found, but no model was given with --model")
        }
    }
}

fn simulated(why: &'static str) -> Result<Choice, CommandError> {
    let model = "rehearsal"
        .parse()
        .map_err(|error| CommandError::new(Exit::Bug, error))?;
    Ok(Choice::Simulated { model, why })
}

fn real(program: &Utf8Path, folder: &Utf8Path) -> Result<Choice, CommandError> {
    let folder = folder.canonicalize_utf8()?;
    if !folder.join("config.json").is_file() {
        return Err(
            CommandError::new(Exit::NotFound, format!("{folder} has no config.json"))
                .hint("--model wants a folder with safetensors, config.json and a tokenizer"),
        );
    }
    let model = folder
        .file_name()
        .unwrap_or("model")
        .parse()
        .map_err(|error: maas_types::NameError| CommandError::usage(error.to_string()))?;
    Ok(Choice::Vllm {
        program: program.canonicalize_utf8()?,
        folder,
        model,
    })
}

/// `vllm` on the PATH.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is where the environment is read"
)]
fn on_path() -> Option<Utf8PathBuf> {
    let path = std::env::var("PATH").ok()?;
    path.split(':')
        .map(|folder| Utf8Path::new(folder).join("vllm"))
        .find(|file| file.is_file())
}

impl Choice {
    /// What clients ask for.
    pub(super) fn model(&self) -> &ModelName {
        match self {
            Self::Vllm { model, .. } | Self::Simulated { model, .. } => model,
        }
    }

    /// Says plainly what will answer.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Vllm {
                program, folder, ..
            } => {
                format!("Engine: the real vLLM at {program}, with the model in {folder}.")
            }
            Self::Simulated { why, .. } => format!(
                "Engine: SIMULATED, because {why}. It speaks vLLM's HTTP and knows nothing; \
                 everything else on this road is real."
            ),
        }
    }

    /// How long the engine may take to its first token. A cold vLLM on two CPU cores was seen to
    /// take 214 s.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Vllm { .. } => Duration::from_mins(15),
            Self::Simulated { .. } => Duration::from_mins(1),
        }
    }

    /// The host's configuration.
    pub(super) fn config(&self, stage: &Stage) -> String {
        let port = stage.port();
        let (kind, vllm) = match self {
            Self::Vllm { program, .. } => ("vllm", format!("vllm = \"{program}\"\n")),
            Self::Simulated { .. } => (
                "simulated",
                "simulate = \"load=1s,first_token=60ms,token=15ms\"\n".to_owned(),
            ),
        };
        format!(
            "[site]\nnames = [\"localhost\"]\naddresses = [\"127.0.0.1\"]\n\n\
             [gateway]\nlisten = \"127.0.0.1:{port}\"\n\n\
             [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n\n\
             [engines]\nkind = \"{kind}\"\n{vllm}",
            metrics = stage.metrics_port(),
        )
    }
}
