//! Constants: folded when the program is checked, and written into each use.
//!
//! A constant is made of literals, other constants, arithmetic, comparisons, strings and tuples. A
//! constant that needs itself is an error, and so is arithmetic that would stop a running program.

use medi_syntax::ast::{self, BinaryOp, ExprKind, StrPart, UnaryOp};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::Checker;
use super::names::Meaning;
use crate::hir;
use crate::types::{Ty, TyId, Types};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Byte(u8),
    Float(f64),
    Bool(bool),
    Str(String),
    Tuple(Vec<Value>),
    /// Was reported.
    Wrong,
}

enum State {
    Unfolded,
    /// Being folded: met again, it needs itself.
    Open,
    Folded(Value),
}

pub(super) struct ConstInfo<'a> {
    written: &'a ast::Const,
    library: bool,
    state: State,
}

impl<'a> ConstInfo<'a> {
    pub(super) fn new(written: &'a ast::Const, library: bool) -> Self {
        Self { written, library, state: State::Unfolded }
    }
}

impl Checker<'_> {
    /// Folds the user's constants; the library's are folded where they are used.
    pub(super) fn fold_all_consts(&mut self) {
        for index in 0..self.consts.len() {
            if !self.consts[index].library {
                self.const_value(index, None);
            }
        }
    }

    /// The value of a constant, folded at most once. `user` is the place in another constant that
    /// needs it.
    pub(super) fn const_value(&mut self, index: usize, user: Option<Span>) -> Value {
        let written = self.consts[index].written;
        match &self.consts[index].state {
            State::Folded(value) => return value.clone(),
            State::Unfolded => {}
            State::Open => {
                let name = &written.name;
                let message = format!("the value of `{}` needs itself", name.name);
                let place = user.unwrap_or(name.span);
                let diagnostic = Diagnostic::error("E0316", message, place, "needed again here")
                    .label(name.span, "declared here")
                    .help("write one of the constants as a number or a string");
                self.report(diagnostic);
                return Value::Wrong;
            }
        }
        self.consts[index].state = State::Open;
        let library = self.consts[index].library;
        let mut value = self.fold(&written.value, library);
        if let Some(ty) = &written.ty {
            let wanted = self.resolve_type(ty, &[], library);
            value = self.fit_const(value, wanted, written, ty.span);
        }
        self.consts[index].state = State::Folded(value.clone());
        value
    }

    pub(super) fn const_type(&mut self, value: &Value) -> TyId {
        match value {
            Value::Int(_) => Types::INT,
            Value::Byte(_) => Types::BYTE,
            Value::Float(_) => Types::FLOAT,
            Value::Bool(_) => Types::BOOL,
            Value::Str(_) => Types::STR,
            Value::Wrong => Types::ERROR,
            Value::Tuple(parts) => {
                let parts = parts.iter().map(|part| self.const_type(part)).collect();
                self.types.intern(Ty::Tuple(parts))
            }
        }
    }

    /// A use of a constant.
    pub(super) fn const_expr(&mut self, value: &Value, span: Span) -> hir::Expr {
        let ty = self.const_type(value);
        let kind = match value {
            Value::Int(value) => hir::ExprKind::Int(*value),
            Value::Byte(value) => hir::ExprKind::Int(i64::from(*value)),
            Value::Float(value) => hir::ExprKind::Float(*value),
            Value::Bool(value) => hir::ExprKind::Bool(*value),
            Value::Str(value) => hir::ExprKind::Str(value.clone()),
            Value::Tuple(parts) if parts.is_empty() => hir::ExprKind::Unit,
            Value::Tuple(parts) => {
                let parts = parts.iter().map(|part| self.const_expr(part, span)).collect();
                hir::ExprKind::Tuple(parts)
            }
            Value::Wrong => hir::ExprKind::Unit,
        };
        hir::Expr { kind, ty, span }
    }

    fn fit_const(
        &mut self,
        value: Value,
        wanted: TyId,
        written: &ast::Const,
        ty_span: Span,
    ) -> Value {
        let fitted = fit(&self.types, value, wanted);
        match fitted {
            Ok(value) => value,
            Err(value) => {
                let have = self.const_type(&value);
                let have = self.show(have, &[]);
                let want = self.show(wanted, &[]);
                let message = format!("this constant is `{have}`, but `{want}` is written");
                let diagnostic = Diagnostic::error("E0301", message, written.value.span, "")
                    .label(ty_span, "wanted because of this")
                    .help(format!("write `: {have}`, or leave the type out"));
                self.report(diagnostic);
                Value::Wrong
            }
        }
    }

    fn fold(&mut self, expr: &ast::Expr, library: bool) -> Value {
        match &expr.kind {
            ExprKind::Int(value) => match i64::try_from(*value) {
                Ok(value) => Value::Int(value),
                Err(_) => self.const_overflow(expr.span),
            },
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Str(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        StrPart::Text(part) => text.push_str(part),
                        StrPart::Expr { expr, .. } => return self.not_constant(expr),
                    }
                }
                Value::Str(text)
            }
            ExprKind::Tuple(parts) => {
                let parts: Vec<Value> = parts.iter().map(|part| self.fold(part, library)).collect();
                if parts.contains(&Value::Wrong) { Value::Wrong } else { Value::Tuple(parts) }
            }
            ExprKind::Name(name) => match self.find_value(&name.name, library) {
                Some(Meaning::Const(index)) => self.const_value(index, Some(name.span)),
                Some(_) => self.not_constant(expr),
                None => {
                    let message = format!("there is no constant `{}`", name.name);
                    let mut diagnostic = Diagnostic::error("E0202", message, name.span, "");
                    let names = self.value_names(library);
                    if let Some(close) =
                        medi_syntax::suggest::closest(&name.name, names.into_iter())
                    {
                        diagnostic = diagnostic
                            .help(format!("did you mean `{close}`?"))
                            .edit(name.span, close);
                    }
                    self.report(diagnostic);
                    Value::Wrong
                }
            },
            ExprKind::Unary { op: UnaryOp::Neg, operand } => {
                if let ExprKind::Int(value) = operand.kind {
                    return Value::Int((value as i64).wrapping_neg());
                }
                match self.fold(operand, library) {
                    Value::Int(value) => match value.checked_neg() {
                        Some(value) => Value::Int(value),
                        None => self.const_overflow(expr.span),
                    },
                    Value::Float(value) => Value::Float(-value),
                    Value::Wrong => Value::Wrong,
                    _ => self.not_constant(expr),
                }
            }
            ExprKind::Unary { op: UnaryOp::Not, operand } => match self.fold(operand, library) {
                Value::Bool(value) => Value::Bool(!value),
                Value::Wrong => Value::Wrong,
                _ => self.not_constant(expr),
            },
            ExprKind::Binary { op, left, right, .. } => {
                let left = self.fold(left, library);
                let right = self.fold(right, library);
                self.fold_binary(expr, *op, left, right)
            }
            ExprKind::Error => Value::Wrong,
            _ => self.not_constant(expr),
        }
    }

    fn fold_binary(&mut self, expr: &ast::Expr, op: BinaryOp, left: Value, right: Value) -> Value {
        use Value::{Bool, Float, Int, Str, Wrong};
        let whole = |value: Option<i64>| value.map(Int);
        let folded = match (op, left, right) {
            (_, Wrong, _) | (_, _, Wrong) => return Wrong,
            (BinaryOp::Div, left, right) => match (number(&left), number(&right)) {
                (Some(_), Some(0.0)) => None,
                (Some(left), Some(right)) => Some(Float(left / right)),
                _ => return self.not_constant(expr),
            },
            (BinaryOp::Add, Int(a), Int(b)) => whole(a.checked_add(b)),
            (BinaryOp::Sub, Int(a), Int(b)) => whole(a.checked_sub(b)),
            (BinaryOp::Mul, Int(a), Int(b)) => whole(a.checked_mul(b)),
            (BinaryOp::Rem, Int(a), Int(b)) => whole(a.checked_rem(b)),
            (BinaryOp::Pow, Int(a), Int(b)) => {
                whole(u32::try_from(b).ok().and_then(|b| a.checked_pow(b)))
            }
            (BinaryOp::Add, Str(a), Str(b)) => Some(Str(a + &b)),
            (BinaryOp::And, Bool(a), Bool(b)) => Some(Bool(a && b)),
            (BinaryOp::Or, Bool(a), Bool(b)) => Some(Bool(a || b)),
            (BinaryOp::Eq, a, b) if same_kind(&a, &b) => Some(Bool(a == b)),
            (BinaryOp::Ne, a, b) if same_kind(&a, &b) => Some(Bool(a != b)),
            (BinaryOp::Lt, Int(a), Int(b)) => Some(Bool(a < b)),
            (BinaryOp::Le, Int(a), Int(b)) => Some(Bool(a <= b)),
            (BinaryOp::Gt, Int(a), Int(b)) => Some(Bool(a > b)),
            (BinaryOp::Ge, Int(a), Int(b)) => Some(Bool(a >= b)),
            (op, left, right) => match (number(&left), number(&right)) {
                (Some(a), Some(b)) => match op {
                    BinaryOp::Add => Some(Float(a + b)),
                    BinaryOp::Sub => Some(Float(a - b)),
                    BinaryOp::Mul => Some(Float(a * b)),
                    BinaryOp::Rem => Some(Float(a % b)),
                    BinaryOp::Pow => Some(Float(a.powf(b))),
                    BinaryOp::Eq => Some(Bool(a == b)),
                    BinaryOp::Ne => Some(Bool(a != b)),
                    BinaryOp::Lt => Some(Bool(a < b)),
                    BinaryOp::Le => Some(Bool(a <= b)),
                    BinaryOp::Gt => Some(Bool(a > b)),
                    BinaryOp::Ge => Some(Bool(a >= b)),
                    _ => return self.not_constant(expr),
                },
                _ => return self.not_constant(expr),
            },
        };
        match folded {
            Some(value) => value,
            None => self.const_overflow(expr.span),
        }
    }

    fn not_constant(&mut self, expr: &ast::Expr) -> Value {
        let diagnostic = Diagnostic::error(
            "E0315",
            "the value of a constant must be known before the program runs",
            expr.span,
            "",
        )
        .why("a constant is made of literals, other constants, arithmetic, strings and tuples")
        .help("make it a function that returns the value, or a `let` where it is used");
        self.report(diagnostic);
        Value::Wrong
    }

    fn const_overflow(&mut self, span: Span) -> Value {
        let message = "this arithmetic has no result that fits an `int`";
        let diagnostic = Diagnostic::error("E0317", message, span, "")
            .why("an `int` is between -9223372036854775808 and 9223372036854775807, and nothing is divided by zero")
            .help("calculate with floats: write `2.0` for `2`");
        self.report(diagnostic);
        Value::Wrong
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn same_kind(left: &Value, right: &Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

/// The value as the wanted type, or the value back.
fn fit(types: &Types, value: Value, wanted: TyId) -> Result<Value, Value> {
    match (types.get(wanted), value) {
        (_, Value::Wrong) | (Ty::Error, _) => Ok(Value::Wrong),
        (Ty::Int, value @ Value::Int(_))
        | (Ty::Byte, value @ Value::Byte(_))
        | (Ty::Float, value @ Value::Float(_))
        | (Ty::Bool, value @ Value::Bool(_))
        | (Ty::Str, value @ Value::Str(_)) => Ok(value),
        (Ty::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
        (Ty::Byte, Value::Int(value)) => {
            u8::try_from(value).map(Value::Byte).map_err(|_| Value::Int(value))
        }
        (Ty::Tuple(wanted), Value::Tuple(parts)) if wanted.len() == parts.len() => {
            let fitted: Result<Vec<Value>, Value> = wanted
                .iter()
                .zip(parts.iter().cloned())
                .map(|(wanted, part)| fit(types, part, *wanted))
                .collect();
            fitted.map(Value::Tuple).map_err(|_| Value::Tuple(parts))
        }
        (_, value) => Err(value),
    }
}
