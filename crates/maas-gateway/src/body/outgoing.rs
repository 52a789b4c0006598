//! The body that an engine gets: the client's bytes, with what must change spliced in.

use bytes::Bytes;

use super::{
    scan,
    splice::Edits,
    understand::{STRIPPED, Understood},
};
use crate::route::Api;

/// Makes the body for the engine. `output_cap` is what all answers together may have, as the permit
/// says; `None` leaves the client's own bounds as they are.
///
/// | member | becomes |
/// |---|---|
/// | `model` | the model's one name, where it was absent or written with escapes |
/// | `stream_options` | `include_usage` and `continuous_usage_stats` true, for chat and completions streams |
/// | the route's bound on output | at most the cap's share of one answer |
/// | [`STRIPPED`] | nothing |
///
/// vLLM 0.32 takes `role: "system"` inside the `messages` of `/v1/messages` (its schema lists it; 0.20
/// did not), which Claude Code sends, so nothing is folded.
pub(crate) fn outgoing(request: &Understood, output_cap: Option<u64>) -> Bytes {
    let mut edits = Edits::new(&request.object);
    let model = format!("\"{}\"", request.model);
    if request.object.value(&request.body, "model") != Some(model.as_bytes()) {
        edits.set("model", model);
    }
    for field in STRIPPED {
        edits.remove(field);
    }
    if request.usage_is_asked_for() {
        edits.set("stream_options", stream_options(request));
    }
    if let Some(cap) = output_cap {
        cap_output(request, cap, &mut edits);
    }
    if edits.is_empty() {
        return request.body.0.clone();
    }
    edits.apply(&request.body).into()
}

/// The client's stream options with ours set; others of its own stay.
fn stream_options(request: &Understood) -> Vec<u8> {
    const BOTH: [&str; 2] = ["include_usage", "continuous_usage_stats"];
    let theirs = request
        .object
        .value(&request.body, "stream_options")
        .unwrap_or(b"{}");
    let object = scan::object(theirs, &BOTH).expect("it was scanned when it was understood");
    let mut edits = Edits::new(&object);
    for option in BOTH {
        edits.set(option, "true");
    }
    edits.apply(theirs)
}

fn cap_output(request: &Understood, cap: u64, edits: &mut Edits<'_>) {
    // Admission has seen to it that there is a token for each.
    let each = (cap / request.answers()).max(1);
    let fields: &[&'static str] = match request.api {
        Api::Chat => &["max_completion_tokens", "max_tokens"],
        Api::Completions | Api::Messages => &["max_tokens"],
        Api::Responses => &["max_output_tokens"],
        Api::CountTokens | Api::Embeddings | Api::Tokenize | Api::Detokenize => return,
    };
    let bound = |field| {
        let raw = request.object.value(&request.body, field)?;
        serde_json::from_slice::<u64>(raw).ok()
    };
    for field in fields {
        if bound(field).is_some_and(|bound| bound > each) {
            edits.set(field, each.to_string());
        }
    }
    let unbounded = fields.iter().all(|field| bound(field).is_none());
    if unbounded && request.most_output.is_none_or(|most| most > each) {
        edits.set(fields[0], each.to_string());
    }
}

#[cfg(test)]
mod tests;
