//! What a developer sees at the endpoint, and what is written down about it.

use maas_tests::Running;
use serde_json::json;

#[test]
fn what_is_billed_is_what_the_engine_reports_in_every_dialect() {
    let running = Running::new("load=0s");
    let messages = json!([{ "role": "user", "content": "How are you?" }]);
    let calls = [
        (
            "/v1/chat/completions",
            json!({ "messages": messages, "max_tokens": 9 }),
            "prompt_tokens",
            "completion_tokens",
        ),
        (
            "/v1/completions",
            json!({ "prompt": "Once", "max_tokens": 8 }),
            "prompt_tokens",
            "completion_tokens",
        ),
        (
            "/v1/messages",
            json!({ "messages": messages, "max_tokens": 7 }),
            "input_tokens",
            "output_tokens",
        ),
        (
            "/v1/responses",
            json!({ "input": "How are you?", "max_output_tokens": 6 }),
            "input_tokens",
            "output_tokens",
        ),
    ];
    let mut expected = (0, 0);
    for (path, mut body, input, output) in calls {
        body["model"] = json!("tiny");
        for prefix in ["", "/llm/tiny"] {
            let answer = running
                .https
                .post(&format!("{prefix}{path}"), &running.key, &body);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let usage = answer.json()["usage"].clone();
            expected.0 += usage[input].as_u64().unwrap();
            expected.1 += usage[output].as_u64().unwrap();
            assert_eq!(running.usage_of(&running.key), expected, "{path}");
        }
    }
}

#[test]
fn a_stream_is_billed_although_its_client_did_not_ask_for_usage() {
    let running = Running::new("load=0s");
    let answer = running.https.post(
        "/v1/chat/completions",
        &running.key,
        &Running::chat_stream(12),
    );
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("\"usage\""), "{}", answer.body);
    assert!(
        answer.body.trim_end().ends_with("data: [DONE]"),
        "{}",
        answer.body
    );
    let (input, output) = running.usage_of(&running.key);
    assert_eq!(output, 12);
    assert!(input > 0);
}

#[test]
fn a_revoked_key_ends_its_stream_at_once_and_is_401_from_then_on() {
    let running = Running::new("load=0s,token=20ms");
    let key = running.new_key("blue", &[]);
    let body = Running::chat_stream(1500).to_string();
    let mut stream = running
        .https
        .open("POST", "/v1/chat/completions", &key, &body)
        .unwrap();
    assert_eq!(stream.status, 200);
    assert!(stream.line().is_some());
    running
        .site
        .host(&["keys", "revoke", Running::key_id(&key)])
        .ok();
    let rest = stream.finish().unwrap();
    assert!(
        rest.body.contains("revoked") || rest.body.contains("error"),
        "{}",
        rest.body
    );
    let answer = running
        .https
        .post("/v1/chat/completions", &key, &Running::chat(1));
    assert_eq!(answer.status, 401, "{}", answer.body);
    let (_, output) = running.usage_of(&key);
    assert!(output > 0 && output < 1500, "{output}");
}

#[test]
fn a_spent_budget_is_402_and_a_burst_is_429() {
    let running = Running::new("load=0s");
    running
        .site
        .host(&["team", "create", "poor", "--tokens-per-day", "60"])
        .ok();
    let key = running.new_key("poor", &[]);
    let mut last = None;
    for _ in 0..20 {
        let answer = running
            .https
            .post("/v1/chat/completions", &key, &Running::chat(20));
        last = Some(answer.status);
        if answer.status != 200 {
            assert_eq!(answer.status, 402, "{}", answer.body);
            assert!(
                answer
                    .body
                    .contains("the team's budget of 60 tokens per day"),
                "it does not say which limit: {}",
                answer.body
            );
            break;
        }
    }
    assert_eq!(last, Some(402));
    let (input, output) = running.usage_of(&key);
    assert!(input + output <= 60, "overshot: {input} + {output}");

    let key = running.new_key("blue", &["--requests-per-minute", "2"]);
    let status =
        |_| {
            running.https.post("/v1/messages", &key, &json!({
        "model": "tiny", "max_tokens": 1, "messages": [{ "role": "user", "content": "x" }],
    }))
        };
    let answers: Vec<_> = (0..3).map(status).collect();
    assert_eq!(answers[2].status, 429, "{}", answers[2].body);
    assert!(answers[2].header("retry-after").is_some());
    assert_eq!(answers[2].json()["type"], "error");
}

#[test]
fn a_team_sees_only_its_models_and_learns_of_no_other() {
    let running = Running::new("load=0s");
    let key = running.new_key("blue", &["--model", "something-else"]);
    let models = running
        .https
        .call("GET", "/v1/models", &key, "")
        .unwrap()
        .json();
    assert_eq!(models["data"], json!([]));
    let hidden = running
        .https
        .post("/v1/chat/completions", &key, &Running::chat(1));
    let mut body = Running::chat(1);
    body["model"] = json!("nope");
    let unknown = running.https.post("/v1/chat/completions", &key, &body);
    assert_eq!((hidden.status, unknown.status), (404, 404));
    assert_eq!(hidden.body.replace("tiny", "nope"), unknown.body);
}

#[test]
fn metrics_show_our_own_the_engines_and_the_gpus() {
    let running = Running::new("load=0s");
    running
        .https
        .post("/v1/chat/completions", &running.key, &Running::chat(5));
    let page = running.metrics();
    for wanted in [
        "maas_requests_total{",
        "maas_engine_state{",
        "vllm:generation_tokens_total{",
        "maas_model=\"tiny\"",
        "maas_nvml_up",
    ] {
        assert!(page.contains(wanted), "no {wanted} in\n{page}");
    }
}

#[test]
fn status_says_healthy_and_its_json_says_the_same() {
    let running = Running::new("load=0s");
    let text = running.site.host(&["status"]).ok();
    assert!(text.stdout.contains("HEALTHY"), "{}", text.stdout);
    assert!(text.stdout.contains("SIMULATED"), "{}", text.stdout);
    let json = running.site.host(&["status", "--json"]).ok().json();
    assert_eq!(json["schema"], "maas-appliance/status/v1");
    assert_eq!(json["health"], "healthy");
    assert_eq!(json["models"][0]["engines"][0]["state"], "ready");
}

#[test]
fn the_request_id_stands_in_the_answer_in_our_log_and_at_the_engine() {
    let running = Running::new("load=0s");
    let answer = running
        .https
        .post("/v1/chat/completions", &running.key, &Running::chat(2));
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert!(
        answer.json()["id"].as_str().unwrap().contains(&id),
        "{}",
        answer.body
    );
    let log = running.gateway.as_ref().unwrap();
    running
        .site
        .wait("the log line", |_| log.log().contains(&id).then_some(()));
    let text = log.log();
    assert!(
        !text.contains(&running.key) && !text.contains("Hello"),
        "a secret is in the log"
    );
}
