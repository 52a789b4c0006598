//! `gpu list`: what the agent last heard from NVML.

use maas_types::{ByteSize, Exit, Gpu, GpuInventory, Layout, NvmlHealth};

use super::lookup::published;
use crate::{
    cli::GpuCommand,
    error::{CommandError, CommandResult},
    output,
};

/// Does what `gpu …` says.
pub(super) fn run(command: &GpuCommand, layout: &Layout) -> CommandResult {
    let GpuCommand::List(json) = command;
    let inventory: GpuInventory = published(&layout.gpu_inventory())?.ok_or_else(|| {
        CommandError::new(Exit::Down, "the GPU agent has not published anything yet")
            .hint("systemctl status maas-gpu-agent")
    })?;
    match json.format() {
        output::Format::Json => output::json(&inventory)?,
        output::Format::Text => output::data(&text(&inventory)),
    }
    Ok(Exit::Done)
}

fn text(inventory: &GpuInventory) -> String {
    let health = match &inventory.nvml {
        NvmlHealth::Answering => String::new(),
        NvmlHealth::Absent { detail } => return format!("no GPUs: {detail}\n"),
        NvmlHealth::Blocked { call, since } => {
            format!("NVML has not come back from {call} since {since}; what follows is old\n")
        }
        NvmlHealth::Failing { detail } => format!("NVML fails: {detail}; what follows is old\n"),
    };
    let table = output::columns(
        ["GPU", "NAME", "UUID", "MEMORY", "UTIL", "TEMP", "XID"],
        0..0,
        inventory.gpus.iter().map(row),
    );
    let driver = inventory.driver.as_deref().unwrap_or("unknown");
    let mut text = format!("{health}driver {driver}\n{table}");
    for gpu in &inventory.unidentified {
        text.extend(["WARN  ", gpu, "\n"]);
    }
    text
}

fn row(gpu: &Gpu) -> [String; 7] {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [
        gpu.index.to_string(),
        gpu.name.clone(),
        gpu.uuid.to_string(),
        format!(
            "{} of {}",
            ByteSize(gpu.memory_used),
            ByteSize(gpu.memory_total)
        ),
        or_dash(gpu.utilization_percent.map(|percent| format!("{percent}%"))),
        or_dash(gpu.temperature_celsius.map(|celsius| format!("{celsius}C"))),
        or_dash(gpu.xids.last().map(|event| event.xid.to_string())),
    ]
}
