//! Rights.

use super::*;

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
