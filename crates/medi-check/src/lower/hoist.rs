//! What a loop does not change is done before it, and an index that a loop counts needs no check.
//!
//! The code generator's optimiser knows neither that a field keeps its value around a loop nor that a
//! counter stays below a length. This pass does, for the loops that the lowering makes: it takes every
//! loop, innermost first, gives it a block of its own before it, and moves there
//!
//! - reads of fields that nothing in the loop can assign, and lengths of arrays, wherever they stand:
//!   a read of a record cannot fail, so that it may come too early;
//! - bounds checks and element reads of unchanging operands that the first step would come to before
//!   anything that can stop the program or be seen: they happen if and only if they would have.
//!
//! In a program with tasks, what a loop waits on stays in it; see [`polling`].
//!
//! Then it drops the bounds checks of the loop's counter against the length that ends the loop. Only
//! locals with one assignment move, so that no other path sees another value.

use std::collections::HashSet;

use super::alias::{Aliases, Pure, assignments};
use super::{effects, polling, tidy};
use crate::mir::loops::{Loop, loops, predecessors};
use crate::mir::validate::rvalue_operands;
use crate::mir::{
    BinaryOp, Block, BlockId, Comparison, Const, Function, Local, Operand, Program, Rvalue, Stmt,
    StmtKind, Terminator, TerminatorKind, UnaryOp,
};
use crate::types::TyId;

pub(super) fn run(program: &mut Program) {
    let pure = Pure::new(program);
    for function in &mut program.functions {
        let stmts = function.blocks.iter().flat_map(|block| &block.stmts);
        if stmts.into_iter().any(|stmt| matches!(stmt.kind, StmtKind::Safepoint)) {
            hoist(function, &pure, program.tasks);
        }
    }
}

fn hoist(function: &mut Function, pure: &Pure, tasks: bool) {
    let found = loops(function);
    if found.is_empty() {
        return;
    }
    for inner in &found {
        add_preheader(function, inner);
    }
    tidy::order_blocks(function);
    let mut found = loops(function);
    found.sort_by_key(|inner| inner.size);
    let mut pass = Pass::new(function, pure);
    for inner in found.iter().filter(|_| tasks) {
        polling::find(pass.function, &inner.body, &mut pass.polled);
    }
    // What an outer loop lets out shows an inner one more: that a length is the one that ends it.
    let mut changed = true;
    while changed {
        changed = false;
        for inner in &found {
            changed |= pass.take(inner);
        }
    }
    let aliases = pass.aliases;
    aliases.apply(function);
    tidy::tidy(function);
}

/// A block between everything outside that leads to the loop and the loop.
fn add_preheader(function: &mut Function, inner: &Loop) {
    let preheader = BlockId(function.blocks.len() as u32);
    let header = BlockId(inner.header as u32);
    // Preheaders of other loops lead to their own headers only, and stand past `body`.
    for (index, block) in function.blocks.iter_mut().enumerate() {
        if !inner.body.get(index).copied().unwrap_or(false) {
            block.terminator.kind.for_each_target(&mut |target| {
                if *target == header {
                    *target = preheader;
                }
            });
        }
    }
    let first = &function.blocks[inner.header];
    let terminator = Terminator { kind: TerminatorKind::Goto(header), span: first.terminator.span };
    let inlined = first.inlined;
    function.blocks.push(Block { stmts: vec![], terminator, inlined });
}

/// What a loop may assign.
#[derive(Default)]
struct Written {
    /// Anything: it runs code that is not seen here.
    everything: bool,
    fields: HashSet<(TyId, u32)>,
    arrays: HashSet<TyId>,
}

struct Pass<'a> {
    function: &'a mut Function,
    pure: &'a Pure,
    predecessors: Vec<Vec<usize>>,
    /// Of each local: how often it is assigned, as a parameter too.
    assignments: Vec<u32>,
    aliases: Aliases,
    /// Of each local: it holds an int that is never negative.
    not_negative: Vec<bool>,
    /// Locals whose values a loop waits on.
    polled: HashSet<Local>,
}

impl<'a> Pass<'a> {
    fn new(function: &'a mut Function, pure: &'a Pure) -> Self {
        let assignments = assignments(function);
        let aliases = Aliases::new(function);
        let predecessors = predecessors(function);
        let not_negative = never_negative(function);
        let polled = HashSet::new();
        Self { function, pure, predecessors, assignments, aliases, not_negative, polled }
    }

    fn resolve(&self, local: Local) -> Local {
        self.aliases.resolve(local)
    }

    /// Does what it can for one loop; whether that was anything.
    fn take(&mut self, inner: &Loop) -> bool {
        let outside = self.predecessors[inner.header].iter().filter(|block| !inner.body[**block]);
        let &[preheader] = &outside.copied().collect::<Vec<_>>()[..] else { return false };
        let written = self.written(inner);
        let mut changing = vec![false; self.function.locals.len()];
        for (block, _) in inner.body.iter().enumerate().filter(|(_, inside)| **inside) {
            for stmt in &self.function.blocks[block].stmts {
                if let StmtKind::Assign(local, _) = &stmt.kind {
                    changing[local.index()] = true;
                }
            }
        }
        let mut changed = false;
        loop {
            let moved = self.move_out(inner, preheader, &written, &mut changing);
            let dropped = self.drop_checks(inner, preheader, &changing);
            if !moved && !dropped {
                return changed;
            }
            changed = true;
        }
    }

    fn written(&self, inner: &Loop) -> Written {
        let mut written = Written::default();
        let ty = |operand: &Operand| match operand {
            Operand::Copy(local) | Operand::Move(local) => {
                Some(self.function.locals[local.index()].ty)
            }
            Operand::Const(_) => None,
        };
        let blocks = self.function.blocks.iter().zip(&inner.body).filter(|(_, inside)| **inside);
        for stmt in blocks.flat_map(|(block, _)| &block.stmts) {
            match &stmt.kind {
                StmtKind::SetField { object, field, .. } => {
                    written.fields.extend(ty(object).map(|ty| (ty, *field)));
                }
                StmtKind::SetElem { array, .. } => written.arrays.extend(ty(array)),
                StmtKind::Assign(_, rvalue) => written.everything |= self.pure.may_assign(rvalue),
                _ => {}
            }
        }
        written
    }

    /// Moves what it can, once through the loop; whether it moved anything.
    fn move_out(
        &mut self,
        inner: &Loop,
        preheader: usize,
        written: &Written,
        changing: &mut [bool],
    ) -> bool {
        let mut moved = false;
        for (block, _) in inner.body.iter().enumerate().filter(|(_, inside)| **inside) {
            // Whether the first step comes here before anything that could be seen.
            let mut first = block == inner.header;
            let mut at = 0;
            while at < self.function.blocks[block].stmts.len() {
                let stmt = &self.function.blocks[block].stmts[at];
                if !self.may_move(&stmt.kind, first, written, changing) {
                    first &= effects::is_silent(&stmt.kind);
                    at += 1;
                    continue;
                }
                let stmt = self.function.blocks[block].stmts.remove(at);
                if let StmtKind::Assign(local, _) = &stmt.kind {
                    changing[local.index()] = false;
                }
                self.place(stmt, preheader);
                moved = true;
            }
        }
        moved
    }

    fn keeps(&self, operand: &Operand, changing: &[bool]) -> bool {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => !changing[self.resolve(*local).index()],
            Operand::Const(_) => true,
        }
    }

    fn may_move(&self, stmt: &StmtKind, first: bool, written: &Written, changing: &[bool]) -> bool {
        let keeps = |operand| self.keeps(operand, changing);
        match stmt {
            StmtKind::Assign(local, rvalue) => {
                self.assignments[local.index()] == 1
                    && !self.polled.contains(local)
                    && rvalue_operands(rvalue).into_iter().all(keeps)
                    && self.gives_the_same(rvalue, first, written)
            }
            StmtKind::Bounds { index, len } => first && keeps(index) && keeps(len),
            _ => false,
        }
    }

    /// Whether it gives the same value before the loop as anywhere in it, when its operands do.
    fn gives_the_same(&self, rvalue: &Rvalue, first: bool, written: &Written) -> bool {
        let ty = |operand: &Operand| match operand {
            Operand::Copy(local) | Operand::Move(local) => {
                Some(self.function.locals[local.index()].ty)
            }
            Operand::Const(_) => None,
        };
        match rvalue {
            Rvalue::Use(_) | Rvalue::ArrayLen(_) | Rvalue::GetTuple { .. } => true,
            Rvalue::Unary(UnaryOp::IntToFloat | UnaryOp::ByteToInt, _) => true,
            Rvalue::GetField { object, field } => {
                let place = ty(object).map(|ty| (ty, *field));
                place.is_some_and(|place| !written.everything && !written.fields.contains(&place))
            }
            Rvalue::GetElem { array, .. } => {
                first
                    && ty(array)
                        .is_some_and(|ty| !written.everything && !written.arrays.contains(&ty))
            }
            _ => false,
        }
    }

    /// Puts a statement at the end of the preheader, unless its value is there already.
    fn place(&mut self, stmt: Stmt, preheader: usize) {
        if let StmtKind::Assign(local, rvalue) = &stmt.kind {
            let same = match rvalue {
                Rvalue::Use(Operand::Copy(other)) if self.assignments[other.index()] == 1 => {
                    Some(self.resolve(*other))
                }
                Rvalue::GetField { object: Operand::Copy(object), field } => {
                    self.read_before(self.resolve(*object), *field, preheader)
                }
                _ => None,
            };
            if let Some(same) = same {
                self.aliases.set(*local, same);
                return;
            }
        }
        self.function.blocks[preheader].stmts.push(stmt);
    }

    /// The local that holds the field's value since it was read on the only way here.
    fn read_before(&self, object: Local, field: u32, mut block: usize) -> Option<Local> {
        let object_ty = self.function.locals[object.index()].ty;
        // Each step goes to a block closer to the entry, or ends.
        loop {
            for stmt in self.function.blocks[block].stmts.iter().rev() {
                match &stmt.kind {
                    StmtKind::Assign(
                        local,
                        Rvalue::GetField { object: Operand::Copy(other), field: other_field },
                    ) if self.resolve(*other) == object
                        && *other_field == field
                        && self.assignments[local.index()] == 1 =>
                    {
                        return Some(self.resolve(*local));
                    }
                    StmtKind::Assign(local, _) if *local == object => return None,
                    StmtKind::Assign(_, rvalue) if self.pure.may_assign(rvalue) => return None,
                    StmtKind::SetField {
                        object: Operand::Copy(other), field: other_field, ..
                    } if *other_field == field
                        && self.function.locals[other.index()].ty == object_ty =>
                    {
                        return None;
                    }
                    _ => {}
                }
            }
            match self.predecessors[block][..] {
                [before] if before < block => block = before,
                _ => return None,
            }
        }
    }

    /// Drops the checks of the loop's counter against the length that ends it; whether there were any.
    fn drop_checks(&mut self, inner: &Loop, preheader: usize, changing: &[bool]) -> bool {
        let Some((counter, bound, step)) = self.counter(inner, preheader, changing) else {
            return false;
        };
        let mut dropped = false;
        // Below a bound there is a next number: a `while` that counts need not check either.
        if let StmtKind::Assign(_, Rvalue::Binary(op @ BinaryOp::AddInt, ..)) =
            &mut self.function.blocks[step.0].stmts[step.1].kind
        {
            *op = BinaryOp::AddUnchecked;
            dropped = true;
        }
        // Locals that hold what the counter was in the same step.
        let mut copies = HashSet::from([counter]);
        let blocks = || inner.body.iter().enumerate().filter(|(_, inside)| **inside);
        for (block, _) in blocks() {
            for (at, stmt) in self.function.blocks[block].stmts.iter().enumerate() {
                if let StmtKind::Assign(local, Rvalue::Use(Operand::Copy(other))) = &stmt.kind
                    && *other == counter
                    && self.assignments[local.index()] == 1
                    && (block != step.0 || at < step.1)
                {
                    copies.insert(*local);
                }
            }
        }
        for (block, _) in blocks() {
            let mut at = 0;
            let aliases = &self.aliases;
            self.function.blocks[block].stmts.retain(|stmt| {
                at += 1;
                let holds = match &stmt.kind {
                    StmtKind::Bounds { index: Operand::Copy(index), len } => {
                        let same_len = aliases.resolved(len) == aliases.resolved(&bound);
                        // After the step the counter itself is the next one already.
                        let before = block != step.0 || at - 1 < step.1;
                        same_len && copies.contains(index) && (before || *index != counter)
                    }
                    _ => false,
                };
                dropped |= holds;
                !holds
            });
        }
        dropped
    }

    /// The counter of a loop that steps from an int that is not negative by one to below a bound that
    /// does not change: the counter, the bound, and where the step is.
    fn counter(
        &self,
        inner: &Loop,
        preheader: usize,
        changing: &[bool],
    ) -> Option<(Local, Operand, (usize, usize))> {
        let [latch] = inner.latches[..] else { return None };
        let [guard] = self.predecessors[preheader][..] else { return None };
        let (counter, bound) = self.below(latch, inner.header)?;
        let (first, first_bound) = self.below(guard, preheader)?;
        let same = self.aliases.resolved(&bound) == self.aliases.resolved(&first_bound);
        if counter != first || !same || !self.keeps(&bound, changing) {
            return None;
        }
        if self.assignments[counter.index()] != 2 {
            return None;
        }
        if !self.not_negative[counter.index()] {
            return None;
        }
        let stmts = self.function.blocks[latch].stmts.iter().enumerate();
        let step = stmts.into_iter().find(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign(
                local,
                Rvalue::Binary(
                    BinaryOp::AddUnchecked | BinaryOp::AddInt,
                    Operand::Copy(from),
                    Operand::Const(Const::Int(1)),
                ),
            ) => *local == counter && *from == counter,
            _ => false,
        });
        let (at, _) = step?;
        // The other assignment starts the counter.
        let inside = inner.body.iter().zip(&self.function.blocks).filter(|(inside, _)| **inside);
        let assigned = inside
            .flat_map(|(_, block)| &block.stmts)
            .filter(|stmt| matches!(&stmt.kind, StmtKind::Assign(local, _) if *local == counter));
        (assigned.count() == 1).then_some((counter, bound, (latch, at)))
    }

    /// `local < bound`, when the block goes to `target` only if that holds.
    fn below(&self, block: usize, target: usize) -> Option<(Local, Operand)> {
        let block = &self.function.blocks[block];
        let TerminatorKind::Branch { cond: Operand::Copy(cond), then, otherwise } =
            &block.terminator.kind
        else {
            return None;
        };
        if then.index() != target || otherwise.index() == target {
            return None;
        }
        // The comparison is the last thing the block does, so that nothing changes in between.
        match block.stmts.last().map(|stmt| &stmt.kind) {
            Some(StmtKind::Assign(
                local,
                Rvalue::Binary(BinaryOp::Compare(Comparison::Lt), Operand::Copy(counter), bound),
            )) if local == cond => Some((*counter, bound.clone())),
            _ => None,
        }
    }
}

/// Of each local: every value it is given is an int that is not negative, if those of the others are.
/// Arithmetic stops the program where it would overflow, so that sums of such ints are such ints.
fn never_negative(function: &Function) -> Vec<bool> {
    let mut holds: Vec<bool> = vec![true; function.locals.len()];
    holds[..function.params].fill(false);
    let mut changed = true;
    while changed {
        changed = false;
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(local, rvalue) = &stmt.kind
                && holds[local.index()]
                && !gives_not_negative(rvalue, &holds)
            {
                holds[local.index()] = false;
                changed = true;
            }
        }
    }
    holds
}

fn gives_not_negative(rvalue: &Rvalue, holds: &[bool]) -> bool {
    let holds = |operand: &Operand| match operand {
        Operand::Copy(local) | Operand::Move(local) => holds[local.index()],
        Operand::Const(Const::Int(value)) => *value >= 0,
        Operand::Const(_) => false,
    };
    match rvalue {
        Rvalue::Use(value) => holds(value),
        Rvalue::ArrayLen(_) | Rvalue::VariantTag(_) => true,
        Rvalue::Unary(UnaryOp::ByteToInt | UnaryOp::BoolToInt | UnaryOp::AbsInt, _) => true,
        Rvalue::Binary(op, left, right) => match op {
            BinaryOp::AddInt
            | BinaryOp::AddUnchecked
            | BinaryOp::MulInt
            | BinaryOp::DivInt
            | BinaryOp::MinInt => holds(left) && holds(right),
            BinaryOp::RemInt | BinaryOp::Shr => holds(left),
            BinaryOp::BitAnd | BinaryOp::MaxInt => holds(left) || holds(right),
            _ => false,
        },
        _ => false,
    }
}
