//! Bodies with vLLM's keys in vLLM's order, nulls included.
#![expect(clippy::struct_field_names, reason = "the keys are vLLM's")]

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod messages;
pub(crate) mod responses;
mod usage;

pub(crate) use self::usage::{ChunkUsage, Usage};
