//! `bundle build`.

use camino::{Utf8Path, Utf8PathBuf};
use maas_attest::SigningKey;
use maas_bundle::{Order, Recipe, RootFile, Sink};
use maas_store::SinkFolder;
use maas_types::{ByteSize, Exit};
use zeroize::Zeroizing;

use super::{bootstrap, text};
use crate::{
    cli::{BuildArgs, PassphraseArgs},
    clock,
    command::{
        inventory,
        passphrase::{self, Purpose},
        progress::Shown,
    },
    error::{CommandError, CommandResult},
    output,
};

/// Builds the recipe's bundle into `args.out`.
pub(super) fn run(args: BuildArgs) -> CommandResult {
    let (recipe_file, out) = (&args.recipe, &args.out);
    if out.exists() && out.read_dir_utf8()?.next().is_some() {
        return Err(CommandError::usage(format!("{out} is not empty"))
            .hint("a bundle is built into a folder of its own"));
    }
    let recipe = Recipe::parse(&fs_err::read_to_string(recipe_file)?, recipe_file)?;
    let roots = chain(args.trust_roots)?;
    let have = inventory::have(args.have.as_deref())?;
    let model_key = match &args.model_key {
        Some(path) => Some(signing_key(path, &args.passphrase)?),
        None => None,
    };
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
        have: &have,
        model_key: model_key.as_ref(),
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
    let listed = built.bill.total_bytes();
    if !have.is_empty() {
        let left_out = listed.saturating_sub(built.carried);
        output::words(&format!(
            "A delta: {} are left out because the host has them. Copies of it are deltas too.",
            ByteSize(left_out)
        ));
    }
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

/// The key that signs models (PKCS #8 PEM, P-256).
fn signing_key(path: &Utf8Path, passphrase: &PassphraseArgs) -> Result<SigningKey, CommandError> {
    let pem = Zeroizing::new(fs_err::read_to_string(path)?);
    let opened = if pem.contains("ENCRYPTED") {
        let passphrase = passphrase::read(passphrase, path, Purpose::Open)?;
        SigningKey::from_pem(&pem, Some(&passphrase))
    } else {
        SigningKey::from_pem(&pem, None)
    };
    opened.map_err(|error| {
        CommandError::new(error.exit(), format!("{path}: {error}")).hint(
            "models are signed with P-256: maas-appliance key gen --algorithm p256 --out FILE",
        )
    })
}
