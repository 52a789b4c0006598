use proptest::prelude::*;

use super::*;

const VENDOR: &str = r#"{
  "bomFormat": "CycloneDX", "specVersion": "1.4", "version": 1,
  "metadata": {"timestamp": "2026-01-01T00:00:00Z", "tools": [{"vendor": "v", "name": "scanner"}],
    "component": {"type": "container", "name": "image", "version": "sha256:ab"}},
  "components": [
    {"type": "library", "group": "@scope", "name": "x", "version": "1", "licenses": [{"license": {"id": "MIT"}}],
     "components": [{"type": "file", "name": "inner"}]},
    {"type": "library", "name": "y", "licenses": [{"expression": "MIT OR ISC"}, {"license": {"name": "Own"}}]}
  ],
  "compositions": [{"aggregate": "unknown"}],
  "vulnerabilities": []
}"#;

fn refusal(text: &str) -> String {
    summary(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_vendors_bill_of_an_older_version_is_read() {
    insta::assert_json_snapshot!(summary(VENDOR.as_bytes()).unwrap());
}

#[test]
fn other_formats_and_versions_are_refused() {
    let format = VENDOR.replace("CycloneDX", "SPDX");
    let version = VENDOR.replace("\"1.4\"", "\"1.7\"");
    assert_eq!(summary(format.as_bytes()), Err(BomError::Format));
    assert_eq!(summary(version.as_bytes()), Err(BomError::Format));
}

#[test]
fn what_two_readers_could_take_in_two_ways_is_refused() {
    let twice = VENDOR.replace("\"name\": \"y\"", "\"name\": \"y\", \"name\": \"z\"");
    let unprinted = VENDOR.replace("\"vendor\": \"v\"", "\"vendor\": \"v\", \"vendor\": \"w\"");
    let deep = VENDOR.replace(
        "\"vulnerabilities\": []",
        &format!("\"x\": {}{}", "[".repeat(99), "]".repeat(99)),
    );
    let said = [
        refusal(&twice),
        refusal(&unprinted),
        refusal(&deep),
        refusal(&format!("{VENDOR} {{}}")),
        refusal("[]"),
        refusal("{\"bomFormat\": \"CycloneDX\"}"),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    the bill of materials cannot be read: `name` stands there twice at line 8 column 48
    the bill of materials cannot be read: `vendor` stands there twice at line 3 column 91
    the bill of materials cannot be read: more than 64 levels of nesting at line 11 column 71
    the bill of materials cannot be read: trailing characters at line 12 column 3
    the bill of materials cannot be read: invalid length 0, expected struct Document with 6 elements at line 1 column 2
    the bill of materials cannot be read: missing field `specVersion` at line 1 column 26
    ");
    let long = vec![b' '; LARGEST + 1];
    insta::assert_snapshot!(summary(&long).unwrap_err(), @"the bill of materials has 134217729 bytes; at most 134217728 are read");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_a_panic(bytes: Vec<u8>) {
        prop_assert!(summary(&bytes).is_err());
    }

    #[test]
    fn a_damaged_bill_is_an_error_or_another_bill(at in 0..VENDOR.len(), byte: u8) {
        let mut bytes = VENDOR.as_bytes().to_vec();
        bytes[at] = byte;
        drop(summary(&bytes));
    }
}
