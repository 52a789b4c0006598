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
