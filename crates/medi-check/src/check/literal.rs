//! Questions that are asked of the tree before its types are known.

use medi_syntax::ast::{BinaryOp, Expr, ExprKind, Ident, StmtKind, TypeExpr, TypeKind, UnaryOp};

/// A number literal, perhaps negated or parenthesised arithmetic of such, or a block that ends in one:
/// it may still become an int, a float or a byte.
pub(super) fn is_number(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) => true,
        ExprKind::Unary { op: UnaryOp::Neg, operand } => is_number(operand),
        ExprKind::Binary { op, left, right, .. } => {
            let arithmetic = matches!(
                op,
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Pow | BinaryOp::Rem
            );
            arithmetic && is_number(left) && is_number(right)
        }
        ExprKind::Block(block) => match block.stmts.last().map(|stmt| &stmt.kind) {
            Some(StmtKind::Expr(last)) => is_number(last),
            _ => false,
        },
        _ => false,
    }
}

/// The value of an int literal, with its sign.
pub(super) fn int_value(expr: &Expr) -> Option<i128> {
    match &expr.kind {
        ExprKind::Int(value) => Some(i128::from(*value)),
        ExprKind::Unary { op: UnaryOp::Neg, operand } => int_value(operand).map(|value| -value),
        _ => None,
    }
}

/// An expression that the parser read where a type stands: `Patient` of `list[Patient]()`.
pub(super) fn as_type(expr: &Expr) -> Option<TypeExpr> {
    let kind = match &expr.kind {
        ExprKind::Name(name) => TypeKind::Name { name: name.clone(), args: vec![] },
        ExprKind::Index { base, index } => {
            TypeKind::Name { name: name_of(base)?.clone(), args: vec![as_type(index)?] }
        }
        ExprKind::TypeArgs { base, args } => {
            TypeKind::Name { name: name_of(base)?.clone(), args: args.clone() }
        }
        ExprKind::Tuple(parts) => {
            TypeKind::Tuple(parts.iter().map(as_type).collect::<Option<Vec<TypeExpr>>>()?)
        }
        ExprKind::Try(inner) => TypeKind::Optional(Box::new(as_type(inner)?)),
        _ => return None,
    };
    Some(TypeExpr { kind, span: expr.span })
}

pub(super) fn name_of(expr: &Expr) -> Option<&Ident> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name),
        _ => None,
    }
}
