//! The scenario file. The crate's page describes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{abi::Code, exports::FUNCTIONS};

/// Stands for every function of a GPU.
pub(crate) const EVERY_FUNCTION: &str = "*";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) driver: String,
    pub(crate) cuda: i32,
    #[serde(default)]
    pub(crate) returns: BTreeMap<String, Code>,
    #[serde(default)]
    pub(crate) block: Vec<String>,
    pub(crate) gpus: Vec<Gpu>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gpu {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) pci_bus_id: String,
    pub(crate) memory_total: u64,
    #[serde(default)]
    pub(crate) memory_used: u64,
    #[serde(default)]
    pub(crate) processes: Vec<Process>,
    pub(crate) utilization_percent: Option<u32>,
    pub(crate) temperature_celsius: Option<u32>,
    pub(crate) power_milliwatts: Option<u32>,
    pub(crate) ecc: Option<Ecc>,
    #[serde(default)]
    pub(crate) xids: Vec<u64>,
    #[serde(default)]
    pub(crate) returns: BTreeMap<String, Code>,
    #[serde(default)]
    pub(crate) block: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) memory_used: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ecc {
    pub(crate) corrected: u64,
    pub(crate) uncorrected: u64,
}

/// `00000000:3B:00.0` in parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PciAddress {
    pub(crate) domain: u32,
    pub(crate) bus: u32,
    pub(crate) device: u32,
}

impl Scenario {
    /// Reads a scenario, or says in words what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut named: Vec<&str> = Vec::new();
        named.extend(scenario.block.iter().map(String::as_str));
        named.extend(scenario.returns.keys().map(String::as_str));
        for gpu in &scenario.gpus {
            if PciAddress::parse(&gpu.pci_bus_id).is_none() {
                return Err(format!(
                    "`{}` is not like `00000000:3B:00.0`",
                    gpu.pci_bus_id
                ));
            }
            named.extend(gpu.block.iter().map(String::as_str));
            let returns = gpu.returns.keys().map(String::as_str);
            named.extend(returns.filter(|function| *function != EVERY_FUNCTION));
        }
        match named.into_iter().find(|name| !FUNCTIONS.contains(name)) {
            Some(name) => Err(format!("the fake has no function `{name}`")),
            None => Ok(scenario),
        }
    }

    pub(crate) fn gpu(&self, uuid: &str) -> Option<&Gpu> {
        self.gpus.iter().find(|gpu| gpu.uuid == uuid)
    }

    pub(crate) fn blocks(&self, function: &str) -> bool {
        self.block.iter().any(|blocked| blocked == function)
    }

    /// What the scenario makes `function` answer, if it says so.
    pub(crate) fn fault(&self, function: &str) -> Result<(), Code> {
        self.returns.get(function).map_or(Ok(()), |code| Err(*code))
    }
}

impl Gpu {
    pub(crate) fn blocks(&self, function: &str) -> bool {
        self.block.iter().any(|blocked| blocked == function)
    }

    /// What the scenario makes `function` answer for this GPU, if it says so.
    pub(crate) fn fault(&self, function: &str) -> Result<(), Code> {
        let named = self.returns.get(function);
        let code = named.or_else(|| self.returns.get(EVERY_FUNCTION));
        code.map_or(Ok(()), |code| Err(*code))
    }
}

impl PciAddress {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (domain, bus, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (device, function) = rest.split_once('.')?;
        let hex = |text: &str, digits: usize| {
            (text.len() == digits)
                .then(|| u32::from_str_radix(text, 16).ok())
                .flatten()
        };
        hex(function, 1)?;
        let address = Self {
            domain: hex(domain, 8)?,
            bus: hex(bus, 2)?,
            device: hex(device, 2)?,
        };
        parts.next().is_none().then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"driver":"580.95.05","cuda":13000,"gpus":[{
        "uuid":"GPU-0","name":"H100","pci_bus_id":"00000000:3B:00.0","memory_total":1}]}"#;

    fn refused(changed: &str) -> String {
        assert_ne!(changed, ONE, "nothing was changed");
        Scenario::parse(changed).unwrap_err()
    }

    #[test]
    fn what_the_fake_does_not_know_is_refused() {
        Scenario::parse(ONE).unwrap();
        let key = refused(&ONE.replace("\"cuda\"", "\"temprature\":1,\"cuda\""));
        assert!(key.contains("unknown field `temprature`"), "{key}");
        let gpu_key = refused(&ONE.replace("\"name\"", "\"temp\":1,\"name\""));
        assert!(gpu_key.contains("unknown field `temp`"), "{gpu_key}");
        let function = refused(&ONE.replace("\"cuda\"", "\"block\":[\"nvmlTypo\"],\"cuda\""));
        assert_eq!(function, "the fake has no function `nvmlTypo`");
        let code = refused(&ONE.replace(
            "\"name\"",
            "\"returns\":{\"nvmlDeviceGetName\":\"LOST\"},\"name\"",
        ));
        assert!(code.contains("unknown variant `LOST`"), "{code}");
        let bus = refused(&ONE.replace("00000000:3B:00.0", "3B:00.0"));
        assert_eq!(bus, "`3B:00.0` is not like `00000000:3B:00.0`");
    }

    #[test]
    fn the_shipped_scenarios_are_valid() {
        for text in [
            include_str!("../scenarios/eight-h100.json"),
            include_str!("../scenarios/one-lost.json"),
            include_str!("../scenarios/blocked.json"),
        ] {
            Scenario::parse(text).unwrap();
        }
    }

    #[test]
    fn the_example_on_the_crate_page_is_valid() {
        let page = include_str!("lib.rs");
        let example: String = page
            .lines()
            .skip_while(|line| *line != "//! ```json")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!"))
            .collect();
        assert_eq!(Scenario::parse(&example).unwrap().gpus.len(), 1);
    }
}
