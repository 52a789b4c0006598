//! The model folder, its manifest and the recipe of a quickstart.

use camino::Utf8Path;
use maas_types::Exit;
use serde_json::{Value, json};

use super::{engine::Choice, stage::Stage};
use crate::error::CommandError;

/// Bytes of made-up weights: enough for a progress bar to be seen, little enough to wait for.
const REHEARSAL_WEIGHTS: usize = 8_000_000;

/// The longest prompt plus answer of a quickstart, tokens. Small, so that a CPU has the memory.
const CONTEXT: u64 = 2048;

/// Puts the model folder in its place and returns its manifest.
pub(super) fn prepare(stage: &Stage, choice: &Choice) -> Result<String, CommandError> {
    match choice {
        Choice::Simulated { model, .. } => {
            rehearsal_folder(stage)?;
            Ok(format!(
                "name = \"{model}\"\ntitle = \"Rehearsal (no model: the engine is simulated)\"\n\
                 licence = \"Apache-2.0\"\ntask = \"generate\"\ncontext = {CONTEXT}\n\n[engine]\n"
            ))
        }
        Choice::Vllm { folder, model, .. } => {
            let context = trained_context(folder)?.min(CONTEXT);
            Ok(format!(
                "name = \"{model}\"\ntitle = \"{model}\"\nlicence = \"as the model's folder says\"\n\
                 task = \"generate\"\ncontext = {context}\n\n[engine]\n\
                 args = [\"--enforce-eager\", \"--dtype\", \"bfloat16\"]\n\n\
                 [engine.env]\nVLLM_CPU_KVCACHE_SPACE = \"1\"\n"
            ))
        }
    }
}

/// The recipe that names the model.
pub(super) fn recipe(stage: &Stage, choice: &Choice) -> String {
    let folder = match choice {
        Choice::Simulated { .. } => "rehearsal-model".to_owned(),
        Choice::Vllm { folder, .. } => folder.to_string(),
    };
    format!(
        "bundle = \"quickstart-1\"\nepoch = 1\nversion = \"quickstart\"\nbinary = \"{}\"\n\n\
         [[model]]\nmanifest = \"model.toml\"\nfolder = \"{folder}\"\n",
        stage.appliance(),
    )
}

/// The length that the model was trained for, from its `config.json`.
fn trained_context(folder: &Utf8Path) -> Result<u64, CommandError> {
    let path = folder.join("config.json");
    let config: Value = serde_json::from_str(&fs_err::read_to_string(&path)?)
        .map_err(|error| CommandError::new(Exit::Content, format!("{path}: {error}")))?;
    let length = [
        "/max_position_embeddings",
        "/text_config/max_position_embeddings",
    ];
    Ok(length
        .iter()
        .find_map(|at| config.pointer(at)?.as_u64())
        .unwrap_or(CONTEXT))
}

/// A folder with the shape of a model: a valid safetensors file, a configuration, a tokenizer.
fn rehearsal_folder(stage: &Stage) -> Result<(), CommandError> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": CONTEXT,
        "model_type": "llama",
    });
    stage.write("rehearsal-model/config.json", &format!("{config:#}\n"))?;
    let tokenizer =
        json!({ "version": "1.0", "model": { "type": "BPE", "vocab": {}, "merges": [] } });
    stage.write(
        "rehearsal-model/tokenizer.json",
        &format!("{tokenizer:#}\n"),
    )?;
    let path = stage.path("rehearsal-model/model.safetensors");
    Ok(fs_err::write(path, safetensors(REHEARSAL_WEIGHTS))?)
}

/// One tensor of `bytes` zero bytes, in the safetensors format: header length, header, data.
fn safetensors(bytes: usize) -> Vec<u8> {
    let header = json!({
        "rehearsal": { "dtype": "U8", "shape": [bytes], "data_offsets": [0, bytes] }
    })
    .to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.resize(file.len() + bytes, 0);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_made_up_weights_are_a_valid_safetensors_file() {
        let file = safetensors(10);
        let length = u64::from_le_bytes(file[..8].try_into().unwrap());
        let length = usize::try_from(length).unwrap();
        let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
        assert_eq!(
            header.pointer("/rehearsal/data_offsets/1"),
            Some(&json!(10))
        );
        assert_eq!(file.len(), 8 + length + 10);
    }
}
