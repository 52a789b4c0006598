//! `/v1/models`: what a key may use, and nothing else.

use http::{Method, StatusCode};
use maas_keys::{Limits, ModelAccess, NewKey};
use serde_json::{Value, json};

use crate::support::{House, Plan, engine};

async fn two_models() -> House {
    let plan = Plan {
        engines: vec![("open-0", engine("open")), ("secret-0", engine("secret"))],
        ..Plan::default()
    };
    House::planned(plan).await
}

/// A key that may use `open` only.
async fn narrow(house: &House) -> String {
    let new = NewKey {
        team: "blue".parse().unwrap(),
        user: None,
        name: "narrow".to_owned(),
        models: ModelAccess::Only(["open".parse().unwrap()].into()),
        expires: None,
        limits: Limits::default(),
    };
    house.admin.create_key(&new).await.unwrap().secret
}

async fn ask(
    house: &House,
    key: &str,
    method: Method,
    path: &str,
    body: &str,
) -> (StatusCode, Value) {
    let mut request = house.request(method, path, body);
    let value = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    let answer = house.send(request).await;
    (answer.status, answer.json().await)
}

fn ids(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap();
    data.iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn one_list_serves_both_kinds_of_clients() {
    let house = two_models().await;
    let list = house.get("/v1/models").await.json().await;
    assert_eq!(ids(&list), ["open", "secret"]);
    assert_eq!(list["object"], "list");
    assert_eq!(list["has_more"], false);
    let model = &list["data"][0];
    assert_eq!(
        (&model["object"], &model["type"]),
        (&json!("model"), &json!("model"))
    );
    assert_eq!(model["max_model_len"], 2048);
    let one = house.get("/v1/models/open").await.json().await;
    assert_eq!(&one, model);
}

#[tokio::test]
async fn a_key_sees_only_what_it_may_use() {
    let house = two_models().await;
    let key = narrow(&house).await;
    let (_, list) = ask(&house, &key, Method::GET, "/v1/models", "").await;
    assert_eq!(ids(&list), ["open"]);
    assert!(!list.to_string().contains("secret"), "{list}");
}

#[tokio::test]
async fn a_model_that_is_not_ones_own_answers_as_one_that_does_not_exist() {
    let house = two_models().await;
    let key = narrow(&house).await;
    for (method, path, body) in [
        (Method::GET, "/v1/models/NAME", ""),
        (Method::POST, "/v1/chat/completions", r#"{"model":"NAME"}"#),
        (Method::POST, "/v1/messages", r#"{"model":"NAME"}"#),
        (Method::POST, "/v1/responses", r#"{"model":"NAME"}"#),
        (
            Method::POST,
            "/v1/messages/count_tokens",
            r#"{"model":"NAME"}"#,
        ),
        (Method::POST, "/llm/NAME/v1/completions", "{}"),
        (Method::GET, "/llm/NAME/v1/models", ""),
    ] {
        let answers = ["secret", "absent"].map(|name| {
            let (path, body) = (path.replace("NAME", name), body.replace("NAME", name));
            let (house, key, method) = (&house, &key, method.clone());
            async move {
                let (status, body) = ask(house, key, method, &path, &body).await;
                let id = body["request_id"].as_str().unwrap_or("no id");
                let text = body.to_string().replace(name, "NAME").replace(id, "ID");
                (status, text)
            }
        });
        let [secret, absent] = answers;
        let (secret, absent) = (secret.await, absent.await);
        assert_eq!(secret, absent, "{method} {path}");
        // The list below a model's own path is empty, for whoever asks.
        if path != "/llm/NAME/v1/models" {
            assert_eq!(secret.0, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_body_may_not_name_another_model_than_the_path() {
    let house = two_models().await;
    let answer = house
        .post("/llm/open/v1/completions", r#"{"model":"secret"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_list_costs_no_request_and_is_answered_when_the_budget_is_spent() {
    let mut plan = Plan::default();
    plan.team.limits.tokens_per_day = Some(0);
    plan.team.limits.requests_per_minute = Some(0);
    let house = House::planned(plan).await;
    for _ in 0..5 {
        assert_eq!(house.get("/v1/models").await.status, StatusCode::OK);
    }
}
