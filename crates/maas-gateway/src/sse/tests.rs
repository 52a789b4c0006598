use proptest::prelude::*;

use super::*;

/// The recorded `messages stream` of vLLM 0.32, shortened.
const RECORDED: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"chatcmpl-9\",\"usage\":{\"input_tokens\":15,\"output_tokens\":0}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\" M\\u00e4\"},\"index\":0}\n\ndata: [DONE]\n\n";

fn frames(chunks: &[&[u8]]) -> (Vec<Frame>, Bytes) {
    let mut frames = Frames::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        frames.push(chunk);
        seen.extend(std::iter::from_fn(|| frames.next()));
    }
    (seen, frames.rest())
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_frames() {
    for ends in ["\n", "\r\n", "\r"] {
        let text = RECORDED.replace('\n', ends);
        // A lone `\r` at the end of a stream may be half of `\r\n`; the text after it settles that.
        let text = format!("{text}: end{ends}");
        let (whole, rest) = frames(&[text.as_bytes()]);
        assert_eq!(whole.len(), 3, "{ends:?}");
        assert_eq!(whole[2].data().as_ref(), b"[DONE]");
        let raw: Vec<u8> = whole
            .iter()
            .flat_map(|frame| frame.raw().to_vec())
            .collect();
        assert_eq!([raw, rest.to_vec()].concat(), text.as_bytes());
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            assert_eq!(
                frames(&[left, right]),
                (whole.clone(), rest.clone()),
                "{ends:?} at {cut}"
            );
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(frames(&bytes), (whole, rest), "{ends:?} byte by byte");
    }
}

#[test]
fn data_is_what_the_standard_says() {
    let data = |text: &str| {
        let (frames, _) = frames(&[text.as_bytes()]);
        String::from_utf8(frames[0].data().into_owned()).unwrap()
    };
    assert_eq!(data("data: a\n\n"), "a");
    assert_eq!(data("data:a\n\n"), "a");
    assert_eq!(data("data:  a\n\n"), " a");
    assert_eq!(data("data: a\ndata: b\n\n"), "a\nb");
    assert_eq!(data("event: x\r\ndata: a\r\nid: 1\r\n\r\n"), "a");
    assert_eq!(data("data\n\n"), "");
    assert_eq!(data("database: a\n\n"), "");
    assert_eq!(data(": keep-alive\n\n"), "");
}

#[test]
fn other_data_keeps_what_stands_around_it() {
    let (frames, _) = frames(&[b"event: x\r\ndata: a\r\nid: 1\r\n\r\n"]);
    assert_eq!(
        frames[0].with_data(b"bb").as_ref(),
        b"event: x\r\ndata: bb\r\nid: 1\r\n\r\n"
    );
}

proptest! {
    #[test]
    fn no_byte_is_lost_or_made_up(bytes in prop::collection::vec(prop::sample::select(b"da:t \r\n\n".to_vec()), 0..60), cut in 0usize..60) {
        let (left, right) = bytes.split_at(cut.min(bytes.len()));
        let (cut_frames, rest) = frames(&[left, right]);
        for frame in &cut_frames { drop(frame.data()); }
        let mut all: Vec<u8> = cut_frames.iter().flat_map(|frame| frame.raw().to_vec()).collect();
        all.extend_from_slice(&rest);
        prop_assert_eq!(&all, &bytes);
        prop_assert_eq!(frames(&[&bytes]).0, cut_frames);
    }
}
