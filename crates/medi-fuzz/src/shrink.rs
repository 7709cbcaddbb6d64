//! Makes a failing program small: takes statements out, one after the other, while it fails in the same way.

use crate::campaign::{Counts, story};
use crate::front::Front;
use crate::machine::Fault;
use crate::program::Program;

/// Whether the program is accepted, and faults like that.
fn fails(
    front: &mut Front,
    program: &Program,
    seed: u64,
    fault: Fault,
    counts: &Counts<'_>,
) -> bool {
    let story = story(front, program, seed);
    let accepted = story.verdict.ill_typed.is_empty()
        && !story.verdict.refused.iter().any(|diagnostic| counts(diagnostic.code));
    accepted && story.fault.is_some_and(|(_, found, _)| found.name() == fault.name())
}

/// A smallest program, in that nothing more can be taken out of it.
pub fn shrink(
    front: &mut Front,
    program: &Program,
    seed: u64,
    fault: Fault,
    counts: &Counts<'_>,
) -> Program {
    let mut least = program.clone();
    while let Some(smaller) =
        least.smaller().into_iter().find(|program| fails(front, program, seed, fault, counts))
    {
        least = smaller;
    }
    least
}
