//! The front of the compiler: any text is parsed, checked and lowered, or rejected with messages that can
//! be shown; nothing panics, and what is accepted gives MIR that keeps its promises.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use medi_check::check::check;
use medi_check::library;
use medi_check::lower::lower;
use medi_check::mir::validate::validate;
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::SourceMap;
use medi_syntax::{parse, render};

/// The library's trees: parsed once, since they never change.
static LIBRARY: LazyLock<Vec<Module>> = LazyLock::new(|| {
    let sources = library_sources();
    sources.files().map(|(id, _)| parse(&sources, id).0).collect()
});

fn library_sources() -> SourceMap {
    let mut sources = SourceMap::default();
    for (path, text) in library::FILES {
        sources.add(*path, (*text).to_string(), true);
    }
    sources
}

fuzz_target!(|text: &str| {
    let mut sources = library_sources();
    let id = sources.add("fuzz.medi", text.to_string(), false);
    let (module, mut diagnostics) = parse(&sources, id);
    let modules: Vec<Module> = LIBRARY.iter().cloned().chain([module]).collect();
    let (program, found) = check(&sources, &modules, true);
    diagnostics.extend(found);
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    if let Some(program) = program.filter(|_| !diagnostics.iter().any(is_error)) {
        match lower(program) {
            Ok(mir) => assert_eq!(validate(&mir), Vec::<String>::new()),
            Err(found) => diagnostics.extend(found),
        }
    }
    render::human(&sources, &diagnostics, false);
    render::json(&sources, &diagnostics);
});
