//! A small signed bundle for the tests of every crate that reads one.
//!
//! It is a real bundle, built, signed and copied by the code of this crate: two models' worth of
//! road in some kilobytes. Its three keys are made of constant bytes, so that every sample has the
//! same root: a later epoch is an upgrade of an earlier one. Never trust this root anywhere else.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maas_types::{BundleId, PART_BYTES};
use zeroize::Zeroizing;

use crate::{
    Algorithm, Bundle, Expired, Floors, Media, MemoryMedia, Order, PrivateKey, Recipe, RootFile,
    Silent, Sink, Spread, Trust, TrustError, TrustedRoot, Verified, build::build_with,
    copy::copy_with, verify::verify_with,
};

mod forge;
mod image;

/// When samples are built and signed: 2026-11-22T12:00:00Z.
const NOW: i64 = 1_795_348_800;

const MANIFEST: &str = "name = 'tiny'\ntitle = 'A tiny model'\nlicence = 'Apache-2.0'\ntask = 'generate'\ncontext = 2048\n[engine]\nargs = ['--enforce-eager']\n";

/// A safetensors file with one tensor of two 32-bit floats.
const WEIGHTS: &[u8] = b"\x40\0\0\0\0\0\0\0{\"weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}     \0\0\x80\x3f\0\0\0\x40";

/// A signed bundle on memory volumes, and what a host needs to believe it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its volumes.
    pub media: Vec<MemoryMedia>,
    /// Its root, trusted: two of three keys must sign.
    pub root: TrustedRoot,
    /// The three keys. The first two have signed.
    pub keys: Vec<PrivateKey>,
    /// Its id: `sample-<epoch>`.
    pub bundle: BundleId,
    /// When it was built and signed.
    pub now: Timestamp,
    pub(crate) part_bytes: u64,
}

impl Sample {
    /// One volume with the model `tiny` (config, tokenizer, weights), the image `engine`, and
    /// `install.sh`, `maas-appliance` and `README.txt` beside them.
    pub fn new(epoch: u64) -> Result<Self, TrustError> {
        Self::on_volumes(epoch, 1)
    }

    /// The same on so many volumes, at most as many as it has objects (9).
    pub fn on_volumes(epoch: u64, volumes: u32) -> Result<Self, TrustError> {
        Self::assemble(epoch, volumes, PART_BYTES, &Self::inputs(), Self::key)
    }

    /// One volume as of [`Sample::new`], with keys of another algorithm.
    pub fn signed_with(epoch: u64, algorithm: Algorithm) -> Result<Self, TrustError> {
        let key = |byte| PrivateKey::generate(algorithm, Zeroizing::new([byte; 32]));
        Self::assemble(epoch, 1, PART_BYTES, &Self::inputs(), key)
    }

    /// The sample's volumes as verification takes them.
    pub fn volumes(&self) -> Vec<&dyn Media> {
        self.media.iter().map(|media| media as &dyn Media).collect()
    }

    /// Verifies its metadata against its own root, with no floors.
    pub fn verified(&self) -> Result<Verified<Bundle>, TrustError> {
        self.verified_above(&Floors::default())
    }

    /// Verifies its metadata against its own root, with these floors.
    pub fn verified_above(&self, floors: &Floors) -> Result<Verified<Bundle>, TrustError> {
        let trust = Trust {
            root: &self.root,
            floors,
            now: self.now,
            expired: &Expired::Refuse,
        };
        verify_with(&self.volumes(), None, &trust, self.part_bytes)
    }

    /// The inputs that the sample is built from.
    pub fn inputs() -> MemoryMedia {
        let inputs = MemoryMedia::new("inputs")
            .with("maas-appliance", &b"\x7fELF not really\n"[..])
            .with(
                "install.sh",
                &b"#!/bin/sh\nexec ./maas-appliance install --media .\n"[..],
            )
            .with(
                "README.txt",
                &b"A sample bundle. It holds nothing of use.\n"[..],
            )
            .with("tiny.toml", MANIFEST.as_bytes())
            .with("tiny/config.json", &b"{\"model_type\": \"tiny\"}\n"[..])
            .with(
                "tiny/tokenizer/tokenizer.json",
                &b"{\"version\": \"1.0\"}\n"[..],
            )
            .with("tiny/model.safetensors", WEIGHTS);
        image::add_layout(inputs, "engine")
    }

    /// The recipe of the sample of that epoch.
    pub fn recipe(epoch: u64) -> String {
        format!(
            "bundle = 'sample-{epoch}'\nepoch = {epoch}\nversion = '{epoch}.0.0'\nsbom = false\n\
             binary = 'maas-appliance'\ninstall_sh = 'install.sh'\nreadme = 'README.txt'\n\
             [[model]]\nmanifest = 'tiny.toml'\nfolder = 'tiny'\n\
             [[image]]\nname = 'engine'\nreference = 'example.org/engine:1'\nsource = 'engine'\n"
        )
    }

    /// The key made of 32 times this byte.
    pub fn key(byte: u8) -> PrivateKey {
        PrivateKey::generate(Algorithm::Ed25519, Zeroizing::new([byte; 32]))
    }

    pub(crate) fn assemble(
        epoch: u64,
        volumes: u32,
        part_bytes: u64,
        inputs: &MemoryMedia,
        key: impl Fn(u8) -> PrivateKey,
    ) -> Result<Self, TrustError> {
        let now = Timestamp::from_second(NOW).expect("the constant is a time");
        let keys: Vec<_> = (1..=3).map(key).collect();
        let publics: Vec<_> = keys.iter().map(|key| *key.public()).collect();
        let mut root = RootFile::init(&publics, 2, now).expect("2 of 3 different keys");
        for key in &keys[..2] {
            root.sign(key, None).expect("the key is listed");
        }
        let recipe = Recipe::parse(&Self::recipe(epoch), "sample.toml".into())
            .expect("the recipe of a sample is valid for epochs from 1 to 2^32");
        let order = Order {
            have: &BTreeSet::new(),
            model_key: None,
            recipe: &recipe,
            source: inputs,
            roots: std::slice::from_ref(&root),
            now,
            progress: &Silent,
        };
        let mut built = MemoryMedia::new("built");
        let mut done = build_with(&order, &mut built, part_bytes).expect("the inputs are there");
        for key in &keys[..2] {
            done.metadata.sign(key).expect("the key is listed");
        }
        done.metadata
            .write(&mut built)
            .expect("memory can be written");
        let media = if volumes == 1 {
            built.relabel("stick-1");
            vec![built]
        } else {
            spread(&built, volumes, part_bytes)
        };
        Ok(Self {
            media,
            root: TrustedRoot::from_store(&root.bytes())?,
            keys,
            bundle: recipe.bundle,
            now,
            part_bytes,
        })
    }
}

fn spread(built: &MemoryMedia, volumes: u32, part_bytes: u64) -> Vec<MemoryMedia> {
    let mut media: Vec<_> = (1..=volumes)
        .map(|volume| MemoryMedia::new(format!("stick-{volume}")))
        .collect();
    let mut sinks: Vec<_> = media
        .iter_mut()
        .map(|media| media as &mut dyn Sink)
        .collect();
    copy_with(&[built], &mut sinks, &Spread::Evenly, part_bytes)
        .expect("a sample has an object for each volume");
    media
}
