//! What must hold along paths: assignments before uses, barriers before stores, a safepoint in every
//! loop, scopes in pairs.

use std::collections::HashSet;

use super::{Check, may_collect, stmt_operands, targets, terminator_operands};
use crate::mir::{Local, Operand, Rvalue, ScopeId, StmtKind, TerminatorKind, follows_barrier};

/// A set of locals, one bit each.
#[derive(Clone, PartialEq)]
struct Locals(Vec<u64>);

impl Locals {
    fn new(len: usize, full: bool) -> Self {
        Self(vec![if full { u64::MAX } else { 0 }; len.div_ceil(64)])
    }

    fn insert(&mut self, local: Local) {
        self.0[local.index() / 64] |= 1 << (local.index() % 64);
    }

    fn contains(&self, local: Local) -> bool {
        self.0[local.index() / 64] & (1 << (local.index() % 64)) != 0
    }

    /// Keeps what is in both; whether that changed anything.
    fn intersect(&mut self, other: &Self) -> bool {
        let before = self.clone();
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        *self != before
    }
}

impl Check<'_> {
    /// Every local is assigned on all paths to each of its uses.
    pub(super) fn assigned_before_use(&mut self) {
        let function = self.function;
        let count = function.locals.len();
        let mut entry = vec![Locals::new(count, true); function.blocks.len()];
        entry[0] = Locals::new(count, false);
        (0..function.params).for_each(|param| entry[0].insert(Local(param as u32)));
        let mut visited = vec![false; function.blocks.len()];
        let mut work = vec![0usize];
        while let Some(index) = work.pop() {
            visited[index] = true;
            let block = &function.blocks[index];
            let mut assigned = entry[index].clone();
            for stmt in &block.stmts {
                if let StmtKind::Assign(local, _) = &stmt.kind {
                    assigned.insert(*local);
                }
            }
            for target in targets(&block.terminator.kind) {
                let changed = entry[target.index()].intersect(&assigned);
                if changed || !visited[target.index()] {
                    work.push(target.index());
                }
            }
        }
        for (index, block) in function.blocks.iter().enumerate() {
            if !visited[index] {
                continue;
            }
            let mut assigned = entry[index].clone();
            for (number, stmt) in block.stmts.iter().enumerate() {
                self.at(index, number);
                for operand in stmt_operands(&stmt.kind) {
                    self.is_assigned(operand, &assigned);
                }
                if let StmtKind::Assign(local, _) = &stmt.kind {
                    assigned.insert(*local);
                }
            }
            self.at_end(index);
            for operand in terminator_operands(&block.terminator.kind) {
                self.is_assigned(operand, &assigned);
            }
        }
    }

    fn is_assigned(&mut self, operand: &Operand, assigned: &Locals) {
        if let Operand::Copy(local) | Operand::Move(local) = operand
            && !assigned.contains(*local)
        {
            self.wrong(format!("local {} may be used before it is assigned", local.0));
        }
    }

    /// A store of references into an object stands directly behind a barrier of the object, or behind its
    /// allocation with nothing in between at which a collection could start.
    pub(super) fn barriers(&mut self) {
        let (program, function) = (self.program, self.function);
        for (index, block) in function.blocks.iter().enumerate() {
            let mut new: HashSet<Local> = HashSet::new();
            // Statements before this one are covered by the last barrier.
            let mut covered = 0;
            for (number, stmt) in block.stmts.iter().enumerate() {
                self.at(index, number);
                let stores_references = |stmt| program.stores_references(&function.locals, stmt);
                match &stmt.kind {
                    StmtKind::Assign(local, rvalue) => {
                        if may_collect(rvalue) {
                            new.clear();
                        }
                        new.remove(local);
                        if matches!(
                            rvalue,
                            Rvalue::NewArray { .. }
                                | Rvalue::NewRecord { .. }
                                | Rvalue::NewCell { .. }
                        ) {
                            new.insert(*local);
                        }
                    }
                    StmtKind::Barrier { object } => {
                        let stores = follows_barrier(object, &block.stmts[number + 1..]);
                        if !stores.iter().any(stores_references) {
                            self.wrong("no store of references follows the barrier");
                        }
                        covered = number + 1 + stores.len();
                    }
                    StmtKind::Safepoint
                    | StmtKind::ScopeEnter(_)
                    | StmtKind::ScopeExit(_)
                    | StmtKind::Free(_) => new.clear(),
                    kind => {
                        let object = kind.stores_into_object().map(|(object, _)| object);
                        let initialises =
                            matches!(object, Some(Operand::Copy(local)) if new.contains(local));
                        if number >= covered && !initialises && stores_references(stmt) {
                            self.wrong("references are stored without a barrier");
                        }
                    }
                }
            }
        }
    }

    /// Without the blocks that hold a safepoint, nothing goes in a circle.
    pub(super) fn safepoints(&mut self) {
        let blocks = &self.function.blocks;
        let polls = |index: usize| {
            blocks[index].stmts.iter().any(|stmt| matches!(stmt.kind, StmtKind::Safepoint))
        };
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; blocks.len()];
        let mut circles = vec![];
        for start in 0..blocks.len() {
            let mut work = vec![(start, false)];
            while let Some((index, leaving)) = work.pop() {
                if leaving {
                    marks[index] = Mark::Done;
                    continue;
                }
                if marks[index] != Mark::New || polls(index) {
                    continue;
                }
                marks[index] = Mark::Open;
                work.push((index, true));
                for target in targets(&blocks[index].terminator.kind) {
                    match marks[target.index()] {
                        Mark::Open => circles.push(index),
                        Mark::New => work.push((target.index(), false)),
                        Mark::Done => {}
                    }
                }
            }
        }
        for index in circles {
            self.at_end(index);
            self.wrong("a loop without a safepoint");
        }
    }

    /// The same scopes are open however control comes to a block, and none at a return.
    pub(super) fn scopes(&mut self) {
        let function = self.function;
        let mut entry: Vec<Option<Vec<ScopeId>>> = vec![None; function.blocks.len()];
        entry[0] = Some(vec![]);
        let mut work = vec![0usize];
        while let Some(index) = work.pop() {
            let mut open = entry[index].clone().expect("a block is visited from another");
            let block = &function.blocks[index];
            for (number, stmt) in block.stmts.iter().enumerate() {
                self.at(index, number);
                match &stmt.kind {
                    StmtKind::ScopeEnter(scope) => {
                        if function.scopes[scope.index()].parent != open.last().copied() {
                            self.wrong("a scope is entered outside its parent");
                        }
                        open.push(*scope);
                    }
                    StmtKind::ScopeExit(scope) => {
                        let innermost = open.pop();
                        if innermost != Some(*scope) {
                            self.wrong("a scope is left that is not the innermost");
                        }
                    }
                    StmtKind::Assign(_, Rvalue::Allocate { scope, .. })
                        if !open.contains(scope) =>
                    {
                        self.wrong("memory is allocated in a scope that is not open");
                    }
                    _ => {}
                }
            }
            self.at_end(index);
            if matches!(block.terminator.kind, TerminatorKind::Return(_)) && !open.is_empty() {
                self.wrong("the function returns with a scope open");
            }
            for target in targets(&block.terminator.kind) {
                match &entry[target.index()] {
                    None => {
                        entry[target.index()] = Some(open.clone());
                        work.push(target.index());
                    }
                    Some(other) if *other != open => {
                        self.wrong(format!("other scopes are open on the way to b{}", target.0));
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
