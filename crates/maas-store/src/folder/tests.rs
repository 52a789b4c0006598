use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, fs::symlink, net::UnixListener},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{
    EntryKind, Media as _, MediaError, MediaPath, MediumName, Sink as _, Source as _, SourceError,
    SourceKind,
};
use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::{MediaFolder, SinkFolder, SourceFolder, beneath::Beneath};

struct Folder {
    _keep: tempfile::TempDir,
    path: Utf8PathBuf,
}

fn folder() -> Folder {
    let keep = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
    Folder { _keep: keep, path }
}

fn readme() -> MediaPath {
    MediaPath::medium_file(MediumName::Readme)
}

fn volume_json() -> MediaPath {
    MediaPath::volume(&"acme-1".parse().unwrap())
}

fn pipe(path: &Utf8Path) {
    let mode = Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(CWD, path.as_str(), FileType::Fifo, mode, 0).unwrap();
}

fn refusal(folder: &Folder, path: &MediaPath) -> EntryKind {
    let medium = MediaFolder::open(&folder.path).unwrap();
    match medium.open(path) {
        Err(MediaError::NotRegular { found, .. }) => found,
        other => panic!("{other:?}"),
    }
}

// === MediaFolder ===

#[test]
fn a_plain_file_is_read_and_listed() {
    let folder = folder();
    fs_err::create_dir_all(folder.path.join("MAAS/acme-1")).unwrap();
    fs_err::write(folder.path.join("MAAS/acme-1/volume.json"), b"{}").unwrap();
    let medium = MediaFolder::open(&folder.path).unwrap();
    let mut file = medium.open(&volume_json()).unwrap();
    let mut text = String::new();
    file.reader.read_to_string(&mut text).unwrap();
    assert_eq!((file.size, text.as_str()), (2, "{}"));
    let entries = medium.list(&MediaPath::bundles()).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].name.as_str(), entries[0].kind),
        ("acme-1", EntryKind::Folder)
    );
}

/// Lengths around the blocks of a device and the buffers of a reader.
const LENGTHS: [usize; 7] = [0, 1, 511, 4_096, 4_097, 1_048_576, 9_500_001];

#[test]
fn every_reading_of_a_file_gives_the_same_bytes_and_then_ends() {
    for length in LENGTHS {
        let folder = folder();
        let bytes: Vec<_> = (0..=250_u8).cycle().take(length).collect();
        fs_err::write(folder.path.join("README.txt"), &bytes).unwrap();
        let medium = MediaFolder::open(&folder.path).unwrap();
        // The first goes through the page cache, the others past it.
        for size in [4_000_000, 4_000_000, 700] {
            let mut file = medium.open(&readme()).unwrap();
            let (mut buffer, mut read) = (vec![0; size], Vec::new());
            while let count @ 1.. = file.reader.read(&mut buffer).unwrap() {
                read.extend_from_slice(&buffer[..count]);
            }
            assert!(read == bytes, "{length} bytes by {size}");
            assert_eq!(file.reader.read(&mut buffer).unwrap(), 0);
        }
    }
}

#[test]
fn a_second_reading_sees_what_the_medium_says_now() {
    let folder = folder();
    let path = folder.path.join("README.txt");
    let medium = MediaFolder::open(&folder.path).unwrap();
    for bytes in [b"one", b"two"] {
        fs_err::write(&path, bytes).unwrap();
        let mut text = Vec::new();
        let mut file = medium.open(&readme()).unwrap();
        file.reader.read_to_end(&mut text).unwrap();
        assert_eq!(text, bytes);
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_refused() {
    let folder = folder();
    symlink("/etc/passwd", folder.path.join("README.txt")).unwrap();
    assert_eq!(refusal(&folder, &readme()), EntryKind::Link);
}

#[test]
fn a_link_to_a_file_beside_it_is_refused_too() {
    let folder = folder();
    fs_err::write(folder.path.join("other"), b"x").unwrap();
    symlink("other", folder.path.join("README.txt")).unwrap();
    assert_eq!(refusal(&folder, &readme()), EntryKind::Link);
}

#[test]
fn a_link_in_the_place_of_a_folder_on_the_way_is_refused() {
    let elsewhere = folder();
    let folder = folder();
    fs_err::create_dir_all(elsewhere.path.join("acme-1")).unwrap();
    fs_err::write(elsewhere.path.join("acme-1/volume.json"), b"{}").unwrap();
    symlink(&elsewhere.path, folder.path.join("MAAS")).unwrap();
    let medium = MediaFolder::open(&folder.path).unwrap();
    assert!(matches!(
        medium.open(&volume_json()),
        Err(MediaError::NotRegular {
            found: EntryKind::Link,
            ..
        })
    ));
    assert!(matches!(
        medium.list(&MediaPath::bundles()),
        Err(MediaError::NotRegular {
            found: EntryKind::Link,
            ..
        })
    ));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = folder();
    pipe(&folder.path.join("README.txt"));
    assert_eq!(refusal(&folder, &readme()), EntryKind::Special);
}

#[test]
fn a_socket_is_refused() {
    let folder = folder();
    let _listener = UnixListener::bind(folder.path.join("README.txt")).unwrap();
    assert_eq!(refusal(&folder, &readme()), EntryKind::Special);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_refused() {
    let folder = folder();
    fs_err::create_dir(folder.path.join("README.txt")).unwrap();
    assert_eq!(refusal(&folder, &readme()), EntryKind::Folder);
}

#[test]
fn a_file_with_a_second_name_is_refused() {
    let folder = folder();
    fs_err::write(folder.path.join("secret"), b"x").unwrap();
    fs_err::hard_link(folder.path.join("secret"), folder.path.join("README.txt")).unwrap();
    let medium = MediaFolder::open(&folder.path).unwrap();
    let error = medium.open(&readme()).unwrap_err();
    let MediaError::Io { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        source.to_string(),
        "the file has 2 names (hard links); on a medium it has one"
    );
    let exit = crate::StoreError::from(error).exit();
    assert_eq!(exit, maas_types::Exit::Content);
}

#[test]
fn what_is_not_there_is_missing() {
    let folder = folder();
    let medium = MediaFolder::open(&folder.path).unwrap();
    assert!(matches!(
        medium.open(&readme()),
        Err(MediaError::Missing { .. })
    ));
    assert!(matches!(
        medium.list(&MediaPath::bundles()),
        Err(MediaError::Missing { .. })
    ));
    assert!(MediaFolder::open(&folder.path.join("gone")).is_err());
}

#[test]
fn a_kernel_without_openat2_refuses_the_same_things() {
    let folder = folder();
    fs_err::create_dir_all(folder.path.join("a/b")).unwrap();
    fs_err::write(folder.path.join("a/b/file"), b"x").unwrap();
    symlink("/etc", folder.path.join("out")).unwrap();
    symlink("b/file", folder.path.join("a/link")).unwrap();
    let beneath = Beneath::new(&folder.path).unwrap();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |parts: &[&str]| beneath.open_by_component(parts, flags, Mode::empty());
    assert!(open(&["a", "b", "file"]).is_ok());
    assert!(open(&["out", "passwd"]).is_err());
    assert!(open(&["a", "link"]).is_err());
    assert!(open(&["..", "x"]).is_err());
    assert!(open(&["a", "..", "a", "b", "file"]).is_err());
}

#[test]
fn another_file_system_on_the_way_is_refused() {
    let beneath = Beneath::new(Utf8Path::new("/")).unwrap();
    let open = |flags| beneath.open(&["proc", "version"], flags, Mode::empty());
    let error = open(OFlags::RDONLY).unwrap_err();
    assert_eq!(
        rustix::io::Errno::from_io_error(&error),
        Some(rustix::io::Errno::XDEV)
    );
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    assert!(
        beneath
            .open_by_component(&["proc", "version"], flags, Mode::empty())
            .is_err()
    );
}

// === SinkFolder ===

#[test]
fn a_finished_file_has_its_name_and_an_unfinished_one_leaves_nothing() {
    let folder = folder();
    let mut sink = SinkFolder::create(&folder.path.join("stick")).unwrap();
    let mut file = sink.create(&volume_json()).unwrap();
    file.write_all(b"{").unwrap();
    file.write_all(b"}").unwrap();
    file.finish().unwrap();
    let mut left = sink.create(&readme()).unwrap();
    left.write_all(b"half").unwrap();
    drop(left);
    let written = folder.path.join("stick/MAAS/acme-1/volume.json");
    assert_eq!(fs_err::read(written).unwrap(), b"{}");
    assert_eq!(
        fs_err::read_dir(folder.path.join("stick")).unwrap().count(),
        1
    );
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let folder = folder();
    fs_err::write(folder.path.join("README.txt"), b"theirs").unwrap();
    let mut sink = SinkFolder::create(&folder.path).unwrap();
    match sink.create(&readme()) {
        Err(MediaError::Io { source, .. }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
        }
        _ => panic!("it was overwritten"),
    }
    sink.replace(&readme(), b"ours").unwrap();
    assert_eq!(
        fs_err::read(folder.path.join("README.txt")).unwrap(),
        b"ours"
    );
}

#[test]
fn bootstrap_and_binary_are_executable_and_nothing_else_is() {
    let folder = folder();
    let mut sink = SinkFolder::create(&folder.path).unwrap();
    for name in MediumName::ALL {
        sink.create(&MediaPath::medium_file(name))
            .unwrap()
            .finish()
            .unwrap();
    }
    let mode = |name: &str| {
        fs_err::metadata(folder.path.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("install.sh"), 0o755);
    assert_eq!(mode("maas-appliance"), 0o755);
    assert_eq!(mode("README.txt"), 0o644);
}

// === SourceFolder ===

#[test]
fn inputs_may_be_links_as_the_caches_of_model_hubs_have_them() {
    let folder = folder();
    fs_err::create_dir_all(folder.path.join("blobs")).unwrap();
    fs_err::create_dir_all(folder.path.join("snapshot")).unwrap();
    fs_err::write(folder.path.join("blobs/abc"), b"weights").unwrap();
    symlink(
        "../blobs/abc",
        folder.path.join("snapshot/model.safetensors"),
    )
    .unwrap();
    let source = SourceFolder::new(&folder.path);
    let entries = source.list("snapshot".into()).unwrap();
    assert_eq!(entries[0].kind, SourceKind::File { size: 7 });
    let mut text = String::new();
    let mut file = source.open("snapshot/model.safetensors".into()).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "weights");
}

#[test]
fn inputs_that_are_pipes_are_refused_and_not_waited_for() {
    let folder = folder();
    pipe(&folder.path.join("pipe"));
    symlink("pipe", folder.path.join("link")).unwrap();
    let source = SourceFolder::new(&folder.path);
    for name in ["pipe", "link"] {
        assert!(matches!(
            source.kind(name.into()),
            Err(SourceError::NotRegular { .. })
        ));
        assert!(matches!(
            source.open(name.into()),
            Err(SourceError::NotRegular { .. })
        ));
    }
    assert!(matches!(
        source.list("".into()),
        Err(SourceError::NotRegular { .. })
    ));
}
