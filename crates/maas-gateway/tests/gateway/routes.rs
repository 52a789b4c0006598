//! Every route, streamed and not, in its dialect.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{House, Plan, engine};

fn chat() -> String {
    json!({"model": "tiny", "max_tokens": 8,
        "messages": [{"role": "user", "content": "hello"}]})
    .to_string()
}

/// The routes of a model that generates, with a small request for each.
fn requests() -> Vec<(&'static str, Value)> {
    let messages = json!([{"role": "user", "content": "hello"}]);
    vec![
        (
            "chat/completions",
            json!({"model": "tiny", "max_tokens": 8, "messages": messages}),
        ),
        (
            "completions",
            json!({"model": "tiny", "max_tokens": 8, "prompt": "hello"}),
        ),
        (
            "responses",
            json!({"model": "tiny", "max_output_tokens": 8, "input": "hello"}),
        ),
        (
            "messages",
            json!({"model": "tiny", "max_tokens": 8, "messages": messages}),
        ),
    ]
}

#[tokio::test]
async fn every_route_answers_below_both_prefixes() {
    let house = House::new().await;
    for (name, body) in requests() {
        for prefix in ["/v1", "/llm/tiny/v1"] {
            let answer = house
                .post(&format!("{prefix}/{name}?beta=true"), &body.to_string())
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{prefix}/{name}");
            assert_eq!(answer.header("x-request-id").unwrap().len(), 26);
            assert_eq!(
                answer.headers.contains_key("request-id"),
                name == "messages"
            );
            let answer = answer.json().await;
            assert_eq!(answer["model"], "tiny", "{prefix}/{name}");
            assert!(answer["usage"].is_object(), "{prefix}/{name}");
        }
    }
}

#[tokio::test]
async fn below_a_models_own_path_the_body_need_not_name_it() {
    let house = House::new().await;
    for (name, mut body) in requests() {
        body.as_object_mut().unwrap().remove("model");
        let answer = house
            .post(&format!("/llm/tiny/v1/{name}"), &body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.json().await["model"], "tiny", "{name}");
    }
}

#[tokio::test]
async fn every_route_streams_in_its_dialect_and_is_billed_as_its_whole_answer() {
    let house = House::new().await;
    for (name, mut body) in requests() {
        let before = house.bill();
        assert_eq!(
            house
                .post(&format!("/v1/{name}"), &body.to_string())
                .await
                .status,
            StatusCode::OK
        );
        let whole = house.bill();

        body["stream"] = true.into();
        let answer = house.post(&format!("/v1/{name}"), &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let text = answer.text().await;
        let end = match name {
            "responses" => "event: response.completed\n",
            "messages" => "event: message_stop\n",
            _ => "data: [DONE]\n\n",
        };
        assert!(text.contains(end), "{name}: {text}");
        let streamed = house.bill();
        assert_eq!(
            streamed.output - whole.output,
            whole.output - before.output,
            "{name}"
        );
        assert_eq!(
            streamed.input - whole.input,
            whole.input - before.input,
            "{name}"
        );
        assert!(whole.output > before.output, "{name}");
    }
}

#[tokio::test]
async fn counting_tokens_is_answered_and_not_billed() {
    let house = House::new().await;
    let messages = json!([{"role": "user", "content": "hello"}]);
    for (path, body, field) in [
        (
            "/v1/messages/count_tokens",
            json!({"model": "tiny", "messages": messages}),
            "input_tokens",
        ),
        (
            "/v1/tokenize",
            json!({"model": "tiny", "prompt": "hello"}),
            "count",
        ),
        (
            "/v1/detokenize",
            json!({"model": "tiny", "tokens": [72, 105]}),
            "prompt",
        ),
    ] {
        let answer = house.post(path, &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let answer = answer.json().await;
        assert!(!answer[field].is_null(), "{path}: {answer}");
    }
    assert_eq!(house.billed().requests, 0);
}

#[tokio::test]
async fn embeddings_are_billed_by_their_input() {
    let mut embedder = engine("embedder");
    embedder.runner = maas_simulator::Runner::Pooling;
    let plan = Plan {
        engines: vec![("embedder-0", embedder)],
        ..Plan::default()
    };
    let house = House::planned(plan).await;
    let body = json!({"model": "embedder", "input": ["hello", "world"]}).to_string();
    let answer = house.post("/v1/embeddings", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let usage = answer.json().await["usage"].clone();
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0);
    assert_eq!(usage["prompt_tokens"], house.bill().input);
    assert_eq!(house.bill().output, 0);

    // The engine has no chat route; FastAPI's words are put into OpenAI's.
    let chat = chat().replace("tiny", "embedder");
    let answer = house.post("/v1/chat/completions", &chat).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let error = answer.json().await;
    assert_eq!(error["error"]["message"], "Not Found", "{error}");
    assert_eq!(
        house.billed().requests,
        2,
        "a refusal is a request, for nothing"
    );
    assert_eq!(usage["prompt_tokens"], house.bill().total());
}

#[tokio::test]
async fn health_needs_no_key_and_names_nothing() {
    let house = House::new().await;
    for (method, path) in [
        (Method::HEAD, "/"),
        (Method::GET, "/"),
        (Method::GET, "/healthz"),
    ] {
        let mut request = house.request(method.clone(), path, "");
        request.headers_mut().remove("authorization");
        assert_eq!(
            house.send(request).await.status,
            StatusCode::OK,
            "{method} {path}"
        );
    }
    let ready = house.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    insta::assert_snapshot!(ready.text().await, @r#"{"ready":true,"ledger":"ok","engine_table":"fresh","engines_ready":1,"engines":1}"#);
}

#[tokio::test]
async fn one_connection_serves_many_requests_over_http2_as_well() {
    let house = House::new().await;
    let stream = house.connect_h2().await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut sender = sender.clone();
        let mut request = house.request(Method::POST, "/v1/chat/completions", &chat());
        *request.uri_mut() = "https://localhost/v1/chat/completions".parse().unwrap();
        answers.spawn(async move { sender.send_request(request).await.unwrap().status() });
    }
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
}
