//! Signatures.

use super::*;

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
