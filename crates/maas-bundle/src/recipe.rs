//! The recipe: what a release engineer writes, and the only file a build is steered by.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{BundleId, DocumentKind, Exit, ImageName, ModelManifest};
use serde::Deserialize;

use crate::tuf::HIGHEST_VERSION;

/// A parsed recipe. Paths are as written: relative to the recipe's folder, unless absolute.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `acme-2026.11-a`: the bundle's name, its folder below `MAAS/`.
    pub bundle: BundleId,
    /// Grows with every release; hosts refuse a smaller one. 1 to 2^32.
    pub epoch: u64,
    /// The release's version, for people.
    pub version: String,
    /// `maas-appliance` unless said otherwise; a host refuses others.
    #[serde(default = "product")]
    pub product: String,
    /// The `maas-appliance` binary that the release runs.
    pub binary: Utf8PathBuf,
    /// Script for the root of each volume; left out, there is none.
    #[serde(default)]
    pub install_sh: Option<Utf8PathBuf>,
    /// Page for the root of each volume; left out, there is none.
    #[serde(default)]
    pub readme: Option<Utf8PathBuf>,
    /// Models.
    #[serde(default, rename = "model")]
    pub models: Vec<RecipeModel>,
    /// Container images.
    #[serde(default, rename = "image")]
    pub images: Vec<RecipeImage>,
    /// Documents of others that travel along.
    #[serde(default, rename = "document")]
    pub documents: Vec<RecipeDocument>,
    /// Whether bills of materials are made of models, images and, with `cargo_lock`, the binary.
    #[serde(default = "yes")]
    pub sbom: bool,
    /// The `Cargo.lock` that the binary was built with.
    #[serde(default)]
    pub cargo_lock: Option<Utf8PathBuf>,
}

/// A `[[model]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeModel {
    /// Its manifest, a TOML file.
    pub manifest: Utf8PathBuf,
    /// The folder with its files.
    pub folder: Utf8PathBuf,
    /// The signature of whoever made the model (OMS v1.0); needs `signer`.
    #[serde(default)]
    pub signature: Option<Utf8PathBuf>,
    /// Who must have signed it.
    #[serde(default)]
    pub signer: Option<RecipeSigner>,
}

/// Who must have signed a model: `{ key = "author.pub" }`, or `{ ca = "ca.pem", identity = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeSigner {
    /// A public key, PEM.
    #[serde(default)]
    pub key: Option<Utf8PathBuf>,
    /// Certificates of an authority, PEM.
    #[serde(default)]
    pub ca: Option<Utf8PathBuf>,
    /// The name in the signer's certificate.
    #[serde(default)]
    pub identity: Option<String>,
}

/// A `[[document]]`: something that others say about a part of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeDocument {
    /// The model or image by name, or `binary`.
    pub of: String,
    /// `sbom` or `provenance`.
    pub kind: DocumentKind,
    /// `application/vnd.in-toto+json` for SLSA, `application/vnd.cyclonedx+json` for `CycloneDX`.
    pub media_type: String,
    /// The file.
    pub file: Utf8PathBuf,
}

/// An `[[image]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeImage {
    /// What the bundle calls it.
    pub name: ImageName,
    /// Where it came from; for people.
    pub reference: String,
    /// An OCI layout folder, an OCI archive or a `podman save` archive; found out by content.
    pub source: Utf8PathBuf,
    /// The public key (PEM) of who must have signed it with cosign. The signatures lie in the layout.
    #[serde(default)]
    pub signer: Option<Utf8PathBuf>,
}

/// What is wrong with a recipe or a model's manifest, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RecipeError {
    /// The file.
    pub file: Utf8PathBuf,
    /// The line, 1 for the first; `None` where no single line is to blame.
    pub line: Option<usize>,
    /// What is wrong, the key named.
    pub what: String,
    /// A line that would be right.
    pub example: &'static str,
}

impl std::fmt::Display for RecipeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}; for example: {}", self.what, self.example)
    }
}

impl RecipeError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl Recipe {
    /// Parses a recipe. `file` is its name for messages.
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, RecipeError> {
        let recipe: Self =
            toml::from_str(text).map_err(|error| located(text, file, &error, example_for))?;
        recipe.check(text, file)?;
        Ok(recipe)
    }

    fn check(&self, text: &str, file: &Utf8Path) -> Result<(), RecipeError> {
        let wrong = |key: &str, what: String| RecipeError {
            file: file.to_owned(),
            line: line_of(text, key),
            what,
            example: example_for(key),
        };
        if !(1..=HIGHEST_VERSION).contains(&self.epoch) {
            let what = format!("`epoch` is {}, and must be 1 to 2^32", self.epoch);
            return Err(wrong("epoch", what));
        }
        if self.version.is_empty() || self.version.chars().any(char::is_control) {
            let what = "`version` is empty or not plain text".to_owned();
            return Err(wrong("version", what));
        }
        let mut names = BTreeSet::new();
        for image in &self.images {
            if !names.insert(image.name.as_str().to_ascii_lowercase()) {
                let what = format!("two images have the `name` `{}`", image.name);
                return Err(wrong("name", what));
            }
        }
        for model in &self.models {
            let complete = match &model.signer {
                None => model.signature.is_none(),
                Some(RecipeSigner { key, ca, identity }) => {
                    let by_key = key.is_some() && ca.is_none() && identity.is_none();
                    let by_name = key.is_none() && ca.is_some() && identity.is_some();
                    model.signature.is_some() && (by_key || by_name)
                }
            };
            if !complete {
                let what = "a model's `signature` needs a `signer` with a `key`, or with `ca` and \
                            `identity`; and a `signer` needs a `signature`";
                return Err(wrong("signer", what.to_owned()));
            }
        }
        Ok(())
    }
}

/// Parses a model's manifest. `file` is its name for messages.
pub fn parse_model_manifest(text: &str, file: &Utf8Path) -> Result<ModelManifest, RecipeError> {
    toml::from_str(text).map_err(|error| located(text, file, &error, manifest_example_for))
}

fn yes() -> bool {
    true
}

fn product() -> String {
    crate::bill::PRODUCT.to_owned()
}

fn located(
    text: &str,
    file: &Utf8Path,
    error: &toml::de::Error,
    example: impl Fn(&str) -> &'static str,
) -> RecipeError {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.matches('\n').count() + 1);
    let missing = error
        .message()
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    let key = line.and_then(|line| key_on(text, line));
    let what = match (key, missing) {
        (Some(key), None) => format!("`{key}`: {}", error.message()),
        (Some(_) | None, _) => error.message().to_owned(),
    };
    RecipeError {
        file: file.to_owned(),
        // What is missing in the whole file is on no line of it.
        line: line.filter(|line| missing.is_none() || *line > 1),
        what,
        example: example(missing.or(key).unwrap_or_default()),
    }
}

/// The key of `key = value`, if that is what the line is.
fn key_on(text: &str, line: usize) -> Option<&str> {
    let (key, _) = text.lines().nth(line - 1)?.split_once('=')?;
    Some(key.trim())
}

fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut lines = text.lines();
    let at = lines.position(|line| line.split_once('=').is_some_and(|(k, _)| k.trim() == key))?;
    Some(at + 1)
}

fn example_for(key: &str) -> &'static str {
    match key {
        "epoch" => "epoch = 7",
        "version" => "version = \"2026.11.0\"",
        "product" => "product = \"maas-appliance\"",
        "binary" => "binary = \"target/release/maas-appliance\"",
        "install_sh" => "install_sh = \"installer/install.sh\"",
        "readme" => "readme = \"installer/README.txt\"",
        "manifest" => "manifest = \"models-manifest/qwen3-coder.toml\"",
        "folder" => "folder = \"models/qwen3-coder\"",
        "name" => "name = \"vllm-openai\"",
        "reference" => "reference = \"docker.io/vllm/vllm-openai:v0.32.0\"",
        "source" => "source = \"images/vllm-openai.tar\"",
        "signer" => "signer = { key = \"author.pub\" }",
        "kind" => "kind = \"provenance\"",
        _ => "bundle = \"acme-2026.11-a\"",
    }
}

fn manifest_example_for(key: &str) -> &'static str {
    match key {
        "title" => "title = \"Qwen3 Coder 30B\"",
        "licence" => "licence = \"Apache-2.0\"",
        "task" => "task = \"generate\"",
        "context" => "context = 32768",
        "gpus" => "gpus = 2",
        "replicas" => "replicas = 1",
        "args" => "args = [\"--dtype\", \"bfloat16\"]",
        "engine" => "[engine]",
        _ => "name = \"qwen3-coder\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "bundle = 'acme-1'\nepoch = 7\nversion = '1.0'\nbinary = 'bin'\n";

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        Recipe::parse(text, Utf8Path::new("recipe.toml"))
    }

    #[test]
    fn a_recipe_needs_little() {
        let recipe = parse(GOOD).unwrap();
        assert_eq!(
            (recipe.epoch, recipe.product.as_str()),
            (7, "maas-appliance")
        );
    }

    #[test]
    fn a_mistake_is_answered_with_file_line_key_and_an_example() {
        let shown = |text: &str| parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(shown(&GOOD.replace('7', "'seven'")), @r#"`recipe.toml`, line 2: `epoch`: invalid type: string "seven", expected u64; for example: epoch = 7"#);
        insta::assert_snapshot!(shown(&GOOD.replace('7', "0")), @"`recipe.toml`, line 2: `epoch` is 0, and must be 1 to 2^32; for example: epoch = 7");
        insta::assert_snapshot!(shown(&format!("{GOOD}modell = 1\n")), @r#"`recipe.toml`, line 5: `modell`: unknown field `modell`, expected one of `bundle`, `epoch`, `version`, `product`, `binary`, `install_sh`, `readme`, `model`, `image`, `document`, `sbom`, `cargo_lock`; for example: bundle = "acme-2026.11-a""#);
        insta::assert_snapshot!(shown(&GOOD.replace("binary = 'bin'\n", "")), @r#"`recipe.toml`: missing field `binary`; for example: binary = "target/release/maas-appliance""#);
        insta::assert_snapshot!(shown(&GOOD.replace("acme-1", "../x")), @r#"`recipe.toml`, line 1: `bundle`: `../x` is not a valid bundle id (want 1 to 48 letters, digits, `.`, `_` or `-`, a letter or digit first); for example: bundle = "acme-2026.11-a""#);
        insta::assert_snapshot!(shown(&format!("{GOOD}[[image]]\nname = 'a'\nreference = 'r'\n")), @r#"`recipe.toml`, line 5: missing field `source`; for example: source = "images/vllm-openai.tar""#);
    }
}
