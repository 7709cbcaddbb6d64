//! The verdicts that are wrong, by name, with the reason: `known.txt`.

use std::collections::BTreeMap;

/// The names of cases, with the reason that stands above them.
pub fn known() -> BTreeMap<&'static str, &'static str> {
    let mut reason = "";
    let mut known = BTreeMap::new();
    for line in include_str!("known.txt").lines() {
        match line.strip_prefix("* ") {
            Some(text) => reason = text,
            None if line.starts_with('#') || line.is_empty() => {}
            None => {
                assert!(!reason.is_empty(), "known.txt: `{line}` stands under no reason");
                let before = known.insert(line.trim(), reason);
                assert!(before.is_none(), "known.txt has `{line}` twice");
            }
        }
    }
    known
}
