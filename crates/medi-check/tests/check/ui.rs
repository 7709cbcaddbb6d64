//! Every code of the checker has a program that gives it, with the exact text of the message beside it.
//! `UPDATE=1` rewrites the texts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use medi_syntax::codes;

use super::check_source;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

fn programs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("tests/ui is there");
    let paths = entries.map(|entry| entry.expect("tests/ui is readable").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "medi")).collect();
    paths.sort();
    paths
}

/// What the program gives; a program of `// no main` is only checked.
fn actual(path: &Path) -> (String, Vec<&'static str>) {
    let text = std::fs::read_to_string(path).expect("a fixture is UTF-8");
    let name = path.file_name().expect("a file has a name").to_string_lossy().to_string();
    let checked = check_source(&name, &text, text.starts_with("// runs"));
    let codes = checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    (checked.messages(), codes)
}

#[test]
fn messages_are_as_written_beside_the_programs() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = vec![];
    for path in programs() {
        let (actual, _) = actual(&path);
        let beside = path.with_extension("stderr");
        if update {
            std::fs::write(&beside, &actual).expect("tests/ui is writable");
            continue;
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if actual != expected {
            wrong.push(format!("{}\n--- now\n{actual}--- expected\n{expected}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 rewrites these:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_of_the_checker_has_a_program_that_gives_it() {
    let given: BTreeSet<&str> = programs().iter().flat_map(|path| actual(path).1).collect();
    let families = ["E02", "E03", "E04", "E05", "E06", "E07", "E08"];
    let listed = codes::all().map(|entry| entry.code);
    let missing: Vec<&str> = listed
        .filter(|code| families.iter().any(|family| code.starts_with(family)))
        .filter(|code| !given.contains(code))
        .collect();
    assert!(missing.is_empty(), "no program in tests/ui gives {missing:?}");
}

#[test]
fn every_code_that_is_given_is_explained() {
    for path in programs() {
        for code in actual(&path).1 {
            assert!(codes::explain(code).is_some(), "{code} of {} is not listed", path.display());
        }
    }
}
