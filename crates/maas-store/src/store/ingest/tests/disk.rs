//! Our own disk is not believed either, and may be full.

use std::io;

use camino::Utf8PathBuf;

use super::*;
use crate::Effect;

#[test]
fn a_full_disk_has_its_own_exit_code() {
    let (host, bundle) = (host(), bundle());
    let disk = Disk::watched(|effect| {
        if matches!(effect, Effect::Allocate(_, bytes) if *bytes > 9_000) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let error = bundle.ingest(&host, disk).unwrap_err();
    assert_eq!(error.exit(), Exit::NoSpace, "{error}");
}

/// Parts 1 and 3 of three are staged: there is a gap in the middle.
fn with_a_gap(host: &Host, bundle: &Bundle) {
    bundle.ingest_some(host, Disk::real(), &[0]).unwrap();
    assert_eq!(host.staged_parts(bundle.big()), [0, 2]);
}

fn staged_file(host: &Host, bundle: &Bundle) -> Utf8PathBuf {
    host.layout.staging().join(bundle.big().digest.hex())
}

fn change_a_staged_byte(host: &Host, bundle: &Bundle, at: usize) {
    let path = staged_file(host, bundle);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[at] ^= 1;
    fs_err::write(&path, bytes).unwrap();
}

#[test]
fn staged_parts_are_hashed_again_from_our_own_disk_and_not_read_again() {
    let (host, bundle) = (host(), bundle());
    with_a_gap(&host, &bundle);
    let left = bundle.bytes() - bytes_here(&host, &bundle);
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(second.bytes_read, left);
    assert_eq!(second.bytes_written, left);
    // Staged parts are not hashed by themselves, but with the whole blob.
    assert_eq!(second.bytes_resumed, bundle.big().size);
    assert!(host.store().values().all(|right| *right));
}

#[test]
fn the_first_new_byte_comes_before_anything_is_hashed_again() {
    let (host, bundle) = (host(), bundle());
    with_a_gap(&host, &bundle);
    let volumes = dynamic(&bundle.volumes);
    let mut told = Vec::new();
    let all = bundle.located(&[0, 1]);
    bundle
        .take(&host, Disk::real(), &volumes, &all, &mut |event| {
            told.push(event);
        })
        .unwrap();
    let to_read = told.iter().map(|event| match event {
        Progress::Read(bytes) => *bytes,
        Progress::Planned { .. } | Progress::Rehashed(_) | Progress::Stored(_) => 0,
    });
    let here = bundle.bytes() - to_read.sum::<u64>();
    let to_read = bundle.bytes() - here;
    assert_eq!(told[0], Progress::Planned { to_read, here });
    let first = |wanted: fn(&Progress) -> bool| told.iter().position(wanted).unwrap();
    let read = first(|event| matches!(event, Progress::Read(5_000)));
    assert!(read < first(|event| matches!(event, Progress::Rehashed(_))));
}

#[test]
fn a_staged_part_that_rotted_is_found_and_read_again_alone() {
    for (at, size, in_passing) in [(7, PART, PART), (2 * PART + 9, 1_234, 0)] {
        let (host, bundle) = (host(), bundle());
        with_a_gap(&host, &bundle);
        let left = bundle.bytes() - bytes_here(&host, &bundle);
        change_a_staged_byte(&host, &bundle, at);
        let second = bundle.ingest(&host, Disk::real()).unwrap();
        assert_eq!(second.bytes_read, left + size as u64);
        // The whole, each part to find the wrong one, and the whole again but for what went by.
        let hashed = 3 * bundle.big().size - in_passing as u64;
        assert_eq!(second.bytes_resumed, hashed);
        assert_eq!(host.store().len(), 5);
        assert!(host.store().values().all(|right| *right));
    }
}

#[test]
fn a_rotten_part_whose_volume_is_not_at_hand_is_forgotten_alone() {
    let (host, bundle) = (host(), bundle());
    with_a_gap(&host, &bundle);
    change_a_staged_byte(&host, &bundle, 7);
    bundle.ingest_some(&host, Disk::real(), &[1]).unwrap();
    assert_eq!(host.staged_parts(bundle.big()), [1, 2]);
    let last = bundle.ingest_some(&host, Disk::real(), &[0]).unwrap();
    assert_eq!(last.bytes_read, PART as u64);
    assert_eq!(host.store().len(), 5);
}

#[test]
fn a_staging_file_that_was_cut_short_is_not_believed() {
    let (host, bundle) = (host(), bundle());
    with_a_gap(&host, &bundle);
    let file = fs_err::File::options()
        .write(true)
        .open(staged_file(&host, &bundle))
        .unwrap();
    file.set_len(PART as u64).unwrap();
    bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(host.store().len(), 5);
    assert!(host.store().values().all(|right| *right));
}

#[test]
fn a_disk_that_gives_back_other_bytes_twice_is_called_failing() {
    let (host, bundle) = (host(), bundle());
    with_a_gap(&host, &bundle);
    let path = staged_file(&host, &bundle);
    let disk = Disk::watched(move |effect| {
        if matches!(effect, Effect::Commit(_, "a staged part")) {
            let mut bytes = fs_err::read(&path)?;
            bytes[PART + 1] ^= 1;
            fs_err::write(&path, bytes)?;
        }
        Ok(())
    });
    let error = bundle.ingest(&host, disk).unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    let source = std::error::Error::source(&error).unwrap().to_string();
    insta::assert_snapshot!(source, @"what was written there comes back as something else, twice: a failing disk or memory");
    assert!(!host.store().contains_key(&bundle.big().digest.hex()));
}

#[test]
fn a_file_in_the_store_that_the_journal_does_not_know_is_hashed_before_it_counts() {
    let (host, bundle) = (host(), bundle());
    let blob = bundle.big();
    let path = Store::new(&host.layout).path(&blob.digest);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, vec![7; usize::try_from(blob.size).unwrap()]).unwrap();
    let done = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(done.blobs_written, 5);
    assert!(host.store().values().all(|right| *right));
}
