//! Logs of the services: structured, on stderr, one line an event.
//!
//! A terminal gets text, everything else (journald, a file) gets JSON. Nothing that is secret or
//! that a person wrote to a model is ever passed to `tracing` in the first place.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise: our own crates in full, libraries only when they warn.
const DEFAULT_FILTER: &str = "warn,maas_appliance=info,maas_gateway=info,maas_supervisor=info,\
                              maas_gpu=info,maas_keys=info,maas_store=info,maas_install=info";

/// Starts logging. `filter` is the text of `--log`, in the syntax of `tracing`'s `EnvFilter`.
pub(crate) fn start(filter: Option<&str>) {
    let filter = EnvFilter::new(filter.unwrap_or(DEFAULT_FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        subscriber.with_target(false).init();
    } else {
        subscriber
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .init();
    }
}
