//! `if`, `match`, closures and scopes: expressions with bodies.
//!
//! The value of a block is its last statement, if that is an expression. Branches whose value is used
//! have one type together: an int literal beside a float becomes one, `nil` makes it optional, a
//! failure makes it a result, and a branch that leaves takes the type of the others. `if let name = e`
//! opens an optional; with another pattern it asks whether that matches. A closure's parameters take
//! their types from the place it is passed to, from what is written, or from how they are used first;
//! `return` and `?` in it leave the closure.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Frame, LocalKind, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::operator::stmt_of;
use super::show::count;
use super::{literal, pattern};
use crate::hir::{self, ExprKind};
use crate::types::{Ty, TyId, Types};

/// One branch of an `if` or an arm of a `match`, checked on its own.
struct Branch {
    body: hir::Expr,
    /// Ends in a number literal.
    literal: bool,
}

impl Body<'_, '_> {
    /// A condition; what it binds is in sight until the caller leaves its mark.
    pub(super) fn cond(&mut self, cond: &ast::Cond) -> hir::Cond {
        match cond {
            ast::Cond::Expr(expr) => hir::Cond::Expr(self.condition(expr)),
            ast::Cond::Let { pattern, value } => {
                let value = self.value(value, Want::Any);
                let value = self.conditional_subject(value, pattern);
                let pattern = self.pattern(pattern, value.ty, LocalKind::Let);
                hir::Cond::Let { pattern, value }
            }
        }
    }

    /// The value of `if let`, which must be one that may not match.
    fn conditional_subject(&mut self, value: hir::Expr, written: &ast::Pattern) -> hir::Expr {
        use ast::PatternKind as P;
        let always = matches!(written.kind, P::Wildcard)
            || matches!(&written.kind, P::Name(name) if !self.names_variant(&name.name, value.ty));
        let text = self.short_text(value.span);
        match self.ty(value.ty) {
            Ty::Optional(_) | Ty::Error | Ty::Infer(_) => value,
            Ty::Result(inner) if always && matches!(self.ty(*inner), Ty::Optional(_)) => {
                self.unwrapped(value)
            }
            Ty::Result(_) if always => {
                let name = self.short_text(written.span);
                let message = "`if let` on a result needs to say which outcome it is for";
                let diagnostic = Diagnostic::error("E0606", message, written.span, "")
                    .label(value.span, "a result")
                    .help(format!("write `if let Ok({name}) = {text}`"));
                self.report(diagnostic);
                self.error_expr(value.span)
            }
            Ty::Result(_) if !pattern::names_outcome(written) => self.unwrapped(value),
            _ if always => {
                let shown = self.show(value.ty);
                let message = format!("`{text}` is never nil, so this always holds");
                let diagnostic =
                    Diagnostic::error("E0606", message, value.span, format!("`{shown}`"))
                        .help("use `let` on a line of its own, or compare the value");
                self.report(diagnostic);
                self.error_expr(value.span)
            }
            _ => value,
        }
    }

    pub(super) fn if_expr(
        &mut self,
        cond: &ast::Cond,
        then: &ast::Block,
        otherwise: Option<&ast::Expr>,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let mark = self.mark();
        let cond = Box::new(self.cond(cond));
        let Some(otherwise) = otherwise else {
            let then = self.block(then, Want::Nothing);
            self.leave(mark);
            let then = self.without_value(then);
            let kind = ExprKind::If { cond, then: Box::new(then), otherwise: None };
            return hir::Expr { kind, ty: Types::UNIT, span };
        };
        let then_literal = then.stmts.last().is_some_and(|stmt| match &stmt.kind {
            ast::StmtKind::Expr(last) => literal::is_number(last),
            _ => false,
        });
        let then = self.block(then, want);
        self.leave(mark);
        let otherwise_literal = literal::is_number(otherwise);
        let otherwise_want = match want {
            Want::Any | Want::Like(_) if !self.is_never(then.ty) => Want::Like(then.ty),
            _ => want,
        };
        let otherwise = self.expr(otherwise, otherwise_want);
        let branches = vec![
            Branch { body: then, literal: then_literal },
            Branch { body: otherwise, literal: otherwise_literal },
        ];
        let (mut bodies, ty) = self.merge(branches, want);
        let otherwise = bodies.pop().map(Box::new);
        let then = Box::new(bodies.pop().unwrap_or_else(|| self.unit(span)));
        hir::Expr { kind: ExprKind::If { cond, then, otherwise }, ty, span }
    }

    /// A branch whose value is dropped.
    fn without_value(&mut self, body: hir::Expr) -> hir::Expr {
        if self.is_error(body.ty) || self.shallow(body.ty) == Types::UNIT {
            return body;
        }
        if self.is_never(body.ty) {
            return self.coerce(body, Types::UNIT, Reason::Branch);
        }
        let span = body.span;
        let kind = ExprKind::Block { stmts: vec![stmt_of(body)], value: None };
        hir::Expr { kind, ty: Types::UNIT, span }
    }

    /// Gives all branches one type.
    fn merge(&mut self, branches: Vec<Branch>, want: Want) -> (Vec<hir::Expr>, TyId) {
        if branches.iter().all(|branch| self.is_never(branch.body.ty)) && !branches.is_empty() {
            return (branches.into_iter().map(|branch| branch.body).collect(), Types::NEVER);
        }
        match want {
            Want::Nothing => {
                let bodies =
                    branches.into_iter().map(|branch| self.without_value(branch.body)).collect();
                (bodies, Types::UNIT)
            }
            Want::Must(wanted, reason) => {
                let bodies = branches
                    .into_iter()
                    .map(|branch| self.coerce(branch.body, wanted, reason))
                    .collect();
                (bodies, self.shallow(wanted))
            }
            Want::Any | Want::Like(_) => {
                let mut common: Option<(TyId, Span)> = None;
                let mut literals = true;
                for branch in &branches {
                    let (ty, span) = (branch.body.ty, branch.body.span);
                    let Some((sofar, first)) = common else {
                        common = Some((ty, span));
                        literals = branch.literal;
                        continue;
                    };
                    match self.join(sofar, ty, literals || branch.literal) {
                        Some(joined) => common = Some((joined, first)),
                        None => {
                            self.branches_differ(sofar, first, ty, span);
                            common = Some((Types::ERROR, first));
                        }
                    }
                    literals &= branch.literal;
                }
                let ty = common.map_or(Types::UNIT, |(ty, _)| ty);
                if self.is_error(ty) {
                    return (branches.into_iter().map(|b| b.body).collect(), Types::ERROR);
                }
                let bodies = branches
                    .into_iter()
                    .map(|branch| self.coerce(branch.body, ty, Reason::Branch))
                    .collect();
                (bodies, self.shallow(ty))
            }
        }
    }

    fn branches_differ(&mut self, first: TyId, first_span: Span, other: TyId, span: Span) {
        let (a, b) = (self.show(first), self.show(other));
        let message = "the branches have different types";
        let mut diagnostic =
            Diagnostic::error("E0305", message, tail(self, span), format!("this gives `{b}`"))
                .label(tail(self, first_span), format!("this gives `{a}`"));
        diagnostic = match (self.ty(first), self.ty(other)) {
            (Ty::Int, Ty::Float) | (Ty::Float, Ty::Int) => {
                diagnostic.help("convert the int: `float(x)`")
            }
            (Ty::Unit, _) | (_, Ty::Unit) => {
                diagnostic.help("let each branch end in a value, or none of them")
            }
            _ => diagnostic.help("let each branch end in a value of the same type"),
        };
        self.report(diagnostic);
    }

    pub(super) fn match_expr(
        &mut self,
        subject: &ast::Expr,
        arms: &[ast::Arm],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let subject = self.value(subject, Want::Any);
        let whole = |arm: &ast::Arm| {
            pattern::names_outcome(&arm.pattern)
                || matches!(
                    arm.pattern.kind,
                    ast::PatternKind::Wildcard | ast::PatternKind::Name(_)
                )
        };
        let subject = if arms.iter().any(|arm| pattern::names_outcome(&arm.pattern))
            || arms.iter().all(whole)
        {
            subject
        } else {
            self.unwrapped(subject)
        };
        if arms.is_empty() {
            // Arms that could not be read were reported then.
            let text = self.c.sources.text(span).trim_end_matches('}');
            if !text.trim_end().ends_with('{') {
                return self.error_expr(span);
            }
            let shown = self.show(subject.ty);
            let message = "this `match` has no arms";
            let diagnostic =
                Diagnostic::error("E0401", message, span, format!("matches `{shown}`")).help(
                    "add an arm for each case: `pattern => value`, and `_ => …` for the rest",
                );
            self.report(diagnostic);
            return self.error_expr(span);
        }
        if self.is_never(subject.ty) {
            return subject;
        }
        let mut branches: Vec<Branch> = vec![];
        let mut heads = vec![];
        let mut sound = true;
        for arm in arms {
            let mark = self.mark();
            let errors = self.c.diagnostics.len();
            let pattern = self.pattern(&arm.pattern, subject.ty, LocalKind::Pattern);
            sound &= errors == self.c.diagnostics.len();
            let guard = arm.guard.as_ref().map(|guard| self.condition(guard));
            let arm_want = match (want, branches.iter().find(|b| !self.is_never(b.body.ty))) {
                (Want::Any | Want::Like(_), Some(first)) => Want::Like(first.body.ty),
                _ => want,
            };
            let body = self.expr(&arm.body, arm_want);
            if let (Want::Nothing, ast::ExprKind::Block(_)) = (want, &arm.body.kind) {
            } else if matches!(want, Want::Nothing) {
                self.dropped(&body);
            }
            self.leave(mark);
            branches.push(Branch { body, literal: literal::is_number(&arm.body) });
            heads.push((pattern, guard));
        }
        if sound {
            self.check_exhaustive(&subject, &heads, span);
        }
        let (bodies, ty) = self.merge(branches, want);
        let arms = heads
            .into_iter()
            .zip(bodies)
            .map(|((pattern, guard), body)| hir::Arm { pattern, guard, body })
            .collect();
        hir::Expr { kind: ExprKind::Match { subject: Box::new(subject), arms }, ty, span }
    }

    pub(super) fn closure(
        &mut self,
        params: &[ast::ClosureParam],
        body: &ast::Expr,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let wanted = match want.ty().map(|ty| self.ty(self.within(ty)).clone()) {
            Some(Ty::Func { params: inputs, result }) => Some((inputs, result)),
            _ => None,
        };
        if let (Some((inputs, _)), Want::Must(..)) = (&wanted, want)
            && inputs.len() != params.len()
        {
            let message = format!(
                "this function value takes {}, {} wanted",
                count(params.len(), "parameter"),
                match inputs.len() {
                    1 => "1 is".to_string(),
                    number => format!("{number} are"),
                }
            );
            let names: Vec<String> = (0..inputs.len()).map(|index| format!("x{index}")).collect();
            let of_tuple = match inputs[..] {
                [only] => matches!(self.ty(only), Ty::Tuple(parts) if parts.len() == params.len()),
                _ => false,
            };
            let help = if of_tuple {
                let names: Vec<&str> =
                    params.iter().map(|param| param.name.name.as_str()).collect();
                let names = names.join(", ");
                format!(
                    "it gets one tuple; take it apart inside: `x => {{ let ({names}) = x; … }}`"
                )
            } else {
                format!("write `({}) => …`", names.join(", "))
            };
            let diagnostic = Diagnostic::error("E0501", message, span, "").help(help);
            self.report(diagnostic);
            return self.error_expr(span);
        }
        let mut types = vec![];
        for (index, param) in params.iter().enumerate() {
            let expected = wanted.as_ref().and_then(|(inputs, _)| inputs.get(index)).copied();
            types.push(match (&param.ty, expected) {
                (Some(written), _) => self.resolve_type(written),
                (None, Some(expected)) => self.shallow(expected),
                (None, None) => {
                    let unknown = Unknown::Parameter(param.name.name.clone());
                    self.fresh(param.name.span, unknown)
                }
            });
        }
        let wanted_result = wanted.as_ref().map(|(_, result)| self.shallow(*result));
        let result = match wanted_result {
            Some(result) => result,
            None => self.fresh(span, Unknown::Irrelevant),
        };
        let mark = self.mark();
        let frame = Frame { closure: true, ..Frame::new(result) };
        self.frames.push(frame);
        let locals: Vec<hir::LocalId> = params
            .iter()
            .zip(&types)
            .map(|(param, ty)| {
                self.declare(&param.name.name, *ty, param.name.span, LocalKind::Param)
            })
            .collect();
        let links = std::mem::take(&mut self.links);
        let body = self.closure_body(body, result);
        self.links = links;
        self.frames.pop();
        self.leave(mark);
        if self.is_open(result) && self.is_never(body.ty) {
            self.unify(result, Types::UNIT);
        }
        let result = self.shallow(result);
        let ty = self.intern(Ty::Func { params: types, result });
        let kind = ExprKind::Closure { params: locals, body: Box::new(body), task: None };
        hir::Expr { kind, ty, span }
    }

    pub(super) fn closure_body(&mut self, body: &ast::Expr, result: TyId) -> hir::Expr {
        if matches!(self.ty(result), Ty::Unit) {
            let body = self.expr(body, Want::Nothing);
            self.dropped(&body);
            return self.without_value(body);
        }
        if !self.is_open(result) {
            return self.expr(body, Want::Must(result, Reason::Result));
        }
        let body = self.expr(body, Want::Any);
        if self.is_never(body.ty) {
            return body;
        }
        self.coerce(body, result, Reason::Result)
    }

    pub(super) fn scope(&mut self, scope: &ast::Scope, span: Span, want: Want) -> hir::Expr {
        let name = scope.name.as_ref().map(|name| name.name.clone());
        self.frame().scopes.push(name.clone());
        let body = self.block(&scope.body, want);
        self.frame().scopes.pop();
        let ty = body.ty;
        let name = scope.name.as_ref().map(|name| name.name.clone());
        let kind = ExprKind::Scope { name, body: Box::new(body), end: scope.end };
        hir::Expr { kind, ty, span }
    }
}

/// The last line of a branch, which is what its message should show.
fn tail(body: &Body, span: Span) -> Span {
    let text = body.c.sources.text(span);
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return span;
    };
    let trimmed = inner.trim_end();
    let line = trimmed.rfind(['\n', ';']).map_or(0, |at| at + 1);
    let indent = trimmed[line..].len() - trimmed[line..].trim_start().len();
    let start = span.start as usize + 1 + line + indent;
    let end = span.start as usize + 1 + trimmed.len();
    if start < end { Span::new(span.file, start, end) } else { span }
}
