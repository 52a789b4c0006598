//! Requests to servers: GET only, redirects followed by hand, every read bounded in time and size.
//!
//! Threats: a redirect that carries a token to another host or leads to plain HTTP, an answer without
//! end, a server that accepts and then says nothing, a certificate of somebody else. Defences: a token
//! goes to the origin that it was given for and, once an answer has led away, nowhere any more; plain
//! HTTP only to loopback addresses, or where the caller has said so, and never from HTTPS; documents
//! have a limit, chunks a deadline; certificates are checked against the machine's roots or the
//! caller's.

mod error;
mod patience;

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::time::timeout;

pub use self::error::WireError;
pub(crate) use self::patience::Patience;
use crate::Address;

/// A hub needs two (name of old to new, then the store of large files), a registry one.
const MOST_REDIRECTS: usize = 8;

/// A name server, a handshake or a first byte that takes longer will not come.
const SILENCE: Duration = Duration::from_mins(1);

/// Where plain HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// To this machine only.
    #[default]
    LoopbackOnly,
    /// ⚠️ To any host: tokens and passwords travel readable. Content stays safe, it is compared with
    /// digests, but the digests of a branch or tag then come from whoever sits between.
    InsecureAnywhere,
}

/// Whose certificates are believed.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// The machine's own (`/etc/ssl/certs`; `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise).
    #[default]
    System,
    /// These, in PEM, and no others: a site's own authority.
    Pem(Vec<u8>),
}

/// The way out: connections, kept open and used again.
#[derive(Clone)]
pub struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    plain: PlainHttp,
    has_roots: bool,
}

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) address: &'a Address,
    pub(crate) accept: &'a str,
    /// For the origin of `address` and no other.
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) resume: Option<Resume<'a>>,
}

/// From which byte on, and only if the server still has the same (RFC 9110, 13.1.5 and 14.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resume<'a> {
    pub(crate) from: u64,
    pub(crate) etag: Option<&'a str>,
}

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Who answered in the end.
    pub(crate) address: Address,
    /// Whether that is another origin than the one that was asked.
    elsewhere: bool,
    body: Incoming,
}

/// An answer that has been read whole.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) headers: HeaderMap,
    pub(crate) address: Address,
    pub(crate) bytes: Vec<u8>,
}

impl Wire {
    /// Opens nothing yet; fails only when the caller's own roots cannot be read.
    pub fn new(plain: PlainHttp, roots: &Roots) -> Result<Self, WireError> {
        let roots = read_roots(roots)?;
        let has_roots = !roots.is_empty();
        let tls = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(SILENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            plain,
            has_roots,
        })
    }

    /// How this client speaks plain HTTP.
    pub(crate) fn plain_http(&self) -> PlainHttp {
        self.plain
    }

    /// Asks, and follows where the answer leads.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, WireError> {
        let origin = ask.address.origin();
        let mut address = ask.address.clone();
        let mut at_home = true;
        for _ in 0..=MOST_REDIRECTS {
            self.allowed(&address)?;
            at_home &= address.origin() == origin;
            let authorization = ask.authorization.filter(|_| at_home);
            let response = self.once(&address, ask, authorization).await?;
            let Some(next) = led_to(&response, &address)? else {
                let elsewhere = address.origin() != origin;
                let (parts, body) = response.into_parts();
                return Ok(Answer {
                    status: parts.status,
                    headers: parts.headers,
                    address,
                    elsewhere,
                    body,
                });
            };
            if next.is_plain() && !address.is_plain() && self.plain == PlainHttp::LoopbackOnly {
                let why = format!("it leads from HTTPS to plain HTTP ({next})");
                return Err(WireError::redirect(&address, why));
            }
            address = next;
        }
        let why = format!("it is the {}th in a row", MOST_REDIRECTS + 1);
        Err(WireError::redirect(&address, why))
    }

    async fn once(
        &self,
        address: &Address,
        ask: &Ask<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, WireError> {
        let mut request = Request::get(address.uri())
            .header(header::USER_AGENT, "maas-fetch")
            .header(header::ACCEPT, ask.accept)
            // Digests are over the bytes as they are.
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(resume) = &ask.resume {
            request = request.header(header::RANGE, format!("bytes={}-", resume.from));
            if let Some(etag) = resume.etag {
                request = request.header(header::IF_RANGE, etag);
            }
        }
        let request = request.body(Empty::new());
        let request = request.expect("an address that was parsed, and ASCII headers");
        match timeout(SILENCE, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) => Err(WireError::Unreachable {
                address: address.to_string(),
                source,
            }),
            Err(_) => Err(WireError::silent(address)),
        }
    }

    fn allowed(&self, address: &Address) -> Result<(), WireError> {
        let address_text = || address.to_string();
        if !address.is_plain() && !self.has_roots {
            return Err(WireError::NoRoots {
                address: address_text(),
            });
        }
        if !address.is_plain() || address.is_loopback() || self.plain != PlainHttp::LoopbackOnly {
            return Ok(());
        }
        Err(WireError::Plain {
            address: address_text(),
        })
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

impl<'a> Ask<'a> {
    pub(crate) fn new(address: &'a Address, authorization: Option<&'a HeaderValue>) -> Self {
        Self {
            address,
            accept: "*/*",
            authorization,
            resume: None,
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, if its status is of the 2xx class.
    pub(crate) fn success(self) -> Result<Self, WireError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(WireError::status(&self))
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, WireError> {
        loop {
            match timeout(SILENCE, self.body.frame()).await {
                Err(_) => return Err(WireError::silent(&self.address)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(source))) => {
                    let address = self.address.to_string();
                    return Err(WireError::Broken { address, source });
                }
                // Trailers are no content.
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_trailers) => {}
                },
            }
        }
    }

    /// The whole body, which must not exceed `limit` bytes.
    pub(crate) async fn document(mut self, limit: usize) -> Result<Document, WireError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                let address = self.address.to_string();
                return Err(WireError::TooLong { address, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Document {
            headers: self.headers,
            address: self.address,
            bytes,
        })
    }
}

impl Document {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next page of a list (RFC 8288): hubs and registries page with `Link: <…>; rel="next"`.
    pub(crate) fn next_page(&self) -> Option<&str> {
        let links = self.headers.get_all(header::LINK).iter();
        let texts = links.filter_map(|value| value.to_str().ok());
        texts.flat_map(|text| text.split(',')).find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let next = |p: &str| matches!(p.trim(), "rel=\"next\"" | "rel=next");
            parameters.split(';').any(next).then_some(target)
        })
    }
}

fn led_to(response: &Response<Incoming>, address: &Address) -> Result<Option<Address>, WireError> {
    let follows = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    if !follows {
        return Ok(None);
    }
    let location = response.headers().get(header::LOCATION);
    let Some(location) = location.and_then(|location| location.to_str().ok()) else {
        return Err(WireError::redirect(address, "it leads nowhere".to_owned()));
    };
    match address.follow(location) {
        Ok(next) => Ok(Some(next)),
        Err(error) => Err(WireError::redirect(address, error.to_string())),
    }
}

fn read_roots(roots: &Roots) -> Result<RootCertStore, WireError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            // Single unreadable files among hundreds are the rule on old machines.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::Pem(text) => {
            for certificate in CertificateDer::pem_slice_iter(text) {
                let certificate = certificate.map_err(|_| WireError::BadRoots)?;
                store.add(certificate).map_err(|_| WireError::BadRoots)?;
            }
            if store.is_empty() {
                return Err(WireError::BadRoots);
            }
        }
    }
    Ok(store)
}

#[cfg(test)]
mod tests;
