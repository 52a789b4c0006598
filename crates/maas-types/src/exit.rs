//! What the process tells the shell. Documented in `docs/reference/exit-codes.md`, which a test
//! generates from this table.

/// An exit code of `maas-appliance`. Scripts may rely on the numbers; they never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, or healthy.
    Done = 0,
    /// Failed for a reason that no other code names.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// `status`: something needs attention, requests are answered.
    Degraded = 3,
    /// `status`: nothing is answered.
    Down = 4,
    /// A host check failed; nothing was changed.
    HostCheck = 5,
    /// Not allowed: needs root, or a role that the caller lacks.
    NotAllowed = 6,
    /// No such thing.
    NotFound = 7,
    /// A signature is missing or wrong, or the signer is not trusted.
    Untrusted = 20,
    /// Content is wrong, missing or extra.
    Content = 21,
    /// Older than the floor, expired or replayed.
    Stale = 22,
    /// Refused by policy.
    Policy = 23,
    /// Waits for a second approval.
    Approval = 24,
    /// Not enough space; found out before the first write.
    NoSpace = 25,
    /// A medium is missing or failing.
    Medium = 26,
    /// The audit chain is broken.
    Audit = 30,
    /// Our bug; please report it.
    Bug = 70,
    /// Another operation holds the lock.
    Busy = 75,
    /// Interrupted; the same command continues.
    Interrupted = 130,
}

impl Exit {
    /// Every code, in order of number.
    pub const ALL: [Self; 19] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Degraded,
        Self::Down,
        Self::HostCheck,
        Self::NotAllowed,
        Self::NotFound,
        Self::Untrusted,
        Self::Content,
        Self::Stale,
        Self::Policy,
        Self::Approval,
        Self::NoSpace,
        Self::Medium,
        Self::Audit,
        Self::Bug,
        Self::Busy,
        Self::Interrupted,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// One line for the reference page and `help`.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, healthy",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::HostCheck => "host check failed, nothing changed",
            Self::NotAllowed => "not allowed",
            Self::NotFound => "not found",
            Self::Untrusted => "signature missing, wrong, or signer not trusted",
            Self::Content => "content wrong, missing or extra",
            Self::Stale => "older than the floor, expired or replayed",
            Self::Policy => "refused by policy",
            Self::Approval => "waits for a second approval",
            Self::NoSpace => "no space (checked before the first write)",
            Self::Medium => "medium missing or failing",
            Self::Audit => "audit chain broken",
            Self::Bug => "our bug",
            Self::Busy => "busy: another operation holds the lock",
            Self::Interrupted => "interrupted; the same command continues",
        }
    }
}
