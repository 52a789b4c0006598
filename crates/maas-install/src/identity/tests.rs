use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use maas_store::Holder;
use maas_types::Layout;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use x509_parser::parse_x509_certificate;

use super::*;

struct Host {
    _keep: tempfile::TempDir,
    lock: Lock,
}

fn host() -> Host {
    let keep = tempfile::tempdir().unwrap();
    let layout = Layout::new(Utf8Path::from_path(keep.path()).unwrap());
    let holder = Holder {
        pid: 1,
        command: "test".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let lock = Lock::acquire(&layout, &holder).unwrap();
    Host { _keep: keep, lock }
}

fn site() -> Site {
    Site {
        name: "maas.site.internal".to_owned(),
        dns_names: vec!["maas.site.internal".to_owned(), "Maas".to_owned()],
        addresses: vec!["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn later(days: i64) -> Timestamp {
    authority::days_after(now(), days)
}

fn ensure(host: &Host, site: &Site, now: Timestamp) -> (Identity, Ensured) {
    Identity::ensure(&host.lock, site, now).unwrap()
}

/// What a client does that trusts the exported CA and nothing else.
fn client_accepts(identity: &Identity, name: &str, at: Timestamp) -> Result<(), rustls::Error> {
    let ca = CertificateDer::from_pem_slice(identity.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let chain = fs_err::read(identity.server_chain()).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .unwrap();
    let at =
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap()));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(&chain[0], &chain[1..], &name, &[], at)
        .map(|_| ())
}

#[test]
fn a_client_with_the_exported_ca_accepts_every_name_and_address_and_no_other() {
    let host = host();
    let (identity, ensured) = ensure(&host, &site(), now());
    assert_eq!(ensured.authority, CaAction::Made);
    assert_eq!(ensured.server, LeafAction::Issued(LeafReason::First));
    for name in ["maas.site.internal", "maas", "10.0.0.7", "fd00::7"] {
        client_accepts(&identity, name, now()).unwrap();
    }
    for name in ["other.site.internal", "10.0.0.8"] {
        assert!(client_accepts(&identity, name, now()).is_err(), "{name}");
    }
    assert!(client_accepts(&identity, "maas", later(826)).is_err());
    let a_bit_earlier = authority::hours_before(now(), 12);
    client_accepts(&identity, "maas", a_bit_earlier).unwrap();
}

#[test]
fn the_chain_is_leaf_then_ca_and_each_may_do_what_it_must() {
    let host = host();
    let (identity, ensured) = ensure(&host, &site(), now());
    let chain = fs_err::read(identity.server_chain()).unwrap();
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(chain.len(), 2);
    let (_, leaf) = parse_x509_certificate(&chain[0]).unwrap();
    let (_, ca) = parse_x509_certificate(&chain[1]).unwrap();
    let constraints = ca.basic_constraints().unwrap().unwrap().value;
    assert!(constraints.ca && constraints.path_len_constraint == Some(0));
    let usage = ca.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert_eq!(
        ca.subject().to_string(),
        "CN=maas-appliance CA (maas.site.internal), O=maas.site.internal"
    );
    assert!(!leaf.is_ca());
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
    assert!(leaf.key_usage().unwrap().unwrap().value.digital_signature());
    assert_eq!(leaf.issuer(), ca.subject());
    // From its first to its last second; it is backdated by one day.
    assert_eq!(ensured.server_expires, later(823));
    assert_eq!(ensured.authority_expires, later(3650));
    assert_eq!(
        ensured.authority_fingerprint,
        maas_bundle::digest_of(&chain[1]).hex()
    );
}

#[test]
fn keys_are_readable_by_their_owner_only() {
    let host = host();
    let (identity, _) = ensure(&host, &site(), now());
    for (name, mode) in [
        ("ca.pem", 0o644),
        ("ca.key", 0o600),
        ("server-chain.pem", 0o644),
        ("server.key", 0o600),
    ] {
        let found = fs_err::metadata(identity.folder().join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
    assert_eq!(fs_err::read_dir(identity.folder()).unwrap().count(), 4);
}

#[test]
fn nothing_changes_while_nothing_is_due() {
    let host = host();
    let (identity, _) = ensure(&host, &site(), now());
    let before = fs_err::read(identity.server_chain()).unwrap();
    let mut same = site();
    same.dns_names.reverse();
    let (_, ensured) = ensure(&host, &same, later(700));
    assert_eq!(ensured.authority, CaAction::Kept);
    assert_eq!(ensured.server, LeafAction::Kept);
    assert_eq!(fs_err::read(identity.server_chain()).unwrap(), before);
}

#[test]
fn new_names_and_a_near_end_renew_the_certificate_and_keep_the_ca() {
    let host = host();
    let (identity, first) = ensure(&host, &site(), now());
    let ca = identity.ca_pem().unwrap();
    let mut more = site();
    more.dns_names.push("ai.site.internal".to_owned());
    let (_, second) = ensure(&host, &more, now());
    assert_eq!(second.server, LeafAction::Issued(LeafReason::NamesChanged));
    client_accepts(&identity, "ai.site.internal", now()).unwrap();
    let (_, third) = ensure(&host, &more, later(800));
    assert_eq!(third.server, LeafAction::Issued(LeafReason::Expiring));
    client_accepts(&identity, "maas", later(1500)).unwrap();
    assert_eq!(identity.ca_pem().unwrap(), ca);
    assert_eq!(first.authority_fingerprint, third.authority_fingerprint);
}

#[test]
fn a_certificate_never_outlives_its_ca_and_is_not_renewed_for_that() {
    let host = host();
    ensure(&host, &site(), now());
    let (_, ensured) = ensure(&host, &site(), later(3640));
    assert_eq!(ensured.server_expires, ensured.authority_expires);
    let (_, again) = ensure(&host, &site(), later(3641));
    assert_eq!(again.server, LeafAction::Kept);
    let error = Identity::ensure(&host.lock, &site(), later(3651)).unwrap_err();
    assert!(
        matches!(error, IdentityError::AuthorityExpired { .. }),
        "{error:?}"
    );
}

#[test]
fn a_pair_that_does_not_match_is_renewed() {
    let host = host();
    let (identity, _) = ensure(&host, &site(), now());
    let key = authority::new_key().unwrap().serialize_pem();
    fs_err::write(identity.server_key(), key).unwrap();
    let (_, ensured) = ensure(&host, &site(), now());
    assert_eq!(ensured.server, LeafAction::Issued(LeafReason::Mismatch));
    client_accepts(&identity, "maas", now()).unwrap();
}

#[test]
fn a_lost_ca_key_is_said_when_it_is_needed_and_the_ca_is_never_replaced() {
    let host = host();
    let (identity, _) = ensure(&host, &site(), now());
    let ca = identity.ca_pem().unwrap();
    fs_err::remove_file(identity.folder().join("ca.key")).unwrap();
    assert_eq!(ensure(&host, &site(), now()).1.server, LeafAction::Kept);
    let error = Identity::ensure(&host.lock, &site(), later(800)).unwrap_err();
    assert!(
        matches!(error, IdentityError::NoAuthorityKey { .. }),
        "{error:?}"
    );
    assert_eq!(identity.ca_pem().unwrap(), ca);
}

#[test]
fn another_certificates_key_is_not_taken_for_the_cas() {
    let host = host();
    let (identity, _) = ensure(&host, &site(), now());
    let key = authority::new_key().unwrap().serialize_pem();
    fs_err::write(identity.folder().join("ca.key"), key).unwrap();
    assert!(matches!(
        Identity::ensure(&host.lock, &site(), now()),
        Err(IdentityError::Malformed { .. })
    ));
}

#[test]
fn names_that_no_certificate_can_hold_are_refused_before_anything_is_made() {
    let host = host();
    let with = |name: &str| Site {
        dns_names: vec![name.to_owned()],
        ..site()
    };
    for name in [
        "",
        "a b",
        "-x",
        "a..b",
        "ma\u{e4}s",
        "x\u{1b}[2J",
        &"a".repeat(64),
    ] {
        let error = Identity::ensure(&host.lock, &with(name), now()).unwrap_err();
        assert!(
            matches!(error, IdentityError::BadName { .. }),
            "{name:?}: {error:?}"
        );
    }
    let none = Site {
        name: "x".to_owned(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
    };
    assert!(matches!(
        Identity::ensure(&host.lock, &none, now()),
        Err(IdentityError::NoNames)
    ));
    assert!(!host.lock.layout().tls().exists());
}

#[test]
fn a_power_cut_at_any_moment_leaves_what_the_next_run_completes() {
    for cut in 0..40 {
        let keep = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(keep.path()).unwrap());
        let holder = Holder {
            pid: 1,
            command: "test".to_owned(),
            since: now(),
        };
        let count = std::sync::atomic::AtomicUsize::new(0);
        let disk = Disk::watched(move |_| {
            if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < cut {
                Ok(())
            } else {
                Err(std::io::Error::other("power cut"))
            }
        });
        let done = Lock::acquire_on(disk, &layout, &holder)
            .map(|lock| Identity::ensure(&lock, &site(), now()).is_ok());
        let ca = Identity::in_folder(layout.tls()).ca_pem().ok();
        let lock = Lock::acquire(&layout, &holder).unwrap();
        let (identity, _) = Identity::ensure(&lock, &site(), now()).unwrap();
        client_accepts(&identity, "maas", now()).unwrap();
        let after = identity.ca_pem().unwrap();
        assert!(ca.is_none_or(|ca| ca == after), "the CA was replaced");
        assert!(
            cut < 39 || matches!(done, Ok(true)),
            "40 cuts do not reach the end"
        );
    }
}
