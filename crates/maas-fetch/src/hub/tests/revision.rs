//! What a hub says about a revision.

use super::*;

async fn hub_that_says(revision: serde_json::Value, tree: serde_json::Value) -> Server {
    serve(move |seen, _| {
        let answer = if seen.path.contains("/revision/") {
            &revision
        } else {
            &tree
        };
        loopback::json(answer)
    })
    .await
}

async fn fails_with(revision: serde_json::Value, tree: serde_json::Value) -> FetchError {
    let hub = hub_that_says(revision, tree).await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let error = of
        .fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err();
    assert_eq!(hub.seen("resolve"), []);
    error
}

fn pinned() -> serde_json::Value {
    json!({"sha": COMMIT})
}

#[tokio::test]
async fn a_revision_that_is_no_commit_is_refused() {
    for sha in ["main", "0123", "../../etc/passwd", &COMMIT.to_uppercase()] {
        let error = fails_with(json!({"sha": sha}), json!([])).await;
        assert!(error.to_string().contains("is no commit"), "{error}");
        assert_eq!(error.exit(), Exit::Content);
    }
}

#[tokio::test]
async fn a_commit_that_was_asked_for_cannot_be_answered_with_another() {
    let hub = hub_that_says(json!({"sha": "f".repeat(40)}), json!([])).await;
    let (_keep, into) = loopback::folder();
    let mut request = request();
    COMMIT.clone_into(&mut request.revision);
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let error = of.fetch_model(&request, &into, &Silent).await.unwrap_err();
    assert!(
        error.to_string().contains("it answers with ffff"),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_no_bundle_holds_are_refused_before_the_first_file() {
    for path in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a\\b",
        "ü.json",
        "a b",
        "x.",
        "a//b",
    ] {
        let error = fails_with(pinned(), json!([entry(path, b"x")])).await;
        assert_eq!(error.exit(), Exit::Policy, "{path}: {error}");
    }
    for (one, other) in [("Config.json", "config.json"), ("a", "a/b"), ("A", "a/b")] {
        let tree = json!([entry(one, b"x"), entry(other, b"x")]);
        let error = fails_with(pinned(), tree).await;
        assert!(matches!(error, FetchError::SameName { .. }), "{error}");
    }
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused() {
    let mut link = entry("a", b"x");
    link["type"] = "symlink".into();
    let mut no_name = entry("a", b"x");
    no_name["oid"] = "zz".into();
    let mut no_digest = entry("a.bin", b"x");
    no_digest["lfs"]["oid"] = "../x".into();
    for tree in [
        json!({}),
        json!([link]),
        json!([no_name]),
        json!([no_digest]),
        json!([1]),
    ] {
        let error = fails_with(pinned(), tree).await;
        assert!(matches!(error, FetchError::Malformed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_refused_before_its_first_byte() {
    let mut huge = entry("model.safetensors", b"x");
    huge["lfs"]["size"] = (1_u64 << 60).into();
    let error = fails_with(pinned(), json!([huge, huge_of("b.safetensors")])).await;
    assert!(matches!(error, FetchError::NoSpace { .. }), "{error}");
    assert_eq!(error.exit(), Exit::NoSpace);
}

fn huge_of(path: &str) -> serde_json::Value {
    let mut huge = entry(path, b"x");
    huge["lfs"]["size"] = u64::MAX.into();
    huge
}

#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end() {
    let hub = serve(|seen, _| {
        if seen.path.contains("/revision/") {
            return loopback::json(&pinned());
        }
        if seen.path.contains("resolve") {
            return b"x".to_vec().into_response();
        }
        let page = seen
            .path
            .split("cursor=")
            .nth(1)
            .map_or(0, |n| n.parse().unwrap());
        let name = format!("file-{page}.txt");
        let mut response = loopback::json(&json!([entry(&name, b"x")]));
        if page < 3 {
            let own = seen.path.split('?').next().unwrap();
            let link = format!("<{own}?cursor={}>; rel=\"next\"", page + 1);
            response
                .headers_mut()
                .insert(header::LINK, link.parse().unwrap());
        }
        response
    })
    .await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let model = of.fetch_model(&request(), &into, &Silent).await.unwrap();
    assert_eq!(
        names(&model),
        ["file-0.txt", "file-1.txt", "file-2.txt", "file-3.txt"]
    );
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for_and_sees_no_token() {
    let elsewhere = serve(|_, _| loopback::json(&json!([]))).await;
    let link = format!("<{}/next>; rel=\"next\"", elsewhere.url);
    let hub = serve(move |seen, _| {
        if seen.path.contains("/revision/") {
            return loopback::json(&pinned());
        }
        let mut response = loopback::json(&json!([entry("a", b"x")]));
        response
            .headers_mut()
            .insert(header::LINK, link.parse().unwrap());
        response
    })
    .await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), Some(Secret::new("hf_x")));
    let error = of
        .fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("next page is elsewhere"),
        "{error}"
    );
    assert_eq!(elsewhere.seen(""), []);
}
