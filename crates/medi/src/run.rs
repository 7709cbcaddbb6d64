//! `medi run`: compile, run, report.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::Arc;

use medi_check::mir;
use medi_runtime::footprint;
use medi_runtime::machine::{Image, Machine, Outcome};
use medi_runtime::options::WatchLeaks;
use medi_runtime::output::Output;
use medi_syntax::source::SourceMap;

use crate::cli::RunRequest;
use crate::exit;
use crate::front::{self, Failure, Goal};

/// Runs a program; gives the exit code.
pub fn run(request: &RunRequest) -> u8 {
    let files = std::slice::from_ref(&request.file);
    let (sources, program) = match front::compile(files, Goal::Program, request.errors) {
        Ok((sources, Some(program))) => (sources, program),
        Ok((_, None)) | Err(Failure::DoesNotCompile) => return exit::DOES_NOT_COMPILE,
        Err(Failure::Unreadable(problem)) => {
            complain(format_args!("error: {problem}"));
            return exit::USAGE;
        }
    };
    match start(request, sources, program) {
        Ok(outcome) => {
            if let Some(error) = &outcome.error {
                complain(format_args!("{error}"));
            }
            if let Some(leaks) = &outcome.leaks {
                complain(format_args!("{leaks}"));
            }
            // Only the low byte of an exit code reaches the parent, as for every program.
            outcome.exit_code as u8
        }
        Err(problem) => {
            complain(format_args!("error: {problem}"));
            exit::STOPPED
        }
    }
}

/// Writes to standard error. If nobody reads that any more, the exit code still says what happened.
fn complain(message: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{message}");
}

fn start(
    request: &RunRequest,
    sources: SourceMap,
    program: mir::Program,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut run_options = request.options.clone();
    let asks = program.natives.iter().any(|native| native.symbol == "memory_leaks");
    if asks && !run_options.leaks.is_on() {
        run_options.leaks = WatchLeaks::Watch;
    }
    let machine = Machine::new(run_options)?;
    let options = medi_codegen::Options {
        name_roots: machine.options().leaks.is_on(),
        reload_roots: request.options.moving,
        perf_map: request.options.perf_map,
        ..medi_codegen::Options::default()
    };
    let compiled = medi_codegen::compile(&program, Arc::new(sources), machine.heap(), &options)?;
    let image = Image::from(compiled);
    drop(program);
    footprint::shrink();
    let command = [&[request.file.display().to_string()], &request.args[..]].concat().join(" ");
    let _published = machine.publish(command);
    let outcome = machine.run(&image, &request.args, Output::stdout())?;
    machine.stats().report(&request.options.gc_stats)?;
    Ok(outcome)
}
