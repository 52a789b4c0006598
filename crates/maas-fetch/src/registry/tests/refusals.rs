//! What is refused.

use super::*;

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
