//! `/v1/completions`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{ChunkUsage, Usage};

#[derive(Debug, Serialize)]
pub(crate) struct Completion {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) service_tier: Option<()>,
    pub(crate) system_fingerprint: String,
    pub(crate) usage: Usage,
    pub(crate) kv_transfer_params: Option<()>,
    pub(crate) ec_transfer_params: Option<()>,
    pub(crate) metrics: Option<()>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) index: usize,
    pub(crate) text: String,
    pub(crate) logprobs: Option<Logprobs>,
    pub(crate) finish_reason: &'static str,
    pub(crate) stop_reason: Option<String>,
    pub(crate) token_ids: Option<()>,
    pub(crate) prompt_logprobs: Option<()>,
    pub(crate) prompt_token_ids: Option<()>,
    pub(crate) routed_experts: Option<()>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Logprobs {
    pub(crate) text_offset: Vec<usize>,
    pub(crate) token_logprobs: Vec<f64>,
    pub(crate) tokens: Vec<String>,
    pub(crate) top_logprobs: Vec<Map<String, Value>>,
}

/// A chunk of a stream.
#[derive(Debug, Serialize)]
pub(crate) struct Chunk {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Delta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<ChunkUsage>,
    /// Only on the last chunk of an answer after which no chunk with usage comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system_fingerprint: Option<String>,
}

/// The chunk without choices at the end, which has no nulls.
#[derive(Debug, Serialize)]
pub(crate) struct LastChunk {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) choices: [(); 0],
    pub(crate) usage: ChunkUsage,
    pub(crate) system_fingerprint: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Delta {
    pub(crate) index: usize,
    pub(crate) text: String,
    pub(crate) logprobs: Option<Logprobs>,
    pub(crate) finish_reason: Option<&'static str>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) prompt_token_ids: Option<()>,
    pub(crate) token_ids: Option<()>,
}
