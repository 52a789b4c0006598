use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8PathBuf;

use super::*;

fn origin() -> Origin {
    "maas.site.internal".parse().unwrap()
}

fn file() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("host.key");
    (folder, path)
}

#[test]
fn a_key_is_made_once_and_never_replaced() {
    let (_folder, path) = file();
    let first = HostKey::load_or_create(&path, origin(), &[1; 32]).unwrap();
    let bytes = fs_err::read(&path).unwrap();
    let second = HostKey::load_or_create(&path, origin(), &[2; 32]).unwrap();
    assert_eq!(first.public(), second.public());
    assert_eq!(fs_err::read(&path).unwrap(), bytes);
    let mode = fs_err::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs_err::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

/// RFC 8032, 7.1, TEST 1: the seed, the public key and the signature of nothing. The PEM texts are
/// those of OpenSSL for that seed.
#[test]
fn the_key_is_ed25519_and_its_files_are_those_of_openssl() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let seed = hex::decode(seed).unwrap().try_into().unwrap();
    let (_folder, path) = file();
    let key = HostKey::load_or_create(&path, origin(), &seed).unwrap();
    insta::assert_snapshot!(fs_err::read_to_string(&path).unwrap(), @"
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    -----END PRIVATE KEY-----
    ");
    insta::assert_snapshot!(key.public().to_pem(), @"
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
    -----END PUBLIC KEY-----
    ");
    insta::assert_snapshot!(hex::encode(key.sign(b"")), @"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (_folder, path) = file();
    HostKey::load_or_create(&path, origin(), &[1; 32]).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = HostKey::load_or_create(&path, origin(), &[1; 32]).unwrap_err();
    let text = error.to_string().replace(path.as_str(), "/host.key");
    insta::assert_snapshot!(text, @"the host's key `/host.key` can be read by others (mode 0640), who could sign in this host's name: if nobody has, `chmod 600` it; else move it away, so that a new one is made, and tell the auditors");
}

#[test]
fn a_damaged_key_is_refused_and_left_as_it_is() {
    let (_folder, path) = file();
    HostKey::load_or_create(&path, origin(), &[1; 32]).unwrap();
    let whole = fs_err::read_to_string(&path).unwrap();
    let cases = [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("PRIVATE", "PUBLIC"),
        whole.replacen("MC4", "MC5", 1),
    ];
    for damaged in cases {
        fs_err::write(&path, &damaged).unwrap();
        let error = HostKey::load_or_create(&path, origin(), &[2; 32]).unwrap_err();
        assert!(matches!(error, HostKeyError::NotAKey { .. }), "{error}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn the_public_half_comes_back_from_its_pem_and_no_other_key_does() {
    let key = HostKey::from_seed(origin(), &[7; 32]);
    let public = HostPublicKey::from_pem(origin(), &key.public().to_pem());
    assert_eq!(public.as_ref().ok(), Some(key.public()));
    let p256 = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2VDZhygLMny0O1JidhTYv+2o80en
KYygsLkJ7NTULJqz+MPsVASDoTdWnO3T5KRnX2Ts7kIRKg503AkaN714NQ==
-----END PUBLIC KEY-----
";
    let error = HostPublicKey::from_pem(origin(), p256).unwrap_err();
    assert!(matches!(error, HostKeyError::NotEd25519), "{error}");
    let private = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    insta::assert_snapshot!(
        crate::tests::chain(&HostPublicKey::from_pem(origin(), private).unwrap_err()),
        @"failed to read the public key of a host: this is a private key: give its public half, and keep this file to yourself"
    );
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", HostKey::from_seed(origin(), &[7; 32]));
    assert!(
        text.starts_with("HostKey(HostPublicKey { origin:"),
        "{text}"
    );
    assert!(!text.contains("7, 7, 7"), "{text}");
}

#[test]
fn another_name_is_another_hint() {
    let one = HostKey::from_seed(origin(), &[7; 32]);
    let two = HostKey::from_seed("b".parse().unwrap(), &[7; 32]);
    assert_ne!(one.public().hint(), two.public().hint());
    assert_ne!(one.public(), two.public());
}
