use super::*;

#[test]
fn the_start_text_is_read_word_by_word() {
    let read: Behaviour =
        "load=3s,first_token=50ms,token=5ms,answer_tokens=9,exit0_after=10s,fail=stream_error:7"
            .parse()
            .unwrap();
    assert_eq!(
        read,
        Behaviour {
            load: Duration::from_secs(3),
            first_token: Duration::from_millis(50),
            token: Duration::from_millis(5),
            answer_tokens: 9,
            exit0_after: Some(Duration::from_secs(10)),
            fail: Some(Failure::StreamError(7)),
        }
    );
    assert_eq!("".parse(), Ok(Behaviour::default()));
}

#[test]
fn unknown_words_and_values_are_refused() {
    for text in [
        "lode=3s",
        "load",
        "load=3",
        "load=-3s",
        "token=5m",
        "fail=explode",
        "fail=hang:3",
        "fail=",
    ] {
        assert!(text.parse::<Behaviour>().is_err(), "{text}");
    }
    insta::assert_snapshot!(
        "lode=3s".parse::<Behaviour>().unwrap_err(),
        @"`lode=3s` is not one of load=, first_token=, token=, answer_tokens=, exit0_after=, fail="
    );
}

#[test]
fn every_failure_is_written_as_it_is_read() {
    for failure in [
        Failure::Hang,
        Failure::Exit0,
        Failure::Die,
        Failure::DieOnFirstToken,
        Failure::Orphan,
        Failure::StreamError(4),
        Failure::Drop(0),
        Failure::Html,
        Failure::Refuse,
        Failure::Start,
    ] {
        assert_eq!(failure.to_string().parse(), Ok(failure));
    }
}

#[test]
fn null_heals_and_absence_leaves_the_failure() {
    let hung = Behaviour {
        fail: Some(Failure::Hang),
        ..Behaviour::default()
    };
    let faster: Change = serde_json::from_str(r#"{"token_ms":7}"#).unwrap();
    let faster = hung.changed(&faster).unwrap();
    assert_eq!(
        (faster.fail, faster.token),
        (Some(Failure::Hang), Duration::from_millis(7))
    );
    let healed: Change = serde_json::from_str(r#"{"fail":null}"#).unwrap();
    assert_eq!(hung.changed(&healed).unwrap().fail, None);
}

#[test]
fn a_running_engine_cannot_be_told_to_fail_its_start() {
    assert!(
        Behaviour::default()
            .changed(&Change::fail(Failure::Start))
            .is_err()
    );
    assert!(serde_json::from_str::<Change>(r#"{"fial":"hang"}"#).is_err());
}
