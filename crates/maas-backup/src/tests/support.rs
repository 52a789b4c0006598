//! Support bundles.

use std::io::Read as _;

use super::site::{Site, name, now, random};
use crate::{
    BackupError,
    age::{Open, Seal},
    support::{Bundle, Content, Envelope, Kind, SecretKind, Secrets, SupportEntry},
};

fn entry(text: &str, content: Content, kind: Kind) -> SupportEntry {
    SupportEntry {
        name: name(text),
        content,
        kind,
    }
}

fn prepared() -> Bundle {
    let log = b"ready\npassword=hunter2\ntoken: abc\n".to_vec();
    let entries = [
        entry("support/log/gateway.log", Content::Bytes(log), Kind::Log),
        entry(
            "support/doctor.txt",
            Content::Bytes(b"all good\n".to_vec()),
            Kind::Report,
        ),
        entry(
            "support/gone.toml",
            Content::File("/does/not/exist".into()),
            Kind::Settings,
        ),
    ];
    Bundle::prepare(&entries, &Secrets::default()).unwrap()
}

fn unpack(bytes: &[u8]) -> Vec<(String, String)> {
    let plain = zstd::decode_all(bytes).unwrap();
    let mut archive = tar::Archive::new(&plain[..]);
    let files = archive.entries().unwrap().map(|file| {
        let mut file = file.unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (file.path().unwrap().to_string_lossy().into_owned(), text)
    });
    files.collect()
}

#[test]
fn what_is_previewed_is_what_is_written() {
    let bundle = prepared();
    let written = bundle
        .write(Vec::new(), &Envelope::Plain, now(), &mut random)
        .unwrap();
    let files = unpack(&written);
    assert_eq!(files[0].0, "support/CONTENTS.txt");
    assert_eq!(files.len(), bundle.preview().count() + 1);
    for (line, (name, text)) in bundle.preview().zip(&files[1..]) {
        assert_eq!(line.name.as_str(), name);
        assert_eq!(line.bytes, text.len() as u64);
        assert_eq!(bundle.text(&line.name), Some(text.as_str()));
        assert!(!text.contains("hunter2"));
    }
    insta::assert_snapshot!(files[0].1, @r"
    What is in this bundle, and what was taken out of it:

               9 bytes  report    support/doctor.txt  
              88 bytes  settings  support/gone.toml  
              40 bytes  log       support/log/gateway.log  2 [secret]
    ");
    let log = bundle
        .preview()
        .find(|line| line.kind == Kind::Log)
        .unwrap();
    assert_eq!(log.removed[&SecretKind::Assigned], 2);
}

#[test]
fn a_bundle_can_be_sealed() {
    let site = Site::empty();
    let to = [site.key.recipient()];
    let envelope = Envelope::Sealed(Seal::Recipients(&to));
    let sealed = prepared()
        .write(Vec::new(), &envelope, now(), &mut random)
        .unwrap();
    let mut packed = Vec::new();
    let mut reader = crate::age::open(&sealed[..], &Open::Identity(&site.key)).unwrap();
    reader.read_to_end(&mut packed).unwrap();
    assert_eq!(unpack(&packed).len(), 4);
}

#[test]
fn a_name_twice_is_refused() {
    let report = || entry("support/a", Content::Bytes(Vec::new()), Kind::Report);
    let error = Bundle::prepare(&[report(), report()], &Secrets::default()).unwrap_err();
    assert!(matches!(error, BackupError::Items { .. }));
}
