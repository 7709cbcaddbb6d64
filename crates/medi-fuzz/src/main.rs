//! `medi-fuzz`: runs the programs of many seeds, or tells of one.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use medi_fuzz::campaign::{self, Failure, Tally};
use medi_fuzz::front::Front;
use medi_fuzz::generate;
use medi_fuzz::shrink::shrink;

/// Is the scope checker sound? Random programs through the checker, and through a machine with tagged memory.
#[derive(Parser)]
struct Options {
    /// How many programs
    #[arg(long, default_value_t = 100_000)]
    programs: u64,
    /// The seed of the first one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Shows the program of this seed, what the checker says of it and what it does
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
    /// Leaves the failing programs as they are
    #[arg(long)]
    whole: bool,
    /// Ignores errors with this code, so that the fuzzer must find what they are about
    #[arg(long, value_name = "CODE")]
    ignore: Vec<String>,
    /// How many threads
    #[arg(long)]
    threads: Option<usize>,
    /// Stops after so many failures
    #[arg(long, default_value_t = 5)]
    failures: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seed) = options.replay {
        return replay(&options, seed);
    }
    let threads = options
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()));
    let started = Instant::now();
    let counts = |code: &str| !options.ignore.iter().any(|ignored| ignored == code);
    let enough = |tally: &Tally| tally.failures.len() >= options.failures;
    let seeds = options.from..options.from + options.programs;
    let mut tally = campaign::run(seeds, threads, &counts, &enough);
    let seconds = started.elapsed().as_secs_f64();
    print_tally(&tally, seconds, threads);
    tally.failures.sort_by_key(|failure| failure.seed);
    for failure in tally.failures.iter().take(options.failures) {
        tell(&options, failure, &counts);
    }
    if tally.failures.is_empty() && tally.ill_typed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn print_tally(tally: &Tally, seconds: f64, threads: usize) {
    let refused = tally.programs - tally.accepted;
    println!(
        "{} programs in {seconds:.1} s ({:.0} a second on {threads} threads)",
        tally.programs,
        tally.programs as f64 / seconds
    );
    println!(
        "accepted {} ({:.1} %), in {} runs; of the {refused} refused ones {} ({:.1} %) fault in a run",
        tally.accepted,
        share(tally.accepted, tally.programs),
        tally.runs,
        tally.refused_that_fault,
        share(tally.refused_that_fault, refused)
    );
    println!("programs refused by code: {:?}", tally.refused);
    println!("faults of refused programs: {:?}", tally.faults);
    println!("runs that ended early: {:?}, without fuel {}", tally.traps, tally.exhausted);
    if !tally.ill_typed.is_empty() {
        println!("NOT WELL-TYPED: seeds {:?}", &tally.ill_typed[..tally.ill_typed.len().min(8)]);
    }
    println!("accepted programs that fault: {}", tally.failures.len());
}

fn tell(options: &Options, failure: &Failure, counts: &campaign::Counts<'_>) {
    let mut front = Front::new();
    let program = generate::program(failure.seed, "p");
    let program = if options.whole {
        program
    } else {
        shrink(&mut front, &program, failure.seed, failure.fault, counts)
    };
    let story = campaign::story(&mut front, &program, failure.seed);
    println!(
        "\nseed {}: {} with the input {}, at `{}`; again with --replay {}\n{}",
        failure.seed,
        failure.fault.name(),
        story.fault.map_or(failure.input, |(input, ..)| input),
        story.place,
        failure.seed,
        program.file(&[failure.input])
    );
}

fn replay(options: &Options, seed: u64) -> ExitCode {
    let mut front = Front::new();
    let counts = |code: &str| !options.ignore.iter().any(|ignored| ignored == code);
    let mut program = generate::program(seed, "p");
    let mut story = campaign::story(&mut front, &program, seed);
    let refused = story.verdict.refused.iter().any(|diagnostic| counts(diagnostic.code))
        || !story.verdict.ill_typed.is_empty();
    if let (false, Some((_, fault, _)), false) = (refused, story.fault, options.whole) {
        program = shrink(&mut front, &program, seed, fault, &counts);
        story = campaign::story(&mut front, &program, seed);
    }
    print!("{}\n{}", program.file(&campaign::inputs(seed)), story.errors);
    match story.fault {
        Some((input, fault, _)) => {
            println!("{} with the input {input}, at `{}`", fault.name(), story.place);
        }
        None => println!("no fault"),
    }
    if story.fault.is_some() && !refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
