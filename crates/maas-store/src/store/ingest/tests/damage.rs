//! Whatever a stick holds: an error, or the very bytes that were signed; and never a wrong one in the store.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index),
    Truncate(prop::sample::Index),
    Extend(Vec<u8>),
    Delete,
    Swap(prop::sample::Index),
    Replace(Content),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        3 => at().prop_map(Damage::Flip),
        2 => at().prop_map(Damage::Truncate),
        1 => prop::collection::vec(any::<u8>(), 1..20).prop_map(Damage::Extend),
        1 => Just(Damage::Delete),
        2 => at().prop_map(Damage::Swap),
        1 => prop_oneof![
            Just(Content::Link),
            Just(Content::Special),
            Just(Content::Zeros(1 << 40)),
            Just(Content::Zeros(10_000)),
        ]
        .prop_map(Damage::Replace),
    ]
}

fn inflict(media: &mut MemoryMedia, path: &str, damage: &Damage) {
    match damage {
        Damage::Flip(at) => media.change(path, |bytes| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1;
            }
        }),
        Damage::Truncate(at) => media.change(path, |bytes| {
            if !bytes.is_empty() {
                bytes.truncate(at.index(bytes.len()));
            }
        }),
        Damage::Extend(more) => media.change(path, |bytes| bytes.extend(more)),
        Damage::Delete => drop(media.files.remove(path)),
        Damage::Swap(with) => {
            let paths: Vec<_> = media.files.keys().cloned().collect();
            let with = &paths[with.index(paths.len())];
            let (a, b) = (media.files[path].clone(), media.files[with].clone());
            media.files.insert(path.to_owned(), b);
            media.files.insert(with.clone(), a);
        }
        Damage::Replace(content) => drop(media.files.insert(path.to_owned(), content.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn damaged_sticks_in_any_order_leave_right_blobs_only_and_good_ones_complete_them(
        damages in prop::collection::vec(
            (0_usize..3, any::<prop::sample::Index>(), damage()), 1..4),
        turns in prop::collection::vec(prop::collection::vec(0_usize..3, 1..3), 1..4),
    ) {
        let good = bundle_on(3);
        let mut bad = bundle_on(3);
        for (volume, file, damage) in &damages {
            let paths: Vec<_> = bad.volumes[*volume].files.keys().cloned().collect();
            if !paths.is_empty() {
                let path = &paths[file.index(paths.len())];
                inflict(&mut bad.volumes[*volume], path, damage);
            }
        }
        let host = host();
        for volumes in &turns {
            let mut volumes = volumes.clone();
            volumes.sort_unstable();
            volumes.dedup();
            // An error or not: what counts is what is in the store afterwards.
            drop(bad.ingest_some(&host, Disk::real(), &volumes));
            prop_assert!(host.store().values().all(|right| *right));
        }
        good.ingest(&host, Disk::real()).unwrap();
        let store = host.store();
        prop_assert_eq!(store.len(), good.blobs.len());
        prop_assert!(store.values().all(|right| *right));
        prop_assert_eq!(host.staged(), 0);
    }
}
