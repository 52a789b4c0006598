//! Whole machines, from small text files to findings.

mod fixture;
mod hostile;
mod hosts;
mod machines;

use super::*;
use camino::Utf8Path;

#[test]
fn the_reference_page_is_what_the_table_says() {
    let page = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/findings.md");
    let written = fs_err::read_to_string(&page).unwrap_or_default();
    let unpacked = reference();
    assert!(
        written == unpacked,
        "docs/reference/findings.md is not what maas_host::reference() says; it says:\n{unpacked}"
    );
}

/// The kernel's own tables, rather than ours: a socket of this very process.
#[test]
fn a_port_that_this_process_has_is_found_with_its_process() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut wants = Wants::least("/var/lib/maas-appliance", now);
    wants.ports = vec![socket.local_addr().unwrap().port()];
    let net = Machine::look("/".into(), &wants, now).net;
    let listeners = net.listeners.unwrap();
    let pids: Vec<_> = listeners.iter().map(|listener| listener.pid).collect();
    assert_eq!(pids, [Some(std::process::id())]);
}

/// Not a fixture: the host that the test runs on, with whatever it lacks.
#[test]
fn this_very_host_can_be_looked_at() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let wants = Wants::least(
        "/var/lib/maas-appliance",
        "2026-11-01T00:00:00Z".parse().unwrap(),
    );
    let machine = Machine::look("/".into(), &wants, now);
    assert!(machine.kernel.version.is_some());
    assert!(machine.memory.total > Some(0) && machine.cpu.processors > 0);
    assert!(machine.disk.mount.is_some() && machine.disk.total_bytes > Some(0));
    assert!(!findings(&machine, &wants).is_empty());
    serde_json::to_string(&machine).unwrap();
}
