//! The verbs that run one engine: its shim, the process that becomes it, and the simulated one.

use camino::Utf8PathBuf;
use maas_simulator::SimulatedEnv;
use maas_supervisor::SIMULATED_VERB;

use crate::{cli::EngineShimArgs, error::CommandResult};

/// `engine-shim SPEC`
pub(in crate::command) async fn shim(args: &EngineShimArgs) -> CommandResult {
    Ok(maas_supervisor::shim(&args.spec).await)
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
