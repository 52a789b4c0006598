//! Questions to one repository of one registry (OCI distribution specification 1.1, "Pull").

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use http::header;
use maas_types::Digest;

use super::{
    ImageRequest, Reference, Session,
    document::{ACCEPT, Descriptor, Fetched, ImageConfig, LONGEST, Manifest},
    layout::blob_path,
};
use crate::{
    Address, FetchError, PlainHttp, Progress, Silent,
    access::Access,
    content::{ContentId, sha256},
    hub::LANES,
    plain,
    transfer::{Got, Transfer, Want},
    wire::{Ask, Document, Wire, WireError},
    workspace::Workspace,
};

pub(super) struct Pull<'a> {
    pub(super) reference: &'a Reference,
    pub(super) progress: &'a dyn Progress,
    wire: &'a Wire,
    access: Access<'a>,
    /// `https://host/v2/name`.
    base: Address,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        wire: &'a Wire,
        request: &'a ImageRequest,
        progress: &'a dyn Progress,
    ) -> Result<Self, FetchError> {
        let reference = &request.reference;
        let anywhere = wire.plain_http() == PlainHttp::InsecureAnywhere;
        let plain = reference.is_loopback() || anywhere;
        let scheme = if plain { "http" } else { "https" };
        let registry: Address = format!("{scheme}://{}", reference.host()).parse()?;
        let name = reference.repository().split('/');
        let base = registry.below(["v2"].into_iter().chain(name));
        let credentials = request.credentials.as_ref();
        Ok(Self {
            reference,
            progress,
            wire,
            access: Access::Session(Session::new(registry, reference.repository(), credentials)),
            base,
        })
    }

    /// Reads a document of this repository.
    pub(super) async fn document(&self, address: &Address) -> Result<Document, FetchError> {
        let mut ask = Ask::new(address, None);
        ask.accept = ACCEPT;
        self.access
            .document(self.wire, &ask, LONGEST, self.progress)
            .await
    }

    pub(super) fn address<'s>(&self, rest: impl IntoIterator<Item = &'s str>) -> Address {
        self.base.below(rest)
    }

    /// The next page of a list, which must be at this registry: it is asked for with our rights.
    pub(super) fn next_page(&self, document: &Document) -> Result<Option<Address>, FetchError> {
        let Some(link) = document.next_page() else {
            return Ok(None);
        };
        let next = document.address.follow(link)?;
        if next.origin() == self.base.origin() {
            return Ok(Some(next));
        }
        Err(self.malformed(format!("the next page of a list is elsewhere, at {next}")))
    }

    /// The manifest or index with this tag or digest.
    pub(super) async fn manifest(
        &self,
        name: &str,
        expected: Option<Digest>,
    ) -> Result<Fetched, FetchError> {
        let address = self.address(["manifests", name]);
        let document = self.document(&address).await?;
        self.check_digest(&document, expected)?;
        let content_type = document
            .header(header::CONTENT_TYPE)
            .map(without_parameters);
        let announced: Vec<_> = content_type.into_iter().collect();
        self.parse(document.bytes.clone(), &announced)
    }

    /// The manifest that a descriptor leads to, with the size and type that it says.
    pub(super) async fn described(&self, descriptor: &Descriptor) -> Result<Fetched, FetchError> {
        let digest = descriptor.digest;
        let address = self.address(["manifests", &digest.to_string()]);
        let document = self.document(&address).await?;
        self.check_digest(&document, Some(digest))?;
        if document.bytes.len() as u64 != descriptor.size {
            return Err(FetchError::Length {
                file: digest.to_string(),
                address: address.to_string(),
                expected: descriptor.size,
                found: document.bytes.len().to_string(),
            });
        }
        let content_type = document
            .header(header::CONTENT_TYPE)
            .map(without_parameters);
        let mut announced = vec![descriptor.media_type.as_str()];
        announced.extend(content_type);
        self.parse(document.bytes.clone(), &announced)
    }

    fn parse(&self, bytes: Vec<u8>, announced: &[&str]) -> Result<Fetched, FetchError> {
        let digest = sha256(&bytes);
        let parsed = Fetched::parse(bytes, announced);
        parsed.map_err(|reason| self.malformed(format!("document {digest}: {reason}")))
    }

    /// The digest that we asked for, and the one that the server believes it sends.
    fn check_digest(
        &self,
        document: &Document,
        expected: Option<Digest>,
    ) -> Result<(), FetchError> {
        let found = sha256(&document.bytes);
        let header = document.header("docker-content-digest");
        let said = match header.map(str::parse::<Digest>) {
            Some(Ok(said)) => Some(said),
            Some(Err(error)) => return Err(self.malformed(error.to_string())),
            None => None,
        };
        match expected
            .into_iter()
            .chain(said)
            .find(|digest| *digest != found)
        {
            None => Ok(()),
            Some(expected) => Err(FetchError::Digest {
                file: self.reference.to_string(),
                address: document.address.to_string(),
                expected: expected.to_string(),
                found: found.to_string(),
            }),
        }
    }

    /// Each blob once: images repeat the empty layer.
    pub(super) fn wants<'d>(&self, blobs: impl Iterator<Item = &'d Descriptor>) -> Vec<Want> {
        let mut seen = BTreeSet::new();
        let new = blobs.filter(|blob| seen.insert(blob.digest));
        new.map(|blob| self.want(blob)).collect()
    }

    fn want(&self, blob: &Descriptor) -> Want {
        Want {
            path: blob_path(blob),
            address: self.address(["blobs", &blob.digest.to_string()]),
            size: blob.size,
            id: ContentId::Sha256(blob.digest),
        }
    }

    /// Brings blobs; returns the bytes that came and those that were here.
    pub(super) async fn bring(
        &self,
        workspace: &Workspace,
        wants: &[Want],
        progress: &dyn Progress,
    ) -> Result<(u64, u64), FetchError> {
        let transfer = self.transfer(workspace, progress);
        let got: Vec<_> = stream::iter(wants)
            .map(|want| transfer.bring(want))
            .buffered(LANES)
            .try_collect()
            .await?;
        let downloaded = got.iter().map(|got| got.downloaded).sum();
        Ok((downloaded, got.iter().map(|got| got.reused).sum()))
    }

    fn transfer<'t>(
        &'t self,
        workspace: &'t Workspace,
        progress: &'t dyn Progress,
    ) -> Transfer<'t> {
        Transfer {
            wire: self.wire,
            access: &self.access,
            workspace,
            progress,
        }
    }

    /// The image's config: fetched before the layers, because it may say that they are for another
    /// platform.
    pub(super) async fn config(
        &self,
        workspace: &Workspace,
        manifest: &Manifest,
    ) -> Result<(ImageConfig, Got), FetchError> {
        let want = self.want(&manifest.config);
        if want.size > LONGEST as u64 {
            return Err(self.malformed(format!("its config has {} bytes", want.size)));
        }
        // Some kilobytes, before the bar for the layers starts.
        let transfer = self.transfer(workspace, &Silent);
        let got = transfer.bring(&want).await?;
        let place = workspace.folder().join(&want.path);
        let bytes = fs_err::read(place).map_err(FetchError::disk)?;
        let config = serde_json::from_slice(&bytes).map_err(|error| {
            self.malformed(format!("its config: {}", plain(&error.to_string())))
        })?;
        Ok((config, got))
    }

    pub(super) fn malformed(&self, reason: String) -> FetchError {
        let what = self.reference.to_string();
        FetchError::Malformed { what, reason }
    }

    /// Says what a refusal of the registry means for this image.
    pub(super) fn explain(&self, error: FetchError) -> FetchError {
        let FetchError::Wire(source) = error else {
            return error;
        };
        let known = match &self.access {
            Access::Session(session) => session.has_credentials(),
            Access::Fixed(_) => false,
        };
        let what = self.reference.to_string();
        let why = match source.answered().map(|status| status.as_u16()) {
            Some(404) => {
                let why = "the registry answers 404".to_owned();
                return FetchError::Missing { what, why };
            }
            Some(401 | 403) if known => "user and password are wrong, or may not read this image",
            Some(401 | 403) => "no user was given, and the image is private or does not exist",
            _ => return FetchError::Wire(source),
        };
        FetchError::Denied { what, why, source }
    }
}

/// Whether a server means by its answer that it has no such thing, or knows no such question.
pub(super) fn is_absent(error: &FetchError) -> bool {
    let FetchError::Wire(error) = error else {
        return false;
    };
    let status = WireError::answered(error).map(|status| status.as_u16());
    matches!(status, Some(400 | 404 | 405 | 501))
}

/// `Content-Type` without `; charset=utf-8`.
fn without_parameters(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}
