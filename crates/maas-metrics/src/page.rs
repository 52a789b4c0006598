//! The page: all sources, one body, a stable order.

use jiff::Timestamp;
use maas_types::{EngineTable, GpuInventory};

use crate::{EngineScrape, GatewayMetrics, engines, exposition::Exposition, gpus, relay};

/// The `Content-Type` of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a page is made from. What is not there leaves its families out: absent is not zero.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The gateway's own counting.
    pub gateway: Option<&'a GatewayMetrics>,
    /// The supervisor's table.
    pub engines: Option<&'a EngineTable>,
    /// The GPU agent's facts.
    pub gpus: Option<&'a GpuInventory>,
    /// The engines' own pages, in the order of the table.
    pub scrapes: &'a [EngineScrape<'a>],
    /// The time at which the page is made.
    pub now: Timestamp,
}

/// Makes the page.
pub fn render(sources: &Sources<'_>) -> String {
    let mut page = Exposition::default();
    if let Some(gateway) = sources.gateway {
        gateway.write(&mut page);
    }
    if let Some(table) = sources.engines {
        engines::write(&mut page, table, sources.now);
    }
    if let Some(inventory) = sources.gpus {
        gpus::write(&mut page, inventory);
    }
    relay::write(&mut page, sources.scrapes);
    page.finish()
}

#[cfg(test)]
mod tests;
