//! What a function does with its locals, found once: who runs each function value, and what each temporary is a part of.

use std::collections::{HashMap, HashSet};

use medi_syntax::source::Span;

use super::flow::local_of;
use super::parallel;
use crate::mir::validate::stmt_operands;
use crate::mir::{Function, FunctionId, Local, Program, Rvalue, Stmt, StmtKind};

/// Who runs a function value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Runner {
    /// One task, which may outlive the function.
    Spawned,
    /// One statement of the `parallel`, once.
    Joined(Span),
    /// The steps of the `parallel for`.
    Steps(Span),
    Anyone,
}

impl Runner {
    /// It is run once, by a task that nothing else is run by.
    pub fn is_one_task(self) -> bool {
        matches!(self, Runner::Spawned | Runner::Joined(_))
    }

    /// The `parallel` that it is a part of.
    pub fn parallel(self) -> Option<Span> {
        match self {
            Runner::Joined(parallel) | Runner::Steps(parallel) => Some(parallel),
            Runner::Spawned | Runner::Anyone => None,
        }
    }
}

/// The function of lib/tasks.medi that starts a task.
const SPAWN: &str = "spawn_task";

/// Whether the function is the one that `spawn` calls.
pub fn spawns(program: &Program, function: FunctionId) -> bool {
    program.functions[function.index()].name.split('[').next() == Some(SPAWN)
}

/// The functions that tasks run.
pub fn spawned(program: &Program) -> HashSet<FunctionId> {
    let mut found = HashSet::new();
    for function in &program.functions {
        let closures = function.blocks.iter().flat_map(|block| &block.stmts).filter_map(closure);
        let closures: Vec<(Local, FunctionId)> = closures.collect();
        let runners = runners(program, function);
        let spawned =
            closures.iter().filter(|(local, _)| runners.get(local) == Some(&Runner::Spawned));
        found.extend(spawned.map(|(_, body)| *body));
    }
    found
}

fn closure(stmt: &Stmt) -> Option<(Local, FunctionId)> {
    match &stmt.kind {
        StmtKind::Assign(into, Rvalue::NewClosure { function, .. }) => Some((*into, *function)),
        _ => None,
    }
}

/// By the uses of the locals that function values are made in; those that others than tasks may run are left out.
fn runners(program: &Program, function: &Function) -> HashMap<Local, Runner> {
    let stmts = || function.blocks.iter().flat_map(|block| &block.stmts);
    // The only statement that uses the local, if there is no second.
    let mut uses: HashMap<Local, Option<&Stmt>> = HashMap::new();
    let closures: HashSet<Local> = stmts().filter_map(closure).map(|(local, _)| local).collect();
    if closures.is_empty() {
        return HashMap::new();
    }
    for stmt in stmts().filter(|stmt| !matches!(stmt.kind, StmtKind::Barrier { .. })) {
        let used: HashSet<Local> = stmt_operands(&stmt.kind)
            .into_iter()
            .filter_map(local_of)
            .filter(|local| closures.contains(local))
            .collect();
        for local in used {
            uses.entry(local).and_modify(|only| *only = None).or_insert(Some(stmt));
        }
    }
    let runner = |stmt: &Stmt| match &stmt.kind {
        StmtKind::Assign(_, Rvalue::Call { function, .. }) => {
            spawns(program, *function).then_some(Runner::Spawned)
        }
        StmtKind::SetElem { array, .. } => {
            let given = local_of(array);
            let run = |stmt: &Stmt| match &stmt.kind {
                StmtKind::Assign(list, Rvalue::NewRecord { fields, .. }) => {
                    let holds = fields.iter().any(|field| local_of(field) == given);
                    parallel::runs(program, function, *list).filter(|_| holds)
                }
                _ => None,
            };
            stmts().find_map(run).map(Runner::Joined)
        }
        kind => parallel::steps(program, kind).map(|_| Runner::Steps(stmt.span)),
    };
    uses.into_iter().filter_map(|(local, only)| Some((local, runner(only?)?))).collect()
}

#[derive(Default)]
pub struct Uses {
    runners: HashMap<Local, Runner>,
    /// What was first copied or read into each local, where something was.
    parts: Vec<Option<Local>>,
}

impl Uses {
    pub fn new(program: &Program, function: &Function) -> Self {
        let mut parts = vec![None; function.locals.len()];
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(
                into,
                Rvalue::Use(from)
                | Rvalue::GetField { object: from, .. }
                | Rvalue::GetElem { array: from, .. },
            ) = &stmt.kind
            {
                let part = &mut parts[into.index()];
                *part = part.or(local_of(from));
            }
        }
        Self { runners: runners(program, function), parts }
    }

    pub fn runner(&self, value: Local) -> Runner {
        self.runners.get(&value).copied().unwrap_or(Runner::Anyone)
    }

    /// What the local is a copy or a part of.
    pub fn part_of(&self, local: Local) -> Option<Local> {
        self.parts[local.index()]
    }
}
