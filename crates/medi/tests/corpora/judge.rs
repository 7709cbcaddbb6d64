//! What becomes of a program: the compiler in this process, and a run in one of its own.

use std::process::{Command, Stdio};

use medi_check::{check, library, lower};
use medi_syntax::ast::Module;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::render;
use medi_syntax::source::SourceMap;

use crate::case::{Case, Verdict};

/// What was seen, and what was said.
pub struct Seen {
    pub verdict: Verdict,
    pub text: String,
}

/// Judges programs, one after the other; the library is read once.
pub struct Judge {
    library: SourceMap,
    modules: Vec<Module>,
    folder: tempfile::TempDir,
}

impl Judge {
    pub fn new() -> Self {
        let mut library = SourceMap::default();
        let mut modules = vec![];
        for (path, text) in library::FILES {
            let file = library.add(*path, (*text).to_owned(), true);
            let (module, found) = medi_syntax::parse(&library, file);
            assert!(found.is_empty(), "the library is right");
            modules.push(module);
        }
        Self { library, modules, folder: tempfile::tempdir().expect("a folder") }
    }

    /// What the compiler says, and when it says nothing, what a run does.
    pub fn judge(&self, case: &Case) -> Seen {
        let (sources, found) = self.errors(case);
        if !found.is_empty() {
            let codes = found.iter().map(|diagnostic| diagnostic.code.to_owned()).collect();
            let text = render::human(&sources, &found, false);
            return Seen { verdict: Verdict::Refused(codes), text };
        }
        if !case.runs {
            return Seen { verdict: Verdict::Accepted, text: String::new() };
        }
        self.run(case)
    }

    fn errors(&self, case: &Case) -> (SourceMap, Vec<Diagnostic>) {
        let (mut sources, mut modules) = (self.library.clone(), self.modules.clone());
        let mut found = vec![];
        for (name, text) in &case.files {
            let file = sources.add(name, text.clone(), false);
            let (module, problems) = medi_syntax::parse(&sources, file);
            modules.push(module);
            found.extend(problems);
        }
        let (program, problems) = check::check(&sources, &modules, true);
        found.extend(problems);
        found.retain(|diagnostic| diagnostic.severity == Severity::Error);
        if let Some(program) = program.filter(|_| found.is_empty()) {
            found.extend(lower::lower_checked(program, &sources).err().unwrap_or_default());
        }
        (sources, found)
    }

    fn run(&self, case: &Case) -> Seen {
        // A run is of one file.
        let text: String = case.files.iter().map(|(_, text)| text.as_str()).collect();
        let path = self.folder.path().join("case.medi");
        std::fs::write(&path, text).expect("the folder can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_medi"));
        command.args(["run", "--memory", "200MB", "--leaks"]).arg(path).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEDI_")) {
            command.env_remove(name);
        }
        let output = command.output().expect("medi starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let verdict = match output.status.code() {
            Some(0) if text.contains("was never freed") => Verdict::Leaks,
            Some(0) => Verdict::Accepted,
            Some(1) => {
                let code = text.split("error[").nth(1).and_then(|rest| rest.split(']').next());
                Verdict::Stopped(code.map(str::to_owned).into_iter().collect())
            }
            code => panic!("{}: medi ended with {code:?}\n{text}", case.name),
        };
        Seen { verdict, text }
    }
}
