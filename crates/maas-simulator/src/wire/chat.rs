//! `/v1/chat/completions`.

use serde::Serialize;

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
    pub(crate) prompt_logprobs: Option<()>,
    pub(crate) prompt_token_ids: Option<()>,
    pub(crate) prompt_text: Option<()>,
    pub(crate) kv_transfer_params: Option<()>,
    pub(crate) ec_transfer_params: Option<()>,
    pub(crate) metrics: Option<()>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) index: usize,
    pub(crate) message: Message,
    pub(crate) logprobs: Option<Logprobs>,
    pub(crate) finish_reason: &'static str,
    pub(crate) stop_reason: Option<String>,
    pub(crate) token_ids: Option<()>,
    pub(crate) routed_experts: Option<()>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) role: &'static str,
    pub(crate) content: Option<String>,
    pub(crate) refusal: Option<()>,
    pub(crate) annotations: Option<()>,
    pub(crate) audio: Option<()>,
    pub(crate) function_call: Option<()>,
    /// Absent when there is none, as recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) reasoning: Option<()>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) function: Function,
}

#[derive(Debug, Serialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Logprobs {
    pub(crate) content: Vec<Logprob>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Logprob {
    pub(crate) token: String,
    pub(crate) logprob: f64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) top_logprobs: Vec<Logprob>,
}

/// A chunk of a stream. What is absent in the recording is absent here.
#[derive(Debug, Serialize)]
pub(crate) struct Chunk {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Delta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<ChunkUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system_fingerprint: Option<String>,
    /// On the first chunk only, null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_token_ids: Option<Null>,
    /// On the first chunk only, null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_text: Option<Null>,
}

/// A stop text, or null when there is none.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct StopReason(pub(crate) Option<String>);

/// A key that is there with the value null.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Null;

#[derive(Debug, Serialize)]
pub(crate) struct Delta {
    pub(crate) index: usize,
    pub(crate) delta: DeltaMessage,
    pub(crate) logprobs: Option<Logprobs>,
    pub(crate) finish_reason: Option<&'static str>,
    /// Only with a finish reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_reason: Option<StopReason>,
    /// On all but the first chunk, null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_ids: Option<Null>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct DeltaMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<[DeltaToolCall; 1]>,
}

#[derive(Debug, Serialize)]
pub(crate) struct DeltaToolCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) r#type: Option<&'static str>,
    pub(crate) index: usize,
    pub(crate) function: DeltaFunction,
}

#[derive(Debug, Serialize)]
pub(crate) struct DeltaFunction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) arguments: String,
}
