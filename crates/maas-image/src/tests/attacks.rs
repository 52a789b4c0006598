//! Hostile layers, each with its verdict. Whatever the verdict, nothing outside the root file system
//! changes and no partial folder stays; every one is tried with both ways of finding folders.

use super::{
    site::{Site, TestLayer, digest, gzip, look},
    tar::{Header, Tar, record},
};
use crate::{Devices, Flaw, ImageError, Limits, Policy, beneath::Resolve};

mod archives;
mod packings;
mod paths;

/// What must become of an attack.
enum Verdict {
    /// Refused for just this.
    Refused(Flaw),
    /// Unpacked, to just these names with these contents (a link's is its target; a folder's is `/`).
    Becomes(&'static [(&'static str, &'static str)]),
}

struct Attack {
    /// What it tries, in words; the listing of this table is the documentation.
    name: &'static str,
    layers: Vec<TestLayer>,
    verdict: Verdict,
}

fn attack(name: &'static str, layers: Vec<Vec<u8>>, verdict: Verdict) -> Attack {
    Attack {
        name,
        layers: layers.into_iter().map(TestLayer::plain).collect(),
        verdict,
    }
}

fn refused(name: &'static str, tar: Tar, flaw: Flaw) -> Attack {
    attack(name, vec![tar.end()], Verdict::Refused(flaw))
}

/// The policy of the table: small limits, so that small layers reach them.
fn policy() -> Policy {
    Policy {
        limits: Limits {
            layers: 4,
            entries: 50,
            bytes: 4 << 20,
            file_bytes: 3 << 20,
            layer_bytes: 8 << 20,
            ratio: 20,
            ratio_from: 1 << 16,
            path_bytes: 1024,
            depth: 20,
            extension_bytes: 1 << 14,
        },
        ..Policy::for_user()
    }
}

/// `CANARY` in an archive stands for the absolute path of the canary folder, as long as it.
fn with_canary(bytes: &[u8], canary: &str) -> Vec<u8> {
    const MARK: &[u8] = b"CANARY";
    let mut bytes = bytes.to_vec();
    while let Some(at) = bytes.windows(MARK.len()).position(|window| window == MARK) {
        // Within a name field, whose rest is NULs or the rest of the name.
        let end = at + bytes[at..].iter().position(|byte| *byte == 0).unwrap();
        let tail = bytes[at + MARK.len()..end].to_vec();
        let path = [canary.as_bytes(), &tail].concat();
        bytes[at..at + path.len()].copy_from_slice(&path);
        let header = at / 512 * 512;
        bytes[header + 148..header + 156].fill(b' ');
        let sum: u32 = bytes[header..header + 512]
            .iter()
            .map(|b| u32::from(*b))
            .sum();
        bytes[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn run(attack: &Attack, resolve: Resolve) {
    let site = Site::new();
    let mut layers = attack.layers.clone();
    for layer in &mut layers {
        if digest(&layer.blob) == layer.diff_id {
            layer.blob = with_canary(&layer.blob, site.canary().as_str());
            layer.diff_id = digest(&layer.blob);
        }
    }
    let manifest = site.image(&layers);
    let before = site.surroundings();
    let result = site.unpack_by(Some(resolve), &manifest, &policy());
    let name = attack.name;
    assert_eq!(
        site.surroundings(),
        before,
        "{name}: something outside changed"
    );
    assert!(!site.has_partial(), "{name}: a partial folder stayed");
    match (&attack.verdict, result) {
        (Verdict::Refused(want), Err(ImageError::Layer { flaw, .. })) => match (want, *flaw) {
            // What a library says is not ours to fix.
            (Flaw::Compression(_), Flaw::Compression(_)) => {}
            (want, flaw) => assert_eq!(&flaw, want, "{name}"),
        },
        (Verdict::Becomes(want), Ok(unpacked)) => {
            let seen = look(&unpacked.rootfs)
                .into_iter()
                .filter(|(path, _)| path != ".");
            let seen: Vec<_> = seen
                .map(|(path, (mode, .., content))| match mode & 0o170_000 {
                    0o040_000 => (path, "/".to_owned()),
                    _ => (path, String::from_utf8(content).unwrap()),
                })
                .collect();
            let want: Vec<_> = want
                .iter()
                .map(|(path, content)| {
                    let content = content.replace("CANARY", site.canary().as_str());
                    ((*path).to_owned(), content)
                })
                .collect();
            assert_eq!(seen, want, "{name}");
        }
        (_, result) => panic!("{name}: {result:?}"),
    }
    if !matches!(attack.verdict, Verdict::Becomes(_)) {
        assert!(!site.place().exists(), "{name}: it was unpacked");
    }
}

#[test]
fn every_attack_has_its_verdict_and_changes_nothing_outside() {
    let tables = [paths::attacks(), archives::attacks(), packings::attacks()];
    let attacks: Vec<_> = tables.into_iter().flatten().collect();
    assert!(attacks.len() >= 80, "{}", attacks.len());
    for attack in &attacks {
        for resolve in [Resolve::Kernel, Resolve::Walk] {
            run(attack, resolve);
        }
    }
}

#[test]
fn skipped_devices_are_left_out_but_a_whiteout_of_overlayfs_is_refused() {
    let policy = Policy {
        devices: Devices::Skip,
        ..policy()
    };
    let device = |major, minor| {
        Tar::new()
            .raw(Header::new(b'3', b"dev/x").device(major, minor), b"")
            .end()
    };
    let site = Site::new();
    site.lay(&[device(1, 3)], &policy).unwrap();
    assert_eq!(site.rootfs().len(), 1);
    let site = Site::new();
    let error = site.lay(&[device(0, 0)], &policy).unwrap_err();
    assert!(matches!(&error, ImageError::Layer { flaw, .. } if **flaw == Flaw::Device));
}
