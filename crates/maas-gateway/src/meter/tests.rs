//! Frames as vLLM 0.32 sends them (recorded), one meter for each kind of stream.

use super::*;
use crate::{body::understand::understand, route::Scope, sse::Frames};

fn request(api: Api, body: &str) -> Understood {
    understand(api, &Scope::All, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// A meter and what its client got so far.
struct Stream {
    meter: Meter,
    state: State,
    got: String,
}

impl Stream {
    fn of(api: Api, body: &str) -> Self {
        Self {
            meter: Meter::new(&request(api, body), 99),
            state: State::Going,
            got: String::new(),
        }
    }

    fn hear(&mut self, text: &str) -> &mut Self {
        let mut frames = Frames::default();
        frames.push(text.as_bytes());
        while let Some(frame) = frames.next() {
            let seen = self.meter.observe(&frame);
            let forward = seen.forward.unwrap_or_default();
            self.got += std::str::from_utf8(&forward).unwrap();
            self.state = seen.state;
        }
        self
    }

    fn used(&self) -> (u64, u64, u64) {
        let Usage {
            input,
            cached,
            output,
        } = self.meter.usage();
        (input, cached, output)
    }
}

const CHAT: &str = r#"{"model":"tiny","stream":true}"#;

/// One chunk of a chat; `rest` follows `finish_reason`.
fn chunk(index: u64, text: &str, finish: &str, rest: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"model\":\"tiny\",\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]{rest}}}\n\n"
    )
}

fn usage(prompt: u64, completion: u64) -> String {
    format!(
        ",\"usage\":{{\"prompt_tokens\":{prompt},\"total_tokens\":0,\"completion_tokens\":{completion}}}"
    )
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn a_chat_that_breaks_off_is_known_to_its_last_chunk() {
    let mut stream = Stream::of(Api::Chat, CHAT);
    assert_eq!(stream.used(), (99, 0, 0), "before anything is known");
    stream.hear(&chunk(0, "als", "null", &usage(15, 1)));
    stream.hear(&chunk(0, " which", "null", &usage(15, 2)));
    assert_eq!(stream.used(), (15, 0, 2));
    assert!(!stream.got.contains("usage"), "{}", stream.got);
    assert_eq!(stream.state, State::Going);
}

#[test]
fn what_was_asked_for_by_us_is_taken_out_and_the_fingerprint_moves_to_where_it_would_stand() {
    let end = format!(
        "data: {{\"id\":\"c\",\"model\":\"tiny\",\"choices\":[]{},\"system_fingerprint\":\"vllm-0.32.0-x\"}}\n\n",
        usage(15, 2)
    );
    let mut stream = Stream::of(Api::Chat, CHAT);
    stream.hear(&chunk(0, "als", "null", &usage(15, 1)));
    stream.hear(&chunk(0, "", "\"length\"", &usage(15, 2)));
    stream.hear(&end).hear(DONE);
    let want = chunk(0, "als", "null", "")
        + &chunk(
            0,
            "",
            "\"length\"",
            ",\"system_fingerprint\":\"vllm-0.32.0-x\"",
        )
        + DONE;
    assert_eq!(stream.got, want);
    assert_eq!(stream.used(), (15, 0, 2));
    assert_eq!(stream.state, State::Ended);

    let asks = r#"{"model":"tiny","stream":true,"stream_options":{"include_usage":true}}"#;
    let mut stream = Stream::of(Api::Chat, asks);
    stream.hear(&end);
    assert_eq!(stream.got, end, "whoever asks for usage gets it");
}

#[test]
fn answers_to_one_prompt_share_its_tokens_and_each_prompt_of_a_list_has_its_own() {
    let two_each = r#"{"model":"tiny","stream":true,"n":2,"prompt":["a","b"]}"#;
    let mut stream = Stream::of(Api::Completions, two_each);
    // Each chunk counts only its own answer; they come in any order.
    for (index, prompt, completion) in [(0, 5, 1), (2, 7, 1), (1, 5, 1), (0, 5, 2), (3, 7, 4)] {
        stream.hear(&chunk(index, "x", "null", &usage(prompt, completion)));
    }
    assert_eq!(stream.used(), (5 + 7, 0, 2 + 1 + 1 + 4));
    // The last chunk counts all of them.
    let end = format!("data: {{\"choices\":[]{}}}\n\n", usage(12, 9));
    assert_eq!(stream.hear(&end).used(), (12, 0, 9));
}

#[test]
fn cached_tokens_are_part_of_the_prompt_and_never_more() {
    let cached = |count: u64| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":15,\"completion_tokens\":2,\
             \"prompt_tokens_details\":{{\"cached_tokens\":{count}}}}}}}\n\n"
        )
    };
    let mut stream = Stream::of(Api::Chat, CHAT);
    assert_eq!(stream.hear(&cached(12)).used(), (15, 12, 2));
    assert_eq!(stream.hear(&cached(20)).used(), (15, 15, 2));
}

#[test]
fn an_aborted_answer_is_never_shown_as_a_good_end() {
    let mut stream = Stream::of(Api::Chat, CHAT);
    stream.hear(&chunk(0, "", "\"abort\"", &usage(15, 1)));
    assert_eq!((stream.state, stream.got.as_str()), (State::Aborted, ""));
    let mut stream = Stream::of(Api::Messages, CHAT);
    stream.hear("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"abort\"}}\n\n");
    assert_eq!((stream.state, stream.got.as_str()), (State::Aborted, ""));
}

#[test]
fn an_error_in_a_stream_ends_it_and_passes_as_it_is() {
    let error = "data: {\"error\":{\"message\":\"no\",\"code\":500}}\n\n";
    let mut stream = Stream::of(Api::Chat, CHAT);
    stream.hear(error);
    assert_eq!((stream.state, stream.got.as_str()), (State::Failed, error));
    for (api, event) in [
        (Api::Messages, "error"),
        (Api::Responses, "error"),
        (Api::Responses, "response.failed"),
    ] {
        let mut stream = Stream::of(api, CHAT);
        stream.hear(&format!(
            "event: {event}\ndata: {{\"type\":\"{event}\"}}\n\n"
        ));
        assert_eq!(stream.state, State::Failed, "{api:?} {event}");
    }
}

#[test]
fn messages_count_deltas_until_the_engine_has_counted() {
    let delta = |text: &str| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}},\"index\":0}}\n\n"
        )
    };
    let mut stream = Stream::of(Api::Messages, CHAT);
    assert_eq!(stream.used(), (99, 0, 0));
    stream.hear("data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":0}}}\n\n");
    assert_eq!(
        stream.used(),
        (15, 5, 0),
        "what came from the cache is input too"
    );
    stream.hear(&delta(" M")).hear(&delta("size"));
    assert_eq!(stream.used(), (15, 5, 2), "one token each, at least");
    stream.hear(&delta("a delta may hold several tokens"));
    assert_eq!(stream.used(), (15, 5, 37 / 4));
    stream.hear("data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":11}}\n\n");
    stream.hear("data: {\"type\":\"message_stop\"}\n\n");
    assert_eq!((stream.used(), stream.state), ((15, 5, 11), State::Ended));
}

#[test]
fn responses_are_counted_at_their_end_and_keep_their_thread() {
    let mut stream = Stream::of(Api::Responses, CHAT);
    stream.hear("data: {\"response\":{\"id\":\"resp_1\"},\"sequence_number\":0,\"type\":\"response.created\"}\n\n");
    assert_eq!(stream.used(), (99, 0, 0), "nothing was said yet");
    stream.hear("data: {\"delta\":\"als\",\"sequence_number\":4,\"type\":\"response.output_text.delta\"}\n\n");
    assert_eq!(stream.used(), (99, 0, 1));
    let thread = stream.meter.thread();
    assert_eq!((thread.id, thread.next_sequence), (Some("resp_1"), 5));
    stream.hear("data: {\"response\":{\"id\":\"resp_1\",\"usage\":{\"input_tokens\":14,\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens\":8}},\"sequence_number\":9,\"type\":\"response.incomplete\"}\n\n");
    assert_eq!((stream.used(), stream.state), ((14, 3, 8), State::Ended));
}

#[test]
fn what_is_no_json_is_passed_on_and_not_counted() {
    for api in [Api::Chat, Api::Messages, Api::Responses] {
        let mut stream = Stream::of(api, CHAT);
        stream.hear(": comment\n\ndata: nonsense\n\n");
        assert_eq!(stream.got, ": comment\n\ndata: nonsense\n\n", "{api:?}");
        assert_eq!((stream.used(), stream.state), ((99, 0, 0), State::Going));
    }
}

#[test]
fn whole_answers_say_what_they_used_in_three_ways() {
    let read = |api, body: &str| whole(api, body.as_bytes()).unwrap();
    let good = |input, cached, output| {
        Whole::Good(Some(Usage {
            input,
            cached,
            output,
        }))
    };
    let chat = r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":15,"completion_tokens":4,"prompt_tokens_details":null}}"#;
    assert_eq!(read(Api::Chat, chat), good(15, 0, 4));
    let embeddings = r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    assert_eq!(read(Api::Embeddings, embeddings), good(5, 0, 0));
    let responses = r#"{"usage":{"input_tokens":9,"output_tokens":3}}"#;
    assert_eq!(read(Api::Responses, responses), good(9, 0, 3));
    let messages =
        r#"{"usage":{"input_tokens":9,"cache_creation_input_tokens":1,"output_tokens":3}}"#;
    assert_eq!(read(Api::Messages, messages), good(10, 0, 3));
    assert_eq!(read(Api::Chat, "{}"), Whole::Good(None));
    let aborted = r#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"abort"}]}"#;
    assert_eq!(read(Api::Chat, aborted), Whole::Aborted);
    assert!(whole(Api::Chat, b"<html>").is_err());
}
