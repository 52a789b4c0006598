//! Signatures of makers, and documents: what is built with them, and what is not built.

use maas_types::DocumentKind;

use super::*;
use crate::{Algorithm, Endorsement, Floors, PrivateKey, TrustedRoot, check_endorsements};

/// A P-256 key of the maker, not of a release.
fn maker(byte: u8) -> PrivateKey {
    PrivateKey::generate(Algorithm::EcdsaP256, [byte; 32].into())
}

fn signing(byte: u8) -> SigningKey {
    SigningKey::from_pem(&maker(byte).unsafe_to_plain_pem(), None).unwrap()
}

/// Builds the sample with more in its recipe, and answers what a host would find.
fn host_finds(
    inputs: &MemoryMedia,
    change: impl FnOnce(String) -> String,
    model_key: Option<&SigningKey>,
) -> Result<(BillOfLading, Vec<Endorsement>), BuildError> {
    let recipe = Recipe::parse(&change(Sample::recipe(7)), "sample.toml".into()).unwrap();
    let mut root = root();
    let order = Order {
        have: &BTreeSet::new(),
        model_key,
        recipe: &recipe,
        source: inputs,
        roots: &[root.clone()],
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        progress: &Silent,
    };
    let mut sink = MemoryMedia::new("stick-1");
    let mut built = build(&order, &mut sink)?;
    for byte in [1, 2] {
        root.sign(&Sample::key(byte), None).unwrap();
        built.metadata.sign(&Sample::key(byte)).unwrap();
    }
    built.metadata.write(&mut sink).unwrap();
    let sample = Sample {
        media: vec![sink],
        root: TrustedRoot::from_store(&root.bytes()).unwrap(),
        ..Sample::new(7).unwrap()
    };
    let bundle = sample.verified_above(&Floors::default()).unwrap();
    let report = crate::verify_contents(&bundle, &sample.volumes(), &Silent);
    assert!(report.is_good(), "{report:?}");
    let read = |digest: &Digest| {
        let path = MediaPath::blob(&sample.bundle, digest);
        let bytes = sample.media[0].bytes(path.as_str());
        bytes
            .map(<[u8]>::to_vec)
            .ok_or(io::ErrorKind::NotFound.into())
    };
    let good = check_endorsements(bundle.bill(), &read).unwrap();
    Ok((bundle.bill().clone(), good))
}

#[test]
fn a_model_that_nobody_has_signed_is_signed_when_it_is_built() {
    let (bill, good) = host_finds(&Sample::inputs(), |recipe| recipe, Some(&signing(3))).unwrap();
    assert_eq!(bill.critical, ["model-signatures"]);
    let [endorsement] = good.as_slice() else {
        panic!("{good:?}");
    };
    assert_eq!(endorsement.of, "tiny");
    let (_, none) = host_finds(&Sample::inputs(), |recipe| recipe, None).unwrap();
    assert!(none.is_empty());
}

/// The sample's model, signed by its maker as the builder would sign it, in a file beside it.
fn with_model_signature(byte: u8) -> MemoryMedia {
    let recipe = Recipe::parse(&Sample::recipe(7), "sample.toml".into()).unwrap();
    let order = Order {
        have: &BTreeSet::new(),
        model_key: Some(&signing(byte)),
        recipe: &recipe,
        source: &Sample::inputs(),
        roots: &[root()],
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        progress: &Silent,
    };
    let mut sink = MemoryMedia::new("out");
    let built = build(&order, &mut sink).unwrap();
    let signature = built.bill.models[0].signature.as_ref().unwrap().blob;
    let path = MediaPath::blob(&built.bill.bundle, &signature);
    let signature = sink.bytes(path.as_str()).unwrap().to_vec();
    let key = |byte| maker(byte).public().to_pem().into_bytes();
    Sample::inputs()
        .with("model.sig", signature)
        .with("maker.pub", key(3))
        .with("stranger.pub", key(4))
}

fn signed_by(key: &str) -> impl FnOnce(String) -> String {
    let lines = format!("folder = 'tiny'\nsignature = 'model.sig'\nsigner = {{ key = '{key}' }}\n");
    move |recipe| recipe.replace("folder = 'tiny'\n", &lines)
}

#[test]
fn a_makers_signature_travels_and_is_checked() {
    let (bill, good) = host_finds(&with_model_signature(3), signed_by("maker.pub"), None).unwrap();
    assert!(bill.models[0].signature.is_some());
    assert_eq!(good.len(), 1);
}

#[test]
fn a_model_of_another_maker_or_another_model_is_not_built() {
    let refused = |inputs: &MemoryMedia, key| host_finds(inputs, signed_by(key), None).unwrap_err();
    let stranger = refused(&with_model_signature(3), "stranger.pub");
    assert_eq!(stranger.exit(), Exit::Untrusted, "{stranger}");
    let changed =
        with_model_signature(3).with("tiny/config.json", &b"{\"model_type\": \"other\"}"[..]);
    let changed = refused(&changed, "maker.pub");
    assert_eq!(changed.exit(), Exit::Content, "{changed}");
    let more = with_model_signature(3).with("tiny/more.txt", &b"not signed"[..]);
    assert_eq!(refused(&more, "maker.pub").exit(), Exit::Content);
}

/// Signs the sample's image as `cosign sign` does in its old layout.
fn with_image_signature(byte: u8) -> MemoryMedia {
    let inputs = Sample::inputs();
    let index: serde_json::Value =
        serde_json::from_slice(inputs.bytes("engine/index.json").unwrap()).unwrap();
    let image = index["manifests"][0]["digest"].as_str().unwrap();
    let payload = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"example.org/engine\"}},\
         \"image\":{{\"docker-manifest-digest\":\"{image}\"}},\
         \"type\":\"cosign container image signature\"}},\"optional\":null}}"
    );
    let signature = maker(byte).sign(payload.as_bytes());
    let signature = base64(&signature);
    let config = b"{}";
    let descriptor = |media_type: &str, bytes: &[u8]| serde_json::json!({"mediaType": media_type, "digest": digest_of(bytes).to_string(), "size": bytes.len()});
    let mut layer = descriptor(
        "application/vnd.dev.cosign.simplesigning.v1+json",
        payload.as_bytes(),
    );
    layer["annotations"] = serde_json::json!({"dev.cosignproject.cosign/signature": signature});
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config), "layers": [layer],
    })
    .to_string();
    let mut entry = descriptor(
        "application/vnd.oci.image.manifest.v1+json",
        manifest.as_bytes(),
    );
    entry["annotations"] = serde_json::json!({"kind": "dev.cosignproject.cosign/sigs"});
    let list = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry],
    });
    let blob = |bytes: &[u8]| format!("engine/blobs/sha256/{}", digest_of(bytes).hex());
    inputs
        .with("engine/signatures.json", list.to_string().into_bytes())
        .with(&blob(payload.as_bytes()), payload.as_bytes())
        .with(&blob(manifest.as_bytes()), manifest.as_bytes())
        .with(&blob(config), &config[..])
        .with("maker.pub", maker(3).public().to_pem().into_bytes())
        .with("stranger.pub", maker(4).public().to_pem().into_bytes())
}

/// RFC 4648, 4; tests only.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=three.len()].copy_from_slice(three);
        let number = u32::from_be_bytes(padded);
        for at in 0..4 {
            let digit = (number >> (18 - 6 * at)) & 63;
            let keep = at <= three.len();
            text.push(if keep {
                char::from(DIGITS[digit as usize])
            } else {
                '='
            });
        }
    }
    text
}

fn image_signed_by(key: &str) -> impl FnOnce(String) -> String {
    let lines = format!("source = 'engine'\nsigner = '{key}'\n");
    move |recipe| recipe.replace("source = 'engine'\n", &lines)
}

#[test]
fn an_images_cosign_signature_travels_and_is_checked() {
    let inputs = with_image_signature(3);
    let (bill, good) = host_finds(&inputs, image_signed_by("maker.pub"), None).unwrap();
    assert_eq!(bill.critical, ["image-signatures"]);
    assert_eq!(good.len(), 1);
    assert_eq!(good[0].of, "engine");
    let signatures = bill.images[0].signatures.as_ref().unwrap();
    assert_eq!((signatures.simple.len(), signatures.payloads.len()), (1, 1));
}

#[test]
fn an_image_of_another_signer_or_of_none_is_not_built() {
    let refused =
        |inputs: &MemoryMedia, key| host_finds(inputs, image_signed_by(key), None).unwrap_err();
    let stranger = refused(&with_image_signature(3), "stranger.pub");
    assert_eq!(stranger.exit(), Exit::Untrusted, "{stranger}");
    let mut nobody = with_image_signature(3);
    nobody.files.remove("engine/signatures.json");
    let nobody = refused(&nobody, "maker.pub");
    assert_eq!(nobody.exit(), Exit::Untrusted, "{nobody}");
    let source = std::error::Error::source(&nobody).map(ToString::to_string);
    assert_ne!(
        source,
        std::error::Error::source(&stranger).map(ToString::to_string)
    );
}

#[test]
fn what_is_attached_is_called_critical_so_that_an_older_reader_refuses_it() {
    let (bill, _) = host_finds(&Sample::inputs(), |recipe| recipe, Some(&signing(3))).unwrap();
    let mut silent = bill.clone();
    silent.critical.clear();
    assert!(bill::check(&silent, PART_BYTES).is_err());
    assert!(bill::check(&bill, PART_BYTES).is_ok());
}

#[test]
fn everything_in_a_bundle_has_a_bill_of_materials_that_is_signed_with_it() {
    let lock = "version = 4\n\n[[package]]\nname = \"maas-appliance\"\nversion = \"0.1.0\"\n";
    let inputs = Sample::inputs().with("Cargo.lock", lock.as_bytes()).with(
        "slsa.json",
        &b"{\"predicateType\":\"https://slsa.dev/provenance/v1\"}"[..],
    );
    let with_all = |recipe: String| {
        let recipe = recipe.replace("sbom = false\n", "cargo_lock = 'Cargo.lock'\n");
        format!(
            "{recipe}[[document]]\nof = 'engine'\nkind = 'provenance'\n\
             media_type = 'application/vnd.in-toto+json'\nfile = 'slsa.json'\n"
        )
    };
    let (bill, _) = host_finds(&inputs, with_all, None).unwrap();
    let said: Vec<_> = bill
        .documents
        .iter()
        .map(|d| (d.of.as_str(), d.kind))
        .collect();
    assert_eq!(
        said,
        [
            ("binary", DocumentKind::Sbom),
            ("engine", DocumentKind::Sbom),
            ("engine", DocumentKind::Provenance),
            ("tiny", DocumentKind::Sbom),
        ]
    );
}

#[test]
fn a_document_about_nothing_builds_nothing() {
    let inputs = Sample::inputs().with("slsa.json", &b"{}"[..]);
    let about_nothing = |recipe: String| {
        format!(
            "{recipe}[[document]]\nof = 'nothing'\nkind = 'provenance'\n\
             media_type = 'application/vnd.in-toto+json'\nfile = 'slsa.json'\n"
        )
    };
    let error = host_finds(&inputs, about_nothing, None).unwrap_err();
    assert_eq!(error.exit(), Exit::Content, "{error}");
}
