//! Every input that the fuzzer kept, given to the functions that the fuzzer runs, on any compiler.
//!
//! `tests/fuzz/corpus/` are inputs that reach something, `tests/fuzz/crashes/` are inputs that once broke
//! a promise. How new ones come here stands in `tests/scripts/fuzz.sh`.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use maas_fuzz_targets::TARGETS;
use maas_tests::repository;

/// The committed corpus stays small: it is read on every run of the tests. Crashes do not count.
const MOST_FILES: usize = 240;
const MOST_BYTES: usize = 2 << 20;

fn inputs(folder: &str, target: &str) -> Vec<Utf8PathBuf> {
    let folder = repository().join("tests/fuzz").join(folder).join(target);
    let Ok(entries) = folder.read_dir_utf8() else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().into_path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_kept_input_keeps_every_promise() {
    for (target, run) in TARGETS {
        for path in [inputs("corpus", target), inputs("crashes", target)].concat() {
            let bytes = std::fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "{path} breaks a promise of `{target}`");
        }
    }
}

#[test]
fn every_target_is_fuzzed_and_begins_with_something() {
    let fuzz = repository().join("tests/fuzz");
    let named: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let programs: BTreeSet<_> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|program| program["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(programs, named);
    let folders: BTreeSet<_> = fuzz
        .join("corpus")
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    assert_eq!(folders, named);
}

#[test]
fn the_kept_inputs_stay_few_and_small() {
    let paths: Vec<_> = TARGETS
        .iter()
        .flat_map(|(target, _)| inputs("corpus", target))
        .collect();
    let bytes: usize = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap().len())
        .sum();
    assert!(paths.len() < MOST_FILES, "{} inputs", paths.len());
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}
