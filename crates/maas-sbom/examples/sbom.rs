//! Writes bills of materials of files given on the command line, for `tests/scripts/sbom-schema.sh`.
//!
//! ```text
//! sbom binary CARGO_LOCK PACKAGE
//! sbom image NAME LAYER.tar …
//! sbom model MANIFEST.toml FOLDER
//! sbom show BOM.json
//! ```
//!
//! Digests are all zero but the model's files': they are the caller's to compute.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{error::Error, io::Write as _, process::ExitCode};

use fs_err as fs;
use jiff::Timestamp;
use maas_sbom::{
    Bom, Built, FileFact, ImageFacts, ImageScan, Measured, ModelFacts, binary, model, summary,
};
use maas_types::Digest;
use sha2::{Digest as _, Sha256};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["binary", lock, package] => of_binary(lock, package).and_then(|bom| write(&bom)),
        ["image", name, layers @ ..] => of_image(name, layers).and_then(|bom| write(&bom)),
        ["model", manifest, folder] => of_model(manifest, folder).and_then(|bom| write(&bom)),
        ["show", bom] => show(bom),
        _ => Err("usage: sbom binary|image|model|show …".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(bom: &Bom) -> Outcome {
    Ok(std::io::stdout().write_all(&bom.to_json())?)
}

fn of_binary(lock: &str, root_package: &str) -> Outcome<Bom> {
    let built = Built {
        root_package,
        digest: Digest::from_bytes([0; 32]),
        version: "0",
    };
    Ok(binary(
        &fs::read_to_string(lock)?,
        built,
        Timestamp::UNIX_EPOCH,
    )?)
}

fn of_image(name: &str, layers: &[&str]) -> Outcome<Bom> {
    let mut scan = ImageScan::new();
    for (at, layer) in layers.iter().enumerate() {
        let digest = Digest::from_bytes([u8::try_from(at)?; 32]);
        scan.layer(digest, fs::File::open(layer)?)?;
    }
    let facts = ImageFacts {
        name,
        reference: name,
        manifest: Digest::from_bytes([0; 32]),
    };
    Ok(scan.finish(facts, Timestamp::UNIX_EPOCH))
}

fn of_model(manifest: &str, folder: &str) -> Outcome<Bom> {
    let mut files = Vec::new();
    let mut measured = Measured::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let bytes = fs_err::read(entry.path())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") {
            measure(&bytes, &mut measured)?;
        }
        files.push(FileFact {
            path: name.parse()?,
            digest: Digest::from_bytes(Sha256::digest(&bytes).into()),
            size: bytes.len() as u64,
        });
    }
    let read = |name: &str| fs_err::read(format!("{folder}/{name}")).ok();
    let (config, readme) = (read("config.json"), read("README.md"));
    let manifest = toml::from_str(&fs::read_to_string(manifest)?)?;
    let facts = ModelFacts {
        manifest: &manifest,
        oci_manifest: Digest::from_bytes([0; 32]),
        files: &files,
        measured: Some(&measured),
        config: config.as_deref(),
        readme: readme.as_deref(),
        publisher: None,
        source: None,
    };
    Ok(model(&facts, Timestamp::UNIX_EPOCH))
}

/// The header of a safetensors file, unchecked: the bundle's builder has its own reader.
fn measure(bytes: &[u8], measured: &mut Measured) -> Outcome {
    let length = bytes
        .first_chunk()
        .map_or(0, |head| u64::from_le_bytes(*head));
    let header = bytes
        .get(8..)
        .and_then(|rest| rest.get(..usize::try_from(length).ok()?));
    let header: serde_json::Value = serde_json::from_slice(header.ok_or("no header")?)?;
    for (name, tensor) in header.as_object().ok_or("no object")? {
        if name == "__metadata__" {
            continue;
        }
        let numbers = |key: &str| -> Vec<u64> {
            let list = tensor[key].as_array().into_iter().flatten();
            list.filter_map(serde_json::Value::as_u64).collect()
        };
        let count: u64 = numbers("shape").iter().product();
        let offsets = numbers("data_offsets");
        let dtype = tensor["dtype"].as_str().ok_or("no dtype")?.to_owned();
        measured.parameters += count;
        *measured.dtypes.entry(dtype).or_default() += count;
        measured.bytes += offsets[1] - offsets[0];
    }
    Ok(())
}

fn show(bom: &str) -> Outcome {
    let summary = summary(&fs_err::read(bom)?)?;
    println!("{} items {:?}", summary.items.len(), summary.counts);
    for item in &summary.items {
        let version = item.version.as_deref().unwrap_or("-");
        println!(
            "{} {} {version} {}",
            item.kind,
            item.name,
            item.licences.join(", ")
        );
    }
    Ok(())
}
