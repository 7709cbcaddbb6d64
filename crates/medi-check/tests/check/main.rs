//! The type checker against a small library of its own, so that its messages do not depend on what the
//! real one declares.

mod accepted;
mod explanations;
mod library;
mod robust;
mod scopes;
mod tree;
mod ui;

use medi_check::{check, hir};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::SourceMap;

const PRELUDE: &str = include_str!("prelude.medi");

/// A program that was checked, with what it needs for messages.
struct Checked {
    sources: SourceMap,
    program: Option<hir::Program>,
    diagnostics: Vec<Diagnostic>,
}

impl Checked {
    fn messages(&self) -> String {
        medi_syntax::render::human(&self.sources, &self.diagnostics, false)
    }
}

fn check_source(path: &str, text: &str, want_main: bool) -> Checked {
    let mut sources = SourceMap::default();
    let files = [
        sources.add("lib/core.medi", PRELUDE.to_string(), true),
        sources.add(path, text.to_string(), false),
    ];
    let mut diagnostics = vec![];
    let mut modules = vec![];
    for file in files {
        let (module, found) = medi_syntax::parse(&sources, file);
        diagnostics.extend(found);
        modules.push(module);
    }
    let (program, found) = check::check(&sources, &modules, want_main);
    diagnostics.extend(found);
    Checked { sources, program, diagnostics }
}
