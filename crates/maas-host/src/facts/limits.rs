//! What this process may use: `/proc/self/limits`.

use serde::Serialize;

use crate::tree::Tree;

/// Soft limits of this process; `u64::MAX` is none at all.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    /// Memory that may be kept from being swapped, bytes (`ulimit -l`).
    pub locked_bytes: Option<u64>,
    /// Open files (`ulimit -n`).
    pub open_files: Option<u64>,
}

impl Limits {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let text = tree.text("/proc/self/limits").unwrap_or_default();
        let soft = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            match line.split_ascii_whitespace().next()? {
                "unlimited" => Some(u64::MAX),
                number => number.parse().ok(),
            }
        };
        Self {
            locked_bytes: soft("Max locked memory"),
            open_files: soft("Max open files"),
        }
    }
}
