//! Runs the programs of many seeds, and counts what became of them.

use std::collections::BTreeMap;
use std::ops::Range;

use medi_syntax::source::Span;

use crate::front::{Checked, Front, Verdict};
use crate::generate;
use crate::machine::value::Value;
use crate::machine::{self, Fault, Outcome, Schedule, Stop};
use crate::program::Program;
use crate::random::Random;

/// Programs that go through the front together.
const BATCH: usize = 64;

/// Inputs that each program is run with: the bits decide its branches.
pub const INPUTS: [i64; 2] = [0, 0x7fff];
/// So many more are random, and half of all runs start tasks late.
const RANDOM_INPUTS: usize = 4;

/// The inputs of a program.
pub fn inputs(seed: u64) -> Vec<i64> {
    let mut random = Random::new(!seed);
    let more = (0..RANDOM_INPUTS).map(|_| (random.bits() & 0x7fff) as i64);
    INPUTS.into_iter().chain(more).collect()
}

/// Which errors of the checker count; all but those of some codes, to see whether they are missed.
pub type Counts<'a> = dyn Fn(&str) -> bool + Sync + 'a;

/// A program that was accepted, and that faults.
#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub fault: Fault,
    pub input: i64,
}

#[derive(Clone, Default, Debug)]
pub struct Tally {
    pub programs: usize,
    pub accepted: usize,
    /// Programs with an error of the code.
    pub refused: BTreeMap<&'static str, usize>,
    /// Refused programs that fault in one of their runs; the others may be right, or fault with another input.
    pub refused_that_fault: usize,
    /// Faults of refused programs, by name.
    pub faults: BTreeMap<&'static str, usize>,
    /// Runs of accepted programs: those that came to their end, and those that a trap ended, or the lack of fuel.
    pub runs: usize,
    pub traps: BTreeMap<&'static str, usize>,
    pub exhausted: usize,
    pub ill_typed: Vec<u64>,
    pub failures: Vec<Failure>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.programs += other.programs;
        self.accepted += other.accepted;
        self.refused_that_fault += other.refused_that_fault;
        self.runs += other.runs;
        self.exhausted += other.exhausted;
        for (into, from) in [
            (&mut self.refused, other.refused),
            (&mut self.faults, other.faults),
            (&mut self.traps, other.traps),
        ] {
            from.into_iter().for_each(|(key, count)| *into.entry(key).or_default() += count);
        }
        self.ill_typed.extend(other.ill_typed);
        self.failures.extend(other.failures);
    }
}

/// A batch: seeds from `from` on, as far as there are any below `end`.
fn batch(front: &mut Front, from: u64, end: u64, counts: &Counts<'_>, tally: &mut Tally) -> u64 {
    let next = end.min(from + BATCH as u64);
    let programs: Vec<Program> =
        (from..next).map(|seed| generate::program(seed, &format!("p{}", seed - from))).collect();
    let all: Vec<&Program> = programs.iter().collect();
    let found = front.check(&all, |checked| {
        let mut tally = Tally::default();
        for at in 0..checked.verdicts.len() {
            judge(checked, at, from + at as u64, counts, &mut tally);
        }
        tally
    });
    tally.add(found);
    next
}

fn judge(checked: &Checked, at: usize, seed: u64, counts: &Counts<'_>, tally: &mut Tally) {
    let Verdict { ill_typed, refused } = &checked.verdicts[at];
    tally.programs += 1;
    if !ill_typed.is_empty() {
        // What may go into a task is a question of types.
        if ill_typed.iter().any(|diagnostic| !diagnostic.code.starts_with('M')) {
            tally.ill_typed.push(seed);
        }
        *tally.refused.entry(ill_typed[0].code).or_default() += 1;
        return;
    }
    let mut codes: Vec<&'static str> =
        refused.iter().map(|d| d.code).filter(|c| counts(c)).collect();
    codes.sort_unstable();
    codes.dedup();
    let accepted = codes.is_empty();
    codes.into_iter().for_each(|code| *tally.refused.entry(code).or_default() += 1);
    tally.accepted += usize::from(accepted);
    for (input, outcome) in outcomes(checked, at, seed) {
        match &outcome.end {
            Err(Stop::Fault(fault)) if accepted => {
                return tally.failures.push(Failure { seed, fault: *fault, input });
            }
            Err(Stop::Fault(fault)) => {
                tally.refused_that_fault += 1;
                return *tally.faults.entry(fault.name()).or_default() += 1;
            }
            _ if !accepted => {}
            Err(Stop::Trap(trap)) => *tally.traps.entry(trap).or_default() += 1,
            Err(Stop::Fuel) => tally.exhausted += 1,
            Ok(_) => {}
        }
        tally.runs += usize::from(accepted);
    }
}

/// The program's runs, each made when it is asked for.
pub fn outcomes<'c>(
    checked: &'c Checked,
    at: usize,
    seed: u64,
) -> impl Iterator<Item = (i64, Outcome)> + 'c {
    let entry = checked.entries[at].expect("a program that is well-typed has its first function");
    inputs(seed).into_iter().enumerate().map(move |(turn, input)| {
        let schedule = if turn % 2 == 0 { Schedule::AtOnce } else { Schedule::Late };
        (input, machine::run(checked.mir, entry, vec![Value::Int(input)], schedule))
    })
}

/// Runs the seeds on so many threads, until `enough` says so.
pub fn run(
    seeds: Range<u64>,
    threads: usize,
    counts: &Counts<'_>,
    enough: &(dyn Fn(&Tally) -> bool + Sync),
) -> Tally {
    let next = std::sync::Mutex::new(seeds.start);
    let whole = std::sync::Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut front = Front::new();
                loop {
                    let from = {
                        let mut next = next.lock().expect("no thread panics with it");
                        let from = *next;
                        *next = seeds.end.min(from + BATCH as u64);
                        from
                    };
                    if from == seeds.end {
                        return;
                    }
                    let mut tally = Tally::default();
                    batch(&mut front, from, seeds.end, counts, &mut tally);
                    let mut whole = whole.lock().expect("no thread panics with it");
                    whole.add(tally);
                    if enough(&whole) {
                        *next.lock().expect("no thread panics with it") = seeds.end;
                        return;
                    }
                }
            });
        }
    });
    whole.into_inner().expect("no thread panics with it")
}

/// A program that was accepted, and what it gives for some inputs, whatever the order of its tasks.
pub struct Sample {
    pub program: Program,
    pub results: Vec<(i64, i64)>,
}

/// The programs of the seeds that give results, named so that all fit in one file.
pub fn samples(seeds: Range<u64>) -> Vec<Sample> {
    let programs: Vec<Program> =
        seeds.clone().map(|seed| generate::program(seed, &format!("p{seed}"))).collect();
    let all: Vec<&Program> = programs.iter().collect();
    let results = Front::new().check(&all, |checked| {
        let results = |(at, seed)| {
            let Verdict { ill_typed, refused } = &checked.verdicts[at];
            let accepted = ill_typed.is_empty() && refused.is_empty();
            if accepted { results(checked, at, seed) } else { vec![] }
        };
        (0..programs.len()).zip(seeds).map(results).collect::<Vec<_>>()
    });
    let samples = programs.into_iter().zip(results).filter(|(_, results)| !results.is_empty());
    samples.map(|(program, results)| Sample { program: program.reached(), results }).collect()
}

fn results(checked: &Checked, at: usize, seed: u64) -> Vec<(i64, i64)> {
    let entry = checked.entries[at].expect("a program that is well-typed has its first function");
    let result = |input: i64| {
        let ends = [Schedule::AtOnce, Schedule::Late].map(|schedule| {
            let outcome = machine::run(checked.mir, entry, vec![Value::Int(input)], schedule);
            match outcome.end {
                Ok(Value::Int(result)) if !outcome.unordered => Some(result),
                _ => None,
            }
        });
        (ends[0] == ends[1]).then_some((input, ends[0]?))
    };
    inputs(seed).into_iter().filter_map(result).collect()
}

/// What one program does: its verdict, and its first fault with the place of it.
pub struct Story {
    pub verdict: Verdict,
    pub fault: Option<(i64, Fault, Option<Span>)>,
    /// What the checker says, as a user reads it.
    pub errors: String,
    /// The text of the line at which it faults.
    pub place: String,
}

/// Tells of one program.
pub fn story(front: &mut Front, program: &Program, seed: u64) -> Story {
    front.check(&[program], |checked| {
        let verdict = checked.verdicts[0].clone();
        let all: Vec<_> = verdict.ill_typed.iter().chain(&verdict.refused).cloned().collect();
        let errors = medi_syntax::render::human(checked.sources, &all, false);
        let fault = if verdict.ill_typed.is_empty() {
            outcomes(checked, 0, seed)
                .find_map(|(input, outcome)| Some((input, outcome.fault()?, outcome.at)))
        } else {
            None
        };
        let place = match fault {
            Some((_, _, Some(span))) => {
                let file = checked.sources.file(span.file);
                let (line, _) = file.line_column(span.start);
                let from = file.line_start(line) as usize;
                file.text[from..].lines().next().unwrap_or("").trim().to_owned()
            }
            _ => String::new(),
        };
        Story { verdict, fault, errors, place }
    })
}
