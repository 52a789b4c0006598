//! Writes every attack as a folder, with the verdict that this version gives it.
//!
//! ```text
//! cargo run -p maas-tests --example freeze_attacks -- bundle/golden/bad
//! ```
//!
//! Folders that are there stay as they are: a frozen attack is never edited. Read every new
//! `exit.txt` before it is committed; the test only holds later versions to it. What is said beside the
//! exit code may become better: `tests/e2e/snapshots/` has it.

use std::{fmt::Write as _, fs, os::unix::fs::symlink};

use camino::Utf8Path;
use maas_bundle::{Content, Media};
use maas_tests::{Attack, Verdict};

fn main() {
    let bad = std::env::args().nth(1).expect("the folder of the attacks");
    let bad = Utf8Path::new(&bad);
    let mut listing = String::new();
    for attack in Attack::all() {
        let folder = bad.join(attack.name);
        if !folder.exists() {
            freeze(&attack, &folder);
        }
        let exit = fs::read_to_string(folder.join("exit.txt")).unwrap();
        let exit = exit.trim();
        writeln!(listing, "| `{}` | {} | {exit} |", attack.name, attack.what).unwrap();
    }
    fs::write(
        bad.join("LISTING.md"),
        format!("| folder | what is tried | exit |\n|---|---|---|\n{listing}"),
    )
    .unwrap();
}

fn freeze(attack: &Attack, folder: &Utf8Path) {
    for media in &attack.sample.media {
        for (path, content) in &media.files {
            let path = folder.join(media.label()).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match content {
                Content::Bytes(bytes) => fs::write(path, bytes).unwrap(),
                Content::Link => symlink("/etc/hostname", path).unwrap(),
                Content::Zeros(_) | Content::Special => panic!("not for a folder"),
            }
        }
    }
    let media: Vec<_> = attack.sample.volumes();
    let verdict = Verdict::of(&media, &attack.root, &attack.floors, attack.now);
    fs::write(folder.join("trusted.root.json"), attack.root.bytes()).unwrap();
    let host = serde_json::json!({"now": attack.now, "floors": attack.floors});
    let host = serde_json::to_string_pretty(&host).unwrap() + "\n";
    fs::write(folder.join("host.json"), host).unwrap();
    fs::write(
        folder.join("exit.txt"),
        format!("{}\n", verdict.exit.code()),
    )
    .unwrap();
}
