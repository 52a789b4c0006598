//! Keys come and go: the root after a root, carried by any later stick.

use maas_tests::Site;

/// A host that has installed release 1, and a root 2 in which dee stands for cy; nobody has signed it.
fn site_after_cy_left() -> Site {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("first");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "first"]).ok();
    site.run(&[
        "key",
        "gen",
        "--out",
        "dee.key",
        "--unsafe-without-passphrase",
    ])
    .ok();
    let shown = site.run(&["trust", "show", "cy.key.pub"]);
    assert_ne!(shown.code, Some(0), "a key is no root");
    let cy = key_id(&site, "cy");
    site.run(&[
        "trust",
        "root",
        "remove-key",
        "1.root.json",
        "--key",
        &cy,
        "--out",
        "without.json",
    ])
    .ok();
    site.run(&[
        "trust",
        "root",
        "rotate",
        "1.root.json",
        "--threshold",
        "2",
        "--key",
        "ana.key.pub",
        "--key",
        "bo.key.pub",
        "--key",
        "dee.key.pub",
    ])
    .ok();
    site.recipe(2);
    site
}

/// The id of somebody's key, as a root of that key alone shows it.
fn key_id(site: &Site, who: &str) -> String {
    let (public, out) = (format!("{who}.key.pub"), format!("{who}.only.json"));
    site.run(&[
        "trust",
        "root",
        "init",
        "--threshold",
        "1",
        "--key",
        &public,
        "--out",
        &out,
    ])
    .ok();
    let shown = site.run(&["trust", "show", &out, "--json"]).ok().json();
    shown["keys"][0]["id"].as_str().unwrap().to_owned()
}

fn sign_root(site: &Site, who: &str) -> String {
    let key = format!("{who}.key");
    site.run(&["trust", "root", "sign", "2.root.json", "--key", &key])
        .ok()
        .stderr
}

fn build(site: &Site, signers: &[&str]) {
    site.run(&["bundle", "build", "recipe.toml", "--out", "second"])
        .ok();
    for who in signers {
        site.sign("second", who).ok();
    }
}

#[test]
fn a_host_follows_to_a_root_that_old_and_new_keys_have_signed() {
    let site = site_after_cy_left();
    let half = sign_root(&site, "ana");
    assert!(half.contains("old keys     1 of 2"), "{half}");
    let whole = sign_root(&site, "bo");
    assert!(
        whole.contains("Hosts that trust root 1 follow to it."),
        "{whole}"
    );
    // From now on dee signs releases and cy does not: what cy may still sign is the root.
    build(&site, &["ana", "cy"]);
    let refused = site.host(&["install", "--media", "second"]);
    assert_eq!(refused.code, Some(20));
    let said = "timestamp.json` has 1 of 2 needed signatures";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    site.sign("second", "dee").ok();
    let done = site.host(&["install", "--media", "second"]).ok();
    assert!(
        done.stderr.contains("trust 1 newer roots"),
        "{}",
        done.stderr
    );
    let roots = site.host(&["trust", "list", "--json"]).ok().json();
    assert_eq!(roots["roots"].as_array().unwrap().len(), 2);
    // What only root 1 allows is the past: the old stick, and a new one that cy signed with its key.
    let old = site.host(&["install", "--media", "first"]);
    assert_eq!(old.code, Some(20), "{}", old.stderr);
}

#[test]
fn a_root_that_the_old_keys_have_not_signed_takes_nobody_along() {
    let site = site_after_cy_left();
    // Two of the new keys, one of the old ones.
    sign_root(&site, "ana");
    sign_root(&site, "dee");
    site.run(&["bundle", "build", "recipe.toml", "--out", "second"])
        .ok();
    site.sign("second", "dee").ok();
    let words = site.sign("second", "ana").ok().stderr;
    assert!(words.contains("old keys     1 of 2"), "{words}");
    let refused = site.host(&["install", "--media", "second"]);
    assert_eq!(refused.code, Some(20));
    assert!(
        refused
            .stderr
            .contains("2.root.json` has 1 of 2 needed signatures"),
        "{}",
        refused.stderr
    );
    let roots = site.host(&["trust", "list", "--json"]).ok().json();
    assert_eq!(roots["roots"].as_array().unwrap().len(), 1);
    // A removed key may agree to its own removal.
    let words = site.sign("second", "cy").ok().stderr;
    assert!(words.contains("old keys     2 of 2"), "{words}");
    site.host(&["install", "--media", "second"]).ok();
}

#[test]
fn an_epoch_that_thieves_have_signed_is_left_behind_with_their_keys() {
    let site = Site::new()
        .with_keys()
        .with_recipe(1_000_000)
        .with_small_binary();
    site.build("stolen");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "stolen"]).ok();
    site.recipe(2);
    site.build("low");
    assert_eq!(site.host(&["install", "--media", "low"]).code, Some(22));
    std::fs::remove_dir_all(site.path("low")).unwrap();

    // ana and bo were robbed; cy stays.
    for who in ["dee", "eve"] {
        let key = format!("{who}.key");
        site.run(&["key", "gen", "--out", &key, "--unsafe-without-passphrase"])
            .ok();
    }
    let rotate = "trust root rotate 1.root.json --threshold 2 --key cy.key.pub --key dee.key.pub \
                  --key eve.key.pub";
    site.run(&rotate.split(' ').collect::<Vec<_>>()).ok();
    for who in ["ana", "cy", "dee"] {
        sign_root(&site, who);
    }
    build(&site, &["dee", "eve"]);
    let done = site.host(&["install", "--media", "second"]).ok();
    assert!(
        done.stderr.contains("trust 1 newer roots"),
        "{}",
        done.stderr
    );
    // The thieves' release is the past, and the floor stands at the honest one.
    assert_eq!(site.host(&["install", "--media", "stolen"]).code, Some(20));
    let status = site.host(&["rollback", "--dry-run", "--json"]);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
}

#[test]
fn two_releases_of_one_epoch_are_pointed_out() {
    let site = Site::new().with_keys().with_recipe(7).with_small_binary();
    site.build("beta");
    site.trust();
    site.configure("load=0s");
    let first = site.host(&["install", "--media", "beta"]).ok();
    assert!(!first.stderr.contains("P-EPOCH"), "{}", first.stderr);
    site.write("model/tokenizer.json", "{\"version\": \"1.1\"}\n");
    site.build("final");
    let second = site.host(&["install", "--media", "final"]).ok();
    let warning = "WARN  P-EPOCH  epoch 7 is also that of generation 7-1, which is another release";
    assert!(second.stderr.contains(warning), "{}", second.stderr);
    // The same release once more is nothing to warn of on its own, but the other is still there.
    let again = site.host(&["install", "--media", "final"]).ok();
    assert!(again.stderr.contains(warning), "{}", again.stderr);
}

#[test]
fn what_was_removed_is_named_exactly() {
    let site = Site::new().with_keys();
    for key in ["", "00000000"] {
        let refused = site.run(&["trust", "root", "remove-key", "1.root.json", "--key", key]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    }
    let cy = &key_id(&site, "cy")[..8];
    let made = site
        .run(&["trust", "root", "remove-key", "1.root.json", "--key", cy])
        .ok();
    assert!(
        made.stderr.contains("2 of 2 keys must sign"),
        "{}",
        made.stderr
    );
    // A root is never overwritten, and a threshold that cannot be reached is none.
    let again = site.run(&["trust", "root", "remove-key", "1.root.json", "--key", cy]);
    assert_eq!(again.code, Some(2));
    let bo = &key_id(&site, "bo")[..8];
    let too_few = site.run(&["trust", "root", "remove-key", "2.root.json", "--key", bo]);
    assert_eq!(too_few.code, Some(2), "{}", too_few.stderr);
    let lost = site.run(&[
        "trust",
        "root",
        "sign",
        "2.root.json",
        "--previous",
        "absent.json",
        "--key",
        "ana.key",
    ]);
    assert_eq!(lost.code, Some(2));
    assert!(lost.stderr.contains("--previous"), "{}", lost.stderr);
}

#[test]
fn keys_of_roots_stay_in_the_safe_while_a_release_key_signs() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    std::fs::remove_file(site.path("1.root.json")).unwrap();
    let init = ["trust", "root", "init", "--threshold", "2"];
    let keys = ["--key", "ana.key.pub", "--key", "bo.key.pub"];
    let releases = ["--release-key", "cy.key.pub", "--release-threshold", "1"];
    let words = site
        .run(&[&init[..], &keys, &releases].concat())
        .ok()
        .stderr;
    assert!(
        words.contains("2 of 2 keys must sign roots, 1 of 1 keys releases"),
        "{words}"
    );
    for who in ["ana.key", "bo.key"] {
        site.run(&["trust", "root", "sign", "1.root.json", "--key", who])
            .ok();
    }
    site.run(&["bundle", "build", "recipe.toml", "--out", "bundle"])
        .ok();
    site.trust();
    site.configure("load=0s");
    // Who may sign roots may not release.
    site.sign("bundle", "ana").ok();
    let refused = site.host(&["bundle", "verify", "bundle"]);
    assert_eq!(refused.code, Some(20), "{}", refused.stderr);
    site.sign("bundle", "cy").ok();
    site.host(&["install", "--media", "bundle"]).ok();

    // The release key is replaced by the two of the safe, and the host follows.
    let rotate = ["trust", "root", "rotate", "1.root.json", "--threshold", "2"];
    site.run(&[
        "key",
        "gen",
        "--out",
        "dee.key",
        "--unsafe-without-passphrase",
    ])
    .ok();
    let releases = ["--release-key", "dee.key.pub", "--release-threshold", "1"];
    site.run(&[&rotate[..], &keys, &releases].concat()).ok();
    for who in ["ana.key", "bo.key"] {
        site.run(&["trust", "root", "sign", "2.root.json", "--key", who])
            .ok();
    }
    site.recipe(2);
    site.run(&["bundle", "build", "recipe.toml", "--out", "second"])
        .ok();
    assert_eq!(
        site.sign("second", "cy").code,
        Some(0),
        "cy may sign what root 1 lists"
    );
    let refused = site.host(&["install", "--media", "second"]);
    assert_eq!(refused.code, Some(20), "{}", refused.stderr);
    site.run(&["bundle", "build", "recipe.toml", "--out", "third"])
        .ok();
    site.sign("third", "dee").ok();
    site.host(&["install", "--media", "third"]).ok();
}

#[test]
fn when_too_many_keys_are_lost_a_host_is_told_anew_and_keeps_its_floor() {
    let site = Site::new().with_keys().with_recipe(7).with_small_binary();
    site.build("before");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "before"]).ok();
    // Ana's and bo's keys burn. Cy alone cannot make a root that the host follows to.
    std::fs::create_dir(site.path("new")).unwrap();
    for who in ["eva", "flo"] {
        let key = format!("{who}.key");
        site.run(&["key", "gen", "--out", &key, "--unsafe-without-passphrase"])
            .ok();
    }
    let root = "new/1.root.json";
    let init = ["trust", "root", "init", "--threshold", "2", "--out", root];
    let keys = ["--key", "eva.key.pub", "--key", "flo.key.pub"];
    site.run(&[&init[..], &keys].concat()).ok();
    for who in ["eva.key", "flo.key"] {
        site.run(&["trust", "root", "sign", root, "--key", who])
            .ok();
    }
    let build = |epoch: u64, folder: &str| {
        site.recipe(epoch);
        let words = [
            "bundle",
            "build",
            "recipe.toml",
            "--out",
            folder,
            "--trust-root",
            root,
        ];
        site.run(&words).ok();
        for who in ["eva", "flo"] {
            site.sign(folder, who).ok();
        }
    };
    build(8, "after");
    let refused = site.host(&["install", "--media", "after"]);
    assert_eq!(refused.code, Some(20), "{}", refused.stderr);
    let shown = site.run(&["trust", "show", root, "--json"]).ok().json();
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    let replace = ["trust", "replace", root, "--reason", "fire in the safe"];
    let wrong = site.host(&[&replace[..], &["--fingerprint", &"ab".repeat(32)]].concat());
    assert_eq!(wrong.code, Some(20), "{}", wrong.stderr);
    site.host(&[&replace[..], &["--fingerprint", fingerprint]].concat())
        .ok();
    site.host(&["install", "--media", "after"]).ok();
    build(6, "older");
    let older = site.host(&["install", "--media", "older"]);
    assert_eq!(older.code, Some(22), "the floor stays: {}", older.stderr);
}
