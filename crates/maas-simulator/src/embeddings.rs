//! `POST /v1/embeddings`, on a model for embeddings only.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::Value;

use crate::{
    answer::{hash, mix},
    app::App,
    engine::Progress,
    error::ApiError,
    job::{Load, Prompt, admit, one_step},
    prompt::missing,
    reply::{self, Reply},
    request::Request,
    stream::Broken,
    tokens,
    wire::Usage,
};

/// What a small real embedding model has.
const DIMENSIONS: u64 = 384;

/// More than any real model has; without a limit a request could ask for all memory.
const MAX_DIMENSIONS: u64 = 16_384;

#[derive(Serialize)]
struct Embeddings {
    id: String,
    object: &'static str,
    created: i64,
    model: String,
    data: Vec<Embedding>,
    usage: Usage,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "it is OpenAI's structure")]
struct Embedding {
    index: usize,
    object: &'static str,
    embedding: Value,
}

/// Answers, or says why not.
pub(crate) async fn answer(app: &Arc<App>, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    admit(app)?;
    let inputs = inputs(request)?;
    let dimensions = request.number("dimensions")?.unwrap_or(DIMENSIONS);
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        let message =
            format!("dimensions must be between 1 and {MAX_DIMENSIONS}, got {dimensions}.");
        return Err(ApiError::bad_request(message, "dimensions").into());
    }
    let counts: Vec<u64> = inputs.iter().map(|text| tokens::count(text)).collect();
    let whole = app.settings.max_model_len;
    if let Some(most) = counts.iter().copied().find(|count| *count > whole) {
        let message = format!(
            "This model's maximum context length is {whole} tokens. However, your request has \
             {most} input tokens. (parameter=input_tokens, value={most})"
        );
        return Err(ApiError::bad_request(message, "input_tokens").into());
    }
    let _load = Load::count(app);
    compute(app, &counts).await?;
    let tokens = counts.iter().sum();
    let encode = match request.text("encoding_format") {
        Some("base64") => as_base64,
        _ => |vector: &[f32]| Value::from(vector.to_vec()),
    };
    let data = inputs.iter().enumerate().map(|(index, text)| Embedding {
        index,
        object: "embedding",
        embedding: encode(&vector(text, dimensions)),
    });
    Ok(reply::json(&Embeddings {
        id: format!("embd-{}", app.request_id(request)),
        object: "list",
        created: app.created(),
        model: app.settings.name().to_owned(),
        data: data.collect(),
        usage: Usage::new(&app.settings, Prompt { tokens, cached: 0 }, 0),
    }))
}

/// Waits for the core to do a step for each input.
async fn compute(app: &Arc<App>, counts: &[u64]) -> Result<(), ApiError> {
    let first = app.behaviour().first_token;
    let adds: Vec<_> = counts
        .iter()
        .map(|tokens| one_step(first, *tokens))
        .collect();
    let mut generation = app.engine.generate(&adds);
    let mut left = adds.len();
    while left > 0 {
        match generation.next().await.1 {
            Progress::Scheduled => {}
            Progress::Token => left -= 1,
            Progress::Aborted => return Err(ApiError::internal("Request was aborted")),
            Progress::Dead => return Err(ApiError::engine_dead()),
        }
    }
    for tokens in counts {
        app.metrics.prefilled(*tokens, 0);
    }
    Ok(())
}

/// A text, texts, token ids, or lists of them.
fn inputs(request: &Request) -> Result<Vec<String>, ApiError> {
    let bad = || {
        let message = "input must be a text, a list of texts, or token ids".to_owned();
        ApiError::bad_request(message, "input")
    };
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(ids) => {
            let ids: Option<Vec<u64>> = ids.iter().map(Value::as_u64).collect();
            ids.map(|ids| tokens::decode(&ids))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    match request.body.get("input") {
        None => Err(missing(&request.body, "input")),
        Some(Value::Array(list)) if !list.first().is_some_and(Value::is_number) => list
            .iter()
            .map(|value| one(value).ok_or_else(bad))
            .collect(),
        Some(value) => Ok(vec![one(value).ok_or_else(bad)?]),
    }
}

/// A unit vector, a function of the text alone.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let mut state = hash(text.as_bytes());
    let mut vector: Vec<f32> = (0..dimensions)
        .map(|_| {
            state = mix(state);
            f32::from(i16::from_le_bytes([
                state.to_le_bytes()[6],
                state.to_le_bytes()[7],
            ]))
        })
        .collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for x in &mut vector {
            *x /= length;
        }
    }
    vector
}

/// Little-endian numbers in base64, which the Python client of OpenAI asks for.
fn as_base64(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    Value::from(BASE64_STANDARD.encode(bytes))
}
