//! The systemd units start commands that exist.

use std::process::Command;

use maas_tests::{appliance, repository};

#[test]
fn every_exec_start_is_a_command_line_that_the_binary_understands() {
    let mut seen = 0;
    for entry in repository().join("systemd").read_dir_utf8().unwrap() {
        let path = entry.unwrap().path().to_owned();
        if path.extension() != Some("service") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let command = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="))
            .unwrap_or_else(|| panic!("{path} starts nothing"));
        let mut words = command.split_whitespace();
        assert_eq!(
            words.next(),
            Some("/usr/local/bin/maas-appliance"),
            "{path}"
        );
        // `--help` stops after the arguments are understood, so nothing is started.
        let output = Command::new(appliance())
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        seen += 1;
    }
    assert_eq!(seen, 3);
}
