//! Archives that are none, or that two readers understand differently.

use super::{Attack, Flaw, Header, Tar, TestLayer, Verdict, attack, record, refused};
use Verdict::{Becomes, Refused};

pub(super) fn attacks() -> Vec<Attack> {
    [sizes(), extensions(), ends(), amounts()]
        .into_iter()
        .flatten()
        .collect()
}

fn sizes() -> Vec<Attack> {
    let size = |field: &[u8]| Tar::new().raw(Header::new(b'0', b"x").with(124, field), b"");
    let not_a_size = Flaw::Archive("a size is not a size");
    vec![
        refused("a negative size", size(&[0xff; 12]), not_a_size.clone()),
        refused(
            "a size of 2^88",
            size(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            not_a_size,
        ),
        refused(
            "a size of 2^63",
            size(&[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            Flaw::Archive("a size is beyond all measure"),
        ),
        refused(
            "a size that is no number",
            size(b"12x"),
            Flaw::Archive("a number is not one"),
        ),
        refused(
            "a file of more than its limit",
            Tar::new().raw(Header::new(b'0', b"x").size(3 << 20 | 1), b""),
            Flaw::limit("bytes of one file", 3 << 20),
        ),
        refused(
            "a size of terabytes and a file of none",
            size(b"77777777777\0"),
            Flaw::limit("bytes of one file", 3 << 20),
        ),
        refused(
            "a size that is more than there is",
            Tar::new().raw(Header::new(b'0', b"x").size(1 << 20), b"short"),
            Flaw::Archive("it ends in the middle of a file"),
        ),
        refused(
            "a hole of terabytes",
            Tar::new()
                .pax(&[
                    ("GNU.sparse.size", b"1099511627776"),
                    ("GNU.sparse.map", b"0,1"),
                ])
                .file("x", b"a"),
            Flaw::limit("bytes of one file", 3 << 20),
        ),
        refused(
            "holes that overlap",
            Tar::new()
                .pax(&[("GNU.sparse.size", b"9"), ("GNU.sparse.map", b"0,2,1,2")])
                .file("x", b"abcd"),
            Flaw::Archive("a map of holes goes back"),
        ),
        refused(
            "a map of holes without an end",
            Tar::new()
                .pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9")])
                .file("x", b"7\n1\n1\n"),
            Flaw::Archive("a map of holes is malformed"),
        ),
        refused(
            "a wrong checksum",
            Tar::new().raw(Header::new(b'0', b"x"), b"").broken(0),
            Flaw::Archive("a header's checksum does not fit"),
        ),
        refused(
            "the owner that means nobody",
            Tar::new().pax(&[("uid", b"4294967295")]).file("x", b""),
            Flaw::Archive("an owner is beyond all measure"),
        ),
    ]
}

impl Tar {
    /// One byte changed, after its checksum was made.
    fn broken(self, at: usize) -> Self {
        let mut bytes = self.endless();
        bytes[at] ^= 1;
        Self::of(bytes)
    }
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn extensions() -> Vec<Attack> {
    // A reader that believes the header sees `hidden`; one that believes PAX sees `x` alone.
    let smuggled = Tar::new().file("hidden", b"evil").endless();
    let entries_in_file = |size: &[u8]| {
        Tar::new()
            .pax(&[("size", size)])
            .raw(Header::new(b'0', b"x").size(1024), &smuggled)
    };
    let twice = [record("path", b"a"), record("path", b"b")].concat();
    vec![
        refused(
            "two sizes: PAX says less than the header (CVE-2025-62518)",
            entries_in_file(b"5"),
            Flaw::Archive("an entry has two sizes"),
        ),
        refused(
            "two sizes: PAX says more than the header",
            entries_in_file(b"1536"),
            Flaw::Archive("an entry has two sizes"),
        ),
        attack(
            "PAX's size where the header has none",
            vec![
                Tar::new()
                    .pax(&[("size", b"1024")])
                    .raw(Header::new(b'0', b"x"), &[b'a'; 1024])
                    .pax(&[("path", b"y")])
                    .file("z", b"")
                    .end(),
            ],
            Becomes(&[("x", A_1024), ("y", "")]),
        ),
        refused(
            "one key twice",
            Tar::new().extension(b'x', &twice).file("x", b""),
            Flaw::Archive("one key twice in an extended header"),
        ),
        refused(
            "two extended headers",
            Tar::new()
                .pax(&[("path", b"a")])
                .pax(&[("path", b"b")])
                .file("x", b""),
            Flaw::Archive("two extended headers before one entry"),
        ),
        refused(
            "two long names",
            Tar::new()
                .extension(b'L', b"a\0")
                .extension(b'L', b"b\0")
                .file("x", b""),
            Flaw::Archive("one extension twice before one entry"),
        ),
        refused(
            "a long name and another one in PAX",
            Tar::new()
                .extension(b'L', b"a\0")
                .pax(&[("path", b"b")])
                .file("x", b""),
            Flaw::Archive("an entry has two names"),
        ),
        refused(
            "a global name",
            Tar::new()
                .extension(b'g', &record("path", b"a"))
                .file("x", b""),
            Flaw::Archive("a global header that changes entries"),
        ),
        refused(
            "a global size",
            Tar::new()
                .extension(b'g', &record("size", b"0"))
                .file("x", b"1"),
            Flaw::Archive("a global header that changes entries"),
        ),
        attack(
            "a global comment, as git writes it",
            vec![
                Tar::new()
                    .extension(b'g', &record("comment", b"a"))
                    .file("x", b"1")
                    .end(),
            ],
            Becomes(&[("x", "1")]),
        ),
        refused(
            "a PAX path up",
            Tar::new()
                .pax(&[("path", b"../../../canary/file")])
                .file("x", b"evil"),
            Flaw::Upwards,
        ),
        refused(
            "a PAX link target up",
            Tar::new()
                .pax(&[("linkpath", b"../../../canary/file")])
                .hard_link("x", "x"),
            Flaw::LinkTarget("../../../canary/file".to_owned()),
        ),
        refused(
            "a record whose length lies",
            Tar::new().extension(b'x', b"99 path=a\n").file("x", b""),
            Flaw::Archive("an extended header is malformed"),
        ),
        refused(
            "a record whose length ends in the middle",
            Tar::new().extension(b'x', b"8 path=a\n").file("x", b""),
            Flaw::Archive("an extended header is malformed"),
        ),
        refused(
            "an extended header of megabytes",
            Tar::new()
                .extension(b'x', &vec![b'1'; (1 << 14) + 1])
                .file("x", b""),
            Flaw::limit("bytes of an extended header", 1 << 14),
        ),
        refused(
            "a long name that announces terabytes",
            Tar::new().raw(Header::new(b'L', b"x").with(124, b"77777777777\0"), b""),
            Flaw::limit("bytes of an extended header", 1 << 14),
        ),
        refused(
            "extensions without end",
            (0..20).fold(Tar::new(), |tar, _| {
                tar.extension(b'g', &record("comment", b"a"))
            }),
            Flaw::Archive("too many extensions before one entry"),
        ),
        refused(
            "an extension of nothing",
            Tar::new().file("x", b"").pax(&[("path", b"a")]),
            Flaw::Archive("an extension of an entry that is not there"),
        ),
        attack(
            "a hard link with contents, which has none",
            vec![
                Tar::new()
                    .file("a", b"1")
                    .raw(Header::new(b'1', b"b").link(b"a").size(512), b"")
                    .file("c", b"2")
                    .end(),
            ],
            Becomes(&[("a", "1"), ("b", "1"), ("c", "2")]),
        ),
    ]
}

const A_1024: &str = match std::str::from_utf8(&[b'a'; 1024]) {
    Ok(text) => text,
    Err(_) => "",
};

fn ends() -> Vec<Attack> {
    let file = || Tar::new().file("x", b"content");
    let whole = file().end();
    let behind = [whole.clone(), file().end()].concat();
    let mut late = whole.clone();
    late.extend([0; 8192]);
    late.push(1);
    vec![
        attack(
            "cut in a header",
            vec![whole[..300].to_vec()],
            Refused(Flaw::Archive("it ends in the middle of a block")),
        ),
        attack(
            "cut in a file's last block",
            vec![whole[..600].to_vec()],
            Refused(Flaw::Archive("it ends in the middle of an entry")),
        ),
        attack(
            "without its two blocks of zeros",
            vec![file().endless()],
            Becomes(&[("x", "content")]),
        ),
        attack(
            "a second archive behind its end",
            vec![behind],
            Refused(Flaw::Archive("something follows its end")),
        ),
        attack(
            "a byte far behind its end",
            vec![late],
            Refused(Flaw::Archive("something follows its end")),
        ),
        attack(
            "text that is no archive",
            vec![vec![b'a'; 1024]],
            Refused(Flaw::Archive("a number is not one")),
        ),
        attack("nothing at all", vec![Vec::new()], Becomes(&[])),
    ]
}

fn amounts() -> Vec<Attack> {
    let many = |count| (0..count).fold(Tar::new(), |tar, _| tar.file("x", b""));
    let big = || Tar::new().file("x", &vec![0; 3 << 20]).end();
    vec![
        refused(
            "more entries than are allowed, of one name",
            many(51),
            Flaw::limit("entries of all layers", 50),
        ),
        attack(
            "as many entries as are allowed",
            vec![many(50).end()],
            Becomes(&[("x", "")]),
        ),
        attack(
            "more entries than are allowed, in two layers",
            vec![many(30).end(), many(30).end()],
            Refused(Flaw::limit("entries of all layers", 50)),
        ),
        attack(
            "more bytes than are allowed, of one name",
            vec![big(), big()],
            Refused(Flaw::limit("bytes of all files", 4 << 20)),
        ),
        Attack {
            name: "more layers than are allowed",
            layers: vec![TestLayer::plain(Tar::new().end()); 5],
            verdict: Refused(Flaw::limit("layers", 4)),
        },
    ]
}
