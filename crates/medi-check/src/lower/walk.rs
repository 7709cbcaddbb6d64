//! A walk over checked trees, and the questions the lowering asks of them.

use std::collections::BTreeSet;

use crate::hir::{Cond, Expr, ExprKind, Iter, LocalId, Piece, Stmt, StmtKind};

/// What [`walk`] shows its visitor.
pub(super) enum Node<'a> {
    Expr(&'a Expr),
    Stmt(&'a Stmt),
}

/// Shows `visit` the tree in evaluation order, parents first; where it returns false, what is inside
/// is left out.
pub(super) fn walk<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    if !visit(Node::Expr(expr)) {
        return;
    }
    match &expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Nil
        | ExprKind::Unit
        | ExprKind::Local(_)
        | ExprKind::FuncValue { .. }
        | ExprKind::Return(None)
        | ExprKind::Break
        | ExprKind::Continue => {}
        ExprKind::Closure { body: inner, .. }
        | ExprKind::Convert { value: inner, .. }
        | ExprKind::Neg(inner)
        | ExprKind::Not(inner)
        | ExprKind::Assert(inner)
        | ExprKind::Try(inner)
        | ExprKind::Ok(inner)
        | ExprKind::Fail(inner)
        | ExprKind::Field { base: inner, .. }
        | ExprKind::TupleField { base: inner, .. }
        | ExprKind::Scope { body: inner, .. }
        | ExprKind::Return(Some(inner)) => walk(inner, visit),
        ExprKind::Call { args: list, .. }
        | ExprKind::Intrinsic { args: list, .. }
        | ExprKind::Tuple(list)
        | ExprKind::List(list) => list.iter().for_each(|inner| walk(inner, visit)),
        ExprKind::CallValue { callee, args } => {
            walk(callee, visit);
            args.iter().for_each(|arg| walk(arg, visit));
        }
        ExprKind::Binary { left, right, .. }
        | ExprKind::Coalesce { left, right }
        | ExprKind::OptionalChain { value: left, body: right, .. }
        | ExprKind::Index { base: left, index: right } => {
            walk(left, visit);
            walk(right, visit);
        }
        ExprKind::NewRecord { fields }
        | ExprKind::NewOwn { fields, .. }
        | ExprKind::NewVariant { fields, .. } => {
            fields.iter().for_each(|(_, value)| walk(value, visit));
        }
        ExprKind::Map(entries) => {
            for (key, value) in entries {
                walk(key, visit);
                walk(value, visit);
            }
        }
        ExprKind::Interpolate(pieces) | ExprKind::Print(pieces) => {
            for piece in pieces {
                if let Piece::Value { value, .. } = piece {
                    walk(value, visit);
                }
            }
        }
        ExprKind::If { cond, then, otherwise } => {
            walk_cond(cond, visit);
            walk(then, visit);
            if let Some(otherwise) = otherwise {
                walk(otherwise, visit);
            }
        }
        ExprKind::Match { subject, arms } => {
            walk(subject, visit);
            for arm in arms {
                if let Some(guard) = &arm.guard {
                    walk(guard, visit);
                }
                walk(&arm.body, visit);
            }
        }
        ExprKind::Block { stmts, value } => {
            stmts.iter().for_each(|stmt| walk_stmt(stmt, visit));
            if let Some(value) = value {
                walk(value, visit);
            }
        }
    }
}

fn walk_cond<'a>(cond: &'a Cond, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    match cond {
        Cond::Expr(expr) | Cond::Let { value: expr, .. } => walk(expr, visit),
    }
}

fn walk_stmt<'a>(stmt: &'a Stmt, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    if !visit(Node::Stmt(stmt)) {
        return;
    }
    match &stmt.kind {
        StmtKind::Let { value, .. } | StmtKind::Expr(value) => walk(value, visit),
        StmtKind::Assign { target, value, .. } => {
            walk(target, visit);
            walk(value, visit);
        }
        StmtKind::While { cond, body } => {
            walk_cond(cond, visit);
            walk(body, visit);
        }
        StmtKind::For { iter, body, .. } => {
            match iter {
                Iter::Range { start, end, .. } => {
                    walk(start, visit);
                    walk(end, visit);
                }
                Iter::List(expr) | Iter::Map(expr) | Iter::View(expr) => walk(expr, visit),
            }
            walk(body, visit);
        }
    }
}

/// Whether evaluating it may assign a local of the function it stands in. Closures assign only through
/// cells, which are read when they are used.
pub(super) fn assigns(expr: &Expr) -> bool {
    let mut found = false;
    walk(expr, &mut |node| match node {
        Node::Stmt(Stmt { kind: StmtKind::Assign { .. }, .. }) => {
            found = true;
            false
        }
        Node::Expr(Expr { kind: ExprKind::Closure { .. }, .. }) => false,
        _ => !found,
    });
    found
}

/// Whether it may be evaluated at two places of the program for the price of some more code: it is
/// small and declares nothing.
pub(super) fn is_duplicable(expr: &Expr) -> bool {
    let mut budget = 12;
    walk(expr, &mut |node| {
        let heavy = match node {
            Node::Stmt(_) => true,
            Node::Expr(expr) => matches!(
                expr.kind,
                ExprKind::Closure { .. }
                    | ExprKind::Block { .. }
                    | ExprKind::Scope { .. }
                    | ExprKind::Match { .. }
                    | ExprKind::If { .. }
                    | ExprKind::OptionalChain { .. }
                    | ExprKind::Interpolate(_)
                    | ExprKind::Print(_)
                    | ExprKind::List(_)
                    | ExprKind::Map(_)
                    | ExprKind::Return(_)
                    | ExprKind::Break
                    | ExprKind::Continue
                    | ExprKind::Try(_)
            ),
        };
        budget -= if heavy { 100 } else { 1 };
        budget > 0
    });
    budget > 0
}

/// Every local that the tree mentions, in closures too.
pub(super) fn mentioned(expr: &Expr) -> BTreeSet<LocalId> {
    let mut locals = BTreeSet::new();
    walk(expr, &mut |node| {
        if let Node::Expr(Expr { kind: ExprKind::Local(local), .. }) = node {
            locals.insert(*local);
        }
        true
    });
    locals
}
