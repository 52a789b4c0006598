//! `bundle …`: build, sign, copy, inspect, verify.

mod bootstrap;
pub(super) mod text;

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{
    Expired, Fingerprint, Floors, Media, Metadata, Order, Recipe, RootFile, Sink, Spread, Trust,
    TrustedRoot, bundles_on, verify_contents, verify_metadata,
};
use maas_store::{MediaFolder, SinkFolder, TrustDb};
use maas_types::{BundleId, Exit, Layout};
use serde::Serialize;

use super::{
    install::{as_media, bundle_id, open_media, trusted},
    key,
    progress::Shown,
};
use crate::{
    cli::{BundleCommand, PassphraseArgs},
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Does what `bundle …` says.
pub(super) fn run(command: BundleCommand, layout: &Layout) -> CommandResult {
    match command {
        BundleCommand::Build {
            recipe,
            out,
            trust_roots,
        } => build(&recipe, &out, trust_roots),
        BundleCommand::Sign {
            bundle,
            key,
            passphrase,
            merge,
        } => sign(&bundle, key.as_deref(), &passphrase, &merge),
        BundleCommand::Copy { bundle, to } => copy(&bundle, &to),
        BundleCommand::Inspect { media, json } => inspect(&media, json.format()),
        BundleCommand::Verify {
            media,
            bundle,
            trust_root,
            fingerprint,
            json,
        } => {
            let media = open_media(&media)?;
            let id = bundle_id(bundle.as_deref())?;
            let own = trust_root.zip(fingerprint);
            verify(layout, &as_media(&media), id.as_ref(), own, json.format())
        }
    }
}

fn build(recipe_file: &Utf8Path, out: &Utf8Path, roots: Vec<Utf8PathBuf>) -> CommandResult {
    if out.exists() && out.read_dir_utf8()?.next().is_some() {
        return Err(CommandError::usage(format!("{out} is not empty"))
            .hint("a bundle is built into a folder of its own"));
    }
    let recipe = Recipe::parse(&fs_err::read_to_string(recipe_file)?, recipe_file)?;
    let roots = chain(roots)?;
    let folder = match recipe_file.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    };
    let source = bootstrap::Source::over(folder);
    let recipe = bootstrap::complete(recipe);
    let shown = Shown::default();
    let order = Order {
        recipe: &recipe,
        source: &source,
        roots: &roots,
        now: clock::now(),
        progress: &shown,
    };
    // The folder appears with the first byte, so a recipe that cannot be built leaves none.
    let mut sink = LazyFolder::new(out);
    let built = maas_bundle::build(&order, &mut sink)?;
    shown.end();
    for file in &built.left_out {
        output::words(&format!("left out: {file} (its name begins with a dot)"));
    }
    output::words(&text::built(&built));
    output::words(&text::progress(&built.metadata));
    output::words(&format!("Next: maas-appliance bundle sign {out} --key KEY"));
    Ok(Exit::Done)
}

/// The named roots, or those in this folder from version 1 on.
fn chain(named: Vec<Utf8PathBuf>) -> Result<Vec<RootFile>, CommandError> {
    let files = if named.is_empty() {
        let versions = (1..).map(|version| Utf8PathBuf::from(format!("{version}.root.json")));
        let mut files: Vec<_> = versions.take_while(|file| file.exists()).collect();
        if files.is_empty() {
            files.push("1.root.json".into());
        }
        files
    } else {
        named
    };
    files
        .iter()
        .map(|file| Ok(RootFile::parse(&fs_err::read(file)?)?))
        .collect()
}

/// A sink that makes its folder when the first file is written.
struct LazyFolder {
    folder: Utf8PathBuf,
    sink: Option<SinkFolder>,
}

impl LazyFolder {
    fn new(folder: &Utf8Path) -> Self {
        Self {
            folder: folder.to_owned(),
            sink: None,
        }
    }

    fn sink(&mut self) -> Result<&mut SinkFolder, maas_bundle::MediaError> {
        match &mut self.sink {
            Some(sink) => Ok(sink),
            empty => Ok(empty.insert(SinkFolder::create(&self.folder)?)),
        }
    }
}

impl Sink for LazyFolder {
    fn label(&self) -> &str {
        self.folder.as_str()
    }

    fn create(
        &mut self,
        path: &maas_bundle::MediaPath,
    ) -> Result<Box<dyn maas_bundle::SinkFile + '_>, maas_bundle::MediaError> {
        self.sink()?.create(path)
    }

    fn replace(
        &mut self,
        path: &maas_bundle::MediaPath,
        bytes: &[u8],
    ) -> Result<(), maas_bundle::MediaError> {
        self.sink()?.replace(path, bytes)
    }
}

fn sign(
    folder: &Utf8Path,
    key: Option<&Utf8Path>,
    passphrase: &PassphraseArgs,
    merge: &[Utf8PathBuf],
) -> CommandResult {
    let media = MediaFolder::open(folder)?;
    let id = only_bundle(&media)?;
    let mut metadata = Metadata::read(&media, &id)?;
    for other in merge {
        let added = metadata.merge(&Metadata::read(&MediaFolder::open(other)?, &id)?)?;
        output::words(&format!("{added} signature(s) taken over from {other}"));
    }
    if let Some(path) = key {
        let key = key::open(path, passphrase)?;
        let signed = metadata.sign(&key)?;
        let who = key.public().id().short();
        if signed.is_empty() {
            output::words(&format!(
                "Key {who} had signed {id} before; nothing changed."
            ));
        } else {
            output::words(&format!(
                "Key {who} has signed {} file(s) of {id}.",
                signed.len()
            ));
        }
    }
    metadata.write(&mut SinkFolder::create(folder)?)?;
    output::words(&text::progress(&metadata));
    Ok(Exit::Done)
}

fn only_bundle(media: &dyn Media) -> Result<BundleId, CommandError> {
    let mut bundles = bundles_on(media)?;
    match (bundles.pop(), bundles.is_empty()) {
        (Some(bundle), true) => Ok(bundle),
        (None, _) => Err(CommandError::new(
            Exit::NotFound,
            format!("there is no bundle in {}", media.label()),
        )),
        (Some(_), false) => Err(CommandError::usage(format!(
            "there are several bundles in {}; sign one at a time",
            media.label()
        ))),
    }
}

fn copy(bundle: &Utf8Path, to: &[Utf8PathBuf]) -> CommandResult {
    let from = MediaFolder::open(bundle)?;
    let mut sinks = to
        .iter()
        .map(|folder| SinkFolder::create(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sinks: Vec<&mut dyn Sink> =
        sinks.iter_mut().map(|sink| sink as &mut dyn Sink).collect();
    let shown = Shown::default();
    let labels = maas_bundle::copy(&[&from], None, &mut sinks, &Spread::Evenly, &shown)?;
    shown.end();
    for (label, folder) in labels.iter().zip(to) {
        output::words(&format!("{folder}: write on the stick: {label}"));
    }
    Ok(Exit::Done)
}

fn inspect(media: &[Utf8PathBuf], format: Format) -> CommandResult {
    let folders = open_media(media)?;
    let inspection = maas_bundle::inspect(&as_media(&folders), None)?;
    match format {
        Format::Json => output::json(&inspection)?,
        Format::Text => output::data(&text::inspection(&inspection)),
    }
    Ok(Exit::Done)
}

#[derive(Debug, Serialize)]
struct Verification<'a> {
    schema: &'static str,
    bundle: &'a BundleId,
    epoch: u64,
    bill_digest: String,
    good: bool,
    #[serde(flatten)]
    report: &'a maas_bundle::Report,
}

fn verify(
    layout: &Layout,
    media: &[&dyn Media],
    id: Option<&BundleId>,
    own: Option<(Utf8PathBuf, String)>,
    format: Format,
) -> CommandResult {
    let (root, floors) = if let Some((file, fingerprint)) = own {
        let expected: Fingerprint = fingerprint
            .parse()
            .map_err(|e: maas_bundle::FingerprintError| CommandError::usage(e.to_string()))?;
        (
            TrustedRoot::pin(&fs_err::read(file)?, &expected)?,
            Floors::default(),
        )
    } else {
        let db = TrustDb::read(layout)?;
        let floors = db
            .as_ref()
            .map(TrustDb::floors)
            .transpose()?
            .unwrap_or_default();
        (trusted(db.as_ref())?.root, floors)
    };
    let refuse = Expired::Refuse;
    let trust = Trust {
        root: &root,
        floors: &floors,
        now: clock::now(),
        expired: &refuse,
    };
    let bundle = verify_metadata(media, id, &trust)?;
    let shown = Shown::default();
    let report = verify_contents(&bundle, media, &shown);
    shown.end();
    let verification = Verification {
        schema: "maas-appliance/bundle-verify/v1",
        bundle: &bundle.bill().bundle,
        epoch: bundle.bill().epoch,
        bill_digest: bundle.bill_digest().to_string(),
        good: report.is_good(),
        report: &report,
    };
    match format {
        Format::Json => output::json(&verification)?,
        Format::Text => output::data(&text::verification(&bundle, media, &report)),
    }
    Ok(report.exit())
}
