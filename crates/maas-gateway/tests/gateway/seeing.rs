//! What is counted and shown.

use http::StatusCode;
use serde_json::json;

use crate::support::{House, plain_http};

fn chat() -> String {
    json!({"model": "tiny", "max_tokens": 4,
        "messages": [{"role": "user", "content": "a most secret prompt"}]})
    .to_string()
}

#[tokio::test]
async fn the_metrics_page_counts_requests_tokens_and_refusals_and_relays_the_engines() {
    let house = House::new().await;
    drop(
        house
            .post("/v1/chat/completions", &chat())
            .await
            .text()
            .await,
    );
    drop(
        house
            .post("/v1/messages", r#"{"model":"nope"}"#)
            .await
            .text()
            .await,
    );
    let page = plain_http(house.metrics, "/metrics").await;
    assert_eq!(page.status, StatusCode::OK);
    let page = page.text().await;
    for wanted in [
        "maas_requests_total{model=\"tiny\",team=\"blue\",route=\"chat_completions\",outcome=\"complete\"} 1\n",
        "maas_tokens_total{model=\"tiny\",team=\"blue\",kind=\"output\"} 4\n",
        "maas_refusals_total{reason=\"model_unknown\"} 1\n",
        "maas_engine_state{engine=\"tiny-0\",model=\"tiny\",state=\"ready\"} 1\n",
        "vllm:num_requests_running{",
        "maas_engine=\"tiny-0\"",
    ] {
        assert!(page.contains(wanted), "no {wanted} in\n{page}");
    }
    for secret in ["secret prompt", &house.key, "nope"] {
        assert!(!page.contains(secret), "{secret} is on the page");
    }
}

#[tokio::test]
async fn the_metrics_port_serves_nothing_else() {
    let house = House::new().await;
    for path in ["/", "/v1/models", "/admin/v1/status"] {
        let answer = plain_http(house.metrics, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_a_request_id_errors_too() {
    let house = House::new().await;
    for (path, body) in [
        ("/v1/chat/completions", chat()),
        ("/v1/chat/completions", "nonsense".to_owned()),
        ("/v1/messages", "nonsense".to_owned()),
        ("/nowhere", String::new()),
    ] {
        let answer = house.post(path, &body).await;
        assert_eq!(answer.header("x-request-id").unwrap().len(), 26, "{path}");
    }
}

#[tokio::test]
async fn status_says_what_serves() {
    let house = House::new().await;
    let status = house.admin.status().await.unwrap();
    assert!(status.ready && status.ledger_healthy);
    assert_eq!(status.listeners.tls, [house.address]);
    assert_eq!(status.engines.len(), 1);
    assert_eq!(status.engine_table.generation.unwrap().to_string(), "7-1");
}
