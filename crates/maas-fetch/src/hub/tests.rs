use std::{collections::BTreeMap, os::unix::fs::symlink, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use maas_types::Exit;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::*;
use crate::{
    Silent,
    content::{ContentId, Hasher, Sums, sha256},
    loopback::{self, Heard, Seen, Server, chain, cut, file, redirect, serve, status, wire},
};

mod access;
mod connections;
mod content;
mod folder;
mod good_road;
mod revision;
mod which_files;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPO: &str = "acme/tiny";

/// What the hub and the store of large files do with a file, instead of giving it.
type Fault = dyn Fn(&Seen, usize, &[u8]) -> Option<Response> + Send + Sync;

/// A hub with a store of large files on another port.
struct Site {
    hub: Server,
    store: Server,
}

/// Files by path. What ends in `.safetensors` or `.bin` is kept in the store of large files.
type Files = BTreeMap<&'static str, Vec<u8>>;

fn files() -> Files {
    let weights: Vec<_> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    [
        ("config.json", b"{\"a\": 1}\n".to_vec()),
        ("model.safetensors", weights),
        ("sub/empty.txt", Vec::new()),
    ]
    .into()
}

/// Any, to ask for sums in git's terms.
const OF_GIT: ContentId = ContentId::GitBlob([0; 20]);

fn sums(bytes: &[u8]) -> Sums {
    let mut hasher = Hasher::new(OF_GIT, bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()
}

fn is_large(path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    [".safetensors", ".bin"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn entry(path: &str, bytes: &[u8]) -> serde_json::Value {
    let git = sums(bytes).in_terms_of(OF_GIT).to_string();
    let oid = git.strip_prefix("git:").unwrap();
    let mut entry = json!({"type": "file", "path": path, "size": bytes.len(), "oid": oid});
    if is_large(path) {
        let oid = sha256(bytes).hex();
        entry["lfs"] = json!({"oid": oid, "size": bytes.len(), "pointerSize": 134});
    }
    entry
}

async fn site(files: Files) -> Site {
    faulty(files, |_, _, _| None).await
}

/// `fault` is asked for each file, at the hub (small files) and the store (large ones).
async fn faulty(
    files: Files,
    fault: impl Fn(&Seen, usize, &[u8]) -> Option<Response> + Send + Sync + 'static,
) -> Site {
    let (files, fault): (_, Arc<Fault>) = (Arc::new(files), Arc::new(fault));
    let (large, large_fault) = (Arc::clone(&files), Arc::clone(&fault));
    let store = serve(move |seen, earlier| {
        let name = seen
            .path
            .split(['?', '/'])
            .find(|part| is_large(part))
            .unwrap();
        let bytes = &large[name];
        let etag = format!("\"{}\"", sha256(bytes).short());
        large_fault(seen, earlier, bytes).unwrap_or_else(|| file(seen, bytes, &etag))
    })
    .await;
    let store_url = store.url.clone();
    let hub = serve(move |seen, earlier| {
        let path = seen.path.as_str();
        if path == "/api/models/acme/tiny/revision/main" {
            return loopback::json(&json!({"sha": COMMIT, "id": REPO}));
        }
        if path == format!("/api/models/acme/tiny/tree/{COMMIT}?recursive=true") {
            let entries: Vec<_> = files
                .iter()
                .map(|(path, bytes)| entry(path, bytes))
                .collect();
            return loopback::json(&entries.into());
        }
        let prefix = format!("/acme/tiny/resolve/{COMMIT}/");
        let Some(name) = path.strip_prefix(&prefix) else {
            return status(404);
        };
        if is_large(name) {
            return redirect(&format!("{store_url}/{name}?X-Signature=secret"));
        }
        let bytes = &files[name];
        fault(seen, earlier, bytes).unwrap_or_else(|| file(seen, bytes, "W/\"weak\""))
    })
    .await;
    Site { hub, store }
}

fn request() -> ModelRequest {
    ModelRequest {
        repo: REPO.parse().unwrap(),
        revision: "main".to_owned(),
        selection: Selection::default(),
    }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

impl Site {
    async fn fetch(&self, into: &Utf8Path) -> Result<FetchedModel, FetchError> {
        self.fetch_as(&request(), into, &Silent).await
    }

    async fn fetch_as(
        &self,
        request: &ModelRequest,
        into: &Utf8Path,
        progress: &dyn Progress,
    ) -> Result<FetchedModel, FetchError> {
        let endpoint = self.hub.url.parse().unwrap();
        let hub = Hub::at(wire(), endpoint, Some(Secret::new("hf_token")));
        hub.fetch_model(request, into, progress).await
    }
}

fn names(model: &FetchedModel) -> Vec<&str> {
    model.files.iter().map(|file| file.path.as_str()).collect()
}
