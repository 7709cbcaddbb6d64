//! `medi-bench latency`: how long a collector holds a program up, Medi's beside those of other runtimes.
//!
//! The same program in each language changes a store at full speed and times each batch of its operations; the collectors' own logs say
//! what they did meanwhile. Contenders take turns within a round, and in each round a thread that only reads the clock spins for
//! as long as Medi ran: what it sees is the machine's, not a collector's. Limits are multiples of what the store takes in each
//! runtime, which is measured first.

mod collector;
mod program;
mod report;
pub mod runtime;
mod watch;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::collector::Collector;
use self::program::{Account, Latencies, Measured};
use self::report::{Point, Rounds, show_bytes};
use self::runtime::{Contender, Files, Limit, RUNTIMES, Runtime, Tools};
use self::watch::{Watched, spin, watch};

/// Measures pauses, and latencies as the program sees them, beside other runtimes.
///
/// Run from the top of the repository, after `cargo build --release` and, for the peers, `bench/peers.sh`. A peer that is not there is
/// left out.
#[derive(Args)]
pub struct Latency {
    #[command(subcommand)]
    scenario: Scenario,
    /// Rounds: each contender runs once in each.
    #[arg(long, default_value_t = 3, global = true)]
    rounds: usize,
    /// Contenders, such as `medi,zgc,go`; all of them when none is named.
    #[arg(long, value_delimiter = ',', value_parser = runtime_names(), global = true)]
    runtimes: Vec<String>,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi", global = true)]
    medi: PathBuf,
    /// Where `bench/peers.sh` put the peers: `DIRECTORY/bin` is searched before the PATH.
    #[arg(long, default_value = "target/bench/peers", global = true)]
    peers: PathBuf,
    /// Where compiled peers, outputs and logs go.
    #[arg(long, default_value = "target/bench", global = true)]
    build: PathBuf,
    /// Where the figures of every run go, a JSON object a line [default: latency.jsonl in the build directory].
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// The longest that one run may take, in seconds.
    #[arg(long, default_value_t = 900, global = true)]
    timeout: u64,
}

#[derive(Subcommand)]
enum Scenario {
    /// Live linked records, replaced at random.
    Churn {
        /// What the records take in Medi; with several, the last tables show pauses against size.
        #[arg(long, value_delimiter = ',', value_parser = size, default_value = "64MB")]
        live: Vec<u64>,
        /// The heap limit, as a multiple of what is live.
        #[arg(long, value_delimiter = ',', default_value = "1.5,2")]
        limit: Vec<f64>,
        /// How often each record is replaced, on average.
        #[arg(long, default_value_t = 2.0)]
        turnover: f64,
    },
    /// A ring of the newest arrays of 1 KB: each push drops the oldest.
    Window {
        #[arg(long, default_value_t = 200_000)]
        arrays: u64,
        #[arg(long, default_value_t = 1_000_000)]
        pushes: u64,
        /// The heap limit, as a multiple of what is live.
        #[arg(long, value_delimiter = ',', default_value = "2")]
        limit: Vec<f64>,
    },
    /// The Benchmarks Game's binary trees, without a limit: what collecting costs.
    Trees {
        #[arg(long, default_value_t = 21)]
        depth: u64,
    },
}

/// What one record takes in Medi: header, four words, and its share of the table.
const BYTES_OF_AN_EVENT: u64 = 49;
const BYTES_OF_AN_ARRAY: u64 = 1080;

/// The figures of one run.
struct Run {
    watched: Watched,
    measured: Option<Measured>,
    collector: Collector,
}

/// One set of runs that belong in one table.
struct Group<'a> {
    /// What is run, as the JSON lines say it.
    name: Value,
    title: String,
    args: Vec<String>,
    /// For each contender; `None` for no limit.
    limits: Vec<Option<Limit>>,
    contenders: &'a [&'a Contender],
}

fn runtime_names() -> clap::builder::PossibleValuesParser {
    RUNTIMES.iter().map(|runtime| runtime.name).collect::<Vec<_>>().into()
}

impl Latency {
    /// Always true when everything ran: there is no bar here.
    ///
    /// # Errors
    /// When files cannot be written, no contender is there, or two programs disagree.
    pub fn run(&self) -> io::Result<bool> {
        fs::create_dir_all(&self.build)?;
        let json = self.json.clone().unwrap_or_else(|| self.build.join("latency.jsonl"));
        let mut json = File::create(json)?;
        let trees = matches!(self.scenario, Scenario::Trees { .. });
        let sources = Path::new("bench").join(if trees { "binary_trees" } else { "latency" });
        let contenders = self.contenders(&sources)?;
        match &self.scenario {
            Scenario::Churn { live, limit, turnover } => {
                let mut points = vec![];
                for live in live {
                    let events = (live / BYTES_OF_AN_EVENT).max(8);
                    let operations = (events as f64 * turnover).max(1.0) as u64;
                    let store = Store {
                        mode: "churn",
                        size: events,
                        bytes: BYTES_OF_AN_EVENT,
                        operations,
                        name: json!({ "scenario": "churn", "events": events }),
                        title: format!("churn, {events} records ({} in Medi)", show_bytes(*live)),
                    };
                    let measured = self.limited(&store, limit, &contenders, &mut json)?;
                    points.extend(measured.into_iter().map(|point| (*live, point)));
                }
                if live.len() > 1 {
                    report::curves(&points);
                }
            }
            Scenario::Window { arrays, pushes, limit } => {
                let store = Store {
                    mode: "window",
                    size: *arrays,
                    bytes: BYTES_OF_AN_ARRAY,
                    operations: *pushes,
                    name: json!({ "scenario": "window", "arrays": arrays }),
                    title: format!("window, {arrays} arrays of 1 KB"),
                };
                self.limited(&store, limit, &contenders, &mut json)?;
            }
            Scenario::Trees { depth } => {
                let contenders: Vec<&Contender> = contenders.iter().collect();
                let group = Group {
                    name: json!({ "scenario": "trees", "depth": depth }),
                    title: format!("binary trees, depth {depth}"),
                    args: vec![depth.to_string()],
                    limits: vec![None; contenders.len()],
                    contenders: &contenders,
                };
                self.measure(&group, &mut json)?;
            }
        }
        Ok(true)
    }

    /// The contenders that are there, after saying which are not.
    fn contenders(&self, sources: &Path) -> io::Result<Vec<Contender>> {
        let tools =
            Tools { medi: self.medi.clone(), peers: self.peers.clone(), build: self.build.clone() };
        let wanted = |runtime: &&Runtime| {
            self.runtimes.is_empty() || self.runtimes.iter().any(|name| name == runtime.name)
        };
        let mut contenders = vec![];
        for runtime in RUNTIMES.iter().filter(wanted) {
            match Contender::prepare(runtime, sources, &tools) {
                Ok(contender) => {
                    println!("{:<30} {}", runtime.title, contender.version);
                    contenders.push(contender);
                }
                Err(reason) => println!("{:<30} left out: {reason}", runtime.title),
            }
        }
        match contenders.is_empty() {
            true => Err(io::Error::other("no contender is there; see `bench/peers.sh`")),
            false => Ok(contenders),
        }
    }

    /// Measures a store under each limit.
    fn limited(
        &self,
        store: &Store,
        factors: &[f64],
        contenders: &[Contender],
        json: &mut File,
    ) -> io::Result<Vec<Point>> {
        let mut ready = vec![];
        for contender in contenders {
            match self.live(contender, store) {
                Ok(live) => ready.push((contender, live)),
                Err(reason) => println!("{:<30} left out: {reason}", contender.runtime.title),
            }
        }
        let contenders: Vec<&Contender> = ready.iter().map(|(contender, _)| *contender).collect();
        let mut points = vec![];
        for &factor in factors {
            let limit = |live: u64| Limit { bytes: (live as f64 * factor) as u64, factor };
            let (title, operations) = (&store.title, store.operations);
            let mut name = store.name.clone();
            name["limit_factor"] = factor.into();
            let group = Group {
                name,
                title: format!("{title}, {operations} operations, limit {factor} x what is live"),
                args: vec![store.mode.into(), store.size.to_string(), operations.to_string()],
                limits: ready.iter().map(|(_, live)| live.map(limit)).collect(),
                contenders: &contenders,
            };
            points.extend(self.measure(&group, json)?);
        }
        Ok(points)
    }

    /// What a filled store takes in a runtime, if it can tell. A large store is taken to be a smaller one many times over.
    fn live(&self, contender: &Contender, store: &Store) -> io::Result<Option<u64>> {
        const SAMPLE_BYTES: u64 = 512 << 20;
        let files = Files::of(contender.runtime, &self.build);
        let sample = store.size.min(SAMPLE_BYTES / store.bytes);
        let args = [store.mode.into(), sample.to_string(), "0".into()];
        watch(contender.command(&args, None, &files), &files, self.timeout())?;
        let live = Account::read(&fs::read_to_string(&files.output)?).live;
        Ok(live.map(|live| (live as f64 * store.size as f64 / sample as f64) as u64))
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// All rounds of a group, and its table.
    fn measure(&self, group: &Group, json: &mut File) -> io::Result<Vec<Point>> {
        println!("\n{}, {} rounds", group.title, self.rounds.max(1));
        let mut results: Vec<Rounds> = group.contenders.iter().map(|_| Rounds::default()).collect();
        let mut idle = vec![];
        let mut proof = None;
        for round in 0..self.rounds.max(1) {
            let mut spun = false;
            for (index, contender) in group.contenders.iter().enumerate() {
                eprintln!("round {}: {}", round + 1, contender.runtime.title);
                let outcome = self.run_once(group, index, &mut proof)?;
                let line = group.line(index, round, &outcome);
                writeln!(json, "{line}")?;
                if let (Ok(run), false) = (&outcome, spun) {
                    spun = true;
                    let latencies = idle_beside(run);
                    let mut line = group.name.clone();
                    line["runtime"] = "idle".into();
                    line["round"] = round.into();
                    line["latency_ns"] = latencies.json();
                    writeln!(json, "{line}")?;
                    idle.push(latencies);
                }
                results[index].add(outcome.map_err(|error| error.to_string()));
            }
        }
        Ok(report::table(group, &results, &idle))
    }

    /// Runs one contender once: the outer error is a benchmark that is wrong, the inner one a contender that failed.
    fn run_once(
        &self,
        group: &Group,
        index: usize,
        proof: &mut Option<String>,
    ) -> io::Result<io::Result<Run>> {
        let contender = group.contenders[index];
        let limit = group.limits[index].map_or(0, |limit| limit.bytes);
        if let Some(free) = watch::available_memory()
            && limit > free / 10 * 9
        {
            let [limit, free] = [limit, free].map(show_bytes);
            let reason = format!("would need {limit} of the {free} that the machine has free");
            return Ok(Err(io::Error::other(reason)));
        }
        let files = Files::of(contender.runtime, &self.build);
        let command = contender.command(&group.args, group.limits[index], &files);
        let watched = match watch(command, &files, self.timeout()) {
            Ok(watched) => watched,
            Err(reason) => return Ok(Err(reason)),
        };
        let output = fs::read_to_string(&files.output)?;
        let account = Account::read(&output);
        let shown = account.checksum.map_or(output, |sum| sum.to_string());
        if *proof.get_or_insert_with(|| shown.clone()) != shown {
            return Err(io::Error::other(format!(
                "{}: its result is not that of the others; see {}",
                contender.runtime.title,
                files.output.display()
            )));
        }
        let collector = Collector::read(contender.runtime.kind, &files)?;
        Ok(Ok(Run { watched, measured: account.measured, collector }))
    }
}

/// A store of `bench/latency`, and how it is changed.
struct Store {
    mode: &'static str,
    size: u64,
    /// What one element takes in Medi, about.
    bytes: u64,
    operations: u64,
    name: Value,
    title: String,
}

/// What an idle thread sees in as much time as a run measured, in batches as long as the run's usual ones.
fn idle_beside(run: &Run) -> Latencies {
    const LONGEST: Duration = Duration::from_secs(60);
    let (length, batch) = match &run.measured {
        Some(measured) => (measured.nanoseconds, measured.latencies.at(0.5)),
        None => (run.watched.cost.wall.as_nanos() as u64, 10_000),
    };
    spin(Duration::from_nanos(length).min(LONGEST), Duration::from_nanos(batch))
}

impl Group<'_> {
    /// A run as a JSON line.
    fn line(&self, index: usize, round: usize, outcome: &io::Result<Run>) -> Value {
        let contender = self.contenders[index];
        let mut line = self.name.clone();
        line["runtime"] = contender.runtime.name.into();
        line["version"] = contender.version.clone().into();
        line["round"] = round.into();
        line["limit_bytes"] = self.limits[index].map(|limit| limit.bytes).into();
        match outcome {
            Err(reason) => line["failed"] = reason.to_string().into(),
            Ok(run) => {
                let cost = run.watched.cost;
                line["wall_s"] = cost.wall.as_secs_f64().into();
                line["cpu_s"] = cost.cpu.as_secs_f64().into();
                line["peak_rss_bytes"] = cost.peak_rss.into();
                line["preemptions"] = cost.preemptions.into();
                line["hiccup_ns"] = (run.watched.hiccup.as_nanos() as u64).into();
                line["stolen_s"] = run.watched.stolen.as_secs_f64().into();
                line["measured"] = run.measured.as_ref().map(Measured::json).into();
                line["collector"] = run.collector.json();
            }
        }
        line
    }
}

/// A size as people write it: `64MB`, `1.5GB`. Units are powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => return Err(format!("wants a size such as 64MB or 1.5GB, not `{text}`")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    Ok((number * unit as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("64MB"), Ok(64 << 20));
        assert_eq!(size("1.5GB"), Ok(3 << 29));
        assert!(size("64").is_err() && size("MB").is_err());
    }
}
