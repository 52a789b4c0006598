//! The crate's one seam for starting processes: a shim, and the engine below it.

use std::{
    io::{self, PipeWriter},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use camino::Utf8Path;
use fs_err as fs;
use maas_types::EngineId;

use crate::{
    argv::{ID_VARIABLE, SPEC_VARIABLE},
    process::ProcessId,
    settings::{EXEC_VERB, SHIM_VERB},
    spec::EngineSpec,
};

/// Starts the shim of the engine whose spec is at `spec`; what it says goes to `log`.
///
/// It inherits nothing but the two variables by which it is found. Nobody waits for it here: its
/// death is seen, and its zombie removed, by [`ProcessId::gone`].
pub(crate) fn shim(
    appliance: &Utf8Path,
    id: &EngineId,
    spec: &Utf8Path,
    log: &Utf8Path,
) -> io::Result<ProcessId> {
    let log = fs::File::create(log)?.into_parts().0;
    let mut command = command(appliance.as_str());
    command
        .args([SHIM_VERB, spec.as_str()])
        .env_clear()
        .env(ID_VARIABLE, id.as_str())
        .env(SPEC_VARIABLE, spec.as_str())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    started(&mut command)
}

/// Starts the engine in a process group of its own, below [`engine_exec`](crate::engine_exec), so
/// that it dies with the calling thread. That thread must be one that lives as long as the shim.
pub(crate) fn engine(
    spec: &EngineSpec,
    spec_path: &Utf8Path,
    output: PipeWriter,
) -> io::Result<ProcessId> {
    // Our own executable even if a newer one has taken its name since.
    let mut command = command("/proc/self/exe");
    command
        .arg(EXEC_VERB)
        .arg(std::process::id().to_string())
        .arg(&spec.program)
        .args(&spec.args)
        .env_clear()
        .envs(&spec.env)
        .env(ID_VARIABLE, spec.id.as_str())
        .env(SPEC_VARIABLE, spec_path.as_str())
        .current_dir(&spec.cache)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    started(&mut command)
}

/// Runs a program of the host to its end, without our environment.
pub(crate) fn output(program: &str, words: &[&str]) -> io::Result<std::process::Output> {
    command(program)
        .args(words)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
}

fn started(command: &mut Command) -> io::Result<ProcessId> {
    let pid = command.spawn()?.id();
    // Not yet waited for, so even a dead one still has its entry in /proc.
    ProcessId::of(pid).ok_or_else(|| io::Error::other(format!("process {pid} is not in /proc")))
}

#[expect(clippy::disallowed_methods, reason = "this is the seam")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// Replaces this process by `program`. Comes back only if that fails.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub(crate) fn replace(program: &std::ffi::OsStr, args: &[std::ffi::OsString]) -> io::Error {
    Command::new(program).args(args).exec()
}
