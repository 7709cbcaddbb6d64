//! The explanations of `medi explain`: complete, and true.
//!
//! In the families of the parser the first example of an explanation must show its error and the last
//! must show none; everywhere else the right example must at least parse.

use medi_syntax::codes::{self, Code};
use medi_syntax::source::SourceMap;
use std::collections::BTreeSet;

fn examples(code: &Code) -> Vec<&str> {
    let blocks = code.explanation.split("```medi\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("split gives a piece")).collect()
}

/// The codes that an example reports. Statements are put into a function.
fn reported(example: &str) -> Vec<&'static str> {
    let starts = ["func ", "record ", "enum ", "const ", "native "];
    let declares = example.lines().any(|line| starts.iter().any(|start| line.starts_with(start)));
    let text = match declares {
        true => example.to_string(),
        false => format!("func example() {{\n{example}}}\n"),
    };
    let mut sources = SourceMap::default();
    let file = sources.add("example.medi", text, true);
    medi_syntax::parse(&sources, file).1.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn codes_are_unique_and_in_order_within_their_family() {
    let mut seen = BTreeSet::new();
    for family in codes::CODES {
        for pair in family.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
        for entry in *family {
            assert!(seen.insert(entry.code), "{} is there twice", entry.code);
            assert_eq!(entry.code.len(), 5, "{}", entry.code);
        }
    }
}

#[test]
fn every_code_has_a_title_and_an_explanation() {
    for entry in codes::all() {
        assert!(!entry.title.is_empty() && !entry.title.ends_with('.'), "{}", entry.code);
        assert!(entry.explanation.len() > 100, "{} is explained in a word", entry.code);
        assert!(entry.explanation.ends_with('\n'), "{}", entry.code);
    }
}

#[test]
fn what_is_called_wrong_is_reported_under_that_code() {
    for entry in codes::all().filter(|entry| entry.code < "E02") {
        let examples = examples(entry);
        assert_eq!(examples.len(), 2, "{} has a wrong and a right example", entry.code);
        let found = reported(examples[0]);
        assert!(found.contains(&entry.code), "{}: found {found:?}", entry.code);
    }
}

#[test]
fn what_is_called_right_parses() {
    for entry in codes::all() {
        if let Some(example) = examples(entry).last().filter(|example| !example.contains('…')) {
            let found = reported(example);
            assert!(found.is_empty(), "{}: found {found:?} in\n{example}", entry.code);
        }
    }
}

#[test]
fn a_code_is_found_however_it_is_written() {
    assert_eq!(codes::explain(" e0101 ").map(|entry| entry.code), Some("E0101"));
    assert_eq!(codes::explain("E9999"), None);
}

#[test]
fn a_code_that_does_not_exist_leads_to_a_near_one() {
    assert_eq!(codes::closest("M01011").map(|entry| entry.code), Some("M0101"));
    assert_eq!(codes::closest("m101").map(|entry| entry.code), Some("M0101"));
    assert_eq!(codes::closest("hello"), None);
}
