//! Layers that are packed otherwise than they say, or that grow.

use super::{Attack, Flaw, Tar, TestLayer, Verdict, digest, gzip};
use Verdict::{Becomes, Refused};

const COMPRESSION: Flaw = Flaw::Compression(String::new());

fn tar() -> Vec<u8> {
    Tar::new().file("x", b"content").end()
}

fn packed(name: &'static str, layer: TestLayer, verdict: Verdict) -> Attack {
    Attack {
        name,
        layers: vec![layer],
        verdict,
    }
}

fn blob(layer: TestLayer, blob: Vec<u8>) -> TestLayer {
    TestLayer { blob, ..layer }
}

fn kind(layer: TestLayer, kind: &str) -> TestLayer {
    TestLayer {
        kind: kind.to_owned(),
        ..layer
    }
}

pub(super) fn attacks() -> Vec<Attack> {
    [kinds(), bombs(), damage()].into_iter().flatten().collect()
}

fn kinds() -> Vec<Attack> {
    let (plain, gzipped) = (TestLayer::plain(tar()), TestLayer::gzip(&tar()));
    let wrong = |announced, found| Refused(Flaw::Packing { announced, found });
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let from_elsewhere = TestLayer {
        urls: vec!["https://example.org/layer".to_owned()],
        ..plain.clone()
    };
    vec![
        packed(
            "gzip that says it is plain",
            kind(gzipped.clone(), &plain.kind),
            wrong("plain tar", "gzip"),
        ),
        packed(
            "plain that says it is gzip",
            kind(plain.clone(), &gzipped.kind),
            wrong("gzip", "plain tar"),
        ),
        packed(
            "gzip that says it is zstd",
            kind(gzipped.clone(), &TestLayer::zstd(b"").kind),
            wrong("zstd", "gzip"),
        ),
        packed(
            "Docker's foreign layer",
            kind(gzipped, foreign),
            Refused(Flaw::MediaType(foreign.to_owned())),
        ),
        packed(
            "no layer at all",
            kind(plain, "text/plain"),
            Refused(Flaw::MediaType("text/plain".to_owned())),
        ),
        packed(
            "a layer to be fetched",
            from_elsewhere,
            Refused(Flaw::Foreign),
        ),
    ]
}

/// One zstd frame of a raw block of nothing, whose window is 2^(10+`exponent`).
fn wide_window(exponent: u8) -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0]
}

fn bombs() -> Vec<Attack> {
    let zeros = vec![0; 4 << 20];
    let long = Tar::new().endless();
    let big = [long, vec![0; 9 << 20]].concat();
    let ratio = || Refused(Flaw::limit("bytes that one compressed byte becomes", 20));
    let endless = TestLayer::plain(Vec::new());
    let zstd = TestLayer::zstd(b"").kind;
    vec![
        packed("a gzip bomb", TestLayer::gzip(&zeros), ratio()),
        packed("a zstd bomb", TestLayer::zstd(&zeros), ratio()),
        packed(
            "a layer of more than its limit",
            TestLayer::plain(big),
            Refused(Flaw::limit("bytes of a layer", 8 << 20)),
        ),
        packed(
            "a zstd window of 3.75 TB",
            kind(blob(endless.clone(), wide_window(31)), &zstd),
            Refused(COMPRESSION),
        ),
        packed(
            "a zstd window of 256 MiB",
            kind(blob(endless.clone(), wide_window(18)), &zstd),
            Refused(COMPRESSION),
        ),
        packed(
            "a zstd window of 128 MiB is allowed",
            kind(blob(endless, wide_window(17)), &zstd),
            Becomes(&[]),
        ),
    ]
}

fn damage() -> Vec<Attack> {
    let (gzipped, zstd) = (TestLayer::gzip(&tar()), TestLayer::zstd(&tar()));
    let cut = |layer: &TestLayer| blob(layer.clone(), layer.blob[..layer.blob.len() - 6].to_vec());
    let garbage = |layer: &TestLayer| blob(layer.clone(), [&layer.blob[..], b"garbage"].concat());
    let evil = Tar::new().file("y", b"evil").end();
    let second = blob(gzipped.clone(), [gzip(&tar()), gzip(&evil)].concat());
    let second = TestLayer {
        diff_id: digest(&[tar(), evil.clone()].concat()),
        ..second
    };
    let hidden_member = blob(gzipped.clone(), [gzip(&tar()), gzip(&[0; 512])].concat());
    let other = |layer: TestLayer| TestLayer {
        diff_id: digest(b"other"),
        ..layer
    };
    let wrong = Refused(Flaw::DiffId {
        wanted: digest(b"other"),
        found: digest(&tar()),
    });
    let with_zeros = Refused(Flaw::DiffId {
        wanted: digest(&tar()),
        found: digest(&[tar(), vec![0; 512]].concat()),
    });
    vec![
        packed("gzip that is cut", cut(&gzipped), Refused(COMPRESSION)),
        packed("zstd that is cut", cut(&zstd), Refused(COMPRESSION)),
        packed(
            "garbage behind gzip",
            garbage(&gzipped),
            Refused(COMPRESSION),
        ),
        packed("garbage behind zstd", garbage(&zstd), Refused(COMPRESSION)),
        packed(
            "a second member with a second archive",
            second,
            Refused(Flaw::Archive("something follows its end")),
        ),
        packed(
            "a second member that the config does not know",
            hidden_member,
            with_zeros,
        ),
        packed("a diff_id of something else", other(gzipped), wrong),
    ]
}
