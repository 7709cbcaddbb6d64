//! From files to MIR: reads the program and the library, and reports what is wrong.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use medi_check::check::check;
use medi_check::deep_stack;
use medi_check::lower::{check_library, lower_checked};
use medi_check::{library, mir};
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::SourceMap;
use medi_syntax::{parse, render};

use crate::cli::ErrorFormat;

/// Why there is no program.
pub enum Failure {
    /// A source file cannot be read, or the system gives the compiler too little: what to tell the user.
    Unreadable(String),
    /// Reported on standard error.
    DoesNotCompile,
}

/// What to make of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// A program to run: `main` must be there.
    Program,
    /// Only the messages; MIR where there is a `main`.
    Messages,
}

/// Reads, parses, checks and lowers. Warnings and errors go to standard error.
///
/// # Errors
/// See [`Failure`]; errors of the program are already reported.
pub fn compile(
    files: &[PathBuf],
    goal: Goal,
    errors: ErrorFormat,
) -> Result<(SourceMap, Option<mir::Program>), Failure> {
    deep_stack::is_there().map_err(|error| {
        let needed = deep_stack::STACK_BYTES >> 20;
        Failure::Unreadable(format!(
            "the system gives the compiler no thread with a stack of {needed} MiB: {error}; let the process have more \
             memory (`ulimit -d`, `ulimit -v`) or threads (`ulimit -u`)"
        ))
    })?;
    let mut sources = SourceMap::default();
    let mut modules: Vec<Module> = vec![];
    let mut diagnostics: Vec<Diagnostic> = vec![];
    for (path, text) in library::FILES {
        let id = sources.add(*path, (*text).to_string(), true);
        let (module, problems) = parse(&sources, id);
        modules.push(module);
        diagnostics.extend(problems);
    }
    for path in files {
        let id = sources.add(path, read(path).map_err(Failure::Unreadable)?, false);
        let (module, problems) = parse(&sources, id);
        modules.push(module);
        diagnostics.extend(problems);
    }
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    let parsed = !diagnostics.iter().any(is_error);
    let (checked, problems) = check(&sources, &modules, goal == Goal::Program && parsed);
    diagnostics.extend(problems);
    let mut program = None;
    match checked.filter(|_| parsed) {
        Some(checked) if checked.main.is_some() => match lower_checked(checked, &sources) {
            Ok(lowered) => program = Some(lowered),
            Err(problems) => diagnostics.extend(problems),
        },
        Some(library) => diagnostics.extend(check_library(library, &sources)),
        None => {}
    }
    report(&sources, &diagnostics, errors);
    if diagnostics.iter().any(is_error) {
        return Err(Failure::DoesNotCompile);
    }
    Ok((sources, program))
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file `{}`", path.display()),
        io::ErrorKind::IsADirectory => {
            format!("`{}` is a folder; name the .medi file in it", path.display())
        }
        _ => format!("cannot read `{}`: {error}", path.display()),
    })?;
    if bytes.len() > u32::MAX as usize {
        return Err(format!("`{}` is larger than 4 GB; is it a program?", path.display()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!(
            "`{}` is not UTF-8 text: byte {at} is not part of a character; \
             is it a data file in the place of the program?",
            path.display()
        )
    })
}

fn report(sources: &SourceMap, diagnostics: &[Diagnostic], errors: ErrorFormat) {
    let stderr = io::stderr();
    let text = match errors {
        ErrorFormat::Json => render::json(sources, diagnostics),
        ErrorFormat::Human => render::human(sources, diagnostics, colours(&stderr)),
    };
    // A closed standard error leaves nobody to tell.
    let _ = stderr.lock().write_all(text.as_bytes());
}

/// Whether to colour what goes to a stream: on a terminal, unless <https://no-color.org> is asked for.
pub fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
