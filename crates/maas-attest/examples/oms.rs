//! Signs and verifies a folder as a model, for trying this crate against other implementations.
//! `tests/scripts/model-signing-interop.sh` does. Not for production: it reads whole files.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::{error::Error, io::Read, process::ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser, ValueEnum};
use fs_err as fs;
use maas_attest::{
    PublicKey, SigningKey,
    oms::{self, Method, ModelTrust, SHARD_BYTES, ShippedFiles, SignedFile},
};
use maas_types::Digest;
use sha2::{Digest as _, Sha256};

#[derive(Parser)]
enum Command {
    /// Verify a model against its signature
    Verify(Verify),
    /// Sign a model with a key
    Sign(Sign),
}

#[derive(Args)]
struct Verify {
    #[arg(long)]
    signature: Utf8PathBuf,
    /// PEM file of the trusted public key
    #[arg(long, conflicts_with = "roots", required_unless_present = "roots")]
    key: Option<Utf8PathBuf>,
    /// PEM files of trusted authorities
    #[arg(long = "root", id = "roots", requires = "identity")]
    roots: Vec<Utf8PathBuf>,
    /// The name in the signer's certificate
    #[arg(long)]
    identity: Option<String>,
    /// The time of the check, such as 2026-01-31T00:00:00Z
    #[arg(long)]
    now: jiff::Timestamp,
    model: Utf8PathBuf,
}

#[derive(Args)]
struct Sign {
    #[arg(long)]
    signature: Utf8PathBuf,
    /// PEM file of the private key
    #[arg(long)]
    key: Utf8PathBuf,
    #[arg(long, default_value = "files")]
    method: HowSigned,
    model: Utf8PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum HowSigned {
    Files,
    Shards,
}

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Verify(arguments) => verify(&arguments),
        Command::Sign(arguments) => sign(&arguments),
    };
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("error: {text}");
    let exit = error.downcast_ref::<oms::OmsError>();
    exit.map_or(ExitCode::FAILURE, |error| error.exit().code().into())
}

fn verify(arguments: &Verify) -> Result<(), Failure> {
    let trust = match &arguments.key {
        Some(file) => ModelTrust::Key(PublicKey::from_pem(&fs::read_to_string(file)?)?),
        None => ModelTrust::Certificate {
            roots: arguments.roots.iter().map(root).collect::<Result<_, _>>()?,
            identity: arguments.identity.clone().unwrap_or_default(),
        },
    };
    let files = read(&arguments.model)?;
    let files: Vec<_> = files.iter().map(ReadFile::signed).collect();
    let itself = arguments.signature.strip_prefix(&arguments.model).ok();
    let shipped = ShippedFiles {
        files: &files,
        signature: itself.map(Utf8Path::as_str),
    };
    let signature = fs::read(&arguments.signature)?;
    let good = oms::verify(&signature, &trust, &shipped, arguments.now)?;
    println!(
        "good: `{}`, {} signed as {:?}, by {:?}",
        good.model(),
        good.resources(),
        good.method(),
        good.signer()
    );
    Ok(())
}

fn root(file: &Utf8PathBuf) -> Result<Vec<u8>, Failure> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(&fs::read(file)?)?;
    Ok(pem.contents)
}

fn sign(arguments: &Sign) -> Result<(), Failure> {
    let key = SigningKey::from_pem(&fs::read_to_string(&arguments.key)?, None)?;
    let files = read(&arguments.model)?;
    let files: Vec<_> = files.iter().map(ReadFile::signed).collect();
    let method = match arguments.method {
        HowSigned::Files => Method::Files,
        HowSigned::Shards => Method::Shards,
    };
    let name = arguments.model.file_name().unwrap_or("model");
    fs::write(&arguments.signature, oms::sign(name, &files, method, &key)?)?;
    println!("signed: `{name}`, {} files as {method:?}", files.len());
    Ok(())
}

/// A file with its digests.
struct ReadFile {
    path: String,
    size: u64,
    sha256: Digest,
    parts: Vec<(Digest, u64)>,
}

impl ReadFile {
    fn signed(&self) -> SignedFile<'_> {
        SignedFile {
            path: &self.path,
            size: self.size,
            sha256: self.sha256,
            parts: &self.parts,
        }
    }
}

/// Every file below a folder.
fn read(model: &Utf8Path) -> Result<Vec<ReadFile>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![model.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = Utf8PathBuf::try_from(entry?.path())?;
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(hash(model, &path)?);
            }
        }
    }
    Ok(found)
}

fn hash(model: &Utf8Path, path: &Utf8Path) -> Result<ReadFile, Failure> {
    let mut file = fs::File::open(path)?;
    let (mut whole, mut size, mut parts) = (Sha256::new(), 0, Vec::new());
    loop {
        let mut bytes = Vec::new();
        let length = file.by_ref().take(SHARD_BYTES).read_to_end(&mut bytes)? as u64;
        if length == 0 {
            break;
        }
        whole.update(&bytes);
        size += length;
        parts.push((digest(Sha256::digest(&bytes).into()), length));
    }
    Ok(ReadFile {
        path: path.strip_prefix(model)?.to_string(),
        size,
        sha256: digest(whole.finalize().into()),
        parts: if size > SHARD_BYTES {
            parts
        } else {
            Vec::new()
        },
    })
}

fn digest(bytes: [u8; 32]) -> Digest {
    Digest::from_bytes(bytes)
}
