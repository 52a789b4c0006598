//! The kinds of no.

use maas_types::Exit;

/// Why a signature did not say what was hoped for. Every error of this crate is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no signature. Ask the supplier to sign.
    NobodySigned,
    /// Somebody signed whom the trust settings do not name. Ask whether they should.
    NotTrusted,
    /// The signature and what it stands on do not belong together. Somebody changed one of them.
    WrongSignature,
    /// The signature says something that this version cannot judge.
    NotUnderstood,
    /// The signature is good, and for other content than what is shipped.
    OtherContent,
}

impl Refusal {
    /// The exit code that answers this.
    pub const fn exit(self) -> Exit {
        match self {
            Self::NobodySigned | Self::NotTrusted | Self::WrongSignature | Self::NotUnderstood => {
                Exit::Untrusted
            }
            Self::OtherContent => Exit::Content,
        }
    }
}
