//! The library that ships with Medi.

use medi_check::{check, library};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::SourceMap;

#[test]
fn every_body_of_the_library_checks_without_a_word() {
    let mut sources = SourceMap::default();
    let mut modules = vec![];
    let mut diagnostics: Vec<Diagnostic> = vec![];
    for (path, text) in library::FILES {
        let file = sources.add(*path, (*text).to_string(), true);
        let (module, found) = medi_syntax::parse(&sources, file);
        modules.push(module);
        diagnostics.extend(found);
    }
    let (program, found) = check::check_all(&sources, &modules);
    diagnostics.extend(found);
    let messages = medi_syntax::render::human(&sources, &diagnostics, false);
    assert!(program.is_some() && diagnostics.is_empty(), "{messages}");
}
