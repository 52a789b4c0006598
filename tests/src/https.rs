//! A blocking HTTPS client that trusts one CA: small, and independent of the code under test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use camino::Utf8Path;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;

use crate::PATIENCE;

/// The endpoint of a host under test.
#[derive(Debug, Clone)]
pub struct Https {
    port: u16,
    config: Arc<ClientConfig>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header lines as they came.
    pub headers: Vec<String>,
    /// The body, chunks joined.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// An answer that is still coming.
pub struct Streaming {
    reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    /// HTTP status.
    pub status: u16,
    headers: Vec<String>,
    /// Whether a line was read.
    begun: bool,
}

impl std::fmt::Debug for Streaming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Https {
    /// A client for `https://localhost:PORT` that trusts the certificates in `ca`.
    pub fn new(port: u16, ca: &Utf8Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&std::fs::read(ca).unwrap()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            port,
            config: Arc::new(config),
        }
    }

    /// Sends a request and returns when the head of the answer is there.
    pub fn open(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &str,
    ) -> std::io::Result<Streaming> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let connection =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines[0]
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        Ok(Streaming {
            reader,
            status,
            headers: lines.split_off(1),
            begun: false,
        })
    }

    /// Sends a request and reads the whole answer.
    pub fn call(&self, method: &str, path: &str, key: &str, body: &str) -> std::io::Result<Answer> {
        self.open(method, path, key, body)?.finish()
    }

    /// Posts JSON.
    #[track_caller]
    pub fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call("POST", path, key, &body.to_string()).unwrap()
    }
}

impl Streaming {
    /// The next line of the body that is not empty and no chunk size; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        self.begun = true;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let text = line.trim();
            if text.starts_with("data:") || text.starts_with("event:") || text.starts_with(':') {
                return Some(text.to_owned());
            }
        }
    }

    /// The rest of the answer; with the sizes of its chunks once a line was read.
    pub fn finish(mut self) -> std::io::Result<Answer> {
        let mut bytes = Vec::new();
        // A connection that is cut without TLS's goodbye still delivered what it delivered.
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let chunked = self
            .headers
            .iter()
            .any(|h| h.to_ascii_lowercase().replace(' ', "") == "transfer-encoding:chunked");
        // Within a chunk nobody knows where the next one begins.
        let body = if chunked && !self.begun {
            unchunk(&text)
        } else {
            text
        };
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body,
        })
    }
}

fn unchunk(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        let end = size.min(rest.len());
        body.push_str(&rest[..end]);
        text = rest[end..].trim_start_matches("\r\n");
    }
    body
}
