//! Random programs whose tasks change and read the same collections at the same time.
//!
//! Nothing is promised of what such a program computes. It must end well, or stop with the error of a race; it must
//! not crash, hang, or break the heap. `MEDI_RACE_PROGRAMS=N` runs N programs (default 60), `MEDI_RACE_FROM=S` starts at
//! seed S, which with N = 1 repeats one that failed; `MEDI_RACE_SECONDS=T` goes on until T seconds have passed, which is
//! what `fuzz/run.sh races` does.

mod generator;

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{finished, medi, root, text, transcript};
use crate::tasks::MODES;

/// Errors that a race may lead to: an index, nil, a missing key, no text, a failure that is used, a bad argument, what is gone.
const ALLOWED: &[&str] = &["R0003", "R0004", "R0005", "R0006", "R0009", "R0013", "R0016"];

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

/// Runs the program of a seed, in the mode of that seed.
fn check(seed: u64) {
    let mode = MODES[(seed % MODES.len() as u64) as usize];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("race.medi");
    let program = generator::program(seed);
    fs::write(&path, &program).expect("the program is written");
    let rounds = if mode.is_empty() { "10000" } else { "500" };
    let mut command = medi(&["run", "--threads", "4"]);
    let output = finished(command.args(mode).arg(&path).arg(rounds));
    let errors = text(&output.stderr);
    let expected = match output.status.code() {
        Some(0) => errors.is_empty(),
        Some(1) => ALLOWED.iter().any(|code| errors.starts_with(&format!("error[{code}]"))),
        _ => false,
    };
    if !expected {
        let kept = root().join(format!("target/race-{seed}.medi"));
        fs::write(&kept, &program).expect("the program is kept");
        let (kept, said) = (kept.display(), transcript(&output));
        panic!("MEDI_RACE_FROM={seed}, {mode:?}, {kept}:\n{said}");
    }
}

#[test]
fn random_programs_that_race_end_well_or_with_an_error() {
    let (from, count) = (number("MEDI_RACE_FROM", 1), number("MEDI_RACE_PROGRAMS", 60));
    let (started, least) = (Instant::now(), Duration::from_secs(number("MEDI_RACE_SECONDS", 0)));
    let mut seed = from;
    while seed < from + count || started.elapsed() < least {
        check(seed);
        seed += 1;
    }
    println!("{} programs, seeds {from} to {}", seed - from, seed - 1);
}
