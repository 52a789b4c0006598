//! A model's manifest: what a person curates once (`models-manifest/*.toml`), a bundle signs and
//! the supervisor obeys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ModelName;

/// What is known about a model beside its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// What clients ask for.
    pub name: ModelName,
    /// One line for people.
    pub title: String,
    /// SPDX identifier, or the licence's own name.
    pub licence: String,
    /// Where the weights come from: a hub revision, a package, a folder. The author's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What it is for.
    pub task: Task,
    /// Longest prompt plus answer, in tokens; the engine gets it as `--max-model-len`.
    pub context: u64,
    /// Whether code that comes with the model (`*.py`, `auto_map`) may travel and run. A site must
    /// allow it too (`[policy] remote_code`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub remote_code: bool,
    /// How it is run.
    pub engine: EngineSettings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a model is for, and so which routes it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Text generation: chat, completions, messages, responses.
    Generate,
    /// Embeddings.
    Embed,
}

/// How vLLM is started for a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// How many GPUs one engine spans (tensor parallel). 1 unless the model needs more.
    #[serde(default = "one")]
    pub gpus: u32,
    /// How many engines answer for the model.
    #[serde(default = "one")]
    pub replicas: u32,
    /// GPU memory that one engine needs on each of its GPUs, bytes. Until the supervisor plans from
    /// weights and cache by itself, this is what it reserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory: Option<u64>,
    /// Flags of `vllm serve`, as they stand: `["--enforce-eager", "--dtype", "bfloat16"]`. The
    /// supervisor sets the model, its name, the socket and the context length itself.
    #[serde(default)]
    pub args: Vec<String>,
    /// Extra environment of the engine, such as `VLLM_CPU_KVCACHE_SPACE`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How long it may take from start to its first token, seconds. vLLM's own limit is 600
    /// (`VLLM_ENGINE_READY_TIMEOUT_S`); big models with cold caches take longer.
    #[serde(default = "start_timeout")]
    pub start_timeout_seconds: u64,
}

fn one() -> u32 {
    1
}

fn start_timeout() -> u64 {
    1_800
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_needs_little_and_refuses_what_it_does_not_know() {
        let text = "name = 'tiny'\ntitle = 'Tiny'\nlicence = 'Apache-2.0'\ntask = 'generate'\ncontext = 2048\n[engine]\n";
        let manifest: ModelManifest = toml::from_str(text).unwrap();
        assert_eq!((manifest.engine.gpus, manifest.engine.replicas), (1, 1));
        let error =
            toml::from_str::<ModelManifest>(&format!("{text}tensor_paralel = 2\n")).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `tensor_paralel`"),
            "{error}"
        );
    }
}
