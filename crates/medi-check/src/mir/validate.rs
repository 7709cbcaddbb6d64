//! What every MIR program promises, checked.
//!
//! The code generator relies on these without asking again, and a wrong one shows as a crash far away:
//! so each lowering of a debug build, and each test, goes through here. Checked are the types of every
//! operand, that blocks and ids exist, that locals are assigned before they are used, that every store
//! of references stands directly behind its barrier or initialises a new object, that every barrier has such a
//! store, that every loop has a safepoint, and that scopes are entered and left in pairs on every path.

mod flow;
mod typing;

use super::{
    BinaryOp, BlockId, Const, Function, Local, Operand, Program, Rvalue, StmtKind, TerminatorKind,
};
use crate::types::{Ty, TyId};

/// What is wrong with the program, one sentence each; empty for a right one.
pub fn validate(program: &Program) -> Vec<String> {
    let mut violations = vec![];
    if program.main.index() >= program.functions.len() {
        violations.push("`main` does not exist".to_owned());
    }
    for function in &program.functions {
        let mut check = Check { program, function, violations: vec![], place: String::new() };
        // Everything else indexes with what this holds to be in range.
        if check.ids() {
            check.types();
            check.assigned_before_use();
            check.barriers();
            check.safepoints();
            check.scopes();
        }
        violations.append(&mut check.violations);
    }
    violations
}

struct Check<'a> {
    program: &'a Program,
    function: &'a Function,
    violations: Vec<String>,
    /// Where in the function, for messages.
    place: String,
}

impl Check<'_> {
    fn wrong(&mut self, what: impl std::fmt::Display) {
        let text = format!("{}, {}: {what}", self.function.name, self.place);
        self.violations.push(text);
    }

    fn at(&mut self, block: usize, stmt: usize) {
        self.place = format!("b{block}.{stmt}");
    }

    fn at_end(&mut self, block: usize) {
        self.place = format!("end of b{block}");
    }

    /// Whether every block, local, scope, string and function that is mentioned exists.
    fn ids(&mut self) -> bool {
        let function = self.function;
        let before = self.violations.len();
        self.place = "header".to_owned();
        if function.blocks.is_empty() {
            self.wrong("there is no entry block");
        }
        if function.params > function.locals.len() {
            self.wrong("there are fewer locals than parameters");
        }
        for (index, block) in function.blocks.iter().enumerate() {
            if block.inlined.is_some_and(|inlined| inlined.index() >= function.inlined.len()) {
                self.at(index, 0);
                self.wrong("the inlined call does not exist");
            }
            for (number, stmt) in block.stmts.iter().enumerate() {
                self.at(index, number);
                match &stmt.kind {
                    StmtKind::Assign(local, rvalue) => {
                        self.local_exists(*local);
                        self.rvalue_ids(rvalue);
                    }
                    StmtKind::ScopeEnter(scope) | StmtKind::ScopeExit(scope)
                        if scope.index() >= function.scopes.len() =>
                    {
                        self.wrong("the scope does not exist");
                    }
                    _ => {}
                }
                for operand in stmt_operands(&stmt.kind) {
                    self.operand_exists(operand);
                }
            }
            self.at_end(index);
            for target in targets(&block.terminator.kind) {
                if target.index() >= function.blocks.len() {
                    self.wrong(format!("b{} does not exist", target.0));
                }
            }
            for operand in terminator_operands(&block.terminator.kind) {
                self.operand_exists(operand);
            }
        }
        self.violations.len() == before
    }

    fn local_exists(&mut self, local: Local) {
        if local.index() >= self.function.locals.len() {
            self.wrong(format!("local {} does not exist", local.0));
        }
    }

    fn operand_exists(&mut self, operand: &Operand) {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => self.local_exists(*local),
            Operand::Const(Const::Str(id)) if id.index() >= self.program.strings.len() => {
                self.wrong(format!("string {} does not exist", id.0));
            }
            Operand::Const(_) => {}
        }
    }

    fn rvalue_ids(&mut self, rvalue: &Rvalue) {
        let exists = match rvalue {
            Rvalue::Call { function, .. } | Rvalue::NewClosure { function, .. } => {
                function.index() < self.program.functions.len()
            }
            Rvalue::CallNative { native, .. } => native.index() < self.program.natives.len(),
            Rvalue::Allocate { scope, .. } => scope.index() < self.function.scopes.len(),
            Rvalue::Capture(index) => {
                let captures = self.function.captures.as_ref();
                captures.is_some_and(|captures| (*index as usize) < captures.len())
            }
            _ => true,
        };
        if !exists {
            self.wrong("what is mentioned does not exist");
        }
    }

    fn operand_ty(&self, operand: &Operand) -> TyId {
        super::operand_ty(&self.function.locals, operand)
    }
}

/// The blocks an edge leads to.
pub fn targets(kind: &TerminatorKind) -> Vec<BlockId> {
    match kind {
        TerminatorKind::Goto(target) => vec![*target],
        TerminatorKind::Branch { then, otherwise, .. } => vec![*then, *otherwise],
        TerminatorKind::Switch { cases, default, .. } => {
            cases.iter().map(|(_, target)| *target).chain([*default]).collect()
        }
        TerminatorKind::Return(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => vec![],
    }
}

/// What a terminator reads.
pub fn terminator_operands(kind: &TerminatorKind) -> Vec<&Operand> {
    match kind {
        TerminatorKind::Branch { cond: operand, .. }
        | TerminatorKind::Switch { value: operand, .. }
        | TerminatorKind::Return(operand) => vec![operand],
        TerminatorKind::Goto(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => vec![],
    }
}

/// What a statement reads.
pub fn stmt_operands(kind: &StmtKind) -> Vec<&Operand> {
    match kind {
        StmtKind::Assign(_, rvalue) => rvalue_operands(rvalue),
        StmtKind::SetField { object: first, value: second, .. }
        | StmtKind::SetOwnField { object: first, value: second, .. }
        | StmtKind::SetCell { cell: first, value: second }
        | StmtKind::Bounds { index: first, len: second } => vec![first, second],
        StmtKind::SetElem { array: base, index, value }
        | StmtKind::SetScopeElem { base, index, value }
        | StmtKind::AtomicStore { view: base, index, value, .. } => vec![base, index, value],
        StmtKind::Barrier { object: operand } | StmtKind::Free(operand) => vec![operand],
        StmtKind::ScopeEnter(_)
        | StmtKind::ScopeExit(_)
        | StmtKind::Safepoint
        | StmtKind::Fence(_) => vec![],
    }
}

/// What an rvalue reads.
pub fn rvalue_operands(rvalue: &Rvalue) -> Vec<&Operand> {
    match rvalue {
        Rvalue::Capture(_) => vec![],
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
        | Rvalue::ScopeLen(operand) => vec![operand],
        Rvalue::Binary(_, first, second)
        | Rvalue::GetElem { array: first, index: second }
        | Rvalue::GetScopeElem { base: first, index: second }
        | Rvalue::SplitView { view: first, at: second, .. }
        | Rvalue::AtomicLoad { view: first, index: second, .. } => vec![first, second],
        Rvalue::MakeView { buffer: first, offset: second, len: third, .. }
        | Rvalue::SliceView { view: first, from: second, to: third }
        | Rvalue::AtomicUpdate { view: first, index: second, value: third, .. } => {
            vec![first, second, third]
        }
        Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
            vec![view, index, expected, new]
        }
        Rvalue::NewRecord { fields: list, .. }
        | Rvalue::NewOwn { fields: list, .. }
        | Rvalue::NewVariant { fields: list, .. }
        | Rvalue::NewClosure { captures: list, .. }
        | Rvalue::MakeTuple(list)
        | Rvalue::Call { args: list, .. }
        | Rvalue::CallNative { args: list, .. } => list.iter().collect(),
        Rvalue::CallClosure { callee, args } => std::iter::once(callee).chain(args).collect(),
    }
}

/// Whether a collection can start while it is evaluated.
pub fn may_collect(rvalue: &Rvalue) -> bool {
    matches!(
        rvalue,
        Rvalue::NewRecord { .. }
            | Rvalue::NewVariant { .. }
            | Rvalue::NewArray { .. }
            | Rvalue::NewClosure { .. }
            | Rvalue::NewCell { .. }
            | Rvalue::Call { .. }
            | Rvalue::CallClosure { .. }
            | Rvalue::CallNative { .. }
            | Rvalue::Allocate { .. }
            | Rvalue::NewOwn { .. }
            | Rvalue::OwnedBuffer { .. }
    )
}

/// Whether an operator can compare values of this type other than for equality.
fn has_order(op: BinaryOp, ty: &Ty) -> bool {
    match op {
        BinaryOp::Compare(super::Comparison::Eq | super::Comparison::Ne) => true,
        BinaryOp::Compare(_) => matches!(ty, Ty::Int | Ty::Byte),
        _ => true,
    }
}
