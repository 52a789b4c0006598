use super::*;
use crate::{MemoryMedia, Silent, sample::Sample, verify_contents};

static NOTHING: BTreeSet<Digest> = BTreeSet::new();

fn order(spread: &Spread) -> Consignment<'_> {
    Consignment {
        bundle: None,
        spread,
        have: &NOTHING,
        progress: &Silent,
    }
}

fn copied(spread: &Spread, volumes: usize) -> Result<Vec<MemoryMedia>, CopyError> {
    let sample = Sample::new(7).unwrap();
    let mut media: Vec<_> = (1..=volumes)
        .map(|volume| MemoryMedia::new(format!("v{volume}")))
        .collect();
    let mut sinks: Vec<_> = media.iter_mut().map(|m| m as &mut dyn Sink).collect();
    copy(&sample.volumes(), &mut sinks, &order(spread))?;
    Ok(media)
}

#[test]
fn a_copy_of_a_copy_is_byte_for_byte_the_same() {
    let three = copied(&Spread::Evenly, 3).unwrap();
    let media: Vec<_> = three.iter().map(|m| m as &dyn Media).collect();
    let mut one = MemoryMedia::new("stick-1");
    copy(&media, &mut [&mut one], &order(&Spread::Evenly)).unwrap();
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
    let order = order(&Spread::Evenly);
    let error = copy(&sample.volumes(), &mut [&mut target], &order).unwrap_err();
    assert!(matches!(error, CopyError::Content { .. }), "{error}");
    assert!(!target.files.keys().any(|p| p.contains("/metadata/")));
}

#[test]
fn an_incomplete_origin_is_not_copied() {
    let mut sample = Sample::on_volumes(7, 2).unwrap();
    sample.media.pop();
    let mut target = MemoryMedia::new("target");
    let order = order(&Spread::Evenly);
    let error = copy(&sample.volumes(), &mut [&mut target], &order).unwrap_err();
    assert!(matches!(error, CopyError::Missing { .. }), "{error}");
    assert!(target.files.is_empty());
}

#[test]
fn sticks_of_different_sizes_are_filled_evenly_where_that_fits_and_by_their_room_where_not() {
    let bytes = |media: &MemoryMedia| {
        let blobs = media.files.keys().filter(|path| path.contains("/blobs/"));
        blobs
            .filter_map(|path| media.bytes(path))
            .map(<[u8]>::len)
            .sum::<usize>()
    };
    let plenty = 1 << 30;
    let even = copied(&Spread::Room(vec![plenty, plenty]), 2).unwrap();
    assert_eq!(even, copied(&Spread::Evenly, 2).unwrap());
    // The smallest first stick that takes anything at all: the second must take nearly everything.
    let mut sizes = (1..100).map(|step| (1 << 20) + step * (64 << 10));
    let small = sizes.find_map(|size| copied(&Spread::Room(vec![size, plenty]), 2).ok());
    let small = small.unwrap();
    assert!(bytes(&small[0]) < bytes(&even[0]), "{}", bytes(&small[0]));
    let error = copied(&Spread::Room(vec![1 << 20, 1 << 20]), 2).unwrap_err();
    assert_eq!(error.exit(), Exit::NoSpace);
}

#[test]
fn volumes_of_one_size_are_counted_before_the_first_is_written() {
    let sample = Sample::new(7).unwrap();
    let order = order(&Spread::Evenly);
    let needed = |size| volumes_needed(&sample.volumes(), &order, size);
    assert_eq!(needed(1 << 30).unwrap(), 1);
    let several = needed(2_400_000).unwrap();
    assert!(several > 1, "{several}");
    let capacities = Spread::Capacities(vec![2_400_000; several]);
    assert!(copied(&capacities, several).is_ok());
    assert_eq!(needed(1 << 20).unwrap_err().exit(), Exit::NoSpace);
}

#[test]
fn what_the_host_has_is_left_out_and_said() {
    let sample = Sample::new(7).unwrap();
    let bundle = sample.verified().unwrap();
    let have: BTreeSet<_> = bundle.bill().blobs.iter().map(|blob| blob.digest).collect();
    for count in [1, have.len()] {
        let have = have.iter().copied().take(count).collect();
        let order = Consignment {
            have: &have,
            ..order(&Spread::Evenly)
        };
        let mut delta = MemoryMedia::new("stick-1");
        copy(&sample.volumes(), &mut [&mut delta], &order).unwrap();
        let carried = delta.files.keys().filter(|path| path.contains("/blobs/"));
        assert_eq!(carried.count(), bundle.bill().blobs.len() - count);
        let delta = Sample {
            media: vec![delta],
            ..Sample::new(7).unwrap()
        };
        let verified = delta.verified().unwrap();
        let report = verify_contents(&verified, &delta.volumes(), &Silent);
        assert!(report.is_good(), "{report:?}");
        assert!(report.left_out.iter().eq(&have));
        let located = crate::locate(&verified, &delta.volumes()).unwrap();
        assert!(located.missing().iter().all(|object| object.left_out));
        assert_eq!(located.missing().len(), count);
        // A delta of a delta leaves out what that left out.
        let mut again = MemoryMedia::new("stick-1");
        let order = self::order(&Spread::Evenly);
        copy(&delta.volumes(), &mut [&mut again], &order).unwrap();
        assert_eq!(again, delta.media[0]);
    }
}

#[test]
fn a_delta_that_hides_more_than_it_says_is_found() {
    let sample = Sample::new(7).unwrap();
    let first = sample.verified().unwrap().bill().blobs[0].digest;
    let have = BTreeSet::from([first]);
    let order = Consignment {
        have: &have,
        ..order(&Spread::Evenly)
    };
    let mut delta = MemoryMedia::new("stick-1");
    copy(&sample.volumes(), &mut [&mut delta], &order).unwrap();
    let gone = delta
        .files
        .keys()
        .find(|path| path.contains("/blobs/"))
        .cloned()
        .unwrap();
    delta.files.remove(&gone);
    let delta = Sample {
        media: vec![delta],
        ..sample
    };
    let report = verify_contents(&delta.verified().unwrap(), &delta.volumes(), &Silent);
    assert_eq!(report.exit(), Exit::Content, "{report:?}");
}
