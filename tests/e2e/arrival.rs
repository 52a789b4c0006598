//! A release comes in, two people agree, then it is activated.

use maas_tests::Site;

/// A site that wants two people, and a stick with a release.
fn site() -> Site {
    let site = Site::new().with_keys().with_small_binary().with_recipe(1);
    site.build("release");
    site.trust();
    site.write(
        "host/etc/maas-appliance/appliance.toml",
        "[policy]\napprovals = 2\n",
    );
    site
}

#[test]
fn a_release_waits_for_a_second_person() {
    let site = site();
    let refused = site.host(&["install", "--media", "release"]);
    assert_eq!(refused.code, Some(24), "{}", refused.stderr);
    insta::assert_snapshot!(
        refused
            .stderr
            .lines()
            .filter(|line| line.contains("P-APPROVAL") || line.starts_with("      fix"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert!(!site.path("host/var/lib/maas-appliance/store").exists());

    site.host_as(1001, &["import", "--media", "release"]).ok();
    let waiting = site.host(&["install", "--staged", "test-1"]);
    assert_eq!(waiting.code, Some(24), "{}", waiting.stderr);
    // The same person, however often.
    let again = site.host_as(1001, &["approve", "test-1"]);
    assert_eq!(again.code, Some(6), "{}", again.stderr);
    site.host_as(1002, &["approve", "test-1"]).ok();
    // The stick is gone: all of it is here.
    std::fs::remove_dir_all(site.path("release")).unwrap();
    let installed = site.host(&["install", "--staged", "test-1"]).ok();
    assert!(
        installed.stdout.contains("Read 0 B from the media"),
        "{}",
        installed.stdout
    );
}

#[test]
fn an_approval_is_of_one_release_and_not_of_another_with_its_name() {
    let site = site();
    site.host_as(1001, &["import", "--media", "release"]).ok();
    site.host_as(1002, &["approve", "test-1"]).ok();
    site.write("model/config.json", "{\"max_position_embeddings\": 4096}\n");
    site.build("other");
    let refused = site.host(&["install", "--media", "other"]);
    assert_eq!(refused.code, Some(24), "{}", refused.stderr);
}

#[test]
fn a_fingerprint_that_was_read_aloud_must_be_the_releases() {
    let site = site();
    site.host_as(1001, &["import", "--media", "release"]).ok();
    let wrong = site.host_as(1002, &["approve", "test-1", "--fingerprint", "0000 0000"]);
    assert_eq!(wrong.code, Some(21), "{}", wrong.stderr);
    let unknown = site.host_as(1002, &["approve", "test-9"]);
    assert_eq!(unknown.code, Some(7), "{}", unknown.stderr);
}

#[test]
fn what_was_imported_and_then_changed_is_refused() {
    let site = site();
    site.host_as(1001, &["import", "--media", "release"]).ok();
    site.host_as(1002, &["approve", "test-1"]).ok();
    let arrival = "host/var/lib/maas-appliance/arrivals/test-1/MAAS/test-1/metadata/timestamp.json";
    let text = std::fs::read_to_string(site.path(arrival)).unwrap();
    site.write(arrival, text.replacen("20", "21", 1));
    let refused = site.host(&["install", "--staged", "test-1"]);
    assert_eq!(refused.code, Some(20), "{}", refused.stderr);
}
