//! A small HTTPS client that trusts one CA and nothing else: what a developer's machine does.

use std::sync::Arc;

use bytes::Bytes;
use camino::Utf8Path;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use maas_types::Exit;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use crate::error::CommandError;

/// The endpoint, the CA and the key.
pub(super) struct HttpsClient {
    port: u16,
    tls: TlsConnector,
    key: String,
}

impl std::fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpsClient")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CommandError {
    CommandError::new(Exit::Failed, error)
}

impl HttpsClient {
    /// A client for `https://localhost:PORT` that trusts the certificates in `ca` only.
    pub(super) fn new(port: u16, ca: &Utf8Path, key: &str) -> Result<Self, CommandError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&fs_err::read(ca)?) {
            roots.add(certificate.map_err(failed)?).map_err(failed)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
        Ok(Self {
            port,
            tls: TlsConnector::from(Arc::new(config)),
            key: key.to_owned(),
        })
    }

    /// Posts a JSON body and returns status and JSON of the answer.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), CommandError> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("localhost").map_err(failed)?;
        let stream = self.tls.connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(failed)?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(failed)?
            .to_bytes();
        Ok((status, serde_json::from_slice(&bytes).map_err(failed)?))
    }
}
