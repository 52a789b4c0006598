//! The stages of a request, each with the one type that the next one takes.

pub(crate) mod admit;
pub(crate) mod answer;
pub(crate) mod arrive;
pub(crate) mod forward;
pub(crate) mod identify;
pub(crate) mod models;
pub(crate) mod read;
pub(crate) mod relay;
pub(crate) mod settle;
