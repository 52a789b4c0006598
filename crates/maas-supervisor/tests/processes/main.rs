//! Real processes: shims, engines, kills. The engine is `examples/fake_engine.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod adoption;
mod deaths;
mod house;
mod placing;
mod starting;
mod stopping;
