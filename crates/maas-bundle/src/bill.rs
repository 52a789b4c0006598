//! What a bill of lading must hold to, beyond its types.

use maas_types::Exit;

/// Why a bill of lading is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// This program is too old for the bundle.
    #[error("it needs `{feature}`, which this version does not know")]
    UnknownFeature {
        /// What is needed.
        feature: String,
    },
}

impl BillError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::UnknownFeature { .. } => Exit::HostCheck,
        }
    }
}
