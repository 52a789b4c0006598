//! The last step before an engine: tie its life to the shim's, then become it.

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
};

use maas_types::Exit;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::spawn;

/// Becomes `program`, which the kernel kills when the process `parent`, our parent, dies. For the
/// hidden verb [`EXEC_VERB`](crate::EXEC_VERB); comes back only if it fails, and has then said why
/// on standard error, which is the engine's log.
///
/// A process of its own because the setting belongs to a process and is kept across `exec`: in
/// Rust, code between fork and exec is unsafe.
pub fn engine_exec(parent: u32, program: &OsStr, args: &[OsString]) -> Exit {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        let line = format!("maas-appliance: error: {what}: {error}\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
        Exit::Failed
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed("cannot tie the engine's life to its shim's", &error);
    }
    // The shim may have died before the line above; then nobody is left to kill us.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if now != Some(parent) {
        return failed("the shim is gone", &parent);
    }
    let error = spawn::replace(program, args);
    failed(
        &format!("cannot execute `{}`", program.to_string_lossy()),
        &error,
    )
}
