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

// === The good road ===

#[tokio::test]
async fn an_image_arrives_as_a_layout_with_one_entry() {
    let (content, descriptor) = plain_image();
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    let request = request(&server, ":1");
    let image = Registry::new(wire())
        .fetch_image(&request, &into, &heard)
        .await
        .unwrap();
    assert_eq!(image.manifest_digest, digest(&descriptor));
    assert_eq!(
        (image.index_digest, &image.signatures),
        (None, &Signatures::default())
    );
    assert_eq!(read(&into, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = read(&into, "index.json");
    let entries = index["manifests"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["digest"], descriptor["digest"]);
    assert_eq!(
        entries[0]["platform"],
        json!({"architecture": "amd64", "os": "linux"})
    );
    let name = &entries[0]["annotations"]["org.opencontainers.image.ref.name"];
    assert_eq!(text(name), format!("{}/acme/app:1", server.host()));
    assert_eq!(image.reference, text(name));
    for entry in fs_err::read_dir(into.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let found = sha256(&fs_err::read(entry.path()).unwrap()).hex();
        assert_eq!(entry.file_name().to_str(), Some(found.as_str()));
    }
    // The layer that stands in the manifest twice came once.
    assert_eq!(server.seen(&sha256(&layer()).to_string()).len(), 1);
    assert_eq!((heard.total(), heard.advanced()), (400_000, 400_000));
    assert!(heard.notes()[0].ends_with(&format!("is now {}", digest(&descriptor))));
}

#[tokio::test]
async fn a_second_run_asks_for_no_blob() {
    let (content, _) = plain_image();
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let first = fetch(&request(&server, ":1"), &into).await.unwrap();
    let before = server.seen("/blobs/").len();
    let second = fetch(&request(&server, ":1"), &into).await.unwrap();
    assert_eq!(server.seen("/blobs/").len(), before);
    assert_eq!(
        (second.bytes_downloaded, second.bytes_reused),
        (0, first.bytes_downloaded)
    );
}

#[tokio::test]
async fn linux_amd64_is_chosen_from_an_index_and_the_index_is_kept() {
    let mut content = Content::default();
    let (arm, _) = content.image("linux", "arm64");
    let (amd, _) = content.image("linux", "amd64");
    let mut faster = on(amd.clone(), "linux", "amd64");
    faster["platform"]["variant"] = "v3".into();
    let entries = [
        on(arm.clone(), "linux", "arm64"),
        on(arm.clone(), "windows", "amd64"),
        faster,
        on(amd.clone(), "linux", "amd64"),
        on(arm, "unknown", "unknown"),
    ];
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    let index = content.document(INDEX, &index);
    content.tag("1", &index);
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let by_digest = format!("@{}", digest(&index));
    for rest in [":1", &by_digest] {
        let image = fetch(&request(&server, rest), &into).await.unwrap();
        assert_eq!(image.manifest_digest, digest(&amd));
        assert_eq!(image.index_digest, Some(digest(&index)));
    }
    assert!(
        into.join("blobs/sha256")
            .join(digest(&index).hex())
            .exists()
    );
    assert_eq!(
        read(&into, "index.json")["manifests"][0]["digest"],
        amd["digest"]
    );
    assert_eq!(
        read(&into, "signatures.json")["manifests"][0]["digest"],
        index["digest"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_cut_off_goes_on_where_it_stopped() {
    let (content, _) = plain_image();
    let name = sha256(&layer()).to_string();
    let wanted = name.clone();
    let server = serve(move |seen, earlier| {
        let response = content.get(seen).unwrap_or_else(|| status(404));
        let cuts = seen.path.ends_with(&wanted) && earlier < 2;
        if cuts {
            cut(response, 150_000, &layer())
        } else {
            response
        }
    })
    .await;
    let (_keep, into) = loopback::folder();
    fetch(&request(&server, ":1"), &into).await.unwrap();
    let ranges = [None, Some("bytes=150000-"), Some("bytes=300000-")];
    assert_eq!(
        server.ranges(&name),
        ranges.map(|range| range.map(str::to_owned))
    );
}

// === Signatures ===

/// Adds a carrier of a bundle and returns its descriptor as a list of referrers has it.
fn carrier(content: &mut Content, subject: &Value, bundle: &[u8]) -> Value {
    let empty = content.blob("application/vnd.oci.empty.v1+json", b"{}");
    let layer = content.blob(BUNDLE, bundle);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
        "config": empty, "layers": [layer], "subject": subject});
    let mut descriptor = content.document(MANIFEST, &manifest);
    descriptor["artifactType"] = BUNDLE.into();
    descriptor
}

fn referrers(entries: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
}

#[tokio::test]
async fn both_forms_of_signature_come_along_and_stay_out_of_index_json() {
    for by_tag in [true, false] {
        let (mut content, image) = plain_image();
        let config = content.blob(CONFIG, b"{}");
        let payload = content.blob(SIMPLE, b"{\"critical\": {}}");
        let simple = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [payload]});
        let simple = content.document(MANIFEST, &simple);
        content.tag(&format!("sha256-{}.sig", digest(&image).hex()), &simple);
        let bundle = carrier(&mut content, &image, b"a bundle");
        let mut other = bundle.clone();
        other["artifactType"] = "application/spdx+json".into();
        let list = content.document(INDEX, &referrers(&[other, bundle.clone()]));
        if by_tag {
            content.tag(&format!("sha256-{}", digest(&image).hex()), &list);
        } else {
            let bytes = referrers(std::slice::from_ref(&bundle)).to_string();
            content.put(
                format!("referrers/{}", digest(&image)),
                INDEX,
                bytes.as_bytes(),
            );
        }
        let server = content.serve().await;
        let (_keep, into) = loopback::folder();
        let fetched = fetch(&request(&server, ":1"), &into).await.unwrap();
        assert_eq!(fetched.signatures.simple, Some(digest(&simple)));
        assert_eq!(fetched.signatures.bundles, [sha256(b"a bundle")]);
        assert_eq!(
            read(&into, "index.json")["manifests"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let listed = read(&into, "signatures.json")["manifests"].clone();
        assert_eq!(listed[0]["digest"], simple["digest"]);
        assert_eq!(listed[1]["artifactType"], BUNDLE);
        for blob in [
            digest(&simple),
            digest(&payload),
            digest(&bundle),
            sha256(b"a bundle"),
        ] {
            assert!(
                into.join("blobs/sha256").join(blob.hex()).exists(),
                "{blob}"
            );
        }
    }
}

#[tokio::test]
async fn a_bundle_for_another_image_is_refused() {
    let (mut content, image) = plain_image();
    let (other, _) = content.image("linux", "arm64");
    let bundle = carrier(&mut content, &other, b"a bundle");
    let list = referrers(&[bundle]).to_string();
    content.put(
        format!("referrers/{}", digest(&image)),
        INDEX,
        list.as_bytes(),
    );
    let error = refusal(content, ":1").await;
    assert!(error.to_string().contains("for something else"), "{error}");
}

#[tokio::test]
async fn a_registry_that_fails_at_signatures_is_not_taken_for_one_without() {
    let (content, _) = plain_image();
    let server = serve(move |seen, _| {
        if seen.path.contains("referrers") || seen.path.contains(".sig") {
            return status(403);
        }
        content.get(seen).unwrap_or_else(|| status(404))
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = fetch(&request(&server, ":1"), &into).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotAllowed, "{error}");
}

// === Rights ===

/// A registry that wants a token from `realm`, or a password.
async fn guarded(challenge: impl Fn(&str) -> String + Send + Sync + 'static, key: &str) -> Server {
    let (content, _) = plain_image();
    let key = key.to_owned();
    serve(move |seen, _| {
        if seen.path.starts_with("/token") {
            return loopback::json(&json!({"access_token": "fresh"}));
        }
        if seen.authorization.as_ref() == Some(&key) {
            return content.get(seen).unwrap_or_else(|| status(404));
        }
        let header = [(header::WWW_AUTHENTICATE, challenge(&seen.path))];
        (StatusCode::UNAUTHORIZED, header).into_response()
    })
    .await
}

fn ana() -> Credentials {
    Credentials {
        user: "ana".to_owned(),
        password: Secret::new("geheim"),
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_only_for_pulling_this_repository() {
    let issuer = serve(|_, _| loopback::json(&json!({"token": "fresh"}))).await;
    let realm = format!("{}/token", issuer.url);
    let scope = "repository:acme/other:pull,push";
    let text = format!("Bearer realm=\"{realm}\",service=\"r\",scope=\"{scope}\"");
    let server = guarded(move |_| text.clone(), "Bearer fresh").await;
    let (_keep, into) = loopback::folder();
    let mut request = request(&server, ":1");
    request.credentials = Some(ana());
    fetch(&request, &into).await.unwrap();
    let asked = issuer.seen("");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].path,
        "/token?scope=repository:acme%2Fapp:pull&service=r"
    );
    assert_eq!(
        asked[0].authorization.as_deref(),
        Some("Basic YW5hOmdlaGVpbQ==")
    );
    // The password itself never goes to the registry.
    assert!(
        server
            .seen("")
            .iter()
            .all(|seen| seen.authorization.as_deref() != Some("Basic YW5hOmdlaGVpbQ=="))
    );
}

#[tokio::test]
async fn an_anonymous_token_needs_no_user() {
    let issuer = serve(|_, _| loopback::json(&json!({"token": "fresh"}))).await;
    let text = format!("Bearer realm=\"{}/token\"", issuer.url);
    let server = guarded(move |_| text.clone(), "Bearer fresh").await;
    let (_keep, into) = loopback::folder();
    fetch(&request(&server, ":1"), &into).await.unwrap();
    assert_eq!(issuer.seen("")[0].authorization, None);
}

#[tokio::test]
async fn a_password_is_sent_where_the_registry_asks_for_one() {
    let server = guarded(|_| "Basic realm=\"r\"".to_owned(), "Basic YW5hOmdlaGVpbQ==").await;
    let (_keep, into) = loopback::folder();
    let mut request = request(&server, ":1");
    let error = fetch(&request, &into).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotAllowed);
    assert!(error.to_string().contains("no user was given"), "{error}");
    request.credentials = Some(ana());
    fetch(&request, &into).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let server = guarded(|_| "Basic realm=\"r\"".to_owned(), "Basic other").await;
    let (_keep, into) = loopback::folder();
    let mut request = request(&server, ":1");
    request.credentials = Some(ana());
    let error = fetch(&request, &into).await.unwrap_err();
    let all = format!("{} {error:?} {request:?}", chain(&error));
    assert!(all.contains("user and password are wrong"), "{all}");
    assert!(
        !all.contains("geheim") && !all.contains("YW5hOmdlaGVpbQ"),
        "{all}"
    );
}

#[tokio::test]
async fn a_token_server_on_plain_http_elsewhere_gets_no_password() {
    let challenge = |_: &str| "Bearer realm=\"http://token.example/token\"".to_owned();
    let server = guarded(challenge, "Bearer fresh").await;
    let (_keep, into) = loopback::folder();
    let mut request = request(&server, ":1");
    request.credentials = Some(ana());
    let error = fetch(&request, &into).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Policy, "{error}");
    assert!(error.to_string().contains("token.example"), "{error}");
}

#[tokio::test]
async fn blobs_that_lie_elsewhere_are_fetched_without_our_rights() {
    let (content, _) = plain_image();
    let there = content.clone();
    let store = serve(move |seen, _| there.get(seen).unwrap_or_else(|| status(404))).await;
    let url = store.url.clone();
    let server = serve(move |seen, _| {
        if seen.authorization.is_none() {
            let header = [(header::WWW_AUTHENTICATE, "Basic realm=\"r\"")];
            return (StatusCode::UNAUTHORIZED, header).into_response();
        }
        if seen.path.contains("/blobs/") {
            return redirect(&format!("{url}{}", seen.path));
        }
        content.get(seen).unwrap_or_else(|| status(404))
    })
    .await;
    let (_keep, into) = loopback::folder();
    let mut request = request(&server, ":1");
    request.credentials = Some(ana());
    fetch(&request, &into).await.unwrap();
    assert_eq!(store.seen("").len(), 2);
    assert!(
        store
            .seen("")
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

// === What is refused ===

#[tokio::test]
async fn a_tag_is_refused_where_only_a_digest_will_do() {
    let (content, descriptor) = plain_image();
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let mut tag = request(&server, ":1");
    tag.tags = Tags::Refuse;
    let error = fetch(&tag, &into).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Policy);
    assert_eq!(server.seen(""), []);
    let mut pinned = request(&server, &format!(":1@{}", digest(&descriptor)));
    pinned.tags = Tags::Refuse;
    fetch(&pinned, &into).await.unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_not_the_one_asked_for_is_refused() {
    let (mut content, descriptor) = plain_image();
    let path = format!("manifests/{}", digest(&descriptor));
    content.put(path, MANIFEST, b"{}");
    let error = refusal(content, &format!("@{}", digest(&descriptor))).await;
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Content);
}

#[tokio::test]
async fn a_blob_with_other_bytes_is_refused_and_does_not_stay() {
    let (mut content, _) = plain_image();
    let path = format!("blobs/{}", sha256(&layer()));
    content.put(path, "application/octet-stream", &vec![7; layer().len()]);
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    let error = fetch(&request(&server, ":1"), &into).await.unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert!(
        !into
            .join("blobs/sha256")
            .join(sha256(&layer()).hex())
            .exists()
    );
    assert!(!into.join("index.json").exists());
}

#[tokio::test]
async fn documents_and_blobs_without_end_are_left() {
    for endless in ["/manifests/", "/blobs/"] {
        let (content, _) = plain_image();
        let server = serve(move |seen, _| {
            if !seen.path.contains(endless) {
                return content.get(seen).unwrap_or_else(|| status(404));
            }
            let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 16]));
            axum::body::Body::from_stream(chunks.boxed()).into_response()
        })
        .await;
        let (_keep, into) = loopback::folder();
        let error = fetch(&request(&server, ":1"), &into).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("longer than 4194304") || text.contains("more than"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_document_of_two_minds_is_refused() {
    let (content, manifest) = {
        let mut content = Content::default();
        let (_, manifest) = content.image("linux", "amd64");
        (content, manifest)
    };
    let mut both = manifest.clone();
    both["manifests"] = json!([]);
    let mut index_by_name = manifest.clone();
    index_by_name["mediaType"] = INDEX.into();
    let mut without = manifest.clone();
    without.as_object_mut().unwrap().remove("mediaType");
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let twice = manifest
        .to_string()
        .replacen('{', &format!("{{\"mediaType\": \"{INDEX}\", "), 1);
    let old = json!({"schemaVersion": 1, "fsLayers": []});
    for (content_type, document) in [
        (MANIFEST, both.to_string()),
        (INDEX, both.to_string()),
        (MANIFEST, index_by_name.to_string()),
        (INDEX, manifest.to_string()),
        (MANIFEST, index.to_string()),
        (INDEX, without.to_string()),
        (
            "application/vnd.docker.distribution.manifest.v2+json",
            without.to_string(),
        ),
        ("text/plain", manifest.to_string()),
        (MANIFEST, twice),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            old.to_string(),
        ),
    ] {
        let mut content = content.clone();
        content.put("manifests/1", content_type, document.as_bytes());
        let error = refusal(content, ":1").await;
        assert!(
            matches!(error, FetchError::Malformed { .. }),
            "{content_type}: {error}"
        );
    }
    let mut content = content.clone();
    content.put("manifests/1", MANIFEST, without.to_string().as_bytes());
    let server = content.serve().await;
    let (_keep, into) = loopback::folder();
    fetch(&request(&server, ":1"), &into).await.unwrap();
}

#[tokio::test]
async fn an_index_entry_that_lies_about_its_manifest_is_refused() {
    let (content, image) = plain_image();
    for (key, value) in [("size", json!(1)), ("mediaType", INDEX.into())] {
        let mut content = content.clone();
        let mut entry = on(image.clone(), "linux", "amd64");
        entry[key] = value;
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
        let index = content.document(INDEX, &index);
        content.tag("2", &index);
        let error = refusal(content, ":2").await;
        assert_eq!(error.exit(), Exit::Content, "{key}: {error}");
    }
}

#[tokio::test]
async fn an_image_for_another_platform_is_refused_before_its_layers() {
    let mut content = Content::default();
    let (arm, _) = content.image("linux", "arm64");
    content.tag("config", &arm);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [on(arm.clone(), "linux", "arm64"), arm]});
    let index = content.document(INDEX, &index);
    content.tag("index", &index);
    let server = content.serve().await;
    for (tag, said) in [
        (":config", "linux/arm64"),
        (":index", "linux/arm64, no platform"),
    ] {
        let (_keep, into) = loopback::folder();
        let error = fetch(&request(&server, tag), &into).await.unwrap_err();
        assert_eq!(error.exit(), Exit::NotFound);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(server.seen(&sha256(&layer()).to_string()), []);
}

#[tokio::test]
async fn layers_from_elsewhere_and_artifacts_are_refused() {
    let (content, image) = plain_image();
    let path = format!("manifests/{}", digest(&image));
    let manifest: Value = serde_json::from_slice(&content.0[&path].1).unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut manifest = manifest.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    let mut urls = manifest.clone();
    urls["layers"][1]["urls"] = json!(["https://elsewhere.example/layer"]);
    let mut artifact = manifest.clone();
    artifact["artifactType"] = "application/x".into();
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    for (manifest, exit) in [
        (urls, Exit::Policy),
        (changed("/layers/0/mediaType", foreign.into()), Exit::Policy),
        (
            changed("/layers/0/mediaType", nondistributable.into()),
            Exit::Policy,
        ),
        (
            changed("/layers/0/mediaType", "text/plain".into()),
            Exit::Content,
        ),
        (
            changed("/layers/0/digest", "sha256:../../etc/passwd".into()),
            Exit::Content,
        ),
        (
            changed("/config/mediaType", "text/plain".into()),
            Exit::Content,
        ),
        (changed("/config/size", (u64::MAX).into()), Exit::Content),
        (
            changed("/layers/0/size", (1_u64 << 60).into()),
            Exit::NoSpace,
        ),
        (artifact, Exit::Content),
    ] {
        let mut content = content.clone();
        let document = content.document(MANIFEST, &manifest);
        content.tag("2", &document);
        let error = refusal(content, ":2").await;
        assert_eq!(error.exit(), exit, "{error}");
    }
}
