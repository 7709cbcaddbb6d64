//! Places: what can be read by index and stood on the left of `=`.
//!
//! A [`Place`] holds the evaluated parts; reading and writing it evaluates nothing of the program again.

use medi_syntax::ast::BinaryOp as AstOp;
use medi_syntax::source::Span;

use super::expr::Dest;
use super::func::{Body, Slot};
use super::walk;
use crate::hir::{Expr, ExprKind};
use crate::mir::{Local, Operand, Ordering, Rvalue, StmtKind};
use crate::types::{Ty, TyId, Types};

#[derive(Clone)]
pub(super) enum Place {
    Local(Local),
    Cell(Operand),
    Field { object: Operand, field: u32 },
    OwnField { object: Operand, field: u32 },
    ListElement { list: Operand, index: Operand, element: TyId },
    ArrayElement { array: Operand, index: Operand },
    ScopeElement { base: Operand, index: Operand },
    Atomic { view: Operand, index: Operand },
    MapEntry { map: Operand, key: Operand, type_args: Vec<TyId> },
    TuplePart { whole: Box<Place>, whole_ty: TyId, index: u32 },
}

impl<'h> Body<'_, 'h> {
    /// `target = value`, or `target op= value`.
    pub fn assignment(&mut self, target: &'h Expr, op: Option<AstOp>, value: &'h Expr, span: Span) {
        let ty = self.expr_ty(target);
        if let (ExprKind::Local(local), None) = (&target.kind, op)
            && let Slot::Local(local) = self.slot(*local)
        {
            self.lower(value, Dest::Into(local));
            return;
        }
        let place = self.place(target, walk::assigns(value));
        let new = self.value(value);
        let new = match op {
            None => new,
            Some(op) => {
                let place = self.resolved(place, target.span);
                // A read that follows the value's evaluation: the value may have changed the content.
                let old = self.read(&place, target.span);
                let old = self.operand_of(old, ty, target.span);
                let combined = self.apply(op, ty, old, new, span);
                if let Place::Local(local) = place {
                    self.assign(local, combined, span);
                    return;
                }
                let new = self.operand_of(combined, ty, span);
                self.write(&place, ty, new, target.span);
                return;
            }
        };
        self.write(&place, ty, new, target.span);
    }

    /// The place of a list's element as one of its array, bounds checked. Nothing may happen to the list
    /// between this and the use.
    fn resolved(&mut self, place: Place, span: Span) -> Place {
        match place {
            Place::ListElement { list, index, element } => {
                let len = self.list_len(&list, span);
                self.bounds(&index, len, span);
                let array = self.list_items(&list, element, span);
                Place::ArrayElement { array, index }
            }
            Place::TuplePart { whole, whole_ty, index } => {
                let whole = Box::new(self.resolved(*whole, span));
                Place::TuplePart { whole, whole_ty, index }
            }
            other => other,
        }
    }

    /// Evaluates the parts of a place. With `pin` they keep their value when locals change.
    fn place(&mut self, target: &'h Expr, pin: bool) -> Place {
        let span = target.span;
        match &target.kind {
            ExprKind::Local(local) => match self.slot(*local) {
                Slot::Local(local) => Place::Local(local),
                Slot::Cell(cell) => Place::Cell(Operand::Copy(cell)),
            },
            ExprKind::Field { base, field } => {
                let object = self.value(base);
                let object = if pin { self.pin(object, span) } else { object };
                let field = *field;
                match self.is_own(base) {
                    true => Place::OwnField { object, field },
                    false => Place::Field { object, field },
                }
            }
            ExprKind::TupleField { base, index } => {
                let whole_ty = self.expr_ty(base);
                let whole = Box::new(self.place(base, pin));
                Place::TuplePart { whole, whole_ty, index: *index }
            }
            ExprKind::Index { base, index } => {
                let (base_value, mut index) = self.pair(base, index);
                let mut base_value = base_value;
                if pin {
                    base_value = self.pin(base_value, span);
                    index = self.pin(index, span);
                }
                self.indexed(base, base_value, index)
            }
            // A place in something that has none of its own, such as the result of a call: the change
            // can be seen only by what made it.
            _ => {
                let ty = self.expr_ty(target);
                let value = self.value(target);
                let temp = self.temp(ty, span);
                self.assign(temp, Rvalue::Use(value), span);
                Place::Local(temp)
            }
        }
    }

    fn indexed(&mut self, base: &Expr, value: Operand, index: Operand) -> Place {
        let ty = self.expr_ty(base);
        let lang = self.cx.hir.lang;
        match self.get(ty) {
            Ty::Record(id, args) if *id == lang.list => {
                Place::ListElement { list: value, index, element: args[0] }
            }
            Ty::Record(id, args) if *id == lang.map => {
                Place::MapEntry { map: value, key: index, type_args: args.clone() }
            }
            Ty::View(element) if matches!(self.get(*element), Ty::Atomic(_)) => {
                Place::Atomic { view: value, index }
            }
            Ty::Buffer | Ty::View(_) | Ty::Owned(_) => Place::ScopeElement { base: value, index },
            // Also what an unreachable place of type `Never` becomes.
            _ => Place::ArrayElement { array: value, index },
        }
    }

    /// `base[index]` as a value.
    pub fn index(&mut self, base: &'h Expr, index: &'h Expr, span: Span) -> Rvalue {
        let (value, index) = self.pair(base, index);
        let place = self.indexed(base, value, index);
        self.read(&place, span)
    }

    /// The content of a place.
    fn read(&mut self, place: &Place, span: Span) -> Rvalue {
        match place {
            Place::Local(local) => Rvalue::Use(Operand::Copy(*local)),
            Place::Cell(cell) => Rvalue::GetCell(cell.clone()),
            Place::Field { object, field } => {
                Rvalue::GetField { object: object.clone(), field: *field }
            }
            Place::OwnField { object, field } => {
                Rvalue::GetOwnField { object: object.clone(), field: *field }
            }
            Place::ListElement { .. } => {
                let place = self.resolved(place.clone(), span);
                self.read(&place, span)
            }
            Place::ArrayElement { array, index } => {
                self.array_bounds(array, index, span);
                Rvalue::GetElem { array: array.clone(), index: index.clone() }
            }
            Place::ScopeElement { base, index } => {
                Rvalue::GetScopeElem { base: base.clone(), index: index.clone() }
            }
            Place::Atomic { view, index } => {
                let order = Ordering::SeqCst;
                Rvalue::AtomicLoad { view: view.clone(), index: index.clone(), order }
            }
            Place::MapEntry { map, key, type_args } => {
                let at = self.cx.hir.lang.map_at;
                let args = vec![map.clone(), key.clone()];
                self.call_concrete(at, type_args.clone(), args, span)
            }
            Place::TuplePart { whole, whole_ty, index } => {
                let tuple = self.read(whole, span);
                let tuple = self.operand_of(tuple, *whole_ty, span);
                Rvalue::GetTuple { tuple, index: *index }
            }
        }
    }

    /// Puts a value of type `ty` into a place.
    fn write(&mut self, place: &Place, ty: TyId, value: Operand, span: Span) {
        let barrier = self.cx.holds_references(ty);
        match place {
            Place::Local(local) => self.assign(*local, Rvalue::Use(value), span),
            Place::Cell(cell) => {
                self.barrier(barrier, cell, span);
                self.emit(StmtKind::SetCell { cell: cell.clone(), value }, span);
            }
            Place::Field { object, field } => {
                self.barrier(barrier, object, span);
                let object = object.clone();
                self.emit(StmtKind::SetField { object, field: *field, value }, span);
            }
            Place::OwnField { object, field } => {
                let object = object.clone();
                self.emit(StmtKind::SetOwnField { object, field: *field, value }, span);
            }
            Place::ListElement { .. } => {
                let place = self.resolved(place.clone(), span);
                self.write(&place, ty, value, span);
            }
            Place::ArrayElement { array, index } => {
                self.array_bounds(array, index, span);
                self.barrier(barrier, array, span);
                let (array, index) = (array.clone(), index.clone());
                self.emit(StmtKind::SetElem { array, index, value }, span);
            }
            Place::ScopeElement { base, index } => {
                let (base, index) = (base.clone(), index.clone());
                self.emit(StmtKind::SetScopeElem { base, index, value }, span);
            }
            Place::Atomic { view, index } => {
                let (view, index, order) = (view.clone(), index.clone(), Ordering::SeqCst);
                self.emit(StmtKind::AtomicStore { view, index, value, order }, span);
            }
            Place::MapEntry { map, key, type_args } => {
                let set = self.cx.hir.lang.map_set;
                let args = vec![map.clone(), key.clone(), value];
                let call = self.call_concrete(set, type_args.clone(), args, span);
                self.temp_of(call, Types::UNIT, span);
            }
            Place::TuplePart { whole, whole_ty, index } => {
                let whole = self.resolved((**whole).clone(), span);
                let old = self.read(&whole, span);
                let old = self.operand_of(old, *whole_ty, span);
                let Ty::Tuple(parts) = self.get(*whole_ty).clone() else {
                    self.ill_typed("a part of a tuple", *whole_ty);
                    return;
                };
                let mut new = vec![];
                for (at, part) in parts.iter().enumerate() {
                    let tuple = old.clone();
                    new.push(if at as u32 == *index {
                        value.clone()
                    } else {
                        let get = Rvalue::GetTuple { tuple, index: at as u32 };
                        self.temp_of(get, *part, span)
                    });
                }
                let new = self.temp_of(Rvalue::MakeTuple(new), *whole_ty, span);
                self.write(&whole, *whole_ty, new, span);
            }
        }
    }

    fn barrier(&mut self, needed: bool, object: &Operand, span: Span) {
        if needed {
            self.emit(StmtKind::Barrier { object: object.clone() }, span);
        }
    }
}
