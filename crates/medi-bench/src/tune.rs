//! What the collector's choices cost and bring: one program, run with several values of one choice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::measure::{Cost, median, run};

/// Prints the curves of docs/tuning.md: CPU time, time, memory and collections for values of each choice.
///
/// Run from the top of the repository, after `cargo build --release`.
#[derive(Args)]
pub struct Tune {
    /// Curves: growth, young-trigger, memory, pacing, markers; all of them when none is named.
    curve: Vec<String>,
    /// Rounds: each value is tried once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Makes the programs smaller, to see that they run.
    #[arg(long)]
    small: bool,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
    /// Where outputs go.
    #[arg(long, default_value = "target/bench")]
    build: PathBuf,
}

struct Curve {
    name: &'static str,
    program: &'static [&'static str],
    small: &'static [&'static str],
    /// The flags of each run.
    runs: &'static [&'static [&'static str]],
}

const TREES: &[&str] = &["bench/binary_trees/main.medi", "20"];
const SMALL_TREES: &[&str] = &["bench/binary_trees/main.medi", "10"];
/// 256 MiB of events in lists, of which any may be the next to die.
const CHURN: &[&str] = &["bench/latency/main.medi", "churn", "5478274", "3000000"];
const SMALL_CHURN: &[&str] = &["bench/latency/main.medi", "churn", "80000", "80000"];

const CURVES: &[Curve] = &[
    Curve {
        name: "growth",
        program: TREES,
        small: SMALL_TREES,
        runs: &[
            &["--gc-growth", "0.5"],
            &["--gc-growth", "1"],
            &["--gc-growth", "1.5"],
            &["--gc-growth", "2.5"],
            &["--gc-growth", "4"],
        ],
    },
    Curve {
        name: "young-trigger",
        program: TREES,
        small: SMALL_TREES,
        runs: &[
            &["--gc-young-trigger", "8MB"],
            &["--gc-young-trigger", "64MB"],
            &["--gc-young-trigger", "256MB"],
        ],
    },
    Curve {
        name: "memory",
        program: CHURN,
        small: SMALL_CHURN,
        runs: &[
            &["--memory", "340MB"],
            &["--memory", "384MB"],
            &["--memory", "512MB"],
            &["--memory", "1GB"],
            &["--memory-soft", "300MB"],
            &["--memory-soft", "400MB"],
        ],
    },
    Curve {
        name: "pacing",
        program: CHURN,
        small: SMALL_CHURN,
        runs: &[
            &["--memory", "384MB", "--gc-pacing", "0.5"],
            &["--memory", "384MB", "--gc-pacing", "1.5"],
            &["--memory", "384MB", "--gc-pacing", "4"],
        ],
    },
    Curve {
        name: "markers",
        program: CHURN,
        small: SMALL_CHURN,
        runs: &[
            &["--memory", "290MB", "--gc-markers", "1"],
            &["--memory", "290MB", "--gc-markers", "2"],
            &["--memory", "384MB", "--gc-markers", "1"],
            &["--memory", "384MB", "--gc-markers", "2"],
        ],
    },
];

/// One run.
struct Point {
    cost: Cost,
    full: u64,
    young: u64,
    stalls: u64,
    /// The longest handshake, in microseconds.
    handshake: f64,
}

impl Tune {
    /// Runs and prints the curves.
    ///
    /// # Errors
    /// When a curve is not known, or a program cannot be run or fails.
    pub fn run(&self) -> io::Result<bool> {
        let curves = self.chosen()?;
        fs::create_dir_all(&self.build)?;
        for curve in curves {
            let program = if self.small { curve.small } else { curve.program };
            println!("{}: medi run FLAGS {}", curve.name, program.join(" "));
            println!();
            println!("| flags | CPU s | wall s | peak MiB | full, young | stalls | handshake |");
            println!("| --- | --- | --- | --- | --- | --- | --- |");
            let mut points: Vec<Vec<Point>> = curve.runs.iter().map(|_| vec![]).collect();
            for _ in 0..self.rounds.max(1) {
                for (flags, points) in curve.runs.iter().zip(&mut points) {
                    points.push(self.point(flags, program)?);
                }
            }
            for (flags, points) in curve.runs.iter().zip(&points) {
                println!("{}", row(&flags.join(" "), points));
            }
            println!();
        }
        Ok(true)
    }

    fn chosen(&self) -> io::Result<Vec<&'static Curve>> {
        let find = |name: &String| {
            CURVES.iter().find(|curve| curve.name == *name).ok_or_else(|| {
                let names: Vec<_> = CURVES.iter().map(|curve| curve.name).collect();
                io::Error::other(format!(
                    "there is no curve `{name}`; there are {}",
                    names.join(", ")
                ))
            })
        };
        match self.curve.as_slice() {
            [] => Ok(CURVES.iter().collect()),
            names => names.iter().map(find).collect(),
        }
    }

    fn point(&self, flags: &[&str], program: &[&str]) -> io::Result<Point> {
        let stats = self.build.join("tune.json");
        let mut argv = vec![self.medi.display().to_string(), "run".into()];
        argv.push(format!("--gc-stats=json:{}", stats.display()));
        argv.extend(flags.iter().chain(program).map(|word| word.to_string()));
        let cost = run(&argv, &self.build.join("tune.out"))?;
        point(cost, &stats)
    }
}

/// What the run says of itself in the file of its statistics.
fn point(cost: Cost, stats: &Path) -> io::Result<Point> {
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats)?)?;
    let count = |value: &Value| {
        value.as_u64().ok_or_else(|| io::Error::other(format!("no such count in {stats}")))
    };
    let (cycles, young) = (count(&stats["cycles"])?, count(&stats["young_cycles"])?);
    let pauses = &stats["pauses"];
    Ok(Point {
        cost,
        full: cycles - young,
        young,
        stalls: count(&pauses["stall"]["count"])?,
        handshake: count(&pauses["handshake"]["max"])? as f64 / 1e3,
    })
}

/// A line of the table: medians.
fn row(flags: &str, points: &[Point]) -> String {
    let of = |value: &dyn Fn(&Point) -> f64| median(&points.iter().map(value).collect::<Vec<_>>());
    let cpu = of(&|point| point.cost.cpu.as_secs_f64());
    let wall = of(&|point| point.cost.wall.as_secs_f64());
    let peak = of(&|point| point.cost.peak_rss as f64 / (1 << 20) as f64);
    let (full, young) = (of(&|point| point.full as f64), of(&|point| point.young as f64));
    let (stalls, handshake) = (of(&|point| point.stalls as f64), of(&|point| point.handshake));
    format!(
        "| `{flags}` | {cpu:.2} | {wall:.2} | {peak:.0} | {full}, {young} | {stalls} | {handshake:.0} µs |"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_row_has_the_medians_of_the_rounds() {
        let point = |cpu: u64, full: u64| Point {
            cost: Cost {
                cpu: Duration::from_millis(cpu),
                wall: Duration::from_millis(500),
                peak_rss: 100 << 20,
                preemptions: 0,
            },
            full,
            young: 7,
            stalls: 0,
            handshake: 12.4,
        };
        let points = [point(3000, 2), point(1000, 9), point(2000, 3)];
        let row = row("--memory 1GB", &points);
        assert_eq!(row, "| `--memory 1GB` | 2.00 | 0.50 | 100 | 3, 7 | 0 | 12 µs |");
    }
}
