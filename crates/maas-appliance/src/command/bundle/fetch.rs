//! `bundle fetch …`: models and images from the network into folders that a recipe names. This and nothing
//! else in this program asks a network for anything, and no host runs it.

use camino::Utf8Path;
use maas_fetch::{
    Address, Credentials, Hub, ImageRequest, ModelRequest, Note, Pattern, PlainHttp, Registry,
    RepoId, Roots, Secret, Selection, Tags, Weights, Wire,
};
use maas_types::{ByteSize, Exit};

use crate::{
    cli::{FetchCommand, FetchImageArgs, FetchModelArgs, WireArgs},
    command::progress::Shown,
    error::{CommandError, CommandResult},
    output,
};

/// Fetches a model or an image.
pub(super) async fn run(command: FetchCommand) -> CommandResult {
    match command {
        FetchCommand::Model(args) => model(&args).await,
        FetchCommand::Image(args) => image(&args).await,
    }
}

async fn model(args: &FetchModelArgs) -> CommandResult {
    let usage = |error: &dyn std::fmt::Display| CommandError::usage(error.to_string());
    let repo: RepoId = args.repository.parse().map_err(|e| usage(&e))?;
    let patterns = |texts: &[String]| -> Result<Vec<Pattern>, CommandError> {
        let parsed = texts.iter().map(|text| text.parse::<Pattern>());
        parsed.map(|p| p.map_err(|e| usage(&e))).collect()
    };
    let request = ModelRequest {
        repo,
        revision: args.revision.clone(),
        selection: Selection {
            include: patterns(&args.include)?,
            exclude: patterns(&args.exclude)?,
            weights: if args.all_weights {
                Weights::All
            } else {
                Weights::SafetensorsFirst
            },
        },
    };
    let token = args.token_file.as_deref().map(secret).transpose()?;
    let wire = wire(&args.wire)?;
    let hub = match &args.endpoint {
        Some(endpoint) => {
            let endpoint: Address = endpoint.parse().map_err(|e| usage(&e))?;
            Hub::at(wire, endpoint, token)
        }
        None => Hub::new(wire, token),
    };
    let told = Told::default();
    let fetched = hub.fetch_model(&request, &args.to, &told).await?;
    told.0.end();
    for stranger in &fetched.strangers {
        output::words(&format!(
            "note: {stranger} lies there too and would be shipped; remove it if it should not be"
        ));
    }
    output::words(&format!(
        "{} files of {} at {} in {}: {} came, {} were there.",
        fetched.files.len(),
        args.repository,
        fetched.commit,
        args.to,
        ByteSize(fetched.bytes_downloaded),
        ByteSize(fetched.bytes_reused)
    ));
    output::words(&format!(
        "In the recipe: folder = \"{}\"; in the model's manifest: origin = \"{}@{}\"",
        args.to, args.repository, fetched.commit
    ));
    Ok(Exit::Done)
}

async fn image(args: &FetchImageArgs) -> CommandResult {
    let usage = |error: maas_fetch::ReferenceError| CommandError::usage(error.to_string());
    let credentials = match (&args.user, &args.password_file) {
        (Some(user), Some(file)) => Some(Credentials {
            user: user.clone(),
            password: secret(file)?,
        }),
        _ => None,
    };
    let request = ImageRequest {
        reference: args.reference.parse().map_err(usage)?,
        credentials,
        tags: if args.require_digest {
            Tags::Refuse
        } else {
            Tags::Resolve
        },
    };
    let told = Told::default();
    let registry = Registry::new(wire(&args.wire)?);
    let fetched = registry.fetch_image(&request, &args.to, &told).await?;
    told.0.end();
    let signatures = [&fetched.signatures, &fetched.index_signatures];
    let count = |s: &maas_fetch::Signatures| usize::from(s.simple.is_some()) + s.bundles.len();
    let signatures: usize = signatures.into_iter().map(count).sum();
    output::words(&format!(
        "{} is {} for linux/amd64 in {}, with {signatures} signature(s): {} came, {} were there.",
        fetched.reference,
        fetched.manifest_digest,
        args.to,
        ByteSize(fetched.bytes_downloaded),
        ByteSize(fetched.bytes_reused)
    ));
    output::words(&format!(
        "In the recipe: reference = \"{}\", source = \"{}\"{}",
        fetched.reference,
        args.to,
        if signatures > 0 {
            ", signer = \"cosign.pub\""
        } else {
            ""
        }
    ));
    Ok(Exit::Done)
}

fn wire(args: &WireArgs) -> Result<Wire, CommandError> {
    let plain = if args.insecure {
        PlainHttp::InsecureAnywhere
    } else {
        PlainHttp::LoopbackOnly
    };
    let roots = match &args.ca {
        Some(file) => Roots::Pem(fs_err::read(file)?),
        None => Roots::System,
    };
    Ok(Wire::new(plain, &roots).map_err(maas_fetch::FetchError::from)?)
}

/// The first line of a file: never from the command line, which other users can read.
fn secret(file: &Utf8Path) -> Result<Secret, CommandError> {
    let text = zeroize::Zeroizing::new(fs_err::read_to_string(file)?);
    Ok(Secret::new(text.lines().next().unwrap_or_default().trim()))
}

/// A download as people see it.
#[derive(Default)]
struct Told(Shown);

impl maas_fetch::Progress for Told {
    fn start(&self, _what: &str, total: u64) {
        self.0.begin("fetch", total);
    }

    fn advance(&self, bytes: u64) {
        self.0.add(bytes);
    }

    fn note(&self, note: &Note<'_>) {
        output::words(&note.to_string());
    }
}
