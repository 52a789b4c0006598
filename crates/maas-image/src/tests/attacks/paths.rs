//! Names and links that lead where they must not, and whiteouts that hide too much.

use super::{Attack, Flaw, Header, Tar, Verdict, attack, refused};
use Verdict::{Becomes, Refused};

pub(super) fn attacks() -> Vec<Attack> {
    [names(), links(), hard_links(), whiteouts(), kinds()]
        .into_iter()
        .flatten()
        .collect()
}

fn names() -> Vec<Attack> {
    let file = |name: &str| Tar::new().file(name, b"evil");
    vec![
        refused("`..` at the start", file("../evil"), Flaw::Upwards),
        refused("`..` in the middle", file("a/../../evil"), Flaw::Upwards),
        refused("`..` at the end", Tar::new().folder("a/.."), Flaw::Upwards),
        refused(
            "`..` behind a slash",
            file("/../canary/file"),
            Flaw::Upwards,
        ),
        refused("a name of nothing", file(""), Flaw::Name),
        refused("the root as a file", file("."), Flaw::Root),
        refused(
            "the root as a link",
            Tar::new().symlink("./", "/etc"),
            Flaw::Root,
        ),
        attack(
            "an absolute name is one beneath the root",
            vec![file("/canary/file").end()],
            Becomes(&[("canary", "/"), ("canary/file", "evil")]),
        ),
        attack(
            "names that only look like `..`",
            vec![file("..a/...").end()],
            Becomes(&[("..a", "/"), ("..a/...", "evil")]),
        ),
        refused(
            "folders within each other",
            file(&"d/".repeat(30)[..59]),
            Flaw::limit("folders within each other", 20),
        ),
        attack(
            "folders within each other, by way of a link",
            vec![
                Tar::new()
                    .folder(&"d/".repeat(15))
                    .symlink("l", "d/d/d/d/d/d/d/d/d/d")
                    .end(),
                Tar::new().folder("l/d/d/d/d/d/e/e/e/e/e/e").end(),
            ],
            Refused(Flaw::limit("folders within each other", 20)),
        ),
        refused(
            "a name that is too long",
            Tar::new().pax(&[("path", &[b'/'; 2000])]).file("x", b""),
            Flaw::limit("bytes of a name", 1024),
        ),
        refused(
            "a component that is too long",
            Tar::new().pax(&[("path", &[b'a'; 256])]).file("x", b""),
            Flaw::Name,
        ),
        refused(
            "a NUL in a PAX path",
            Tar::new()
                .pax(&[("path", b"a\0/../../evil")])
                .file("x", b""),
            Flaw::Name,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn links() -> Vec<Attack> {
    let through = |target: &str| {
        let first = Tar::new().symlink("x", target);
        vec![first.clone().file("x/file", b"evil").end()]
    };
    let across = |target: &str| {
        vec![
            Tar::new().symlink("x", target).end(),
            Tar::new().file("x/file", b"evil").end(),
        ]
    };
    vec![
        attack(
            "write through a link out",
            through("CANARY"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a link out, a layer later",
            across("CANARY"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a link up",
            through("../../../canary"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a link up, a layer later",
            across("../../../canary"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through the kernel's own link",
            through("/proc/self/root"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a link to itself",
            through("x"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a dangling link",
            through("nowhere"),
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a chain of links",
            vec![
                Tar::new()
                    .symlink("a", "CANARY")
                    .symlink("b", "a")
                    .symlink("c", "./b/folder")
                    .file("c/file", b"evil")
                    .end(),
            ],
            Refused(Flaw::Parent),
        ),
        attack(
            "write through a loop of links",
            vec![
                Tar::new()
                    .symlink("a", "b")
                    .symlink("b", "a")
                    .file("a/x", b"evil")
                    .end(),
            ],
            Refused(Flaw::Parent),
        ),
        attack(
            "two steps: a link in a folder that is a link (CVE-2025-45582)",
            vec![
                Tar::new()
                    .folder("d")
                    .symlink("d/up", "../..")
                    .symlink("x", "d/up/../..")
                    .end(),
                Tar::new().file("x/canary/file", b"evil").end(),
            ],
            Becomes(&[
                ("canary", "/"),
                ("canary/file", "evil"),
                ("d", "/"),
                ("d/up", "../.."),
                ("x", "d/up/../.."),
            ]),
        ),
        attack(
            "a file over a link out",
            vec![
                Tar::new()
                    .symlink("x", "CANARY/file")
                    .file("x", b"evil")
                    .end(),
            ],
            Becomes(&[("x", "evil")]),
        ),
        attack(
            "a folder over a link out, then its mode",
            vec![
                Tar::new()
                    .symlink("x", "CANARY/folder")
                    .raw(Header::new(b'5', b"x").mode(0o777), b"")
                    .file("x/file", b"mine")
                    .end(),
            ],
            Becomes(&[("x", "/"), ("x/file", "mine")]),
        ),
        attack(
            "a folder over a link out, a layer later",
            vec![
                Tar::new().symlink("x", "CANARY/folder").end(),
                Tar::new()
                    .raw(Header::new(b'5', b"x").mode(0o777), b"")
                    .end(),
            ],
            Becomes(&[("x", "/")]),
        ),
        attack(
            "a folder with an end in its name over a link out",
            vec![
                Tar::new()
                    .symlink("x", "CANARY/folder")
                    .folder("x/")
                    .folder("x/.")
                    .end(),
            ],
            Becomes(&[("x", "/")]),
        ),
        attack(
            "a FIFO over a link out",
            vec![
                Tar::new()
                    .symlink("x", "CANARY/file")
                    .raw(Header::new(b'6', b"x").mode(0o777), b"")
                    .end(),
            ],
            Becomes(&[("x", "")]),
        ),
        attack(
            "a file made, replaced by a link out, and made again",
            vec![
                Tar::new()
                    .file("x", b"1")
                    .symlink("x", "CANARY/file")
                    .file("x", b"2")
                    .end(),
            ],
            Becomes(&[("x", "2")]),
        ),
        attack(
            "a folder made, replaced by a link out, and written below",
            vec![
                Tar::new()
                    .file("x/a", b"1")
                    .symlink("x", "CANARY")
                    .file("x/file", b"2")
                    .end(),
            ],
            Refused(Flaw::Parent),
        ),
        attack(
            "a link without a target",
            vec![Tar::new().symlink("x", "").end()],
            Refused(Flaw::LinkTarget(String::new())),
        ),
        attack(
            "a link out stays as it is",
            vec![
                Tar::new()
                    .symlink("x", "/etc/shadow")
                    .symlink("y", "../../../canary")
                    .end(),
            ],
            Becomes(&[("x", "/etc/shadow"), ("y", "../../../canary")]),
        ),
    ]
}

fn hard_links() -> Vec<Attack> {
    let target = |target: &str| Flaw::LinkTarget(target.to_owned());
    let link = |to: &str| Tar::new().hard_link("x", to);
    vec![
        refused(
            "a hard link up",
            link("../../../canary/file"),
            target("../../../canary/file"),
        ),
        refused(
            "a hard link to an absolute name",
            link("/etc/passwd"),
            target("/etc/passwd"),
        ),
        refused(
            "a hard link to what is not there",
            link("missing"),
            target("missing"),
        ),
        refused(
            "a hard link to itself",
            Tar::new().file("x", b"").hard_link("x", "x"),
            target("x"),
        ),
        refused(
            "a hard link to a folder",
            Tar::new().folder("d").hard_link("x", "d"),
            target("d"),
        ),
        refused("a hard link to the root", link("/"), target("/")),
        refused("a hard link to nothing", link(""), target("")),
        refused(
            "a hard link by way of a link out",
            Tar::new()
                .symlink("out", "../../../canary")
                .hard_link("x", "out/file"),
            target("out/file"),
        ),
        refused(
            "a hard link to what the entry itself removes",
            Tar::new().file("x/a", b"").hard_link("x", "x/a"),
            target("x/a"),
        ),
        attack(
            "a hard link to a link out, then a write through it",
            vec![
                Tar::new()
                    .symlink("out", "CANARY/file")
                    .hard_link("x", "out")
                    .file("x", b"evil")
                    .end(),
            ],
            Becomes(&[("out", "CANARY/file"), ("x", "evil")]),
        ),
        attack(
            "a hard link to a lower layer's file, then a file over it",
            vec![
                Tar::new().file("a", b"1").end(),
                Tar::new().hard_link("b", "a").file("b", b"2").end(),
            ],
            Becomes(&[("a", "1"), ("b", "2")]),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn whiteouts() -> Vec<Attack> {
    let mark = |name: &str| Tar::new().file("kept", b"").empty(name);
    vec![
        refused("a whiteout of nothing", mark(".wh."), Flaw::Whiteout),
        refused("a whiteout of `.`", mark("a/.wh.."), Flaw::Whiteout),
        refused("a whiteout of `..`", mark("a/.wh..."), Flaw::Whiteout),
        refused(
            "a whiteout as a folder on the way",
            mark(".wh./x"),
            Flaw::Whiteout,
        ),
        refused(
            "a named whiteout as a folder on the way",
            mark(".wh.a/x"),
            Flaw::Whiteout,
        ),
        refused(
            "a whiteout of a whiteout",
            mark(".wh..wh.x"),
            Flaw::Whiteout,
        ),
        refused(
            "a folder with a whiteout's name",
            Tar::new().folder(".wh.x"),
            Flaw::Whiteout,
        ),
        refused(
            "a link with a whiteout's name",
            Tar::new().symlink(".wh.x", "y"),
            Flaw::Whiteout,
        ),
        refused(
            "a whiteout in a folder above",
            mark("../.wh.canary"),
            Flaw::Upwards,
        ),
        refused(
            "a whiteout through a link out",
            Tar::new()
                .symlink("x", "../../../canary")
                .empty("x/.wh.file")
                .file("x/y", b""),
            Flaw::Parent,
        ),
        attack(
            "an opaque whiteout through a link out",
            vec![
                Tar::new().symlink("x", "CANARY").end(),
                Tar::new().empty("x/.wh..wh..opq").empty("x/.wh.file").end(),
            ],
            Becomes(&[("x", "CANARY")]),
        ),
        attack(
            "a whiteout of a link hides the link",
            vec![
                Tar::new().symlink("x", "CANARY").end(),
                Tar::new().empty(".wh.x").end(),
            ],
            Becomes(&[]),
        ),
        attack(
            "an opaque whiteout of a folder with a link out",
            vec![
                Tar::new().symlink("d/x", "CANARY").end(),
                Tar::new().empty("d/.wh..wh..opq").end(),
            ],
            Becomes(&[("d", "/")]),
        ),
        attack(
            "a whiteout of the folder that leads to an entry",
            vec![
                Tar::new().file("d/e/lower", b"").end(),
                Tar::new().file("d/e/upper", b"").empty(".wh.d").end(),
            ],
            Becomes(&[("d", "/"), ("d/e", "/"), ("d/e/upper", "")]),
        ),
        attack(
            "a whiteout of this layer's own file",
            vec![Tar::new().file("a", b"").empty(".wh.a").end()],
            Becomes(&[("a", "")]),
        ),
        attack(
            "an opaque whiteout of everything",
            vec![
                Tar::new().file("a/b", b"").symlink("c", "a").end(),
                Tar::new().file("new", b"").empty(".wh..wh..opq").end(),
            ],
            Becomes(&[("new", "")]),
        ),
    ]
}

fn kinds() -> Vec<Attack> {
    let device =
        |kind, major, minor| Tar::new().raw(Header::new(kind, b"x").device(major, minor), b"");
    vec![
        refused("a character device", device(b'3', 1, 3), Flaw::Device),
        refused("a block device", device(b'4', 8, 0), Flaw::Device),
        refused("overlayfs's own whiteout", device(b'3', 0, 0), Flaw::Device),
        refused(
            "an entry of no known type",
            Tar::new().raw(Header::new(b'Z', b"x"), b""),
            Flaw::Type('Z'),
        ),
        attack(
            "a file below a file",
            vec![Tar::new().file("a", b"").file("a/b", b"").end()],
            Refused(Flaw::Parent),
        ),
        attack(
            "the same name three times",
            vec![Tar::new().file("a", b"1").folder("a").file("a", b"3").end()],
            Becomes(&[("a", "3")]),
        ),
    ]
}
