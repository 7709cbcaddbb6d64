//! The scope checker: no value looks into memory that was freed, and what must be freed is.
//!
//! It reads the MIR as it is lowered, before any pass changes it. [`flow`] follows the loans through one function:
//! each `allocate` and each object of a scope is a loan, which ends where the MIR leaves the scope or frees the memory.
//! [`live`] knows what is used later. A loan that ends while a live value holds it is an error, which [`report`] puts
//! into words. Across calls go [`summary`]s, inferred from the callees up until nothing changes, so that nobody writes
//! a lifetime; a function value may do no more than its type says. [`parallel`] finds statements of one `parallel` that
//! write the same memory.
//!
//! A program without errors uses no scope memory after its end, whatever way it takes, frees no memory twice, and has
//! no collected object that refers to scope memory but through function values and variables that they capture. Owned
//! memory belongs to one value: storing that value or giving it to a task moves it, and [`leak`] finds where the last
//! holder is gone. No two steps of a `parallel for` write the same element: see [`steps`]. Not followed, and left to the
//! checks of a run: what is taken out of an object or collection, which counts as other memory each time; upgrades of
//! weak references. The design follows Rust's non-lexical lifetimes (RFC 2094) and Polonius, with inferred signatures.

mod constants;
mod faint;
mod flow;
mod kinds;
mod leak;
mod live;
mod parallel;
mod report;
mod sets;
mod steps;
mod summary;
mod uses;
mod words;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::SourceMap;

use self::faint::Faint;
use self::flow::Flow;
use self::kinds::Kinds;
use self::summary::Summary;
use crate::mir::{Function, FunctionId, Program, Rvalue, StmtKind};

/// What is wrong with a program's use of scope memory; each thing once, however many instances of a generic
/// function show it.
pub fn check(program: &Program, sources: &SourceMap) -> Vec<Diagnostic> {
    if !program.functions.iter().any(has_memory) {
        return vec![];
    }
    let callees: Vec<Vec<usize>> = program.functions.iter().map(callees).collect();
    let order = bottom_up(&callees);
    let functions = constants::without_dead_ways(program, &order);
    let faint = Faint::new(&functions, &order);
    let mut kinds = Kinds::new(program);
    let spawned = uses::spawned(program);
    let spawned = |index: usize| spawned.contains(&FunctionId(index as u32));
    let summaries = summaries(program, &functions, &faint, &callees, order, &spawned, &mut kinds);
    let mut diagnostics: Vec<Diagnostic> = vec![];
    let mut reported = HashSet::new();
    for (index, function) in functions.iter().enumerate() {
        let flow = Flow::new(program, function, &summaries, &faint, spawned(index), &mut kinds);
        if flow.is_trivial() {
            continue;
        }
        let mut found = report::report(&flow, sources);
        found.extend(parallel::report(&flow, &summaries, sources));
        for diagnostic in found {
            if reported.insert((diagnostic.code, diagnostic.labels[0].span)) {
                diagnostics.push(diagnostic);
            }
        }
    }
    diagnostics.sort_by_key(|diagnostic| {
        let span = diagnostic.labels[0].span;
        (span.file, span.start)
    });
    diagnostics
}

/// Makes memory, or frees what it was given: a file without `main` may do only this.
fn has_memory(function: &Function) -> bool {
    function.blocks.iter().flat_map(|block| &block.stmts).any(|stmt| match &stmt.kind {
        StmtKind::Free(_) => true,
        StmtKind::Assign(_, rvalue) => matches!(
            rvalue,
            Rvalue::Allocate { .. }
                | Rvalue::NewOwn { .. }
                | Rvalue::OwnedBuffer { .. }
                | Rvalue::Pin { .. }
        ),
        _ => false,
    })
}

/// The functions that a function calls, or makes function values of.
fn callees(function: &Function) -> Vec<usize> {
    let stmts = function.blocks.iter().flat_map(|block| &block.stmts);
    let called = stmts.filter_map(|stmt| match &stmt.kind {
        StmtKind::Assign(
            _,
            Rvalue::Call { function, .. } | Rvalue::NewClosure { function, .. },
        ) => Some(function.index()),
        _ => None,
    });
    called.collect()
}

/// The least summaries that agree with each other: callees first, and callers again when one changed.
fn summaries(
    program: &Program,
    functions: &[Cow<Function>],
    faint: &Faint,
    callees: &[Vec<usize>],
    order: Vec<usize>,
    spawned: &dyn Fn(usize) -> bool,
    kinds: &mut Kinds,
) -> Vec<Summary> {
    let count = functions.len();
    let mut callers = vec![vec![]; count];
    for (caller, callees) in callees.iter().enumerate() {
        callees.iter().for_each(|callee| callers[*callee].push(caller));
    }
    let mut summaries = vec![Summary::default(); count];
    let mut work = VecDeque::from(order);
    let mut waits = vec![true; count];
    while let Some(index) = work.pop_front() {
        waits[index] = false;
        let function = &functions[index];
        let flow = Flow::new(program, function, &summaries, faint, spawned(index), kinds);
        let races = parallel::races(&flow, &summaries);
        let summary = Summary { races, ..flow.summary };
        if summary.says_more_than(&summaries[index]) {
            summaries[index] = summary;
            for caller in &callers[index] {
                if !std::mem::replace(&mut waits[*caller], true) {
                    work.push_back(*caller);
                }
            }
        }
    }
    summaries
}

/// Each function behind those that it calls, where calls do not go in circles.
fn bottom_up(callees: &[Vec<usize>]) -> Vec<usize> {
    let mut order = vec![];
    let mut seen = vec![false; callees.len()];
    for root in 0..callees.len() {
        let mut stack = vec![(root, 0)];
        while let Some((function, next)) = stack.pop() {
            if next == 0 && std::mem::replace(&mut seen[function], true) {
                continue;
            }
            if let Some(callee) = callees[function].get(next) {
                stack.push((function, next + 1));
                stack.push((*callee, 0));
            } else {
                order.push(function);
            }
        }
    }
    order
}
