//! Whatever stands in the files of a host, looking at it ends, and the findings are findings.

use proptest::prelude::*;

use super::hosts;
use crate::{Level, catalogue::entry, findings};

/// What becomes of one file.
#[derive(Debug, Clone)]
enum Fate {
    /// Any bytes instead.
    Noise(Vec<u8>),
    /// Cut off somewhere.
    Cut(prop::sample::Index),
    /// One byte is another.
    Flip(prop::sample::Index, u8),
    /// Twice in a row.
    Twice,
    /// As it was.
    Kept,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Fate::Noise),
        any::<prop::sample::Index>().prop_map(Fate::Cut),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Fate::Flip(at, byte)),
        Just(Fate::Twice),
        Just(Fate::Kept),
    ]
}

fn befall(bytes: &mut Vec<u8>, fate: &Fate) {
    match fate {
        Fate::Noise(noise) => noise.clone_into(bytes),
        Fate::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Fate::Flip(at, byte) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Fate::Twice => bytes.extend_from_within(..),
        Fate::Flip(..) | Fate::Kept => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn odd_files_are_findings_and_no_panic(
        host in 0_usize..5,
        fates in proptest::collection::vec(fate(), 1..40)
    ) {
        let hosts = [hosts::h100, hosts::rhel8, hosts::debian12_vm, hosts::container, hosts::nouveau];
        let mut host = hosts[host]();
        for (bytes, fate) in host.files.values_mut().zip(fates.iter().cycle()) {
            befall(bytes, fate);
        }
        let machine = host.machine();
        let found = findings(&machine, &host.wants);
        for finding in &found {
            let entry = entry(finding.id).unwrap();
            prop_assert!(finding.level <= entry.worst, "{finding:?}");
            prop_assert_eq!(finding.level == Level::Pass, finding.fix.is_none());
            let mut shown = finding.text.chars().chain(finding.fix.iter().flat_map(|fix| fix.chars()));
            prop_assert!(shown.all(|c| !c.is_control()), "{finding:?}");
        }
        prop_assert!(serde_json::to_string(&machine).is_ok());
    }
}
