use super::*;
use crate::{MemoryMedia, Silent, sample::Sample, verify_contents};

fn copied(spread: &Spread, volumes: usize) -> Result<Vec<MemoryMedia>, CopyError> {
    let sample = Sample::new(7).unwrap();
    let mut media: Vec<_> = (1..=volumes)
        .map(|volume| MemoryMedia::new(format!("v{volume}")))
        .collect();
    let mut sinks: Vec<_> = media.iter_mut().map(|m| m as &mut dyn Sink).collect();
    copy(&sample.volumes(), None, &mut sinks, spread, &Silent)?;
    Ok(media)
}

#[test]
fn a_copy_of_a_copy_is_byte_for_byte_the_same() {
    let three = copied(&Spread::Evenly, 3).unwrap();
    let media: Vec<_> = three.iter().map(|m| m as &dyn Media).collect();
    let mut one = MemoryMedia::new("stick-1");
    copy(&media, None, &mut [&mut one], &Spread::Evenly, &Silent).unwrap();
    assert_eq!(one, Sample::new(7).unwrap().media[0]);
}

#[test]
fn every_object_lies_on_exactly_one_volume_and_the_rest_on_all() {
    let media = copied(&Spread::Evenly, 3).unwrap();
    let total: usize = media
        .iter()
        .flat_map(|m| m.files.keys())
        .filter(|path| path.contains("/blobs/"))
        .count();
    let sample = Sample::new(7).unwrap();
    assert_eq!(total, sample.verified().unwrap().bill().blobs.len());
    for volume in &media {
        assert!(volume.files.contains_key("install.sh"));
        assert!(
            volume
                .files
                .contains_key("MAAS/sample-7/metadata/timestamp.json")
        );
    }
    let together = Sample { media, ..sample };
    let verified = together.verified().unwrap();
    assert!(verify_contents(&verified, &together.volumes(), &Silent).is_good());
}

#[test]
fn volumes_are_filled_by_capacity() {
    let plenty = 1 << 30;
    let media = copied(&Spread::Capacities(vec![2 << 20, plenty]), 2).unwrap();
    assert_eq!(media.len(), 2);
    let error = copied(&Spread::Capacities(vec![1 << 20, 1 << 20]), 2).unwrap_err();
    assert_eq!(error.exit(), Exit::NoSpace);
    let error = copied(&Spread::Capacities(vec![plenty, plenty]), 2).unwrap_err();
    insta::assert_snapshot!(error, @"1 of the 2 volumes suffice: leave the others out");
}

#[test]
fn a_damaged_origin_is_not_copied() {
    let mut sample = Sample::new(7).unwrap();
    let path = sample.media[0]
        .files
        .keys()
        .find(|p| p.contains("/blobs/"))
        .cloned()
        .unwrap();
    sample.media[0].change(&path, |bytes| bytes[0] ^= 1);
    let mut target = MemoryMedia::new("target");
    let error = copy(
        &sample.volumes(),
        None,
        &mut [&mut target],
        &Spread::Evenly,
        &Silent,
    )
    .unwrap_err();
    assert!(matches!(error, CopyError::Content { .. }), "{error}");
    assert!(!target.files.keys().any(|p| p.contains("/metadata/")));
}

#[test]
fn an_incomplete_origin_is_not_copied() {
    let mut sample = Sample::on_volumes(7, 2).unwrap();
    sample.media.pop();
    let mut target = MemoryMedia::new("target");
    let error = copy(
        &sample.volumes(),
        None,
        &mut [&mut target],
        &Spread::Evenly,
        &Silent,
    )
    .unwrap_err();
    assert!(matches!(error, CopyError::Missing { .. }), "{error}");
    assert!(target.files.is_empty());
}
