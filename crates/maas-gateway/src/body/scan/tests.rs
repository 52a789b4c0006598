use proptest::prelude::*;

use super::*;

fn scan(text: &str) -> Result<Object, ScanError> {
    object(text.as_bytes(), &["model", "stream"])
}

#[test]
fn members_are_found_where_they_stand() {
    let text = r#" { "x" : [1, {"model":"inner"}] , "model" : "a" } "#;
    let object = scan(text).unwrap();
    assert_eq!(object.members, 2);
    assert_eq!(object.value(text.as_bytes(), "model"), Some(&b"\"a\""[..]));
    assert_eq!(object.get("stream"), None);
}

#[test]
fn null_counts_as_absent_but_is_still_found() {
    let text = r#"{"model":null}"#;
    let object = scan(text).unwrap();
    assert_eq!(object.value(text.as_bytes(), "model"), None);
    assert!(object.get("model").is_some());
}

#[test]
fn what_the_engine_might_read_differently_is_refused() {
    for (text, want) in [
        (
            r#"{"model":"a","model":"b"}"#,
            "`model` stands there twice, again at byte 13",
        ),
        (
            r#"{"model":"a","\u006dodel":"b"}"#,
            "`model` stands there twice, again at byte 13",
        ),
        (
            r#"{"a":NaN}"#,
            "not valid JSON at byte 5: a value was expected",
        ),
        (
            r#"{"a":Infinity}"#,
            "not valid JSON at byte 5: a value was expected",
        ),
        (
            r#"{"a":-Infinity}"#,
            "not valid JSON at byte 6: a digit was expected",
        ),
        (
            r"{'a':1}",
            "not valid JSON at byte 1: a key in double quotes was expected",
        ),
        (
            r#"{"a":01}"#,
            "not valid JSON at byte 6: `,` or `}` was expected",
        ),
        (
            r#"{"a":1}}"#,
            "not valid JSON at byte 7: there is more text after the object",
        ),
        (
            r#"{"a":1,}"#,
            "not valid JSON at byte 7: a key in double quotes was expected",
        ),
        (
            r#"{"a":1"#,
            "not valid JSON at byte 6: `,` or `}` was expected",
        ),
        (
            "{\"a\":\"\n\"}",
            "not valid JSON at byte 6: a control character in a string must be escaped",
        ),
        (
            r#"{"a":"\x"}"#,
            "not valid JSON at byte 7: no such escape in JSON",
        ),
        (
            r#"{"a":"\u12g4"}"#,
            "not valid JSON at byte 7: `\\u` needs four hex digits",
        ),
        (
            r#"{"a":"b"#,
            "not valid JSON at byte 7: the text ends inside a string",
        ),
        (
            "[1]",
            "not valid JSON at byte 0: a JSON object was expected",
        ),
        ("", "not valid JSON at byte 0: a JSON object was expected"),
        (
            "// c\n{}",
            "not valid JSON at byte 0: a JSON object was expected",
        ),
    ] {
        assert_eq!(scan(text).unwrap_err().to_string(), want, "{text}");
    }
    let error = object(b"{\"a\":\"\xff\"}", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not valid JSON at byte 6: these bytes are not UTF-8"
    );
}

#[test]
fn depth_is_bounded_exactly() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(scan(&nested(127)).is_ok());
    assert_eq!(scan(&nested(128)), Err(ScanError::TooDeep { at: 132 }));
    assert_eq!(
        scan(&nested(2_000_000)),
        Err(ScanError::TooDeep { at: 132 })
    );
}

#[test]
fn arrays_are_counted() {
    assert_eq!(array_len(b"[ \"a\", [1,2] ,{}]"), Some((3, b'"')));
    assert_eq!(array_len(b"[]"), None);
    assert_eq!(array_len(b"\"a\""), None);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::vec((".{0,4}", inner), 0..4)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Ours and `serde_json`'s grammar agree on valid objects and on mutilated ones.
    #[test]
    fn accepts_exactly_what_serde_json_accepts(value in json(), cut in any::<prop::sample::Index>(), junk in "[\\[\\]{}:,\"0-9.eE\\\\ntu+-]{0,2}") {
        let mut text = serde_json::json!({ "a": value }).to_string();
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) { at -= 1; }
        text.insert_str(at, &junk);
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok() && text.trim_start().starts_with('{');
        prop_assert_eq!(object(text.as_bytes(), &[]).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(object(&bytes, &["model"]));
        let _: Option<(u64, u8)> = array_len(&bytes);
    }
}
