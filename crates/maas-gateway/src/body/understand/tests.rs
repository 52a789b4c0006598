use super::*;

fn read(api: Api, body: &str) -> Result<Understood, Refusal> {
    understand(api, &Scope::All, Bytes::copy_from_slice(body.as_bytes()))
}

fn refused(api: Api, body: &str) -> String {
    read(api, body).unwrap_err().to_string()
}

#[test]
fn only_the_one_json_type_is_taken_for_what_we_act_on() {
    for stream in ["1", "\"true\"", "\"yes\"", "1.0", "[]", "{}"] {
        let said = refused(Api::Chat, &format!(r#"{{"model":"a","stream":{stream}}}"#));
        assert_eq!(said, "`stream` must be true or false", "{stream}");
    }
    for number in [
        "-1",
        "1.5",
        "5.0",
        "\"5\"",
        "true",
        "1e3",
        "99999999999999999999",
    ] {
        let said = refused(
            Api::Messages,
            &format!(r#"{{"model":"a","max_tokens":{number}}}"#),
        );
        assert_eq!(
            said, "`max_tokens` must be a whole number, zero or more",
            "{number}"
        );
    }
    assert_eq!(
        refused(Api::Chat, r#"{"model":["a"]}"#),
        "`model` must be a string"
    );
    let said = refused(
        Api::Chat,
        r#"{"model":"a","stream":true,"stream_options":[]}"#,
    );
    assert_eq!(said, "`stream_options` must be an object");
    let said = refused(Api::Responses, r#"{"model":"a","background":true}"#);
    assert_eq!(
        said,
        "`background` answers are not kept here; leave it out, or stream"
    );
}

#[test]
fn the_model_is_named_once_by_the_body_or_by_the_path() {
    let one = Scope::One("tiny".parse().unwrap());
    let scoped = |body: &'static str| {
        understand(Api::Chat, &one, body.into()).map(|request| request.model.to_string())
    };
    assert_eq!(scoped("{}").unwrap(), "tiny");
    assert_eq!(scoped(r#"{"model":null}"#).unwrap(), "tiny");
    assert_eq!(scoped(r#"{"model":"t\u0069ny"}"#).unwrap(), "tiny");
    assert_eq!(
        scoped(r#"{"model":"secret"}"#).unwrap_err().to_string(),
        "the path is for the model `tiny`, the body names another one"
    );
    assert!(matches!(read(Api::Chat, "{}"), Err(Refusal::NoModel)));
    assert!(matches!(
        read(Api::Chat, r#"{"model":"a\u001b[2J/../"}"#),
        Err(Refusal::UnknownModel { model }) if model == "a\\u{1b}[2J/../"
    ));
}

#[test]
fn answers_are_counted_over_prompts_and_choices() {
    for (body, want) in [
        (r#"{"model":"a"}"#, 1),
        (r#"{"model":"a","n":3}"#, 3),
        (r#"{"model":"a","prompt":"x"}"#, 1),
        (r#"{"model":"a","prompt":["x","y"],"n":3}"#, 6),
        (r#"{"model":"a","prompt":[1,2,3]}"#, 1),
        (r#"{"model":"a","prompt":[[1],[2,3]]}"#, 2),
        (r#"{"model":"a","prompt":[]}"#, 1),
        (r#"{"model":"a","n":0}"#, 1),
    ] {
        assert_eq!(
            read(Api::Completions, body).unwrap().answers(),
            want,
            "{body}"
        );
    }
}

#[test]
fn usage_is_wanted_as_vllm_reads_it() {
    for (options, want) in [
        ("null", UsageWanted::No),
        ("{}", UsageWanted::No),
        (r#"{"include_usage":true}"#, UsageWanted::AtTheEnd),
        (r#"{"continuous_usage_stats":true}"#, UsageWanted::No),
        (
            r#"{"include_usage":true,"continuous_usage_stats":true}"#,
            UsageWanted::EveryChunk,
        ),
    ] {
        let body = format!(r#"{{"model":"a","stream":true,"stream_options":{options}}}"#);
        assert_eq!(
            read(Api::Chat, &body).unwrap().usage_wanted,
            want,
            "{options}"
        );
    }
}

#[test]
fn what_would_flood_an_engine_is_refused() {
    assert_eq!(
        refused(Api::Chat, r#"{"model":"a","n":129}"#),
        "`n` must be 128 at most"
    );
    let list = |count: usize| format!("[{}\"x\"]", "\"x\",".repeat(count - 1));
    let asked = format!(r#"{{"model":"a","n":2,"prompt":{}}}"#, list(1025));
    assert_eq!(
        refused(Api::Completions, &asked),
        "`prompt` must be a list that asks for 2048 answers at most"
    );
    let asked = format!(r#"{{"model":"a","input":{}}}"#, list(2049));
    assert_eq!(
        refused(Api::Embeddings, &asked),
        "`input` must be a list that asks for 2048 answers at most"
    );
    let asked = format!(r#"{{"model":"a","input":{}}}"#, list(2048));
    assert_eq!(read(Api::Embeddings, &asked).unwrap().prompts.count, 2048);
}

#[test]
fn embeddings_come_in_forms_whose_usage_can_be_read() {
    for good in [
        "",
        r#","encoding_format":"float""#,
        r#","encoding_format":"base64""#,
    ] {
        let body = format!(r#"{{"model":"a","input":"x"{good}}}"#);
        assert!(read(Api::Embeddings, &body).is_ok(), "{good}");
    }
    assert_eq!(
        refused(
            Api::Embeddings,
            r#"{"model":"a","input":"x","encoding_format":"bytes"}"#
        ),
        "`encoding_format` must be \"float\" or \"base64\""
    );
}
