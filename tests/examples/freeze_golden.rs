//! Freezes a sample bundle as a golden one: what this version writes, every later one must read.
//!
//! ```text
//! cargo run -p maas-tests --example freeze_golden -- bundle/golden/good/NAME
//! ```
//!
//! Golden bundles are added to and never edited: a change of the format needs a new folder, and the
//! old ones go on being read.

use std::fs;

use camino::Utf8Path;
use maas_bundle::{Content, sample::Sample};

fn main() {
    let folder = std::env::args().nth(1).expect("the folder to make");
    let folder = Utf8Path::new(&folder);
    assert!(
        !folder.exists(),
        "{folder} is there: golden bundles are never edited"
    );
    let sample = Sample::on_volumes(7, 2).expect("a sample");
    for media in &sample.media {
        for (path, content) in &media.files {
            let Content::Bytes(bytes) = content else {
                panic!("a sample of two volumes is made of bytes");
            };
            let path = folder.join(maas_bundle::Media::label(media)).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    fs::write(folder.join("trusted.root.json"), sample.root.bytes()).unwrap();
}
