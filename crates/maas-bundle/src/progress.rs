//! How a long operation says where it is, without knowing who listens.

/// Hears how far a long operation has come. Called from the thread that works; keep it short.
pub trait Progress: Send + Sync {
    /// A phase starts; `total` bytes lie ahead in it.
    fn start(&self, phase: Phase, total: u64);

    /// So many more bytes are done in the current phase.
    fn advance(&self, bytes: u64);
}

/// What a long operation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reading and hashing the inputs of a bundle.
    HashInputs,
    /// Writing a bundle, and hashing what is written.
    Write,
    /// Reading a medium and comparing every byte with the signed digests.
    Verify,
    /// Copying a bundle to other volumes.
    Copy,
}

impl Phase {
    /// The word for people and for JSON events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HashInputs => "hash inputs",
            Self::Write => "write",
            Self::Verify => "verify",
            Self::Copy => "copy",
        }
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _phase: Phase, _total: u64) {}

    fn advance(&self, _bytes: u64) {}
}
