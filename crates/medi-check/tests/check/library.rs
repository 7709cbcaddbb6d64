//! The library that ships with Medi, and the programs of this repository that are written for it.

use std::path::{Path, PathBuf};

use medi_check::lower::lower;
use medi_check::mir::validate;
use medi_check::{check, hir, library};
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::SourceMap;

fn load(sources: &mut SourceMap) -> (Vec<Module>, Vec<Diagnostic>) {
    let mut modules = vec![];
    let mut diagnostics = vec![];
    for (path, text) in library::FILES {
        let file = sources.add(*path, (*text).to_string(), true);
        let (module, found) = medi_syntax::parse(sources, file);
        modules.push(module);
        diagnostics.extend(found);
    }
    (modules, diagnostics)
}

/// The program is there if it was read and checked without an error.
pub(super) fn check_program(name: &str, text: String) -> (Option<hir::Program>, String) {
    let mut sources = SourceMap::default();
    let (mut modules, mut diagnostics) = load(&mut sources);
    let file = sources.add(name, text, false);
    let (module, found) = medi_syntax::parse(&sources, file);
    modules.push(module);
    diagnostics.extend(found);
    let readable = diagnostics.iter().all(|found| found.severity == Severity::Warning);
    let (program, found) = check::check(&sources, &modules, true);
    diagnostics.extend(found);
    (program.filter(|_| readable), medi_syntax::render::human(&sources, &diagnostics, false))
}

#[test]
fn every_body_of_the_library_checks_without_a_word() {
    let mut sources = SourceMap::default();
    let (modules, mut diagnostics) = load(&mut sources);
    let (program, found) = check::check_all(&sources, &modules);
    diagnostics.extend(found);
    let messages = medi_syntax::render::human(&sources, &diagnostics, false);
    assert!(diagnostics.is_empty(), "{messages}");
    super::tree::verify(&program.expect("a program without errors"));
}

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|end| end == "medi") {
            found.push(path);
        }
    }
}

pub(super) fn programs_of_the_repository() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = vec![];
    programs(&root.join("examples"), &mut paths);
    programs(&root.join("bench"), &mut paths);
    assert!(!paths.is_empty());
    paths.sort();
    paths
}

#[test]
fn every_program_of_the_repository_checks_without_a_word() {
    let mut said = String::new();
    for path in programs_of_the_repository() {
        let text = std::fs::read_to_string(&path).expect("a program is UTF-8");
        let (program, messages) = check_program(&path.display().to_string(), text);
        said.push_str(&messages);
        if let Some(program) = program {
            super::tree::verify(&program);
            let lowered = lower(program).expect("a checked program lowers");
            assert_eq!(validate(&lowered), Vec::<String>::new(), "{}", path.display());
        }
    }
    assert!(said.is_empty(), "{said}");
}
