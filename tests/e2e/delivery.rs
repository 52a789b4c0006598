//! What happens to a bundle between builder and host: deltas, sticks of a size, papers, reports, and what
//! others say about what is in it.

use std::fs;

use maas_tests::Site;

fn signed_site() -> Site {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("bundle");
    site.trust();
    site.configure("load=0s");
    site
}

/// Bytes below a folder of the site.
fn size(site: &Site, folder: &str) -> u64 {
    let mut bytes = 0;
    for entry in site.path(folder).read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name());
        bytes += if entry.file_type().unwrap().is_dir() {
            size(site, &name)
        } else {
            entry.metadata().unwrap().len()
        };
    }
    bytes
}

/// A second release that differs from the first in one settings file.
fn second_release(site: &Site) {
    site.recipe(2);
    site.write("model/config.json", "{\"max_position_embeddings\": 1024}\n");
    let recipe = fs::read_to_string(site.path("recipe.toml")).unwrap();
    assert!(recipe.contains("test-2"), "{recipe}");
}

#[test]
fn only_what_the_host_has_not_travels() {
    let site = signed_site();
    site.host(&["install", "--media", "bundle"]).ok();
    site.host(&["inventory", "--export", "have.json"]).ok();
    second_release(&site);
    site.build("second");
    site.run(&[
        "bundle",
        "copy",
        "second",
        "--have",
        "have.json",
        "--to",
        "delta",
    ])
    .ok();
    let (full, delta) = (size(&site, "second"), size(&site, "delta"));
    assert!(delta * 5 < full, "{delta} of {full} bytes");
    let verified = site.host(&["bundle", "verify", "delta"]).ok();
    assert!(
        verified.stdout.contains("PASS delta"),
        "{}",
        verified.stdout
    );
    let installed = site
        .host(&["install", "--media", "delta", "--json"])
        .ok()
        .json();
    assert_eq!(installed["bundle"], "test-2");
    let config = site.path("host/var/lib/maas-appliance/current/models/tiny/config.json");
    assert!(fs::read_to_string(config).unwrap().contains("1024"));
}

#[test]
fn a_delta_is_refused_by_a_host_without_its_base_before_the_first_write() {
    let site = signed_site();
    site.host(&["install", "--media", "bundle"]).ok();
    site.host(&["inventory", "--export", "have.json"]).ok();
    second_release(&site);
    site.run(&[
        "bundle",
        "build",
        "recipe.toml",
        "--out",
        "delta",
        "--have",
        "have.json",
    ])
    .ok();
    for who in ["ana", "bo"] {
        site.sign("delta", who).ok();
    }
    fs::rename(site.path("host"), site.path("first")).unwrap();
    site.trust();
    let verified = site.host(&["bundle", "verify", "delta"]);
    assert_eq!(verified.code, Some(26), "{}", verified.stdout);
    assert!(
        verified.stdout.contains("FAIL delta"),
        "{}",
        verified.stdout
    );
    let refused = site.host(&["install", "--media", "delta"]);
    assert_eq!(refused.code, Some(26), "{}", refused.stderr);
    assert!(refused.stderr.contains("P-BASE"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("inventory --export"),
        "{}",
        refused.stderr
    );
    assert!(!site.path("host/var/lib/maas-appliance/store").exists());
}

#[test]
fn volumes_of_a_size_are_made_below_one_folder_and_read_again() {
    let site = signed_site();
    let copied = site
        .run(&[
            "bundle",
            "copy",
            "bundle",
            "--to",
            "discs",
            "--volume-size",
            "2300kB",
            "--label",
        ])
        .ok();
    assert!(
        copied.stderr.contains("Read again and compared"),
        "{}",
        copied.stderr
    );
    let volumes = fs::read_dir(site.path("discs")).unwrap().count();
    assert!(volumes > 1, "{volumes}");
    let discs: Vec<_> = (1..=volumes).map(|n| format!("discs/volume-{n}")).collect();
    let words: Vec<_> = ["bundle", "verify"]
        .into_iter()
        .chain(discs.iter().map(String::as_str))
        .collect();
    site.host(&words).ok();
    let page = copied.stdout;
    assert!(page.contains(&format!("test-1 1 of {volumes}")), "{page}");
    assert!(page.contains(&site.fingerprint()), "{page}");
    let program = fs::read(site.path("binary")).unwrap();
    let program = maas_bundle::digest_of(&program).hex();
    assert!(page.contains(&program), "{page}");
    let small = site.run(&[
        "bundle",
        "copy",
        "bundle",
        "--to",
        "x",
        "--volume-size",
        "100kB",
    ]);
    assert_eq!(small.code, Some(25), "{}", small.stderr);
}

#[test]
fn a_report_says_what_was_checked_and_what_was_found() {
    let site = signed_site();
    site.host(&["bundle", "verify", "bundle", "--report", "good.json"])
        .ok();
    let report = fs::read(site.path("good.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["good"], true);
    assert_eq!(report["content_read"], true);
    assert_eq!(report["root_fingerprint"], site.fingerprint());
    assert_eq!(report["signers"][0]["keys"].as_array().unwrap().len(), 2);
    let blob = site.path("bundle/MAAS/test-1/blobs/sha256");
    let blob = blob.read_dir_utf8().unwrap().next().unwrap().unwrap();
    let mut bytes = fs::read(blob.path()).unwrap();
    bytes[0] ^= 1;
    fs::write(blob.path(), bytes).unwrap();
    let bad = site.host(&["bundle", "verify", "bundle", "--report", "bad.json"]);
    assert_eq!(bad.code, Some(21));
    let report = fs::read_to_string(site.path("bad.json")).unwrap();
    assert!(report.contains(blob.file_name()), "{report}");
    // Nobody has read that byte, and nobody says so.
    let quick = site
        .host(&["bundle", "verify", "bundle", "--metadata-only"])
        .ok();
    assert!(
        quick.stdout.contains("no content was read"),
        "{}",
        quick.stdout
    );
}

#[test]
fn two_releases_are_compared_by_what_changes() {
    let site = signed_site();
    second_release(&site);
    site.build("second");
    let shown = site
        .run(&["bundle", "diff", "bundle", "second"])
        .ok()
        .stdout;
    assert!(
        shown.contains("changed  model tiny: config.json"),
        "{shown}"
    );
    assert!(!shown.contains("safetensors"), "{shown}");
    let same = site
        .run(&["bundle", "diff", "bundle", "bundle", "--json"])
        .ok();
    assert_eq!(same.json()["changes"].as_array().unwrap().len(), 0);
}

#[test]
fn models_are_signed_when_they_are_built_and_the_host_says_whose_they_are() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    // Bo's key is one on P-256, which is what model signatures take.
    let built = [
        "bundle",
        "build",
        "recipe.toml",
        "--out",
        "bundle",
        "--model-key",
    ];
    site.run(&[&built[..], &["bo.key"]].concat()).ok();
    for who in ["ana", "bo"] {
        site.sign("bundle", who).ok();
    }
    let signers = site.run(&["bundle", "inspect", "bundle", "--signers"]).ok();
    assert!(
        signers.stdout.contains("tiny must be signed by key "),
        "{}",
        signers.stdout
    );
    site.trust();
    site.configure("load=0s");
    let verified = site.host(&["bundle", "verify", "bundle"]).ok();
    assert!(
        verified
            .stdout
            .contains("PASS maker      tiny is signed by key "),
        "{}",
        verified.stdout
    );
    site.host(&["install", "--media", "bundle"]).ok();
    let wrong = site.run(&[&built[..4], &["other", "--model-key", "ana.key"]].concat());
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("p256"), "{}", wrong.stderr);
}

#[test]
fn the_host_shows_what_a_model_is_made_of() {
    let site = signed_site();
    site.host(&["install", "--media", "bundle"]).ok();
    let listed = site.host(&["sbom", "list"]).ok().stdout;
    assert!(listed.contains("tiny"), "{listed}");
    let shown = site.host(&["sbom", "show", "tiny"]).ok().stdout;
    assert!(shown.contains("machine-learning-model tiny"), "{shown}");
    site.host(&["sbom", "show", "tiny", "--out", "tiny.cdx.json"])
        .ok();
    let document = fs::read(site.path("tiny.cdx.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["specVersion"], "1.6");
    assert_eq!(site.host(&["sbom", "show", "nothing"]).code, Some(7));
}

#[test]
fn code_that_comes_with_a_model_needs_the_signers_and_the_site() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.write("model/modeling_tiny.py", "print('hello')\n");
    let refused = site.run(&["bundle", "build", "recipe.toml", "--out", "bundle"]);
    assert_eq!(refused.code, Some(23), "{}", refused.stderr);
    let manifest = fs::read_to_string(site.path("model.toml")).unwrap();
    site.write("model.toml", format!("remote_code = true\n{manifest}"));
    site.build("bundle");
    site.trust();
    site.configure("load=0s");
    let refused = site.host(&["install", "--media", "bundle"]);
    assert_eq!(refused.code, Some(23), "{}", refused.stderr);
    assert!(refused.stderr.contains("P-CODE"), "{}", refused.stderr);
    site.append(
        "host/etc/maas-appliance/appliance.toml",
        "\n[policy]\nremote_code = true\n",
    );
    site.host(&["install", "--media", "bundle"]).ok();
}

#[test]
fn sticks_are_put_in_one_after_the_other_in_any_order() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let site = signed_site();
        site.run(&[
            "bundle", "copy", "bundle", "--to", "s1", "--to", "s2", "--to", "s3",
        ])
        .ok();
        let take = |stick: u32| {
            let folder = format!("s{stick}");
            site.host(&["install", "--media", &folder, "--one-at-a-time"])
        };
        for (turn, stick) in order.into_iter().enumerate() {
            let ran = take(stick);
            if turn == 2 {
                assert_eq!(ran.code, Some(0), "{order:?}: {}", ran.stderr);
            } else {
                assert_eq!(ran.code, Some(26), "{order:?}: {}", ran.stderr);
                assert!(ran.stderr.contains("is needed next"), "{}", ran.stderr);
                let named = order[turn + 1..]
                    .iter()
                    .any(|next| ran.stderr.contains(&format!("test-1 {next} of 3")));
                assert!(named, "{}", ran.stderr);
            }
        }
        let status = site.host(&["bundle", "verify", "s1", "s2", "s3"]);
        assert_eq!(status.code, Some(0), "{}", status.stdout);
        assert!(site.path("host/var/lib/maas-appliance/current").exists());
    }
}

#[test]
fn a_damaged_stick_is_replaced_and_the_others_are_not_read_again() {
    let site = signed_site();
    site.run(&[
        "bundle", "copy", "bundle", "--to", "s1", "--to", "s2", "--to", "s3",
    ])
    .ok();
    let blobs = site.path("s2/MAAS/test-1/blobs/sha256");
    let blob = blobs.read_dir_utf8().unwrap().next().unwrap().unwrap();
    let good = fs::read(blob.path()).unwrap();
    let mut bad = good.clone();
    bad[0] ^= 1;
    fs::write(blob.path(), bad).unwrap();
    let turn = |stick| site.host(&["install", "--media", stick, "--one-at-a-time"]);
    assert_eq!(turn("s1").code, Some(26));
    let damaged = turn("s2");
    assert_eq!(damaged.code, Some(21), "{}", damaged.stderr);
    assert!(
        damaged.stderr.contains(blob.file_name()),
        "{}",
        damaged.stderr
    );
    fs::write(blob.path(), good).unwrap();
    assert_eq!(turn("s2").code, Some(26));
    turn("s3").ok();
}
