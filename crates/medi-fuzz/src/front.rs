//! Many programs through the compiler's front at once: what the checker says of each, and the MIR of all.
//!
//! A program takes some ten microseconds to check, the library a thousand. So the programs of a batch stand in one
//! file, each with its own functions, and an error belongs to the program in whose text it is.

use std::collections::HashMap;

use medi_check::mir::{self, FunctionId};
use medi_check::{check, library, lower, scope};
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::{SourceMap, Span};
use medi_syntax::{parse, render};

use crate::program::{DECLARATIONS, Program};

/// The library, read once.
pub struct Front {
    sources: SourceMap,
    modules: Vec<Module>,
}

/// What is wrong with one program.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Errors of names and types: it is no program.
    pub ill_typed: Vec<Diagnostic>,
    /// What the scope checker has against it.
    pub refused: Vec<Diagnostic>,
}

/// A batch of programs that went through.
pub struct Checked<'c> {
    pub sources: &'c SourceMap,
    pub mir: &'c mir::Program,
    /// Of each program; the first function of each that is well-typed.
    pub verdicts: &'c [Verdict],
    pub entries: &'c [Option<FunctionId>],
}

impl Default for Front {
    fn default() -> Self {
        Self::new()
    }
}

impl Front {
    pub fn new() -> Self {
        let mut sources = SourceMap::default();
        let mut modules = vec![];
        for (path, text) in library::FILES {
            let file = sources.add(*path, (*text).to_owned(), true);
            modules.push(parse(&sources, file).0);
        }
        Self { sources, modules }
    }

    /// Checks the programs, and shows `look` what became of them.
    pub fn check<T: Send>(
        &mut self,
        programs: &[&Program],
        look: impl FnOnce(&Checked) -> T + Send,
    ) -> T {
        let mut verdicts = vec![Verdict::default(); programs.len()];
        let mut look = Some(look);
        loop {
            // What an error of types stands in is left out, so that the others are seen.
            let sound: Vec<usize> =
                (0..programs.len()).filter(|at| verdicts[*at].ill_typed.is_empty()).collect();
            let (text, starts) = file_of(programs, &sound);
            let mut sources = self.sources.clone();
            let file = sources.add("programs.medi", text, false);
            let (module, mut found) = parse(&sources, file);
            self.modules.push(module);
            let (program, more) = check::check(&sources, &self.modules, true);
            self.modules.pop();
            found.extend(more);
            found.retain(|diagnostic| diagnostic.severity == Severity::Error);
            let owner = |span: Span| {
                let inside = span.file == file;
                let index = starts.partition_point(|start| *start <= span.start as usize);
                (inside && index > 0).then(|| sound[index - 1])
            };
            if let (true, Some(program)) = (found.is_empty(), program) {
                let seen = lower::lower_unchanged(program, |mir| {
                    for diagnostic in scope::check(mir, &sources) {
                        let at = diagnostic.labels.iter().find_map(|label| owner(label.span));
                        let at = at.expect("an error of scopes stands in a program");
                        verdicts[at].refused.push(diagnostic);
                    }
                    let named: HashMap<&str, usize> = mir
                        .functions
                        .iter()
                        .enumerate()
                        .map(|(at, function)| (function.name.as_str(), at))
                        .collect();
                    let entry = |at: usize| {
                        let id = named.get(programs[at].entry()).copied();
                        id.filter(|_| sound.contains(&at)).map(|id| FunctionId(id as u32))
                    };
                    let entries: Vec<_> = (0..programs.len()).map(entry).collect();
                    let look = look.take().expect("the lowering shows its result once");
                    look(&Checked {
                        sources: &sources,
                        mir,
                        verdicts: &verdicts,
                        entries: &entries,
                    })
                });
                match seen {
                    Ok(seen) => return seen,
                    Err(errors) => found = errors,
                }
            }
            let mut blamed = false;
            for diagnostic in &found {
                let at = diagnostic.labels.iter().find_map(|label| owner(label.span));
                if let Some(at) = at {
                    verdicts[at].ill_typed.push(diagnostic.clone());
                    blamed = true;
                }
            }
            assert!(blamed, "nobody's errors:\n{}", render::human(&sources, &found, false));
        }
    }
}

/// The file of the programs, and where each begins.
fn file_of(programs: &[&Program], which: &[usize]) -> (String, Vec<usize>) {
    let mut text = DECLARATIONS.to_owned();
    let mut starts = vec![];
    for at in which {
        starts.push(text.len());
        programs[*at].write(&mut text);
    }
    text.push_str("\nfunc main() {\n");
    for at in which {
        text.push_str(&format!("  print({}(0))\n", programs[*at].entry()));
    }
    text.push_str("}\n");
    (text, starts)
}
