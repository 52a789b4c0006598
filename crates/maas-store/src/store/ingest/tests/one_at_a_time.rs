//! One port: stick after stick, in any order.

use super::*;

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[test]
fn three_volumes_in_every_order_end_in_the_same_store_and_each_byte_is_read_once() {
    let bundle = bundle_on(3);
    let at_once = host();
    bundle.ingest(&at_once, Disk::real()).unwrap();
    for order in ORDERS {
        let host = host();
        let mut read = 0;
        for volume in order {
            let done = bundle.ingest_some(&host, Disk::real(), &[volume]).unwrap();
            assert_eq!(done.bytes_written, done.bytes_read);
            read += done.bytes_read;
        }
        assert_eq!(read, bundle.bytes(), "{order:?}");
        assert_eq!(host.store(), at_once.store());
        assert_eq!(host.staged(), 0);
    }
}

#[test]
fn what_is_still_missing_is_said_until_nothing_is() {
    let sample = Sample::on_volumes(1, 3).unwrap();
    let bundle = sample.verified().unwrap();
    let total: u64 = bundle.bill().blobs.iter().map(|blob| blob.size).sum();
    for order in ORDERS {
        let host = host();
        let lock = Lock::acquire(&host.layout, &host.holder).unwrap();
        let db = TrustDb::open(&lock).unwrap();
        let store = Store::new(&host.layout);
        let mut left = total;
        for volume in order {
            let media: [&dyn Media; 1] = [&sample.media[volume]];
            let (done, missing) = store
                .ingest_available(&lock, &db, &bundle, &media, &mut |_| ())
                .unwrap();
            left -= done.bytes_read;
            assert_eq!(missing.map_or(0, |missing| missing.bytes), left);
        }
        assert_eq!(left, 0, "{order:?}");
        let all = sample.volumes();
        let again = store
            .ingest(&lock, &db, &bundle, &all, &mut |_| ())
            .unwrap();
        assert_eq!((again.bytes_read, again.blobs_written), (0, 0));
    }
}

#[test]
fn an_install_that_needs_all_refuses_before_its_first_write() {
    let sample = Sample::on_volumes(1, 3).unwrap();
    let bundle = sample.verified().unwrap();
    let host = host();
    let lock = Lock::acquire(&host.layout, &host.holder).unwrap();
    let db = TrustDb::open(&lock).unwrap();
    let media: [&dyn Media; 2] = [&sample.media[0], &sample.media[2]];
    let error = Store::new(&host.layout)
        .ingest(&lock, &db, &bundle, &media, &mut |_| ())
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Medium);
    assert!(matches!(error, StoreError::Missing(_)));
    assert!(!host.layout.staging().exists());
    assert!(host.store().is_empty());
}

#[test]
fn an_install_goes_on_where_one_volume_at_a_time_has_begun() {
    let sample = Sample::on_volumes(1, 3).unwrap();
    let bundle = sample.verified().unwrap();
    let host = host();
    let lock = Lock::acquire(&host.layout, &host.holder).unwrap();
    let db = TrustDb::open(&lock).unwrap();
    let store = Store::new(&host.layout);
    let first: [&dyn Media; 1] = [&sample.media[1]];
    let (begun, missing) = store
        .ingest_available(&lock, &db, &bundle, &first, &mut |_| ())
        .unwrap();
    // The first volume need not be put in again.
    let others: [&dyn Media; 2] = [&sample.media[0], &sample.media[2]];
    let done = store
        .ingest(&lock, &db, &bundle, &others, &mut |_| ())
        .unwrap();
    assert_eq!(done.bytes_read, missing.unwrap().bytes);
    assert_eq!(done.blobs_present, begun.blobs_written);
}
