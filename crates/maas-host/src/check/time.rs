//! D-CLOCK, D-TIME-SYNC.

use jiff::{Timestamp, ToSpan};

use super::{Outcome, fail, pass, warn};
use crate::{Machine, Wants};

/// No bundle serves longer than its certificates and roots: a clock that is ten years later than it is
/// wrong.
const LONGEST_HOURS: i64 = 10 * 366 * 24;

/// What a clock may differ from another, or from the time of a file, before somebody should look.
const ODD_HOURS: i64 = 24;

pub(crate) fn clock(machine: &Machine, wants: &Wants) -> Outcome {
    let clock = &machine.clock;
    let now = clock.now;
    let set = "set it, from a watch if there is nothing better: date -u -s '2026-01-31 12:00' && hwclock --systohc";
    if now < wants.built {
        return fail(
            format!(
                "the clock says {}, and it has been {} already",
                minute(now),
                minute(wants.built)
            ),
            set,
        );
    }
    if later(wants.built, LONGEST_HOURS).is_some_and(|latest| now > latest) {
        return fail(
            format!(
                "the clock says {}, more than ten years after {}, when the bundle was built",
                minute(now),
                minute(wants.built)
            ),
            set,
        );
    }
    if let Some(witness) = clock.witness.filter(|witness| is_later(*witness, now)) {
        return warn(
            format!(
                "the clock says {}, and files here were written on {}: it has been set back",
                minute(now),
                minute(witness)
            ),
            set,
        );
    }
    let differs = |board: &Timestamp| is_later(*board, now) || is_later(now, *board);
    if let Some(board) = clock.board.filter(differs) {
        return warn(
            format!(
                "the clock says {}, the clock on the board {}",
                minute(now),
                minute(board)
            ),
            "if the first is right: hwclock --systohc; else: hwclock --hctosys",
        );
    }
    pass(format!("the clock says {}, which can be", minute(now)))
}

fn later(time: Timestamp, hours: i64) -> Option<Timestamp> {
    time.checked_add(hours.hours()).ok()
}

/// By so much that somebody should look.
fn is_later(time: Timestamp, than: Timestamp) -> bool {
    later(than, ODD_HOURS).is_some_and(|limit| time > limit)
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Told, never demanded: an enclave may have no time server at all.
pub(crate) fn sync(machine: &Machine, _: &Wants) -> Outcome {
    match machine.clock.keepers.as_slice() {
        [] => pass(
            "no program sets the clock, and none is needed: compare it with a watch now and then",
        ),
        keepers => pass(format!("{} sets the clock", keepers.join(", "))),
    }
}
