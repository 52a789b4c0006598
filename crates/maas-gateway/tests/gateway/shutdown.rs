//! The end of a gateway: what runs may finish, what does not is told, and the ledger is whole.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::support::{House, Plan, engine, within};

fn stream(tokens: u64) -> String {
    json!({"model": "tiny", "stream": true, "max_tokens": tokens, "ignore_eos": true,
        "messages": [{"role": "user", "content": "hello"}]})
    .to_string()
}

async fn house(drain: Duration) -> House {
    let mut slow = engine("tiny");
    slow.behaviour.token = Duration::from_millis(5);
    let mut plan = Plan {
        engines: vec![("tiny-0", slow)],
        ..Plan::default()
    };
    plan.pace.drain = drain;
    House::planned(plan).await
}

#[tokio::test]
async fn a_stream_that_is_running_finishes_and_nothing_new_is_taken() {
    let mut house = house(Duration::from_secs(20)).await;
    let mut answer = house.post("/v1/chat/completions", &stream(60)).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.read_until("\n\n").await;
    house.shutdown.cancel();
    let text = answer.text().await;
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    within(house.running.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(house.bill_on_disk().output, 60);
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err());
}

#[tokio::test]
async fn a_stream_that_does_not_finish_is_told_why() {
    let mut house = house(Duration::from_millis(100)).await;
    let mut answer = house.post("/v1/messages", &stream(2000)).await;
    answer.read_until("\n\n").await;
    house.shutdown.cancel();
    let text = answer.text().await;
    assert!(text.contains("event: error\n"), "{text}");
    assert!(text.contains("is being restarted"), "{text}");
    within(house.running.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let bill = house.bill_on_disk();
    assert!(bill.output > 0 && bill.output < 2000, "{bill:?}");
}
