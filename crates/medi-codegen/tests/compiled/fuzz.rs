//! Differential fuzzing of the stack maps: a random program gives the same number without any collection,
//! with a collection at every allocation and every safepoint, and on a heap that moves every object.
//!
//! `MEDI_FUZZ_SEEDS=N` runs N programs (default 12), `MEDI_FUZZ_FROM=S` starts at seed S; `MEDI_FUZZ_SECONDS=T`
//! goes on with the next seeds until T seconds have passed, which is what `fuzz/run.sh stack_maps` does.

use std::num::NonZeroU64;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::machine::{Setup, natives, run_with};
use crate::random;
use medi_codegen::Optimise;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

fn setup() -> Setup {
    let mut setup = Setup { stack: 4 << 20, ..Setup::default() };
    setup.heap.reserve = Some(256 << 20);
    setup.code.natives = natives::table();
    setup
}

/// A collection at every allocation and every safepoint.
fn storm() -> Setup {
    let mut setup = setup();
    setup.heap.collect_every = NonZeroU64::new(1);
    setup.heap.verify = true;
    setup.storm = true;
    setup
}

fn poisoning() -> Setup {
    let mut setup = storm();
    setup.heap.poison = true;
    setup.heap.log_writes = true;
    setup
}

fn moving() -> Setup {
    let mut setup = storm();
    setup.heap.moving = true;
    setup.code.reload_roots = true;
    setup
}

fn answers(seed: u64, setup: &Setup) -> Vec<i64> {
    let program = random::program(seed);
    let run = |argument| {
        let setup = Setup { args: vec![argument], ..setup.clone() };
        run_with(&program, &setup).int()
    };
    (0..2).map(|argument| run(argument * 1_000_003 + seed)).collect()
}

#[test]
fn random_programs_answer_the_same_however_often_the_heap_collects() {
    let (from, count) = (number("MEDI_FUZZ_FROM", 1), number("MEDI_FUZZ_SEEDS", 12));
    let (started, least) = (Instant::now(), Duration::from_secs(number("MEDI_FUZZ_SECONDS", 0)));
    let mut seed = from;
    while seed < from + count || started.elapsed() < least {
        let wanted = answers(seed, &setup());
        let mut quick = if seed % 2 == 0 { poisoning() } else { moving() };
        quick.code.optimise = Optimise::Nothing;
        for (name, setup) in [("poison", poisoning()), ("moving", moving()), ("quick", quick)] {
            assert_eq!(answers(seed, &setup), wanted, "seed {seed}, {name}");
        }
        seed += 1;
    }
    println!("{} programs, seeds {from} to {}", seed - from, seed - 1);
}

/// Runs in a process of its own: a lost root may end it in any way.
#[test]
fn a_lost_root_is_noticed() {
    const PLANTED: &str = "MEDI_TEST_PLANT_LOST_ROOT";
    const READY: &str = "the programs are right without the plant";
    let seeds = 1..5;
    if std::env::var_os(PLANTED).is_some() {
        let wanted: Vec<_> = seeds.clone().map(|seed| answers(seed, &setup())).collect();
        println!("{READY}");
        for mut setup in [poisoning(), moving()] {
            setup.code.plant_lost_root = true;
            let found: Vec<_> = seeds.clone().map(|seed| answers(seed, &setup)).collect();
            assert_eq!(found, wanted);
        }
        return;
    }
    let this = std::env::current_exe().expect("a test has a path");
    let mut child = Command::new(this);
    child.args(["--exact", "fuzz::a_lost_root_is_noticed", "--nocapture"]).env(PLANTED, "1");
    let output = child.output().expect("the test starts itself");
    assert!(String::from_utf8_lossy(&output.stdout).contains(READY));
    assert!(!output.status.success(), "nobody noticed the lost roots");
}
