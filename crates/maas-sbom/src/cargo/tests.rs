use proptest::prelude::*;

use super::*;

const LOCK: &str = r#"
version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = ["ours", "twice 2.0.0"]

[[package]]
name = "ours"
version = "0.1.0"
dependencies = ["forked", "twice 1.0.0"]

[[package]]
name = "twice"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "1111111111111111111111111111111111111111111111111111111111111111"

[[package]]
name = "twice"
version = "2.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "2222222222222222222222222222222222222222222222222222222222222222"

[[package]]
name = "forked"
version = "3.0.0"
source = "git+https://example.org/forked?rev=ab#abcdef"

[[package]]
name = "unreached"
version = "9.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
"#;

const APP: Built<'_> = Built {
    root_package: "app",
    digest: Digest::from_bytes([0xab; 32]),
    version: "0.1.0",
};

fn bill(lock: &str) -> Result<Bom, LockError> {
    binary(lock, APP, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_binarys_bill_is_the_part_of_the_lock_file_that_its_root_reaches() {
    let bom = bill(LOCK).unwrap();
    insta::assert_snapshot!(String::from_utf8(bom.to_json()).unwrap());
}

#[test]
fn the_order_of_the_lock_file_changes_nothing() {
    let mut packages: Vec<_> = LOCK.split("[[package]]").collect();
    packages[1..].reverse();
    let turned = packages.join("\n[[package]]");
    assert_eq!(bill(&turned).unwrap(), bill(LOCK).unwrap());
}

#[test]
fn a_lock_file_that_names_nothing_or_two_things_is_refused() {
    let wrong = [
        LOCK.replace("\"app\"", "\"other\""),
        LOCK.replace("\"twice 1.0.0\"", "\"twice\""),
        LOCK.replace("\"twice 1.0.0\"", "\"twice 1.0.1\""),
        LOCK.replace("1111", "zzzz"),
        "package = 1".to_owned(),
    ];
    let said = wrong.map(|lock| bill(&lock).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    Cargo.lock has no package `app`, or several
    in Cargo.lock, package `ours` depends on `twice`, which names no one package
    in Cargo.lock, package `ours` depends on `twice 1.0.1`, which names no one package
    in Cargo.lock, the checksum of package `twice` is not a SHA-256
    Cargo.lock is not a lock file
    ");
}

#[test]
fn a_circle_of_development_dependencies_ends() {
    let circle = LOCK.replace("\"forked\", ", "\"app\", \"forked\", ");
    assert_eq!(bill(&circle).unwrap().component_count(), 4);
}

proptest! {
    #[test]
    fn text_that_is_no_lock_file_is_refused_and_never_a_panic(text in "\\PC{0,200}") {
        prop_assert!(bill(&text).is_err());
    }
}
