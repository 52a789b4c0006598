//! The verbs that run one engine: its shim, the process that becomes it, and the simulated one.

use camino::Utf8PathBuf;
use maas_simulator::SimulatedEnv;
use maas_supervisor::{EngineStatus, Phase, Progress, Reply, SIMULATED_VERB};
use maas_types::{Exit, Layout};

use crate::{
    cli::EngineShimArgs,
    error::{CommandError, CommandResult},
    notify, output,
};

/// `engine-shim SPEC`
pub(in crate::command) async fn shim(args: &EngineShimArgs) -> CommandResult {
    Ok(maas_supervisor::shim(&args.spec, Box::new(tell)).await)
}

/// To systemd an engine is ready when it is so to us: after one real token.
fn tell(status: &EngineStatus) {
    match status.phase {
        Phase::Starting => {
            let Progress { stage, percent } = status.progress;
            notify::status(&format!("{} ({percent} %)", stage.as_str()));
        }
        Phase::Ready => notify::ready("answers"),
        Phase::Draining => notify::stopping(),
        Phase::Ending => notify::status("removing what is left"),
        Phase::Ended => {}
    }
}

/// `engine-launcher`: one question on stdin, one answer on stdout, both of them the socket's.
pub(in crate::command) fn launcher(layout: &Layout) -> CommandResult {
    let reply =
        maas_supervisor::answer_launch(layout, std::io::stdin().lock(), &std::thread::sleep);
    let line = serde_json::to_string(&reply)
        .map_err(|error| CommandError::new(Exit::Bug, error.to_string()))?;
    output::data(&format!("{line}\n"));
    Ok(match reply {
        Reply::Failed { detail } => {
            tracing::error!("{detail}");
            Exit::Failed
        }
        Reply::Started { .. } | Reply::Told | Reply::Left { .. } => Exit::Done,
    })
}

/// `simulated-engine …`
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is where the environment is read"
)]
pub(in crate::command) async fn simulated(
    argv: Vec<String>,
    executable: Utf8PathBuf,
) -> CommandResult {
    let environment = SimulatedEnv {
        executable,
        verb: vec![SIMULATED_VERB.to_owned()],
        simulate: std::env::var("MAAS_SIMULATE").ok(),
    };
    Ok(maas_simulator::run(argv, environment).await)
}
