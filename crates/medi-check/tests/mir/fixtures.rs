//! Source in, MIR out: each `fixtures/NAME.medi` beside the text of the MIR of its functions, or beside
//! the errors of the lowering. `UPDATE=1 cargo test` writes what is found.

use std::fmt::Write;
use std::path::Path;

use medi_check::{check, lower, mir};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{FileId, SourceMap};

/// What the library is, for messages and for programs.
pub struct Library<'a> {
    pub files: &'a [(&'a str, &'a str)],
}

/// A source text, lowered.
pub struct Lowered {
    pub sources: SourceMap,
    pub file: FileId,
    pub program: Result<mir::Program, Vec<Diagnostic>>,
}

/// The program lowered, or what the parser or the checker has against it.
pub fn lower_source(library: &Library, path: &str, text: &str) -> Result<Lowered, String> {
    let mut sources = SourceMap::default();
    let mut files: Vec<_> = library
        .files
        .iter()
        .map(|(path, text)| sources.add(*path, (*text).to_owned(), true))
        .collect();
    let file = sources.add(path, text.to_owned(), false);
    files.push(file);
    let mut modules = vec![];
    for file in files {
        let (module, found) = medi_syntax::parse(&sources, file);
        if !found.is_empty() {
            return Err(medi_syntax::render::human(&sources, &found, false));
        }
        modules.push(module);
    }
    let (program, found) = check::check(&sources, &modules, true);
    let Some(program) = program else {
        return Err(medi_syntax::render::human(&sources, &found, false));
    };
    Ok(Lowered { sources, file, program: lower::lower(program) })
}

fn text_of(lowered: &Lowered) -> String {
    match &lowered.program {
        Err(errors) => medi_syntax::render::human(&lowered.sources, errors, false),
        Ok(program) => {
            let violations = mir::validate(program);
            assert!(violations.is_empty(), "{}", violations.join("\n"));
            let own = program.functions.iter().filter(|f| f.span.file == lowered.file);
            let mut text = String::new();
            for function in own {
                let shown = mir::display::display_function(program, function);
                writeln!(text, "{shown}").expect("a string takes what is written");
            }
            text
        }
    }
}

#[test]
fn each_fixture_lowers_to_its_mir() {
    let prelude = Library {
        files: &[
            ("lib/core.medi", include_str!("prelude.medi")),
            ("lib/tasks.medi", include_str!("../../../../lib/tasks.medi")),
        ],
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mir/fixtures");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = vec![];
    let entries = std::fs::read_dir(directory).expect("the fixtures are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "medi"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let source = std::fs::read_to_string(&path).expect("it can be read");
        let lowered =
            lower_source(&prelude, name, &source).unwrap_or_else(|error| panic!("{error}"));
        let found = text_of(&lowered);
        let expected_path = path.with_extension("mir");
        if update {
            std::fs::write(&expected_path, &found).expect("it can be written");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 writes these, once they are right:\n{}", wrong.join("\n"));
}
