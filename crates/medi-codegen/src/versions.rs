//! Inner loops twice: as they are, and without the checks that small numbers and living memory make needless.
//!
//! An index such as `(p - from) * 8 + code` is three operations that are checked in every step, although none can overflow
//! while `p` and `from` are what places in data are. Which they are the types do not say, so the loop gets a second
//! version, and a guard before both: when the ints that matter are at least zero and below [`SMALL`] as the loop
//! begins, the range analysis ([`crate::ranges`]) shows what cannot overflow from there on; and when the scope memory that the
//! loop uses lives as it begins, and nothing in the loop can free any, it lives in every step. Otherwise the loop runs as it
//! is written, so that a program that does overflow, or uses what is gone, stops where it would have.
//!
//! Both versions work on the same locals. Only loops without other loops inside have two versions.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use medi_check::mir::loops::{Loop, loops, predecessors};
use medi_check::mir::{
    BinaryOp, Block, BlockId, Const, Function, Local, Operand, Rvalue, Stmt, StmtKind, Terminator,
    TerminatorKind,
};

use crate::ranges::{self, CannotOverflow, Facts};

/// What a guard says of ints: 0 ≤ int < 2^31. The product of two is an int, and so is a sum of such products.
pub const SMALL_BITS: u32 = 31;

/// Statements of a loop that is worth having twice.
const MAX_STMTS: usize = 128;
/// Statements that a function may gain.
const MAX_GROWTH: usize = 512;
/// Ints that a guard may ask for.
const MAX_SMALL: usize = 8;
/// Ints that may be looked at to find those.
const MAX_CANDIDATES: usize = 24;
/// Checks that must become needless.
const MIN_GAIN: usize = 2;

/// What a block asks before it goes on to its `then` rather than its `otherwise`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Ints that must be small.
    pub small: Vec<Local>,
    /// Buffers and views that must be alive.
    pub alive: Vec<Local>,
}

/// Blocks that end with a guard; the condition that their terminator names is not looked at.
pub type Guards = HashMap<u32, Guard>;

/// A function some of whose loops are there twice.
#[derive(Debug)]
pub struct Versioned<'a> {
    pub function: Cow<'a, Function>,
    pub guards: Guards,
    /// Of blocks of versions with fewer checks: buffers and views that are alive as the block begins, and that
    /// nothing in it can free.
    pub alive: HashMap<u32, Vec<Local>>,
}

/// What the code generator tells of a statement.
pub trait Questions: Facts {
    /// Whether it may free scope memory.
    fn may_free(&self, stmt: &Stmt) -> bool;
}

/// Gives loops a second version, where it is worth it.
pub fn versioned<'a>(function: &'a Function, questions: &dyn Questions) -> Versioned<'a> {
    let mut versioned = Versioned::plain(function);
    // Loops are found only where each block but the first stands behind one that leads to it.
    let leads_to = predecessors(function);
    let in_order = |(block, before): (usize, &Vec<usize>)| before.iter().any(|from| *from < block);
    if !ranges::can_grow(function) || !leads_to.iter().enumerate().skip(1).all(in_order) {
        return versioned;
    }
    let found = loops(function);
    let mut growth = 0;
    for inner in found.iter().filter(|inner| is_innermost(inner, &found)) {
        let stmts: usize = blocks_of(inner).map(|block| function.blocks[block].stmts.len()).sum();
        if stmts > MAX_STMTS || growth + stmts > MAX_GROWTH {
            continue;
        }
        if let Some(guard) = guard_for(function, inner, questions) {
            growth += stmts;
            versioned.add(inner, guard);
        }
    }
    versioned
}

fn is_innermost(inner: &Loop, all: &[Loop]) -> bool {
    all.iter().all(|other| other.header == inner.header || !inner.body[other.header])
}

fn blocks_of(inner: &Loop) -> impl Iterator<Item = usize> + '_ {
    inner.body.iter().enumerate().filter(|(_, inside)| **inside).map(|(block, _)| block)
}

impl<'a> Versioned<'a> {
    /// The function as it is.
    pub fn plain(function: &'a Function) -> Versioned<'a> {
        let function = Cow::Borrowed(function);
        Versioned { function, guards: Guards::new(), alive: HashMap::new() }
    }

    /// Copies the loop, and lets a guard choose which of the two runs.
    fn add(&mut self, inner: &Loop, guard: Guard) {
        let blocks = &mut self.function.to_mut().blocks;
        let first = blocks.len() as u32;
        let copies: HashMap<usize, BlockId> =
            blocks_of(inner).zip((first..).map(BlockId)).collect();
        let guard_block = BlockId(first + copies.len() as u32);
        let header = BlockId(inner.header as u32);
        for (index, block) in blocks.iter_mut().enumerate() {
            if !inner.body.get(index).copied().unwrap_or(false) {
                block.terminator.kind.for_each_target(&mut |target| {
                    if *target == header {
                        *target = guard_block;
                    }
                });
            }
        }
        for block in blocks_of(inner) {
            let mut copy = blocks[block].clone();
            copy.terminator.kind.for_each_target(&mut |target| {
                *target = copies.get(&target.index()).copied().unwrap_or(*target);
            });
            if !guard.alive.is_empty() {
                self.alive.insert(blocks.len() as u32, guard.alive.clone());
            }
            blocks.push(copy);
        }
        let (span, inlined) = (blocks[inner.header].terminator.span, blocks[inner.header].inlined);
        let kind = TerminatorKind::Branch {
            cond: Operand::Const(Const::Bool(true)),
            then: copies[&inner.header],
            otherwise: header,
        };
        blocks.push(Block { stmts: vec![], terminator: Terminator { kind, span }, inlined });
        self.guards.insert(guard_block.0, guard);
    }
}

/// The guard of a loop; `None` when a version behind it would not be better by enough.
fn guard_for(function: &Function, inner: &Loop, questions: &dyn Questions) -> Option<Guard> {
    let assigned = assigned(function, inner);
    let (alive, accesses) = lasting_memory(function, inner, &assigned, questions);
    let small = match candidates(function, inner, questions) {
        None => vec![],
        Some(candidates) => needed(function, inner, candidates, questions),
    };
    let gain = gain(function, inner, &small, questions).len();
    let small = if gain < MIN_GAIN { vec![] } else { small };
    let gain = if small.is_empty() { 0 } else { gain };
    (gain + accesses >= MIN_GAIN).then_some(Guard { small, alive })
}

fn assigned(function: &Function, inner: &Loop) -> BTreeSet<Local> {
    let stmts = blocks_of(inner).flat_map(|block| &function.blocks[block].stmts);
    let local = |stmt: &StmtKind| match stmt {
        StmtKind::Assign(local, _) => Some(*local),
        _ => None,
    };
    stmts.filter_map(|stmt| local(&stmt.kind)).collect()
}

/// Buffers and views that live in every step if they do in the first, and in how many places the loop uses one.
fn lasting_memory(
    function: &Function,
    inner: &Loop,
    assigned: &BTreeSet<Local>,
    questions: &dyn Questions,
) -> (Vec<Local>, usize) {
    let stmts = || blocks_of(inner).flat_map(|block| &function.blocks[block].stmts);
    if stmts().any(|stmt| questions.may_free(stmt)) {
        return (vec![], 0);
    }
    let used = stmts().filter_map(|stmt| memory(&stmt.kind));
    let lasting: Vec<Local> = used.filter(|local| !assigned.contains(local)).collect();
    (BTreeSet::from_iter(lasting.iter().copied()).into_iter().collect(), lasting.len())
}

/// The buffer or view whose elements a statement reads or writes.
fn memory(stmt: &StmtKind) -> Option<Local> {
    match stmt {
        StmtKind::SetScopeElem { base, .. }
        | StmtKind::Assign(_, Rvalue::GetScopeElem { base, .. } | Rvalue::ScopeLen(base)) => {
            local(base)
        }
        _ => None,
    }
}

fn local(operand: &Operand) -> Option<Local> {
    match operand {
        Operand::Copy(local) | Operand::Move(local) => Some(*local),
        Operand::Const(_) => None,
    }
}

/// Ints that the loop's checked arithmetic depends on, if knowing all of them to be small were worth it.
fn candidates(function: &Function, inner: &Loop, questions: &dyn Questions) -> Option<Vec<Local>> {
    let stmts = || blocks_of(inner).flat_map(|block| &function.blocks[block].stmts);
    let is_checked = |stmt: &StmtKind| ranges::is_checked(stmt);
    if stmts().filter(|stmt| is_checked(&stmt.kind)).count() < MIN_GAIN {
        return None;
    }
    let ints: BTreeSet<Local> = stmts()
        .flat_map(|stmt| int_operands(&stmt.kind))
        .filter_map(local)
        .filter(|local| questions.is_int(*local))
        .collect();
    let all: Vec<Local> = ints.into_iter().collect();
    let gained = gain(function, inner, &all, questions);
    if gained.len() < MIN_GAIN {
        return None;
    }
    // Backwards from what was gained: through assignments, and from a number to what it is compared with.
    let mut found = BTreeSet::new();
    let operands = gained.iter().flat_map(|(block, at)| {
        int_operands(&function.blocks[*block as usize].stmts[*at as usize].kind)
    });
    let mut work: Vec<Local> = operands.filter_map(local).collect();
    while let Some(next) = work.pop() {
        if !questions.is_int(next) || !found.insert(next) {
            continue;
        }
        for stmt in stmts() {
            let StmtKind::Assign(to, rvalue) = &stmt.kind else { continue };
            let operands = || int_operands(&stmt.kind).into_iter().filter_map(local);
            let compares = matches!(rvalue, Rvalue::Binary(BinaryOp::Compare(_), ..));
            if *to == next || compares && operands().any(|operand| operand == next) {
                work.extend(operands());
            }
        }
    }
    (found.len() <= MAX_CANDIDATES).then(|| found.into_iter().collect())
}

/// The operands of arithmetic, comparisons and copies.
fn int_operands(stmt: &StmtKind) -> Vec<&Operand> {
    match stmt {
        StmtKind::Assign(_, Rvalue::Binary(_, left, right)) => vec![left, right],
        StmtKind::Assign(_, Rvalue::Use(operand) | Rvalue::Unary(_, operand)) => vec![operand],
        _ => vec![],
    }
}

/// Those of the candidates without which less would be gained; none when they are too many.
fn needed(
    function: &Function,
    inner: &Loop,
    mut small: Vec<Local>,
    questions: &dyn Questions,
) -> Vec<Local> {
    let all = gain(function, inner, &small, questions).len();
    let mut at = 0;
    while at < small.len() {
        let without = small.remove(at);
        if gain(function, inner, &small, questions).len() < all {
            small.insert(at, without);
            at += 1;
        }
    }
    if small.len() > MAX_SMALL { vec![] } else { small }
}

/// The statements of the loop that cannot overflow when these ints are small as it begins, and could otherwise.
fn gain(
    function: &Function,
    inner: &Loop,
    small: &[Local],
    questions: &dyn Questions,
) -> CannotOverflow {
    let proven = |small| ranges::cannot_overflow_in(function, questions, inner, small);
    &proven(small) - &proven(&[])
}

#[cfg(test)]
mod tests {
    use medi_check::check::check;
    use medi_check::lower::lower;
    use medi_check::types::Types;
    use medi_syntax::parse;
    use medi_syntax::source::SourceMap;

    use super::*;

    struct Plainly<'a>(&'a Function);

    impl Facts for Plainly<'_> {
        fn is_int(&self, local: Local) -> bool {
            self.0.locals[local.index()].ty == Types::INT
        }

        fn is_list_len(&self, _: &Operand, _: u32) -> bool {
            false
        }
    }

    impl Questions for Plainly<'_> {
        fn may_free(&self, stmt: &Stmt) -> bool {
            let calls = |rvalue: &Rvalue| matches!(rvalue, Rvalue::CallNative { .. });
            match &stmt.kind {
                StmtKind::Free(_) => true,
                StmtKind::Assign(_, rvalue) => calls(rvalue),
                _ => false,
            }
        }
    }

    /// The guards in `main`: names of the ints that must be small, and of what must be alive.
    fn guards(main: &str) -> Vec<(Vec<String>, Vec<String>)> {
        let mut sources = SourceMap::default();
        let mut modules = vec![];
        let files = medi_check::library::FILES.iter().copied();
        for (path, text) in files.chain([("test.medi", main)]) {
            let id = sources.add(path, text.to_string(), path != "test.medi");
            modules.push(parse(&sources, id).0);
        }
        let (checked, problems) = check(&sources, &modules, true);
        let program = lower(checked.unwrap_or_else(|| panic!("{problems:?}")));
        let program = program.expect("a program that is right");
        let function = &program.functions[program.main.index()];
        let versioned = versioned(function, &Plainly(function));
        let mut guards: Vec<_> = versioned.guards.into_iter().collect();
        guards.sort_by_key(|(block, _)| *block);
        let name = |local: &Local| function.locals[local.index()].name.clone().unwrap_or_default();
        let names = |locals: &[Local]| locals.iter().map(name).collect();
        guards.iter().map(|(_, guard)| (names(&guard.small), names(&guard.alive))).collect()
    }

    #[test]
    fn a_guard_asks_for_what_indices_are_made_of() {
        let found = guards(
            "func main(args: list[string]) {
               let from = args[0].parse_int()!
               let to = args[1].parse_int()!
               let unused = args[2].parse_int()!
               scope {
                 let v = allocate(800).view[int]()
                 var seen = 0
                 for p in max(from, 0)..to {
                   seen = bxor(seen, v[(p - from) * 8 + 3])
                 }
                 print(seen + unused)
               }
             }",
        );
        let [(small, alive)] = &found[..] else { panic!("{found:?}") };
        assert!(small.contains(&"from".into()) && small.contains(&"to".into()), "{small:?}");
        assert!(!small.contains(&"seen".into()) && !small.contains(&"unused".into()), "{small:?}");
        assert_eq!(alive, &["v"]);
    }

    #[test]
    fn a_loop_that_gains_too_little_stays_alone() {
        let main = "func main() {
                      var sum = 0
                      for i in 0..1000 { sum += i }
                      print(sum)
                    }";
        assert_eq!(guards(main), []);
    }

    #[test]
    fn what_a_loop_frees_is_checked_in_every_step() {
        let looping = |last: &str| {
            format!(
                "func main() {{
                   scope {{
                     let b = allocate(8)
                     for i in 0..8 {{
                       b[i] = 1
                       b[i] = b[i]
                       {last}
                     }}
                   }}
                 }}"
            )
        };
        let [(_, alive)] = &guards(&looping(""))[..] else { panic!("one loop") };
        assert_eq!(alive, &["b"]);
        assert_eq!(guards(&looping("if i == 7 { free(b) }")), []);
    }
}
