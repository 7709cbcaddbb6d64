//! `medi explain`: what it says of codes.

use crate::support::{medi, text};

fn explained(args: &[&str]) -> String {
    let output = medi(&["explain"]).args(args).output().expect("medi starts");
    assert!(output.status.success());
    text(&output.stdout)
}

#[test]
fn codes_that_nothing_reports_yet_are_marked_as_planned() {
    assert!(explained(&["M0101"]).contains("This code is planned"));
    assert!(!explained(&["R0010"]).contains("planned"));
    let list = explained(&[]);
    assert!(list.lines().any(|line| line.starts_with("M0101")));
    for line in list.lines() {
        assert_eq!(line.ends_with(" (planned)"), line.starts_with('M'), "{line}");
    }
}
