//! What becomes of sound images.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::{
    site::{Site, TestLayer},
    tar::{Header, Tar, record},
};
use crate::{
    ErrorKind, ImageError, Left, Ownership, Policy, SetIds, beneath::Resolve, unpack::Progress,
};

const LINKS: u32 = 0o120_777;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn names(site: &Site) -> Vec<String> {
    site.rootfs()
        .into_keys()
        .filter(|name| name != ".")
        .collect()
}

#[test]
fn files_folders_and_links_are_what_the_archive_says() {
    let site = Site::new();
    let tar = Tar::new()
        .raw(Header::new(b'5', b"./").mode(0o750).mtime(5), b"")
        .raw(Header::new(b'5', b"sealed/").mode(0o555).mtime(77), b"")
        .file("sealed/file", b"content")
        .symlink("sealed/link", "../../nowhere")
        .hard_link("other", "sealed/file")
        .raw(Header::new(b'6', b"pipe").mode(0o620), b"")
        .end();
    let unpacked = site.lay(&[tar], &Policy::for_user()).unwrap();
    let seen = site.rootfs();
    let about = |name: &str| (seen[name].0, seen[name].3);
    assert_eq!(about("."), (0o040_750, 5));
    assert_eq!(about("sealed"), (0o040_555, 77));
    assert_eq!(about("sealed/file"), (0o100_644, 1_000));
    assert_eq!(about("sealed/link"), (LINKS, 1_000));
    assert_eq!(about("pipe"), (0o010_620, 1_000));
    assert_eq!(seen["sealed/link"].4, b"../../nowhere");
    assert_eq!(seen["other"].4, b"content");
    let inode = |name: &str| fs_err::metadata(unpacked.rootfs.join(name)).unwrap().ino();
    assert_eq!(inode("other"), inode("sealed/file"));
    assert_eq!(unpacked.record.entries, 5);
    assert_eq!(unpacked.record.bytes, 7);
    assert_eq!(unpacked.record.run.entrypoint, ["/bin/engine"]);
    assert!(unpacked.record.run.cmd.is_empty());
    assert!(!site.has_partial());
}

#[test]
fn the_second_call_finds_the_image_and_does_nothing() {
    let site = Site::new();
    let manifest = site.image(&[TestLayer::plain(Tar::new().file("a", b"1").end())]);
    let first = site.unpack(&manifest, &Policy::for_user()).unwrap();
    let before = site.rootfs();
    // Not even the layout is asked.
    fs_err::remove_dir_all(site.path("layout")).unwrap();
    let second = site.unpack(&manifest, &Policy::for_user()).unwrap();
    assert!(!first.was_there && second.was_there);
    assert_eq!(first.record, second.record);
    assert_eq!(site.rootfs(), before);
}

#[test]
fn another_image_or_a_strange_folder_in_its_place_is_left_alone() {
    let site = Site::new();
    let one = site.image(&[TestLayer::plain(Tar::new().file("a", b"1").end())]);
    site.unpack(&one, &Policy::for_user()).unwrap();
    let two = site.image(&[TestLayer::plain(Tar::new().file("b", b"1").end())]);
    let error = site.unpack(&two, &Policy::for_user()).unwrap_err();
    assert!(matches!(error, ImageError::Occupied { .. }), "{error}");
    fs_err::write(site.place().join("image.json"), "{").unwrap();
    let error = site.unpack(&one, &Policy::for_user()).unwrap_err();
    assert!(matches!(error, ImageError::Occupied { .. }), "{error}");
    assert_eq!(names(&site), ["a"]);
}

#[test]
fn what_an_interrupted_run_left_is_removed_whatever_modes_it_has() {
    let site = Site::new();
    let partial = site.path("images/one.partial");
    fs_err::create_dir_all(partial.join("rootfs/sealed/inner")).unwrap();
    fs_err::write(partial.join("rootfs/sealed/stale"), "").unwrap();
    std::os::unix::fs::symlink(site.canary(), partial.join("rootfs/out")).unwrap();
    for folder in ["rootfs/sealed/inner", "rootfs/sealed", "rootfs"] {
        let mode = std::fs::Permissions::from_mode(0o000);
        fs_err::set_permissions(partial.join(folder), mode).unwrap();
    }
    let before = site.surroundings();
    let tar = Tar::new().file("a", b"").end();
    site.lay(std::slice::from_ref(&tar), &Policy::for_user())
        .unwrap();
    assert_eq!(names(&site), ["a"]);
    assert!(!site.has_partial());
    let canary = |seen: &std::collections::BTreeMap<String, super::site::Seen>| {
        seen.iter()
            .filter(|(path, _)| path.starts_with("canary"))
            .count()
    };
    assert_eq!(canary(&site.surroundings()), canary(&before));
}

#[test]
fn layers_packed_in_every_way_give_the_same() {
    let tar = Tar::new().file("a", &vec![7; 3_000_000]).end();
    let mut two_members = TestLayer::gzip(&tar);
    two_members.blob = [&tar[..1_000_000], &tar[1_000_000..]]
        .map(super::site::gzip)
        .concat();
    let mut docker = TestLayer::gzip(&tar);
    docker.kind = "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned();
    for layer in [
        TestLayer::plain(tar.clone()),
        TestLayer::gzip(&tar),
        TestLayer::zstd(&tar),
        two_members,
        docker,
    ] {
        let site = Site::new();
        site.unpack(&site.image(&[layer]), &Policy::for_user())
            .unwrap();
        assert_eq!(site.rootfs()["a"].4, vec![7; 3_000_000]);
    }
}

#[test]
fn a_whiteout_hides_lower_layers_only_whatever_comes_first() {
    let lower = Tar::new()
        .folder("d")
        .file("d/old", b"")
        .file("d/both", b"old")
        .raw(Header::new(b'5', b"d/sub").mode(0o700), b"")
        .file("d/sub/old", b"")
        .file("gone/a/b", b"")
        .file("file", b"old")
        .end();
    let marks = |tar: Tar| {
        tar.empty("d/.wh..wh..opq")
            .empty(".wh.gone")
            .empty(".wh.file")
            .empty(".wh.never")
    };
    let news = |tar: Tar| {
        tar.file("d/both", b"new")
            .file("d/sub/new", b"")
            .file("gone/new", b"")
            .file("file", b"new")
    };
    let mut results = Vec::new();
    for upper in [news(marks(Tar::new())).end(), marks(news(Tar::new())).end()] {
        let site = Site::new();
        site.lay(&[lower.clone(), upper], &Policy::for_user())
            .unwrap();
        let seen = site.rootfs();
        assert_eq!(
            names(&site),
            [
                "d",
                "d/both",
                "d/sub",
                "d/sub/new",
                "file",
                "gone",
                "gone/new"
            ]
        );
        assert_eq!(
            (&seen["d/both"].4[..], &seen["file"].4[..]),
            (&b"new"[..], &b"new"[..])
        );
        // The lower layer's mode is hidden with the folder that had it.
        assert_eq!(seen["d/sub"].0, 0o040_755);
        results.push(seen);
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn entries_below_links_within_the_image_land_where_the_links_lead() {
    for resolve in [Resolve::Kernel, Resolve::Walk] {
        let site = Site::new();
        let lower = Tar::new()
            .folder("usr/lib")
            .symlink("lib", "usr/lib")
            .folder("run")
            .symlink("var/run", "/run")
            .end();
        let upper = Tar::new()
            .file("lib/a", b"a")
            .file("var/run/b", b"b")
            .hard_link("c", "lib/a")
            .end();
        let layers = [lower, upper].map(TestLayer::plain);
        let manifest = site.image(&layers);
        site.unpack_by(Some(resolve), &manifest, &Policy::for_user())
            .unwrap();
        assert_eq!(
            names(&site),
            [
                "c",
                "lib",
                "run",
                "run/b",
                "usr",
                "usr/lib",
                "usr/lib/a",
                "var",
                "var/run"
            ]
        );
    }
}

#[test]
fn one_kind_takes_the_place_of_another() {
    let site = Site::new();
    let lower = Tar::new()
        .file("a", b"")
        .file("b/deep/x", b"")
        .symlink("c", "b")
        .folder("d")
        .file("target", b"kept")
        .symlink("e", "target")
        .end();
    let upper = Tar::new()
        .folder("a")
        .file("b", b"file")
        .folder("c")
        .symlink("d", "target")
        .file("e", b"new")
        .end();
    site.lay(&[lower, upper], &Policy::for_user()).unwrap();
    let seen = site.rootfs();
    assert_eq!(names(&site), ["a", "b", "c", "d", "e", "target"]);
    assert_eq!(seen["a"].0 & 0o170_000, 0o040_000);
    assert_eq!(seen["b"].4, b"file");
    assert_eq!(seen["c"].0 & 0o170_000, 0o040_000);
    assert_eq!(seen["d"].4, b"target");
    assert_eq!(seen["e"].4, b"new");
    assert_eq!(seen["target"].4, b"kept");
}

#[test]
fn names_are_bytes_and_may_be_long() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let pax = format!("{}/p", "e".repeat(255));
    let site = Site::new();
    let tar = Tar::new()
        .extension(b'L', format!("{long}\0").as_bytes())
        .file("cut", b"1")
        .pax(&[("path", pax.as_bytes()), ("mtime", b"12.5")])
        .file("cut", b"2")
        .raw(Header::new(b'0', b"\xff\xfe"), b"")
        .end();
    let unpacked = site.lay(&[tar], &Policy::for_user()).unwrap();
    let seen = site.rootfs();
    assert_eq!(seen[&long].4, b"1");
    assert_eq!((seen[&pax].4.as_slice(), seen[&pax].3), (&b"2"[..], 12));
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe");
    assert!(unpacked.rootfs.as_std_path().join(name).exists());
}

#[test]
fn files_with_holes_are_read_in_all_four_formats() {
    let mut want = vec![0; 20];
    want[5..8].copy_from_slice(b"abc");
    let sparse = |records: &[(&str, &[u8])], content: &[u8]| {
        Tar::new().pax(records).file("s", content).end()
    };
    let mut in_contents = b"1\n5\n3\n".to_vec();
    in_contents.resize(512, 0);
    in_contents.extend(b"abc");
    let old = Header::new(b'S', b"s")
        .size(3)
        .with(257, b"ustar  \0")
        .with(386, b"00000000005\x0000000000003\0")
        .with(483, b"00000000024\0");
    for tar in [
        sparse(
            &[
                ("GNU.sparse.size", b"20"),
                ("GNU.sparse.offset", b"5"),
                ("GNU.sparse.numbytes", b"3"),
            ],
            b"abc",
        ),
        sparse(
            &[("GNU.sparse.size", b"20"), ("GNU.sparse.map", b"5,3")],
            b"abc",
        ),
        sparse(
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"s"),
                ("GNU.sparse.realsize", b"20"),
            ],
            &in_contents,
        ),
        Tar::new().raw(old, b"abc").end(),
    ] {
        let site = Site::new();
        site.lay(&[tar], &Policy::for_user()).unwrap();
        assert_eq!(site.rootfs()["s"].4, want);
    }
}

#[test]
fn privileges_are_left_out_and_counted() {
    let tar = Tar::new()
        .raw(Header::new(b'0', b"su").mode(0o4755), b"")
        .raw(Header::new(b'5', b"tmp").mode(0o3777), b"")
        .pax(&[
            ("SCHILY.xattr.user.note", b"x"),
            ("SCHILY.xattr.security.capability", b"x"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ])
        .empty("f")
        .raw(Header::new(b'3', b"null").device(1, 3), b"")
        .end();
    let site = Site::new();
    let policy = Policy {
        devices: crate::Devices::Skip,
        ..Policy::for_user()
    };
    let unpacked = site.lay(std::slice::from_ref(&tar), &policy).unwrap();
    let seen = site.rootfs();
    assert_eq!((seen["su"].0, seen["tmp"].0), (0o100_755, 0o041_777));
    assert!(!seen.contains_key("null"));
    let Left {
        devices,
        set_ids,
        xattrs,
    } = unpacked.record.left_out;
    // One more where the file system has no attributes.
    assert!(devices == 1 && set_ids == 2 && [2, 3].contains(&xattrs));

    let site = Site::new();
    let policy = Policy {
        set_ids: SetIds::Keep,
        ..policy
    };
    site.lay(&[tar], &policy).unwrap();
    assert_eq!(site.rootfs()["su"].0, 0o104_755);
}

#[test]
fn owners_are_the_image_s_where_root_keeps_them() {
    let tar = Tar::new()
        .raw(Header::new(b'0', b"a").ids(1234, 4321), b"")
        .raw(Header::new(b'5', b"d").ids(7, 8), b"")
        .raw(Header::new(b'2', b"l").ids(9, 10).link(b"a"), b"")
        .end();
    let site = Site::new();
    site.lay(std::slice::from_ref(&tar), &Policy::for_user())
        .unwrap();
    let me = rustix::process::geteuid().as_raw();
    assert!(site.rootfs().values().all(|seen| seen.1 == me));
    if is_root() {
        let site = Site::new();
        let unpacked = site.lay(&[tar], &Policy::for_root()).unwrap();
        assert_eq!(unpacked.record.ownership, Ownership::Keep);
        let seen = site.rootfs();
        let owner = |name: &str| (seen[name].1, seen[name].2);
        assert_eq!(
            (owner("a"), owner("d"), owner("l")),
            ((1234, 4321), (7, 8), (9, 10))
        );
    }
}

#[test]
fn progress_ends_with_all_bytes_read() {
    let site = Site::new();
    let tar = |name: &str| Tar::new().file(name, &vec![7; 3_000_000]).end();
    let manifest = site.image(&[TestLayer::plain(tar("a")), TestLayer::plain(tar("b"))]);
    let mut told: Vec<Progress> = Vec::new();
    crate::unpack(
        &site.path("layout"),
        &manifest,
        &site.place(),
        &Policy::for_user(),
        &mut |progress| told.push(progress),
    )
    .unwrap();
    assert!(told.len() >= 4 && told.is_sorted_by_key(|progress| progress.read));
    let last = told.last().unwrap();
    assert_eq!((last.read, last.layer, last.layers), (last.of, 2, 2));
}

#[test]
fn a_failure_says_which_layer_and_entry_and_what_kind_it_is() {
    let site = Site::new();
    let tar = Tar::new().file("fine", b"").file("../x", b"").end();
    let error = site.lay(&[tar], &Policy::for_user()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content);
    let text = error.to_string();
    assert!(
        text.ends_with("of the image, entry `../x`: the name has `..` in it"),
        "{text}"
    );
    assert_eq!(record("path", b"a"), b"9 path=a\n");
}
