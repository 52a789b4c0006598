//! What keeps a host in order, typed as a person types it.

use maas_tests::{Running, Site};

/// A site on which releases 1 to `last` were installed, one after the other. The tokenizer changes each time.
fn installed(last: u64) -> Site {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    for epoch in 1..=last {
        site.recipe(epoch);
        site.write(
            "model/tokenizer.json",
            format!("{{\"version\": \"{epoch}\"}}\n"),
        );
        site.build(&format!("bundle-{epoch}"));
        if epoch == 1 {
            site.trust();
        }
        site.host(&["install", "--media", &format!("bundle-{epoch}")])
            .ok();
    }
    site
}

/// A file of the generation that serves.
fn weights(site: &Site) -> camino::Utf8PathBuf {
    site.path("host/var/lib/maas-appliance/current/models/tiny/model.safetensors")
}

/// Other bytes in a file, as a failing disk has them: same file, same length.
fn rot(path: &camino::Utf8Path) {
    use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
    let mode = |mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(b"rotten", 1_000).unwrap();
    mode(0o444).unwrap();
}

#[test]
fn what_a_disk_has_changed_is_found_and_comes_back_from_the_stick() {
    let site = installed(1);
    let clean = site.host(&["scrub", "--now", "--json"]).ok().json();
    assert_eq!(clean["schema"], "maas-appliance/scrub/v1");
    assert_eq!(clean["found"], serde_json::json!([]));
    let right = std::fs::read(weights(&site)).unwrap();
    rot(&weights(&site));

    let found = site.host(&["scrub", "--now"]);
    assert_eq!(found.code, Some(21), "{}\n{}", found.stdout, found.stderr);
    for part in [
        "is damaged",
        "model `tiny` (generation 1-1)",
        "install --media",
    ] {
        assert!(
            found.stdout.contains(part),
            "no `{part}` in:\n{}",
            found.stdout
        );
    }
    let status = site.host(&["scrub", "--status", "--json"]);
    assert_eq!(status.code, Some(21));
    let used = &status.json()["damage"][0]["used_by"][0];
    assert_eq!(used["generation"], "1-1");

    site.host(&["install", "--media", "bundle-1"]).ok();
    assert_eq!(std::fs::read(weights(&site)).unwrap(), right);
    site.host(&["scrub", "--status"]).ok();
    site.host(&["scrub", "--now"]).ok();
    // The damaged file is kept for whoever wants to look, until here.
    let gone = site.host(&["gc", "--json"]).ok().json();
    assert_eq!(gone["removals"][0]["what"], "leftover", "{gone}");
}

#[test]
fn old_generations_go_with_what_only_they_need() {
    let site = installed(4);
    let planned = site
        .host(&["gc", "--keep", "0", "--dry-run", "--json"])
        .ok()
        .json();
    let before = site.host(&["inventory", "--json"]).ok().json();
    let done = site.host(&["gc", "--keep", "0", "--json"]).ok().json();
    assert_eq!(
        planned["removals"], done["removals"],
        "it did not say what it does"
    );
    assert_eq!(done["kept"][0]["id"], "3-1");
    assert_eq!(done["kept"][1]["why"], "current");
    let after = site.host(&["inventory", "--json"]).ok().json();
    let count = |inventory: &serde_json::Value| inventory["blobs"].as_array().unwrap().len();
    assert!(count(&after) < count(&before));
    // All that the others need is whole, and what went can come again.
    site.host(&["scrub", "--now"]).ok();
    site.host(&["rollback"]).ok();
    site.host(&["scrub", "--now"]).ok();
    let nothing = site.host(&["gc", "--json"]).ok().json();
    assert_eq!(nothing["bytes"], 0, "{nothing}");
    let events = site.host(&["events", "--json"]).ok().json();
    let events = events["events"].to_string();
    for part in [
        "installed test-4",
        "generation.removed 2-1",
        "generation.rolled-back",
    ] {
        assert!(events.contains(part), "no `{part}` in {events}");
    }
}

#[test]
fn a_release_that_waits_for_a_second_person_survives_a_collection() {
    let site = installed(1);
    site.recipe(2);
    site.write("model/tokenizer.json", "{\"version\": \"2\"}\n");
    site.build("bundle-2");
    site.host(&["import", "--media", "bundle-2"]).ok();
    let nothing = site.host(&["gc", "--keep", "0", "--json"]).ok().json();
    assert_eq!(nothing["removals"], serde_json::json!([]));
    site.host(&["install", "--staged", "test-2"]).ok();
}

#[test]
fn an_engine_tells_what_it_wrote_and_what_became_of_it() {
    let running = Running::new("load=0s,token=1ms");
    let site = &running.site;
    let log = site
        .host(&["logs", "--engine", "tiny-0", "-n", "5"])
        .ok()
        .stdout;
    assert!((1..=5).contains(&log.lines().count()), "{log}");
    let all = site.host(&["logs"]).ok().stdout;
    assert!(all.contains("==> engine tiny-0 <=="), "{all}");
    // An escape in a log does not reach the terminal.
    let path = "host/var/lib/maas-appliance/engines/log/tiny-0/engine.log";
    site.append(path, "\u{1b}]0;owned\u{7}\n");
    let log = site
        .host(&["logs", "--engine", "tiny-0", "-n", "1"])
        .ok()
        .stdout;
    assert_eq!(log, "\\u{1b}]0;owned\\u{7}\n");
    assert_eq!(site.host(&["logs", "--engine", "nobody-0"]).code, Some(7));
    assert_eq!(site.host(&["logs", "--engine", "../x"]).code, Some(2));
    assert_eq!(site.host(&["logs", "--gateway"]).code, Some(7));
    assert!(
        site.host(&["logs", "--install"])
            .ok()
            .stdout
            .contains("switch to generation 1-1")
    );
    let events = site.host(&["events", "--since", "1h"]).ok().stdout;
    assert!(events.contains("engine   tiny-0 answered"), "{events}");
    // What runs is not taken from under those who use it.
    let refused = site.host(&["uninstall"]);
    assert_eq!(refused.code, Some(75), "{}", refused.stderr);
    assert!(site.path("host/run/maas-appliance").exists());
}

#[test]
fn nothing_but_the_data_is_left_and_that_goes_with_the_name_of_the_host() {
    let mut running = Running::new("load=0s,token=1ms");
    // The supervisor is killed, so that its engine is still there.
    running.supervisor.take().unwrap().kill();
    running.gateway.take().unwrap().stop();
    running.agent.take().unwrap().stop();
    let site = &running.site;
    let would = site.host(&["uninstall", "--dry-run", "--json"]).ok().json();
    assert!(site.path("host/run/maas-appliance").exists());
    let done = site.host(&["uninstall", "--json"]).ok().json();
    assert_eq!(would["removed"], done["removed"]);
    assert_eq!(running.processes(), []);
    assert!(!site.path("host/run/maas-appliance").exists());
    assert!(site.path("host/var/lib/maas-appliance/trust.db").exists());
    let left = done["left"].as_array().unwrap();
    assert!(
        left.iter()
            .all(|left| left["remove"].as_str().unwrap().starts_with("rm -r "))
    );

    let refused = site.host(&["uninstall", "--data"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let wrong = site.host(&["uninstall", "--data", "--confirm", "another"]);
    assert_eq!(wrong.code, Some(2));
    assert!(site.path("host/var/lib/maas-appliance/trust.db").exists());
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let words = ["uninstall", "--data", "--confirm", name.trim()];
    site.host(&words).ok();
    for gone in [
        "var/lib/maas-appliance",
        "etc/maas-appliance",
        "run/maas-appliance",
    ] {
        assert!(!site.path("host").join(gone).exists(), "{gone}");
    }
    let again = site.host(&words).ok().stdout;
    assert!(
        again.contains("Nothing of the appliance is here"),
        "{again}"
    );
    assert!(!site.path("host/var/lib/maas-appliance").exists());
}

#[test]
fn what_there_is_to_read_is_in_the_binary() {
    let site = Site::new();
    let version = site.run(&["version", "--json"]).ok().json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        version["target"].as_str().unwrap().contains("linux"),
        "{version}"
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = site.run(&["completion", shell]).ok().stdout;
        assert!(
            script.contains("maas-appliance") && script.contains("scrub"),
            "{shell}"
        );
    }
    assert_eq!(site.run(&["completion", "elvish"]).code, Some(2));
    site.run(&["man", "pages"]).ok();
    let page = std::fs::read_to_string(site.path("pages/maas-appliance-uninstall.1")).unwrap();
    assert!(page.contains("\\-\\-confirm"), "{page}");
    assert!(
        site.run(&["man"])
            .ok()
            .stdout
            .contains(".TH maas-appliance")
    );
    assert!(
        site.run(&["help", "21"])
            .ok()
            .stdout
            .contains("content wrong")
    );
    assert!(site.run(&["help"]).ok().stdout.contains(" 75  busy"));
    assert_eq!(site.run(&["help", "nonsense"]).code, Some(7));
}
