//! Changes members of a JSON object and leaves every other byte where it is.

use std::ops::Range;

use super::scan::{Member, Object};

/// Changes to one object, collected first and applied in one copy.
#[derive(Debug)]
pub(crate) struct Edits<'a> {
    object: &'a Object,
    inserted: Vec<u8>,
    replaced: Vec<(Range<usize>, Vec<u8>)>,
    removed: Vec<&'static str>,
}

impl<'a> Edits<'a> {
    /// No change yet.
    pub(crate) fn new(object: &'a Object) -> Self {
        Self {
            object,
            inserted: Vec::new(),
            replaced: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Gives `key` the value `json`: in place when it is there, as a new first member when not.
    pub(crate) fn set(&mut self, key: &'static str, json: impl Into<Vec<u8>>) {
        let json = json.into();
        if let Some(member) = self.object.get(key) {
            self.replaced.push((member.value.clone(), json));
            return;
        }
        if !self.inserted.is_empty() {
            self.inserted.push(b',');
        }
        self.inserted.push(b'"');
        self.inserted.extend_from_slice(key.as_bytes());
        self.inserted.extend_from_slice(b"\":");
        self.inserted.extend(json);
    }

    /// Puts the member `key` with the value `json` in the place of the member `old`, if that is there.
    pub(crate) fn put_instead(&mut self, old: &str, key: &str, json: &[u8]) {
        if let Some(member) = self.object.get(old) {
            let place = member.key.start..member.value.end;
            let new = [b"\"", key.as_bytes(), b"\":", json].concat();
            self.replaced.push((place, new));
        }
    }

    /// Takes `key` out, with its value and one comma; nothing when it is not there.
    pub(crate) fn remove(&mut self, key: &'static str) {
        if self.object.get(key).is_some() && !self.removed.contains(&key) {
            self.removed.push(key);
        }
    }

    /// Whether the object stays as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.replaced.is_empty() && self.removed.is_empty()
    }

    /// The text with all changes made. `bytes` must be the text that was scanned.
    pub(crate) fn apply(mut self, bytes: &[u8]) -> Vec<u8> {
        let mut cuts = self.cuts();
        if !self.inserted.is_empty() {
            if self.removed.len() < self.object.members {
                self.inserted.push(b',');
            }
            cuts.push((self.object.inside..self.object.inside, self.inserted));
        }
        cuts.extend(self.replaced);
        // An insertion is empty and stands before whatever begins at the same offset.
        cuts.sort_by_key(|(range, _)| (range.start, range.end));
        let grown: usize = cuts.iter().map(|(_, new)| new.len()).sum();
        let mut text = Vec::with_capacity(bytes.len() + grown);
        let mut at = 0;
        for (range, new) in cuts {
            text.extend_from_slice(&bytes[at..range.start]);
            text.extend(new);
            at = range.end;
        }
        text.extend_from_slice(&bytes[at..]);
        text
    }

    /// What to cut for the removed members. A member goes with the comma before it, but those of a
    /// removed run at the front go with the comma after them.
    fn cuts(&self) -> Vec<(Range<usize>, Vec<u8>)> {
        let mut front = None;
        let mut cuts = Vec::with_capacity(self.removed.len() + 1);
        for (key, member) in self.object.found() {
            if !self.removed.contains(&key) {
                continue;
            }
            cuts.push((cut(member, &mut front), Vec::new()));
        }
        cuts
    }
}

/// `front` is the comma with which the removed run at the front ended so far.
fn cut(member: &Member, front: &mut Option<usize>) -> Range<usize> {
    match member.comma_before {
        Some(comma) if *front != Some(comma) => comma..member.value.end,
        Some(_) | None => {
            *front = member.comma_after;
            member.key.start
                ..member
                    .comma_after
                    .map_or(member.value.end, |comma| comma + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::body::scan;

    const KEYS: [&str; 4] = ["a", "b", "c", "d"];

    fn edited(text: &str, edit: impl FnOnce(&mut Edits<'_>)) -> String {
        let object = scan::object(text.as_bytes(), &KEYS).unwrap();
        let mut edits = Edits::new(&object);
        edit(&mut edits);
        String::from_utf8(edits.apply(text.as_bytes())).unwrap()
    }

    #[test]
    fn bytes_that_nobody_changes_stay_as_they_are() {
        let text = "{ \"x\" : 1.0e+2 ,\t\"a\" : \"old\" , \"y\":\"\\u00e4\" }";
        let new = edited(text, |e| e.set("a", "\"new\""));
        assert_eq!(new, text.replace("\"old\"", "\"new\""));
    }

    #[test]
    fn a_removed_member_takes_one_comma_along() {
        for (text, gone, want) in [
            (r#"{"a":1}"#, vec!["a"], "{}"),
            (r#"{"a":1,"x":2}"#, vec!["a"], r#"{"x":2}"#),
            (r#"{"x":2,"a":1}"#, vec!["a"], r#"{"x":2}"#),
            (r#"{"a":1,"b":2,"x":3}"#, vec!["a", "b"], r#"{"x":3}"#),
            (
                r#"{"x":0,"a":1,"b":2,"y":3}"#,
                vec!["b", "a"],
                r#"{"x":0,"y":3}"#,
            ),
            (r#"{"a":1,"x":0,"b":2}"#, vec!["a", "b"], r#"{"x":0}"#),
            (r#"{"a":1,"b":2}"#, vec!["a", "b"], "{}"),
        ] {
            assert_eq!(
                edited(text, |e| gone.iter().for_each(|key| e.remove(key))),
                want
            );
        }
    }

    #[test]
    fn insertion_into_an_empty_object_brings_no_comma() {
        assert_eq!(edited("{}", |e| e.set("a", "1")), r#"{"a":1}"#);
        assert_eq!(
            edited(r#"{ "b":1 }"#, |e| {
                e.remove("b");
                e.set("a", "2");
            }),
            r#"{"a":2  }"#
        );
    }

    proptest! {
        /// Splicing the text and editing the value are the same thing.
        #[test]
        fn splicing_is_editing(
            members in prop::collection::btree_map("[a-dx-z]", -9i64..9, 0..7).prop_map(|m| m.into_iter().collect::<Vec<_>>()).prop_shuffle(),
            gone in prop::sample::subsequence(vec!["a", "b"], 0..=2),
            set in prop::sample::subsequence(vec!["c", "d"], 0..=2),
            space in "[ \n\t]{0,2}",
        ) {
            let body: Vec<_> = members.iter().map(|(k, v)| format!("{space}\"{k}\"{space}:{space}{v}{space}")).collect();
            let text = format!("{space}{{{}}}{space}", body.join(","));
            let new = edited(&text, |e| {
                for key in &gone {
                    e.remove(key);
                }
                for key in &set {
                    e.set(key, "true");
                }
            });
            let mut want: std::collections::BTreeMap<String, serde_json::Value> =
                members.into_iter().map(|(k, v)| (k, v.into())).collect();
            want.retain(|key, _| !gone.contains(&key.as_str()));
            want.extend(set.iter().map(|key| ((*key).to_owned(), true.into())));
            let got: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(&new).unwrap();
            prop_assert_eq!(got, want);
        }
    }
}
