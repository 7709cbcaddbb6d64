//! How long `medi check` takes for a large program that uses scopes everywhere.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use medi_fuzz::large;

/// Times `medi check` on generated programs with scopes and functions.
#[derive(Args)]
pub struct Check {
    /// Lines of each program.
    #[arg(long, default_value_t = 10_000)]
    lines: usize,
    /// How often each is checked.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Most milliseconds that checking may take, by the median of the rounds.
    #[arg(long, default_value_t = 1000)]
    limit: u64,
    /// The medi command to measure.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
    /// Where the programs go.
    #[arg(long, default_value = "target/bench")]
    build: PathBuf,
}

/// Names of the programs, and how long their longest functions are.
const PROGRAMS: &[(&str, Option<usize>)] =
    &[("short functions", None), ("functions of 1,000 lines", Some(1000))];

impl Check {
    /// Measures and prints; whether each program took no longer than the limit.
    ///
    /// # Errors
    /// When a program cannot be written, or does not pass the check.
    pub fn run(&self) -> io::Result<bool> {
        fs::create_dir_all(&self.build)?;
        println!("| program | lines | functions | least | median | most |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: |");
        let mut fast = true;
        for (name, longest) in PROGRAMS {
            let text = large::program(self.lines, *longest);
            let path = self.build.join(format!("check-{}.medi", longest.unwrap_or(0)));
            fs::write(&path, &text)?;
            let mut times = vec![];
            for _ in 0..self.rounds.max(1) {
                times.push(self.time(&path)?);
            }
            times.sort();
            let median = times[times.len() / 2];
            let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
            println!(
                "| {name} | {} | {} | {} | {} | {} |",
                text.lines().count(),
                text.lines().filter(|line| line.starts_with("func ")).count(),
                milliseconds(times[0]),
                milliseconds(median),
                milliseconds(times[times.len() - 1]),
            );
            fast &= median <= Duration::from_millis(self.limit);
        }
        if !fast {
            println!("\nSome program takes more than {} ms.", self.limit);
        }
        Ok(fast)
    }

    fn time(&self, program: &PathBuf) -> io::Result<Duration> {
        let started = Instant::now();
        let mut command = Command::new(&self.medi);
        let output = command.arg("check").arg(program).output().map_err(|error| {
            let medi = self.medi.display();
            io::Error::new(
                error.kind(),
                format!("cannot run `{medi}`: {error}; `cargo build --release` makes it"),
            )
        })?;
        let time = started.elapsed();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let error = said.find("error").map_or(&*said, |at| &said[at..]);
            let error: Vec<&str> = error.lines().take(12).collect();
            let message = format!("{} does not pass:\n{}", program.display(), error.join("\n"));
            return Err(io::Error::other(message));
        }
        Ok(time)
    }
}
