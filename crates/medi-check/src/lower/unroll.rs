//! Small functions that call themselves take in a few of their own calls.
//!
//! A walk down a tree then pays for one call where it visits several nodes, and its loads of different
//! nodes overlap. Whole levels of calls are taken in first, each of them once, while the function stays
//! small. Of the calls that remain, the part that comes to a return without calling again is taken in: the
//! leaves of a tree are half of its nodes, and are visited without a call.

use super::inline::{callee, header, splice};
use super::{effects, tidy};
use crate::mir::validate::targets;
use crate::mir::{
    Block, Function, FunctionId, InlineId, Local, LocalDecl, Operand, Rvalue, Stmt, StmtKind,
    Terminator, TerminatorKind,
};

/// How many levels of its own calls a function takes in at most.
const LEVELS: usize = 3;
/// Statements and terminators that a function may have after it took in whole levels.
const UNROLLED: usize = 128;
/// Statements and terminators that quick ways out may add.
const QUICK: usize = 128;

/// Unrolls a function of so many statements and terminators.
pub(super) fn run(function: &mut Function, id: FunctionId, cost: usize) {
    let body = copy(function);
    let quick = quick_way_out(&body, id);
    take_in_levels(function, id, &body, cost);
    if let Some(quick) = quick {
        take_in_quick_ways(function, id, &quick);
    }
    tidy::tidy(function);
}

fn copy(function: &Function) -> Function {
    Function {
        locals: function.locals.clone(),
        blocks: function.blocks.clone(),
        inlined: function.inlined.clone(),
        ..header(function)
    }
}

fn calls(block: &Block, id: FunctionId) -> usize {
    block.stmts.iter().filter(|stmt| callee(stmt) == Some(id)).count()
}

fn take_in_levels(function: &mut Function, id: FunctionId, body: &Function, cost: usize) {
    let own_calls: usize = body.blocks.iter().map(|block| calls(block, id)).sum();
    let mut size = cost;
    let mut copies = 1;
    for level in 0..LEVELS {
        copies *= own_calls;
        size += copies * cost;
        if size > UNROLLED {
            return;
        }
        let mut index = 0;
        // Blocks that are added are visited too: the rest of a split block may call again.
        while index < function.blocks.len() {
            let block = &function.blocks[index];
            let at = block.stmts.iter().position(|stmt| callee(stmt) == Some(id));
            if let Some(at) = at
                && own_level(function, block.inlined) == level
            {
                splice(function, index, at, body);
            }
            index += 1;
        }
    }
}

/// How many of a function's calls of itself the inlined call stands in.
fn own_level(function: &Function, mut inlined: Option<InlineId>) -> usize {
    let mut level = 0;
    while let Some(id) = inlined {
        let call = &function.inlined[id.index()];
        level += usize::from(call.name == function.name);
        inlined = call.parent;
    }
    level
}

/// A function up to where it would call itself, where it starts over instead.
struct Quick {
    body: Function,
    /// Of each block: it starts over, by a call with the same arguments.
    again: Vec<bool>,
    cost: usize,
}

/// The ways of a function that come to a return without calling itself. `None` when there are none, or
/// when what happens before one of its calls must not happen twice.
fn quick_way_out(function: &Function, id: FunctionId) -> Option<Quick> {
    let again: Vec<bool> = function.blocks.iter().map(|block| calls(block, id) > 0).collect();
    let mut reached = vec![false; function.blocks.len()];
    let mut order = vec![];
    let mut work = vec![0];
    while let Some(block) = work.pop() {
        if !std::mem::replace(&mut reached[block], true) {
            order.push(block);
            if !again[block] {
                let next = targets(&function.blocks[block].terminator.kind);
                work.extend(next.into_iter().map(|next| next.index()));
            }
        }
    }
    let returns = |block: &usize| {
        let terminator = &function.blocks[*block].terminator.kind;
        !again[*block] && matches!(terminator, TerminatorKind::Return(_))
    };
    if again[0] || !order.iter().any(returns) {
        return None;
    }
    // There is no loop, so that each block comes to know what follows it.
    let mut leads_to_call = again.clone();
    for _ in 0..order.len() {
        for block in &order {
            let next = targets(&function.blocks[*block].terminator.kind);
            leads_to_call[*block] |= next.iter().any(|next| leads_to_call[next.index()]);
        }
    }
    let may_repeat = |stmt: &Stmt| match &stmt.kind {
        StmtKind::Assign(local, rvalue) => {
            local.index() >= function.params && effects::is_silent_value(rvalue)
        }
        _ => false,
    };
    let repeated = order.iter().filter(|block| leads_to_call[**block] && !again[**block]);
    if !repeated.into_iter().all(|block| function.blocks[*block].stmts.iter().all(may_repeat)) {
        return None;
    }
    Some(cut(function, id, again, &reached))
}

/// Replaces the blocks that call `id` again, and leaves out what they alone lead to.
fn cut(function: &Function, id: FunctionId, again: Vec<bool>, reached: &[bool]) -> Quick {
    let mut body = copy(function);
    let result = Local(body.locals.len() as u32);
    let span = function.span;
    body.locals.push(LocalDecl { name: None, ty: function.result, span });
    let params = (0..function.params as u32).map(|param| Operand::Copy(Local(param)));
    let call = Rvalue::Call { function: id, args: params.collect() };
    let mut cost = 0;
    for (index, block) in body.blocks.iter_mut().enumerate() {
        let replaced = |stmts, kind| {
            let terminator = Terminator { kind, span };
            Block { stmts, terminator, inlined: None }
        };
        if !reached[index] {
            *block = replaced(vec![], TerminatorKind::Unreachable);
            continue;
        }
        if again[index] {
            let kind = StmtKind::Assign(result, call.clone());
            let back = TerminatorKind::Return(Operand::Copy(result));
            *block = replaced(vec![Stmt { kind, span }], back);
        }
        cost += 1 + block.stmts.len();
    }
    Quick { body, again, cost }
}

/// Puts the quick ways out in front of the calls of itself that a function is left with.
fn take_in_quick_ways(function: &mut Function, id: FunctionId, quick: &Quick) {
    let left: usize = function.blocks.iter().map(|block| calls(block, id)).sum();
    if left * quick.cost > QUICK {
        return;
    }
    for index in 0..function.blocks.len() {
        // The last call first: what is split off behind it has none.
        let last = |block: &Block| block.stmts.iter().rposition(|stmt| callee(stmt) == Some(id));
        while let Some(at) = last(&function.blocks[index]) {
            let (span, inlined) =
                (function.blocks[index].stmts[at].span, function.blocks[index].inlined);
            // The rest of the split block comes first.
            let first = function.blocks.len() + 1;
            splice(function, index, at, &quick.body);
            // A call that is made after all is the one that stood there.
            for (block, _) in quick.again.iter().enumerate().filter(|(_, again)| **again) {
                let block = &mut function.blocks[first + block];
                block.inlined = inlined;
                block.stmts.iter_mut().for_each(|stmt| stmt.span = span);
            }
        }
    }
}
