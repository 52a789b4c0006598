//! `config check` and `config example`.

use maas_types::{EngineKind, Exit, Layout};

use crate::{
    cli::ConfigCommand,
    config::{self, Device},
    error::CommandResult,
    output,
};

/// Does what `config …` says.
pub(super) fn run(command: &ConfigCommand, layout: &Layout) -> CommandResult {
    match command {
        ConfigCommand::Example => output::data(config::EXAMPLE),
        ConfigCommand::Check => {
            let config = super::config(layout)?;
            let addresses: Vec<_> = config
                .site
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect();
            let kind = match config.engines.kind {
                EngineKind::Vllm => format!("vllm, {}", config.engines.vllm),
                EngineKind::Simulated => "simulated".to_owned(),
            };
            let device = match config.engines.device {
                Device::Auto => "GPUs where there are some, else the CPU",
                Device::Cpu => "the CPU",
                Device::Gpu => "GPUs only",
            };
            let file = layout.config();
            let found = if file.exists() {
                ""
            } else {
                " (not there: defaults)"
            };
            output::data(&format!(
                "file       {file}{found}\nendpoint   {}  ({})\nnames      {}\naddresses  {}\n\
                 metrics    http://{}/metrics\nengines    {kind}, on {device}\n",
                config.url(),
                config.gateway,
                config.site.names.join(", "),
                addresses.join(", "),
                config.metrics,
            ));
        }
    }
    Ok(Exit::Done)
}
