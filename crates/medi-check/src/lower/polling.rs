//! Reads that a loop waits on.
//!
//! In a program with tasks, `while not done.yet { }` waits for another task. The read stays in the loop, although nothing
//! there assigns the field: moved before the loop, it would see the change never. A loop that also ends by itself, such
//! as one that counts up to the length of a list, waits for nobody.

use std::collections::{HashMap, HashSet};

use crate::mir::validate::{rvalue_operands, targets};
use crate::mir::{BlockId, Function, Local, Operand, Rvalue, StmtKind, TerminatorKind};

/// Adds the locals that hold what such reads of a loop give to `found`. `body` says of each block whether it is part.
pub(super) fn find(function: &Function, body: &[bool], found: &mut HashSet<Local>) {
    let blocks = || function.blocks.iter().zip(body).filter(|(_, inside)| **inside);
    let mut assigned = HashMap::<Local, Vec<&Rvalue>>::new();
    for stmt in blocks().flat_map(|(block, _)| &block.stmts) {
        if let StmtKind::Assign(local, rvalue) = &stmt.kind {
            assigned.entry(*local).or_default().push(rvalue);
        }
    }
    for (block, _) in blocks() {
        let terminator = &block.terminator.kind;
        let leaves = |target: &BlockId| !body.get(target.index()).copied().unwrap_or(false);
        if let TerminatorKind::Branch { cond: decides, .. }
        | TerminatorKind::Switch { value: decides, .. } = terminator
            && targets(terminator).iter().any(leaves)
        {
            let mut walk =
                Walk { assigned: &assigned, path: vec![], done: HashSet::new(), reads: vec![] };
            if walk.from(decides) {
                found.extend(walk.reads);
            }
        }
    }
}

struct Walk<'a> {
    /// What the loop assigns to each local.
    assigned: &'a HashMap<Local, Vec<&'a Rvalue>>,
    /// Locals whose values are being followed.
    path: Vec<Local>,
    /// Those that were.
    done: HashSet<Local>,
    reads: Vec<Local>,
}

impl Walk<'_> {
    /// Follows a value to the reads of objects that it comes from; false when it depends on itself, as a counter does.
    fn from(&mut self, operand: &Operand) -> bool {
        let (Operand::Copy(local) | Operand::Move(local)) = *operand else { return true };
        if self.path.contains(&local) {
            return false;
        }
        let Some(values) = self.assigned.get(&local) else { return true };
        if !self.done.insert(local) {
            return true;
        }
        if values
            .iter()
            .any(|value| matches!(value, Rvalue::GetField { .. } | Rvalue::GetElem { .. }))
        {
            self.reads.push(local);
        }
        self.path.push(local);
        let mut operands = values.iter().flat_map(|value| rvalue_operands(value));
        let follows = operands.all(|operand| self.from(operand));
        self.path.pop();
        follows
    }
}
