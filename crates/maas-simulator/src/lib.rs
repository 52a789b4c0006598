//! A simulated inference engine: the HTTP of vLLM 0.32 as recorded, no model, failures on command.
//!
//! Tests, `quickstart` and a site's rehearsal without GPUs use the same one. It is named as
//! simulated wherever it answers: `owned_by`, `system_fingerprint`, `/version`, a response header
//! and the first words of every answer. [`run`] is the process, [`Simulator`] the same inside a
//! test.
//!
//! What is not simulated answers 404 as a route that a vLLM lacks: `/openapi.json` and its pages,
//! batch, render, derender, stored responses, scoring, reranking and pooling. Constrained decoding
//! (`response_format`), images and audio are accepted and do not change the answer.

mod answer;
mod app;
mod arguments;
mod chat;
mod completions;
mod connections;
mod core;
mod embeddings;
mod engine;
mod error;
mod faults;
mod frame;
mod job;
mod listen;
mod log;
mod logprobs;
mod messages;
mod metrics;
mod models;
mod prefix;
mod process;
mod prompt;
mod reply;
mod request;
mod responses;
mod routes;
mod run;
mod settings;
mod shutdown;
mod simulator;
mod start_log;
mod stream;
mod tokenize;
mod tokens;
mod wire;

pub use faults::{Behaviour, BehaviourError, Change, Failure, NextFailure};
pub use log::Log;
pub use run::{SimulatedEnv, run};
pub use settings::{Clock, Listen, Runner, Settings, Switch};
pub use simulator::{Simulator, SimulatorError};
