//! Values that nobody uses, although they are handed on.
//!
//! A copy that is never used, a tuple of which nothing is, an argument that the callee does not look at: none of them reads
//! the memory that a value looks into, so that it may have been freed. What is stored in an object, captured, returned
//! or given to a function value counts as used.

use std::borrow::Cow;

use super::flow::local_of;
use super::sets::Set;
use crate::mir::validate::{rvalue_operands, stmt_operands, terminator_operands};
use crate::mir::{Function, FunctionId, Local, Operand, Rvalue, StmtKind};

/// Of each function, the parameters that something uses.
pub struct Faint {
    used: Vec<Set>,
}

/// Gives what it is made from, without a look at the memory.
fn hands_on(rvalue: &Rvalue) -> bool {
    matches!(
        rvalue,
        Rvalue::Use(_)
            | Rvalue::MakeTuple(_)
            | Rvalue::GetTuple { .. }
            | Rvalue::MakeSome { .. }
            | Rvalue::UnwrapSome(_)
    )
}

impl Faint {
    pub fn new(functions: &[Cow<Function>], order: &[usize]) -> Self {
        let mut faint = Self { used: vec![Set::default(); functions.len()] };
        loop {
            let mut changed = false;
            for index in order {
                let used = faint.used_in(&functions[*index]);
                let params = used.iter().filter(|local| *local < functions[*index].params);
                for param in params {
                    changed |= faint.used[*index].insert(param);
                }
            }
            if !changed {
                return faint;
            }
        }
    }

    /// The locals of a function that something uses.
    pub fn used_in(&self, function: &Function) -> Set {
        let mut used = Set::default();
        let read = |used: &mut Set, operands: Vec<&Operand>| {
            let locals = operands.into_iter().filter_map(local_of);
            locals.fold(false, |changed, local| changed | used.insert(local.index()))
        };
        for block in &function.blocks {
            read(&mut used, terminator_operands(&block.terminator.kind));
        }
        loop {
            let mut changed = false;
            for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
                let operands = self.reads(&stmt.kind, &used);
                changed |= read(&mut used, operands);
            }
            if !changed {
                return used;
            }
        }
    }

    /// What a statement uses, in a function that uses these locals. The barrier before a store reads nothing of the program.
    pub fn reads<'k>(&self, kind: &'k StmtKind, used: &Set) -> Vec<&'k Operand> {
        match kind {
            StmtKind::Barrier { .. } => vec![],
            StmtKind::Assign(into, rvalue) if hands_on(rvalue) => match used.contains(into.index())
            {
                true => rvalue_operands(rvalue),
                false => vec![],
            },
            StmtKind::Assign(_, Rvalue::Call { function, args }) => self.given(*function, args),
            kind => stmt_operands(kind),
        }
    }

    fn given<'k>(&self, function: FunctionId, args: &'k [Operand]) -> Vec<&'k Operand> {
        let used = &self.used[function.index()];
        let args = args.iter().enumerate().filter(|(param, _)| used.contains(*param));
        args.map(|(_, arg)| arg).collect()
    }
}

/// What a function uses, and which uses of others it knows.
#[derive(Clone, Copy)]
pub struct Reads<'f> {
    pub faint: &'f Faint,
    pub used: &'f Set,
}

impl Reads<'_> {
    pub fn of<'k>(&self, kind: &'k StmtKind) -> Vec<&'k Operand> {
        self.faint.reads(kind, self.used)
    }

    pub fn has(&self, kind: &StmtKind, local: Local) -> bool {
        self.of(kind).into_iter().any(|operand| local_of(operand) == Some(local))
    }
}
