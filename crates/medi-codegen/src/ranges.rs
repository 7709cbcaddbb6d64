//! Which int arithmetic cannot overflow.
//!
//! An interval for each int local at each block, by forward data-flow: constants, lengths of arrays and
//! lists (no address space holds 2^47 elements), bit masks, and what branches and bounds checks say about
//! their operands. Intervals that keep growing around a loop are widened, first to the lengths there can be
//! and then to the end of the number line. The usual `i + 1` below an index, or `j - 1` above zero, then needs no check.
//!
//! Cousot and Cousot's interval analysis (1977) in its plainest form; a function too large for it is
//! left with all its checks.

use std::collections::HashSet;

use medi_check::mir::loops::Loop;
use medi_check::mir::validate::stmt_operands;
use medi_check::mir::{
    BinaryOp, Comparison, Const, Function, Local, Operand, Rvalue, Stmt, StmtKind, TerminatorKind,
    UnaryOp,
};

use crate::roots::successors;
use crate::versions::{Guards, SMALL_BITS};

/// No array, list or buffer is longer.
const MAX_LEN: i64 = 1 << 47;
/// Locals times blocks that are still worth looking at.
const MAX_WORK: usize = 1 << 17;
/// How often a block's intervals may grow before they are widened.
const PATIENCE: u32 = 3;

/// The numbers from `low` to `high`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Interval {
    low: i64,
    high: i64,
}

const ALL: Interval = Interval { low: i64::MIN, high: i64::MAX };

impl Interval {
    fn new(low: i64, high: i64) -> Interval {
        Interval { low, high }
    }

    fn union(self, other: Interval) -> Interval {
        Interval::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// The part of both; `self` where there is none, which is a path that is never taken.
    fn meet(self, other: Interval) -> Interval {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high { Interval::new(low, high) } else { self }
    }

    /// This interval, which contains `known`, with the ends that grew put where growing soon stops.
    fn widened(self, known: Interval) -> Interval {
        let low = match self.low {
            low if low == known.low => low,
            0.. => 0,
            _ => i64::MIN,
        };
        let high = match self.high {
            high if high == known.high => high,
            ..=MAX_LEN => MAX_LEN,
            _ => i64::MAX,
        };
        Interval::new(low, high)
    }

    /// The smallest interval of some numbers, cut to 64 bits, and whether nothing was cut.
    fn of(numbers: &[i128]) -> (Interval, bool) {
        let low = numbers.iter().copied().min().unwrap_or(0);
        let high = numbers.iter().copied().max().unwrap_or(0);
        let (min, max) = (i128::from(i64::MIN), i128::from(i64::MAX));
        let cut = Interval::new(low.clamp(min, max) as i64, high.clamp(min, max) as i64);
        (cut, low >= min && high <= max)
    }

    fn wide(self) -> [i128; 2] {
        [i128::from(self.low), i128::from(self.high)]
    }
}

/// What the analysis asks about the program around the function.
pub trait Facts {
    /// Whether the local is an int.
    fn is_int(&self, local: Local) -> bool;
    /// Whether the field is the length of a list.
    fn is_list_len(&self, object: &Operand, field: u32) -> bool;
}

/// Statements, as (block, statement), whose arithmetic cannot overflow.
pub type CannotOverflow = HashSet<(u32, u32)>;

/// Whether the statement is arithmetic that stops the program when it overflows.
pub fn is_checked(stmt: &StmtKind) -> bool {
    matches!(
        stmt,
        StmtKind::Assign(
            _,
            Rvalue::Binary(BinaryOp::AddInt | BinaryOp::SubInt | BinaryOp::MulInt, ..)
        )
    )
}

/// Whether a function with twice as many blocks would still be looked at.
pub fn can_grow(function: &Function) -> bool {
    function.locals.len() * function.blocks.len() <= MAX_WORK / 2
}

/// Finds them.
pub fn cannot_overflow(function: &Function, facts: &dyn Facts, guards: &Guards) -> CannotOverflow {
    let mut stmts = function.blocks.iter().flat_map(|block| &block.stmts);
    let work = function.locals.len() * function.blocks.len();
    if work > MAX_WORK || !stmts.any(|stmt| is_checked(&stmt.kind)) {
        return CannotOverflow::new();
    }
    let slots = slots((0..function.locals.len() as u32).map(Local), function, facts);
    let mut analysis = Analysis::new(function, facts, guards, slots);
    let start = analysis.unknown();
    analysis.settle(0, start);
    analysis.found()
}

/// Finds those of a loop by itself, when these ints are small as it begins.
pub fn cannot_overflow_in(
    function: &Function,
    facts: &dyn Facts,
    inner: &Loop,
    small: &[Local],
) -> CannotOverflow {
    let none = Guards::new();
    let blocks = inner.body.iter().zip(&function.blocks).filter(|(inside, _)| **inside);
    let stmts = blocks.flat_map(|(_, block)| &block.stmts);
    let mentioned = stmts.flat_map(|stmt| {
        let assigned = match &stmt.kind {
            StmtKind::Assign(local, _) => Some(*local),
            _ => None,
        };
        let read = stmt_operands(&stmt.kind).into_iter().filter_map(|operand| match operand {
            Operand::Copy(local) | Operand::Move(local) => Some(*local),
            Operand::Const(_) => None,
        });
        read.chain(assigned)
    });
    let slots = slots(mentioned, function, facts);
    let mut analysis = Analysis::new(function, facts, &none, slots);
    analysis.within = Some(&inner.body);
    let mut start = analysis.unknown();
    analysis.assume_small(small, &mut start);
    analysis.settle(inner.header, start);
    analysis.found()
}

/// Gives each int among some locals its place in a state.
fn slots(
    locals: impl Iterator<Item = Local>,
    function: &Function,
    facts: &dyn Facts,
) -> Vec<Option<usize>> {
    let mut slots = vec![None; function.locals.len()];
    let mut count = 0;
    for local in locals {
        if slots[local.index()].is_none() && facts.is_int(local) {
            slots[local.index()] = Some(count);
            count += 1;
        }
    }
    slots
}

/// The interval of each int local.
type State = Vec<Interval>;

struct Analysis<'a> {
    function: &'a Function,
    facts: &'a dyn Facts,
    guards: &'a Guards,
    /// The blocks that are looked at; `None`: all.
    within: Option<&'a [bool]>,
    /// By local: its place in a state.
    slots: Vec<Option<usize>>,
    count: usize,
    /// At each block's start; `None` while nothing is known to lead there.
    entry: Vec<Option<State>>,
    grown: Vec<u32>,
}

impl<'a> Analysis<'a> {
    fn new(
        function: &'a Function,
        facts: &'a dyn Facts,
        guards: &'a Guards,
        slots: Vec<Option<usize>>,
    ) -> Analysis<'a> {
        let blocks = function.blocks.len();
        let count = slots.iter().flatten().count();
        let (entry, grown) = (vec![None; blocks], vec![0; blocks]);
        Analysis { function, facts, guards, within: None, slots, count, entry, grown }
    }

    /// Nothing is known of any int.
    fn unknown(&self) -> State {
        vec![ALL; self.count]
    }

    fn assume_small(&self, small: &[Local], state: &mut State) {
        for slot in small.iter().filter_map(|local| self.slots[local.index()]) {
            state[slot] = state[slot].meet(Interval::new(0, (1 << SMALL_BITS) - 1));
        }
    }

    /// Follows what is known as `block` begins to wherever it leads.
    fn settle(&mut self, block: usize, state: State) {
        self.entry[block] = Some(state);
        let mut waiting = vec![block];
        while let Some(block) = waiting.pop() {
            for (target, arriving) in self.leaving(block) {
                let outside = self.within.is_some_and(|within| !within[target]);
                if !outside && self.arrive(target, &arriving) && !waiting.contains(&target) {
                    waiting.push(target);
                }
            }
        }
    }

    fn found(&self) -> CannotOverflow {
        let mut found = CannotOverflow::new();
        for (block, entry) in self.entry.iter().enumerate() {
            let Some(mut state) = entry.clone() else { continue };
            for (at, stmt) in self.function.blocks[block].stmts.iter().enumerate() {
                if self.step(stmt, &mut state) && is_checked(&stmt.kind) {
                    found.insert((block as u32, at as u32));
                }
            }
        }
        found
    }

    /// The state on each edge out of a block.
    fn leaving(&self, block: usize) -> Vec<(usize, State)> {
        let Some(mut state) = self.entry[block].clone() else { return vec![] };
        for stmt in &self.function.blocks[block].stmts {
            self.step(stmt, &mut state);
        }
        let next = successors(&self.function.blocks[block].terminator);
        let edges = next.into_iter().enumerate().map(|(edge, target)| {
            let mut arriving = state.clone();
            match self.guards.get(&(block as u32)) {
                Some(guard) if edge == 0 => self.assume_small(&guard.small, &mut arriving),
                Some(_) => {}
                None => self.refine(block, edge, &mut arriving),
            }
            (target, arriving)
        });
        edges.collect()
    }

    /// Whether the block's intervals grew.
    fn arrive(&mut self, block: usize, arriving: &State) -> bool {
        let Some(known) = &mut self.entry[block] else {
            self.entry[block] = Some(arriving.clone());
            return true;
        };
        let widen = self.grown[block] >= PATIENCE;
        let mut changed = false;
        for (known, arriving) in known.iter_mut().zip(arriving) {
            let mut joined = known.union(*arriving);
            if joined != *known {
                if widen {
                    joined = joined.widened(*known);
                }
                *known = joined;
                changed = true;
            }
        }
        self.grown[block] += u32::from(changed);
        changed
    }

    fn slot(&self, operand: &Operand) -> Option<usize> {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => self.slots[local.index()],
            Operand::Const(_) => None,
        }
    }

    fn value(&self, operand: &Operand, state: &State) -> Interval {
        match operand {
            Operand::Const(Const::Int(value)) => Interval::new(*value, *value),
            operand => self.slot(operand).map_or(ALL, |slot| state[slot]),
        }
    }

    /// Applies a statement; whether its arithmetic is sure not to overflow.
    fn step(&self, stmt: &Stmt, state: &mut State) -> bool {
        match &stmt.kind {
            StmtKind::Assign(local, rvalue) => {
                if let Rvalue::GetScopeElem { index, .. } = rvalue {
                    self.is_index(index, MAX_LEN, state);
                }
                let Some(slot) = self.slots[local.index()] else { return false };
                let (value, fits) = self.rvalue(rvalue, state);
                state[slot] = value;
                fits
            }
            StmtKind::SetScopeElem { index, .. } => {
                self.is_index(index, MAX_LEN, state);
                false
            }
            StmtKind::Bounds { index, len } => {
                let high = self.value(len, state).high;
                self.is_index(index, high, state);
                false
            }
            _ => false,
        }
    }

    /// An access with this index went well, to something of at most that length.
    fn is_index(&self, index: &Operand, len: i64, state: &mut State) {
        if let Some(slot) = self.slot(index) {
            let inside = Interval::new(0, len.saturating_sub(1).max(0));
            state[slot] = state[slot].meet(inside);
        }
    }

    fn rvalue(&self, rvalue: &Rvalue, state: &State) -> (Interval, bool) {
        let length = Interval::new(0, MAX_LEN);
        let known = match rvalue {
            Rvalue::Use(operand) => self.value(operand, state),
            Rvalue::ArrayLen(_) | Rvalue::ScopeLen(_) => length,
            Rvalue::GetField { object, field } if self.facts.is_list_len(object, *field) => length,
            Rvalue::VariantTag(_) => Interval::new(0, i64::from(u32::MAX)),
            Rvalue::Unary(UnaryOp::ByteToInt, _) => Interval::new(0, 255),
            Rvalue::Unary(UnaryOp::BoolToInt, _) => Interval::new(0, 1),
            Rvalue::Binary(op, a, b) => {
                return binary(*op, self.value(a, state), self.value(b, state));
            }
            _ => ALL,
        };
        (known, false)
    }

    /// What taking an edge says about the operands of the comparison it depends on.
    fn refine(&self, block: usize, edge: usize, state: &mut State) {
        let block = &self.function.blocks[block];
        let TerminatorKind::Branch { cond: Operand::Copy(cond) | Operand::Move(cond), .. } =
            &block.terminator.kind
        else {
            return;
        };
        let mut later: Vec<Local> = vec![];
        for stmt in block.stmts.iter().rev() {
            let StmtKind::Assign(local, rvalue) = &stmt.kind else { continue };
            if local != cond {
                later.push(*local);
                continue;
            }
            let Rvalue::Binary(BinaryOp::Compare(comparison), a, b) = rvalue else { return };
            let changed = |operand: &Operand| match operand {
                Operand::Copy(local) | Operand::Move(local) => later.contains(local),
                Operand::Const(_) => false,
            };
            if !changed(a) && !changed(b) {
                let comparison = if edge == 0 { *comparison } else { opposite(*comparison) };
                self.assume(comparison, a, b, state);
            }
            return;
        }
    }

    fn assume(&self, comparison: Comparison, a: &Operand, b: &Operand, state: &mut State) {
        let (left, right) = (self.value(a, state), self.value(b, state));
        let below = |high: i64| Interval::new(i64::MIN, high);
        let above = |low: i64| Interval::new(low, i64::MAX);
        let (new_left, new_right) = match comparison {
            Comparison::Eq => (right, left),
            Comparison::Ne => return,
            Comparison::Lt => {
                (below(right.high.saturating_sub(1)), above(left.low.saturating_add(1)))
            }
            Comparison::Le => (below(right.high), above(left.low)),
            Comparison::Gt => {
                (above(right.low.saturating_add(1)), below(left.high.saturating_sub(1)))
            }
            Comparison::Ge => (above(right.low), below(left.high)),
        };
        for (operand, interval) in [(a, new_left), (b, new_right)] {
            if let Some(slot) = self.slot(operand) {
                debug_assert!(slot < self.count);
                state[slot] = state[slot].meet(interval);
            }
        }
    }
}

fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Eq => Comparison::Ne,
        Comparison::Ne => Comparison::Eq,
        Comparison::Lt => Comparison::Ge,
        Comparison::Le => Comparison::Gt,
        Comparison::Gt => Comparison::Le,
        Comparison::Ge => Comparison::Lt,
    }
}

/// The result's interval, and whether the operation cannot overflow.
fn binary(op: BinaryOp, a: Interval, b: Interval) -> (Interval, bool) {
    let ([al, ah], [bl, bh]) = (a.wide(), b.wide());
    let one = (b.low == b.high).then_some(b.low);
    let known = match op {
        BinaryOp::AddInt => return Interval::of(&[al + bl, ah + bh]),
        BinaryOp::SubInt => return Interval::of(&[al - bh, ah - bl]),
        BinaryOp::MulInt => return Interval::of(&[al * bl, al * bh, ah * bl, ah * bh]),
        // The lowering promises that it does not overflow.
        BinaryOp::AddUnchecked => Interval::of(&[al + bl, ah + bh]).0,
        BinaryOp::DivInt => match one {
            Some(divisor) if divisor > 0 => Interval::new(a.low / divisor, a.high / divisor),
            _ => ALL,
        },
        BinaryOp::RemInt => match one {
            Some(divisor) if divisor > 0 => {
                let low = if a.low >= 0 { 0 } else { 1 - divisor };
                let high = if a.high <= 0 { 0 } else { divisor - 1 };
                Interval::new(low, high)
            }
            _ => ALL,
        },
        BinaryOp::BitAnd => match (a.low >= 0, b.low >= 0) {
            (true, true) => Interval::new(0, a.high.min(b.high)),
            (true, false) => Interval::new(0, a.high),
            (false, true) => Interval::new(0, b.high),
            (false, false) => ALL,
        },
        BinaryOp::Shr => match one {
            Some(distance) if (0..64).contains(&distance) => {
                Interval::new(a.low >> distance, a.high >> distance)
            }
            _ => ALL,
        },
        BinaryOp::MinInt => Interval::new(a.low.min(b.low), a.high.min(b.high)),
        BinaryOp::MaxInt => Interval::new(a.low.max(b.low), a.high.max(b.high)),
        _ => ALL,
    };
    (known, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: i64, high: i64) -> Interval {
        Interval::new(low, high)
    }

    #[test]
    fn sums_of_lengths_fit_and_products_may_not() {
        let len = interval(0, MAX_LEN);
        assert_eq!(binary(BinaryOp::AddInt, len, len), (interval(0, 2 * MAX_LEN), true));
        let (product, fits) = binary(BinaryOp::MulInt, len, len);
        assert_eq!((product.low, product.high, fits), (0, i64::MAX, false));
    }

    #[test]
    fn the_extreme_operands_of_each_operation_bound_it() {
        let a = interval(-7, 3);
        assert_eq!(binary(BinaryOp::SubInt, a, interval(1, 2)).0, interval(-9, 2));
        assert_eq!(binary(BinaryOp::MulInt, a, interval(-2, 5)).0, interval(-35, 15));
        assert_eq!(binary(BinaryOp::DivInt, a, interval(2, 2)).0, interval(-3, 1));
        assert_eq!(binary(BinaryOp::RemInt, a, interval(4, 4)).0, interval(-3, 3));
        assert_eq!(binary(BinaryOp::BitAnd, a, interval(0, 15)).0, interval(0, 15));
        assert_eq!(binary(BinaryOp::Shr, a, interval(1, 1)).0, interval(-4, 1));
        assert_eq!(binary(BinaryOp::MaxInt, a, interval(0, 1)).0, interval(0, 3));
    }
}
