use std::os::unix::fs::PermissionsExt;

use camino::Utf8PathBuf;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).unwrap().join("state.db")
    }
}

/// Opens what must be refused, and sees that not a byte of it changed.
fn refused(path: &Utf8Path) -> KeysError {
    let before = fs_err::read(path).unwrap();
    let error = open(path).unwrap_err();
    assert_eq!(fs_err::read(path).unwrap(), before, "the file was changed");
    error
}

#[test]
fn a_new_database_is_private_durable_and_ours() {
    let folder = Folder::new();
    let connection = open(&folder.database()).unwrap();
    let pragma = |name: &str| -> i64 {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    // 2 is FULL (https://sqlite.org/pragma.html#pragma_synchronous).
    assert_eq!((pragma("synchronous"), pragma("foreign_keys")), (2, 1));
    assert_eq!(pragma("user_version"), KNOWN);
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    connection
        .execute("INSERT INTO teams (name, created) VALUES ('t', 0)", [])
        .unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let path = folder.database().with_file_name(name);
        let mode = fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(connection);
    drop(open(&folder.database()).unwrap());
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = Folder::new();
    fs_err::write(folder.database(), "not a database at all, ".repeat(100)).unwrap();
    let error = refused(&folder.database());
    assert!(matches!(error, KeysError::Corrupt { .. }), "{error}");
}

#[test]
fn a_database_with_a_damaged_page_is_refused_and_kept() {
    let folder = Folder::new();
    let connection = open(&folder.database()).unwrap();
    let page: i64 = connection
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'keys'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(connection);
    let mut bytes = fs_err::read(folder.database()).unwrap();
    let start = usize::try_from((page - 1) * 4096).unwrap();
    bytes[start..start + 64].fill(0xa5);
    fs_err::write(folder.database(), bytes).unwrap();
    let error = refused(&folder.database());
    assert!(matches!(error, KeysError::Corrupt { .. }), "{error}");
}

#[test]
fn a_newer_database_is_refused_and_kept() {
    let folder = Folder::new();
    let connection = open(&folder.database()).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let error = refused(&folder.database());
    assert!(
        matches!(
            error,
            KeysError::Newer {
                found: 7,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_database_of_another_program_is_refused_and_kept() {
    let folder = Folder::new();
    let theirs = Connection::open(folder.database()).unwrap();
    theirs
        .execute("CREATE TABLE users (name TEXT)", [])
        .unwrap();
    drop(theirs);
    let error = refused(&folder.database());
    assert!(matches!(error, KeysError::NotOurs { .. }), "{error}");
}

#[test]
fn a_migration_is_whole_or_not_there() {
    let folder = Folder::new();
    drop(open(&folder.database()).unwrap());
    let connection = connect(&folder.database()).unwrap();
    let tables: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 5);
}

#[test]
fn a_limit_below_zero_cannot_be_stored() {
    let folder = Folder::new();
    let connection = open(&folder.database()).unwrap();
    for (column, value) in [
        ("tokens_per_day", "-1"),
        ("requests_per_minute", "-1"),
        ("tokens_per_day", "'many'"),
        ("tokens_per_day", "1.5"),
        ("models", "'[\"a'"),
    ] {
        let sql = format!("INSERT INTO teams (name, created, {column}) VALUES ('t', 0, {value})");
        assert!(connection.execute(&sql, []).is_err(), "{sql}");
    }
}
