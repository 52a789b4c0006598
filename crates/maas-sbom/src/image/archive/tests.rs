use proptest::prelude::*;
use tar::Builder;

use super::*;

fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn padded(header: &Header, contents: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &[u8], contents: &[u8]) -> Vec<u8> {
    padded(
        &header(name, EntryType::Regular, contents.len() as u64),
        contents,
    )
}

/// Names, kinds and contents of all entries.
fn read(bytes: &[u8]) -> Result<Vec<(String, EntryKind, Vec<u8>)>, ArchiveError> {
    let mut archive = Archive::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = archive.next()? {
        let contents = archive.contents(u64::MAX)?;
        entries.push((
            String::from_utf8_lossy(&entry.path).into_owned(),
            entry.kind,
            contents,
        ));
    }
    Ok(entries)
}

fn reason(bytes: &[u8]) -> String {
    match read(bytes).unwrap_err() {
        ArchiveError::Read(error) => error.kind().to_string(),
        ArchiveError::Malformed(reason) => reason.to_owned(),
    }
}

fn pax(records: &str) -> Vec<u8> {
    let size = records.len() as u64;
    padded(
        &header(b"pax", EntryType::XHeader, size),
        records.as_bytes(),
    )
}

#[test]
fn long_names_of_gnu_and_of_pax_are_names() {
    let long = "d/".repeat(200) + "x";
    let mut builder = Builder::new(Vec::new());
    let mut plain = header(b"", EntryType::Regular, 2);
    builder
        .append_data(&mut plain, &long, b"hi".as_slice())
        .unwrap();
    let gnu = builder.into_inner().unwrap();
    let wanted = vec![(long, EntryKind::File, b"hi".to_vec())];
    assert_eq!(read(&gnu).unwrap(), wanted);

    let with_newline = [pax("13 path=a\nbc\n"), file(b"short", b"hi")].concat();
    assert_eq!(read(&with_newline).unwrap()[0].0, "a\nbc");
}

#[test]
fn pax_has_the_last_word_on_a_size() {
    // Go writes sizes beyond 8 GiB so: zero in the header, the truth in PAX.
    let mut zero = padded(&header(b"big", EntryType::Regular, 0), b"");
    zero.extend(file(b"inner", b"contents of big"));
    let bytes = [pax("13 size=1024\n"), zero, file(b"after", b"")].concat();
    let names: Vec<_> = read(&bytes)
        .unwrap()
        .into_iter()
        .map(|entry| entry.0)
        .collect();
    assert_eq!(names, ["big", "after"]);
}

#[test]
fn links_and_folders_have_no_contents_whatever_they_say() {
    let link = padded(&header(b"link", EntryType::Link, 5_000), b"");
    let folder = padded(&header(b"folder", EntryType::Directory, 5_000), b"");
    let bytes = [link, folder, file(b"old/", b""), file(b"after", b"x")].concat();
    let found: Vec<_> = read(&bytes)
        .unwrap()
        .into_iter()
        .map(|(name, kind, _)| (name, kind))
        .collect();
    let wanted = [
        ("link", EntryKind::HardLink),
        ("folder", EntryKind::Folder),
        ("old/", EntryKind::Folder),
        ("after", EntryKind::File),
    ];
    assert_eq!(found, wanted.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn a_sparse_map_is_passed_over() {
    let mut sparse = header(b"sparse", EntryType::GNUSparse, 1);
    sparse.as_gnu_mut().unwrap().set_is_extended(true);
    sparse.set_cksum();
    let map = [0; 512];
    let bytes = [
        sparse.as_bytes().to_vec(),
        map.to_vec(),
        vec![b'x'; 512],
        file(b"after", b""),
    ]
    .concat();
    let found = read(&bytes).unwrap();
    assert_eq!(found[0].1, EntryKind::Other);
    assert_eq!(found[1].0, "after");
}

#[test]
fn what_does_not_add_up_is_refused() {
    let whole = file(b"x", b"contents");
    let mut flipped = whole.clone();
    flipped[0] ^= 1;
    let long = padded(&header(b"L", EntryType::GNULongName, 1 << 40), b"");
    let said = [
        reason(&whole[..100]),
        reason(&whole[..515]),
        reason(&flipped),
        reason(&long),
        reason(&[pax("99 path=x\n"), whole.clone()].concat()),
        reason(&[pax("9 size=-\n"), whole].concat()),
        reason(&pax("").repeat(20)),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    it ends in the middle of a header
    unexpected end of file
    a header's checksum does not fit
    an extension is longer than 1 MiB
    a PAX record is malformed
    a PAX record is malformed
    too many extensions before one entry
    ");
}

proptest! {
    #[test]
    fn entries_come_out_as_they_went_in(files in prop::collection::vec(("[a-z]{1,20}", any::<Vec<u8>>()), 0..8)) {
        let bytes: Vec<u8> = files.iter().flat_map(|(name, contents)| file(name.as_bytes(), contents)).collect();
        let wanted: Vec<_> = files.into_iter().map(|(name, contents)| (name, EntryKind::File, contents)).collect();
        prop_assert_eq!(read(&bytes).unwrap(), wanted);
    }

    #[test]
    fn a_damaged_archive_is_an_error_or_another_archive_and_never_a_panic(at in 0_usize..2_048, byte: u8, end in 0_usize..2_048) {
        let mut bytes = [pax("15 path=somename\n"), file(b"x", b"contents"), file(b"y", b"")].concat();
        let at = at % bytes.len();
        bytes[at] = byte;
        let end = end.min(bytes.len());
        drop(read(&bytes));
        drop(read(&bytes[..end]));
    }
}
