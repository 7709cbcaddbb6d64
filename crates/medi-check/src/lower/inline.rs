//! Inlining of small functions, since the code generator compiles one function at a time.
//!
//! What is inlined has no loop, no scope and only a few statements: accessors, `list.push` without its
//! growth, small formulas in hot loops. Functions are taken callees first, so that what is inlined was
//! itself inlined into before; a function on the way from itself to itself is never inlined. Each
//! inlined call is recorded ([`InlinedCall`]), so that a call stack shows it as if it had been made.
//! Functions that nothing calls any more are removed.

use super::tidy;
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
        inlinable[id.index()] = is_inlinable(&program.functions[id.index()], id);
    }
    drop_unused(program);
}

/// The function without its code.
fn header(function: &Function) -> Function {
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

fn callee(stmt: &Stmt) -> Option<FunctionId> {
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

fn is_inlinable(function: &Function, id: FunctionId) -> bool {
    if function.captures.is_some() || !function.scopes.is_empty() {
        return false;
    }
    let mut cost = function.blocks.len();
    let mut calls = 0;
    for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
        cost += 1;
        match &stmt.kind {
            // Only loops have safepoints, and each loop has one.
            StmtKind::Safepoint => return false,
            StmtKind::Assign(_, Rvalue::NewClosure { .. }) => return false,
            StmtKind::Assign(_, Rvalue::Call { function, .. }) => {
                if *function == id {
                    return false;
                }
                calls += 1;
            }
            StmtKind::Assign(_, Rvalue::CallClosure { .. } | Rvalue::CallNative { .. }) => {
                calls += 1;
            }
            _ => {}
        }
    }
    cost <= SMALL && calls <= CALLS
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

/// Replaces the call at statement `at` of block `index` by the callee's blocks.
fn splice(caller: &mut Function, index: usize, at: usize, callee: &Function) {
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

    // A parameter that the callee never assigns is the argument: nothing assigns the caller's locals
    // before the callee returns.
    let mut assigned = vec![false; callee.params];
    for stmt in callee.blocks.iter().flat_map(|block| &block.stmts) {
        if let StmtKind::Assign(local, _) = &stmt.kind
            && let Some(assigned) = assigned.get_mut(local.index())
        {
            *assigned = true;
        }
    }
    for (param, arg) in args.iter().enumerate() {
        if assigned[param] {
            let local = Local(first_local + param as u32);
            let kind = StmtKind::Assign(local, Rvalue::Use(arg.clone()));
            caller.blocks[index].stmts.push(Stmt { kind, span });
        }
    }
    let rename = |operand: &mut Operand| match operand {
        Operand::Copy(local) | Operand::Move(local) => {
            if local.index() < args.len() && !assigned[local.index()] {
                *operand = args[local.index()].clone();
            } else {
                local.0 += first_local;
            }
        }
        Operand::Const(_) => {}
    };
    for block in &callee.blocks {
        let mut block = block.clone();
        for stmt in &mut block.stmts {
            if let StmtKind::Assign(local, _) = &mut stmt.kind {
                local.0 += first_local;
            }
            tidy::for_each_operand(&mut stmt.kind, &mut |operand| rename(operand));
        }
        let terminator = &mut block.terminator;
        tidy::for_each_terminator_operand(&mut terminator.kind, &mut |operand| rename(operand));
        tidy::for_each_target(&mut terminator.kind, &mut |target| target.0 += first_block);
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
