//! What the appliance says about itself in numbers: the page behind `:9464/metrics`.
//!
//! Four sources make one page in Prometheus' text format 0.0.4, always in the same order:
//!
//! | source | families | made by |
//! |---|---|---|
//! | the gateway's own counting | `maas_requests_total`, … | [`GatewayMetrics`] |
//! | the supervisor's table | `maas_engine_*`, `maas_generation_info` | [`EngineTable`](maas_types::EngineTable) |
//! | the GPU agent's facts | `maas_gpu_*`, `maas_nvml_*` | [`GpuInventory`](maas_types::GpuInventory) |
//! | each engine's own page | `vllm:*`, relayed | [`EngineScrape`] |
//!
//! Invariants: nothing here touches a file, a socket or a clock. A label value is an enum, a number
//! or a name that an administrator admitted; text of a caller never becomes a label. No family is
//! announced twice, whatever an engine sends. Every own metric stands in [`catalogue()`].
#![warn(missing_docs)]

mod catalogue;
mod engines;
mod exposition;
mod gateway;
mod gpus;
mod page;
mod relay;
#[cfg(test)]
mod strict;

pub use catalogue::{Definition, Kind, catalogue};
pub use gateway::{GatewayMetrics, InFlight, Refusal, Route, Settled};
pub use page::{CONTENT_TYPE, Sources, render};
pub use relay::{EngineScrape, MAX_SCRAPE_BYTES};
