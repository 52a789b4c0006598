//! Made-up log probabilities: the same for the same token, below zero, and of the recorded shape.

use serde_json::{Map, Value};

use crate::{answer::mix, wire::chat, wire::completions};

/// For chat. `top` alternatives are asked for; there is only the token itself.
pub(crate) fn chat(tokens: &[(u64, String)], top: u64) -> chat::Logprobs {
    let one = |id: u64, text: &str, top_logprobs| chat::Logprob {
        token: text.to_owned(),
        logprob: of(id),
        bytes: text.as_bytes().to_vec(),
        top_logprobs,
    };
    let content = tokens.iter().map(|(id, text)| {
        let alternatives = if top > 0 {
            vec![one(*id, text, Vec::new())]
        } else {
            Vec::new()
        };
        one(*id, text, alternatives)
    });
    chat::Logprobs {
        content: content.collect(),
    }
}

/// For completions; `offset` is where the first token stands in the whole text, in characters.
pub(crate) fn completions(tokens: &[(u64, String)], mut offset: usize) -> completions::Logprobs {
    let mut logprobs = completions::Logprobs::default();
    for (id, text) in tokens {
        logprobs.text_offset.push(offset);
        logprobs.token_logprobs.push(of(*id));
        logprobs.tokens.push(text.clone());
        logprobs
            .top_logprobs
            .push(Map::from_iter([(text.clone(), Value::from(of(*id)))]));
        offset += text.chars().count();
    }
    logprobs
}

/// Between -6.5 and -0.1, in thousandths.
fn of(id: u64) -> f64 {
    let thousandths = u32::try_from(mix(id) % 6400).unwrap_or(0);
    -(f64::from(thousandths) + 100.0) / 1000.0
}
