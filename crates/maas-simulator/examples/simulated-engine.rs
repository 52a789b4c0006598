//! The simulated engine on its own: `simulated-engine MODEL_DIR --served-model-name NAME --uds PATH`.
//! The tests of the process tree run it; the product has it as `maas-appliance simulated-engine`.

use std::process::ExitCode;

use maas_simulator::{SimulatedEnv, run};

#[tokio::main]
#[expect(
    clippy::disallowed_methods,
    reason = "an executable reads its environment, once"
)]
async fn main() -> ExitCode {
    let executable = std::env::current_exe()
        .ok()
        .and_then(|path| path.try_into().ok());
    let Some(executable) = executable else {
        return ExitCode::FAILURE;
    };
    let simulate = std::env::var("MAAS_SIMULATE").ok();
    let env = SimulatedEnv {
        executable,
        verb: Vec::new(),
        simulate,
    };
    let args = std::env::args().skip(1).collect();
    ExitCode::from(run(args, env).await.code())
}
