//! Programs that must parse as they stand: those of the design, and every construct once.

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::SourceMap;
use std::fs;
use std::path::Path;

fn diagnostics(path: &Path) -> Vec<Diagnostic> {
    let mut sources = SourceMap::default();
    let text = fs::read_to_string(path).expect("the program can be read");
    let file = sources.add(path, text, true);
    medi_syntax::parse(&sources, file).1
}

fn every_program_parses(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    every_program_in(&folder);
}

fn every_program_in(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            every_program_in(&path);
        } else if path.extension().is_some_and(|extension| extension == "medi") {
            let found = diagnostics(&path);
            assert!(found.is_empty(), "{}: {found:#?}", path.display());
        }
    }
}

#[test]
fn every_construct_of_the_language_parses_without_a_complaint() {
    every_program_parses("tests/accepted");
}

#[test]
fn the_library_that_ships_parses_without_a_complaint() {
    every_program_parses("../../lib");
}

#[test]
fn the_examples_parse_without_a_complaint() {
    every_program_parses("../../examples");
}
