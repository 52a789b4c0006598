//! What an engine needs and would otherwise ask a hub for, which here does not answer.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::BlobPath;
use serde::Deserialize;

use super::{Check, ModelError};

/// Any of these is a tokenizer, or the part of it without which there is none.
const TOKENIZERS: [&str; 7] = [
    "tokenizer.json",
    "tokenizer.model",
    "tekken.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
];

const INDEX: &str = ".index.json";

/// `model.safetensors.index.json`: which tensor is in which file.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

pub(super) fn check(check: &Check<'_>, files: &[(BlobPath, u64)]) -> Result<(), ModelError> {
    let not_whole = |what: String| ModelError::NotWhole {
        model: check.model.clone(),
        what,
    };
    let names: BTreeSet<&str> = files.iter().map(|(path, _)| path.file_name()).collect();
    let has = |wanted: &[&str]| wanted.iter().any(|name| names.contains(name));
    let ends = |ending: &str| names.iter().any(|name| name.ends_with(ending));
    if !has(&["config.json"]) {
        return Err(not_whole("it has no config.json".to_owned()));
    }
    if !ends(".safetensors") && !ends(".gguf") {
        return Err(not_whole(
            "it has no weights (.safetensors or .gguf)".to_owned(),
        ));
    }
    // The only vocabularies without a name of their own are named after the model.
    if !has(&TOKENIZERS) && !ends(".tiktoken") && !ends(".gguf") {
        let wanted = TOKENIZERS.join(", ");
        return Err(not_whole(format!("it has no tokenizer (one of {wanted})")));
    }
    let paths: BTreeSet<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let indices = files
        .iter()
        .filter(|(path, _)| path.file_name().ends_with(INDEX));
    for (path, size) in indices {
        let index: Index = check.json(path, *size)?;
        let folder = path.as_str().strip_suffix(path.file_name()).unwrap_or("");
        let missing = index
            .weight_map
            .values()
            .find(|shard| !paths.contains(format!("{folder}{shard}").as_str()));
        if let Some(shard) = missing {
            return Err(not_whole(format!(
                "`{path}` names `{}`, which is not there",
                shard.escape_debug()
            )));
        }
    }
    Ok(())
}
