//! `medi explain`: what it says of codes.

use crate::support::{medi, text};

fn explained(args: &[&str]) -> String {
    let output = medi(&["explain"]).args(args).output().expect("medi starts");
    assert!(output.status.success());
    text(&output.stdout)
}

#[test]
fn a_code_is_listed_with_its_title_and_explained_at_length() {
    assert!(explained(&["M0101"]).contains("promote"));
    assert!(explained(&[]).lines().any(|line| line.starts_with("M0101  a value")));
}
