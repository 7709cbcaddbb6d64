//! Expressions.
//!
//! Three ways to ask for one: [`Body::value`] wants an operand, [`Body::lower`] wants the value in a
//! given local or not at all, [`Body::rvalue`] wants whatever makes it. Expressions that branch write
//! their destination as the last thing on each path, so that it may be a local they read.

use medi_syntax::ast::BinaryOp as AstOp;
use medi_syntax::source::Span;

use super::func::{Body, Slot};
use super::instantiate::inhabited;
use super::literal::in_order;
use super::pattern::Subject;
use super::walk;
use crate::hir::{Cond, Conversion, Expr, ExprKind};
use crate::mir::{
    BlockId, Const, Local, NativeParam, Operand, Rvalue, TerminatorKind, Trap, UnaryOp,
};
use crate::types::{Ty, TyId, Types};

/// What to do with a value.
#[derive(Clone, Copy)]
pub(super) enum Dest {
    Discard,
    Into(Local),
}

pub(super) const UNIT: Operand = Operand::Const(Const::Unit);

pub(super) fn int(value: i64) -> Operand {
    Operand::Const(Const::Int(value))
}

impl<'h> Body<'_, 'h> {
    /// Evaluates for what it does.
    pub fn effect(&mut self, expr: &'h Expr) {
        self.lower(expr, Dest::Discard);
    }

    /// Evaluates, and puts the value where `dest` says.
    pub fn lower(&mut self, expr: &'h Expr, dest: Dest) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::If { cond, then, otherwise } => {
                let then_block = self.new_block();
                let join = self.new_block();
                let else_block = if otherwise.is_some() { self.new_block() } else { join };
                self.condition(cond, then_block, else_block);
                self.switch_to(then_block);
                self.lower(then, if otherwise.is_some() { dest } else { Dest::Discard });
                self.goto(join, span);
                if let Some(otherwise) = otherwise {
                    self.switch_to(else_block);
                    self.lower(otherwise, dest);
                    self.goto(join, span);
                }
                self.switch_to(join);
                if otherwise.is_none() {
                    self.deliver(Rvalue::Use(UNIT), dest, Types::UNIT, span);
                }
            }
            ExprKind::Match { subject, arms } => self.match_expr(subject, arms, dest, span),
            ExprKind::Block { stmts, value } => {
                for stmt in stmts {
                    self.stmt(stmt);
                }
                match value {
                    Some(value) => self.lower(value, dest),
                    None => self.deliver(Rvalue::Use(UNIT), dest, Types::UNIT, span),
                }
            }
            ExprKind::Scope { name, body, end } => {
                self.enter_scope(name.clone(), span);
                self.lower(body, dest);
                self.leave_scope(*end);
            }
            ExprKind::Binary { op: op @ (AstOp::And | AstOp::Or), left, right } => {
                let rest = self.new_block();
                let short = self.new_block();
                let join = self.new_block();
                let (then, otherwise) =
                    if *op == AstOp::And { (rest, short) } else { (short, rest) };
                self.condition_expr(left, then, otherwise);
                self.switch_to(rest);
                self.lower(right, dest);
                self.goto(join, span);
                self.switch_to(short);
                let decided = Operand::Const(Const::Bool(*op == AstOp::Or));
                self.deliver(Rvalue::Use(decided), dest, Types::BOOL, span);
                self.goto(join, span);
                self.switch_to(join);
            }
            ExprKind::Coalesce { left, right } => {
                let optional = self.expr_ty(left);
                let result = self.expr_ty(expr);
                let value = self.value(left);
                let value = self.pin(value, left.span);
                let absent = self.new_block();
                let join = self.new_block();
                self.expect_some(value.clone(), absent, span);
                let present = self.unwrapped(value, optional, result);
                self.deliver(present, dest, result, span);
                self.goto(join, span);
                self.switch_to(absent);
                self.lower(right, dest);
                self.goto(join, span);
                self.switch_to(join);
            }
            ExprKind::OptionalChain { value, local, body } => {
                let optional = self.expr_ty(value);
                let result = self.expr_ty(expr);
                let subject = self.value(value);
                let absent = self.new_block();
                let join = self.new_block();
                self.expect_some(subject.clone(), absent, span);
                let bound = self.func.locals[local.0 as usize].ty;
                let bound = self.ty(bound, span);
                let present = self.unwrapped(subject, optional, bound);
                let present = self.operand_of(present, bound, span);
                self.initialise(*local, present, span);
                let inner = self.expr_ty(body);
                if matches!(self.get(result), Ty::Optional(_)) {
                    let value = self.value(body);
                    let some = self.wrapped(value, inner, result);
                    self.deliver(some, dest, result, span);
                    self.goto(join, span);
                    self.switch_to(absent);
                    let nil = Operand::Const(Const::Nil(result));
                    self.deliver(Rvalue::Use(nil), dest, result, span);
                } else {
                    // A call that returns nothing: there is nothing to be nil.
                    self.effect(body);
                    self.goto(join, span);
                    self.switch_to(absent);
                }
                self.goto(join, span);
                self.switch_to(join);
            }
            _ => {
                let ty = self.expr_ty(expr);
                let rvalue = self.rvalue(expr);
                self.deliver(rvalue, dest, ty, span);
            }
        }
    }

    /// Puts a value where `dest` says; one that nobody wants is still computed if that can stop the
    /// program or do something else that shows.
    fn deliver(&mut self, rvalue: Rvalue, dest: Dest, ty: TyId, span: Span) {
        match dest {
            Dest::Into(local) => self.assign(local, rvalue, span),
            Dest::Discard => {
                let shows = matches!(
                    rvalue,
                    Rvalue::Unary(..)
                        | Rvalue::Binary(..)
                        | Rvalue::Call { .. }
                        | Rvalue::CallClosure { .. }
                        | Rvalue::CallNative { .. }
                        | Rvalue::NewArray { .. }
                        | Rvalue::Allocate { .. }
                        | Rvalue::MakeView { .. }
                        | Rvalue::SliceView { .. }
                        | Rvalue::SplitView { .. }
                        | Rvalue::NewOwn { .. }
                        | Rvalue::GetOwnField { .. }
                        | Rvalue::OwnedBuffer { .. }
                        | Rvalue::Unpin(_)
                        | Rvalue::Share(_)
                        | Rvalue::Downgrade { .. }
                        | Rvalue::Upgrade { .. }
                        | Rvalue::ShareCount(_)
                        | Rvalue::AtomicLoad { .. }
                        | Rvalue::AtomicUpdate { .. }
                        | Rvalue::AtomicCompareSwap { .. }
                        | Rvalue::ScopeLen(_)
                        | Rvalue::GetScopeElem { .. }
                );
                if shows {
                    let unused = self.temp(ty, span);
                    self.assign(unused, rvalue, span);
                }
            }
        }
    }

    /// The value as an operand: a constant, the local it names, or a temporary.
    pub fn value(&mut self, expr: &'h Expr) -> Operand {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(value) => {
                let byte = self.expr_ty(expr) == Types::BYTE;
                Operand::Const(if byte { Const::Byte(*value as u8) } else { Const::Int(*value) })
            }
            ExprKind::Float(value) => Operand::Const(Const::Float(*value)),
            ExprKind::Bool(value) => Operand::Const(Const::Bool(*value)),
            ExprKind::Str(text) => self.text(text),
            ExprKind::Nil => {
                let ty = self.expr_ty(expr);
                Operand::Const(Const::Nil(ty))
            }
            ExprKind::Unit => UNIT,
            ExprKind::Local(local) => match self.slot(*local) {
                Slot::Local(local) => Operand::Copy(local),
                Slot::Cell(cell) => {
                    let ty = self.expr_ty(expr);
                    self.temp_of(Rvalue::GetCell(Operand::Copy(cell)), ty, span)
                }
            },
            ExprKind::Block { stmts, value } => {
                for stmt in stmts {
                    self.stmt(stmt);
                }
                value.as_ref().map_or(UNIT, |value| self.value(value))
            }
            ExprKind::Scope { name, body, end } => {
                self.enter_scope(name.clone(), span);
                let value = self.value(body);
                self.leave_scope(*end);
                value
            }
            ExprKind::If { .. }
            | ExprKind::Match { .. }
            | ExprKind::Binary { op: AstOp::And | AstOp::Or, .. }
            | ExprKind::Coalesce { .. }
            | ExprKind::OptionalChain { .. } => {
                let ty = inhabited(self.expr_ty(expr));
                if ty == Types::UNIT {
                    self.lower(expr, Dest::Discard);
                    return UNIT;
                }
                let temp = self.temp(ty, span);
                self.lower(expr, Dest::Into(temp));
                Operand::Copy(temp)
            }
            _ => {
                let ty = self.expr_ty(expr);
                let rvalue = self.rvalue(expr);
                self.operand_of(rvalue, ty, span)
            }
        }
    }

    /// The values, left to right.
    pub fn values(&mut self, exprs: impl IntoIterator<Item = &'h Expr>) -> Vec<Operand> {
        let exprs: Vec<&'h Expr> = exprs.into_iter().collect();
        let last_assignment = exprs.iter().rposition(|expr| walk::assigns(expr)).unwrap_or(0);
        let mut values = vec![];
        for (index, expr) in exprs.iter().enumerate() {
            let value = self.value(expr);
            values.push(if index < last_assignment { self.pin(value, expr.span) } else { value });
        }
        values
    }

    /// Two values, the left one first.
    pub fn pair(&mut self, left: &'h Expr, right: &'h Expr) -> (Operand, Operand) {
        let first = self.value(left);
        let first = if walk::assigns(right) { self.pin(first, left.span) } else { first };
        (first, self.value(right))
    }

    /// What makes the value. For expressions that branch it is a use of what they left.
    fn rvalue(&mut self, expr: &'h Expr) -> Rvalue {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Nil
            | ExprKind::Unit
            | ExprKind::Local(_)
            | ExprKind::Block { .. }
            | ExprKind::Scope { .. }
            | ExprKind::If { .. }
            | ExprKind::Match { .. }
            | ExprKind::Coalesce { .. }
            | ExprKind::OptionalChain { .. } => Rvalue::Use(self.value(expr)),
            ExprKind::Binary { op, left, right } => match op {
                AstOp::And | AstOp::Or => Rvalue::Use(self.value(expr)),
                _ => self.binary(*op, left, right, span),
            },
            ExprKind::FuncValue { func, type_args } => {
                let ty = self.expr_ty(expr);
                self.func_value(*func, type_args, ty, span)
            }
            ExprKind::Closure { params, body, task } => {
                let ty = self.expr_ty(expr);
                self.closure(params, body, *task, ty, span)
            }
            ExprKind::Call { func, type_args, args } => self.call(*func, type_args, args, span),
            ExprKind::CallValue { callee, args } => {
                let mut values = self.values(std::iter::once(&**callee).chain(args));
                let callee = values.remove(0);
                Rvalue::CallClosure { callee, args: values }
            }
            ExprKind::Intrinsic { op, args } => {
                let ty = self.expr_ty(expr);
                self.intrinsic(*op, args, ty, span)
            }
            ExprKind::Convert { conversion, value } => {
                let ty = self.expr_ty(expr);
                self.convert(*conversion, value, ty, span)
            }
            ExprKind::Neg(value) => self.negate(value, span),
            ExprKind::Not(value) => match self.value(value) {
                Operand::Const(Const::Bool(known)) => {
                    Rvalue::Use(Operand::Const(Const::Bool(!known)))
                }
                value => Rvalue::Unary(UnaryOp::Not, value),
            },
            ExprKind::Assert(value) => {
                let optional = self.expr_ty(value);
                let ty = self.expr_ty(expr);
                let value = self.value(value);
                let absent = self.new_block();
                self.expect_some(value.clone(), absent, span);
                let present = self.unwrapped(value, optional, ty);
                let operand = self.operand_of(present, ty, span);
                let go_on = self.new_block();
                self.goto(go_on, span);
                self.switch_to(absent);
                self.terminate(TerminatorKind::Trap(Trap::NilAssert), span);
                self.switch_to(go_on);
                Rvalue::Use(operand)
            }
            ExprKind::Try(value) => {
                let outcome = self.value(value);
                let failed = self.new_block();
                let is_ok = self.temp_of(Rvalue::IsOk(outcome.clone()), Types::BOOL, span);
                let go_on = self.new_block();
                self.branch(is_ok, go_on, failed, span);
                self.switch_to(failed);
                let message = self.temp_of(Rvalue::UnwrapErr(outcome.clone()), Types::STR, span);
                let result = self.returned;
                let error = Rvalue::MakeErr { ty: result, message };
                let error = self.temp_of(error, result, span);
                self.leave_function(error, span);
                self.switch_to(go_on);
                Rvalue::UnwrapOk(outcome)
            }
            ExprKind::NewRecord { fields } => {
                let ty = self.expr_ty(expr);
                self.record_literal(fields, ty, span)
            }
            ExprKind::NewOwn { scope, fields } => {
                let ty = self.expr_ty(expr);
                let scope = self.open_scopes[*scope as usize];
                let values = self.values(fields.iter().map(|(_, value)| value));
                let places = fields.iter().map(|(place, _)| *place);
                let mut fields = in_order(places, values);
                if let Ty::Shared(_) = self.get(ty) {
                    fields.push(int(1));
                }
                Rvalue::NewOwn { scope, ty, fields }
            }
            ExprKind::NewVariant { variant, fields } => {
                let ty = self.expr_ty(expr);
                if self.cx.is_plain_enum(ty) {
                    return Rvalue::Use(Operand::Const(Const::Variant(ty, *variant)));
                }
                let values = self.values(fields.iter().map(|(_, value)| value));
                let places = fields.iter().map(|(place, _)| *place);
                let fields = in_order(places, values);
                Rvalue::NewVariant { ty, variant: *variant, fields }
            }
            ExprKind::Ok(value) => {
                let ty = self.expr_ty(expr);
                Rvalue::MakeOk { ty, value: self.value(value) }
            }
            ExprKind::Fail(message) => {
                let ty = self.expr_ty(expr);
                Rvalue::MakeErr { ty, message: self.value(message) }
            }
            ExprKind::Tuple(parts) => Rvalue::MakeTuple(self.values(parts)),
            ExprKind::List(elements) => {
                let ty = self.expr_ty(expr);
                self.list_literal(elements, ty, span)
            }
            ExprKind::Map(entries) => {
                let ty = self.expr_ty(expr);
                self.map_literal(entries, ty, span)
            }
            ExprKind::Field { base, field } => {
                let own = self.is_own(base);
                let (object, field) = (self.value(base), *field);
                match own {
                    true => Rvalue::GetOwnField { object, field },
                    false => Rvalue::GetField { object, field },
                }
            }
            ExprKind::TupleField { base, index } => {
                Rvalue::GetTuple { tuple: self.value(base), index: *index }
            }
            ExprKind::Index { base, index } => self.index(base, index, span),
            ExprKind::Interpolate(pieces) => self.interpolate(pieces, span),
            ExprKind::Print(pieces) => {
                self.print(pieces, span);
                Rvalue::Use(UNIT)
            }
            ExprKind::Return(value) => {
                let value = match value {
                    Some(value) if self.returned != Types::UNIT => self.value(value),
                    Some(value) => {
                        self.effect(value);
                        UNIT
                    }
                    None => UNIT,
                };
                self.leave_function(value, span);
                Rvalue::Use(UNIT)
            }
            ExprKind::Break => {
                let target = self.loops.last().expect("`break` stands in a loop");
                let (target, scopes) = (target.break_to, target.scopes);
                self.leave_to(target, scopes, span);
                Rvalue::Use(UNIT)
            }
            ExprKind::Continue => {
                let target = self.loops.last().expect("`continue` stands in a loop");
                let (target, scopes) = (target.continue_to, target.scopes);
                self.leave_to(target, scopes, span);
                Rvalue::Use(UNIT)
            }
        }
    }

    pub fn text(&mut self, text: &str) -> Operand {
        Operand::Const(Const::Str(self.cx.string(text)))
    }

    // Conditions

    pub fn condition(&mut self, cond: &'h Cond, then: BlockId, otherwise: BlockId) {
        match cond {
            Cond::Expr(expr) => self.condition_expr(expr, then, otherwise),
            Cond::Let { pattern, value } => {
                let ty = self.expr_ty(value);
                let subject = self.value(value);
                let subject = self.pin(subject, value.span);
                self.match_pattern(pattern, &Subject::new(subject, ty), Some(otherwise));
                self.goto(then, pattern.span);
            }
        }
    }

    /// Goes to `then` or `otherwise`, without a bool in between where there need be none.
    pub fn condition_expr(&mut self, expr: &'h Expr, then: BlockId, otherwise: BlockId) {
        match &expr.kind {
            ExprKind::Not(inner) => self.condition_expr(inner, otherwise, then),
            ExprKind::Binary { op: op @ (AstOp::And | AstOp::Or), left, right } => {
                let rest = self.new_block();
                if *op == AstOp::And {
                    self.condition_expr(left, rest, otherwise);
                } else {
                    self.condition_expr(left, then, rest);
                }
                self.switch_to(rest);
                self.condition_expr(right, then, otherwise);
            }
            _ => match self.value(expr) {
                Operand::Const(Const::Bool(true)) => self.goto(then, expr.span),
                Operand::Const(Const::Bool(false)) => self.goto(otherwise, expr.span),
                cond => self.branch(cond, then, otherwise, expr.span),
            },
        }
    }

    /// Whether the value is an object of a scope.
    pub fn is_own(&mut self, expr: &Expr) -> bool {
        let ty = self.expr_ty(expr);
        matches!(self.get(ty), Ty::Own(_) | Ty::Shared(_))
    }

    // Optionals and results. `T?` is `T` when `T` is itself optional, so that in an instance of a
    // generic function wrapping and unwrapping may have nothing to do.

    /// Goes on when `value` is not nil, else in `absent`.
    pub fn expect_some(&mut self, value: Operand, absent: BlockId, span: Span) {
        let is_some = self.temp_of(Rvalue::IsSome(value), Types::BOOL, span);
        self.expect(is_some, absent, span);
    }

    /// What `value` of type `optional` holds, as a `wanted`.
    pub fn unwrapped(&self, value: Operand, optional: TyId, wanted: TyId) -> Rvalue {
        if optional == wanted { Rvalue::Use(value) } else { Rvalue::UnwrapSome(value) }
    }

    /// `value` of type `ty` as an `optional`.
    fn wrapped(&self, value: Operand, ty: TyId, optional: TyId) -> Rvalue {
        if ty == optional { Rvalue::Use(value) } else { Rvalue::MakeSome { ty: optional, value } }
    }

    fn convert(&mut self, conversion: Conversion, value: &'h Expr, ty: TyId, span: Span) -> Rvalue {
        let from = self.expr_ty(value);
        match conversion {
            Conversion::IntToFloat => match self.value(value) {
                Operand::Const(Const::Int(known)) => {
                    Rvalue::Use(Operand::Const(Const::Float(known as f64)))
                }
                value => Rvalue::Unary(UnaryOp::IntToFloat, value),
            },
            Conversion::ByteToInt => match self.value(value) {
                Operand::Const(Const::Byte(known)) => Rvalue::Use(int(known.into())),
                value => Rvalue::Unary(UnaryOp::ByteToInt, value),
            },
            Conversion::ToOptional => {
                let value = self.value(value);
                self.wrapped(value, from, ty)
            }
            Conversion::UnwrapResult => {
                let outcome = self.value(value);
                self.unwrap_result(outcome, ty, span)
            }
            Conversion::FromNever => {
                self.effect(value);
                Rvalue::Use(UNIT)
            }
        }
    }

    /// The value of a result; a failure stops the program with its message.
    pub fn unwrap_result(&mut self, outcome: Operand, ty: TyId, span: Span) -> Rvalue {
        let is_ok = self.temp_of(Rvalue::IsOk(outcome.clone()), Types::BOOL, span);
        let failed = self.new_block();
        let go_on = self.new_block();
        self.branch(is_ok, go_on, failed, span);
        self.switch_to(failed);
        let message = self.temp_of(Rvalue::UnwrapErr(outcome.clone()), Types::STR, span);
        let params = vec![NativeParam::Plain(Types::STR)];
        let native = self.native("raise_failure", params, Types::UNIT, span);
        self.temp_of(Rvalue::CallNative { native, args: vec![message] }, Types::UNIT, span);
        self.terminate(TerminatorKind::Unreachable, span);
        self.switch_to(go_on);
        if inhabited(ty) == Types::UNIT { Rvalue::Use(UNIT) } else { Rvalue::UnwrapOk(outcome) }
    }
}
