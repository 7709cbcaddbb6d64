//! Function values.
//!
//! A closure is a MIR function of its own that reads what it captured: the value of a `let`, the box of
//! a `var`. It shares the checked function's locals, so that a local is captured exactly when the
//! function around the closure has given it a place.
//!
//! What a task runs gets a box of its own for each `var`, with the value of now. No task may use scope memory of
//! another, since its owner may free it meanwhile. Values come into a task through what its closure captured, and types
//! say whether they hold scope memory, but for closures, of which nobody can see what they captured. So in a program
//! with tasks each closure that captured scope memory notes the task that made it and refuses to run in another.

use medi_syntax::source::Span;

use super::Entry;
use super::expr::Dest;
use super::func::{Body, Header, Slot};
use super::instantiate::inhabited;
use super::walk;
use crate::hir::{Expr, FuncId, LocalId, Task};
use crate::mir::{Local, Operand, Rvalue};
use crate::types::{Ty, TyId, Types};

impl<'h> Body<'_, 'h> {
    /// A named function as a value: a closure without captures.
    pub fn func_value(&mut self, func: FuncId, type_args: &[TyId], ty: TyId, span: Span) -> Rvalue {
        let type_args = type_args.iter().map(|ty| self.ty(*ty, span)).collect();
        let asker = self.asker.clone();
        let function = self.cx.instance(func, type_args, Entry::Value, span, Some(&asker));
        Rvalue::NewClosure { function, ty, captures: vec![] }
    }

    pub fn closure(
        &mut self,
        params: &[LocalId],
        body: &'h Expr,
        task: Option<Task>,
        ty: TyId,
        span: Span,
    ) -> Rvalue {
        let result = match self.get(ty) {
            Ty::Func { result, .. } => inhabited(*result),
            _ => return self.ill_typed("a closure", ty),
        };
        let captured: Vec<(LocalId, Slot)> = walk::mentioned(body)
            .into_iter()
            .filter_map(|local| self.slots[local.0 as usize].map(|slot| (local, slot)))
            .collect();
        let sources = captured.iter().map(|(_, Slot::Local(source) | Slot::Cell(source))| *source);
        let mut sources: Vec<Local> = sources.collect();
        let types: Vec<TyId> = sources.iter().map(|source| self.local_ty(*source)).collect();
        if let Some(task) = task {
            let borrowed = |ty: &TyId| task == Task::Parallel && self.get(*ty).may_be_lent();
            let taken: Vec<TyId> =
                types.iter().copied().filter(|ty| !borrowed(ty)).chain([result]).collect();
            for ty in taken {
                self.cx.refuse_scope_memory(ty, &self.asker, span);
            }
            for (source, (_, slot)) in sources.iter_mut().zip(&captured) {
                if let Slot::Cell(shared) = slot {
                    *source = self.copied_cell(*shared, span);
                }
            }
        }
        let owned = task.is_none()
            && self.cx.hir.tasks
            && types.iter().any(|ty| self.cx.holds_scope_memory(*ty));
        let owner = owned.then(|| {
            let owner = self.plain_native("task_number", &[], Types::INT, vec![], span);
            self.temp_of(owner, Types::INT, span)
        });
        let types = types.into_iter().chain(owner.iter().map(|_| Types::INT)).collect();
        let header = Header {
            name: format!("{}.closure", self.header.name.trim_end_matches(".closure")),
            captures: Some(types),
            result,
            span,
        };
        let function = self.cx.reserve();
        let owner_capture = sources.len() as u32;
        let mut inner =
            Body::new(self.cx, self.func, self.type_args.clone(), self.asker.clone(), header);
        inner.declare_params(params);
        for (index, (local, slot)) in captured.into_iter().enumerate() {
            inner.declare_capture(index as u32, local, slot);
        }
        if owner.is_some() {
            let owner = inner.temp_of(Rvalue::Capture(owner_capture), Types::INT, span);
            let check =
                inner.plain_native("task_require", &[Types::INT], Types::UNIT, vec![owner], span);
            inner.temp_of(check, Types::UNIT, span);
        }
        inner.whole(body);
        let lowered = inner.finish();
        self.cx.functions[function.index()] = Some(lowered);
        let captures = sources.into_iter().map(Operand::Copy).chain(owner).collect();
        Rvalue::NewClosure { function, ty, captures }
    }

    /// A box of its own with what another holds now.
    fn copied_cell(&mut self, cell: Local, span: Span) -> Local {
        let ty = self.local_ty(cell);
        let Ty::Cell(inner) = *self.get(ty) else { unreachable!("a box is a cell") };
        let value = self.temp_of(Rvalue::GetCell(Operand::Copy(cell)), inner, span);
        let copy = self.temp(ty, span);
        self.assign(copy, Rvalue::NewCell { ty, value }, span);
        copy
    }

    fn declare_capture(&mut self, index: u32, local: LocalId, outer: Slot) {
        let declared = &self.func.locals[local.0 as usize];
        let (slot, inner) = match (outer, self.slot(local)) {
            (Slot::Local(_), slot @ Slot::Local(inner)) => (slot, inner),
            (Slot::Cell(_), slot @ Slot::Cell(inner)) => (slot, inner),
            _ => unreachable!("a local is boxed in every function or in none"),
        };
        self.slots[local.0 as usize] = Some(slot);
        self.assign(inner, Rvalue::Capture(index), declared.span);
    }

    /// Gives a local its first value, without a temporary where it has a place.
    pub fn initialise_from(&mut self, local: LocalId, value: &'h Expr, span: Span) {
        match self.slot(local) {
            Slot::Local(local) if self.local_ty(local) == Types::UNIT => {
                self.effect(value);
                self.assign(local, Rvalue::Use(super::expr::UNIT), span);
            }
            Slot::Local(local) => self.lower(value, Dest::Into(local)),
            Slot::Cell(_) => {
                let value = self.value(value);
                self.initialise(local, value, span);
            }
        }
    }
}
