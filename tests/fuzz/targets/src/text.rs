//! What people write or type: keys, recipes, manifests, fingerprints.

use std::collections::BTreeSet;

use camino::Utf8Path;
use maas_bundle::{
    Fingerprint, KeyError, PrivateKey, PublicKey, Recipe, RecipeError, RootFile,
    parse_model_manifest,
};

use crate::SAMPLE;

/// A key that is read is written and read again as the same key; a private one signs for its public
/// half, and an encrypted one asks for its passphrase.
pub fn keys(data: &[u8]) {
    let Ok(pem) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = PublicKey::from_pem(pem) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        assert!(!pem.contains("PRIVATE KEY-----"));
        let _ = RootFile::init(&[key], 1, SAMPLE.now).expect("one key, one signature");
    }
    match PrivateKey::open(pem, None) {
        Ok(key) => {
            let again = PrivateKey::open(&key.unsafe_to_plain_pem(), Some("not looked at"));
            assert_eq!(again.map(|key| *key.public()).ok(), Some(*key.public()));
            let public = PublicKey::from_pem(&key.public().to_pem());
            assert_eq!(public.as_ref(), Ok(key.public()));
            let mut root = RootFile::init(&[*key.public()], 1, SAMPLE.now).expect("one key");
            assert!(root.sign(&key, None).expect("it is listed"));
            assert!(
                root.status().is_complete(),
                "a key does not sign for its public half"
            );
        }
        Err(error) => {
            assert!(error != KeyError::NeedsPassphrase || pem.contains("ENCRYPTED PRIVATE KEY"));
        }
    }
}

/// A recipe that is accepted has a possible epoch and no image twice; what is refused names a line
/// that is there.
pub fn recipe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Recipe::parse(text, Utf8Path::new("recipe.toml")) {
        Ok(recipe) => {
            assert!((1..=1 << 32).contains(&recipe.epoch));
            assert!(!recipe.version.is_empty() && !recipe.version.chars().any(char::is_control));
            let mut names = BTreeSet::new();
            for image in &recipe.images {
                assert!(
                    names.insert(image.name.as_str().to_lowercase()),
                    "{}",
                    image.name
                );
            }
        }
        Err(error) => is_helpful(&error, text),
    }
}

/// A manifest that is accepted is written and read again as the same manifest.
pub fn model_manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parse = |text: &str| parse_model_manifest(text, Utf8Path::new("tiny.toml"));
    match parse(text) {
        Ok(manifest) => {
            if let Ok(written) = toml::to_string(&manifest) {
                assert_eq!(parse(&written).as_ref(), Ok(&manifest));
            }
            let json = serde_json::to_vec(&manifest).expect("a bill can hold it");
            assert_eq!(serde_json::from_slice(&json).ok(), Some(manifest));
        }
        Err(error) => is_helpful(&error, text),
    }
}

fn is_helpful(error: &RecipeError, text: &str) {
    if let Some(line) = error.line {
        assert!(
            (1..=text.matches('\n').count() + 1).contains(&line),
            "{error}"
        );
    }
    assert!(!error.what.is_empty() && !error.example.is_empty());
}

/// What is taken for a fingerprint has its 64 digits in their order and nothing but what is printed
/// between them.
pub fn fingerprint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(fingerprint) = text.parse::<Fingerprint>() else {
        return;
    };
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    assert_eq!(fingerprint.words().split(' ').count(), 8);
    let text = text.trim();
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
    assert_eq!(digits.to_lowercase(), fingerprint.digest().hex());
    let between = |c: char| c.is_ascii_hexdigit() || " :-\nsha256".contains(c);
    assert!(text.chars().all(between), "{text}");
}
