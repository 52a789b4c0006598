use super::*;

fn wish(limit: u64) -> Wish {
    Wish {
        limit,
        natural: 24,
        ..Wish::default()
    }
}

fn text_of(plan: &Plan) -> String {
    let texts = plan.tokens.iter().map(|(_, piece)| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::CallName(_) | Piece::CallArguments(_) => "",
    });
    texts.collect()
}

#[test]
fn an_answer_is_a_function_of_the_prompt_and_says_that_it_is_simulated() {
    let one = Plan::new("hello", 0, &wish(100));
    assert_eq!(text_of(&one), text_of(&Plan::new("hello", 0, &wish(100))));
    assert_ne!(text_of(&one), text_of(&Plan::new("hallo", 0, &wish(100))));
    assert_ne!(text_of(&one), text_of(&Plan::new("hello", 1, &wish(100))));
    assert!(text_of(&one).starts_with(OPENING), "{}", text_of(&one));
}

#[test]
fn an_uncut_answer_ends_itself_with_the_end_token() {
    let plan = Plan::new("hello", 0, &wish(100));
    assert_eq!(plan.tokens.len(), 24);
    assert_eq!(plan.finish, Finish::Stop(None));
    assert_eq!(plan.tokens[23].0, tokens::END);
    assert_eq!(tokens::count(&text_of(&plan)), 23);
}

#[test]
fn a_limit_cuts_the_answer_to_exactly_so_many_tokens() {
    for limit in [1, 5, 23] {
        let plan = Plan::new("hello", 0, &wish(limit));
        assert_eq!(plan.tokens.len() as u64, limit);
        assert_eq!(plan.finish, Finish::Length);
        assert_eq!(tokens::count(&text_of(&plan)), limit);
    }
    let endless = Wish {
        ignore_eos: true,
        ..wish(300)
    };
    assert_eq!(Plan::new("hello", 0, &endless).tokens.len(), 300);
}

#[test]
fn a_stop_text_ends_the_answer_before_it() {
    let stop = Wish {
        stop: vec!["swer".to_owned(), " ".to_owned()],
        ..wish(100)
    };
    let plan = Plan::new("hello", 0, &stop);
    assert_eq!(text_of(&plan), "Simulated");
    assert_eq!(plan.finish, Finish::Stop(Some(" ".to_owned())));
    assert_eq!(
        plan.tokens.len(),
        4,
        "the token that holds the stop text counts"
    );
}

#[test]
fn a_marked_message_calls_an_offered_tool_and_no_other() {
    let offered = ["get_weather".to_owned()];
    let call = asked_call(
        "please CALL_TOOL get_weather {\"city\": \"Bern\"} now",
        &offered,
    );
    let call = call.expect("the tool is offered");
    assert_eq!(call.arguments, r#"{"city":"Bern"}"#);
    assert_eq!(asked_call("CALL_TOOL rm {\"path\":\"/\"}", &offered), None);
    assert_eq!(asked_call("CALL_TOOL get_weather [1]", &offered), None);
    let plan = Plan::new(
        "p",
        0,
        &Wish {
            call: Some(call),
            ..wish(100)
        },
    );
    assert_eq!(plan.finish, Finish::ToolCalls);
    assert_eq!(text_of(&plan), "");
}
