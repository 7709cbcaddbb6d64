//! Literals of records, lists and maps: what is allocated when.
//!
//! Most objects are allocated once all that goes into them is known, so that storing it needs no barrier.
//! A record whose parts are built by calls is allocated *before* them, so that a tree lies in memory in
//! the order in which a walk from the root comes to its nodes; a collection may start during those calls,
//! so its stores have a barrier.

use medi_syntax::source::Span;

use super::expr::int;
use super::func::Body;
use crate::hir::{Conversion, Expr, ExprKind};
use crate::mir::{Const, Operand, Rvalue, StmtKind};
use crate::types::{Ty, TyId, Types};

/// A list literal with at most this many elements is evaluated before its array is made, which saves
/// the barriers.
const SMALL_LIST: usize = 8;

impl<'h> Body<'_, 'h> {
    /// Fields come in the order they are written in, each with its place.
    pub fn record_literal(&mut self, fields: &'h [(u32, Expr)], ty: TyId, span: Span) -> Rvalue {
        let empty = match fields.iter().any(|(_, value)| self.builds_a_part(value)) {
            true => fields.iter().map(|(_, value)| self.zero(value)).collect::<Option<Vec<_>>>(),
            false => None,
        };
        let places = || fields.iter().map(|(place, _)| *place);
        let Some(empty) = empty else {
            let values = self.values(fields.iter().map(|(_, value)| value));
            return Rvalue::NewRecord { ty, fields: in_order(places(), values) };
        };
        let new = Rvalue::NewRecord { ty, fields: in_order(places(), empty) };
        let object = self.temp_of(new, ty, span);
        let values = self.values(fields.iter().map(|(_, value)| value));
        self.emit(StmtKind::Barrier { object: object.clone() }, span);
        for (field, value) in places().zip(values) {
            self.emit(StmtKind::SetField { object: object.clone(), field, value }, span);
        }
        Rvalue::Use(object)
    }

    /// Whether the value is a record, or none, that a call gives: perhaps the root of a tree.
    fn builds_a_part(&mut self, value: &'h Expr) -> bool {
        let ExprKind::Convert { conversion: Conversion::ToOptional, value: inner } = &value.kind
        else {
            let ty = self.expr_ty(value);
            let is_part = match *self.get(ty) {
                Ty::Optional(inner) => matches!(self.get(inner), Ty::Record(..)),
                _ => false,
            };
            return is_part && is_call(value);
        };
        let ty = self.expr_ty(inner);
        matches!(self.get(ty), Ty::Record(..)) && is_call(inner)
    }

    /// What a field for the value holds before the value is known; `None` if there is no such thing.
    fn zero(&mut self, value: &'h Expr) -> Option<Operand> {
        let ty = self.expr_ty(value);
        let zero = match self.get(ty) {
            Ty::Int => Const::Int(0),
            Ty::Float => Const::Float(0.0),
            Ty::Bool => Const::Bool(false),
            Ty::Byte => Const::Byte(0),
            Ty::Optional(_) => Const::Nil(ty),
            _ => return None,
        };
        Some(Operand::Const(zero))
    }

    pub fn list_literal(&mut self, elements: &'h [Expr], ty: TyId, span: Span) -> Rvalue {
        let element = match self.get(ty) {
            Ty::Record(id, args) if *id == self.cx.hir.lang.list => args[0],
            _ => return self.ill_typed("a list literal", ty),
        };
        let array_ty = self.intern(Ty::Array(element), span);
        let len = int(elements.len() as i64);
        let new = Rvalue::NewArray { ty: array_ty, len: len.clone() };
        let set = |array: &Operand, index: usize, value: Operand| StmtKind::SetElem {
            array: array.clone(),
            index: int(index as i64),
            value,
        };
        let array = if elements.len() <= SMALL_LIST || elements.iter().all(is_constant) {
            // Nothing but stores follows the allocation: they initialise, without barriers.
            let values = self.values(elements);
            let array = self.temp_of(new, array_ty, span);
            for (index, value) in values.into_iter().enumerate() {
                self.emit(set(&array, index, value), span);
            }
            array
        } else {
            let barrier = self.cx.holds_references(element);
            let array = self.temp_of(new, array_ty, span);
            for (index, expr) in elements.iter().enumerate() {
                let value = self.value(expr);
                if barrier {
                    self.emit(StmtKind::Barrier { object: array.clone() }, expr.span);
                }
                self.emit(set(&array, index, value), expr.span);
            }
            array
        };
        Rvalue::NewRecord { ty, fields: vec![len, array] }
    }

    pub fn map_literal(&mut self, entries: &'h [(Expr, Expr)], ty: TyId, span: Span) -> Rvalue {
        let lang = self.cx.hir.lang;
        let type_args = match self.get(ty) {
            Ty::Record(id, args) if *id == lang.map => args.clone(),
            _ => return self.ill_typed("a map literal", ty),
        };
        let new = self.call_concrete(lang.map_new, type_args.clone(), vec![], span);
        let map = self.temp_of(new, ty, span);
        for (key, value) in entries {
            let (key_value, value) = self.pair(key, value);
            let args = vec![map.clone(), key_value, value];
            let set = self.call_concrete(lang.map_set, type_args.clone(), args, key.span);
            self.temp_of(set, Types::UNIT, key.span);
        }
        Rvalue::Use(map)
    }
}

fn is_call(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Call { .. } | ExprKind::CallValue { .. })
}

fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Nil => true,
        ExprKind::Neg(inner)
        | ExprKind::Convert {
            conversion: Conversion::IntToFloat | Conversion::ByteToInt,
            value: inner,
        } => is_constant(inner),
        _ => false,
    }
}

/// The values, each at its place.
pub(super) fn in_order(places: impl Iterator<Item = u32>, values: Vec<Operand>) -> Vec<Operand> {
    let mut placed: Vec<_> = places.zip(values).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, value)| value).collect()
}
