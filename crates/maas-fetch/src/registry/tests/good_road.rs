//! The good road.

use super::*;

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
