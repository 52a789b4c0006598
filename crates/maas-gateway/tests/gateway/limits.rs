//! Limits: exactly N, for whoever asks at once, in the dialect of the path.

use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{House, Plan, engine};

fn completion(tokens: u64) -> String {
    json!({"model": "tiny", "prompt": "hello", "max_tokens": tokens, "ignore_eos": true})
        .to_string()
}

fn message(tokens: u64) -> String {
    json!({"model": "tiny", "max_tokens": tokens,
        "messages": [{"role": "user", "content": "hello"}]})
    .to_string()
}

#[tokio::test]
async fn of_many_requests_at_once_exactly_the_allowed_number_is_served() {
    let mut plan = Plan::default();
    plan.team.limits.requests_per_minute = Some(20);
    let house = std::sync::Arc::new(House::planned(plan).await);
    let mut asking = JoinSet::new();
    for _ in 0..60 {
        let house = std::sync::Arc::clone(&house);
        asking.spawn(async move { house.post("/v1/completions", &completion(1)).await.status });
    }
    let answers = asking.join_all().await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!(count(StatusCode::OK), 20);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 40);
    assert_eq!(house.billed().requests, 20);
}

#[tokio::test]
async fn a_burst_is_429_with_a_true_retry_after_in_both_dialects() {
    let mut plan = Plan::default();
    plan.key.requests_per_minute = Some(2);
    let house = House::planned(plan).await;
    for _ in 0..2 {
        assert_eq!(
            house.post("/v1/messages", &message(1)).await.status,
            StatusCode::OK
        );
    }
    let openai = house.post("/v1/completions", &completion(1)).await;
    assert_eq!(openai.status, StatusCode::TOO_MANY_REQUESTS);
    // Two a minute: the next is free in 30 s.
    assert_eq!(openai.header("retry-after"), Some("30"));
    assert_eq!(openai.header("retry-after-ms"), Some("30000"));
    assert_eq!(openai.header("x-should-retry"), Some("true"));
    let error = openai.json().await;
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    let anthropic = house.post("/v1/messages", &message(1)).await;
    assert_eq!(anthropic.status, StatusCode::TOO_MANY_REQUESTS);
    let error = anthropic.json().await;
    assert_eq!(error["error"]["type"], "rate_limit_error");
    insta::assert_snapshot!(error["error"]["message"].as_str().unwrap(), @"too many requests: the key may send 2 per minute; the next one is free in 30 s");
}

#[tokio::test]
async fn a_spent_budget_is_402_and_says_when_it_starts_again() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(0);
    let house = House::planned(plan).await;
    for (path, body, field, kind) in [
        ("/v1/completions", completion(1), "code", "budget_spent"),
        ("/v1/messages", message(1), "type", "billing_error"),
    ] {
        let answer = house.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED, "{path}");
        assert_eq!(answer.header("retry-after"), None, "{path}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}");
        let error = answer.json().await;
        assert_eq!(error["error"][field], kind, "{path}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(error["error"]["message"].as_str().unwrap(), @"the team's budget of 0 tokens per day leaves too little for this request: 0 are used or reserved; it starts again at 2026-11-23 00:00 UTC");
        }
    }
}

#[tokio::test]
async fn a_budget_is_never_overshot_however_long_the_answers_could_be() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(300);
    let mut slow = engine("tiny");
    slow.behaviour.answer_tokens = 1000;
    plan.engines = vec![("tiny-0", slow)];
    let house = std::sync::Arc::new(House::planned(plan).await);
    let mut asking = JoinSet::new();
    for number in 0..40 {
        let house = std::sync::Arc::clone(&house);
        asking.spawn(async move {
            // Without `max_tokens` the engine could answer 1,000 tokens.
            let body = json!({"model": "tiny", "stream": number % 2 == 0,
                "messages": [{"role": "user", "content": "hello"}]});
            let answer = house.post("/v1/chat/completions", &body.to_string()).await;
            let status = answer.status;
            drop(answer.text().await);
            status
        });
    }
    let answers = asking.join_all().await;
    assert!(answers.contains(&StatusCode::PAYMENT_REQUIRED));
    assert!(house.bill().total() <= 300, "{:?}", house.bill());
    assert!(house.bill().total() > 0);
}

#[tokio::test]
async fn what_was_reserved_and_not_used_is_given_back() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(1000);
    let house = House::planned(plan).await;
    // Each reserves about 900 and uses about 10.
    for _ in 0..5 {
        let body = json!({"model": "tiny", "max_tokens": 900,
            "messages": [{"role": "user", "content": "hello"}]});
        let answer = house.post("/v1/chat/completions", &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK);
        drop(answer.text().await);
    }
    assert!(house.bill().total() < 500, "{:?}", house.bill());
}

#[tokio::test]
async fn where_the_limits_stand_is_in_the_headers_of_the_dialect() {
    let mut plan = Plan::default();
    plan.team.limits.requests_per_minute = Some(60);
    plan.team.limits.tokens_per_day = Some(100_000);
    let house = House::planned(plan).await;
    let answer = house.post("/v1/completions", &completion(1)).await;
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("60"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("59"));
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("100000"));
    assert_eq!(answer.header("x-ratelimit-reset-tokens"), Some("12h0m0s"));
    let answer = house.post("/v1/messages", &message(1)).await;
    assert_eq!(
        answer.header("anthropic-ratelimit-requests-limit"),
        Some("60")
    );
    assert_eq!(
        answer.header("anthropic-ratelimit-tokens-reset"),
        Some("2026-11-23T00:00:00Z")
    );
}

#[tokio::test]
async fn several_answers_never_overshoot_a_budget() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(30);
    let mut long = engine("tiny");
    long.behaviour.answer_tokens = 1000;
    plan.engines = vec![("tiny-0", long)];
    let house = House::planned(plan).await;
    // The first gets one token for each of its answers; the second finds 6 for 20.
    for want in [StatusCode::OK, StatusCode::PAYMENT_REQUIRED] {
        let body = json!({"model": "tiny", "n": 20, "max_tokens": 100, "prompt": [1, 2, 3, 4]});
        let answer = house.post("/v1/completions", &body.to_string()).await;
        assert_eq!(answer.status, want);
        drop(answer.text().await);
    }
    let bill = house.bill();
    assert_eq!(bill.output, 20);
    assert!(bill.total() <= 30, "{bill:?}");
}
