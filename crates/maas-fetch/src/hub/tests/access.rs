//! Who may.

use super::*;

async fn refused(code: u16, reason: &'static str, token: Option<&str>) -> FetchError {
    let hub = serve(move |_, _| {
        let headers = [
            ("x-error-code", reason),
            ("x-error-message", "words of the hub"),
        ];
        (StatusCode::from_u16(code).unwrap(), headers).into_response()
    })
    .await;
    let hub = Hub::at(wire(), hub.url.parse().unwrap(), token.map(Secret::new));
    let (_keep, into) = loopback::folder();
    hub.fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_refusal_says_whether_token_or_licence_is_missing() {
    for (code, reason, token, exit, text) in [
        (
            401,
            "GatedRepo",
            None,
            Exit::NotAllowed,
            "no token was given",
        ),
        (
            403,
            "GatedRepo",
            None,
            Exit::NotAllowed,
            "no token was given",
        ),
        (
            401,
            "",
            Some("hf_x"),
            Exit::NotAllowed,
            "the token is not valid",
        ),
        (
            403,
            "GatedRepo",
            Some("hf_x"),
            Exit::NotAllowed,
            "has not accepted the licence",
        ),
        (
            401,
            "RepoNotFound",
            None,
            Exit::NotFound,
            "no such repository that is public",
        ),
        (
            404,
            "RevisionNotFound",
            None,
            Exit::NotFound,
            "main of `acme/tiny` is not there",
        ),
    ] {
        let error = refused(code, reason, token).await;
        assert_eq!(error.exit(), exit, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.hint().is_some());
        let all = format!("{} {error:?}", chain(&error));
        assert!(!all.contains("hf_x"), "{all}");
    }
    let error = refused(401, "GatedRepo", None).await;
    assert!(
        chain(&error).contains("words of the hub"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_one_is_refused_before_anything_is_asked() {
    let error = refused(200, "", Some("a\nb")).await;
    assert!(error.to_string().contains("the token"), "{error}");
}
