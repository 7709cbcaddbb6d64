//! What was read or checked a moment ago is not read or checked again.
//!
//! Along each way that has no other way into it, this pass remembers which local holds which field and
//! which index was found to be below which length. A second read of the field becomes the local, a
//! second check goes; so does a read of what was just stored. `xs[i] = xs[i] + xs[j]` reads the list
//! once and checks each index once.

use super::alias::{Aliases, Pure, assignments};
use super::tidy;
use crate::mir::validate::targets;
use crate::mir::{Function, Local, Operand, Program, Rvalue, StmtKind};

/// How much is remembered at a time: searches are linear.
const MEMORY: usize = 48;

pub(super) fn run(program: &mut Program) {
    let pure = Pure::new(program);
    for function in &mut program.functions {
        reuse(function, &pure);
    }
}

/// What is known at a point.
#[derive(Clone, Default)]
struct Known {
    /// (object, field, the local that holds the field's value).
    fields: Vec<(Local, u32, Local)>,
    /// (index, length): the one was found to be below the other, and not negative.
    bounds: Vec<(Operand, Operand)>,
}

impl Known {
    /// Nothing is known any more of what depends on the local.
    fn forget(&mut self, local: Local) {
        self.fields.retain(|(object, ..)| *object != local);
        let is = |operand: &Operand| *operand == Operand::Copy(local);
        self.bounds.retain(|(index, len)| !is(index) && !is(len));
    }
}

fn reuse(function: &mut Function, pure: &Pure) {
    let assignments = assignments(function);
    let mut aliases = Aliases::new(function);
    // The only block that leads to each; blocks stand in reverse postorder.
    let mut only: Vec<Option<usize>> = vec![None; function.blocks.len()];
    let mut several = vec![false; function.blocks.len()];
    for (index, block) in function.blocks.iter().enumerate() {
        for target in targets(&block.terminator.kind) {
            several[target.index()] |= only[target.index()].is_some();
            only[target.index()] = Some(index);
        }
    }
    let mut after: Vec<Known> = vec![];
    let mut changed = false;
    for index in 0..function.blocks.len() {
        let mut known = match only[index] {
            Some(before) if !several[index] && before < index => after[before].clone(),
            _ => Known::default(),
        };
        let mut stmts = std::mem::take(&mut function.blocks[index].stmts);
        let before = stmts.len();
        stmts.retain(|stmt| {
            let mut note = Note { function, assignments: &assignments, pure, known: &mut known };
            note.keeps(&stmt.kind, &mut aliases)
        });
        changed |= stmts.len() != before;
        function.blocks[index].stmts = stmts;
        after.push(known);
    }
    if changed {
        aliases.apply(function);
        tidy::tidy(function);
    }
}

struct Note<'a> {
    function: &'a Function,
    assignments: &'a [u32],
    pure: &'a Pure,
    known: &'a mut Known,
}

impl Note<'_> {
    fn is_constant(&self, local: Local) -> bool {
        self.assignments[local.index()] == 1
    }

    /// Whether the statement is still needed; what it does is known from here on.
    fn keeps(&mut self, stmt: &StmtKind, aliases: &mut Aliases) -> bool {
        match stmt {
            StmtKind::Assign(local, rvalue) => {
                let read = match rvalue {
                    Rvalue::GetField { object: Operand::Copy(object), field } => {
                        Some((aliases.resolve(*object), *field))
                    }
                    _ => None,
                };
                if let Some((object, field)) = read
                    && self.is_constant(*local)
                {
                    let fields = &mut self.known.fields;
                    let holder =
                        fields.iter().find(|(other, place, _)| (*other, *place) == (object, field));
                    if let Some((_, _, holder)) = holder {
                        aliases.set(*local, *holder);
                        return false;
                    }
                    if fields.len() < MEMORY {
                        fields.push((object, field, *local));
                    }
                    return true;
                }
                if self.pure.may_assign(rvalue) {
                    self.known.fields.clear();
                }
                self.known.forget(*local);
            }
            StmtKind::SetField { object, field, value } => {
                let Operand::Copy(object) = aliases.resolved(object) else { return true };
                let ty = self.function.locals[object.index()].ty;
                // Another name may mean the same object.
                self.known.fields.retain(|(other, place, _)| {
                    *place != *field || self.function.locals[other.index()].ty != ty
                });
                if let Operand::Copy(value) = aliases.resolved(value)
                    && self.is_constant(value)
                    && self.known.fields.len() < MEMORY
                {
                    self.known.fields.push((object, *field, value));
                }
            }
            StmtKind::Bounds { index, len } => {
                let check = (aliases.resolved(index), aliases.resolved(len));
                if self.known.bounds.contains(&check) {
                    return false;
                }
                if self.known.bounds.len() < MEMORY {
                    self.known.bounds.push(check);
                }
            }
            _ => {}
        }
        true
    }
}
