//! A model: a manifest for people and a folder of files, which travel as they are. Beside them an
//! OCI manifest as ModelPack has it, so that registries and other tools know what they hold.

use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{
    BlobPath, Digest, ModelFile, ModelManifest, ModelSignature, ModelSigner, ShippedModel,
};
use serde::Serialize;

use super::{
    BuildError,
    intake::{Input, Intake, Taken, read_small},
};
use crate::{
    ModelFiles, RecipeError, RecipeModel, RemoteCode, Source, SourceError, SourceKind, check_model,
    json,
    oci::{self, Descriptor},
    recipe::parse_model_manifest,
};

/// A manifest is a page of text.
const MANIFEST_TOML: u64 = 1 << 20;

/// ModelPack's config of a model, as far as we know one.
#[derive(Serialize)]
struct ModelConfig<'a> {
    descriptor: ConfigDescriptor<'a>,
    config: NoFacts,
    modelfs: ModelFs,
}

#[derive(Serialize)]
struct ConfigDescriptor<'a> {
    name: &'a str,
    title: &'a str,
    licenses: [&'a str; 1],
}

/// Architecture, format, precision: not known here, and all optional.
#[derive(Serialize)]
struct NoFacts {}

#[derive(Serialize)]
struct ModelFs {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "diffIds")]
    diff_ids: Vec<Digest>,
}

pub(super) fn gather(
    wanted: &RecipeModel,
    intake: &mut Intake<'_>,
    left_out: &mut Vec<Utf8PathBuf>,
) -> Result<ShippedModel, BuildError> {
    let manifest = read_manifest(intake.source(), &wanted.manifest)?;
    let mut paths = Vec::new();
    let mut folder = Folder {
        source: intake.source(),
        root: &wanted.folder,
        left_out,
        paths: &mut paths,
    };
    folder.list("")?;
    paths.sort();
    let shipped = InSource {
        source: intake.source(),
        root: &wanted.folder,
        paths: &paths,
    };
    check_model(&manifest.name, &shipped, RemoteCode::of(&manifest))?;
    let mut files = Vec::new();
    let mut layers = Vec::new();
    for (path, _) in paths {
        let input = Input::File(wanted.folder.join(path.as_str()));
        let taken = intake.take(input)?;
        layers.push(layer(&path, taken));
        files.push(ModelFile {
            path,
            blob: taken.digest,
        });
    }
    let config = json::pretty(&ModelConfig {
        descriptor: ConfigDescriptor {
            name: manifest.name.as_str(),
            title: &manifest.title,
            licenses: [&manifest.licence],
        },
        config: NoFacts {},
        modelfs: ModelFs {
            kind: "layers",
            diff_ids: files.iter().map(|file| file.blob).collect(),
        },
    });
    let config = intake.take(Input::Made(config))?;
    let mut oci = oci::Manifest::new(
        Descriptor::new(oci::MODEL_CONFIG, config.digest, config.size),
        layers,
    );
    oci.artifact_type = Some(oci::MODEL_ARTIFACT.to_owned());
    let oci = intake.take(Input::Made(json::pretty(&oci)))?;
    Ok(ShippedModel {
        manifest,
        files,
        oci_manifest: oci.digest,
        oci_config: config.digest,
        signature: signature(wanted, intake)?,
    })
}

/// The maker's signature as the recipe names it, and who must have made it. Whether it is good is found
/// out when the whole bill is known.
fn signature(
    wanted: &RecipeModel,
    intake: &mut Intake<'_>,
) -> Result<Option<ModelSignature>, BuildError> {
    let (Some(path), Some(signer)) = (&wanted.signature, &wanted.signer) else {
        return Ok(None);
    };
    let signer = match (&signer.key, &signer.ca, &signer.identity) {
        (Some(key), _, _) => ModelSigner::Key(read_text(intake.source(), key)?),
        (None, Some(ca), Some(identity)) => ModelSigner::Certificate {
            roots: certificates(&read_text(intake.source(), ca)?),
            identity: identity.clone(),
        },
        // `Recipe::parse` has refused these.
        (None, _, _) => return Ok(None),
    };
    let blob = intake.take(Input::File(path.clone()))?.digest;
    Ok(Some(ModelSignature { blob, signer }))
}

/// A small text file.
pub(super) fn read_text(source: &dyn Source, path: &Utf8Path) -> Result<String, BuildError> {
    let bytes = read_small(source, path, MANIFEST_TOML)?;
    String::from_utf8(bytes).map_err(|_| {
        BuildError::Source(SourceError::Io {
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, "it is not text"),
        })
    })
}

/// A PEM file of several certificates, one by one.
fn certificates(pem: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let ends = pem.split_inclusive(END);
    ends.filter_map(|one| {
        let begin = one.find("-----BEGIN CERTIFICATE-----")?;
        one.ends_with(END).then(|| format!("{}\n", &one[begin..]))
    })
    .collect()
}

fn read_manifest(source: &dyn Source, path: &Utf8Path) -> Result<ModelManifest, BuildError> {
    let bytes = read_small(source, path, MANIFEST_TOML)?;
    let text = String::from_utf8(bytes).map_err(|_| RecipeError {
        file: path.to_owned(),
        line: None,
        what: "it is not UTF-8 text".to_owned(),
        example: "name = \"qwen3-coder\"",
    })?;
    Ok(parse_model_manifest(&text, path)?)
}

/// A model's folder on its way to a list of paths.
struct Folder<'a> {
    source: &'a dyn Source,
    root: &'a Utf8Path,
    left_out: &'a mut Vec<Utf8PathBuf>,
    paths: &'a mut Vec<(BlobPath, u64)>,
}

/// A model where its builder has it.
struct InSource<'a> {
    source: &'a dyn Source,
    root: &'a Utf8Path,
    paths: &'a [(BlobPath, u64)],
}

impl ModelFiles for InSource<'_> {
    fn list(&self) -> Vec<(BlobPath, u64)> {
        self.paths.to_vec()
    }

    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.source.open(&self.root.join(path.as_str()));
        let file = file.map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Folder<'_> {
    fn list(&mut self, below: &str) -> Result<(), BuildError> {
        let folder = self.root.join(below);
        for entry in self.source.list(&folder)? {
            if entry.name.starts_with('.') {
                // Hub clients keep `.cache` and `.gitattributes` there.
                self.left_out.push(folder.join(&entry.name));
                continue;
            }
            let path = if below.is_empty() {
                entry.name
            } else {
                format!("{below}/{}", entry.name)
            };
            let checked: BlobPath =
                path.parse()
                    .map_err(|error: maas_types::BlobPathError| BuildError::ModelFile {
                        folder: self.root.to_owned(),
                        path: error.text,
                        why: error.why.to_owned(),
                    })?;
            match entry.kind {
                SourceKind::File { size } => self.paths.push((checked, size)),
                SourceKind::Folder => self.list(&path)?,
            }
        }
        Ok(())
    }
}

/// The layer of one file; its media type says what the file is for, to other tools.
fn layer(path: &BlobPath, taken: Taken) -> Descriptor {
    let name = path.file_name().to_ascii_lowercase();
    let has = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_text_for_people = ["license", "licence", "readme", "notice", "copying"]
        .iter()
        .any(|start| name.starts_with(start));
    let media_type = if has(&[".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx"]) {
        oci::MODEL_WEIGHT
    } else if is_text_for_people || has(&[".md", ".pdf"]) {
        oci::MODEL_DOC
    } else if has(&[".py"]) {
        oci::MODEL_CODE
    } else {
        oci::MODEL_WEIGHT_CONFIG
    };
    Descriptor::new(media_type, taken.digest, taken.size)
        .with_annotation(oci::MODEL_FILEPATH, path.as_str())
}
