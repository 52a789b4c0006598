//! What clients send by mistake or on purpose: the right status, their dialect, nothing given away.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::Full;
use maas_keys::TeamSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{House, Plan, raw, within};

const PATHS: [&str; 4] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
];

/// Whether an error has the shape of its path's dialect.
fn assert_dialect(path: &str, error: &Value) {
    if path == "/v1/messages" {
        assert_eq!(error["type"], "error", "{path}: {error}");
        assert!(error["error"]["type"].is_string(), "{path}: {error}");
        assert!(error["request_id"].is_string(), "{path}: {error}");
    } else {
        assert!(error["error"]["code"].is_string(), "{path}: {error}");
    }
    assert!(error["error"]["message"].is_string(), "{path}: {error}");
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_400_in_the_dialect_of_their_path() {
    let house = House::new().await;
    let bodies = [
        ("", "empty"),
        ("not json", "no JSON"),
        ("[]", "no object"),
        ("{\"model\":\"tiny\"", "cut off"),
        ("{\"model\":\"tiny\",\"model\":\"other\"}", "a key twice"),
        ("{\"model\":7}", "a model that is a number"),
        ("{}", "no model"),
        ("{\"model\":\"tiny\",\"stream\":\"yes\"}", "a lax flag"),
        ("{\"model\":\"tiny\",\"max_tokens\":NaN}", "NaN"),
        ("{\"model\":\"tiny\"} {}", "something after the end"),
    ];
    for path in PATHS {
        for (body, what) in bodies {
            let answer = house.post(path, body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {what}");
            assert_dialect(path, &answer.json().await);
        }
        let deep = format!(
            "{{\"model\":\"tiny\",\"messages\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(
            house.post(path, &deep).await.status,
            StatusCode::BAD_REQUEST,
            "{path}: deep nesting"
        );
    }
    assert_eq!(house.billed().requests, 0);
}

#[tokio::test]
async fn an_unknown_model_is_404_and_names_no_other() {
    let house = House::new().await;
    for path in PATHS {
        let answer = house.post(path, r#"{"model":"nope"}"#).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        let error = answer.json().await;
        assert_dialect(path, &error);
        assert!(!error.to_string().contains("tiny"), "{error}");
    }
}

#[tokio::test]
async fn no_key_a_wrong_key_and_two_keys_are_told_apart_and_cost_nothing() {
    let house = House::new().await;
    let mut other = house.key.clone();
    let last = other.pop().unwrap();
    other.push(if last == 'a' { 'b' } else { 'a' });
    for path in PATHS {
        let body = r#"{"model":"tiny"}"#;
        let mut none = house.request(Method::POST, path, body);
        none.headers_mut().remove("authorization");
        let mut wrong = house.request(Method::POST, path, body);
        let value = format!("Bearer {other}").parse().unwrap();
        wrong.headers_mut().insert("authorization", value);
        let mut two = house.request(Method::POST, path, body);
        two.headers_mut()
            .insert("x-api-key", "sk-maas-x".parse().unwrap());
        let query = house.request(Method::POST, &format!("{path}?api_key={other}"), body);
        for (request, want) in [
            (none, StatusCode::UNAUTHORIZED),
            (wrong, StatusCode::UNAUTHORIZED),
            (two, StatusCode::BAD_REQUEST),
            (query, StatusCode::BAD_REQUEST),
        ] {
            let answer = house.send(request).await;
            assert_eq!(answer.status, want, "{path}");
            let error = answer.json().await;
            assert_dialect(path, &error);
            assert!(!error.to_string().contains(&other), "{error}");
        }
    }
    assert_eq!(house.billed().requests, 0);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_whether_it_says_its_length_or_not() {
    let mut plan = Plan::default();
    plan.pace.body_bytes = 1000;
    let house = House::planned(plan).await;
    let body = json!({"model": "tiny", "prompt": "x".repeat(2000)}).to_string();
    for path in PATHS {
        let answer = house.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_dialect(path, &answer.json().await);
    }
    let chunked = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n\
         7d0\r\n{}\r\n0\r\n\r\n",
        house.key,
        "x".repeat(2000)
    );
    let answer = raw(&house, chunked.as_bytes(), "request_too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_hundred_megabytes_announced_are_refused_before_they_are_sent() {
    let house = House::new().await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 104857600\r\n\r\n",
        house.key
    );
    let answer = raw(&house, head.as_bytes(), "request_too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn tricks_with_headers_reach_no_engine() {
    let house = House::new().await;
    let body = r#"{"model":"tiny","prompt":"x","max_tokens":1}"#;
    let key = &house.key;
    let length = body.len();
    let tricks = [
        // RFC 9112, 6.1: a message with both is an attack or a mistake.
        format!(
            "POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\
             transfer-encoding: identity\r\n\r\n{body}"
        ),
        format!(
            "POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\
             content-length: 1\r\n\r\n{body}"
        ),
        format!(
            "POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nx-api-key: {key}\r\n\
             content-length: {length}\r\n\r\n{body}"
        ),
        format!(
            "POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-encoding: gzip\r\n\
             content-length: {length}\r\n\r\n{body}"
        ),
        format!("GET /metrics HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n"),
        format!(
            "POST /v1/load_lora_adapter HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
             content-length: {length}\r\n\r\n{body}"
        ),
    ];
    for trick in tricks {
        let answer = raw(&house, trick.as_bytes(), "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{trick}\n{answer}");
    }
    let many: String = (0..200)
        .map(|n| format!("x-{n}: y\r\n"))
        .collect::<Vec<_>>()
        .concat();
    let answer = raw(
        &house,
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes(),
        "\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(house.billed().requests, 0);
    assert_eq!(house.engines[0].requests_running(), 0);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let mut plan = Plan::default();
    plan.pace.head = Duration::from_millis(50);
    let house = House::planned(plan).await;
    let answer = raw(&house, b"GET /v1/models HTTP/1.1\r\nhost:", "never").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let mut plan = Plan::default();
    plan.pace.body_pause = Duration::from_millis(50);
    let house = House::planned(plan).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 100\r\n\r\n{{",
        house.key
    );
    let answer = raw(&house, head.as_bytes(), "request_id").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// The head of a chat request with the house's key, whose body has `length` bytes.
fn head(house: &House, length: usize) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-length: {length}\r\n\r\n",
        house.key
    )
}

#[tokio::test]
async fn what_is_taken_from_a_key_while_its_body_arrives_is_taken() {
    let house = House::new().await;
    let body = json!({"model": "tiny", "messages": [{"role": "user", "content": "hello"}]});
    let body = body.to_string();
    let mut stream = house.connect().await;
    let head = head(&house, body.len()).replace("host:", "expect: 100-continue\r\nhost:");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    // Whose key is good is asked for its body.
    let mut go_on = vec![0; 25];
    within(stream.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut spent = TeamSettings::default();
    spent.limits.tokens_per_day = Some(0);
    let team = "blue".parse().unwrap();
    house.registry.change_team(&team, spent).unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = vec![0; 12];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 402");
    assert_eq!(house.billed().requests, 0);
}

#[tokio::test]
async fn a_body_that_drips_is_408_in_the_end() {
    let mut plan = Plan::default();
    plan.pace.body = Duration::from_millis(200);
    plan.pace.body_pause = Duration::from_mins(1);
    let house = House::planned(plan).await;
    let mut stream = house.connect().await;
    stream
        .write_all(head(&house, 1_000_000).as_bytes())
        .await
        .unwrap();
    let (mut from, mut to) = tokio::io::split(stream);
    let mut dripping = tokio::task::JoinSet::new();
    dripping.spawn(async move {
        while to.write_all(b"{").await.is_ok() && to.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut answer = vec![0; 12];
    within(from.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed_whatever_was_agreed_in_its_handshake() {
    let mut plan = Plan::default();
    plan.pace.head = Duration::from_millis(50);
    plan.pace.idle = Duration::from_millis(50);
    let house = House::planned(plan).await;
    let mut silent = house.connect().await;
    let mut rest = Vec::new();
    // An answer of 408 or nothing: it ends.
    drop(within(silent.read_to_end(&mut rest)).await);

    let io = hyper_util::rt::TokioIo::new(house.connect_h2().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(executor, io);
    // It answers pings, and still it ends; the sender stays until then.
    let (sender, connection) = handshake.await.unwrap();
    drop(within(connection).await);
    drop(sender);
}
