//! Binary operators, `??`, `?` and `!`.
//!
//! `/` always gives a float. `+ - * %` and `**` on two ints (bytes count as ints) give an int, with a
//! float on either side a float. `+` also joins two strings or two lists. `==` compares any two values
//! of one type but functions and scope memory; `<` and its kin order ints, floats, bytes and strings,
//! and values of a type parameter, which is checked for each type that takes its place. Operands are
//! evaluated from left to right; `and`, `or` and `??` evaluate the right one only if needed. `e!` stops
//! the program when an optional is nil or a result a failure. `r.or(default)` handles a failure.

use medi_syntax::ast::{self, BinaryOp};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Later, LocalKind, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::literal;
use super::names::{Meaning, Receiver};
use super::show::article;
use crate::hir::{self, Conversion, ExprKind};
use crate::types::{Ty, TyId, Types};

/// The operator as it is written.
pub(super) fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Pow => "**",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
    }
}

impl Body<'_, '_> {
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let comparison = matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le)
            || matches!(op, BinaryOp::Gt | BinaryOp::Ge);
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        // A float, a string or a list that is wanted is wanted of the operands too.
        let hint = match want.ty().map(|ty| self.within(ty)) {
            Some(ty) if !comparison && self.hints_operands(ty, op) => Want::Like(ty),
            _ => Want::Any,
        };
        // A literal takes its type from the other side.
        let nil = |expr: &ast::Expr| matches!(expr.kind, ast::ExprKind::Nil);
        let late = (literal::is_number(left) && !literal::is_number(right)) || nil(left);
        let operand = |body: &mut Self, expr: &ast::Expr, want: Want| {
            if equality { body.value(expr, want) } else { body.operand(expr, want) }
        };
        let (checked_left, checked_right) = if late {
            let right = operand(self, right, hint);
            (operand(self, left, like(&right)), right)
        } else {
            let left = operand(self, left, hint);
            let want = like(&left);
            (left, operand(self, right, want))
        };
        if self.is_error(checked_left.ty) || self.is_error(checked_right.ty) {
            let ty = if comparison { Types::BOOL } else { Types::ERROR };
            return hir::Expr { kind: ExprKind::Unit, ty, span };
        }
        if equality {
            self.equality(op, op_span, checked_left, checked_right, span)
        } else if comparison {
            self.ordering(op, op_span, checked_left, checked_right, span)
        } else {
            self.arithmetic(op, op_span, checked_left, checked_right, span)
        }
    }

    fn hints_operands(&self, ty: TyId, op: BinaryOp) -> bool {
        match self.ty(ty) {
            Ty::Float => !matches!(op, BinaryOp::Pow),
            Ty::Record(..) => op == BinaryOp::Add && self.element_of_list(ty).is_some(),
            _ => false,
        }
    }

    fn equality(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: hir::Expr,
        right: hir::Expr,
        span: Span,
    ) -> hir::Expr {
        let left = self.unwrapped(left);
        let right = self.unwrapped(right);
        let is_nil = |expr: &hir::Expr| matches!(expr.kind, ExprKind::Nil);
        for (value, other) in [(&left, &right), (&right, &left)] {
            let optional = matches!(self.ty(value.ty), Ty::Optional(_) | Ty::Infer(_));
            if is_nil(other) && !optional {
                let text = self.short_text(value.span);
                let shown = self.show(value.ty);
                let message = format!("`{text}` is never nil");
                let label = format!("{} `{shown}`", article(&shown));
                let diagnostic = Diagnostic::error("E0602", message, value.span, label)
                    .help("remove the comparison");
                self.report(diagnostic);
                return hir::Expr { kind: ExprKind::Unit, ty: Types::BOOL, span };
            }
        }
        let (left_ty, right_ty) = (left.ty, right.ty);
        let Some(common) =
            self.join(left_ty, right_ty, true).or_else(|| self.widest(&left, &right))
        else {
            self.cannot_compare(op, op_span, &left, &right);
            return hir::Expr { kind: ExprKind::Unit, ty: Types::BOOL, span };
        };
        // Whether there is something can be asked of everything.
        let with_nil = [&left, &right].iter().any(|side| matches!(side.kind, ExprKind::Nil));
        let left = self.coerce(left, common, Reason::Operand(right.span));
        let right = self.coerce(right, common, Reason::Operand(left.span));
        if !with_nil {
            self.later.push(Later::Comparable { ty: common, span: op_span, ordered: false });
        }
        let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
        hir::Expr { kind, ty: Types::BOOL, span }
    }

    fn ordering(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: hir::Expr,
        right: hir::Expr,
        span: Span,
    ) -> hir::Expr {
        let common = match (self.ty(left.ty), self.ty(right.ty)) {
            (Ty::Optional(_), _) | (_, Ty::Optional(_)) => None,
            _ => self.join(left.ty, right.ty, true).or_else(|| self.widest(&left, &right)),
        };
        let Some(common) = common else {
            self.cannot_compare(op, op_span, &left, &right);
            return hir::Expr { kind: ExprKind::Unit, ty: Types::BOOL, span };
        };
        let left = self.coerce(left, common, Reason::Operand(right.span));
        let right = self.coerce(right, common, Reason::Operand(left.span));
        self.later.push(Later::Comparable { ty: common, span: op_span, ordered: true });
        let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
        hir::Expr { kind, ty: Types::BOOL, span }
    }

    /// The common type of two different number types.
    fn widest(&self, left: &hir::Expr, right: &hir::Expr) -> Option<TyId> {
        match (self.ty(left.ty), self.ty(right.ty)) {
            (Ty::Float, Ty::Int | Ty::Byte) | (Ty::Int | Ty::Byte, Ty::Float) => Some(Types::FLOAT),
            (Ty::Int, Ty::Byte) | (Ty::Byte, Ty::Int) => Some(Types::INT),
            _ => None,
        }
    }

    fn cannot_compare(&mut self, op: BinaryOp, op_span: Span, left: &hir::Expr, right: &hir::Expr) {
        let (a, b) = (self.show(left.ty), self.show(right.ty));
        let message = format!("`{a}` and `{b}` cannot be compared with `{}`", sign(op));
        let mut diagnostic = Diagnostic::error("E0311", message, op_span, "")
            .label(left.span, format!("{} `{a}`", article(&a)))
            .label(right.span, format!("{} `{b}`", article(&b)));
        diagnostic = if matches!(left.kind, ExprKind::Binary { .. }) && a == "bool" {
            diagnostic.help("compare twice: `a < b and b < c`")
        } else {
            diagnostic.help("convert one side to the type of the other")
        };
        self.report(diagnostic);
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: hir::Expr,
        right: hir::Expr,
        span: Span,
    ) -> hir::Expr {
        if self.is_open(left.ty) && self.is_open(right.ty) {
            return self.unknown_operand(left.span);
        }
        if self.is_open(left.ty) || self.is_open(right.ty) {
            self.unify(left.ty, right.ty);
        }
        let number = |ty: &Ty| matches!(ty, Ty::Int | Ty::Float | Ty::Byte);
        let (a, b) = (self.ty(left.ty).clone(), self.ty(right.ty).clone());
        if matches!(a, Ty::Never) || matches!(b, Ty::Never) {
            let stmts = vec![stmt_of(left), stmt_of(right)];
            let kind = ExprKind::Block { stmts, value: None };
            return hir::Expr { kind, ty: Types::NEVER, span };
        }
        let ty = match op {
            _ if number(&a) && number(&b) => {
                let float = a == Ty::Float || b == Ty::Float || op == BinaryOp::Div;
                if float { Types::FLOAT } else { Types::INT }
            }
            BinaryOp::Add if a == Ty::Str && b == Ty::Str => Types::STR,
            BinaryOp::Add
                if self.element_of_list(left.ty).is_some()
                    && self.element_of_list(right.ty).is_some() =>
            {
                return self.list_concat(left, right, span);
            }
            _ => {
                self.no_operator(op, op_span, &left, &right);
                return self.error_expr(span);
            }
        };
        let left = self.coerce(left, ty, Reason::Operand(right.span));
        let right = self.coerce(right, ty, Reason::Operand(left.span));
        let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
        hir::Expr { kind, ty, span }
    }

    fn list_concat(&mut self, left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
        let right = self.coerce(right, left.ty, Reason::Operand(left.span));
        let element = self.element_of_list(left.ty).unwrap_or(Types::ERROR);
        let ty = left.ty;
        let list = Receiver::Record(self.c.lang().list);
        let func = match self.c.methods.find(true, list, "concat") {
            [func, ..] => *func,
            [] => match self.c.prelude.funcs.get("list_concat") {
                Some(funcs) => funcs[0],
                None => panic!("the library must declare `func list[T].concat`"),
            },
        };
        self.c.request(func);
        let kind = ExprKind::Call { func, type_args: vec![element], args: vec![left, right] };
        hir::Expr { kind, ty, span }
    }

    fn no_operator(&mut self, op: BinaryOp, op_span: Span, left: &hir::Expr, right: &hir::Expr) {
        let (a, b) = (self.show(left.ty), self.show(right.ty));
        let sign = sign(op);
        let message = format!("`{a} {sign} {b}` is not defined");
        let mut diagnostic = Diagnostic::error("E0302", message, op_span, "")
            .label(left.span, format!("{} `{a}`", article(&a)))
            .label(right.span, format!("{} `{b}`", article(&b)));
        let (left_text, right_text) = (self.short_text(left.span), self.short_text(right.span));
        let (a, b) = (self.ty(left.ty).clone(), self.ty(right.ty).clone());
        diagnostic = match (op, &a, &b) {
            (BinaryOp::Add, Ty::Str, _) => {
                diagnostic.help(format!("make it text: `{left_text} + str({right_text})`, or put both into one string with {{…}}"))
            }
            (BinaryOp::Add, _, Ty::Str) => {
                diagnostic.help(format!("make it text: `str({left_text}) + {right_text}`, or put both into one string with {{…}}"))
            }
            (BinaryOp::Mul, Ty::Str, Ty::Int) => {
                diagnostic.help(format!("repeat it: `{left_text}.repeat({right_text})`"))
            }
            (BinaryOp::Add, _, other) | (BinaryOp::Add, other, _)
                if matches!(other, Ty::Record(id, _) if *id == self.c.lang().list) =>
            {
                diagnostic.help("a list grows with `xs.push(x)`; `xs + [x]` makes a new one")
            }
            (_, Ty::Param(_), _) | (_, _, Ty::Param(_)) => diagnostic
                .why("a type parameter stands for any type, and not every type has arithmetic")
                .help("take a function that does it as a parameter: `add: func(T, T) -> T`"),
            (_, Ty::Bool, _) | (_, _, Ty::Bool) => {
                diagnostic.help("`int(b)` is 1 for true and 0 for false")
            }
            _ if matches!(a, Ty::Record(..)) || matches!(b, Ty::Record(..)) => {
                diagnostic.help("work on the elements or fields: `xs.map(x => …)`")
            }
            _ => diagnostic.help("arithmetic works on `int`, `float` and `byte`; `+` also joins strings and lists"),
        };
        self.report(diagnostic);
    }

    /// Reports an operand whose type is not known yet.
    pub(super) fn unknown_operand(&mut self, span: Span) -> hir::Expr {
        let text = self.short_text(span);
        let message = format!("the type of `{text}` is not known here");
        let diagnostic = Diagnostic::error("E0304", message, span, "")
            .why("types are found from top to bottom, and nothing before this says it")
            .help(format!("write the type: `{text}: int`"));
        self.report(diagnostic);
        self.error_expr(span)
    }

    pub(super) fn coalesce(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let hint = match want.ty() {
            Some(ty) => {
                let ty = self.optional(ty);
                Want::Like(ty)
            }
            None => Want::Any,
        };
        let left = self.value(left, hint);
        let inner = match *self.ty(left.ty) {
            Ty::Optional(inner) => inner,
            Ty::Error => {
                self.expr(right, Want::Any);
                return self.error_expr(span);
            }
            Ty::Result(_) => {
                self.expr(right, Want::Any);
                let text = self.short_text(left.span);
                let default = self.short_text(right.span);
                let message = "`??` is for values that may be nil, this is a result";
                let diagnostic = Diagnostic::error("E0602", message, left.span, "")
                    .help(format!("write `{text}.or({default})`"));
                self.report(diagnostic);
                return self.error_expr(span);
            }
            _ => {
                self.expr(right, Want::Any);
                self.never_nil(left.span, left.ty, "`??` has nothing to do");
                return left;
            }
        };
        let right = self.value(right, Want::Like(inner));
        if matches!(self.ty(right.ty), Ty::Optional(_)) {
            let ty = left.ty;
            let right = self.coerce(right, ty, Reason::Default);
            let kind = ExprKind::Coalesce { left: Box::new(left), right: Box::new(right) };
            return hir::Expr { kind, ty, span };
        }
        let right = self.coerce(right, inner, Reason::Default);
        let ty = self.shallow(inner);
        let kind = ExprKind::Coalesce { left: Box::new(left), right: Box::new(right) };
        hir::Expr { kind, ty, span }
    }

    pub(super) fn never_nil(&mut self, span: Span, ty: TyId, consequence: &str) {
        let shown = self.show(ty);
        let text = self.short_text(span);
        let message = format!("`{text}` is never nil: {consequence}");
        let label = format!("{} `{shown}`", article(&shown));
        let diagnostic =
            Diagnostic::error("E0602", message, span, label).help("use the value as it is");
        self.report(diagnostic);
    }

    pub(super) fn try_expr(&mut self, inner: &ast::Expr, span: Span) -> hir::Expr {
        let value = self.value(inner, Want::Any);
        self.hand_on(value, span)
    }

    /// `value?`: its value, or its error handed on.
    pub(super) fn hand_on(&mut self, value: hir::Expr, span: Span) -> hir::Expr {
        let ty = match *self.ty(value.ty) {
            Ty::Result(inner) => inner,
            Ty::Error => return self.error_expr(span),
            Ty::Optional(_) => {
                let text = self.short_text(value.span);
                let message = "`?` hands on the error of a result, this is an optional";
                let diagnostic = Diagnostic::error("E0605", message, span, "")
                    .help(format!("give a default: `{text} ?? …`"))
                    .help(format!("or stop the program when it is nil: `{text}!`"));
                self.report(diagnostic);
                return self.error_expr(span);
            }
            _ => {
                let shown = self.show(value.ty);
                let message = format!("`?` needs a result, this is {} `{shown}`", article(&shown));
                let diagnostic =
                    Diagnostic::error("E0605", message, span, "").help("remove the `?`");
                self.report(diagnostic);
                return value;
            }
        };
        let result = self.frame().result;
        match *self.ty(result) {
            Ty::Result(_) | Ty::Error => {}
            Ty::Infer(_) => {
                let value = self.fresh(span, Unknown::Irrelevant);
                let outcome = self.intern(Ty::Result(value));
                self.unify(result, outcome);
            }
            _ => {
                let shown = self.show(result);
                let written = self.frame().result_span;
                let message = "`?` hands the error on, but this function returns no `Result`";
                let mut diagnostic = Diagnostic::error("E0604", message, span, "");
                if let Some(written) = written {
                    diagnostic = diagnostic.label(written, "the function returns this");
                }
                let text = self.short_text(value.span);
                diagnostic = diagnostic
                    .help(format!("let the function fail too: `-> Result[{shown}]`"))
                    .help(format!("or leave out the `?`: a failure of `{text}` then stops the program with its message"));
                self.report(diagnostic);
            }
        }
        hir::Expr { kind: ExprKind::Try(Box::new(value)), ty, span }
    }

    pub(super) fn assert(&mut self, inner: &ast::Expr, span: Span) -> hir::Expr {
        let value = self.value(inner, Want::Any);
        match *self.ty(value.ty) {
            Ty::Optional(ty) => hir::Expr { kind: ExprKind::Assert(Box::new(value)), ty, span },
            Ty::Result(ty) => {
                let conversion = Conversion::UnwrapResult;
                let kind = ExprKind::Convert { conversion, value: Box::new(value) };
                hir::Expr { kind, ty, span }
            }
            Ty::Error => self.error_expr(span),
            _ => {
                self.never_nil(value.span, value.ty, "`!` has nothing to do");
                value
            }
        }
    }

    /// `result.or(default)`: the default is only evaluated when it is needed.
    pub(super) fn result_or(
        &mut self,
        result: hir::Expr,
        inner: TyId,
        default: &ast::Expr,
        span: Span,
    ) -> hir::Expr {
        let default = self.expr(default, Want::Must(inner, Reason::Default));
        let place = result.span;
        let local = self.declare("value", inner, place, LocalKind::Hidden);
        let ok = hir::Pattern { kind: hir::PatternKind::Bind(local), ty: inner, span: place };
        let ok =
            hir::Pattern { kind: hir::PatternKind::Ok(Box::new(ok)), ty: result.ty, span: place };
        let rest = hir::Pattern { kind: hir::PatternKind::Wildcard, ty: result.ty, span: place };
        let value = hir::Expr { kind: ExprKind::Local(local), ty: inner, span: place };
        let arms = vec![
            hir::Arm { pattern: ok, guard: None, body: value },
            hir::Arm { pattern: rest, guard: None, body: default },
        ];
        hir::Expr { kind: ExprKind::Match { subject: Box::new(result), arms }, ty: inner, span }
    }

    /// Whether a function of that name is there to be called by library name.
    pub(super) fn library_func(&self, name: &str) -> Option<hir::FuncId> {
        match self.c.find_value(name, true) {
            Some(Meaning::Funcs(funcs)) => funcs.first().copied(),
            _ => None,
        }
    }
}

fn like(expr: &hir::Expr) -> Want {
    match expr.ty {
        Types::ERROR => Want::Any,
        ty => Want::Like(ty),
    }
}

pub(super) fn stmt_of(expr: hir::Expr) -> hir::Stmt {
    let span = expr.span;
    hir::Stmt { kind: hir::StmtKind::Expr(expr), span }
}
