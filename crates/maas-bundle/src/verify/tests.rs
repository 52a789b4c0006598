//! Each attack of the TUF taxonomy that a medium can carry, by name.

use jiff::{SignedDuration, Timestamp as Instant};
use maas_types::Exit;
use serde_json::Value;

use crate::{
    Content, Expired, Floors, Media, MemoryMedia, Metadata, RootFile, Trust, TrustError,
    TrustedRoot, bundles_on, inspect,
    sample::Sample,
    tuf::{Reading, Root, Signed, Timestamp},
    verify_metadata,
};

fn sample() -> Sample {
    Sample::new(7).unwrap()
}

fn refused(sample: &Sample) -> TrustError {
    sample.verified().unwrap_err()
}

fn file(sample: &Sample, name: &str) -> String {
    format!("MAAS/{}/metadata/{name}", sample.bundle)
}

/// Replaces the signatures of `timestamp.json` by those of these keys.
fn sign_timestamp(sample: &mut Sample, bytes: &[u8]) {
    let path = file(sample, "timestamp.json");
    // A root needs a key; this one signs nothing.
    let listed = bytes.iter().chain(&[77]);
    let publics: Vec<_> = listed.map(|b| *Sample::key(*b).public()).collect();
    let lists_them = RootFile::init(&publics, 1, sample.now).unwrap();
    let root: &Root = lists_them.root();
    let parsed: Signed<Timestamp> = Signed::parse(
        &path,
        sample.media[0].bytes(&path).unwrap(),
        Reading::Bundle,
    )
    .unwrap();
    let mut fresh = Signed::new(parsed.signed);
    for byte in bytes {
        assert!(fresh.sign(&Sample::key(*byte), &[root]).unwrap());
    }
    let rendered = fresh.render();
    sample.media[0].change(&path, |bytes| *bytes = rendered);
}

/// Replaces text in a metadata file, as somebody without a key would.
fn edit(sample: &mut Sample, name: &str, from: &str, to: &str) {
    let path = file(sample, name);
    sample.media[0].change(&path, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        *bytes = text.replacen(from, to, 1).into_bytes();
    });
}

fn verify_at(sample: &Sample, now: Instant, expired: &Expired) -> Result<(), TrustError> {
    let trust = Trust {
        root: &sample.root,
        floors: &Floors::default(),
        now,
        expired,
    };
    verify_metadata(&sample.volumes(), None, &trust).map(|_| ())
}

#[test]
fn a_bundle_signed_by_two_of_three_is_believed() {
    let sample = sample();
    let verified = sample.verified().unwrap();
    assert_eq!(verified.bill().bundle, sample.bundle);
    assert_eq!(verified.bill().models[0].files.len(), 3);
    assert!(verified.signers().iter().all(|(_, keys)| keys.len() == 2));
    let floors = verified.next_floors();
    assert_eq!(
        (floors.epoch, floors.timestamp, floors.time),
        (7, 7, sample.now)
    );
    assert!(verified.new_roots().is_empty());
}

#[test]
fn the_same_bundle_again_is_no_replay() {
    let sample = sample();
    let floors = sample.verified().unwrap().next_floors().clone();
    assert!(sample.verified_above(&floors).is_ok());
}

// === Three different refusals, and too few ===

#[test]
fn an_unsigned_bundle_is_refused_as_unsigned() {
    let mut sample = sample();
    sign_timestamp(&mut sample, &[]);
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Untrusted);
    insta::assert_snapshot!(error, @"`MAAS/sample-7/metadata/timestamp.json` is not signed");
}

#[test]
fn signers_that_the_root_does_not_list_are_named() {
    let mut sample = sample();
    sign_timestamp(&mut sample, &[8, 9]);
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Untrusted);
    let TrustError::UnknownSigners { keys, .. } = &error else {
        panic!("{error}");
    };
    let strangers = [8, 9].map(|byte| Sample::key(byte).public().id());
    assert!(
        keys.len() == 2 && strangers.iter().all(|id| keys.contains(id)),
        "{error}"
    );
}

#[test]
fn a_stranger_beside_enough_trusted_signers_is_refused_too() {
    let mut sample = sample();
    sign_timestamp(&mut sample, &[1, 2, 9]);
    assert!(matches!(refused(&sample), TrustError::UnknownSigners { keys, .. } if keys.len() == 1));
}

#[test]
fn a_wrong_signature_names_file_and_key() {
    let mut sample = sample();
    edit(
        &mut sample,
        "7.targets.json",
        "\"length\": ",
        "\"length\": 1",
    );
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Untrusted);
    let TrustError::BadSignature { file, key } = &error else {
        panic!("{error}");
    };
    assert_eq!(file, "MAAS/sample-7/metadata/7.targets.json");
    assert!(sample.keys.iter().any(|k| k.public().id() == *key));
}

#[test]
fn one_of_two_needed_signatures_is_too_few_and_says_who_could_sign() {
    let mut sample = sample();
    sign_timestamp(&mut sample, &[2]);
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Untrusted);
    let TrustError::Threshold {
        need,
        signed,
        could,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (need.get(), signed, could.len()),
        (2, vec![Sample::key(2).public().id()], 2)
    );
}

#[test]
fn one_key_that_signs_twice_counts_once() {
    // CVE-2020-6174, CVE-2020-15093.
    let mut sample = sample();
    sign_timestamp(&mut sample, &[2]);
    let path = file(&sample, "timestamp.json");
    sample.media[0].change(&path, |bytes| {
        let mut value: Value = serde_json::from_slice(bytes).unwrap();
        let signatures = value["signatures"].as_array_mut().unwrap();
        signatures.push(signatures[0].clone());
        *bytes = crate::json::pretty(&value);
    });
    let error = refused(&sample);
    assert!(
        matches!(error, TrustError::DuplicateSigner { .. }),
        "{error}"
    );
    assert_eq!(error.exit(), Exit::Untrusted);
}

// === Rollback, fast-forward, freeze ===

#[test]
fn an_older_genuine_bundle_is_refused() {
    let old = sample();
    let newer = Sample::new(8).unwrap();
    let floors = newer.verified().unwrap().next_floors().clone();
    let error = old.verified_above(&floors).unwrap_err();
    assert_eq!(error.exit(), Exit::Stale);
    insta::assert_snapshot!(error, @"`MAAS/sample-7/metadata/timestamp.json` has version 7, this host has already accepted version 8");
    let only_epoch = Floors {
        epoch: 8,
        ..Floors::default()
    };
    let error = old.verified_above(&only_epoch).unwrap_err();
    insta::assert_snapshot!(error, @"bundle `sample-7` has epoch 7, this host has already installed epoch 8");
    assert_eq!(error.exit(), Exit::Stale);
}

#[test]
fn a_version_beyond_all_releases_is_refused_although_it_is_signed() {
    let mut sample = sample();
    edit(
        &mut sample,
        "timestamp.json",
        "\"spec_version\": \"1.0.0\",\n    \"version\": 7\n",
        "\"spec_version\": \"1.0.0\",\n    \"version\": 4294967297\n",
    );
    sign_as_it_stands(&mut sample);
    let error = refused(&sample);
    insta::assert_snapshot!(error, @"`MAAS/sample-7/metadata/timestamp.json` is malformed: version 4294967297 is not possible");
}

/// Signs a hand-made timestamp with two trusted keys, whatever it says.
fn sign_as_it_stands(sample: &mut Sample) {
    let path = file(sample, "timestamp.json");
    let keys: Vec<_> = [1, 2].map(Sample::key).into();
    sample.media[0].change(&path, |bytes| {
        let mut value: Value = serde_json::from_slice(bytes).unwrap();
        let message = crate::json::canonical(&value["signed"]);
        let mut signatures: Vec<_> = keys
            .iter()
            .map(|key| {
                let sig = hex::encode(key.sign(&message));
                serde_json::json!({"keyid": key.public().id().to_string(), "sig": sig})
            })
            .collect();
        signatures.sort_by_key(|s| s["keyid"].to_string());
        value["signatures"] = signatures.into();
        *bytes = crate::json::pretty(&value);
    });
}

#[test]
fn a_frozen_bundle_is_refused_when_it_expires() {
    let sample = sample();
    let late = sample.now + SignedDuration::from_hours(401 * 24);
    let error = verify_at(&sample, late, &Expired::Refuse).unwrap_err();
    assert_eq!(error.exit(), Exit::Stale);
    insta::assert_snapshot!(error, @"`MAAS/sample-7/metadata/timestamp.json` expired on 2027-12-27T12:00:00Z, and it is 2027-12-28T12:00:00Z by this host's trusted time");
    let day_before = sample.now + SignedDuration::from_hours(399 * 24);
    assert!(verify_at(&sample, day_before, &Expired::Refuse).is_ok());
}

#[test]
fn an_accepted_expired_bundle_carries_the_reason() {
    let sample = sample();
    let late = sample.now + SignedDuration::from_hours(401 * 24);
    let expired = Expired::Accept {
        reason: "ship at sea".to_owned(),
    };
    let floors = Floors::default();
    let trust = Trust {
        root: &sample.root,
        floors: &floors,
        now: late,
        expired: &expired,
    };
    let verified = verify_metadata(&sample.volumes(), None, &trust).unwrap();
    let accepted = verified.accepted_expired().unwrap();
    assert_eq!(accepted.reason, "ship at sea");
    let files = accepted
        .files
        .iter()
        .map(|(file, _)| file.rsplit('/').next().unwrap());
    let files: Vec<_> = files.collect();
    assert_eq!(
        files,
        ["timestamp.json", "7.snapshot.json", "7.targets.json"]
    );
}

#[test]
fn a_clock_that_was_set_back_does_not_unfreeze() {
    let sample = sample();
    let late = sample.now + SignedDuration::from_hours(401 * 24);
    let floors = Floors {
        time: late,
        ..Floors::default()
    };
    let error = sample.verified_above(&floors).unwrap_err();
    assert!(
        matches!(error, TrustError::Expired { now, .. } if now == late),
        "{error}"
    );
}

#[test]
fn a_clock_that_runs_ahead_leaves_no_floor_behind() {
    let sample = sample();
    let later = sample.now + SignedDuration::from_hours(24);
    let floors = Floors::default();
    let trust = Trust {
        root: &sample.root,
        floors: &floors,
        now: later,
        expired: &Expired::Refuse,
    };
    let verified = verify_metadata(&sample.volumes(), None, &trust).unwrap();
    assert_eq!(verified.next_floors().time, sample.now);
}

// === Mix and match, endless data, odd files ===

#[test]
fn two_signings_of_one_bundle_are_not_mixed() {
    let mut sample = Sample::on_volumes(7, 2).unwrap();
    let mut metadata = Metadata::read(&sample.media[1], &sample.bundle).unwrap();
    metadata.sign(&sample.keys[2]).unwrap();
    metadata.write(&mut sample.media[1]).unwrap();
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Content);
    insta::assert_snapshot!(error, @"`MAAS/sample-7/metadata/1.root.json` on `stick-2` is not the same as on `stick-1`: these volumes do not belong together");
}

#[test]
fn metadata_of_another_release_does_not_pass_for_this_one() {
    let mut sample = sample();
    let other = Sample::new(8).unwrap();
    for name in ["timestamp.json", "8.snapshot.json", "8.targets.json"] {
        let bytes = other.media[0].bytes(&file(&other, name)).unwrap();
        let path = file(&sample, name);
        sample.media[0].files.insert(path, bytes.into());
    }
    let bills: Vec<_> = other.media[0]
        .files
        .iter()
        .filter(|(path, _)| path.ends_with(".bundle.json"))
        .map(|(path, content)| (path.replace("sample-8", "sample-7"), content.clone()))
        .collect();
    sample.media[0].files.extend(bills);
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Content);
    let source = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(format!("{error}: {source}"), @"the bill of lading of `sample-7` is not acceptable: it is the bill of `sample-8`");
}

#[test]
fn a_file_without_end_is_not_read() {
    for name in ["timestamp.json", "1.root.json", "7.targets.json"] {
        let mut sample = sample();
        let path = file(&sample, name);
        sample.media[0].files.insert(path, Content::Zeros(1 << 50));
        let error = refused(&sample);
        assert!(
            matches!(error, TrustError::TooLarge { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn links_and_pipes_are_not_opened() {
    for content in [Content::Link, Content::Special] {
        let mut sample = sample();
        let path = file(&sample, "timestamp.json");
        sample.media[0].files.insert(path, content);
        assert_eq!(refused(&sample).exit(), Exit::Content);
    }
}

#[test]
fn a_changed_byte_without_meaning_is_found_too() {
    let mut sample = sample();
    edit(&mut sample, "timestamp.json", "\n  ", "\n\t ");
    insta::assert_snapshot!(refused(&sample), @"`MAAS/sample-7/metadata/timestamp.json` is malformed: it is not written as this format writes it");
}

#[test]
fn a_member_that_stands_twice_or_is_unknown_is_refused() {
    let mut sample = sample();
    edit(
        &mut sample,
        "timestamp.json",
        "\"version\": 7\n  }\n}",
        "\"version\": 7, \"version\": 9\n  }\n}",
    );
    assert!(
        refused(&sample)
            .to_string()
            .contains("`version` stands there twice")
    );
    let mut sample = self::sample();
    edit(
        &mut sample,
        "timestamp.json",
        "\"_type\"",
        "\"more\": 1, \"_type\"",
    );
    assert!(
        refused(&sample)
            .to_string()
            .contains("not written as this format writes it")
    );
}

#[test]
fn a_changed_bill_is_refused() {
    let mut sample = sample();
    let path = sample.media[0]
        .files
        .keys()
        .find(|p| p.ends_with(".bundle.json"))
        .cloned()
        .unwrap();
    sample.media[0].change(&path, |bytes| bytes[100] ^= 1);
    let error = refused(&sample);
    assert!(matches!(error, TrustError::OtherBill { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Content);
}

// === Roots ===

#[test]
fn a_root_of_somebody_else_is_refused() {
    let mut sample = sample();
    let publics = [4, 5, 6].map(|b| *Sample::key(b).public());
    let mut other = RootFile::init(&publics, 2, sample.now).unwrap();
    for byte in [4, 5] {
        other.sign(&Sample::key(byte), None).unwrap();
    }
    let path = file(&sample, "1.root.json");
    sample.media[0].change(&path, |bytes| *bytes = other.bytes());
    let error = refused(&sample);
    assert_eq!(error.exit(), Exit::Untrusted);
    assert!(
        matches!(error, TrustError::OtherRoot { version: 1, .. }),
        "{error}"
    );
}

/// Adds root 2 for the keys 3, 4, 5, signed by these, and signs everything by 3 and 4.
fn rotate(sample: &mut Sample, signers: &[u8]) {
    let mut metadata = Metadata::read(&sample.media[0], &sample.bundle).unwrap();
    let publics = [3, 4, 5].map(|b| *Sample::key(b).public());
    let first = metadata.newest_root().clone();
    let mut second = first.rotate(&publics, 2, sample.now).unwrap();
    for byte in signers {
        second.sign(&Sample::key(*byte), Some(&first)).unwrap();
    }
    metadata.roots.push(second);
    let fresh = Metadata::new(
        sample.bundle.clone(),
        metadata.roots,
        7,
        metadata.targets.signed.bill().unwrap(),
        sample.now,
    );
    metadata = fresh;
    for byte in [3, 4] {
        let root = metadata.newest_root().root().clone();
        metadata
            .timestamp
            .sign(&Sample::key(byte), &[&root])
            .unwrap();
        metadata
            .snapshot
            .sign(&Sample::key(byte), &[&root])
            .unwrap();
        metadata.targets.sign(&Sample::key(byte), &[&root]).unwrap();
    }
    metadata.write(&mut sample.media[0]).unwrap();
}

#[test]
fn a_newer_root_is_taken_when_old_and_new_keys_have_signed_it() {
    let mut sample = sample();
    rotate(&mut sample, &[1, 2, 3, 4]);
    let verified = sample.verified().unwrap();
    let [second] = verified.new_roots() else {
        panic!("one new root");
    };
    assert_eq!(second.version(), 2);
    let stored = TrustedRoot::from_store(&second.bytes()).unwrap();
    // From now on root 2 is trusted, and the same medium passes from there.
    let again = Sample {
        root: stored,
        ..sample
    };
    assert!(again.verified().unwrap().new_roots().is_empty());
}

#[test]
fn a_newer_root_that_the_old_keys_have_not_signed_is_refused() {
    let mut sample = sample();
    // Of the old keys 1, 2 and 3 only 3 has signed; of the new ones 3, 4 and 5 all have.
    rotate(&mut sample, &[3, 4, 5]);
    let refused_for_2 = |sample: &Sample| {
        let error = refused(sample);
        assert!(
            matches!(&error, TrustError::Threshold { file, .. } if file.ends_with("2.root.json")),
            "{error}"
        );
    };
    refused_for_2(&sample);
    // And the other way round.
    let mut sample = self::sample();
    rotate(&mut sample, &[1, 2, 3]);
    refused_for_2(&sample);
}

#[test]
fn replaced_keys_start_the_floors_anew() {
    // TUF 5.3.11: the thief of the old keys had signed version 2^32.
    let mut sample = sample();
    let floors = Floors {
        timestamp: 1 << 32,
        snapshot: 1 << 32,
        targets: 1 << 32,
        epoch: 1 << 32,
        time: "9000-01-01T00:00:00Z".parse().unwrap(),
    };
    assert_eq!(
        sample.verified_above(&floors).unwrap_err().exit(),
        Exit::Stale
    );
    rotate(&mut sample, &[1, 2, 3, 4]);
    let verified = sample.verified_above(&floors).unwrap();
    assert_eq!(verified.next_floors().epoch, 7);
    assert_eq!(verified.next_floors().time, verified.bill().created);
}

#[test]
fn a_thief_of_release_keys_cannot_name_a_year_beyond_the_root() {
    let at = |year: u16| {
        format!("{year}-01-01T00:00:00Z")
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert_eq!(super::time_floor(at(2026), at(2027), at(2031)), at(2027));
    assert_eq!(super::time_floor(at(2026), at(9000), at(2031)), at(2031));
    assert_eq!(super::time_floor(at(2028), at(2027), at(2031)), at(2028));
}

#[test]
fn a_chain_of_roots_with_a_gap_or_without_its_start_is_refused() {
    let mut sample = sample();
    rotate(&mut sample, &[1, 2, 3, 4]);
    let second = file(&sample, "2.root.json");
    let third = file(&sample, "3.root.json");
    let mut gap = sample.clone();
    let content = gap.media[0].files.remove(&second).unwrap();
    gap.media[0].files.insert(third, content);
    insta::assert_snapshot!(refused(&gap), @"the chain of roots is broken: version 2 is missing on `stick-1`");
    let first = file(&sample, "1.root.json");
    sample.media[0].files.remove(&first);
    insta::assert_snapshot!(refused(&sample), @"the chain of roots is broken: it starts with `MAAS/sample-7/metadata/2.root.json`, not with version 1");
}

#[test]
fn the_first_trust_needs_the_fingerprint_that_was_compared() {
    let sample = sample();
    let bytes = sample.root.bytes();
    assert!(TrustedRoot::pin(&bytes, &sample.root.fingerprint()).is_ok());
    let other = RootFile::init(&[*Sample::key(9).public()], 1, sample.now).unwrap();
    let error = TrustedRoot::pin(&bytes, &other.fingerprint()).unwrap_err();
    assert_eq!(error.exit(), Exit::Untrusted);
}

#[test]
fn a_root_that_nobody_signed_is_not_trusted() {
    let sample = sample();
    let publics: Vec<_> = sample.keys.iter().map(|key| *key.public()).collect();
    let unsigned = RootFile::init(&publics, 2, sample.now).unwrap();
    let error = TrustedRoot::pin(&unsigned.bytes(), &unsigned.fingerprint()).unwrap_err();
    assert!(matches!(error, TrustError::Unsigned { .. }), "{error}");
}

// === Which bundle ===

#[test]
fn the_bundle_is_named_when_there_are_several() {
    let mut sample = sample();
    let other = Sample::new(8).unwrap();
    sample.media[0].files.extend(other.media[0].files.clone());
    assert_eq!(bundles_on(&sample.media[0]).unwrap().len(), 2);
    insta::assert_snapshot!(refused(&sample), @"several bundles are there, name one of them: sample-7, sample-8");
    let floors = Floors::default();
    let trust = Trust {
        root: &sample.root,
        floors: &floors,
        now: sample.now,
        expired: &Expired::Refuse,
    };
    let verified = verify_metadata(&sample.volumes(), Some(&other.bundle), &trust).unwrap();
    assert_eq!(verified.bill().bundle, other.bundle);
    let empty = MemoryMedia::new("empty");
    let media: [&dyn Media; 2] = [&sample.media[0], &empty];
    let error = verify_metadata(&media, Some(&other.bundle), &trust).unwrap_err();
    insta::assert_snapshot!(error, @"bundle `sample-8` is not on `empty`");
    let error = verify_metadata(&media[1..], None, &trust).unwrap_err();
    insta::assert_snapshot!(error, @"there is no bundle on empty");
}

#[test]
fn an_inspection_says_what_is_inside_and_that_it_is_not_verified() {
    let sample = sample();
    let inspection = inspect(&sample.volumes(), None).unwrap();
    assert!(inspection.is_fully_signed() && !inspection.verified);
    assert_eq!(inspection.root.fingerprint, sample.root.fingerprint());
    assert_eq!((inspection.models.len(), inspection.images.len()), (1, 1));
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["schema"], "maas-appliance/bundle-inspect/v1");
}
