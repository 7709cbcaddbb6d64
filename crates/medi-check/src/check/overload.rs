//! Choosing among library functions of one name.
//!
//! By the number of arguments first, then by their types: the candidate that needs the fewest
//! conversions, the first declared among equals. User code may not overload.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Want};
use super::coerce::Reason;
use super::literal;
use crate::hir::{self, ExprKind, FuncId};
use crate::types::{Ty, TyId, Types};

/// An argument of a call whose callee is not chosen yet.
pub(super) enum Given<'e> {
    /// Checked, with any type.
    Value(hir::Expr),
    /// Takes its type from the parameter: a number literal or a closure.
    Literal(&'e ast::Expr),
    Closure(&'e ast::Expr, usize),
}

impl Given<'_> {
    fn expr(&self) -> Option<&hir::Expr> {
        match self {
            Given::Value(value) => Some(value),
            Given::Literal(_) | Given::Closure(..) => None,
        }
    }
}

impl Body<'_, '_> {
    /// A call of one of several functions.
    pub(super) fn call_funcs(
        &mut self,
        funcs: &[FuncId],
        receiver: Option<hir::Expr>,
        type_args: Option<&[TyId]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let positional = args.iter().all(|arg| arg.name.is_none());
        let arity = args.len();
        let own_arity = |body: &Self, func: FuncId| {
            let info = body.c.func(func);
            info.params.len() - usize::from(info.takes_self)
        };
        let fitting: Vec<FuncId> =
            funcs.iter().copied().filter(|func| own_arity(self, *func) == arity).collect();
        match (funcs, fitting.as_slice()) {
            ([func], _) | (_, [func]) => {
                return self.call_func(*func, receiver, type_args, args, span, want);
            }
            _ if !positional => {
                return self.call_func(funcs[0], receiver, type_args, args, span, want);
            }
            (_, []) => {
                self.check_args_anyway(args);
                self.no_overload(funcs, None, span);
                return self.error_expr(span);
            }
            _ => {}
        }
        let mut given: Vec<Given> = vec![];
        given.extend(receiver.map(Given::Value));
        given.extend(self.check_given(args));
        self.call_checked(&fitting, given, type_args, span)
    }

    /// Checks arguments as far as that is possible before the callee is known.
    pub(super) fn check_given<'e>(&mut self, args: &'e [ast::Arg]) -> Vec<Given<'e>> {
        args.iter()
            .map(|arg| match &arg.value.kind {
                ast::ExprKind::Closure { params, .. } => Given::Closure(&arg.value, params.len()),
                _ if literal::is_number(&arg.value) => Given::Literal(&arg.value),
                _ => Given::Value(self.value(&arg.value, Want::Any)),
            })
            .collect()
    }

    /// A call with checked arguments, all by position, `self` first.
    pub(super) fn call_checked(
        &mut self,
        funcs: &[FuncId],
        given: Vec<Given>,
        type_args: Option<&[TyId]>,
        span: Span,
    ) -> hir::Expr {
        if given.iter().filter_map(Given::expr).any(|value| self.is_error(value.ty)) {
            return self.error_expr(span);
        }
        let mut best: Option<(u32, FuncId)> = None;
        for func in funcs {
            let snapshot = self.infer.snapshot();
            let cost = self.call_cost(*func, &given, type_args, span);
            self.infer.rollback(snapshot);
            if let Some(cost) = cost
                && best.is_none_or(|(lowest, _)| cost < lowest)
            {
                best = Some((cost, *func));
            }
        }
        let Some((_, func)) = best else {
            self.no_overload(funcs, Some(&given), span);
            return self.error_expr(span);
        };
        let Some(type_args) = self.type_args_for(func, type_args, span) else {
            return self.error_expr(span);
        };
        self.c.request(func);
        let info = self.c.func(func);
        let params: Vec<TyId> = info.params.iter().map(|param| param.ty).collect();
        let result = info.result;
        let params: Vec<TyId> =
            params.iter().map(|ty| self.c.types.substitute(*ty, &type_args)).collect();
        let result = self.c.types.substitute(result, &type_args);
        let mut args: Vec<Option<hir::Expr>> = given.iter().map(|_| None).collect();
        let mut late = vec![];
        for (index, given) in given.into_iter().enumerate() {
            let reason = Reason::Argument(func, index as u32);
            match given {
                Given::Value(value) => {
                    args[index] = Some(self.coerce(value, params[index], reason))
                }
                Given::Literal(expr) => {
                    args[index] = Some(self.expr(expr, Want::Must(params[index], reason)));
                }
                Given::Closure(expr, _) => late.push((index, expr, reason)),
            }
        }
        for (index, expr, reason) in late {
            args[index] = Some(self.expr(expr, Want::Must(params[index], reason)));
        }
        let args = args.into_iter().flatten().collect();
        hir::Expr { kind: ExprKind::Call { func, type_args, args }, ty: result, span }
    }

    fn call_cost(
        &mut self,
        func: FuncId,
        given: &[Given],
        type_args: Option<&[TyId]>,
        span: Span,
    ) -> Option<u32> {
        let info = self.c.func(func);
        let params: Vec<TyId> = info.params.iter().map(|param| param.ty).collect();
        if params.len() != given.len() {
            return None;
        }
        if type_args.is_some_and(|given| given.len() != info.type_params.len()) {
            return None;
        }
        let type_args = self.type_args_for(func, type_args, span)?;
        let mut cost = 0;
        for (given, param) in given.iter().zip(params) {
            // What fits anything is the last choice.
            cost += u32::from(matches!(self.c.types.get(param), Ty::Param(_)));
            let wanted = self.c.types.substitute(param, &type_args);
            cost += match given {
                Given::Value(value) => self.fit_cost(value.ty, wanted)?,
                Given::Literal(expr) => self.literal_cost(expr, wanted)?,
                Given::Closure(_, count) => match self.ty(wanted) {
                    Ty::Func { params, .. } if params.len() == *count => 0,
                    Ty::Infer(_) => 1,
                    _ => return None,
                },
            };
        }
        Some(cost)
    }

    fn literal_cost(&mut self, expr: &ast::Expr, wanted: TyId) -> Option<u32> {
        let whole = literal::int_value(expr).is_some();
        match self.ty(wanted) {
            Ty::Float => Some(if whole { 2 } else { 0 }),
            Ty::Byte if whole => Some(3),
            _ => {
                let have = if whole { Types::INT } else { Types::FLOAT };
                self.fit_cost(have, wanted)
            }
        }
    }

    fn no_overload(&mut self, funcs: &[FuncId], given: Option<&[Given]>, span: Span) {
        let name = self.c.func(funcs[0]).name.clone();
        let skip = usize::from(self.c.func(funcs[0]).takes_self);
        let message = match given {
            Some(given) => {
                let types: Vec<String> = given
                    .iter()
                    .skip(skip)
                    .map(|given| match given {
                        Given::Value(value) => self.show(value.ty),
                        Given::Literal(expr) if literal::int_value(expr).is_some() => "int".into(),
                        Given::Literal(_) => "float".into(),
                        Given::Closure(..) => "a function".into(),
                    })
                    .collect();
                format!("no `{name}` takes ({})", types.join(", "))
            }
            None => format!("no `{name}` takes that many arguments"),
        };
        let mut diagnostic = Diagnostic::error("E0507", message, span, "");
        if let Some(given) = given
            && let Some(value) = given
                .iter()
                .filter_map(Given::expr)
                .find(|value| matches!(self.ty(value.ty), Ty::Optional(_)))
        {
            let shown = self.show(value.ty);
            let text = self.short_text(value.span);
            diagnostic = diagnostic
                .label(value.span, format!("may be nil: `{shown}`"))
                .help(format!("give a default first: `{text} ?? …`, or assert it: `{text}!`"));
        }
        for func in funcs.iter().take(6) {
            let signature = self.c.signature(self.c.func(*func));
            diagnostic = diagnostic.help(format!("there is `{signature}`"));
        }
        self.report(diagnostic);
    }
}
