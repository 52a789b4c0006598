//! What the supervisor writes for a shim: one engine, spelled out to the last argument.
//!
//! A shim may be older than the supervisor (engines outlive an upgrade), and the other way round
//! after a rollback. So fields are only ever added, each with a default, and unknown ones are
//! ignored; a change of meaning takes a new [`EngineSpec::SCHEMA`].

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, EngineId, EngineKind, GenerationId, GpuUuid, Layout, ModelManifest};
use serde::{Deserialize, Serialize};

/// `/run/maas-appliance/engines/ID.json`: everything that a shim needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSpec {
    /// `maas-appliance/engine-spec/v1`
    pub schema: String,
    /// Its name.
    pub id: EngineId,
    /// The generation for which it was started.
    pub generation: Option<GenerationId>,
    /// What the bundle says about the model.
    pub manifest: ModelManifest,
    /// Where the model's files lie.
    pub folder: Utf8PathBuf,
    /// A digest over all of them, where one is known.
    #[serde(default)]
    pub content: Option<Digest>,
    /// What answers.
    pub kind: EngineKind,
    /// The GPUs that it was given; empty on the CPU.
    pub gpus: Vec<GpuUuid>,
    /// What is executed.
    pub program: Utf8PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Its whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// The Unix socket on which it is to speak HTTP.
    pub socket: Utf8PathBuf,
    /// Where its output goes; the run before is kept beside it as `ID.previous.log`.
    pub log: Utf8PathBuf,
    /// What it may write: its working folder, its home and its caches.
    pub cache: Utf8PathBuf,
    /// The root file system that its unit runs it in; `None` is the host's own.
    #[serde(default)]
    pub root: Option<Utf8PathBuf>,
    /// How long it may take from start to first token, seconds.
    pub start_timeout_seconds: u64,
    /// How long it may finish what it has after SIGTERM, seconds.
    pub drain_seconds: u64,
}

impl EngineSpec {
    /// The value of [`EngineSpec::schema`].
    pub const SCHEMA: &str = "maas-appliance/engine-spec/v1";
}

/// The files of one engine below [`Layout::engines`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineFiles {
    folder: Utf8PathBuf,
    id: EngineId,
}

impl EngineFiles {
    pub(crate) fn new(layout: &Layout, id: &EngineId) -> Self {
        Self {
            folder: layout.engines(),
            id: id.clone(),
        }
    }

    /// The files whose spec is at `path`; `None` if that is not the path of a spec.
    pub(crate) fn of_spec(path: &Utf8Path) -> Option<Self> {
        let name = path.file_name()?.strip_suffix(".json")?;
        Some(Self {
            folder: path.parent()?.to_owned(),
            id: name.parse().ok()?,
        })
    }

    pub(crate) fn id(&self) -> &EngineId {
        &self.id
    }

    /// The folder that is the engine's own.
    pub(crate) fn own(&self) -> Utf8PathBuf {
        self.folder.join(self.id.as_str())
    }

    pub(crate) fn spec(&self) -> Utf8PathBuf {
        self.folder.join(format!("{}.json", self.id))
    }

    pub(crate) fn status(&self) -> Utf8PathBuf {
        self.own().join("status.json")
    }

    /// Held by the shim for as long as it lives, so that there is never a second one.
    pub(crate) fn lock(&self) -> Utf8PathBuf {
        self.own().join("lock")
    }

    pub(crate) fn socket(&self) -> Utf8PathBuf {
        self.own().join("sock")
    }

    /// Makes the engine's own folder, where no unit does.
    pub(crate) fn make_own(&self) -> std::io::Result<()> {
        fs_err::create_dir_all(self.own())
    }

    /// Removes all of them, and whatever else the engine has left in its folder.
    pub(crate) fn remove(&self) -> std::io::Result<()> {
        crate::files::remove(&self.spec())?;
        match fs_err::remove_dir_all(self.own()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_spec_is_taken_for_a_spec() {
        let id = |path: &str| EngineFiles::of_spec(path.into()).map(|f| f.id().to_string());
        assert_eq!(id("/run/engines/tiny-0.json"), Some("tiny-0".to_owned()));
        for path in [
            "/run/engines/tiny-0/sock",
            "/run/engines/.tiny-0.json.new",
            "/run/engines/-x.json",
        ] {
            assert_eq!(id(path), None, "{path}");
        }
    }
}
