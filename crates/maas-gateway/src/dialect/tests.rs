use super::*;
use crate::body::scan::ScanError;

fn id() -> RequestId {
    "01KTESTTESTTESTTESTTESTTES".parse().unwrap()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8(bytes.as_ref().to_vec()).unwrap()
}

#[test]
fn one_refusal_is_said_in_the_words_of_each_dialect() {
    let refusal = Refusal::UnknownModel {
        model: "gpt".to_owned(),
    };
    insta::assert_snapshot!(text(body(Dialect::OpenAi, &refusal, &id())), @r#"{"error":{"message":"the model `gpt` does not exist, or this key may not use it; GET /v1/models lists those of this key","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#);
    insta::assert_snapshot!(text(body(Dialect::Anthropic, &refusal, &id())), @r#"{"type":"error","error":{"type":"not_found_error","message":"the model `gpt` does not exist, or this key may not use it; GET /v1/models lists those of this key"},"request_id":"01KTESTTESTTESTTESTTESTTES"}"#);
    assert_eq!(
        status(Dialect::OpenAi, &Refusal::ShuttingDown).as_u16(),
        503
    );
    assert_eq!(
        status(Dialect::Anthropic, &Refusal::ShuttingDown).as_u16(),
        529
    );
    let twice = Refusal::NotJson(ScanError::Twice {
        key: "model",
        at: 9,
    });
    let said = text(body(Dialect::OpenAi, &twice, &id()));
    assert!(said.contains(r#""param":"model""#), "{said}");
}

#[test]
fn a_stream_that_is_cut_ends_in_its_own_protocol() {
    let cut = Refusal::RevokedMidway;
    let none = Thread::default();
    insta::assert_snapshot!(text(stream_error(Api::Chat, &cut, &id(), none)), @r#"data: {"error":{"message":"the key was revoked while the answer was on its way","type":"invalid_request_error","param":null,"code":"key_revoked"}}"#);
    insta::assert_snapshot!(text(stream_error(Api::Messages, &cut, &id(), none)), @r#"
    event: error
    data: {"type":"error","error":{"type":"authentication_error","message":"the key was revoked while the answer was on its way"},"request_id":"01KTESTTESTTESTTESTTESTTES"}
    "#);
    let thread = Thread {
        id: Some("resp_7"),
        next_sequence: 5,
    };
    let said = text(stream_error(Api::Responses, &cut, &id(), thread));
    let events: Vec<serde_json::Value> = said
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{said}");
    assert_eq!(
        (&events[0]["type"], &events[0]["sequence_number"]),
        (&"error".into(), &5.into())
    );
    assert_eq!(events[1]["response"]["id"], "resp_7");
    assert_eq!(events[1]["sequence_number"], 6);
}

/// What a client hears of an engine's answer: status, whether the engine refused, and the message.
fn heard(dialect: Dialect, status: u16, said: &str) -> (u16, bool, String) {
    let status = StatusCode::from_u16(status).unwrap();
    let error = engine_error(
        dialect,
        status,
        &Bytes::copy_from_slice(said.as_bytes()),
        &id(),
    );
    let value: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
    let message = value["error"]["message"].as_str().unwrap().to_owned();
    (error.status.as_u16(), error.refused, message)
}

#[test]
fn an_engines_sentence_is_found_in_each_of_its_four_shapes() {
    for said in [
        r#"{"error":{"message":"too long","type":"BadRequestError","param":null,"code":400}}"#,
        r#"{"detail":"too long"}"#,
        r#"{"error":"too long"}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"too long"}}"#,
    ] {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let want = (400, true, "too long".to_owned());
            assert_eq!(heard(dialect, 400, said), want, "{said}");
        }
    }
}

#[test]
fn what_the_client_wrote_is_not_repeated_to_it_in_an_error() {
    let said = r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"Input should be 'user'","input":"my secret"}]}"#;
    let (status, refused, message) = heard(Dialect::OpenAi, 422, said);
    assert_eq!((status, refused), (422, true));
    assert_eq!(message, "body.messages.0.role: Input should be 'user'");
}

#[test]
fn an_engine_that_asks_for_a_key_or_answers_in_html_is_the_operators_matter() {
    for (status, said) in [
        (401, r#"{"error":"Unauthorized"}"#),
        (403, r#"{"error":"Forbidden"}"#),
        (502, "<html>Bad Gateway</html>"),
        (302, r#"{"error":"moved"}"#),
    ] {
        let (status, refused, message) = heard(Dialect::OpenAi, status, said);
        assert_eq!((status, refused), (502, false), "{said}");
        assert!(message.contains("did not answer in its own protocol"));
    }
}
