//! Why the gateway does not start, or stops.

use std::{io, net::SocketAddr};

use camino::Utf8PathBuf;
use maas_types::Exit;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An address is taken, or not this host's.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A socket that was passed in does not work.
    #[error("cannot use the listening socket that was passed in")]
    Socket(#[source] io::Error),
    /// There is nothing to listen on.
    #[error("no address to listen on; `listen` is empty")]
    NoAddress,
    /// The administrative socket cannot be made.
    #[error("cannot listen on the administrative socket {path}")]
    AdminSocket {
        /// Its path.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another gateway answers on the administrative socket.
    #[error("another gateway is already running: it answers on {path}")]
    AlreadyRunning {
        /// The socket's path.
        path: Utf8PathBuf,
    },
    /// A certificate or key file cannot be read.
    #[error("cannot read the TLS file {path}")]
    TlsFile {
        /// The file.
        path: Utf8PathBuf,
        /// What was wrong with it.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The chain file holds no certificate.
    #[error("no certificate in {path} (want PEM, the server's own first, then the intermediates)")]
    NoCertificate {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The key does not fit the certificate, or TLS refuses one of them.
    #[error("the certificate in {chain} and the key in {key} do not work together")]
    TlsPair {
        /// The chain file.
        chain: Utf8PathBuf,
        /// The key file.
        key: Utf8PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// The engine table's folder cannot be made or watched.
    #[error("cannot watch {path} for the supervisor's table of engines")]
    EngineTable {
        /// The folder.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The usage ledger could not be written to the end.
    #[error("usage of the last requests may be missing from the ledger")]
    Flush(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl GatewayError {
    /// What the process exits with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::AlreadyRunning { .. } => Exit::Busy,
            Self::NoAddress => Exit::Usage,
            Self::Bind { .. }
            | Self::Socket(_)
            | Self::AdminSocket { .. }
            | Self::TlsFile { .. }
            | Self::NoCertificate { .. }
            | Self::TlsPair { .. }
            | Self::EngineTable { .. }
            | Self::Flush(_) => Exit::Failed,
        }
    }
}
