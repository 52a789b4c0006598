//! What `docs/reference/audit-format.md` says: its Python and its shell lines, run on what this crate
//! wrote. An auditor without our program finds what our program finds.

use std::process::{Command, Output};

use crate::{Act, Action, Actor, AuditLog, tests::key};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};

const PAGE: &str = include_str!("../../../../docs/reference/audit-format.md");

/// The block of that language in a numbered clause.
fn block(clause: &str, language: &str) -> &'static str {
    let start = PAGE.find(&format!("\n{clause} ")).unwrap();
    let fence = format!("```{language}\n");
    let begin = start + PAGE[start..].find(&fence).unwrap() + fence.len();
    &PAGE[begin..begin + PAGE[begin..].find("```\n").unwrap()]
}

#[expect(
    clippy::disallowed_methods,
    reason = "the auditor's tools are other programs"
)]
fn run(program: &str, arguments: &[&str], folder: &Utf8Path) -> Option<Output> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder).output();
    match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no `{program}` here");
            None
        }
        output => Some(output.unwrap()),
    }
}

fn has(program: &str, folder: &Utf8Path) -> bool {
    run(program, &["--version"], folder).is_some()
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    "2026-11-25T07:30:31.123Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// An export with every kind of actor and difficult text, and its checkpoint.
fn evidence() -> (tempfile::TempDir, Utf8PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
    let mut log = AuditLog::open(&folder.join("audit.db")).unwrap();
    let operator = Actor::Operator {
        uid: 1000,
        login: "ana".to_owned(),
    };
    let admin = Actor::AdminKey {
        id: "AbCdEfGhIjKl".parse().unwrap(),
    };
    let approved = Act::new(Action::BUNDLE_APPROVED, "acme-2026.11-a")
        .detail("reason", "\"Grüße\" \\ 語 🦀")
        .detail("ä", "after z")
        .detail("z", "line\nfeed\u{7f}");
    let revoked = Act::new(Action::KEYS_REVOKED, "XyXyXyXyXyXy").detail("team", "blue");
    let rolled = Act::new(Action::GENERATION_ROLLED_BACK, "");
    log.append(at(0), &operator, approved).unwrap();
    log.append(at(2), &admin, revoked).unwrap();
    log.append(at(1), &Actor::Appliance {}, rolled).unwrap();
    let mut lines = Vec::new();
    log.reader().export(&mut lines, ..).unwrap();
    let checkpoint = log.checkpoint(at(3), &key()).unwrap().to_string();
    let pem = key().public().to_pem();
    let files: [(&str, &[u8]); 4] = [
        ("check.py", block("6.1", "python").as_bytes()),
        ("export.jsonl", &lines),
        ("checkpoint.txt", checkpoint.as_bytes()),
        ("host.pub", pem.as_bytes()),
    ];
    for (name, bytes) in files {
        fs_err::write(folder.join(name), bytes).unwrap();
    }
    (keep, folder)
}

fn check(folder: &Utf8Path) -> Option<(bool, String)> {
    let arguments = ["check.py", "export.jsonl", "checkpoint.txt"];
    let output = run("python3", &arguments, folder)?;
    Some((output.status.success(), said(&output)))
}

#[test]
fn the_python_of_the_page_follows_our_chain_and_finds_what_was_changed() {
    let (_keep, folder) = evidence();
    let Some((good, text)) = check(&folder) else {
        return;
    };
    assert!(good, "{text}");
    assert!(text.starts_with("3 entries"), "{text}");
    let path = folder.join("export.jsonl");
    let whole = fs_err::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let cases = [
        (whole.replace("blue", "red"), "entry 2 is wrong"),
        (format!("{}\n{}\n", lines[0], lines[2]), "entry 2 is wrong"),
        (
            format!("{}\n{}\n", lines[0], lines[1]),
            "entries 3 to 3 are missing",
        ),
        (
            whole.replace("\"uid\":1000", "\"uid\":0"),
            "entry 1 is wrong",
        ),
    ];
    for (changed, wanted) in cases {
        fs_err::write(&path, &changed).unwrap();
        let (good, text) = check(&folder).unwrap();
        assert!(!good && text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn the_shell_lines_of_the_page_check_a_checkpoint() {
    let (_keep, folder) = evidence();
    if !has("openssl", &folder) {
        return;
    }
    let check = || run("sh", &["-ec", block("6.2", "sh")], &folder).unwrap();
    let output = check();
    assert!(output.status.success(), "{}", said(&output));
    let path = folder.join("checkpoint.txt");
    let note = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, note.replacen("\n3\n", "\n2\n", 1)).unwrap();
    assert!(!check().status.success());
}

#[test]
fn the_shell_lines_of_the_page_check_a_record_of_arrival() {
    let (_keep, folder) = evidence();
    if !has("openssl", &folder) || !has("python3", &folder) {
        return;
    }
    let record = include_str!(
        "../arrival/snapshots/maas_audit__arrival__tests__the_record_is_frozen_and_comes_back.snap"
    );
    let json = &record[record.find("\n{").unwrap() + 1..];
    let arrival = crate::arrival::Arrival::read(json.as_bytes()).unwrap();
    fs_err::write(folder.join("arrival.json"), arrival.to_json()).unwrap();
    let sealed = crate::arrival::seal_vsa(&arrival, &key());
    fs_err::write(folder.join("arrival.vsa.json"), sealed).unwrap();
    let output = run("sh", &["-ec", block("8.5", "sh")], &folder).unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    // What the signature covers is the digest of the record beside it.
    let digest = text
        .lines()
        .find(|line| line.ends_with("  arrival.json"))
        .and_then(|line| line.split(' ').next())
        .unwrap();
    assert_eq!(text.matches(digest).count(), 2, "{text}");
}

#[test]
fn the_checkpoint_on_the_page_is_one() {
    let note: crate::Checkpoint = block("4.1", "").parse().unwrap();
    assert!(note.is_signed_by(key().public()));
}
