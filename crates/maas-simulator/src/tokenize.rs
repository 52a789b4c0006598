//! `POST /tokenize` and `POST /detokenize`.

use serde::Serialize;
use serde_json::Value;

use crate::{
    app::App,
    prompt::{missing, of_chat},
    reply::{self, Reply},
    request::Request,
    stream::Broken,
    tokens,
};

#[derive(Serialize)]
struct Tokens {
    count: usize,
    max_model_len: u64,
    #[serde(rename = "tokens")]
    ids: Vec<u64>,
    token_strs: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Text {
    prompt: String,
}

/// The ids of a prompt, or of a conversation as `/v1/chat/completions` would render it.
pub(crate) fn tokenize(app: &App, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let prompt = match (
        request.text("prompt"),
        request.body.contains_key("messages"),
    ) {
        (Some(prompt), _) => prompt.to_owned(),
        (None, true) => of_chat(&request.body)?.prompt,
        (None, false) => return Err(missing(&request.body, "prompt").into()),
    };
    let tokens = tokens::encode(&prompt);
    let strs = request.is_on("return_token_strs");
    let strs = strs.then(|| tokens.iter().map(|id| tokens::decode(&[*id])).collect());
    Ok(reply::json(&Tokens {
        count: tokens.len(),
        max_model_len: app.settings.max_model_len,
        ids: tokens,
        token_strs: strs,
    }))
}

/// The text of ids.
pub(crate) fn detokenize(app: &App, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let ids = request.body.get("tokens").and_then(Value::as_array);
    let ids: Option<Vec<u64>> = ids.and_then(|ids| ids.iter().map(Value::as_u64).collect());
    let ids = ids.ok_or_else(|| missing(&request.body, "tokens"))?;
    Ok(reply::json(&Text {
        prompt: tokens::decode(&ids),
    }))
}
