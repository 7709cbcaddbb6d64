//! Locals that stand for others, and what the passes over finished MIR ask of locals and natives.

use std::collections::HashSet;

use super::tidy;
use crate::mir::{Function, Local, NativeId, Operand, Program, Rvalue, StmtKind};

/// Natives that assign nothing that a program can read.
const PURE: &[&str] = &[
    "string_equal",
    "string_compare",
    "string_hash",
    "string_concat",
    "hash_int",
    "pow_float",
    "pow_int",
    "rem_float",
    "fmt_begin",
    "fmt_text",
    "fmt_value",
    "fmt_end",
    "fmt_print",
    "equals",
    "hash",
    "compare",
];

/// The natives of a program after which every field has the value it had.
pub(super) struct Pure(HashSet<NativeId>);

impl Pure {
    pub fn new(program: &Program) -> Self {
        let natives = (0..).map(NativeId).zip(&program.natives);
        let pure = natives.filter(|(_, native)| PURE.contains(&native.symbol.as_str()));
        Self(pure.map(|(id, _)| id).collect())
    }

    /// Whether evaluating it may assign fields and elements that are not seen here.
    pub fn may_assign(&self, rvalue: &Rvalue) -> bool {
        match rvalue {
            Rvalue::Call { .. } | Rvalue::CallClosure { .. } => true,
            Rvalue::CallNative { native, .. } => !self.0.contains(native),
            _ => false,
        }
    }
}

/// Of each local: how often it is assigned, as a parameter too.
pub(super) fn assignments(function: &Function) -> Vec<u32> {
    let mut assignments = vec![0; function.locals.len()];
    assignments[..function.params].fill(1);
    for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
        if let StmtKind::Assign(local, _) = &stmt.kind {
            assignments[local.index()] += 1;
        }
    }
    assignments
}

/// Of each local: the one that has the same value and is to be used in its place.
///
/// Both are assigned once, and the assignment of the one that stays is on every way to that of the
/// other, which its user removes.
pub(super) struct Aliases(Vec<Local>);

impl Aliases {
    pub fn new(function: &Function) -> Self {
        Self((0..function.locals.len() as u32).map(Local).collect())
    }

    pub fn resolve(&self, mut local: Local) -> Local {
        while self.0[local.index()] != local {
            local = self.0[local.index()];
        }
        local
    }

    pub fn resolved(&self, operand: &Operand) -> Operand {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => Operand::Copy(self.resolve(*local)),
            Operand::Const(constant) => Operand::Const(constant.clone()),
        }
    }

    pub fn set(&mut self, local: Local, same: Local) {
        self.0[local.index()] = self.resolve(same);
    }

    /// Uses each local's alias in its place.
    pub fn apply(&self, function: &mut Function) {
        let rename = |operand: &mut Operand| {
            if let Operand::Copy(local) | Operand::Move(local) = operand {
                *local = self.resolve(*local);
            }
        };
        for block in &mut function.blocks {
            for stmt in &mut block.stmts {
                tidy::for_each_operand(&mut stmt.kind, &mut |operand| rename(operand));
            }
            tidy::for_each_terminator_operand(&mut block.terminator.kind, &mut |operand| {
                rename(operand);
            });
        }
    }
}
