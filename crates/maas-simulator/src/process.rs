//! The process tree of a real vLLM: the API process, its child `VLLM::EngineCore`, and that one's
//! child `VLLM::Worker`, in one process group.
//!
//! Each child gets one end of a socket pair as its standard input. What kills or stops a process of
//! the tree does here what it was recorded to do there.

use std::{
    ffi::CStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdUnixStream,
    },
    process::Stdio,
    time::Duration,
};

use camino::Utf8Path;
use maas_types::Exit;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use crate::{
    Clock, Log, SimulatedEnv,
    core::{self, CoreEnd},
    log::To,
};

/// The hidden first argument of a child.
const ROLE: &str = "--simulated-role";

/// A core whose API process was killed lives on, as a real one does; but not for ever, since a test
/// that forgets one must not leave it on the machine.
const ORPHANED: Duration = Duration::from_mins(10);

/// A core that is told to stop leaves its API process this long to end what is in flight.
const TERMINATED: Duration = Duration::from_secs(2);

/// Starts a core and gives the socket to it.
pub(crate) fn start_core(env: &SimulatedEnv, max_num_seqs: u64) -> io::Result<(UnixStream, Child)> {
    let max = max_num_seqs.to_string();
    spawn(env, "VLLM::EngineCore", &["core", &max])
}

/// Does a child's work, if these are a child's arguments.
pub(crate) async fn role(args: &[String], env: &SimulatedEnv) -> Option<Exit> {
    let [role, rest @ ..] = args else { return None };
    if role != ROLE {
        return None;
    }
    let done = match rest {
        [role, max] if role == "core" => match max.parse() {
            Ok(max) => as_core(env, max).await,
            Err(_) => return Some(Exit::Usage),
        },
        [role] if role == "worker" => as_worker().await,
        _ => return Some(Exit::Usage),
    };
    Some(done.unwrap_or(Exit::Failed))
}

async fn as_core(env: &SimulatedEnv, max_num_seqs: u64) -> io::Result<Exit> {
    name(c"VLLM::EngineCore")?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Ctrl-C goes to the whole group; the API process decides.
    let _interrupt = signal(SignalKind::interrupt())?;
    let link = link()?;
    let (to_worker, child) = spawn(env, "VLLM::Worker", &["worker"])?;
    let pid = child.id().unwrap_or(0);
    let mut worker = Some((to_worker, pid));
    let end = tokio::select! {
        end = core::serve(link, &mut worker, max_num_seqs) => end,
        () = async { terminate.recv().await; tokio::time::sleep(TERMINATED).await } => CoreEnd::Told,
    };
    if end == CoreEnd::ApiGone {
        // Orphaned: it still ignores SIGTERM, as recorded, and keeps its worker.
        tokio::time::sleep(ORPHANED).await;
    }
    Ok(Exit::Failed)
}

/// Echoes each step until the core has gone.
async fn as_worker() -> io::Result<Exit> {
    name(c"VLLM::Worker")?;
    // The core ends it, by going.
    let _terminate = signal(SignalKind::terminate())?;
    let _interrupt = signal(SignalKind::interrupt())?;
    let mut link = link()?;
    let mut step = [0];
    while link.read_exact(&mut step).await.is_ok() && link.write_all(&step).await.is_ok() {}
    let now = Clock::SYSTEM.now().strftime("%m-%d %H:%M:%S");
    let pid = std::process::id();
    let line = format!(
        "(Worker pid={pid}) INFO {now} [multiproc_executor.py:843] Parent process exited, \
         terminating worker queues"
    );
    Log::process().line(To::Stdout, &line);
    Ok(Exit::Done)
}

/// What `ps` and `/proc/PID/comm` show; the kernel cuts it to 15 bytes.
fn name(name: &CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

/// The socket that the parent gave as standard input.
fn link() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = StdUnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Starts this executable in a role, under the name that vLLM's process has.
fn spawn(env: &SimulatedEnv, name: &str, role: &[&str]) -> io::Result<(UnixStream, Child)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = command(&env.executable)
        .arg0(name)
        .args(&env.verb)
        .arg(ROLE)
        .args(role)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    Ok((UnixStream::from_std(ours)?, child))
}

#[expect(clippy::disallowed_methods, reason = "the crate's one spawning seam")]
fn command(executable: &Utf8Path) -> Command {
    Command::new(executable)
}
