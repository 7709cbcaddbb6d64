//! Cleans a graph up: no block that nothing leads to, no block that only goes on, no local that nothing
//! mentions, and blocks in the order in which control comes to them. The entry stays block 0.

use crate::mir::{BlockId, Function, Local, Operand, Rvalue, StmtKind, TerminatorKind};

pub(super) fn tidy(function: &mut Function) {
    thread_gotos(function);
    merge_chains(function);
    order_blocks(function);
    drop_locals(function);
}

/// Sends each edge into an empty block that only goes on to where that goes.
fn thread_gotos(function: &mut Function) {
    let blocks = &function.blocks;
    let follow = |start: BlockId| {
        let mut at = start;
        // A circle of empty blocks has no end; as many steps as there are blocks leave it anyhow.
        for _ in 0..blocks.len() {
            match &blocks[at.index()] {
                block if !block.stmts.is_empty() => break,
                block => match block.terminator.kind {
                    TerminatorKind::Goto(next) => at = next,
                    _ => break,
                },
            }
        }
        at
    };
    let targets: Vec<_> = (0..blocks.len() as u32).map(|block| follow(BlockId(block))).collect();
    for block in &mut function.blocks {
        block.terminator.kind.for_each_target(&mut |target| *target = targets[target.index()]);
        if let TerminatorKind::Branch { then, otherwise, .. } = block.terminator.kind
            && then == otherwise
        {
            block.terminator.kind = TerminatorKind::Goto(then);
        }
    }
}

/// Joins each block that goes on to one that nothing else leads to with it.
fn merge_chains(function: &mut Function) {
    let reachable = reachable(function);
    let mut leads_to = vec![0usize; function.blocks.len()];
    leads_to[0] = 1;
    for (index, block) in function.blocks.iter_mut().enumerate() {
        if reachable[index] {
            block.terminator.kind.for_each_target(&mut |target| leads_to[target.index()] += 1);
        }
    }
    for (index, _) in reachable.iter().enumerate().filter(|(_, reachable)| **reachable) {
        while let TerminatorKind::Goto(next) = function.blocks[index].terminator.kind {
            let next = next.index();
            if next == index
                || leads_to[next] != 1
                || function.blocks[next].inlined != function.blocks[index].inlined
            {
                break;
            }
            let stmts = std::mem::take(&mut function.blocks[next].stmts);
            let span = function.blocks[next].terminator.span;
            let kind = std::mem::replace(
                &mut function.blocks[next].terminator.kind,
                TerminatorKind::Unreachable,
            );
            let block = &mut function.blocks[index];
            block.stmts.extend(stmts);
            block.terminator.kind = kind;
            block.terminator.span = span;
            leads_to[next] = 0;
        }
    }
}

fn reachable(function: &mut Function) -> Vec<bool> {
    let mut seen = vec![false; function.blocks.len()];
    let mut work = vec![BlockId(0)];
    while let Some(block) = work.pop() {
        if !std::mem::replace(&mut seen[block.index()], true) {
            let terminator = &mut function.blocks[block.index()].terminator.kind;
            terminator.for_each_target(&mut |target| work.push(*target));
        }
    }
    seen
}

/// Puts the blocks in the order in which control first comes to them, loops before what follows them,
/// and leaves out those it never comes to.
pub(super) fn order_blocks(function: &mut Function) {
    let count = function.blocks.len();
    let mut seen = vec![false; count];
    let mut finished = vec![];
    // A block is finished when all it leads to is: reversed, that is each before what it leads to.
    let mut work = vec![(BlockId(0), false)];
    while let Some((id, leaving)) = work.pop() {
        if leaving {
            finished.push(id);
        } else if !std::mem::replace(&mut seen[id.index()], true) {
            work.push((id, true));
            let terminator = &mut function.blocks[id.index()].terminator.kind;
            // The last one pushed is walked first and so ends up last.
            let mut targets = vec![];
            terminator.for_each_target(&mut |target| targets.push(*target));
            work.extend(targets.into_iter().map(|target| (target, false)));
        }
    }
    finished.reverse();
    let mut renamed = vec![BlockId(0); count];
    for (index, id) in finished.iter().enumerate() {
        renamed[id.index()] = BlockId(index as u32);
    }
    let mut blocks: Vec<_> = std::mem::take(&mut function.blocks).into_iter().map(Some).collect();
    let taken = finished.iter().map(|id| blocks[id.index()].take());
    function.blocks = taken.map(|block| block.expect("each block is finished once")).collect();
    for block in &mut function.blocks {
        block.terminator.kind.for_each_target(&mut |target| *target = renamed[target.index()]);
    }
}

fn drop_locals(function: &mut Function) {
    let mut used = vec![false; function.locals.len()];
    used[..function.params].fill(true);
    for_each_local(function, &mut |local| used[local.index()] = true);
    let mut renamed = vec![Local(0); used.len()];
    let mut next = 0;
    for (index, used) in used.iter().enumerate() {
        renamed[index] = Local(next);
        next += u32::from(*used);
    }
    let mut index = 0;
    function.locals.retain(|_| {
        index += 1;
        used[index - 1]
    });
    for_each_local(function, &mut |local| *local = renamed[local.index()]);
}

fn for_each_local(function: &mut Function, visit: &mut dyn FnMut(&mut Local)) {
    for block in &mut function.blocks {
        for stmt in &mut block.stmts {
            if let StmtKind::Assign(local, _) = &mut stmt.kind {
                visit(local);
            }
            for_each_operand(&mut stmt.kind, &mut |operand| visit_operand(operand, visit));
        }
        for_each_terminator_operand(&mut block.terminator.kind, &mut |operand| {
            visit_operand(operand, visit);
        });
    }
}

fn visit_operand(operand: &mut Operand, visit: &mut dyn FnMut(&mut Local)) {
    if let Operand::Copy(local) | Operand::Move(local) = operand {
        visit(local);
    }
}

pub(super) fn for_each_terminator_operand(
    kind: &mut TerminatorKind,
    visit: &mut dyn FnMut(&mut Operand),
) {
    match kind {
        TerminatorKind::Branch { cond: operand, .. }
        | TerminatorKind::Switch { value: operand, .. }
        | TerminatorKind::Return(operand) => visit(operand),
        TerminatorKind::Goto(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => {}
    }
}

pub(super) fn for_each_operand(kind: &mut StmtKind, visit: &mut dyn FnMut(&mut Operand)) {
    match kind {
        StmtKind::Assign(_, rvalue) => for_each_rvalue_operand(rvalue, visit),
        StmtKind::SetField { object: first, value: second, .. }
        | StmtKind::SetOwnField { object: first, value: second, .. }
        | StmtKind::SetCell { cell: first, value: second }
        | StmtKind::Bounds { index: first, len: second } => {
            visit(first);
            visit(second);
        }
        StmtKind::SetElem { array: base, index, value }
        | StmtKind::SetScopeElem { base, index, value }
        | StmtKind::AtomicStore { view: base, index, value, .. } => {
            visit(base);
            visit(index);
            visit(value);
        }
        StmtKind::Barrier { object: operand } | StmtKind::Free(operand) => visit(operand),
        StmtKind::ScopeEnter(_)
        | StmtKind::ScopeExit(_)
        | StmtKind::Safepoint
        | StmtKind::Fence(_) => {}
    }
}

fn for_each_rvalue_operand(rvalue: &mut Rvalue, visit: &mut dyn FnMut(&mut Operand)) {
    match rvalue {
        Rvalue::Capture(_) => {}
        Rvalue::Use(operand)
        | Rvalue::Unary(_, operand)
        | Rvalue::NewArray { len: operand, .. }
        | Rvalue::NewCell { value: operand, .. }
        | Rvalue::GetField { object: operand, .. }
        | Rvalue::GetOwnField { object: operand, .. }
        | Rvalue::ArrayLen(operand)
        | Rvalue::GetCell(operand)
        | Rvalue::GetTuple { tuple: operand, .. }
        | Rvalue::MakeSome { value: operand, .. }
        | Rvalue::IsSome(operand)
        | Rvalue::UnwrapSome(operand)
        | Rvalue::MakeOk { value: operand, .. }
        | Rvalue::MakeErr { message: operand, .. }
        | Rvalue::IsOk(operand)
        | Rvalue::UnwrapOk(operand)
        | Rvalue::UnwrapErr(operand)
        | Rvalue::VariantTag(operand)
        | Rvalue::GetVariantField { value: operand, .. }
        | Rvalue::Allocate { bytes: operand, .. }
        | Rvalue::OwnedBuffer { bytes: operand }
        | Rvalue::Pin { object: operand, .. }
        | Rvalue::Unpin(operand)
        | Rvalue::Share(operand)
        | Rvalue::Downgrade { shared: operand, .. }
        | Rvalue::Upgrade { weak: operand, .. }
        | Rvalue::ShareCount(operand)
        | Rvalue::ScopeLen(operand) => visit(operand),
        Rvalue::Binary(_, first, second)
        | Rvalue::GetElem { array: first, index: second }
        | Rvalue::GetScopeElem { base: first, index: second }
        | Rvalue::SplitView { view: first, at: second, .. }
        | Rvalue::AtomicLoad { view: first, index: second, .. } => {
            visit(first);
            visit(second);
        }
        Rvalue::MakeView { buffer: first, offset: second, len: third, .. }
        | Rvalue::SliceView { view: first, from: second, to: third }
        | Rvalue::AtomicUpdate { view: first, index: second, value: third, .. } => {
            visit(first);
            visit(second);
            visit(third);
        }
        Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
            visit(view);
            visit(index);
            visit(expected);
            visit(new);
        }
        Rvalue::NewRecord { fields: list, .. }
        | Rvalue::NewOwn { fields: list, .. }
        | Rvalue::NewVariant { fields: list, .. }
        | Rvalue::NewClosure { captures: list, .. }
        | Rvalue::MakeTuple(list)
        | Rvalue::Call { args: list, .. }
        | Rvalue::CallNative { args: list, .. } => list.iter_mut().for_each(visit),
        Rvalue::CallClosure { callee, args } => {
            visit(callee);
            args.iter_mut().for_each(visit);
        }
    }
}
