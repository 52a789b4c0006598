//! What the engine answers: a deterministic function of the prompt, decided before the first token
//! is produced. The core only says when each token exists.

use crate::tokens;

/// The first words of every answer, so that nobody takes it for a model's.
pub(crate) const OPENING: &str = "Simulated answer:";

/// A user's message with this word, a tool's name and a JSON object makes the answer a call of that
/// tool, if the request offers it: `CALL_TOOL get_weather {"city":"Bern"}`. So real coding clients
/// can be driven.
const MARKER: &str = "CALL_TOOL ";

/// Short words, so that with their space each is one token or two.
const WORDS: [&str; 32] = [
    "the", "log", "of", "this", "run", "is", "on", "a", "disk", "and", "no", "model", "has",
    "been", "asked", "for", "it", "all", "day", "long", "we", "only", "say", "what", "was", "set",
    "down", "by", "hand", "in", "one", "file",
];

/// What decides an answer besides the prompt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// At most so many tokens.
    pub(crate) limit: u64,
    /// So many when nothing cuts it, the end token included.
    pub(crate) natural: u64,
    /// At least so many.
    pub(crate) min_tokens: u64,
    /// Goes on to the limit.
    pub(crate) ignore_eos: bool,
    /// Ends before the first of these.
    pub(crate) stop: Vec<String>,
    /// A call instead of text.
    pub(crate) call: Option<ToolCall>,
}

/// A call of one of the client's tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolCall {
    /// One of the names that the request offers.
    pub(crate) name: String,
    /// A JSON object, as it stood in the message.
    pub(crate) arguments: String,
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// By itself, or before this stop text.
    Stop(Option<String>),
    /// At its limit.
    Length,
    /// With a tool call.
    ToolCalls,
    /// The engine was told to stop.
    Abort,
}

/// What one token adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, perhaps none.
    Text(String),
    /// A tool call begins.
    CallName(String),
    /// More of its arguments.
    CallArguments(String),
}

/// An answer, token by token.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Never empty.
    pub(crate) tokens: Vec<(u64, Piece)>,
    /// Why the last is the last.
    pub(crate) finish: Finish,
}

impl Plan {
    /// Decides the answer to `prompt`. `choice` makes the answers of one request differ.
    pub(crate) fn new(prompt: &str, choice: u64, wish: &Wish) -> Self {
        match &wish.call {
            Some(call) => Self::of_call(call, wish),
            None => Self::of_text(prompt, choice, wish),
        }
    }

    fn of_text(prompt: &str, choice: u64, wish: &Wish) -> Self {
        let natural = wish.natural.max(wish.min_tokens).max(1);
        let ends_itself = !wish.ignore_eos && natural <= wish.limit;
        let content = if ends_itself { natural - 1 } else { wish.limit };
        let mut pieces = tokens::pieces(&text(hash(prompt.as_bytes()) ^ choice, content));
        pieces.truncate(usize::try_from(content).unwrap_or(usize::MAX));
        let finish = if ends_itself {
            Finish::Stop(None)
        } else {
            Finish::Length
        };
        let (mut pieces, finish) = cut_at_stop(pieces, finish, &wish.stop);
        if finish == Finish::Stop(None) {
            pieces.push((tokens::END, String::new()));
        }
        let tokens = pieces
            .into_iter()
            .map(|(id, text)| (id, Piece::Text(text)))
            .collect();
        Self { tokens, finish }
    }

    fn of_call(call: &ToolCall, wish: &Wish) -> Self {
        let mut tokens = vec![(
            hash(call.name.as_bytes()) % 1000,
            Piece::CallName(call.name.clone()),
        )];
        let arguments = tokens::pieces(&call.arguments).into_iter();
        tokens.extend(arguments.map(|(id, text)| (id, Piece::CallArguments(text))));
        tokens.push((tokens::END, Piece::CallArguments(String::new())));
        let limit = usize::try_from(wish.limit.max(1)).unwrap_or(usize::MAX);
        let finish = if tokens.len() <= limit {
            Finish::ToolCalls
        } else {
            Finish::Length
        };
        tokens.truncate(limit);
        Self { tokens, finish }
    }
}

/// Finds the marker in a user's message and takes the call if `offered` has the tool.
pub(crate) fn asked_call(message: &str, offered: &[String]) -> Option<ToolCall> {
    let (_, after) = message.split_once(MARKER)?;
    let (name, rest) = after.trim_start().split_once(char::is_whitespace)?;
    if !offered.iter().any(|tool| tool == name) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    let arguments = values.next()?.ok()?;
    arguments.is_object().then(|| ToolCall {
        name: name.to_owned(),
        arguments: arguments.to_string(),
    })
}

/// FNV-1a, 64 bits: stable over releases, which the standard library's hasher is not.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The next value of the `SplitMix64` generator at `state`.
pub(crate) fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Text of at least `content` tokens.
fn text(seed: u64, content: u64) -> String {
    let mut text = OPENING.to_owned();
    let mut have = tokens::count(OPENING);
    let mut state = seed;
    while have < content {
        state = mix(state);
        // The top five bits choose among 32 words.
        let word = usize::try_from(state >> 59).map_or("it", |at| WORDS[at]);
        text.push(' ');
        text.push_str(word);
        have += (1 + word.len()).div_ceil(4) as u64;
    }
    text
}

/// Ends the answer before the first stop text, with the token that completes it.
fn cut_at_stop(
    mut pieces: Vec<(u64, String)>,
    finish: Finish,
    stop: &[String],
) -> (Vec<(u64, String)>, Finish) {
    let whole: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
    let first = stop
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| whole.find(stop.as_str()).map(|at| (at, stop)))
        .min_by_key(|(at, stop)| at + stop.len());
    let Some((at, stop)) = first else {
        return (pieces, finish);
    };
    let mut before = 0;
    let mut last = pieces.len();
    for (index, (_, text)) in pieces.iter_mut().enumerate() {
        let len = text.len();
        if before + len >= at + stop.len() && index < last {
            last = index + 1;
        }
        text.truncate(at.saturating_sub(before).min(len));
        before += len;
    }
    pieces.truncate(last);
    (pieces, Finish::Stop(Some(stop.clone())))
}

#[cfg(test)]
mod tests;
