//! The names of running processes.

use crate::tree::Tree;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: u32,
    /// Its name, which the kernel cuts to 15 bytes and which the process may have chosen.
    pub(crate) name: String,
}

/// Every process that can be seen.
pub(crate) fn processes(tree: &Tree<'_>) -> Vec<Process> {
    tree.names("/proc")
        .iter()
        .filter_map(|name| {
            let pid = name.parse().ok()?;
            let name = tree.word(format!("/proc/{pid}/comm"))?;
            Some(Process { pid, name })
        })
        .collect()
}

/// Whether a program runs; its name may be longer than what the kernel keeps.
pub(crate) fn is_running(running: &[Process], program: &str) -> bool {
    let kept = program.get(..15).unwrap_or(program);
    running.iter().any(|process| process.name == kept)
}
