//! What the write barrier and the polls cost: `bench/pointers` as it is, and with these left out of its MIR.
//!
//! ```text
//! cargo run --release -p medi-codegen --example barrier_cost [ROUNDS]
//! ```
//!
//! Every variant runs once a round at each of four places, because how fast a short loop runs depends on where in a
//! cache line it starts: by up to a fifth here, which is more than what is measured. The heap is so large that no cycle
//! is due, because a program without barriers must not be collected. Printed is the mean over the places of the median
//! CPU time, its ratio to that of the program with neither, and the least and largest such ratio of one place. The
//! program with neither runs twice; how far the second is from 1 is what a ratio is worth.

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

/// Where in a cache line functions start.
const PLACES: [usize; 4] = [0, 16, 32, 48];

/// What is left out.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    barriers: bool,
    polls: bool,
}

const VARIANTS: [Variant; 5] = [
    Variant { name: "without both", barriers: true, polls: true },
    Variant { name: "the same again", barriers: true, polls: true },
    Variant { name: "without polls", barriers: false, polls: true },
    Variant { name: "without barriers", barriers: true, polls: false },
    Variant { name: "as it is", barriers: false, polls: false },
];

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    println!(
        "{:<10}{:>20}{:>12}{:>10}{:>10}{:>10}",
        "loop", "variant", "CPU ms", "ratio", "least", "most"
    );
    for args in LOOPS {
        let mut times = [const { [const { Vec::new() }; PLACES.len()] }; VARIANTS.len()];
        for _ in 0..rounds {
            for (variant, times) in VARIANTS.iter().zip(&mut times) {
                for (place, times) in PLACES.iter().zip(times) {
                    times.push(time(*variant, *place, &args)?);
                }
            }
        }
        let medians = times.map(|places| places.map(median));
        let mean = |places: [f64; PLACES.len()]| places.iter().sum::<f64>() / PLACES.len() as f64;
        for (variant, places) in VARIANTS.iter().zip(medians) {
            let mean_ratio = mean(places) / mean(medians[0]);
            let ratios = places.iter().zip(medians[0]).map(|(time, base)| time / base);
            let least = ratios.clone().fold(f64::INFINITY, f64::min);
            let most = ratios.fold(0.0, f64::max);
            println!(
                "{:<10}{:>20}{:>12.1}{mean_ratio:>10.3}{least:>10.3}{most:>10.3}",
                args[0],
                variant.name,
                mean(places) * 1e3,
            );
        }
    }
    Ok(())
}

/// In seconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// CPU time of one run of the process, compiling left out.
fn time(variant: Variant, place: usize, args: &[&str]) -> Result<Duration, Box<dyn Error>> {
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
    let options = medi_codegen::Options { code_offset: place, ..Default::default() };
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
