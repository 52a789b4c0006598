use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::*;
use crate::{
    Act, Action, Actor, Entry, Head, HostKey,
    tests::{ana, at, folder, key, log},
};

/// A chain of so many entries, in memory.
fn entries(count: u64) -> Vec<Entry> {
    let mut head = Head::START;
    (1..=count)
        .map(|number| {
            let act =
                Act::new(Action::KEYS_REVOKED, format!("key-{number}")).detail("team", "blue");
            let entry = Entry::after(head, at(number), &ana(), act);
            head = entry.head();
            entry
        })
        .collect()
}

/// The same chain, with every hash computed anew.
fn relinked(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut head = Head::START;
    for entry in &mut entries {
        entry.sequence = head.sequence + 1;
        entry.previous = head.hash;
        entry.hash = entry.computed();
        head = entry.head();
    }
    entries
}

fn judge_from(first: u64, entries: &[Entry], checkpoints: &[Checkpoint]) -> Verdict {
    let lines: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    let mut lines = lines.as_bytes();
    let source = Source::Export {
        lines: &mut lines,
        first,
    };
    verify(source, checkpoints, &[key().public().clone()]).unwrap()
}

fn judge(entries: &[Entry], checkpoints: &[Checkpoint]) -> Verdict {
    judge_from(1, entries, checkpoints)
}

fn signed(entry: &Entry) -> Checkpoint {
    Checkpoint::sign(entry.head(), at(100), &key())
}

fn fault(verdict: &Verdict) -> (u64, String) {
    let fault = verdict.fault.as_ref().unwrap();
    (fault.sequence, verdict.to_string())
}

#[test]
fn a_log_its_copy_and_its_export_are_sound_and_alike() {
    let (_keep, folder) = folder();
    let path = folder.join("audit.db");
    let log = log(&path, 5);
    let checkpoint = log.checkpoint(at(100), &key()).unwrap();
    let checkpoints = [checkpoint];
    let keys = [key().public().clone()];
    let beside = verify(Source::Database(&path), &checkpoints, &keys).unwrap();
    let mut lines = Vec::new();
    log.reader().export(&mut lines, ..).unwrap();
    drop(log);
    let copy = folder.join("copy.db");
    fs_err::copy(&path, &copy).unwrap();
    let copied = verify(Source::Database(&copy), &checkpoints, &keys).unwrap();
    let source = Source::Export {
        lines: &mut lines.as_slice(),
        first: 1,
    };
    let exported = verify(source, &checkpoints, &keys).unwrap();
    assert_eq!(beside, copied);
    assert_eq!(beside, exported);
    assert!(beside.is_sound());
    insta::assert_snapshot!(beside, @"
    audit chain ok: entries 1 to 5
    up to entry 5 it is as it was signed at 2026-11-25T07:31:40Z
    ");
}

#[test]
fn every_kind_of_change_is_named_with_the_first_wrong_number() {
    let whole = entries(6);
    let last = [signed(&whole[5])];
    let mut texts = Vec::new();
    let mut say = |what: &str, entries: &[Entry]| {
        let verdict = judge(entries, &last);
        assert!(!verdict.is_sound(), "{what}");
        assert_eq!(verdict.exit(), maas_types::Exit::Audit);
        texts.push(format!("{what}: {verdict}"));
    };
    let mut edited = whole.clone();
    edited[2].subject = "key-33".to_owned();
    say("edited", &edited);
    edited[2].hash = edited[2].computed();
    say("edited, with its hash", &edited);
    say("edited, with all hashes", &relinked(edited));

    let mut deleted = whole.clone();
    deleted.remove(2);
    say("deleted", &deleted);
    say("deleted, with all hashes", &relinked(deleted));

    let mut swapped = whole.clone();
    swapped.swap(2, 3);
    say("swapped", &swapped);

    let mut doubled = whole.clone();
    doubled.insert(2, whole[1].clone());
    say("doubled", &doubled);

    let mut numbered = whole.clone();
    numbered.swap(2, 3);
    numbered[2].sequence = 3;
    numbered[2].hash = numbered[2].computed();
    say("moved, with its number", &numbered);

    say("cut off", &whole[..4]);
    say("emptied", &[]);
    insta::assert_snapshot!(texts.join("\n\n"), @"
    edited: entry 3 was changed after it was written: its content does not give its hash
    the chain itself holds up to there: entries 1 to 2

    edited, with its hash: entry 4 does not follow the entry before it: one of the two was replaced, or entries between them were removed or inserted and the rest numbered anew
    the chain itself holds up to there: entries 1 to 3

    edited, with all hashes: entry 1 or one after it, up to 6, is not what the host signed at 2026-11-25T07:31:40Z: the log was changed and its hashes computed anew, or an older copy of it was put back and written on
    the chain itself holds up to there: entries 1 to 6

    deleted: entry 3 is missing: entry 4 stands in its place
    the chain itself holds up to there: entries 1 to 2

    deleted, with all hashes: entry 6 is missing: the log ends before it, and at 2026-11-25T07:31:40Z the host signed a log up to entry 6
    the chain itself holds up to there: entries 1 to 5

    swapped: entry 3 is missing: entry 4 stands in its place
    the chain itself holds up to there: entries 1 to 2

    doubled: entry 3 is not where it should be: entry 2 stands there, which is out of order or there twice
    the chain itself holds up to there: entries 1 to 2

    moved, with its number: entry 3 does not follow the entry before it: one of the two was replaced, or entries between them were removed or inserted and the rest numbered anew
    the chain itself holds up to there: entries 1 to 2

    cut off: entry 5 is missing: the log ends before it, and at 2026-11-25T07:31:40Z the host signed a log up to entry 6
    the chain itself holds up to there: entries 1 to 4

    emptied: entry 1 is missing: the log ends before it, and at 2026-11-25T07:31:40Z the host signed a log up to entry 6
    the chain itself holds up to there: no entry
    ");
}

#[test]
fn without_a_checkpoint_a_cut_off_end_is_not_noticed_and_the_verdict_says_so() {
    let whole = entries(6);
    let verdict = judge(&whole[..4], &[]);
    assert!(verdict.is_sound());
    insta::assert_snapshot!(verdict, @"
    audit chain ok: entries 1 to 4
    no checkpoint vouches for this: whether entries were cut off at its end, or all of it was computed anew, cannot be told
    ");
    let verdict = judge(&whole, &[signed(&whole[3])]);
    insta::assert_snapshot!(verdict, @"
    audit chain ok: entries 1 to 6
    up to entry 4 it is as it was signed at 2026-11-25T07:31:40Z; whether entries after 6 were cut off, or those after 4 computed anew, cannot be told
    ");
    // After the last checkpoint the same holds.
    let verdict = judge(&whole[..5], &[signed(&whole[3])]);
    assert!(verdict.is_sound());
    assert_eq!(verdict.covered, Some((4, at(100))));
}

#[test]
fn a_rewritten_log_is_wrong_from_the_last_checkpoint_that_agrees() {
    let whole = entries(9);
    let mut other = whole.clone();
    other[6].subject = "x".to_owned();
    let other = relinked(other);
    let checkpoints = [signed(&whole[8]), signed(&whole[2]), signed(&whole[4])];
    let (sequence, text) = fault(&judge(&other, &checkpoints));
    assert_eq!(sequence, 6, "{text}");
    assert_eq!(judge(&whole, &checkpoints).covered, Some((9, at(100))));
}

#[test]
fn a_log_that_was_put_back_and_written_on_contradicts_what_was_signed() {
    let whole = entries(6);
    let mut other = entries(3);
    let act = Act::new(Action::BACKUP_RESTORED, "monday");
    for number in 4..=8 {
        let head = other.last().unwrap().head();
        other.push(Entry::after(head, at(number), &ana(), act.clone()));
    }
    let checkpoints = [signed(&whole[5]), signed(&other[7])];
    assert_eq!(fault(&judge(&other, &checkpoints)).0, 1);
    assert_eq!(fault(&judge(&whole, &checkpoints)).0, 7);
}

#[test]
fn a_checkpoint_of_a_stranger_vouches_for_nothing_and_is_reported() {
    let whole = entries(3);
    let stranger = HostKey::from_seed("maas.site.internal".parse().unwrap(), &[8; 32]);
    let mut forged = Checkpoint::sign(whole[2].head(), at(100), &stranger);
    let verdict = judge(&whole, &[forged.clone()]);
    assert!(!verdict.is_sound());
    assert_eq!(verdict.exit(), maas_types::Exit::Untrusted);
    assert_eq!(verdict.covered, None);
    insta::assert_snapshot!(verdict, @"
    audit chain ok: entries 1 to 3
    no checkpoint vouches for this: whether entries were cut off at its end, or all of it was computed anew, cannot be told
    the checkpoint of `maas.site.internal` for entry 3, dated 2026-11-25T07:31:40Z, is signed by none of the keys given: it was changed, or another key of that host is needed
    ");
    forged.key = key().public().hint();
    assert_eq!(judge(&whole, &[forged]).refused.len(), 1);
    let elsewhere = HostKey::from_seed("b".parse().unwrap(), &[7; 32]);
    let other = Checkpoint::sign(whole[2].head(), at(100), &elsewhere);
    assert_eq!(judge(&whole, &[other]).refused.len(), 1);
}

#[test]
fn a_replaced_key_still_vouches_for_what_it_signed() {
    let whole = entries(4);
    let old = HostKey::from_seed("maas.site.internal".parse().unwrap(), &[1; 32]);
    let checkpoints = [
        Checkpoint::sign(whole[1].head(), at(50), &old),
        signed(&whole[3]),
    ];
    let mut lines = String::new();
    for entry in &whole {
        lines.push_str(&entry.to_line());
        lines.push('\n');
    }
    let source = Source::Export {
        lines: &mut lines.as_bytes(),
        first: 1,
    };
    let keys = [old.public().clone(), key().public().clone()];
    let verdict = verify(source, &checkpoints, &keys).unwrap();
    assert!(verdict.is_sound(), "{verdict}");
}

#[test]
fn a_part_of_a_log_is_held_to_the_checkpoints_around_it() {
    let whole = entries(9);
    let part = &whole[3..7];
    let around = [signed(&whole[1]), signed(&whole[2]), signed(&whole[6])];
    let verdict = judge_from(4, part, &around);
    assert!(verdict.is_sound(), "{verdict}");
    insta::assert_snapshot!(verdict, @"
    audit chain ok: entries 4 to 7
    up to entry 7 it is as it was signed at 2026-11-25T07:31:40Z
    1 checkpoint is for an entry before 4 and was not compared
    ");
    assert!(judge_from(4, &[], &around[..2]).is_sound());
    // What was asked for is not what begins later, and not what follows another entry.
    assert_eq!(fault(&judge_from(4, &part[1..], &around)).0, 4);
    let mut other = part.to_vec();
    other[0].previous = whole[0].hash;
    other[0].hash = other[0].computed();
    assert_eq!(fault(&judge_from(4, &other[..1], &around)).0, 4);
}

#[test]
fn a_clock_that_goes_back_is_a_warning() {
    let mut whole = entries(5);
    whole[2].time = at(0);
    whole[4].time = at(1);
    let verdict = judge(&relinked(whole), &[]);
    assert!(verdict.is_sound());
    assert_eq!(verdict.exit(), maas_types::Exit::Done);
    insta::assert_snapshot!(verdict.clock.unwrap(), @"warning: the clock went back 2 times, first at entry 3, from 2026-11-25T07:30:02Z to 2026-11-25T07:30:00Z; entries are in order of their numbers");
}

#[test]
fn an_empty_log_is_sound_and_its_checkpoint_too() {
    let none = Checkpoint::sign(Head::START, at(0), &key());
    assert!(judge(&[], std::slice::from_ref(&none)).is_sound());
    assert!(judge(&entries(2), std::slice::from_ref(&none)).is_sound());
    let mut wrong = none.head;
    wrong.hash = maas_types::Digest::from_bytes([1; 32]);
    let wrong = Checkpoint::sign(wrong, at(0), &key());
    assert!(!judge(&entries(2), &[wrong]).is_sound());
    insta::assert_snapshot!(judge(&[], &[]), @"
    audit chain ok: no entry
    no checkpoint vouches for this: whether entries were cut off at its end, or all of it was computed anew, cannot be told
    ");
}

/// Something that never ends.
#[derive(Debug)]
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b' ');
        Ok(buffer.len())
    }
}

#[test]
fn a_line_without_an_end_a_torn_line_and_an_empty_one_are_reported() {
    let judge = |mut lines: &mut dyn BufRead| {
        let source = Source::Export {
            lines: &mut lines,
            first: 1,
        };
        verify(source, &[], &[]).unwrap().fault.unwrap().to_string()
    };
    let torn = entries(1)[0].to_line();
    let texts = [
        judge(&mut BufReader::new(Endless)),
        judge(&mut torn.as_bytes()),
        judge(&mut "\n".as_bytes()),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    entry 1 cannot be read: its line is longer than 32768 bytes
    entry 1 cannot be read: its line was cut off
    entry 1 cannot be read: EOF while parsing a value at line 1 column 0
    ");
}

/// An export that is made while it is read: nothing but the verifier could keep it.
#[derive(Debug)]
struct Written {
    head: Head,
    left: u64,
    line: Vec<u8>,
}

impl Read for Written {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() && self.left > 0 {
            let act = Act::new(Action::KEYS_CREATED, "k");
            let entry = Entry::after(self.head, at(1), &Actor::Appliance {}, act);
            (self.head, self.left) = (entry.head(), self.left - 1);
            self.line = (entry.to_line() + "\n").into_bytes();
        }
        let count = buffer.len().min(self.line.len());
        buffer[..count].copy_from_slice(&self.line[..count]);
        self.line.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_long_log_is_verified_as_it_is_read() {
    let mut lines = BufReader::new(Written {
        head: Head::START,
        left: 20_000,
        line: Vec::new(),
    });
    let source = Source::Export {
        lines: &mut lines,
        first: 1,
    };
    assert_eq!(verify(source, &[], &[]).unwrap().entries, 20_000);
}

/// One thing done to a log.
#[derive(Debug, Clone)]
enum Meddling {
    Edit(usize, usize),
    Delete(usize),
    Swap(usize, usize),
    Insert(usize, usize),
}

fn meddling() -> impl Strategy<Value = Meddling> {
    let any = || any::<prop::sample::Index>();
    let at = |index: prop::sample::Index| index.index(1 << 16);
    prop_oneof![
        (any(), any()).prop_map(move |(a, b)| Meddling::Edit(at(a), at(b))),
        any().prop_map(move |a| Meddling::Delete(at(a))),
        (any(), any()).prop_map(move |(a, b)| Meddling::Swap(at(a), at(b))),
        (any(), any()).prop_map(move |(a, b)| Meddling::Insert(at(a), at(b))),
    ]
}

/// Does it, and says which entry is the first that is not as it was; `None` where nothing was changed.
fn apply(entries: &mut Vec<Entry>, what: &Meddling) -> Option<usize> {
    let count = entries.len();
    match *what {
        Meddling::Edit(place, field) => {
            let entry = &mut entries[place % count];
            match field % 6 {
                0 => entry.subject.push('x'),
                1 => entry.time = at(1_000),
                2 => entry.action = Action::TEAM_CHANGED,
                3 => entry.actor = Actor::Appliance {},
                4 => drop(entry.details.insert("a".to_owned(), "b".to_owned())),
                _ => entry.previous = maas_types::Digest::from_bytes([9; 32]),
            }
            Some(place % count)
        }
        Meddling::Delete(place) => {
            entries.remove(place % count);
            Some(place % count)
        }
        Meddling::Swap(one, two) => {
            let (one, two) = (one % count, two % count);
            entries.swap(one, two);
            (one != two).then_some(one.min(two))
        }
        Meddling::Insert(place, from) => {
            let mut entry = entries[from % count].clone();
            entry.subject.push('x');
            entries.insert(place % (count + 1), entry);
            Some(place % (count + 1))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever changes one thing and nothing else is found at that very place.
    #[test]
    fn any_single_change_is_found_where_it_is(count in 1..20_u64, what in meddling()) {
        let whole = entries(count);
        let last = [signed(whole.last().unwrap())];
        prop_assert!(judge(&whole, &last).is_sound());
        let mut changed = whole.clone();
        if let Some(first) = apply(&mut changed, &what) {
            let verdict = judge(&changed, &last);
            let (sequence, text) = (verdict.fault.as_ref().map(|f| f.sequence), verdict.to_string());
            // Behind the last checkpoint's entry anything may follow; a wrong entry may not.
            prop_assert_eq!(sequence, Some(first as u64 + 1), "{}", text);
        }
    }

    /// Whoever also computes every hash and number anew is found by the checkpoint.
    #[test]
    fn a_change_with_all_hashes_anew_is_found_by_a_checkpoint(
        count in 1..20_u64,
        what in meddling(),
    ) {
        let whole = entries(count);
        let last = [signed(whole.last().unwrap())];
        let mut changed = whole.clone();
        let appended = matches!(what, Meddling::Insert(place, _) if place as u64 % (count + 1) == count);
        if apply(&mut changed, &what).is_some() {
            let changed = relinked(changed);
            // An honest end of the log: entries may follow what was signed.
            prop_assume!(!appended && changed != whole);
            prop_assert!(!judge(&changed, &last).is_sound());
            // Without one it is a log like any other, and the verdict does not claim more.
            let alone = judge(&changed, &[]);
            prop_assert!(alone.is_sound() && alone.covered.is_none());
        }
    }

    #[test]
    fn truncation_is_found_with_a_checkpoint_and_not_without(count in 1..20_u64, keep in 0..20_u64) {
        let whole = entries(count);
        let kept = &whole[..usize::try_from(keep.min(count - 1)).unwrap()];
        let verdict = judge(kept, &[signed(whole.last().unwrap())]);
        prop_assert_eq!(verdict.fault.map(|fault| fault.sequence), Some(kept.len() as u64 + 1));
        prop_assert!(judge(kept, &[]).is_sound());
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
        let source = Source::Export { lines: &mut bytes.as_slice(), first: 1 };
        let verdict = verify(source, &[], &[]).unwrap();
        prop_assert!(bytes.is_empty() || !verdict.is_sound());
    }

    /// One byte of an export changed, in any way: noticed, or the entry says the same (white space, or
    /// another escape of the same character).
    #[test]
    fn any_changed_byte_of_an_export_is_noticed(place: prop::sample::Index, with: u8) {
        let whole = entries(4);
        let mut bytes: Vec<u8> = whole.iter().flat_map(|e| (e.to_line() + "\n").into_bytes()).collect();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != with);
        bytes[place] = with;
        let last = [signed(&whole[3])];
        let source = Source::Export { lines: &mut bytes.as_slice(), first: 1 };
        let verdict = verify(source, &last, &[key().public().clone()]).unwrap();
        prop_assert!(!verdict.is_sound(), "byte {} as {:?}", place, char::from(with));
    }
}
