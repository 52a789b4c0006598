//! Damages a medium in every kind of file, one at a time, and prints what `install` says.
//!
//! ```text
//! cargo run --release -p maas-tests --example damage_table
//! ```
//!
//! The bundle has a file of 1.1 GB, so that there are parts; 5 GB of disk are needed.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use maas_tests::Site;

/// A kind of file and a word in its path.
const KINDS: [(&str, &str); 14] = [
    ("root", "1.root.json"),
    ("timestamp", "timestamp.json"),
    ("snapshot", "snapshot.json"),
    ("targets", "targets.json"),
    ("bill of lading", ".bundle.json"),
    ("blob", "/blobs/sha256/"),
    ("part", "/parts/sha256/"),
    ("OCI layout", "oci-layout"),
    ("OCI index", "index.json"),
    ("volume.json", "volume.json"),
    ("SHA256SUMS", "SHA256SUMS"),
    ("bootstrap", "stick/install.sh"),
    ("binary beside", "stick/maas-appliance"),
    ("page beside", "stick/README.txt"),
];

fn main() {
    let site = Site::new().with_keys().with_recipe(1).with_small_binary();
    big_file(&site);
    site.build("stick");
    site.trust();
    site.configure("load=0s");
    println!("| damage | exit | what it says |\n|---|---|---|");
    for (kind, word) in KINDS {
        let path = find(site.path("stick").as_std_path(), word);
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let at = file.metadata().unwrap().len() / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        row(&site, &format!("one bit of {kind}, byte {at}"), "stick");
        file.write_all_at(&byte, at).unwrap();
    }
    let part = find(site.path("stick").as_std_path(), "/parts/sha256/");
    let away = site.path("away");
    fs::rename(&part, &away).unwrap();
    row(&site, "a part deleted", "stick");
    fs::rename(&away, &part).unwrap();
    let length = fs::metadata(&part).unwrap().len();
    let file = fs::File::options().write(true).open(&part).unwrap();
    file.set_len(length - 1).unwrap();
    row(&site, "a part one byte short", "stick");
    file.set_len(length + 1).unwrap();
    row(&site, "a part one byte long", "stick");
    file.set_len(length).unwrap();
    site.write("stick/MAAS/test-1/blobs/sha256/extra", "x");
    row(&site, "an extra file", "stick");
    fs::remove_file(site.path("stick/MAAS/test-1/blobs/sha256/extra")).unwrap();

    // Undamaged, it goes in; and after a newer one it does not any more.
    site.host(&["install", "--media", "stick"]).ok();
    fs::remove_file(site.path("model/big.safetensors")).unwrap();
    let site = site.with_recipe(2);
    site.build("newer");
    site.host(&["install", "--media", "newer"]).ok();
    row(&site, "an older bundle after a newer one", "stick");
}

/// A file in the model's folder that travels in two parts. Sparse, so that it costs no disk here.
fn big_file(site: &Site) {
    const DATA: u64 = 1_100_000_000;
    let header =
        format!("{{\"w\":{{\"dtype\":\"U8\",\"shape\":[{DATA}],\"data_offsets\":[0,{DATA}]}}}}");
    let mut start = (header.len() as u64).to_le_bytes().to_vec();
    start.extend(header.bytes());
    let length = start.len() as u64 + DATA;
    site.write("model/big.safetensors", start);
    let file = fs::File::options()
        .write(true)
        .open(site.path("model/big.safetensors"))
        .unwrap();
    file.set_len(length).unwrap();
}

fn row(site: &Site, damage: &str, media: &str) {
    let current = || fs::read_link(site.path("host/var/lib/maas-appliance/current")).ok();
    let before = current();
    let ran = site.host(&["install", "--media", media]);
    assert_eq!(before, current(), "{damage}: something was activated");
    let code = ran
        .code
        .map_or_else(|| "-".to_owned(), |code| code.to_string());
    let said: Vec<_> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("Error:") || line.starts_with("Caused by:"))
        .map(shorter)
        .collect();
    println!("| {damage} | {code} | {} |", said.join(" · "));
}

/// Digests cut to twelve digits: this is a table.
fn shorter(line: &str) -> String {
    let mut text = String::new();
    let mut hex = 0;
    for c in line.chars() {
        hex = if c.is_ascii_hexdigit() { hex + 1 } else { 0 };
        match hex {
            0..=12 => text.push(c),
            13 => text.push('…'),
            _ => {}
        }
    }
    text
}

fn find(folder: &Path, word: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().contains(word) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.into_iter().next().expect(word)
}
