//! What the scope checker accepts never faults in the reference machine, and the fuzzer would see it if it did.
//!
//! `MEDI_SCOPE_PROGRAMS` says how many programs run, `MEDI_SCOPE_FROM` at which seed they start.

use medi_fuzz::campaign::{self, Tally};
use medi_fuzz::front::Front;
use medi_fuzz::generate;
use medi_fuzz::shrink::shrink;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number of programs"))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

#[test]
fn what_the_checker_accepts_never_faults() {
    let from = number("MEDI_SCOPE_FROM", 0);
    let seeds = from..from + number("MEDI_SCOPE_PROGRAMS", 20_000);
    let any = |tally: &Tally| !tally.failures.is_empty();
    let tally = campaign::run(seeds, threads(), &|_| true, &any);
    assert_eq!(tally.ill_typed, [] as [u64; 0], "seeds of programs that are not well-typed");
    if let Some(failure) = tally.failures.first() {
        let program = generate::program(failure.seed, "p");
        let mut front = Front::new();
        let least = shrink(&mut front, &program, failure.seed, failure.fault, &|_| true);
        panic!("seed {}: {}\n{}", failure.seed, failure.fault.name(), least.file(&[failure.input]));
    }
    let accepted = tally.accepted * 100 / tally.programs;
    assert!((20..=95).contains(&accepted), "programs lie on both sides: {accepted} % are accepted");
    assert!(tally.exhausted * 50 < tally.runs, "most runs come to an end: {}", tally.exhausted);
}

/// Its variable holds a function value that has captured that variable.
#[test]
fn a_function_value_that_refers_to_itself_is_followed_once() {
    let tally = campaign::run(50_624_696..50_624_697, 1, &|_| true, &|_| false);
    assert_eq!((tally.programs, tally.failures.len()), (1, 0));
}

/// Without the errors of one code, some program that faults is accepted.
#[test]
fn a_rule_that_is_switched_off_is_missed() {
    const MOST: u64 = 40_000;
    for code in
        ["M0101", "M0102", "M0103", "M0201", "M0202", "M0203", "M0301", "M0401", "M0402", "M0403"]
    {
        let one = |tally: &Tally| !tally.failures.is_empty();
        let counts = |found: &str| found != code;
        let tally = campaign::run(0..MOST, threads(), &counts, &one);
        assert!(!tally.failures.is_empty(), "nothing faults without {code}");
    }
}

#[test]
fn a_seed_gives_the_same_program_each_time() {
    for seed in 0..200 {
        let programs = [0, 1].map(|_| generate::program(seed, "p"));
        assert_eq!(programs[0], programs[1], "of seed {seed}");
    }
}
