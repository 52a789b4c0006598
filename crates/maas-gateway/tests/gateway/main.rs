//! The gateway over TLS, with simulated engines on Unix sockets and a registry in a folder.
#![cfg(test)]

mod administration;
mod bad_input;
mod engines;
mod limits;
mod models;
mod routes;
mod seeing;
mod shutdown;
mod streams;
mod support;
mod wire;
