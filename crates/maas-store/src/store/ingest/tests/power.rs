//! The power goes at every effect.

use super::*;
use crate::power_cut::PowerCut;

#[test]
fn a_power_cut_at_any_effect_leaves_only_right_blobs_and_nothing_noted_is_read_again() {
    let bundle = bundle();
    let mut cuts = 0;
    loop {
        let host = host();
        let cut = PowerCut::before_effect(cuts);
        let first = bundle.ingest(&host, cut.disk());
        cut.lose_unforced().unwrap();
        assert_eq!(first.is_err(), cut.happened());
        assert!(host.store().values().all(|right| *right), "cut {cuts}");
        let here = bytes_here(&host, &bundle);
        let second = bundle.ingest(&host, Disk::real()).unwrap();
        assert_eq!(second.bytes_read + here, bundle.bytes(), "cut {cuts}");
        assert_eq!(host.store().len(), 5);
        assert!(host.store().values().all(|right| *right), "cut {cuts}");
        assert_eq!(host.staged(), 0);
        assert_eq!(bundle.ingest(&host, Disk::real()).unwrap().bytes_read, 0);
        if first.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 60, "only {cuts} effects were cut");
}
