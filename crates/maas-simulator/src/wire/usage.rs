//! Token counts of chat, completions and embeddings.

use serde::Serialize;

use crate::{Settings, job::Prompt};

/// `usage` of a whole answer.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<()>,
}

/// `usage` of a chunk: without nulls.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ChunkUsage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

impl PromptDetails {
    fn of(settings: &Settings, prompt: Prompt) -> Option<Self> {
        let on = settings.prompt_tokens_details.is_on();
        on.then_some(Self {
            cached_tokens: prompt.cached,
        })
    }
}

impl Usage {
    pub(crate) fn new(settings: &Settings, prompt: Prompt, generated: u64) -> Self {
        Self {
            prompt_tokens: prompt.tokens,
            total_tokens: prompt.tokens + generated,
            completion_tokens: generated,
            prompt_tokens_details: PromptDetails::of(settings, prompt),
            completion_tokens_details: None,
        }
    }
}

impl ChunkUsage {
    /// The usage so far, on a chunk in mid-stream.
    pub(crate) fn so_far(prompt: Prompt, generated: u64) -> Self {
        Self {
            prompt_tokens: prompt.tokens,
            total_tokens: prompt.tokens + generated,
            completion_tokens: generated,
            prompt_tokens_details: None,
        }
    }

    /// The usage of the whole stream, on the chunk without choices.
    pub(crate) fn last(settings: &Settings, prompt: Prompt, generated: u64) -> Self {
        let prompt_tokens_details = PromptDetails::of(settings, prompt);
        Self {
            prompt_tokens_details,
            ..Self::so_far(prompt, generated)
        }
    }
}
