//! Engines that are not there, die, hang, refuse or talk nonsense.

use std::sync::atomic::Ordering;

use http::StatusCode;
use maas_simulator::{Change, Failure};
use maas_types::{EngineState, Task};
use serde_json::json;

use crate::support::{House, Plan, dying_engine, engine, entry, odd_engine};

fn chat() -> String {
    json!({"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]})
        .to_string()
}

#[tokio::test]
async fn a_model_that_loads_is_503_for_openai_and_529_for_anthropic_with_a_short_wait() {
    let house = House::new().await;
    let socket = house.layout.run().join("none.sock");
    let mut loading = entry("tiny-0".parse().unwrap(), "tiny".parse().unwrap(), socket);
    loading.state = EngineState::Starting;
    loading.progress_percent = Some(40);
    house.replace_table(2, vec![loading]).await;
    let openai = house.post("/v1/chat/completions", &chat()).await;
    assert_eq!(openai.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(openai.header("retry-after"), Some("5"));
    insta::assert_snapshot!(openai.text().await, @r#"{"error":{"message":"the model `tiny` is not ready (starting, 40 %); try again shortly","type":"server_error","param":null,"code":"model_not_ready"}}"#);
    let anthropic = house.post("/v1/messages", &chat()).await;
    assert_eq!(anthropic.status.as_u16(), 529);
    assert_eq!(anthropic.json().await["error"]["type"], "overloaded_error");
    assert_eq!(house.billed().requests, 0);
}

#[tokio::test]
async fn a_request_moves_to_another_replica_when_one_does_not_answer() {
    let plan = Plan {
        engines: vec![("tiny-1", engine("tiny"))],
        ..Plan::default()
    };
    let house = House::planned(plan).await;
    // Its socket is there and nobody listens.
    let dead = house.layout.run().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let alive = house.layout.engine_socket(&"tiny-1".parse().unwrap());
    let model: maas_types::ModelName = "tiny".parse().unwrap();
    let table = vec![
        entry("tiny-0".parse().unwrap(), model.clone(), dead),
        entry("tiny-1".parse().unwrap(), model, alive),
    ];
    house.replace_table(2, table).await;
    for _ in 0..4 {
        let answer = house.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answer.status, StatusCode::OK);
        drop(answer.text().await);
    }
    let status = house.admin.status().await.unwrap();
    assert!(status.engines[0].unreachable);
    assert!(!status.engines[1].unreachable);
}

#[tokio::test]
async fn an_engine_that_is_full_passes_a_request_on_and_its_word_when_all_are() {
    let plan = Plan {
        engines: vec![("tiny-0", engine("tiny")), ("tiny-1", engine("tiny"))],
        ..Plan::default()
    };
    let house = House::planned(plan).await;
    house.engines[0]
        .simulate(&Change::fail(Failure::Refuse))
        .unwrap();
    for _ in 0..4 {
        let answer = house.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answer.status, StatusCode::OK);
        drop(answer.text().await);
    }
    house.engines[1]
        .simulate(&Change::fail(Failure::Refuse))
        .unwrap();
    let answer = house.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = answer.text().await;
    assert!(text.contains("error"), "{text}");
}

#[tokio::test]
async fn nonsense_from_an_engine_is_502_in_the_clients_dialect() {
    for answer in [
        &b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 26\r\n\r\n<html>502 Bad Gateway</html>"[..],
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 24\r\n\r\n{\"error\":\"Unauthorized\"}",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
        b"not HTTP at all",
        b"",
    ] {
        let house = House::new().await;
        let (odd, _serving) = odd_engine(&house, "tiny-9", answer);
        house.replace_table(2, vec![odd]).await;
        for path in ["/v1/chat/completions", "/v1/messages"] {
            for body in [chat(), chat().replace("{\"max", "{\"stream\":true,\"max")] {
                let got = house.post(path, &body).await;
                let status = got.status;
                let text = got.text().await;
                assert!(!text.contains("<html>"), "{path}: {text}");
                assert!(text.contains("error"), "{path}: {text}");
                assert!(
                    status == StatusCode::BAD_GATEWAY || body.contains("stream"),
                    "{path}: {status} {text}"
                );
            }
        }
        assert_eq!(house.bill().total(), 0);
    }
}

#[tokio::test]
async fn html_from_a_simulated_engine_reaches_nobody() {
    let house = House::new().await;
    house.engines[0]
        .simulate(&Change::fail(Failure::Html))
        .unwrap();
    let answer = house.post("/v1/messages", &chat()).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.json().await["type"], "error");
}

#[tokio::test]
async fn a_request_that_the_engine_refuses_keeps_its_words_and_is_billed_nothing() {
    let house = House::new().await;
    let body = json!({"model": "tiny", "max_tokens": 1_000_000,
        "messages": [{"role": "user", "content": "hello"}]})
    .to_string();
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let answer = house.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let text = answer.text().await;
        assert!(text.contains("max_tokens"), "{path}: {text}");
    }
    assert_eq!(house.bill().total(), 0);
}

#[tokio::test]
async fn an_engine_that_dies_is_an_error_and_the_next_one_takes_over() {
    let plan = Plan {
        engines: vec![("tiny-0", engine("tiny")), ("tiny-1", engine("tiny"))],
        ..Plan::default()
    };
    let mut house = House::planned(plan).await;
    house.engines[0].kill_core();
    let mut good = 0;
    for _ in 0..6 {
        let answer = house.post("/v1/chat/completions", &chat()).await;
        let status = answer.status;
        drop(answer.text().await);
        good += u32::from(status == StatusCode::OK);
        assert!(
            status == StatusCode::OK || status.is_server_error(),
            "{status}"
        );
    }
    assert!(good >= 3, "{good}");
    let model: maas_types::ModelName = "tiny".parse().unwrap();
    let socket = house.layout.engine_socket(&"tiny-1".parse().unwrap());
    let mut alive = entry("tiny-1".parse().unwrap(), model, socket);
    alive.task = Task::Generate;
    house.replace_table(2, vec![alive]).await;
    for _ in 0..4 {
        let answer = house.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answer.status, StatusCode::OK);
        drop(answer.text().await);
    }
}

#[tokio::test]
async fn a_request_that_kills_engines_gets_two_of_them_and_not_all() {
    let house = House::new().await;
    let mut entries = Vec::new();
    let mut engines = Vec::new();
    for id in ["tiny-1", "tiny-2", "tiny-3", "tiny-4"] {
        let (entry, deaths, serving) = dying_engine(&house, id);
        entries.push(entry);
        engines.push((deaths, serving));
    }
    house.replace_table(2, entries).await;
    let answer = house.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    let died: usize = engines
        .iter()
        .map(|(deaths, _)| deaths.load(Ordering::SeqCst))
        .sum();
    assert_eq!(died, 2);
}

#[tokio::test]
async fn a_whole_answer_that_never_comes_costs_its_prompt() {
    let mut plan = Plan::default();
    plan.pace.engine_silence = std::time::Duration::from_millis(100);
    let house = House::planned(plan).await;
    house.engines[0]
        .simulate(&Change::fail(Failure::Hang))
        .unwrap();
    let answer = house.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let bill = house.bill();
    assert!(bill.input > 0, "{bill:?}");
    assert_eq!(bill.output, 0);
}
