//! Content that is wrong.

use super::*;

#[tokio::test]
async fn wrong_bytes_come_twice_and_then_fail_and_nothing_of_them_stays() {
    for small in [true, false] {
        let site = faulty(files(), move |seen, _, bytes| {
            let concerned = is_large(&seen.path) != small && bytes.len() > 1;
            concerned.then(|| vec![b'x'; bytes.len()].into_response())
        })
        .await;
        let (_keep, into) = loopback::folder();
        let heard = Heard::default();
        let error = site.fetch_as(&request(), &into, &heard).await.unwrap_err();
        let name = if small {
            "config.json"
        } else {
            "model.safetensors"
        };
        let text = error.to_string();
        let algorithm = if small { "is git:" } else { "is sha256:" };
        assert!(text.contains(name) && text.contains(algorithm), "{text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(error.exit(), Exit::Content);
        assert_eq!(site.hub.seen(name).len(), 2);
        assert!(!into.join(name).exists());
        let parts = fs_err::read_dir(into.join(".maas-fetch")).unwrap();
        let names: Vec<_> = parts.map(|entry| entry.unwrap().file_name()).collect();
        let left = names
            .iter()
            .filter(|name| name.to_string_lossy().ends_with(".part"));
        // The other lane may have been stopped half-way; its part is for the next run.
        assert!(left.count() <= 1, "{names:?}");
        assert!(heard.advanced() <= heard.total());
    }
}

#[tokio::test]
async fn wrong_bytes_that_come_once_are_forgiven() {
    let site = faulty(files(), |seen, earlier, bytes| {
        let wrong = is_large(&seen.path) && earlier == 0;
        wrong.then(|| vec![b'x'; bytes.len()].into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    let model = site.fetch_as(&request(), &into, &heard).await.unwrap();
    assert_eq!(model.files[1].sha256, sha256(&files()["model.safetensors"]));
    assert_eq!(heard.advanced(), heard.total());
    assert!(
        heard
            .notes()
            .iter()
            .any(|note| note.contains("starting it once more"))
    );
}

#[tokio::test]
async fn a_file_without_end_is_left_at_one_byte_too_many() {
    let site = faulty(files(), |seen, _, _| {
        is_large(&seen.path).then(|| {
            let chunk = Ok::<_, std::io::Error>(vec![7_u8; 1 << 16]);
            let endless = stream::repeat_with(move || chunk.as_ref().unwrap().clone());
            axum::body::Body::from_stream(endless.map(Ok::<_, std::io::Error>)).into_response()
        })
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(
        error.to_string().contains("has more than 1200000 bytes"),
        "{error}"
    );
    assert_eq!(error.exit(), Exit::Content);
}

#[tokio::test]
async fn a_file_of_another_length_is_not_even_read() {
    let site = faulty(files(), |seen, _, bytes| {
        is_large(&seen.path).then(|| bytes[1..].to_vec().into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has 1199999 bytes, announced were 1200000"),
        "{error}"
    );
}

#[tokio::test]
async fn packed_content_is_refused() {
    let site = faulty(files(), |seen, _, bytes| {
        let headers = [(header::CONTENT_ENCODING, "gzip")];
        is_large(&seen.path).then(|| (headers, bytes.to_vec()).into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(error.to_string().contains("packed with `gzip`"), "{error}");
}
