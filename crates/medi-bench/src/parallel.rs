//! The same work on one thread and on more, beside languages that have threads.
//!
//! A program is run whole, once per number of threads and round; contenders take turns. The speed-up of a contender is
//! the median of the ratios of the runs of one round.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::latency::runtime::Tools;
use crate::measure::{Cost, median, run};
use crate::workload::{JSON, compile};

/// Times work that is divided among threads, beside Go, Java and Rust (rayon).
#[derive(Args)]
pub struct Parallel {
    /// Kinds of work: words, groups, trees; all of them when none is named.
    work: Vec<String>,
    /// Rounds: each contender runs once per number of threads in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Numbers of threads; speed-ups are over the first.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Makes all work smaller, to see that it runs.
    #[arg(long)]
    small: bool,
    /// Contenders: medi, go, parallel and zgc (Java), rust; those that this machine has when none is named.
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<String>,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
    /// Where compiled peers and outputs go.
    #[arg(long, default_value = "target/bench")]
    build: PathBuf,
    /// Where `bench/peers.sh` has put the peers.
    #[arg(long, default_value = "target/bench/peers")]
    peers: PathBuf,
}

struct Work {
    name: &'static str,
    args: &'static [&'static str],
    small: &'static [&'static str],
}

const WORK: &[Work] = &[
    Work { name: "words", args: &[JSON, "256"], small: &[JSON, "32"] },
    Work { name: "groups", args: &["8000000"], small: &["32000"] },
    Work { name: "trees", args: &["18"], small: &["6"] },
];

/// As `--contenders` names them, and as the tables show them.
const CONTENDERS: &[(&str, &str)] = &[
    ("medi", "Medi"),
    ("go", "Go"),
    ("parallel", "Java, parallel"),
    ("zgc", "Java, ZGC"),
    ("rust", "Rust, rayon"),
];

/// The command for a number of threads, without the arguments of the program.
type Threaded = Box<dyn Fn(usize) -> Vec<String>>;

/// A program that is ready to run.
struct Contender {
    title: &'static str,
    command: Threaded,
}

impl Parallel {
    /// Measures and prints; whether all contenders gave the same results.
    ///
    /// # Errors
    /// When a program does not run, or gives another result than Medi's.
    pub fn run(&self) -> io::Result<bool> {
        let names: Vec<_> = WORK.iter().map(|work| work.name).collect();
        if let Some(name) = self.work.iter().find(|name| !names.contains(&name.as_str())) {
            let there_are = names.join(", ");
            return Err(io::Error::other(format!(
                "there is no work `{name}`; there are {there_are}"
            )));
        }
        if self.threads.is_empty() || self.threads.contains(&0) {
            return Err(io::Error::other("--threads wants numbers from 1 on"));
        }
        fs::create_dir_all(&self.build)?;
        let contenders = self.prepare()?;
        for work in WORK.iter().filter(|work| self.is_wanted(work)) {
            self.measure(work, &contenders)?;
        }
        Ok(true)
    }

    fn is_wanted(&self, work: &Work) -> bool {
        self.work.is_empty() || self.work.iter().any(|name| name == work.name)
    }

    fn prepare(&self) -> io::Result<Vec<Contender>> {
        let is_known = |name: &&String| CONTENDERS.iter().any(|(known, _)| known == name);
        if let Some(name) = self.contenders.iter().find(|name| !is_known(name)) {
            let there_are: Vec<_> = CONTENDERS.iter().map(|(known, _)| *known).collect();
            let there_are = there_are.join(", ");
            let message = format!("there is no contender `{name}`; there are {there_are}");
            return Err(io::Error::other(message));
        }
        let all = self.contenders.is_empty();
        let mut found = vec![];
        for (name, title) in CONTENDERS {
            if !all && !self.contenders.iter().any(|wanted| wanted == name) {
                continue;
            }
            match self.command(name) {
                Ok(command) => found.push(Contender { title, command }),
                // What this machine does not have is left out, unless it was asked for.
                Err(error) if all && *name != "medi" => println!("{title} is left out: {error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Compiles a contender's program.
    fn command(&self, name: &str) -> io::Result<Threaded> {
        let sources = Path::new("bench/parallel");
        let tools =
            Tools { medi: self.medi.clone(), peers: self.peers.clone(), build: self.build.clone() };
        let text = |path: &Path| path.display().to_string();
        let built = self.build.join("parallel");
        let command: Threaded = match name {
            "medi" => {
                let (medi, main) = (text(&self.medi), text(&sources.join("main.medi")));
                Box::new(move |threads| {
                    vec![medi.clone(), "run".into(), format!("--threads={threads}"), main.clone()]
                })
            }
            "go" => {
                let binary = built.with_extension("go");
                let source = sources.join("main.go");
                compile(
                    Command::new(tools.find("go")?).args(["build", "-o"]).args([&binary, &source]),
                )?;
                let binary = text(&binary);
                Box::new(move |threads| {
                    vec!["env".into(), format!("GOMAXPROCS={threads}"), binary.clone()]
                })
            }
            "rust" => {
                compile(
                    Command::new(tools.find("cargo")?)
                        .args(["build", "--quiet", "--release", "--manifest-path"])
                        .arg(sources.join("Cargo.toml"))
                        .arg("--target-dir")
                        .arg(&built),
                )?;
                let binary = text(&built.join("release/parallel"));
                Box::new(move |threads| {
                    vec!["env".into(), format!("RAYON_NUM_THREADS={threads}"), binary.clone()]
                })
            }
            _ => {
                let (java, classes) = (text(&tools.find("java")?), built.with_extension("java"));
                compile(
                    Command::new(tools.find("javac")?)
                        .args(["--release", "17", "-d"])
                        .args([&classes, &sources.join("Main.java")]),
                )?;
                let collector = if name == "zgc" { "-XX:+UseZGC" } else { "-XX:+UseParallelGC" };
                let classes = text(&classes);
                Box::new(move |threads| {
                    let processors = format!("-XX:ActiveProcessorCount={threads}");
                    [&java, collector, &processors, "-cp", &classes, "Main"]
                        .map(String::from)
                        .into()
                })
            }
        };
        Ok(command)
    }

    fn measure(&self, work: &Work, contenders: &[Contender]) -> io::Result<()> {
        let args = if self.small { work.small } else { work.args };
        // By contender, by number of threads, by round.
        let mut costs = vec![vec![vec![]; self.threads.len()]; contenders.len()];
        let mut expected = None;
        for _ in 0..self.rounds.max(1) {
            for (contender, costs) in contenders.iter().zip(&mut costs) {
                for (threads, costs) in self.threads.iter().zip(costs) {
                    let mut argv = (contender.command)(*threads);
                    argv.push(work.name.into());
                    argv.extend(args.iter().map(|arg| arg.to_string()));
                    let output = self.build.join("parallel.out");
                    costs.push(run(&argv, &output)?);
                    let result = fs::read_to_string(output)?;
                    let expected = expected.get_or_insert_with(|| result.clone());
                    if *expected != result {
                        let who = contender.title;
                        let message = format!("{who} gives {result}, not {expected}");
                        return Err(io::Error::other(message));
                    }
                }
            }
        }
        println!("\n{} {}: {}", work.name, args.join(" "), expected.unwrap_or_default().trim());
        println!("| contender | threads | wall s | CPU s | peak MiB | speed-up |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for (contender, costs) in contenders.iter().zip(&costs) {
            for (threads, these) in self.threads.iter().zip(costs) {
                println!("| {} | {threads} | {}", contender.title, row(&costs[0], these));
            }
        }
        Ok(())
    }
}

/// The figures of some runs, beside those of the first number of threads.
fn row(first: &[Cost], these: &[Cost]) -> String {
    let of = |figure: fn(&Cost) -> f64| median(&these.iter().map(figure).collect::<Vec<_>>());
    let ratios = first.iter().zip(these).map(|(a, b)| a.wall.as_secs_f64() / b.wall.as_secs_f64());
    format!(
        "{:.3} | {:.3} | {:.0} | {:.2} |",
        of(|cost| cost.wall.as_secs_f64()),
        of(|cost| cost.cpu.as_secs_f64()),
        of(|cost| cost.peak_rss as f64 / (1 << 20) as f64),
        median(&ratios.collect::<Vec<_>>()),
    )
}
