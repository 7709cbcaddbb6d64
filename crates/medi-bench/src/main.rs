//! `medi-bench`: Medi beside other languages, on the same programs, in one run.

mod check;
mod comparison;
mod latency;
mod measure;
mod parallel;
mod pileup;
mod soak;
mod tune;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::check::Check;
use crate::comparison::Comparison;
use crate::latency::Latency;
use crate::parallel::Parallel;
use crate::pileup::Pileup;
use crate::soak::Soak;
use crate::tune::Tune;

/// Times Medi beside other languages on the same workloads.
///
/// Run from the top of the repository, after `cargo build --release`. Compilers of the peers (rustc, javac,
/// python3) must be on the PATH.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    measurement: Option<Measurement>,
    #[command(flatten)]
    comparison: Comparison,
}

#[derive(Subcommand)]
enum Measurement {
    Check(Check),
    Latency(Latency),
    Parallel(Parallel),
    Pileup(Pileup),
    Soak(Soak),
    Tune(Tune),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.measurement {
        None => comparison::compare_all(&cli.comparison),
        Some(Measurement::Check(check)) => check.run(),
        Some(Measurement::Latency(latency)) => latency.run(),
        Some(Measurement::Parallel(parallel)) => parallel.run(),
        Some(Measurement::Pileup(pileup)) => pileup.run(),
        Some(Measurement::Soak(soak)) => soak.run(),
        Some(Measurement::Tune(tune)) => tune.run(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
