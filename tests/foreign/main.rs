//! TUF repositories between us and tough: its cases get its verdicts from us, and ours load there.
//!
//! tough is asked each time, so the table cannot go stale. What python-tuf writes is the conformance
//! suite's (`tests/scripts/tuf-conformance.sh`), and what it reads is `tests/scripts/python-tuf.sh`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use maas_bundle::{Algorithm, Client, MediaPath, sample::Sample};
use tough::{
    ExpirationEnforcement, RepositoryLoader, TargetName,
    schema::{Root, Signed},
};

fn case(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign/tough")
        .join(path)
}

/// After every case was made and before any but `expired-…` expired.
fn then() -> Timestamp {
    "2021-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn roots_get_the_verdict_that_tough_gives_them() {
    let cases = [
        ("simple-rsa", true),
        ("hex-encoded-ecdsa-sig-keys", true),
        ("pem-encoded-ecdsa-sig-keys", true),
        ("ecdsa-new-type-sig-keys", true),
        // Expired in 2004: a root that is trusted may be, until its successors are known (TUF 5.2).
        ("expired-root-json-signature", true),
        ("invalid-root-json-signature", false),
        ("mismatched-root-json-keyids", false),
        ("no-root-json-signatures", false),
        ("duplicate-keyid", false),
        ("duplicate-sigs", false),
        ("duplicate-sig-keys", false),
    ];
    for (name, good) in cases {
        let bytes = std::fs::read(case(name).join("root.json")).unwrap();
        let theirs = serde_json::from_slice::<Signed<Root>>(&bytes)
            .is_ok_and(|root| root.signed.verify_role(&root).is_ok());
        let ours = Client::start(&bytes, then());
        assert_eq!((theirs, ours.is_ok()), (good, good), "{name}: {ours:?}");
    }
}

#[tokio::test]
async fn repositories_get_the_verdict_that_tough_gives_them() {
    for (name, metadata) in [
        ("consistent-snapshots", "metadata"),
        ("dubious-role-names", "metadata"),
        ("safe-target-paths", "metadata"),
        ("tuf-reference-impl", "metadata"),
        ("rotated-root", "."),
        ("expired-repository", "metadata"),
    ] {
        let folder = case(name).join(metadata);
        let theirs = tough_loads(&folder, &folder, ExpirationEnforcement::Unsafe).await;
        let ours = follow(&folder, then());
        assert!(theirs.is_ok(), "{name}: {theirs:?}");
        // It expired before all others.
        assert_eq!(
            ours.is_ok(),
            name != "expired-repository",
            "{name}: {ours:?}"
        );
    }
    let folder = case("expired-repository/metadata");
    let theirs = tough_loads(&folder, &folder, ExpirationEnforcement::Safe).await;
    assert!(theirs.is_err());
    let error = follow(&folder, Timestamp::now()).unwrap_err();
    assert!(error.contains("expired on 1999"), "{error}");
    // While it lasted it was good.
    let before = "1998-01-01T00:00:00Z".parse().unwrap();
    assert!(follow(&folder, before).is_ok());
}

#[tokio::test]
async fn our_bundles_load_in_tough_whatever_the_algorithm_of_their_keys() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let sample = Sample::signed_with(7, algorithm).unwrap();
        sample.verified().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for path in sample.media[0].files.keys() {
            let bytes = sample.media[0].bytes(path).unwrap();
            let to = folder.path().join(path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
        let bundle = folder.path().join(format!("MAAS/{}", sample.bundle));
        let (metadata, targets) = (bundle.join("metadata"), bundle.join("targets"));
        let repository = tough_loads(&metadata, &targets, ExpirationEnforcement::Safe)
            .await
            .unwrap();
        let name = TargetName::new("bundle.json").unwrap();
        let bill = repository.read_target(&name).await.unwrap().unwrap();
        let bill: Vec<_> = futures_util::StreamExt::collect(bill).await;
        let bill: Vec<u8> = bill.into_iter().flat_map(Result::unwrap).collect();
        let ours = sample.verified().unwrap();
        let path = MediaPath::bill(&sample.bundle, ours.bill_digest());
        assert_eq!(sample.media[0].bytes(path.as_str()).unwrap(), bill);
    }
}

async fn tough_loads(
    metadata: &Path,
    targets: &Path,
    enforce: ExpirationEnforcement,
) -> tough::error::Result<tough::Repository> {
    let root = std::fs::read(metadata.join("1.root.json")).unwrap();
    let url = |path: &Path| url::Url::from_directory_path(path).unwrap();
    RepositoryLoader::new(&root, url(metadata), url(targets))
        .expiration_enforcement(enforce)
        .load()
        .await
}

/// Our client over a folder.
fn follow(folder: &Path, now: Timestamp) -> Result<Client, String> {
    let read = |name: String| std::fs::read(folder.join(name)).ok();
    let need = |name: String| read(name.clone()).ok_or(format!("{name} is missing"));
    let say = |error: maas_bundle::TrustError| error.to_string();
    let mut client = Client::start(&need("1.root.json".to_owned())?, now).map_err(say)?;
    while let Some(next) = read(format!("{}.root.json", client.root_version() + 1)) {
        client.next_root(&next).map_err(say)?;
    }
    client.end_of_roots().map_err(say)?;
    client
        .timestamp(&need("timestamp.json".to_owned())?)
        .map_err(say)?;
    let name = |client: &Client, version: u64, role: &str| {
        if client.is_consistent() {
            format!("{version}.{role}.json")
        } else {
            format!("{role}.json")
        }
    };
    let wanted = client.wanted_snapshot().map_err(say)?;
    let file = name(&client, wanted.version(), "snapshot");
    client.snapshot(&need(file)?).map_err(say)?;
    let wanted = client.wanted_targets().map_err(say)?;
    let file = name(&client, wanted.version(), "targets");
    client.targets(&need(file)?).map_err(say)?;
    Ok(client)
}
