//! `medi`: runs, checks and explains Medi programs.

mod cli;
mod exit;
mod explain;
mod front;
mod gc_top;
mod run;

use std::process::ExitCode;

use medi_check::mir::display::display;

use crate::cli::Request;
use crate::front::{Failure, Goal};

fn main() -> ExitCode {
    let code = match Request::from_environment() {
        Request::Run(request) => run::run(&request),
        Request::Check { files, emit_mir, errors } => {
            match front::compile(&files, Goal::Messages, errors) {
                Ok((_, program)) => {
                    if let Some(program) = program.filter(|_| emit_mir) {
                        print!("{}", display(&program));
                    }
                    exit::SUCCESS
                }
                Err(Failure::DoesNotCompile) => exit::DOES_NOT_COMPILE,
                Err(Failure::Unreadable(problem)) => {
                    eprintln!("error: {problem}");
                    exit::USAGE
                }
            }
        }
        Request::GcTop(top) => top.run(),
        Request::Explain { code } => explain::explain(code.as_deref()),
    };
    ExitCode::from(code)
}
