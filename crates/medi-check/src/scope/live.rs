//! Which locals are used later, and where first.

use std::collections::{HashSet, VecDeque};

use super::faint::Reads;
use super::flow::{Point, local_of};
use super::sets::Set;
use crate::mir::validate::{targets, terminator_operands};
use crate::mir::{Function, Local, Operand, StmtKind};

/// The locals that are live at the start and at the end of each block.
pub struct Live<'f> {
    function: &'f Function,
    reads: Reads<'f>,
    before: Vec<Set>,
    out: Vec<Set>,
}

fn read(live: &mut Set, operands: &[&Operand]) {
    for local in operands.iter().filter_map(|operand| local_of(operand)) {
        live.insert(local.index());
    }
}

fn before_stmt(live: &mut Set, kind: &StmtKind, reads: Reads) {
    if let StmtKind::Assign(local, _) = kind {
        live.remove(local.index());
    }
    read(live, &reads.of(kind));
}

impl<'f> Live<'f> {
    pub fn new(function: &'f Function, reads: Reads<'f>) -> Self {
        let none = vec![Set::default(); function.blocks.len()];
        let mut live = Self { function, reads, before: none.clone(), out: none };
        loop {
            let mut changed = false;
            for block in (0..function.blocks.len()).rev() {
                for target in targets(&function.blocks[block].terminator.kind) {
                    live.out[block].add(&live.before[target.index()]);
                }
                let mut state = live.at_end(block);
                for stmt in function.blocks[block].stmts.iter().rev() {
                    before_stmt(&mut state, &stmt.kind, reads);
                }
                changed |= live.before[block].add(&state);
            }
            if !changed {
                return live;
            }
        }
    }

    /// Before the first statement of a block.
    pub fn at_start(&self, block: usize) -> &Set {
        &self.before[block]
    }

    /// Before the terminator.
    fn at_end(&self, block: usize) -> Set {
        let mut state = self.out[block].clone();
        read(&mut state, &terminator_operands(&self.function.blocks[block].terminator.kind));
        state
    }

    /// The locals that are live after each statement of a block.
    pub fn after_each(&self, block: usize) -> Vec<Set> {
        let mut state = self.at_end(block);
        let mut after = vec![];
        for stmt in self.function.blocks[block].stmts.iter().rev() {
            after.push(state.clone());
            before_stmt(&mut state, &stmt.kind, self.reads);
        }
        after.reverse();
        after
    }
}

/// The use of a local that the shortest way from behind a point leads to.
pub fn first_use(function: &Function, reads: Reads, after: Point, local: Local) -> Option<Point> {
    let mut seen = HashSet::new();
    let mut work = VecDeque::from([Point { block: after.block, index: after.index + 1 }]);
    while let Some(start) = work.pop_front() {
        let block = &function.blocks[start.block];
        let mut assigned = false;
        for (index, stmt) in block.stmts.iter().enumerate().skip(start.index) {
            if reads.has(&stmt.kind, local) {
                return Some(Point { block: start.block, index });
            }
            if matches!(&stmt.kind, StmtKind::Assign(into, _) if *into == local) {
                assigned = true;
                break;
            }
        }
        if assigned {
            continue;
        }
        let kind = &block.terminator.kind;
        if terminator_operands(kind).iter().any(|operand| local_of(operand) == Some(local)) {
            return Some(Point { block: start.block, index: block.stmts.len() });
        }
        let next = targets(kind).into_iter().filter(|target| seen.insert(*target));
        work.extend(next.map(|target| Point { block: target.index(), index: 0 }));
    }
    None
}

/// Whether a way leads from one point to another without the third.
pub fn leads_around(function: &Function, from: Point, to: Point, avoided: Point) -> bool {
    let mut seen = HashSet::new();
    let mut work = vec![from];
    while let Some(start) = work.pop() {
        let len = function.blocks[start.block].stmts.len();
        let within = |point: Point| point.block == start.block && point.index >= start.index;
        let stopped = within(avoided) && (!within(to) || avoided.index < to.index);
        if within(to) && !stopped {
            return true;
        }
        if stopped && avoided.index <= len {
            continue;
        }
        let next = targets(&function.blocks[start.block].terminator.kind);
        let next = next.into_iter().filter(|target| seen.insert(*target));
        work.extend(next.map(|target| Point { block: target.index(), index: 0 }));
    }
    false
}
