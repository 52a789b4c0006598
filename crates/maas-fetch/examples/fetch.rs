//! Fetches from the command line, for `tests/scripts/real-registry.sh` and for trying things out.
//!
//! `fetch image REFERENCE FOLDER [USER PASSWORD]` and `fetch model REPOSITORY REVISION FOLDER [ENDPOINT]`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example speaks to a terminal"
)]

use std::{error::Error, process::ExitCode};

use camino::Utf8Path;
use maas_fetch::{
    Credentials, FetchError, Hub, ImageRequest, ModelRequest, Note, PlainHttp, Progress, Registry,
    Roots, Secret, Selection, Tags, Wire,
};
use maas_types::{ByteSize, Exit};

struct Terminal;

impl Progress for Terminal {
    fn start(&self, what: &str, total: u64) {
        eprintln!("{what}: {}", ByteSize(total));
    }

    fn advance(&self, _bytes: u64) {}

    fn note(&self, note: &Note<'_>) {
        eprintln!("{note}");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["image", reference, into] => image(reference, into, None).await,
        ["image", reference, into, user, password] => {
            let credentials = Credentials {
                user: (*user).to_owned(),
                password: Secret::new(*password),
            };
            image(reference, into, Some(credentials)).await
        }
        ["model", repo, revision, into] => model(repo, revision, into, None).await,
        ["model", repo, revision, into, endpoint] => {
            model(repo, revision, into, Some(endpoint)).await
        }
        _ => {
            eprintln!("fetch image REFERENCE FOLDER [USER PASSWORD]");
            eprintln!("fetch model REPOSITORY REVISION FOLDER [ENDPOINT]");
            return ExitCode::from(Exit::Usage.code());
        }
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    eprintln!("Error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("Caused by: {cause}");
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        eprintln!("Hint: {hint}");
    }
    ExitCode::from(error.exit().code())
}

fn wire() -> Result<Wire, FetchError> {
    Wire::new(PlainHttp::LoopbackOnly, &Roots::System).map_err(FetchError::from)
}

async fn image(
    reference: &str,
    into: &str,
    credentials: Option<Credentials>,
) -> Result<(), FetchError> {
    let request = ImageRequest {
        reference: reference.parse()?,
        credentials,
        tags: Tags::Resolve,
    };
    let registry = Registry::new(wire()?);
    let image = registry
        .fetch_image(&request, Utf8Path::new(into), &Terminal)
        .await?;
    println!("reference {}", image.reference);
    if let Some(index) = image.index_digest {
        println!("index {index}");
    }
    println!("manifest {}", image.manifest_digest);
    for (of, signatures) in [
        ("manifest", &image.signatures),
        ("index", &image.index_signatures),
    ] {
        if let Some(simple) = signatures.simple {
            println!("signature of {of} {simple}");
        }
        for bundle in &signatures.bundles {
            println!("bundle for {of} {bundle}");
        }
    }
    println!(
        "downloaded {} reused {}",
        image.bytes_downloaded, image.bytes_reused
    );
    Ok(())
}

async fn model(
    repo: &str,
    revision: &str,
    into: &str,
    endpoint: Option<&str>,
) -> Result<(), FetchError> {
    let hub = match endpoint {
        Some(endpoint) => Hub::at(wire()?, endpoint.parse()?, None),
        None => Hub::new(wire()?, None),
    };
    let request = ModelRequest {
        repo: repo.parse()?,
        revision: revision.to_owned(),
        selection: Selection::default(),
    };
    let model = hub
        .fetch_model(&request, Utf8Path::new(into), &Terminal)
        .await?;
    println!("commit {}", model.commit);
    for file in &model.files {
        println!("{} {} {}", file.sha256.hex(), file.size, file.path);
    }
    println!(
        "downloaded {} reused {}",
        model.bytes_downloaded, model.bytes_reused
    );
    Ok(())
}
