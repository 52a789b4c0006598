use super::*;
use crate::{body::understand::understand, route::Scope};

fn sent(api: Api, body: &str, cap: Option<u64>) -> String {
    let request = understand(api, &Scope::All, Bytes::copy_from_slice(body.as_bytes())).unwrap();
    String::from_utf8(outgoing(&request, cap).to_vec()).unwrap()
}

#[test]
fn a_body_that_needs_no_change_is_the_same_bytes() {
    let body = r#" {"model":"tiny", "temperature":1.0e0,"x":[ ],"messages":[{"role":"system","content":"\u00e4"}]} "#;
    for api in [
        Api::Chat,
        Api::Responses,
        Api::Messages,
        Api::Embeddings,
        Api::Tokenize,
    ] {
        assert_eq!(sent(api, body, None), body);
    }
}

#[test]
fn what_is_the_operators_is_taken_out() {
    let body = r#"{"priority":-9,"model":"tiny","kv_transfer_params":{"a":[1]},"ec_transfer_params":{},"x":1,"vllm_xargs":{"a":"b"},"request_id":"mine","stream_interval":500}"#;
    assert_eq!(sent(Api::Chat, body, None), r#"{"model":"tiny","x":1}"#);
    let hidden = r#"{"model":"tiny","\u0070riority":-9}"#;
    assert_eq!(sent(Api::Chat, hidden, None), r#"{"model":"tiny"}"#);
}

#[test]
fn a_stream_is_asked_for_its_usage_whatever_the_client_said() {
    let both = r#""stream_options":{"include_usage":true,"continuous_usage_stats":true}"#;
    for theirs in [
        "",
        r#","stream_options":null"#,
        r#","stream_options":{}"#,
        r#","stream_options":{"include_usage":false}"#,
        r#","stream_options":{"include_usage":true,"continuous_usage_stats":false}"#,
    ] {
        let body = format!(r#"{{"model":"tiny","stream":true{theirs}}}"#);
        let sent = sent(Api::Completions, &body, None);
        let value: serde_json::Value = serde_json::from_str(&sent).unwrap();
        let want = serde_json::json!({"include_usage": true, "continuous_usage_stats": true});
        assert_eq!(value["stream_options"], want, "{sent}");
    }
    let kept = sent(
        Api::Chat,
        r#"{"model":"tiny","stream":true,"stream_options":{"include_obfuscation":false}}"#,
        None,
    );
    assert!(kept.contains(r#""include_obfuscation":false"#), "{kept}");
    for (api, stream) in [
        (Api::Chat, "false"),
        (Api::Messages, "true"),
        (Api::Responses, "true"),
    ] {
        let body = format!(r#"{{"model":"tiny","stream":{stream}}}"#);
        assert!(!sent(api, &body, None).contains(both), "{api:?} {stream}");
    }
}

#[test]
fn output_is_capped_where_the_client_allows_more_and_left_where_it_allows_less() {
    for (api, body, cap, want) in [
        (
            Api::Chat,
            r#"{"model":"a"}"#,
            50,
            r#"{"max_completion_tokens":50,"model":"a"}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"a","max_tokens":99}"#,
            50,
            r#"{"model":"a","max_tokens":50}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"a","max_tokens":9}"#,
            50,
            r#"{"model":"a","max_tokens":9}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"a","max_tokens":9,"max_completion_tokens":99}"#,
            50,
            r#"{"model":"a","max_tokens":9,"max_completion_tokens":50}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"a","max_completion_tokens":null}"#,
            50,
            r#"{"model":"a","max_completion_tokens":50}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"a","n":4}"#,
            50,
            r#"{"max_completion_tokens":12,"model":"a","n":4}"#,
        ),
        // The default of completions is 16, so a cap above it must not raise it.
        (Api::Completions, r#"{"model":"a"}"#, 50, r#"{"model":"a"}"#),
        (
            Api::Completions,
            r#"{"model":"a"}"#,
            5,
            r#"{"max_tokens":5,"model":"a"}"#,
        ),
        (
            Api::Completions,
            r#"{"model":"a","n":2,"prompt":["x","y"]}"#,
            20,
            r#"{"max_tokens":5,"model":"a","n":2,"prompt":["x","y"]}"#,
        ),
        (
            Api::Messages,
            r#"{"model":"a","max_tokens":99}"#,
            50,
            r#"{"model":"a","max_tokens":50}"#,
        ),
        (
            Api::Responses,
            r#"{"model":"a"}"#,
            50,
            r#"{"max_output_tokens":50,"model":"a"}"#,
        ),
        (Api::Embeddings, r#"{"model":"a"}"#, 0, r#"{"model":"a"}"#),
    ] {
        assert_eq!(sent(api, body, Some(cap)), want);
    }
}
