//! The explanations of the checker's codes: what they call wrong gives the code, what they call right
//! gives nothing but, at most, a warning about an example's unused parts.

use medi_syntax::codes::{self, Code};
use medi_syntax::diagnostic::{Diagnostic, Severity};

use super::check_source;

fn examples(code: &Code) -> Vec<&str> {
    let blocks = code.explanation.split("```medi\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("split gives a piece")).collect()
}

/// Statements are put into a function.
fn diagnostics(example: &str, want_main: bool) -> Vec<Diagnostic> {
    let starts = ["func ", "record ", "enum ", "const ", "native "];
    let declares = example.lines().any(|line| starts.iter().any(|start| line.starts_with(start)));
    let text = match declares {
        true => example.to_string(),
        false => format!("func example() {{\n{example}}}\n"),
    };
    check_source("example.medi", &text, want_main).diagnostics
}

fn checked() -> impl Iterator<Item = &'static Code> {
    let reserved = |code: &str| code.starts_with("E07");
    codes::all().filter(move |e| e.code >= "E02" && e.code < "E09" && !reserved(e.code))
}

#[test]
fn what_is_called_wrong_is_reported_under_that_code() {
    for entry in checked() {
        let examples = examples(entry);
        if let [wrong, _] = examples[..] {
            let about_main = wrong.contains("main") || entry.title.contains("`main`");
            let found = diagnostics(wrong, about_main);
            let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
            assert_eq!(codes, [entry.code], "{}", entry.code);
        }
    }
}

#[test]
fn what_is_called_right_has_no_error() {
    for entry in checked() {
        let Some(right) = examples(entry).last().copied() else { continue };
        let found = diagnostics(right, false);
        let errors: Vec<&Diagnostic> =
            found.iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", entry.code);
    }
}
