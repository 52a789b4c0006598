//! Byte for byte: what the client gets is what the engine said, but for what had to change.

use http::StatusCode;
use serde_json::json;

use crate::support::{House, Plan};

/// Fields that no gateway of ours knows.
fn chat() -> serde_json::Value {
    json!({"model": "tiny", "max_tokens": 6, "seed": 3, "top_k": 4, "cache_salt": "x", "user": "u",
        "messages": [{"role": "user", "content": "héllo \u{1F600}"}]})
}

#[tokio::test]
async fn an_answer_is_the_engines_byte_for_byte() {
    let house = House::new().await;
    for (path, body) in [
        ("/v1/chat/completions", chat()),
        ("/v1/messages", chat()),
        (
            "/v1/completions",
            json!({"model": "tiny", "max_tokens": 6, "prompt": "a"}),
        ),
        (
            "/v1/responses",
            json!({"model": "tiny", "max_output_tokens": 6, "input": "hello"}),
        ),
    ] {
        let ours = house.post(path, &body.to_string()).await;
        assert_eq!(ours.status, StatusCode::OK, "{path}");
        let id = ours.header("x-request-id").unwrap().to_owned();
        let ours = ours.text().await;
        let theirs = house
            .ask_engine(path, &id, &body.to_string())
            .await
            .text()
            .await;
        // The responses route draws its ids itself.
        if path != "/v1/responses" {
            assert_eq!(ours, theirs, "{path}");
        }
        assert_eq!(ours.len(), theirs.len(), "{path}");
    }
}

#[tokio::test]
async fn a_stream_without_usage_is_the_engines_byte_for_byte() {
    let house = House::new().await;
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let mut body = chat();
        body["stream"] = true.into();
        body["prompt"] = "hello".into();
        let ours = house.post(path, &body.to_string()).await;
        let id = ours.header("x-request-id").unwrap().to_owned();
        let ours = ours.text().await;
        let theirs = house
            .ask_engine(path, &id, &body.to_string())
            .await
            .text()
            .await;
        assert_eq!(ours, theirs, "{path}");
        assert!(!ours.contains("\"usage\""), "{path}");
    }
    assert!(house.bill().output >= 12, "and it was billed");
}

#[tokio::test]
async fn a_stream_with_usage_at_the_end_is_the_engines_byte_for_byte() {
    let house = House::new().await;
    for options in [
        json!({"include_usage": true}),
        json!({"include_usage": true, "continuous_usage_stats": true}),
        json!({"include_usage": false}),
        json!({"include_usage": false, "continuous_usage_stats": true}),
    ] {
        let mut body = chat();
        body["stream"] = true.into();
        body["stream_options"] = options.clone();
        let path = "/v1/chat/completions";
        let ours = house.post(path, &body.to_string()).await;
        let id = ours.header("x-request-id").unwrap().to_owned();
        let ours = ours.text().await;
        let theirs = house
            .ask_engine(path, &id, &body.to_string())
            .await
            .text()
            .await;
        assert_eq!(ours, theirs, "{options}");
    }
}

#[tokio::test]
async fn messages_and_responses_streams_pass_as_they_are() {
    let house = House::new().await;
    let mut body = chat();
    body["stream"] = true.into();
    let ours = house.post("/v1/messages", &body.to_string()).await;
    let id = ours.header("x-request-id").unwrap().to_owned();
    let ours = ours.text().await;
    let theirs = house
        .ask_engine("/v1/messages", &id, &body.to_string())
        .await;
    assert_eq!(ours, theirs.text().await);
}

#[tokio::test]
async fn a_cap_shortens_the_answer_and_changes_nothing_else_of_the_request() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(120);
    let house = House::planned(plan).await;
    let mut body = chat();
    body["max_tokens"] = 2000.into();
    body["ignore_eos"] = true.into();
    let answer = house.post("/v1/chat/completions", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json().await;
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert!(house.bill().total() <= 120, "{:?}", house.bill());
}
