use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use maas_types::Exit;
use serde_json::{Value, json};

use super::*;
use crate::{
    Secret, Silent,
    content::sha256,
    loopback::{self, Heard, Seen, Server, chain, cut, file, redirect, serve, status, wire},
};

mod good_road;
mod refusals;
mod rights;
mod signatures;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What a registry has: by path below `/v2/acme/app/`, the content and its type.
#[derive(Clone, Default)]
struct Content(BTreeMap<String, (String, Vec<u8>)>);

impl Content {
    fn put(&mut self, path: impl Into<String>, media_type: &str, bytes: &[u8]) {
        self.0
            .insert(path.into(), (media_type.to_owned(), bytes.to_vec()));
    }

    /// Adds a blob and returns its descriptor.
    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes).to_string();
        self.put(format!("blobs/{digest}"), "application/octet-stream", bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Adds a document and returns its descriptor.
    fn document(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let digest = sha256(&bytes).to_string();
        self.put(format!("manifests/{digest}"), media_type, &bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn tag(&mut self, tag: &str, descriptor: &Value) {
        let document = self.0[&format!("manifests/{}", text(&descriptor["digest"]))].clone();
        self.0.insert(format!("manifests/{tag}"), document);
    }

    fn image(&mut self, os: &str, architecture: &str) -> (Value, Value) {
        let config = json!({"os": os, "architecture": architecture, "rootfs": {}}).to_string();
        let config = self.blob(CONFIG, config.as_bytes());
        let layer = self.blob(LAYER, &layer());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer, layer]});
        (self.document(MANIFEST, &manifest), manifest)
    }

    fn get(&self, seen: &Seen) -> Option<Response> {
        let path = seen.path.strip_prefix("/v2/acme/app/")?;
        let (media_type, bytes) = self.0.get(path.split('?').next()?)?;
        let mut response = file(seen, bytes, &format!("\"{}\"", sha256(bytes).short()));
        let media_type = media_type.parse().unwrap();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        Some(response)
    }

    async fn serve(self) -> Server {
        serve(move |seen, _| self.get(seen).unwrap_or_else(|| status(404))).await
    }
}

fn layer() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn digest(descriptor: &Value) -> Digest {
    text(&descriptor["digest"]).parse().unwrap()
}

fn on(mut descriptor: Value, os: &str, architecture: &str) -> Value {
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    descriptor
}

/// An image for amd64 under the tag `1`.
fn plain_image() -> (Content, Value) {
    let mut content = Content::default();
    let (descriptor, _) = content.image("linux", "amd64");
    content.tag("1", &descriptor);
    (content, descriptor)
}

fn request(server: &Server, rest: &str) -> ImageRequest {
    ImageRequest {
        reference: format!("{}/acme/app{rest}", server.host()).parse().unwrap(),
        credentials: None,
        tags: Tags::Resolve,
    }
}

async fn fetch(request: &ImageRequest, into: &Utf8Path) -> Result<FetchedImage, FetchError> {
    Registry::new(wire())
        .fetch_image(request, into, &Silent)
        .await
}

async fn refusal(content: Content, rest: &str) -> FetchError {
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let error = fetch(&request(&server, rest), &into).await.unwrap_err();
    assert!(!into.join("index.json").exists(), "{error}");
    error
}

fn read(into: &Utf8Path, name: &str) -> Value {
    serde_json::from_slice(&fs_err::read(into.join(name)).unwrap()).unwrap()
}
