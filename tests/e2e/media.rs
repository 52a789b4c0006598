//! A stick that was changed: every kind of file on it, one byte at a time. Whatever is found, the
//! host stays as it was.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use maas_tests::Site;

fn signed_site() -> Site {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("bundle");
    site.trust();
    site.configure("load=0s");
    site
}

fn files_below(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(entry.path()));
        } else {
            files.push(entry.path().to_owned());
        }
    }
    files.sort();
    files
}

/// What the host has installed: nothing, unless it went wrong.
fn nothing_is_installed(site: &Site) -> bool {
    !site.path("host/var/lib/maas-appliance/current").exists()
}

#[test]
fn one_changed_byte_in_any_file_of_the_medium_is_found_by_verify() {
    let site = signed_site();
    site.host(&["bundle", "verify", "bundle"]).ok();
    for file in files_below(&site.path("bundle")) {
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&file, &bad).unwrap();
        let ran = site.host(&["bundle", "verify", "bundle"]);
        assert!(
            matches!(ran.code, Some(20..=22)),
            "{file}: exit {:?}\n{}{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        fs::write(&file, &good).unwrap();
    }
    site.host(&["bundle", "verify", "bundle"]).ok();
}

#[test]
fn a_missing_a_truncated_and_a_longer_file_are_found_and_nothing_is_installed() {
    let site = signed_site();
    for file in files_below(&site.path("bundle")) {
        let good = fs::read(&file).unwrap();
        for damage in ["missing", "truncated", "longer"] {
            match damage {
                "missing" => fs::remove_file(&file).unwrap(),
                "truncated" => fs::write(&file, &good[..good.len() - 1]).unwrap(),
                _ => fs::write(&file, [&good[..], b"x"].concat()).unwrap(),
            }
            let ran = site.host(&["bundle", "verify", "bundle"]);
            assert!(
                matches!(ran.code, Some(7 | 20..=22 | 26)),
                "{damage} {file}: exit {:?}\n{}{}",
                ran.code,
                ran.stdout,
                ran.stderr
            );
            fs::write(&file, &good).unwrap();
        }
    }
}

#[test]
fn install_refuses_changed_content_and_activates_nothing() {
    let site = signed_site();
    for file in files_below(&site.path("bundle/MAAS/test-1/blobs")) {
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 0x80;
        fs::write(&file, &bad).unwrap();
        let ran = site.host(&["install", "--media", "bundle"]);
        assert_eq!(ran.code, Some(21), "{file}\n{}", ran.stderr);
        assert!(
            ran.stderr.contains(file.file_name().unwrap()),
            "{}",
            ran.stderr
        );
        assert!(nothing_is_installed(&site), "{file}");
        fs::write(&file, &good).unwrap();
        // What was right stays in the store and is not read again: the next one meets a new host.
        fs::remove_dir_all(site.path("host")).unwrap();
        site.trust();
        site.configure("load=0s");
    }
    site.host(&["install", "--media", "bundle"]).ok();
}

#[test]
fn an_extra_file_inside_the_bundle_is_found() {
    let site = signed_site();
    site.write("bundle/MAAS/test-1/blobs/sha256/extra", "x");
    let ran = site.host(&["bundle", "verify", "bundle"]);
    assert_eq!(ran.code, Some(21), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_older_bundle_is_refused_after_a_newer_one_was_installed() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("old");
    let site = site.with_recipe(2);
    site.build("new");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "new"]).ok();
    let ran = site.host(&["install", "--media", "old"]);
    assert_eq!(ran.code, Some(22), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("epoch") || ran.stderr.contains("version"),
        "{}",
        ran.stderr
    );
}

#[test]
fn wrong_passphrase_unknown_signer_and_missing_signature_are_three_different_refusals() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.run(&["bundle", "build", "recipe.toml", "--out", "bundle"])
        .ok();
    site.trust();

    let unsigned = site.host(&["bundle", "verify", "bundle"]);
    assert_eq!(unsigned.code, Some(20), "{}", unsigned.stderr);
    assert!(
        unsigned.stderr.contains("is not signed"),
        "{}",
        unsigned.stderr
    );

    site.write("passphrase", "correct horse\n");
    site.write("wrong", "battery staple\n");
    site.run(&[
        "key",
        "gen",
        "--out",
        "dan.key",
        "--passphrase-file",
        "passphrase",
    ])
    .ok();
    let wrong = site.run(&[
        "bundle",
        "sign",
        "bundle",
        "--key",
        "dan.key",
        "--passphrase-file",
        "wrong",
    ]);
    assert_eq!(wrong.code, Some(6), "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("passphrase is wrong"),
        "{}",
        wrong.stderr
    );

    site.run(&[
        "key",
        "gen",
        "--out",
        "eve.key",
        "--unsafe-without-passphrase",
    ])
    .ok();
    let unknown = site.sign("bundle", "eve");
    assert_eq!(unknown.code, Some(20), "{}", unknown.stderr);
    assert_ne!(unknown.stderr, wrong.stderr);

    site.sign("bundle", "ana").ok();
    let threshold = site.host(&["bundle", "verify", "bundle"]);
    assert_eq!(threshold.code, Some(20), "{}", threshold.stderr);
    assert!(threshold.stderr.contains("1 of 2"), "{}", threshold.stderr);

    site.sign("bundle", "bo").ok();
    site.host(&["bundle", "verify", "bundle"]).ok();
}

#[test]
fn a_recipe_with_a_missing_input_builds_nothing() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    fs::remove_dir_all(site.path("model")).unwrap();
    let ran = site.run(&["bundle", "build", "recipe.toml", "--out", "out"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("model"), "{}", ran.stderr);
    let empty =
        !site.path("out").exists() || site.path("out").read_dir_utf8().unwrap().count() == 0;
    assert!(empty, "something was written");
}

#[test]
fn signatures_made_on_two_machines_merge() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.run(&["bundle", "build", "recipe.toml", "--out", "bundle"])
        .ok();
    copy_folder(&site.path("bundle"), &site.path("elsewhere"));
    site.sign("bundle", "cy").ok();
    site.sign("elsewhere", "ana").ok();
    site.run(&["bundle", "sign", "bundle", "--merge", "elsewhere"])
        .ok();
    site.trust();
    site.host(&["bundle", "verify", "bundle"]).ok();
}

fn copy_folder(from: &Utf8Path, to: &Utf8Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}

#[test]
fn a_model_with_something_that_runs_builds_nothing() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    let build = || site.run(&["bundle", "build", "recipe.toml", "--out", "bundle"]);
    for (file, bytes) in [
        ("model/pytorch_model.bin", &b"\x80\x02}q\x00."[..]),
        ("model/vocab.txt", b"\x80\x05\x95"),
        ("model/modeling_tiny.py", b"import os"),
    ] {
        site.write(file, bytes);
        let refused = build();
        assert_eq!(refused.code, Some(23), "{}", refused.stderr);
        assert!(refused.stderr.contains("Hint: "), "{}", refused.stderr);
        assert!(!site.path("bundle").exists());
        fs::remove_file(site.path(file)).unwrap();
    }
    fs::remove_file(site.path("model/tokenizer.json")).unwrap();
    let refused = build();
    assert_eq!(refused.code, Some(21), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("it has no tokenizer"),
        "{}",
        refused.stderr
    );
}
