//! Programs with mistakes in them, and the exact words that Medi finds for each.
//!
//! `tests/fixtures/NAME.medi` is read, and what is reported must be `NAME.stderr`; `UPDATE=1` writes it.

use medi_syntax::diagnostic::Edit;
use medi_syntax::source::SourceMap;
use medi_syntax::{codes, render};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "medi"));
    paths.sort();
    paths
}

/// What is reported about a fixture.
fn reported(path: &Path) -> String {
    let name = path.file_name().expect("a fixture has a name");
    let text = fs::read_to_string(path).expect("the fixture can be read");
    let mut sources = SourceMap::default();
    let file = sources.add(name, text, false);
    let (_, diagnostics) = medi_syntax::parse(&sources, file);
    render::human(&sources, &diagnostics, false)
}

#[test]
fn every_mistake_is_explained_in_these_words() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = vec![];
    for path in fixtures() {
        let expected_path = path.with_extension("stderr");
        let found = reported(&path);
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if found == expected {
            continue;
        }
        match update {
            true => fs::write(&expected_path, found).expect("the expectation can be written"),
            false => wrong.push(format!("{}:\n{found}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 accepts what changed:\n\n{}", wrong.join("\n"));
}

#[test]
fn every_lexical_and_syntactic_code_has_a_fixture() {
    let texts: Vec<String> = fixtures().iter().map(|path| reported(path)).collect();
    let missing: Vec<&str> = codes::all()
        .map(|entry| entry.code)
        .filter(|code| code.starts_with("E00") || code.starts_with("E01") || *code == "E0901")
        .filter(|code| !texts.iter().any(|text| text.contains(&format!("error[{code}]"))))
        .collect();
    assert!(missing.is_empty(), "no fixture shows {missing:?}");
}

#[test]
fn every_code_that_the_parser_reports_is_in_the_table() {
    let mut used = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if path.parent().is_some_and(|folder| folder.ends_with("codes")) {
            continue;
        }
        let text = fs::read_to_string(path).expect("the source can be read");
        for (at, _) in text.match_indices("\"E0") {
            let code = &text[at + 1..at + 6];
            if text.as_bytes()[at + 6] == b'"' && code[1..].bytes().all(|b| b.is_ascii_digit()) {
                used.insert(code.to_string());
            }
        }
    }
    used.retain(|code| codes::explain(code).is_none());
    assert!(used.is_empty(), "not in the table: {used:?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The text with a diagnostic's edits made.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span.start);
    let mut result = String::new();
    let mut taken = 0;
    for edit in edits {
        result.push_str(&text[taken..edit.span.start as usize]);
        result.push_str(&edit.replacement);
        taken = edit.span.end as usize;
    }
    result + &text[taken..]
}

#[test]
fn an_offered_edit_removes_its_error_and_brings_no_other() {
    let parse = |text: &str| {
        let mut sources = SourceMap::default();
        let file = sources.add("edited.medi", text.to_string(), false);
        medi_syntax::parse(&sources, file).1
    };
    let mut wrong = vec![];
    for path in fixtures() {
        let text = fs::read_to_string(&path).expect("the fixture can be read");
        let before = parse(&text);
        for diagnostic in before.iter().filter(|diagnostic| !diagnostic.edits.is_empty()) {
            let after = parse(&edited(&text, &diagnostic.edits));
            if after.len() >= before.len() {
                wrong.push(format!(
                    "{}: {}: {:?}",
                    path.display(),
                    diagnostic.message,
                    diagnostic.edits
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
