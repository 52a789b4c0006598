//! The whole road: from a recipe to a metered answer, and back to an empty machine.

use std::process::{Command, Stdio};

use maas_tests::{Site, appliance};

#[test]
fn quickstart_goes_the_whole_road_and_leaves_nothing_behind() {
    let site = Site::new();
    let output = Command::new(appliance())
        .args([
            "quickstart",
            "--engine",
            "simulated",
            "--once",
            "--folder",
            "q",
        ])
        .current_dir(site.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let data = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}\n{data}");
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/responses"] {
        assert!(words.contains(&format!("POST {path}")), "{words}");
    }
    assert!(
        words.contains("SIMULATED"),
        "it does not say that the engine is simulated: {words}"
    );
    assert!(data.contains("HEALTHY"), "{data}");
    assert!(!site.path("q").exists(), "the folder is still there");
    let folder = site.path("q");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        assert!(!line.contains(folder.as_str()), "still running: {line}");
    }
}

#[test]
fn a_second_install_says_that_all_is_there_and_rollback_goes_back() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("one");
    let site = site.with_recipe(2);
    site.build("two");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "one"]).ok();
    let again = site.host(&["install", "--media", "one"]).ok();
    assert!(
        again.stdout.contains("all is there") || again.stderr.contains("all is there"),
        "{again:?}"
    );
    site.host(&["install", "--media", "two"]).ok();
    let current = || {
        site.path("host/var/lib/maas-appliance/current")
            .read_link_utf8()
            .unwrap()
    };
    assert!(current().as_str().ends_with("2-1"), "{}", current());
    site.host(&["rollback"]).ok();
    assert!(current().as_str().ends_with("1-1"), "{}", current());
}

#[test]
fn a_dry_run_changes_nothing() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("one");
    site.trust();
    site.host(&["install", "--media", "one", "--dry-run"]).ok();
    assert!(!site.path("host/var/lib/maas-appliance/current").exists());
    assert!(!site.path("host/var/lib/maas-appliance/store").exists());
}
