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
