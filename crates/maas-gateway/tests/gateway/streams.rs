//! Streams that end before their time: revoked, abandoned, broken, stalled. Billed for what was seen.

use std::time::Duration;

use http::StatusCode;
use maas_simulator::{Change, Failure};
use serde_json::json;

use crate::support::{House, Plan, engine};

fn body(name: &str, tokens: u64) -> String {
    match name {
        "responses" => json!({"model": "tiny", "stream": true, "max_output_tokens": tokens,
            "ignore_eos": true, "input": "hello"}),
        "completions" => json!({"model": "tiny", "stream": true, "max_tokens": tokens,
            "ignore_eos": true, "prompt": "hello"}),
        _ => json!({"model": "tiny", "stream": true, "max_tokens": tokens, "ignore_eos": true,
            "messages": [{"role": "user", "content": "hello"}]}),
    }
    .to_string()
}

const ROUTES: [&str; 4] = ["chat/completions", "completions", "responses", "messages"];

/// An engine whose answers take as long as nobody waits.
async fn slow_house() -> House {
    let mut slow = engine("tiny");
    slow.behaviour.token = Duration::from_millis(20);
    let plan = Plan {
        engines: vec![("tiny-0", slow)],
        ..Plan::default()
    };
    House::planned(plan).await
}

#[tokio::test]
async fn a_revoked_key_ends_its_stream_with_an_event_of_the_dialect() {
    for route in ROUTES {
        let house = slow_house().await;
        let mut answer = house
            .post(&format!("/v1/{route}"), &body(route, 2000))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{route}");
        answer.read_until("\n\n").await;
        let revoked = house.admin.revoke_key(&house.key_id).await.unwrap();
        assert_eq!(revoked.streams_cut, 1, "{route}");
        let rest = answer.text().await;
        assert!(rest.contains("the key was revoked"), "{route}: {rest}");
        let end = match route {
            "messages" => "event: error\ndata: {\"type\":\"error\"",
            "responses" => "event: response.failed\n",
            _ => "data: {\"error\":{",
        };
        assert!(rest.contains(end), "{route}: {rest}");
        assert!(!rest.contains("[DONE]"), "{route}: {rest}");
        // The engine has stopped computing, and the next request is refused.
        house.engine_runs(0).await;
        let next = house.post(&format!("/v1/{route}"), &body(route, 1)).await;
        assert_eq!(next.status, StatusCode::UNAUTHORIZED, "{route}");
        assert!(house.bill().output < 2000, "{route}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_engine_and_pays_for_what_was_made() {
    for route in ROUTES {
        let house = slow_house().await;
        let mut answer = house
            .post(&format!("/v1/{route}"), &body(route, 2000))
            .await;
        answer.read_until("\n\n").await;
        house.engine_runs(1).await;
        drop(answer);
        house.engine_runs(0).await;
        crate::support::until(|| house.billed().requests == 1).await;
        let bill = house.bill();
        assert!(bill.input > 0, "{route}: {bill:?}");
        assert!(bill.output < 2000, "{route}: {bill:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_a_whole_answer_stops_the_engine_too() {
    let house = slow_house().await;
    let whole = body("chat/completions", 2000).replace("\"stream\":true,", "");
    assert!(!whole.contains("stream"), "{whole}");
    let asking = house.post("/v1/chat/completions", &whole);
    tokio::select! {
        _ = asking => panic!("2,000 tokens take 40 s"),
        () = house.engine_runs(1) => {}
    }
    house.engine_runs(0).await;
    crate::support::until(|| house.billed().requests == 1).await;
}

#[tokio::test]
async fn an_engine_that_fails_in_mid_stream_is_an_error_event_and_not_a_good_end() {
    for route in ROUTES {
        for failure in [Failure::StreamError(2), Failure::Drop(2)] {
            let house = House::new().await;
            house.engines[0].simulate(&Change::fail(failure)).unwrap();
            let answer = house.post(&format!("/v1/{route}"), &body(route, 20)).await;
            let text = answer.text().await;
            assert!(text.contains("error"), "{route} {failure}: {text}");
            for good in [
                "response.completed",
                "message_stop",
                "\"finish_reason\":\"stop\"",
            ] {
                assert!(!text.contains(good), "{route} {failure}: {text}");
            }
            crate::support::until(|| house.billed().requests == 1).await;
            assert!(
                house.bill().output < 20,
                "{route} {failure}: {:?}",
                house.bill()
            );
        }
    }
}

#[tokio::test]
async fn a_silent_engine_is_covered_by_keep_alives_and_then_given_up() {
    for route in ROUTES {
        let mut plan = Plan::default();
        plan.pace.keep_alive = Duration::from_millis(20);
        plan.pace.engine_silence = Duration::from_millis(200);
        let house = House::planned(plan).await;
        house.engines[0]
            .simulate(&Change::fail(Failure::Hang))
            .unwrap();
        let answer = house.post(&format!("/v1/{route}"), &body(route, 5)).await;
        assert_eq!(answer.status, StatusCode::OK, "{route}");
        let text = answer.text().await;
        let sign = if route == "messages" {
            "event: ping\n"
        } else {
            ": keep-alive\n"
        };
        assert!(text.matches(sign).count() >= 2, "{route}: {text}");
        assert!(text.contains("was silent for"), "{route}: {text}");
        crate::support::until(|| house.billed().requests == 1).await;
        assert_eq!(house.bill().output, 0, "{route}: nothing was computed");
    }
}

#[tokio::test]
async fn a_reader_that_stalls_is_let_go_and_holds_no_engine() {
    let mut plan = Plan::default();
    plan.pace.client_stall = Duration::from_millis(100);
    let house = House::planned(plan).await;
    // Far more than the sockets between us hold.
    let body = json!({"model": "tiny", "stream": true, "max_tokens": 2000, "n": 20,
        "ignore_eos": true, "prompt": "hello"});
    let answer = house.post("/v1/completions", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    crate::support::until(|| house.billed().requests == 1).await;
    house.engine_runs(0).await;
    drop(answer);
}
