//! Whole workloads beside other languages: CPU time, wall time and peak memory.
//!
//! Contenders take turns (A B C, A B C, …), so that a machine whose speed drifts is unfair to none. The
//! figure of a contender is the median of its runs; a ratio is the median of the ratios of the runs of
//! one round.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::measure::{Cost, median, run};
use crate::workload::{Contender, Figure, WORKLOADS, Workload};

#[derive(Args)]
pub struct Comparison {
    /// Workloads to run; all of them when none is named.
    workloads: Vec<String>,
    /// Rounds: each contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
    /// Where compiled peers and outputs go.
    #[arg(long, default_value = "target/bench")]
    build: PathBuf,
}

/// Whether every bar was passed.
pub fn compare_all(cli: &Comparison) -> io::Result<bool> {
    let known = |name: &String| WORKLOADS.iter().any(|workload| workload.name == name);
    if let Some(name) = cli.workloads.iter().find(|name| !known(name)) {
        let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
        return Err(io::Error::other(format!(
            "there is no workload `{name}`; there are {}",
            names.join(", ")
        )));
    }
    fs::create_dir_all(&cli.build)?;
    let mut passed = startup(cli)?;
    println!(
        "{:<14} {:<15} {:>9} {:>9} {:>10}   {:>9} {:>9}",
        "workload", "contender", "cpu s", "wall s", "peak MiB", "Medi cpu", "Medi peak"
    );
    for workload in WORKLOADS {
        if cli.workloads.is_empty() || cli.workloads.iter().any(|name| name == workload.name) {
            passed &= compare(workload, cli)?;
        }
    }
    Ok(passed)
}

/// Start to finish of a program that prints one line: the bar is 30 ms.
fn startup(cli: &Comparison) -> io::Result<bool> {
    const BAR_MS: f64 = 30.0;
    let hello = ["run", "bench/hello/main.medi"].map(String::from);
    let argv = [&[cli.medi.display().to_string()], &hello[..]].concat();
    let output = cli.build.join("hello.out");
    let costs = (0..cli.rounds.max(1) * 4)
        .map(|_| run(&argv, &output))
        .collect::<io::Result<Vec<Cost>>>()?;
    let wall = 1e3 * median(&costs.iter().map(|cost| cost.wall.as_secs_f64()).collect::<Vec<_>>());
    let cpu = 1e3 * median(&costs.iter().map(|cost| cost.cpu.as_secs_f64()).collect::<Vec<_>>());
    let verdict = if wall <= BAR_MS { "passed" } else { "MISSED" };
    println!(
        "hello, start to finish: {wall:.1} ms (cpu {cpu:.1} ms); bar {BAR_MS} ms: {verdict}\n"
    );
    Ok(wall <= BAR_MS)
}

fn compare(workload: &Workload, cli: &Comparison) -> io::Result<bool> {
    let contenders = workload.prepare(&cli.medi, &cli.build)?;
    let mut costs: Vec<Vec<Cost>> = contenders.iter().map(|_| vec![]).collect();
    for _ in 0..cli.rounds.max(1) {
        for (index, contender) in contenders.iter().enumerate() {
            costs[index].push(run(&contender.argv, &output_of(index, workload, &cli.build))?);
        }
    }
    agree(workload, &contenders, &cli.build)?;
    for (index, contender) in contenders.iter().enumerate() {
        let figure = |figure| median(&values(&costs[index], figure));
        println!(
            "{:<14} {:<15} {:>9.3} {:>9.3} {:>10.1}   {:>9} {:>9}",
            workload.name,
            contender.name,
            figure(Figure::Cpu),
            figure(Figure::Wall),
            figure(Figure::PeakRss) / (1 << 20) as f64,
            format!("{:.2} x", ratio(&costs[0], &costs[index], Figure::Cpu)),
            format!("{:.2} x", ratio(&costs[0], &costs[index], Figure::PeakRss)),
        );
    }
    Ok(judge(workload, &contenders, &costs))
}

fn judge(workload: &Workload, contenders: &[Contender], costs: &[Vec<Cost>]) -> bool {
    let Some(bar) = workload.bar else {
        println!();
        return true;
    };
    let peers = contenders.iter().zip(costs).filter(|(c, _)| c.language == Some(bar.language));
    let ratios = peers.map(|(_, peer)| ratio(&costs[0], peer, bar.figure));
    let worst = ratios.fold(0.0, f64::max);
    let passed = worst <= bar.factor;
    let verdict = if passed { "passed" } else { "MISSED" };
    println!(
        "  bar: {:?} at most {} x the best {:?}: {worst:.2} x, {verdict}\n",
        bar.figure, bar.factor, bar.language
    );
    passed
}

/// All contenders must have printed the same, or they did not do the same work.
fn agree(workload: &Workload, contenders: &[Contender], build: &Path) -> io::Result<()> {
    let first = fs::read_to_string(output_of(0, workload, build))?;
    for (index, contender) in contenders.iter().enumerate().skip(1) {
        if fs::read_to_string(output_of(index, workload, build))? != first {
            return Err(io::Error::other(format!(
                "{}: Medi and {} print different results; see {}",
                workload.name,
                contender.name,
                build.display()
            )));
        }
    }
    Ok(())
}

fn output_of(index: usize, workload: &Workload, build: &Path) -> PathBuf {
    build.join(format!("{}-{index}.out", workload.name))
}

fn values(costs: &[Cost], figure: Figure) -> Vec<f64> {
    let value = |cost: &Cost| match figure {
        Figure::Cpu => cost.cpu.as_secs_f64(),
        Figure::Wall => cost.wall.as_secs_f64(),
        Figure::PeakRss => cost.peak_rss as f64,
    };
    costs.iter().map(value).collect()
}

fn ratio(a: &[Cost], b: &[Cost], figure: Figure) -> f64 {
    let pairs = values(a, figure).into_iter().zip(values(b, figure));
    median(&pairs.map(|(a, b)| a / b.max(1e-9)).collect::<Vec<_>>())
}
