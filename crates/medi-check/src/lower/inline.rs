//! Inlining of small functions, since the code generator compiles one function at a time.
//!
//! What is inlined has no loop, no scope and only a few statements: accessors, `list.push` without its
//! growth, small formulas in hot loops. Functions are taken callees first, so that what is inlined was
//! itself inlined into before; a function on the way from itself to itself is never inlined, but a small one
//! that calls itself directly takes in a few levels of its own calls ([`unroll`]). Each inlined call is recorded ([`InlinedCall`]), so that a call stack shows it as if it had been made.
//! Functions that nothing calls any more are removed.

use super::{effects, tidy, unroll};
use crate::mir::{
    Block, BlockId, Function, FunctionId, InlineId, InlinedCall, Local, Operand, Program, Rvalue,
    Stmt, StmtKind, Terminator, TerminatorKind,
};

/// Statements and terminators of a function that is inlined everywhere.
const SMALL: usize = 24;
/// Calls such a function may make: they cost more than they count.
const CALLS: usize = 2;
/// How far a function may grow, in statements.
const LARGEST: usize = 4000;

pub(super) fn run(program: &mut Program) {
    let order = callees_first(program);
    let mut inlinable = vec![false; program.functions.len()];
    for id in order {
        let calls = |function: &Function| {
            function.blocks.iter().flat_map(|block| &block.stmts).any(|stmt| {
                callee(stmt).is_some_and(|callee| callee != id && inlinable[callee.index()])
            })
        };
        if calls(&program.functions[id.index()]) {
            // Taken out, so that its callees can be read beside it; it is none of them.
            let empty = Function { blocks: vec![], ..header(&program.functions[id.index()]) };
            let mut caller = std::mem::replace(&mut program.functions[id.index()], empty);
            inline_calls(&mut caller, id, program, &inlinable);
            program.functions[id.index()] = caller;
        }
        let weight = Weight::of(&program.functions[id.index()], id);
        inlinable[id.index()] = weight.is_small() && weight.own_calls == 0;
        if weight.is_small() && weight.own_calls > 0 {
            unroll::run(&mut program.functions[id.index()], id, weight.cost);
        }
    }
    drop_unused(program);
}

/// The function without its code.
pub(super) fn header(function: &Function) -> Function {
    Function {
        name: function.name.clone(),
        params: function.params,
        captures: function.captures.clone(),
        result: function.result,
        locals: vec![],
        blocks: vec![],
        scopes: vec![],
        inlined: vec![],
        span: function.span,
    }
}

pub(super) fn callee(stmt: &Stmt) -> Option<FunctionId> {
    match &stmt.kind {
        StmtKind::Assign(_, Rvalue::Call { function, .. }) => Some(*function),
        _ => None,
    }
}

/// Every function, those it calls before it, except around circles.
fn callees_first(program: &Program) -> Vec<FunctionId> {
    let callees = |id: FunctionId| {
        let blocks = &program.functions[id.index()].blocks;
        blocks.iter().flat_map(|block| &block.stmts).filter_map(callee).collect::<Vec<_>>()
    };
    let mut seen = vec![false; program.functions.len()];
    let mut order = vec![];
    for start in (0..program.functions.len() as u32).map(FunctionId) {
        if std::mem::replace(&mut seen[start.index()], true) {
            continue;
        }
        let mut path = vec![(start, callees(start).into_iter())];
        while let Some((id, rest)) = path.last_mut() {
            match rest.next() {
                Some(next) if !seen[next.index()] => {
                    seen[next.index()] = true;
                    path.push((next, callees(next).into_iter()));
                }
                Some(_) => {}
                None => {
                    order.push(*id);
                    path.pop();
                }
            }
        }
    }
    order
}

/// What decides whether a function is inlined.
struct Weight {
    /// Something that is never inlined: a loop, a scope, a closure.
    heavy: bool,
    /// Statements and terminators.
    cost: usize,
    /// Calls of other functions.
    calls: usize,
    /// Calls of itself.
    own_calls: usize,
}

impl Weight {
    fn of(function: &Function, id: FunctionId) -> Weight {
        let heavy = function.captures.is_some() || !function.scopes.is_empty();
        let mut weight = Weight { heavy, cost: function.blocks.len(), calls: 0, own_calls: 0 };
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            weight.cost += 1;
            match &stmt.kind {
                // Only loops have safepoints, and each loop has one.
                StmtKind::Safepoint | StmtKind::Assign(_, Rvalue::NewClosure { .. }) => {
                    weight.heavy = true;
                }
                StmtKind::Assign(_, Rvalue::Call { function, .. }) if *function == id => {
                    weight.own_calls += 1;
                }
                StmtKind::Assign(
                    _,
                    Rvalue::Call { .. } | Rvalue::CallClosure { .. } | Rvalue::CallNative { .. },
                ) => weight.calls += 1,
                _ => {}
            }
        }
        weight
    }

    fn is_small(&self) -> bool {
        !self.heavy && self.cost <= SMALL && self.calls <= CALLS
    }
}

fn inline_calls(caller: &mut Function, id: FunctionId, program: &Program, inlinable: &[bool]) {
    let mut size: usize = caller.blocks.iter().map(|block| block.stmts.len()).sum();
    let mut index = 0;
    // Blocks that inlining adds are visited too: the rest of a split block may call again.
    while index < caller.blocks.len() {
        let block = &caller.blocks[index];
        let found = block.stmts.iter().position(|stmt| {
            callee(stmt).is_some_and(|callee| {
                callee != id
                    && inlinable[callee.index()]
                    && !stands_in(caller, block.inlined, &program.functions[callee.index()].name)
            })
        });
        match found {
            Some(at) if size < LARGEST => {
                let callee = callee(&block.stmts[at]).expect("a call was found");
                let callee = &program.functions[callee.index()];
                size += callee.blocks.iter().map(|block| block.stmts.len()).sum::<usize>();
                if is_silent(callee) {
                    // The block is looked at again from its start: what came in holds no calls.
                    replace(caller, index, at, callee);
                    continue;
                }
                splice(caller, index, at, callee);
            }
            _ => {}
        }
        index += 1;
    }
    tidy::tidy(caller);
}

/// Whether the code of an inlined call is part of the function `name`: inlining that there would go in
/// a circle.
fn stands_in(caller: &Function, mut inlined: Option<InlineId>, name: &str) -> bool {
    while let Some(id) = inlined {
        let call = &caller.inlined[id.index()];
        if call.name == name {
            return true;
        }
        inlined = call.parent;
    }
    false
}

/// The callee's locals as locals of the caller.
struct Renaming {
    first_local: u32,
    args: Vec<Operand>,
    /// Of each parameter: the callee assigns it, so that it needs a local of its own.
    assigned: Vec<bool>,
}

impl Renaming {
    fn new(callee: &Function, args: Vec<Operand>, first_local: u32) -> Self {
        let mut assigned = vec![false; callee.params];
        for stmt in callee.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(local, _) = &stmt.kind
                && let Some(assigned) = assigned.get_mut(local.index())
            {
                *assigned = true;
            }
        }
        Self { first_local, args, assigned }
    }

    /// The parameters that need a local, and their arguments.
    fn copied(&self) -> impl Iterator<Item = (Local, &Operand)> {
        let params = self.args.iter().zip(&self.assigned).enumerate();
        params
            .filter(|(_, (_, assigned))| **assigned)
            .map(|(index, (arg, _))| (Local(self.first_local + index as u32), arg))
    }

    fn local(&self, local: &mut Local) {
        local.0 += self.first_local;
    }

    /// A parameter that the callee never assigns is the argument: nothing assigns the caller's locals
    /// before the callee returns.
    fn operand(&self, operand: &mut Operand) {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => match self.assigned.get(local.index()) {
                Some(false) => *operand = self.args[local.index()].clone(),
                _ => self.local(local),
            },
            Operand::Const(_) => {}
        }
    }

    fn stmt(&self, stmt: &mut Stmt) {
        if let StmtKind::Assign(local, _) = &mut stmt.kind {
            self.local(local);
        }
        tidy::for_each_operand(&mut stmt.kind, &mut |operand| self.operand(operand));
    }
}

/// Whether it is one block that can neither stop the program nor start a collection: no call stack can
/// show it, so that its statements may stand as the caller's own.
fn is_silent(function: &Function) -> bool {
    let [block] = &function.blocks[..] else { return false };
    let returns = matches!(block.terminator.kind, TerminatorKind::Return(_));
    returns && block.stmts.iter().all(|stmt| effects::is_silent(&stmt.kind))
}

/// Replaces the call at statement `at` of block `index` by the statements of a silent callee.
fn replace(caller: &mut Function, index: usize, at: usize, callee: &Function) {
    let first_local = caller.locals.len() as u32;
    let call = caller.blocks[index].stmts[at].clone();
    let span = call.span;
    let StmtKind::Assign(dest, Rvalue::Call { args, .. }) = call.kind else {
        unreachable!("it is a call")
    };
    caller.locals.extend(callee.locals.iter().cloned());
    let renaming = Renaming::new(callee, args, first_local);
    let mut stmts: Vec<Stmt> = renaming
        .copied()
        .map(|(param, arg)| StmtKind::Assign(param, Rvalue::Use(arg.clone())))
        .map(|kind| Stmt { kind, span })
        .collect();
    let block = &callee.blocks[0];
    stmts.extend(block.stmts.iter().map(|stmt| {
        let mut stmt = Stmt { kind: stmt.kind.clone(), span };
        renaming.stmt(&mut stmt);
        stmt
    }));
    let TerminatorKind::Return(value) = &block.terminator.kind else {
        unreachable!("a silent function returns")
    };
    let mut value = value.clone();
    renaming.operand(&mut value);
    match stmts.last_mut() {
        // What the last statement makes is the result.
        Some(Stmt { kind: StmtKind::Assign(last, _), .. })
            if value == Operand::Copy(*last) && last.0 >= first_local =>
        {
            *last = dest;
        }
        _ => stmts.push(Stmt { kind: StmtKind::Assign(dest, Rvalue::Use(value)), span }),
    }
    caller.blocks[index].stmts.splice(at..=at, stmts);
}

/// Replaces the call at statement `at` of block `index` by the callee's blocks.
pub(super) fn splice(caller: &mut Function, index: usize, at: usize, callee: &Function) {
    let first_local = caller.locals.len() as u32;
    let first_inlined = caller.inlined.len() as u32 + 1;
    let parent = caller.blocks[index].inlined;
    let rest = BlockId(caller.blocks.len() as u32);
    let first_block = rest.0 + 1;

    let block = &mut caller.blocks[index];
    let after = block.stmts.split_off(at + 1);
    let call = block.stmts.pop().expect("the call stands there");
    let span = call.span;
    let StmtKind::Assign(dest, Rvalue::Call { args, .. }) = call.kind else {
        unreachable!("it is a call")
    };
    let entry = Terminator { kind: TerminatorKind::Goto(BlockId(first_block)), span };
    let terminator = std::mem::replace(&mut block.terminator, entry);
    caller.blocks.push(Block { stmts: after, terminator, inlined: parent });

    let this = InlineId(first_inlined - 1);
    caller.inlined.push(InlinedCall { name: callee.name.clone(), call: span, parent });
    for inner in &callee.inlined {
        let parent = inner.parent.map_or(this, |id| InlineId(id.0 + first_inlined));
        caller.inlined.push(InlinedCall { parent: Some(parent), ..inner.clone() });
    }
    caller.locals.extend(callee.locals.iter().cloned());

    let renaming = Renaming::new(callee, args, first_local);
    for (param, arg) in renaming.copied() {
        let kind = StmtKind::Assign(param, Rvalue::Use(arg.clone()));
        caller.blocks[index].stmts.push(Stmt { kind, span });
    }
    for block in &callee.blocks {
        let mut block = block.clone();
        block.stmts.iter_mut().for_each(|stmt| renaming.stmt(stmt));
        let terminator = &mut block.terminator;
        tidy::for_each_terminator_operand(&mut terminator.kind, &mut |operand| {
            renaming.operand(operand);
        });
        terminator.kind.for_each_target(&mut |target| target.0 += first_block);
        if let TerminatorKind::Return(value) = &terminator.kind {
            let kind = StmtKind::Assign(dest, Rvalue::Use(value.clone()));
            block.stmts.push(Stmt { kind, span: terminator.span });
            terminator.kind = TerminatorKind::Goto(rest);
        }
        block.inlined = Some(block.inlined.map_or(this, |id| InlineId(id.0 + first_inlined)));
        caller.blocks.push(block);
    }
}

/// Removes the functions that `main` cannot reach any more.
fn drop_unused(program: &mut Program) {
    let mut used = vec![false; program.functions.len()];
    let mut work = vec![program.main];
    while let Some(id) = work.pop() {
        if !std::mem::replace(&mut used[id.index()], true) {
            for stmt in program.functions[id.index()].blocks.iter().flat_map(|b| &b.stmts) {
                if let StmtKind::Assign(
                    _,
                    Rvalue::Call { function, .. } | Rvalue::NewClosure { function, .. },
                ) = &stmt.kind
                {
                    work.push(*function);
                }
            }
        }
    }
    let mut renamed = vec![FunctionId(0); used.len()];
    let mut next = 0;
    for (index, used) in used.iter().enumerate() {
        renamed[index] = FunctionId(next);
        next += u32::from(*used);
    }
    let mut index = 0;
    program.functions.retain(|_| {
        index += 1;
        used[index - 1]
    });
    program.main = renamed[program.main.index()];
    for stmt in program.functions.iter_mut().flat_map(|f| &mut f.blocks).flat_map(|b| &mut b.stmts)
    {
        if let StmtKind::Assign(
            _,
            Rvalue::Call { function, .. } | Rvalue::NewClosure { function, .. },
        ) = &mut stmt.kind
        {
            *function = renamed[function.index()];
        }
    }
}
