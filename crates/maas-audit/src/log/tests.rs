use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::{
    Action, Source,
    tests::{ana, at, chain, folder, key, log},
    verify,
};

fn act(subject: &str) -> Act {
    Act::new(Action::BUNDLE_APPROVED, subject)
}

/// What somebody with the file and SQLite can do.
fn meddle(path: &Utf8Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(&format!(
            "DROP TRIGGER IF EXISTS entry_is_never_changed;
             DROP TRIGGER IF EXISTS entry_is_never_removed; {sql}"
        ))
        .unwrap();
}

fn refused(path: &Utf8Path, folder: &Utf8Path) -> String {
    let error = AuditLog::open(path).unwrap_err();
    let text = chain(&error).replace(folder.as_str(), "");
    format!("{:?} {text}", error.exit())
}

#[test]
fn entries_follow_each_other_and_survive_reopening() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let mut log = AuditLog::open(&path).unwrap();
    let one = log.append(at(1), &ana(), act("a")).unwrap();
    drop(log);
    let mut log = AuditLog::open(&path).unwrap();
    let two = log.append(at(2), &Actor::Appliance {}, act("b")).unwrap();
    assert_eq!((one.sequence, one.previous), (1, Head::START.hash));
    assert_eq!((two.sequence, two.previous), (2, one.hash));
    assert_eq!(log.reader().tail(9).unwrap(), [one, two.clone()]);
    assert_eq!(log.reader().tail(1).unwrap(), [two]);
    assert_eq!(log.reader().tail(0).unwrap(), []);
}

#[test]
fn the_log_is_private_and_nothing_is_left_beside_it() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 1));
    let mode = fs_err::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names: std::collections::BTreeSet<_> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names,
        ["audit.db", "audit.db.lock"].map(str::to_owned).into()
    );
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let mut writer = log(&path, 1);
    insta::assert_snapshot!(
        refused(&path, &folder),
        @"Busy the audit log `/audit.db` is being written by another process; try again when it is done"
    );
    let reader = AuditReader::open(&path).unwrap();
    writer.append(at(2), &ana(), act("b")).unwrap();
    assert_eq!(reader.head().unwrap().sequence, 2);
    drop(writer);
    assert!(AuditLog::open(&path).is_ok());
}

#[test]
fn an_export_is_the_entries_that_were_asked_for() {
    let (_keep, folder) = folder();
    let log = log(&folder.join("audit.db"), 5);
    let mut out = Vec::new();
    assert_eq!(log.reader().export(&mut out, 2..=4).unwrap(), 3);
    let lines: Vec<_> = log.reader().tail(4).unwrap()[..3]
        .iter()
        .map(Entry::to_line)
        .collect();
    assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n") + "\n");
    let count = |range: (Bound<u64>, Bound<u64>)| log.reader().export(io::sink(), range).unwrap();
    assert_eq!(count((Unbounded, Unbounded)), 5);
    assert_eq!(count((Excluded(2), Excluded(5))), 2);
    assert_eq!(count((Included(6), Unbounded)), 0);
    assert_eq!(count((Included(u64::MAX), Included(u64::MAX))), 0);
}

#[test]
fn what_is_not_a_whole_log_of_ours_is_refused_and_left_as_it_is() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 3));
    let whole = fs_err::read(&path).unwrap();
    let other = folder.join("other.db");
    let write = |bytes: &[u8]| {
        fs_err::write(&other, bytes).unwrap();
        let text = refused(&other, &folder);
        assert_eq!(fs_err::read(&other).unwrap(), bytes, "{text}");
        text
    };
    let mut torn = whole.clone();
    torn[100..4000].fill(0xff);
    let texts = [
        write(b""),
        write(b"not a database, but as long as its header would have been: 100 bytes of something else, and more"),
        write(&torn),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Audit the audit log `/other.db` is damaged (it is empty); it was left as it is and is never made anew: keep it as evidence, then put a backup in its place, or move it away and say why in the first entry of the next
    Audit the audit log `/other.db` is damaged (file is not a database); it was left as it is and is never made anew: keep it as evidence, then put a backup in its place, or move it away and say why in the first entry of the next
    Audit the audit log `/other.db` is damaged (database disk image is malformed); it was left as it is and is never made anew: keep it as evidence, then put a backup in its place, or move it away and say why in the first entry of the next
    ");
    assert!(AuditReader::open(&other).is_err());
}

#[test]
fn another_programs_database_and_a_newer_one_are_refused() {
    let (_keep, folder) = folder();
    let (theirs, newer) = (folder.join("theirs.db"), folder.join("newer.db"));
    let connection = Connection::open(&theirs).unwrap();
    connection.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(connection);
    drop(log(&newer, 1));
    meddle(&newer, "PRAGMA user_version = 2");
    let texts = [refused(&theirs, &folder), refused(&newer, &folder)];
    insta::assert_snapshot!(texts.join("\n"), @"
    Content `/theirs.db` is a database of another program, not an audit log; it was left as it is
    Content the audit log `/newer.db` has schema 2, and this release knows schemas up to 1; a newer release wrote it: use that one
    ");
}

#[test]
fn a_missing_log_is_made_for_writing_only() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let error = AuditReader::open(&path).unwrap_err();
    let text = error.to_string().replace(folder.as_str(), "");
    insta::assert_snapshot!(text, @"there is no audit log `/audit.db`");
    assert!(!path.exists());
    let below = folder.join("no/such/audit.db");
    insta::assert_snapshot!(refused(&below, &folder).lines().next().unwrap(), @"Failed failed to create or lock the audit log `/no/such/audit.db.lock`: failed to open file `/no/such/audit.db.lock`: No such file or directory (os error 2)");
}

#[test]
fn a_log_whose_last_entry_was_changed_is_not_written_on() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 3));
    meddle(&path, "UPDATE entry SET subject = 'x' WHERE sequence = 3");
    insta::assert_snapshot!(refused(&path, &folder), @"Audit the audit log `/audit.db` was changed: entry 3 was changed after it was written: its content does not give its hash; nothing is added to it: keep it as evidence and compare it with the checkpoints kept elsewhere (`audit verify`)");
}

#[test]
fn an_entry_of_another_program_beneath_the_writer_stops_it() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let mut log = log(&path, 3);
    meddle(&path, "DELETE FROM entry WHERE sequence = 3");
    let error = log.append(at(9), &ana(), act("x")).unwrap_err();
    let text = chain(&error).replace(folder.as_str(), "");
    insta::assert_snapshot!(text, @"the audit log `/audit.db` was changed by another program: it ended with entry 3, and now it ends with entry 2 (f1faebff19ea); nothing is added to it: keep it as evidence and compare it with the checkpoints kept elsewhere (`audit verify`)");
    assert_eq!(error.exit(), maas_types::Exit::Audit);
    assert!(log.checkpoint(at(9), &key()).is_err());
    assert_eq!(log.reader().head().unwrap().sequence, 2);
}

#[test]
fn plain_sql_cannot_change_or_remove_an_entry_by_accident() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 1));
    let connection = Connection::open(&path).unwrap();
    for sql in ["DELETE FROM entry", "UPDATE entry SET subject = 'x'"] {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
}

/// What is not committed is not there, whatever the process had done by then.
#[test]
fn an_entry_that_was_not_committed_is_not_there() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let log = log(&path, 2);
    let entry = Entry::after(log.head, at(3), &ana(), act("x"));
    let transaction = log.reader.connection.unchecked_transaction().unwrap();
    rows::insert(&transaction, &entry).unwrap();
    let after = folder.join("after.db");
    for ending in ["", "-wal"] {
        let (from, to) = (open::beside(&path, ending), open::beside(&after, ending));
        fs_err::copy(from, to).unwrap();
    }
    assert_eq!(AuditLog::open(&after).unwrap().head.sequence, 2);
}

/// A power cut at any byte of the write-ahead log: what is found is the log as it was after one of the
/// entries, whole, and it can be written on.
#[test]
fn a_power_cut_leaves_a_whole_log() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 2));
    let database = fs_err::read(&path).unwrap();
    let mut writer = AuditLog::open(&path).unwrap();
    for number in 3..=6 {
        writer.append(at(number), &ana(), act("x")).unwrap();
    }
    let wal = fs_err::read(open::beside(&path, "-wal")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for length in (0..=wal.len()).step_by(509).chain([wal.len()]) {
        let cut = folder.join(format!("cut-{length}.db"));
        fs_err::write(&cut, &database).unwrap();
        fs_err::write(open::beside(&cut, "-wal"), &wal[..length]).unwrap();
        let mut log = AuditLog::open(&cut).unwrap();
        seen.insert(log.head.sequence);
        log.append(at(9), &ana(), act("after")).unwrap();
        drop(log);
        let verdict = verify(Source::Database(&cut), &[], &[]).unwrap();
        assert!(verdict.is_sound(), "{length}: {verdict}");
    }
    assert_eq!(seen, [2, 3, 4, 5, 6].into());
}

#[test]
fn what_a_crash_left_while_the_log_was_made_is_cleared_away() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    fs_err::write(folder.join("audit.db.new"), b"half").unwrap();
    drop(log(&path, 1));
    assert!(!folder.join("audit.db.new").exists());
}

#[test]
fn a_copy_is_read_where_nothing_can_be_written_and_the_copy_is_not_changed() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 3));
    let stick = folder.join("st ick");
    fs_err::create_dir(&stick).unwrap();
    let copy = stick.join("audit.db");
    fs_err::copy(&path, &copy).unwrap();
    fs_err::set_permissions(&copy, std::fs::Permissions::from_mode(0o400)).unwrap();
    fs_err::set_permissions(&stick, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write here all the same; then this tests the ordinary way only.
    let reader = AuditReader::open(&copy).unwrap();
    assert_eq!(reader.tail(9).unwrap().len(), 3);
    drop(reader);
    fs_err::set_permissions(&stick, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs_err::read(&copy).unwrap(), fs_err::read(&path).unwrap());
    // The same without asking the file system.
    let alone = open::for_reading_where_nothing_can_be_written(&copy).unwrap();
    assert_eq!(rows::head(&alone, &copy).unwrap().sequence, 3);
}

#[test]
fn a_log_that_cannot_be_written_is_refused() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    drop(log(&path, 1));
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    if fs_err::OpenOptions::new().write(true).open(&path).is_ok() {
        eprintln!("skipped: this user may write to read-only files");
        return;
    }
    let text = refused(&path, &folder);
    assert!(text.contains("read-only"), "{text}");
}

#[test]
fn a_full_disk_and_a_denied_folder_have_their_own_exit_codes() {
    use maas_types::Exit;
    let exit = |code: i32| {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        open::failed("write to", Utf8Path::new("/audit.db"), source).exit()
    };
    assert_eq!(exit(rusqlite::ffi::SQLITE_FULL), Exit::NoSpace);
    assert_eq!(exit(rusqlite::ffi::SQLITE_BUSY), Exit::Busy);
    assert_eq!(exit(rusqlite::ffi::SQLITE_IOERR), Exit::Failed);
    assert_eq!(exit(rusqlite::ffi::SQLITE_CORRUPT), Exit::Audit);
    let denied = AuditError::Create {
        path: "/audit.db".into(),
        source: io::ErrorKind::PermissionDenied.into(),
    };
    assert_eq!(denied.exit(), Exit::NotAllowed);
}

/// No row is so strange that reading it does more than say so.
#[test]
fn a_row_with_anything_in_it_is_reported_and_not_believed() {
    let cases = [
        "UPDATE entry SET time = 'yesterday' WHERE sequence = 2",
        "UPDATE entry SET actor = '{\"kind\":\"operator\"}' WHERE sequence = 2",
        "UPDATE entry SET actor = '{\"kind\":\"appliance\",\"x\":1}' WHERE sequence = 2",
        "UPDATE entry SET action = 'x' WHERE sequence = 2",
        "UPDATE entry SET details = '{\"a\":\"1\",\"a\":\"2\"}' WHERE sequence = 2",
        "UPDATE entry SET details = '[]' WHERE sequence = 2",
        "UPDATE entry SET subject = CAST(x'ff' AS TEXT) WHERE sequence = 2",
        "UPDATE entry SET sequence = -2 WHERE sequence = 2",
    ];
    let mut texts = Vec::new();
    for sql in cases {
        let (_keep, folder) = folder();
        let path = folder.join("audit.db");
        drop(log(&path, 3));
        meddle(&path, sql);
        let verdict = verify(Source::Database(&path), &[], &[]).unwrap();
        texts.push(verdict.fault.unwrap().to_string());
        let reader = AuditReader::open(&path).unwrap();
        assert!(reader.export(io::sink(), ..).is_err(), "{sql}");
    }
    insta::assert_snapshot!(texts.join("\n"), @"
    entry 2 cannot be read: its time is not as the log writes times
    entry 2 cannot be read: its actor: missing field `uid`
    entry 2 cannot be read: its actor: unknown field `x`, there are no fields
    entry 2 cannot be read: its action is none
    entry 2 cannot be read: its details: `a` stands there twice at line 1 column 17
    entry 2 cannot be read: its details: invalid type: sequence, expected a map at line 1 column 0
    entry 2 cannot be read: its subject is no text
    entry 1 cannot be read: its number is -2
    ");
}
