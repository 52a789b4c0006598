//! The gateway over TLS, with simulated engines on Unix sockets and a registry in a folder.
#![cfg(test)]

mod routes;
mod support;
