//! What the write barrier and the polls cost: `bench/pointers` as it is, and with these left out of its MIR.
//!
//! ```text
//! cargo run --release -p medi-codegen --example barrier_cost [ROUNDS]
//! ```
//!
//! Every variant runs once a round, on a heap so large that no cycle is due, because a program without barriers must not
//! be collected. Printed is the median CPU time of each loop, and its ratio to that of the program with neither.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use medi_check::check::check;
use medi_check::lower::lower;
use medi_check::{library, mir};
use medi_runtime::machine::{Image, Machine};
use medi_runtime::options::Options;
use medi_runtime::output::Output;
use medi_syntax::parse;
use medi_syntax::source::SourceMap;

const PROGRAM: &str = "bench/pointers/main.medi";

/// Loops, with how many nodes and rounds each has.
const LOOPS: [[&str; 3]; 4] = [
    ["reverse", "100000", "500"],
    ["swap", "100000", "200"],
    ["treap", "20000", "20"],
    ["walk", "100000", "500"],
];

/// Bytes allocated before a cycle is due: more than any of the loops allocates.
const NEVER: u64 = 8 << 30;

/// What is left out.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    barriers: bool,
    polls: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant { name: "without both", barriers: true, polls: true },
    Variant { name: "without polls", barriers: false, polls: true },
    Variant { name: "without barriers", barriers: true, polls: false },
    Variant { name: "as it is", barriers: false, polls: false },
];

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(9), |rounds| rounds.parse())?;
    println!("{:<10}{:>20}{:>12}{:>10}", "loop", "variant", "CPU ms", "ratio");
    for args in LOOPS {
        let mut times = [const { Vec::new() }; VARIANTS.len()];
        for _ in 0..rounds {
            for (variant, times) in VARIANTS.iter().zip(&mut times) {
                times.push(time(*variant, &args)?);
            }
        }
        let medians = times.map(|mut times| {
            times.sort();
            times[times.len() / 2].as_secs_f64()
        });
        for (variant, median) in VARIANTS.iter().zip(medians) {
            let ratio = median / medians[0];
            println!("{:<10}{:>20}{:>12.1}{ratio:>10.3}", args[0], variant.name, median * 1e3);
        }
    }
    Ok(())
}

/// CPU time of one run of the process, compiling left out.
fn time(variant: Variant, args: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let (sources, mut program) = front()?;
    for block in program.functions.iter_mut().flat_map(|function| &mut function.blocks) {
        block.stmts.retain(|stmt| match stmt.kind {
            mir::StmtKind::Barrier { .. } => !variant.barriers,
            mir::StmtKind::Safepoint => !variant.polls,
            _ => true,
        });
    }
    let machine = Machine::new(Options {
        initial_trigger: Some(NEVER),
        min_trigger: Some(NEVER),
        full_only: true,
        ..Options::default()
    })?;
    let options = medi_codegen::Options::default();
    let compiled = medi_codegen::compile(&program, Arc::new(sources), machine.heap(), &options)?;
    let image = Image::from(compiled);
    let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    let started = cpu();
    let outcome = machine.run(&image, &args, Output::collected().0)?;
    let took = cpu() - started;
    if let Some(error) = outcome.error {
        return Err(error.to_string().into());
    }
    assert_eq!(machine.heap().stats().cycles, 0, "a program without barriers was collected");
    Ok(took)
}

fn front() -> Result<(SourceMap, mir::Program), Box<dyn Error>> {
    let mut sources = SourceMap::default();
    let mut modules = vec![];
    for (path, text) in library::FILES {
        let id = sources.add(*path, text.to_string(), true);
        modules.push(parse(&sources, id).0);
    }
    let id = sources.add(PROGRAM, std::fs::read_to_string(PROGRAM)?, false);
    modules.push(parse(&sources, id).0);
    let (checked, problems) = check(&sources, &modules, true);
    let checked = checked.ok_or_else(|| format!("{PROGRAM} does not compile: {problems:?}"))?;
    Ok((sources, lower(checked).map_err(|problems| format!("{problems:?}"))?))
}

/// CPU time of the process.
fn cpu() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
