//! The front of the compiler: any text is parsed, checked and lowered, or rejected with messages that can
//! be shown; nothing panics, and what is accepted gives MIR that keeps its promises.

#![no_main]

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use medi_check::check::check;
use medi_check::library;
use medi_check::lower::lower;
use medi_check::mir::validate::validate;
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::SourceMap;
use medi_syntax::{parse, render};

/// The library, read once: its texts and trees never change, and reading them took most of an execution.
/// What follows them in either list is the input of one execution, which takes it away again.
static LIBRARY: LazyLock<Mutex<(SourceMap, Vec<Module>)>> = LazyLock::new(|| {
    let mut sources = SourceMap::default();
    for (path, text) in library::FILES {
        sources.add(*path, (*text).to_string(), true);
    }
    let modules = sources.files().map(|(id, _)| parse(&sources, id).0).collect();
    Mutex::new((sources, modules))
});

fuzz_target!(|text: &str| {
    let mut library = LIBRARY.lock().expect("a panic ends the process");
    let (library_sources, modules) = &mut *library;
    let mut sources = library_sources.clone();
    let id = sources.add("fuzz.medi", text.to_string(), false);
    let (module, mut diagnostics) = parse(&sources, id);
    modules.push(module);
    let (program, found) = check(&sources, modules, true);
    modules.pop();
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
