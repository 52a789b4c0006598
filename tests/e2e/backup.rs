//! Configuration, state and keys, sealed, and put back on an empty machine.

use maas_tests::Site;

fn site() -> Site {
    let site = Site::new().with_keys().with_small_binary().with_recipe(1);
    site.build("release");
    site.trust();
    site.host(&["install", "--media", "release"]).ok();
    site.write("secret", "correct horse battery staple\n");
    site.host(&[
        "backup",
        "create",
        "host.backup",
        "--passphrase-file",
        "secret",
    ])
    .ok();
    site
}

fn file(site: &Site, path: &str) -> Vec<u8> {
    std::fs::read(site.path(path)).unwrap()
}

#[test]
fn a_backup_is_verified_and_restored_on_an_empty_machine() {
    let site = site();
    let verified = site
        .host(&[
            "backup",
            "verify",
            "host.backup",
            "--passphrase-file",
            "secret",
        ])
        .ok();
    assert!(
        verified.stdout.starts_with("Whole: "),
        "{}",
        verified.stdout
    );
    site.run(&[
        "--root",
        "empty",
        "backup",
        "restore",
        "host.backup",
        "--passphrase-file",
        "secret",
    ])
    .ok();
    for kept in [
        "var/lib/maas-appliance/gateway/pepper",
        "etc/maas-appliance/tls/ca.key",
        "etc/maas-appliance/tls/server-chain.pem",
        "etc/maas-appliance/host.key",
        "var/lib/maas-appliance/receipts/1-1.json",
    ] {
        assert_eq!(
            file(&site, &format!("host/{kept}")),
            file(&site, &format!("empty/{kept}")),
            "{kept}"
        );
    }
    // Whom it trusts and what it has accepted came along; what it serves comes from the medium.
    site.run(&["--root", "empty", "install", "--media", "release"])
        .ok();
    let audit = site.run(&["--root", "empty", "audit", "verify"]).ok();
    assert!(!audit.stdout.is_empty());
}

#[test]
fn a_wrong_passphrase_and_a_damaged_backup_put_nothing_in_place() {
    let site = site();
    site.write("wrong", "incorrect\n");
    let refused = site.run(&[
        "--root",
        "empty",
        "backup",
        "restore",
        "host.backup",
        "--passphrase-file",
        "wrong",
    ]);
    assert_eq!(refused.code, Some(6), "{}", refused.stderr);
    let mut bytes = file(&site, "host.backup");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    site.write("damaged.backup", bytes);
    let refused = site.run(&[
        "--root",
        "empty",
        "backup",
        "restore",
        "damaged.backup",
        "--passphrase-file",
        "secret",
    ]);
    assert_eq!(refused.code, Some(21), "{}", refused.stderr);
    assert!(!site.path("empty/var/lib/maas-appliance/trust.db").exists());
    assert!(!site.path("empty/etc/maas-appliance/host.key").exists());
}

#[test]
fn what_is_here_is_not_replaced_unless_somebody_says_so() {
    let site = site();
    let refused = site.host(&[
        "backup",
        "restore",
        "host.backup",
        "--passphrase-file",
        "secret",
    ]);
    assert_ne!(refused.code, Some(0));
    let done = site
        .host(&[
            "backup",
            "restore",
            "host.backup",
            "--replace",
            "--passphrase-file",
            "secret",
        ])
        .ok();
    assert!(done.stderr.contains("before-restore-"), "{}", done.stderr);
}
