//! Operators: arithmetic, comparison, equality and order, by the concrete type of their operands.

use medi_syntax::ast::BinaryOp as AstOp;
use medi_syntax::source::Span;

use super::expr::int;
use super::func::Body;
use crate::hir::{Conversion, Expr, ExprKind};
use crate::mir::{BinaryOp, Comparison, Const, NativeParam, Operand, Rvalue, UnaryOp};
use crate::types::{Ty, TyId, Types};

/// How values of a type are compared.
enum Comparing {
    /// One machine value.
    Scalar,
    Float,
    Text,
    /// By the runtime, with the type's shape.
    Shaped,
}

impl<'h> Body<'_, 'h> {
    /// An operator of two operands that are both evaluated.
    pub fn binary(&mut self, op: AstOp, left: &'h Expr, right: &'h Expr, span: Span) -> Rvalue {
        let ty = self.expr_ty(left);
        if let AstOp::Eq | AstOp::Ne = op {
            // `x == nil` asks one bit.
            let other = if is_nil(right) {
                Some(left)
            } else if is_nil(left) {
                Some(right)
            } else {
                None
            };
            if let Some(other) = other {
                let value = self.value(other);
                let is_some = Rvalue::IsSome(value);
                if op == AstOp::Ne {
                    return is_some;
                }
                let is_some = self.temp_of(is_some, Types::BOOL, span);
                return Rvalue::Unary(UnaryOp::Not, is_some);
            }
        }
        let (left, right) = self.pair(left, right);
        self.apply(op, ty, left, right, span)
    }

    /// `left op right` of two values of type `ty`; not for `and` and `or`.
    pub fn apply(
        &mut self,
        op: AstOp,
        ty: TyId,
        left: Operand,
        right: Operand,
        span: Span,
    ) -> Rvalue {
        let numeric = |int: BinaryOp, float: BinaryOp| match ty {
            Types::INT => Some(int),
            Types::FLOAT => Some(float),
            _ => None,
        };
        let op = match op {
            AstOp::Eq => return self.equality(ty, left, right, span, false),
            AstOp::Ne => return self.equality(ty, left, right, span, true),
            AstOp::Lt => return self.ordering(Comparison::Lt, ty, left, right, span),
            AstOp::Le => return self.ordering(Comparison::Le, ty, left, right, span),
            AstOp::Gt => return self.ordering(Comparison::Gt, ty, left, right, span),
            AstOp::Ge => return self.ordering(Comparison::Ge, ty, left, right, span),
            AstOp::Add if ty == Types::STR => {
                let params = [Types::STR, Types::STR];
                let args = vec![left, right];
                return self.plain_native("string_concat", &params, Types::STR, args, span);
            }
            AstOp::Pow => {
                let symbol = if ty == Types::FLOAT { "pow_float" } else { "pow_int" };
                return self.plain_native(symbol, &[ty, ty], ty, vec![left, right], span);
            }
            AstOp::Rem if ty == Types::FLOAT => {
                return self.plain_native("rem_float", &[ty, ty], ty, vec![left, right], span);
            }
            AstOp::Add => numeric(BinaryOp::AddInt, BinaryOp::AddFloat),
            AstOp::Sub => numeric(BinaryOp::SubInt, BinaryOp::SubFloat),
            AstOp::Mul => numeric(BinaryOp::MulInt, BinaryOp::MulFloat),
            AstOp::Div => numeric(BinaryOp::DivInt, BinaryOp::DivFloat),
            AstOp::Rem => numeric(BinaryOp::RemInt, BinaryOp::RemInt),
            AstOp::And | AstOp::Or => unreachable!("`and` and `or` branch"),
        };
        match op {
            Some(op) => Rvalue::Binary(op, left, right),
            None => self.ill_typed("arithmetic", ty),
        }
    }

    pub fn negate(&mut self, value: &'h Expr, span: Span) -> Rvalue {
        let ty = self.expr_ty(value);
        match (self.value(value), ty) {
            (Operand::Const(Const::Int(known)), _) if known != i64::MIN => Rvalue::Use(int(-known)),
            (Operand::Const(Const::Float(known)), _) => {
                Rvalue::Use(Operand::Const(Const::Float(-known)))
            }
            (value, Types::INT) => Rvalue::Unary(UnaryOp::NegInt, value),
            (value, Types::FLOAT) => Rvalue::Unary(UnaryOp::NegFloat, value),
            (value, Types::BYTE) => {
                let wide = self.temp_of(Rvalue::Unary(UnaryOp::ByteToInt, value), Types::INT, span);
                let negated = Rvalue::Unary(UnaryOp::NegInt, wide);
                let negated = self.temp_of(negated, Types::INT, span);
                Rvalue::Unary(UnaryOp::IntToByte, negated)
            }
            _ => self.ill_typed("a negation", ty),
        }
    }

    fn comparing(&self, ty: TyId) -> Comparing {
        match self.get(ty) {
            Ty::Int | Ty::Byte | Ty::Bool => Comparing::Scalar,
            Ty::Float => Comparing::Float,
            Ty::Str => Comparing::Text,
            Ty::Enum(..) if self.cx.is_plain_enum(ty) => Comparing::Scalar,
            _ => Comparing::Shaped,
        }
    }

    /// `left == right`, or its opposite.
    pub fn equality(
        &mut self,
        ty: TyId,
        left: Operand,
        right: Operand,
        span: Span,
        negate: bool,
    ) -> Rvalue {
        let comparison = if negate { Comparison::Ne } else { Comparison::Eq };
        if matches!(ty, Types::UNIT | Types::NEVER) {
            return Rvalue::Use(Operand::Const(Const::Bool(!negate)));
        }
        let args = vec![left.clone(), right.clone()];
        let equal = match self.comparing(ty) {
            Comparing::Scalar => {
                return Rvalue::Binary(BinaryOp::Compare(comparison), left, right);
            }
            Comparing::Float => {
                return Rvalue::Binary(BinaryOp::CompareFloat(comparison), left, right);
            }
            Comparing::Text => {
                let params = [Types::STR, Types::STR];
                self.plain_native("string_equal", &params, Types::BOOL, args, span)
            }
            Comparing::Shaped => {
                let asker = self.asker.clone();
                self.cx.require_equality(ty, "this", &asker, span);
                let params = vec![NativeParam::Shaped(ty); 2];
                let native = self.native("equals", params, Types::BOOL, span);
                Rvalue::CallNative { native, args }
            }
        };
        if !negate {
            return equal;
        }
        let equal = self.temp_of(equal, Types::BOOL, span);
        Rvalue::Unary(UnaryOp::Not, equal)
    }

    fn ordering(
        &mut self,
        comparison: Comparison,
        ty: TyId,
        left: Operand,
        right: Operand,
        span: Span,
    ) -> Rvalue {
        let (ty, left, right) = self.counted(ty, left, right, span);
        match self.comparing(ty) {
            Comparing::Scalar if !self.cx.is_plain_enum(ty) => {
                Rvalue::Binary(BinaryOp::Compare(comparison), left, right)
            }
            Comparing::Float => Rvalue::Binary(BinaryOp::CompareFloat(comparison), left, right),
            _ => {
                let sign = self.three_way(ty, left, right, "this", span);
                let sign = self.operand_of(sign, Types::INT, span);
                Rvalue::Binary(BinaryOp::Compare(comparison), sign, int(0))
            }
        }
    }

    /// Below, at or above zero as `left` stands before, with or after `right`. All NaN stand together,
    /// after every number.
    pub fn three_way(
        &mut self,
        ty: TyId,
        left: Operand,
        right: Operand,
        operation: &str,
        span: Span,
    ) -> Rvalue {
        if ty == Types::NEVER {
            return Rvalue::Use(int(0));
        }
        let (ty, left, right) = self.counted(ty, left, right, span);
        let args = vec![left.clone(), right.clone()];
        match self.comparing(ty) {
            Comparing::Scalar if !self.cx.is_plain_enum(ty) => {
                let after = self.compared(BinaryOp::Compare(Comparison::Gt), &left, &right, span);
                let before = self.compared(BinaryOp::Compare(Comparison::Lt), &left, &right, span);
                Rvalue::Binary(BinaryOp::SubInt, after, before)
            }
            Comparing::Float => {
                let test = BinaryOp::CompareFloat;
                let after = self.compared(test(Comparison::Gt), &left, &right, span);
                let before = self.compared(test(Comparison::Lt), &left, &right, span);
                let left_nan = self.compared(test(Comparison::Ne), &left, &left, span);
                let right_nan = self.compared(test(Comparison::Ne), &right, &right, span);
                let numbers = Rvalue::Binary(BinaryOp::SubInt, after, before);
                let numbers = self.temp_of(numbers, Types::INT, span);
                let nans = Rvalue::Binary(BinaryOp::SubInt, left_nan, right_nan);
                let nans = self.temp_of(nans, Types::INT, span);
                // At most one of the two is not zero.
                Rvalue::Binary(BinaryOp::AddUnchecked, numbers, nans)
            }
            Comparing::Text => {
                let params = [Types::STR, Types::STR];
                self.plain_native("string_compare", &params, Types::INT, args, span)
            }
            _ => {
                let asker = self.asker.clone();
                self.cx.require_order(ty, operation, &asker, span);
                let params = vec![NativeParam::Shaped(ty); 2];
                let native = self.native("compare", params, Types::INT, span);
                Rvalue::CallNative { native, args }
            }
        }
    }

    /// Bools as ints, which have an order; other values as they are.
    fn counted(
        &mut self,
        ty: TyId,
        left: Operand,
        right: Operand,
        span: Span,
    ) -> (TyId, Operand, Operand) {
        if ty != Types::BOOL {
            return (ty, left, right);
        }
        let left = self.temp_of(Rvalue::Unary(UnaryOp::BoolToInt, left), Types::INT, span);
        let right = self.temp_of(Rvalue::Unary(UnaryOp::BoolToInt, right), Types::INT, span);
        (Types::INT, left, right)
    }

    /// A comparison as 0 or 1.
    fn compared(&mut self, op: BinaryOp, left: &Operand, right: &Operand, span: Span) -> Operand {
        let holds = Rvalue::Binary(op, left.clone(), right.clone());
        let holds = self.temp_of(holds, Types::BOOL, span);
        self.temp_of(Rvalue::Unary(UnaryOp::BoolToInt, holds), Types::INT, span)
    }

    /// The hash of a value, for maps.
    pub fn hash(&mut self, ty: TyId, value: Operand, span: Span) -> Rvalue {
        let int = match self.get(ty) {
            Ty::Int => value,
            Ty::Byte => self.temp_of(Rvalue::Unary(UnaryOp::ByteToInt, value), Types::INT, span),
            Ty::Bool => self.temp_of(Rvalue::Unary(UnaryOp::BoolToInt, value), Types::INT, span),
            Ty::Enum(..) if self.cx.is_plain_enum(ty) => {
                self.temp_of(Rvalue::VariantTag(value), Types::INT, span)
            }
            Ty::Str => {
                return self.plain_native("string_hash", &[ty], Types::INT, vec![value], span);
            }
            _ => {
                let asker = self.asker.clone();
                self.cx.require_hash(ty, "the map", &asker, span);
                let params = vec![NativeParam::Shaped(ty)];
                let native = self.native("hash", params, Types::INT, span);
                return Rvalue::CallNative { native, args: vec![value] };
            }
        };
        self.plain_native("hash_int", &[Types::INT], Types::INT, vec![int], span)
    }
}

/// A `nil` that was written, perhaps with a conversion around it.
fn is_nil(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Nil => true,
        ExprKind::Convert { conversion: Conversion::ToOptional, value } => is_nil(value),
        _ => false,
    }
}
