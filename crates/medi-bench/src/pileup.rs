//! A genome piled up in memory of a scope, on the collected heap, and in Rust with a bump allocator.
//!
//! Programs run whole, in turn. What one window costs is the difference between a run of many rounds over the genome and
//! one of a single round, so that making the genome does not count.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::measure::{Cost, median, run};
use crate::workload::compile;

/// Times piling up a genome in memory of a scope, beside the collected heap and Rust with bumpalo.
#[derive(Args)]
pub struct Pileup {
    /// Rounds: each contender runs twice in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Makes the work smaller, to see that it runs.
    #[arg(long)]
    small: bool,
    /// Leaves out Rust, which needs bumpalo from the registry.
    #[arg(long)]
    without_rust: bool,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
    /// Where the compiled peer and outputs go.
    #[arg(long, default_value = "target/bench")]
    build: PathBuf,
}

/// Passes over the genome in the longer run.
const PASSES: u32 = 10;

struct Contender {
    title: &'static str,
    argv: Vec<String>,
    /// Of each round: the run of one pass, and that of many.
    costs: Vec<(Cost, Cost)>,
}

impl Pileup {
    /// Measures and prints; whether all contenders gave the same results.
    ///
    /// # Errors
    /// When a program does not run, or gives another result than the first one.
    pub fn run(&self) -> io::Result<bool> {
        fs::create_dir_all(&self.build)?;
        let mut contenders = self.prepare()?;
        let sites = if self.small { "20000" } else { "2000000" };
        let output = self.build.join("pileup.out");
        let mut expected = None;
        for _ in 0..self.rounds.max(1) {
            for contender in &mut contenders {
                let of = |passes: u32| {
                    let rest = [sites.to_string(), passes.to_string()];
                    let argv: Vec<_> = contender.argv.iter().cloned().chain(rest).collect();
                    run(&argv, &output)
                };
                contender.costs.push((of(1)?, of(PASSES)?));
                let result = fs::read_to_string(&output)?;
                let expected = expected.get_or_insert_with(|| result.clone());
                if *expected != result {
                    let message = format!("{} gives {result}, not {expected}", contender.title);
                    return Err(io::Error::other(message));
                }
            }
        }
        println!("{sites} sites, {PASSES} passes: {}", expected.unwrap_or_default().trim());
        println!("| contender | CPU ms a pass | beside the last | peak MiB |");
        println!("| --- | --- | --- | --- |");
        let last = contenders.last().map_or(0.0, Contender::pass);
        for contender in &contenders {
            let peak =
                median(&contender.costs.iter().map(|cost| cost.1.peak_rss).collect::<Vec<_>>());
            println!(
                "| {} | {:.0} | {:.2} | {:.0} |",
                contender.title,
                contender.pass(),
                contender.pass() / last,
                peak as f64 / (1 << 20) as f64
            );
        }
        Ok(true)
    }

    fn prepare(&self) -> io::Result<Vec<Contender>> {
        let text = |path: &Path| path.display().to_string();
        let medi = |title, way: &str| Contender {
            title,
            argv: vec![text(&self.medi), "run".into(), "bench/pileup/main.medi".into(), way.into()],
            costs: vec![],
        };
        let mut contenders =
            vec![medi("Medi, scope", "scope"), medi("Medi, collected", "collected")];
        if !self.without_rust {
            let built = self.build.join("pileup");
            compile(
                Command::new("cargo")
                    .args(["build", "--quiet", "--release", "--manifest-path"])
                    .arg("bench/pileup/Cargo.toml")
                    .arg("--target-dir")
                    .arg(&built),
            )?;
            let argv = vec![text(&built.join("release/pileup")), "scope".into()];
            contenders.push(Contender { title: "Rust, bumpalo", argv, costs: vec![] });
        }
        Ok(contenders)
    }
}

impl Contender {
    /// CPU milliseconds that a pass takes.
    fn pass(&self) -> f64 {
        let of = |(one, many): &(Cost, Cost)| {
            (many.cpu.as_secs_f64() - one.cpu.as_secs_f64()) / f64::from(PASSES - 1) * 1e3
        };
        median(&self.costs.iter().map(of).collect::<Vec<_>>())
    }
}
