//! A backup of much needs no memory for it. A test of its own: the measure is of the whole process.

use std::io;

use camino::Utf8Path;
use maas_backup::{
    Access, EntryName, Item, Making, Owner, Source,
    age::{Identity, Open, Seal},
    create, verify,
};

/// In KiB, the most that this process had in memory.
fn peak() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits: String = line
        .expect("Linux has it")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("digits")
}

/// Counts what is read, and never gives more than a stick does at once.
struct Counting<'a>(&'a [u8], u64);

impl io::Read for Counting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(100_000);
        let count = self.0.read(&mut into[..most])?;
        self.1 += count as u64;
        Ok(count)
    }
}

#[test]
fn two_hundred_megabytes_pass_through_little_memory() {
    const BYTES: u64 = 200 << 20;
    let keep = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(keep.path()).unwrap();
    let path = folder.join("sparse");
    fs_err::File::create(&path).unwrap().set_len(BYTES).unwrap();
    let key = Identity::generate(&mut |bytes| bytes.fill(7));
    let to = [key.recipient()];
    let items = [Item {
        name: EntryName::new("state/sparse").unwrap(),
        source: Source::File(path),
        access: Access::Secret,
        owner: Owner::Root,
    }];
    let what = Making {
        items: &items,
        scratch: folder,
        made_by: "test",
        host: "test",
        now: "2026-11-25T08:00:00Z".parse().unwrap(),
    };
    let before = peak();
    let mut file = Vec::new();
    create(&what, &Seal::Recipients(&to), &mut file, &mut |bytes| {
        bytes.fill(9);
    })
    .unwrap();
    let mut source = Counting(&file, 0);
    let verified = verify(&mut source, &Open::Identity(&key), folder).unwrap();
    assert_eq!(verified.manifest.bytes(), BYTES);
    assert_eq!(source.1, file.len() as u64);
    let used = peak() - before;
    assert!(used < 40 << 10, "{used} KiB more than before");
}
