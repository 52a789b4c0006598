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

/// What `current` points at.
fn current(site: &Site) -> String {
    let link = site.path("host/var/lib/maas-appliance/current");
    let target = link.read_link_utf8().unwrap();
    target.file_name().unwrap().to_owned()
}

#[test]
fn a_rollback_goes_to_what_served_before_and_never_to_what_was_left() {
    let mut site = Site::new().with_keys().with_small_binary();
    for epoch in 1..=3 {
        site = site.with_recipe(epoch);
        site.build(&format!("stick-{epoch}"));
    }
    site.trust();
    site.configure("load=0s");
    for stick in ["stick-1", "stick-2"] {
        site.host(&["install", "--media", stick]).ok();
    }
    site.host(&["rollback"]).ok();
    assert_eq!(current(&site), "1-1");
    site.host(&["install", "--media", "stick-3"]).ok();
    let would = site.host(&["rollback", "--dry-run", "--json"]).ok().json();
    assert_eq!(
        (&would["from"], &would["to"]),
        (&"3-1".into(), &"1-1".into())
    );
    site.host(&["rollback"]).ok();
    assert_eq!(current(&site), "1-1");
    let nothing = site.host(&["rollback"]);
    assert_ne!(nothing.code, Some(0), "{nothing:?}");
    assert_eq!(current(&site), "1-1");
}

#[test]
fn a_damaged_old_generation_stands_in_nobodys_way() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("one");
    let site = site.with_recipe(2);
    site.build("two");
    site.trust();
    site.configure("load=0s");
    site.host(&["install", "--media", "one"]).ok();
    site.write(
        "host/var/lib/maas-appliance/generations/1-0/generation.json",
        "{",
    );
    std::fs::remove_file(site.path("host/var/lib/maas-appliance/generations/1-1/generation.json"))
        .unwrap();
    let ran = site.host(&["install", "--media", "two"]).ok();
    assert!(ran.stderr.contains("P-GENERATIONS"), "{}", ran.stderr);
    assert_eq!(current(&site), "2-1");
}

#[test]
fn services_can_read_what_a_root_with_a_strict_umask_installs() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    site.build("stick");
    site.trust();
    site.configure("load=0s");
    let status = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(appliance())
        .args(["--root", "host", "install", "--media", "stick"])
        .current_dir(site.path(""))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let state = site.path("host/var/lib/maas-appliance");
    for folder in ["store", "generations", "generations/1-1/models/tiny"] {
        let mode = std::fs::metadata(state.join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755, "{folder}");
    }
}
