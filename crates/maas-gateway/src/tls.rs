//! TLS towards clients: 1.3 and 1.2, HTTP/2 and HTTP/1.1 by ALPN, the whole chain from the files.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{GatewayError, TlsFiles};

/// Reads chain and key and makes the server's configuration of them.
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, GatewayError> {
    let unreadable = |path: &camino::Utf8Path| {
        let path = path.to_owned();
        move |source| GatewayError::TlsFile { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&files.chain))?;
    if chain.is_empty() {
        return Err(GatewayError::NoCertificate {
            path: files.chain.clone(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;

    let refused = |source| GatewayError::TlsPair {
        chain: files.chain.clone(),
        key: files.key.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
