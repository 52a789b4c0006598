//! What may be in a model: weights, settings and words, and nothing that runs.
//!
//! Threats: a pickle under any name, alone or in an archive, runs what its author likes when it is
//! loaded (torch CVE-2025-32434, vLLM CVE-2025-24357); code that comes with the model; a safetensors
//! header that claims more, less or other bytes than are there; a shard or tokenizer that is missing,
//! which an engine would ask a hub for.
//! Defences: files are judged by their first bytes and by their name, whichever is worse, but weights
//! whose header is right to the last byte are weights; code only
//! where the signed manifest allows it; headers are checked to the last byte; what an engine needs
//! must be there. The same check runs when a bundle is built and again on the host, from its store.

use std::io;

use maas_sbom::Measured;
use maas_types::{BillOfLading, BlobPath, Digest, ModelManifest, ModelName, ShippedModel};
use serde_json::Value;

mod closure;
mod opaque;
mod safetensors;

/// Read of the start of each file: enough for every magic number, the last of which is a tar's.
const HEAD: u64 = 512;

/// A settings file that is looked into. Why 32 MiB: the largest tokenizers are below 20.
const LARGEST_SETTINGS: u64 = 32 << 20;

/// Settings in which a model names code that comes with it: `config.json`, `tokenizer_config.json` and
/// whatever else a library calls by such a name. Not every JSON file: a vocabulary has any word for a key.
const SETTINGS: &str = "config.json";

/// The members that do (`transformers`: `auto_map`, and `custom_pipelines` in `config.json`), at any
/// depth: settings of parts stand within those of the whole.
const NAMES_CODE: [&str; 2] = ["auto_map", "custom_pipelines"];

/// The files of one model, wherever they are: in a folder, in a store.
pub trait ModelFiles {
    /// Every path with its size in bytes.
    fn list(&self) -> Vec<(BlobPath, u64)>;

    /// The first `limit` bytes of a file, or all of a shorter one.
    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>>;
}

/// Whether code that comes with a model may travel, as its signed manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteCode {
    /// It may not: the rule.
    Refused,
    /// It may; whether it runs is the site's policy.
    Allowed,
}

/// Why a model may not be shipped or installed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read.
    #[error("cannot read `{path}` of model `{model}`")]
    Read {
        /// The model.
        model: ModelName,
        /// The file.
        path: BlobPath,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something that runs, or that nobody can look into.
    #[error("`{path}` of model `{model}` may not travel: {why}")]
    Dangerous {
        /// The model.
        model: ModelName,
        /// The file.
        path: BlobPath,
        /// What it is.
        why: &'static str,
    },
    /// Code that comes with the model.
    #[error(
        "`{path}` of model `{model}` is or names code that comes with the model, which its manifest does \
         not allow (`remote_code = true`)"
    )]
    Code {
        /// The model.
        model: ModelName,
        /// The file.
        path: BlobPath,
    },
    /// A file that is not what its name says.
    #[error("`{path}` of model `{model}` is damaged: {why}")]
    Damaged {
        /// The model.
        model: ModelName,
        /// The file.
        path: BlobPath,
        /// What is wrong.
        why: String,
    },
    /// Something that an engine needs and would ask a hub for.
    #[error("model `{model}` is not whole: {what}")]
    NotWhole {
        /// The model.
        model: ModelName,
        /// What is missing.
        what: String,
    },
}

impl ModelError {
    /// The exit code that answers this.
    pub fn exit(&self) -> maas_types::Exit {
        match self {
            Self::Read { .. } => maas_types::Exit::Failed,
            Self::Dangerous { .. } | Self::Code { .. } => maas_types::Exit::Policy,
            Self::Damaged { .. } | Self::NotWhole { .. } => maas_types::Exit::Content,
        }
    }
}

/// Checks every model of a bill. `head` reads the first bytes of a blob, at most so many.
pub fn check_models(
    bill: &BillOfLading,
    head: &dyn Fn(&Digest, u64) -> io::Result<Vec<u8>>,
) -> Result<(), ModelError> {
    bill.models.iter().try_for_each(|model| {
        let files = Shipped { bill, model, head };
        check_model(
            &model.manifest.name,
            &files,
            RemoteCode::of(&model.manifest),
        )
    })
}

/// A model as a bill ships it: its files are blobs.
struct Shipped<'a> {
    bill: &'a BillOfLading,
    model: &'a ShippedModel,
    head: &'a dyn Fn(&Digest, u64) -> io::Result<Vec<u8>>,
}

impl ModelFiles for Shipped<'_> {
    fn list(&self) -> Vec<(BlobPath, u64)> {
        sizes(self.bill, self.model)
    }

    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.model.files.iter().find(|file| file.path == *path);
        (self.head)(&file.ok_or(io::ErrorKind::NotFound)?.blob, limit)
    }
}

/// The files of a model as a bill has them, with their sizes in bytes.
pub(crate) fn sizes(bill: &BillOfLading, model: &ShippedModel) -> Vec<(BlobPath, u64)> {
    let size = |blob| bill.blob(blob).map_or(0, |blob| blob.size);
    let files = model.files.iter();
    files
        .map(|file| (file.path.clone(), size(&file.blob)))
        .collect()
}

impl RemoteCode {
    /// What a model's manifest says.
    pub fn of(manifest: &ModelManifest) -> Self {
        if manifest.remote_code {
            Self::Allowed
        } else {
            Self::Refused
        }
    }
}

/// Checks every file of a model. Reads the first bytes of each, headers of weights, and settings.
pub fn check_model(
    model: &ModelName,
    files: &dyn ModelFiles,
    code: RemoteCode,
) -> Result<(), ModelError> {
    let list = files.list();
    let check = Check { model, files };
    for (path, size) in &list {
        check.one(path, *size, code)?;
    }
    closure::check(&check, &list)
}

/// What the headers of a model's safetensors say; of files that were checked.
pub(crate) fn measure(model: &ModelName, files: &dyn ModelFiles) -> Result<Measured, ModelError> {
    let check = Check { model, files };
    let mut measured = Measured::default();
    for (path, size) in files.list() {
        if !ends(&path.file_name().to_ascii_lowercase(), &[".safetensors"]) {
            continue;
        }
        let tensors = safetensors::check(size, |limit| check.head(&path, limit))?;
        for tensor in tensors.unwrap_or_default() {
            measured.parameters += tensor.elements;
            measured.bytes += tensor.bytes();
            *measured.dtypes.entry(tensor.dtype()).or_default() += tensor.elements;
        }
    }
    Ok(measured)
}

/// Whether a name, in lower case, ends in one of these.
fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

/// Whether settings name code, at any depth. A member that is null names none.
fn has_code(settings: &Value) -> bool {
    match settings {
        Value::Object(members) => members.iter().any(|(name, value)| {
            (NAMES_CODE.contains(&name.as_str()) && !value.is_null()) || has_code(value)
        }),
        Value::Array(items) => items.iter().any(has_code),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A check under way.
struct Check<'a> {
    model: &'a ModelName,
    files: &'a dyn ModelFiles,
}

impl Check<'_> {
    fn one(&self, path: &BlobPath, size: u64, code: RemoteCode) -> Result<(), ModelError> {
        let name = path.file_name().to_ascii_lowercase();
        // A safetensors file begins with a number, which may well be another format's magic: what is
        // right to its last byte is weights, whatever it begins with.
        let weights = if ends(&name, &[".safetensors"]) {
            let header = |limit| self.head(path, limit);
            Some(safetensors::check(size, header)?)
        } else {
            None
        };
        if matches!(weights, Some(Ok(_))) {
            return Ok(());
        }
        let start = self.head(path, HEAD)?;
        if let Some(why) = opaque::objection(&name, &start) {
            return Err(ModelError::Dangerous {
                model: self.model.clone(),
                path: path.clone(),
                why,
            });
        }
        let names_code = ends(&name, &[".py", ".pyi", ".pyw", ".pyx", ".pyz"])
            || (ends(&name, &[SETTINGS]) && self.settings_name_code(path, size)?);
        if names_code && code == RemoteCode::Refused {
            return Err(ModelError::Code {
                model: self.model.clone(),
                path: path.clone(),
            });
        }
        match weights {
            Some(Err(why)) => Err(self.damaged(path, why)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn settings_name_code(&self, path: &BlobPath, size: u64) -> Result<bool, ModelError> {
        let settings: Value = self.json(path, size)?;
        Ok(has_code(&settings))
    }

    /// Reads a settings file.
    fn json<T: serde::de::DeserializeOwned>(
        &self,
        path: &BlobPath,
        size: u64,
    ) -> Result<T, ModelError> {
        if size > LARGEST_SETTINGS {
            return Err(self.damaged(path, format!("{size} bytes are too many for settings")));
        }
        let bytes = self.head(path, LARGEST_SETTINGS)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            self.damaged(path, format!("it is not the JSON it should be: {error}"))
        })
    }

    fn head(&self, path: &BlobPath, limit: u64) -> Result<Vec<u8>, ModelError> {
        self.files
            .head(path, limit)
            .map_err(|source| ModelError::Read {
                model: self.model.clone(),
                path: path.clone(),
                source,
            })
    }

    fn damaged(&self, path: &BlobPath, why: String) -> ModelError {
        ModelError::Damaged {
            model: self.model.clone(),
            path: path.clone(),
            why,
        }
    }
}

#[cfg(test)]
mod tests;
