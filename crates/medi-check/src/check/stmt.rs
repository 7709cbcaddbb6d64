//! Statements.
//!
//! `let` binds once, `var` can be assigned again; parameters, loop variables and names in patterns
//! bind once. An assignment goes to a `var`, a field, an element, or a part of a tuple that is itself
//! such a place; `op=` evaluates the parts of its place once. `xs += ys` on lists adds to the list
//! itself, as in Python, while `xs + ys` makes a new one. A name may be declared again and hides the
//! earlier one. A statement may drop any value but a result, which would lose an error: `let _ = …`
//! says that this is meant. `for` goes over ranges, lists, views, the characters of a string, and the
//! pairs of a map.

use medi_syntax::ast::{self, BinaryOp, StmtKind};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, LocalKind, Loop, Task, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::literal;
use super::names::Receiver;
use super::operator::sign;
use super::show::article;
use crate::hir::{self, ExprKind, Iter};
use crate::types::{Ty, TyId, Types};

impl Body<'_, '_> {
    /// A statement, and whether what follows is never reached. A reserved form leaves nothing.
    pub(super) fn stmt(&mut self, stmt: &ast::Stmt) -> (Option<hir::Stmt>, bool) {
        let span = stmt.span;
        let (kind, leaves) = match &stmt.kind {
            StmtKind::Let { mutable, pattern, ty, value } => {
                return self.let_stmt(*mutable, pattern, ty.as_ref(), value, span);
            }
            StmtKind::Assign { target, op, value } => {
                (self.assign(target, *op, value, span), false)
            }
            StmtKind::Expr(expr) => {
                let checked = self.expr(expr, Want::Nothing);
                let own_blocks =
                    matches!(expr.kind, ast::ExprKind::If { .. } | ast::ExprKind::Match { .. });
                if !own_blocks {
                    self.dropped(&checked);
                    self.warn_unused_value(&checked);
                }
                let leaves = self.is_never(checked.ty);
                (hir::StmtKind::Expr(checked), leaves)
            }
            StmtKind::Scope(scope) => {
                let checked = self.scope(scope, span, Want::Nothing);
                let leaves = self.is_never(checked.ty);
                (hir::StmtKind::Expr(checked), leaves)
            }
            StmtKind::While { cond, body } => self.while_stmt(cond, body),
            StmtKind::For { pattern, iter, body, parallel } => {
                let kind = match parallel {
                    true => self.parallel_for(pattern, iter, body, span),
                    false => self.for_stmt(pattern, iter, body),
                };
                (kind, false)
            }
            StmtKind::Parallel(body) => (self.parallel_block(body, span), false),
            StmtKind::Return(value) => {
                let value = if self.frame().task == Some(Task::Parallel) {
                    self.leaves_parallel("return", span);
                    value.as_ref().map(|value| self.expr(value, Want::Any));
                    None
                } else {
                    self.return_value(value.as_ref(), span)
                };
                let kind = ExprKind::Return(value.map(Box::new));
                (hir::StmtKind::Expr(hir::Expr { kind, ty: Types::NEVER, span }), true)
            }
            StmtKind::Break | StmtKind::Continue => {
                let breaks = matches!(stmt.kind, StmtKind::Break);
                match self.frame().loops.last_mut() {
                    Some(inner) if breaks && inner.parallel => self.leaves_parallel("break", span),
                    Some(inner) => inner.left_by_break |= breaks,
                    None => self.outside_loop(breaks, span),
                }
                let kind = if breaks { ExprKind::Break } else { ExprKind::Continue };
                (hir::StmtKind::Expr(hir::Expr { kind, ty: Types::NEVER, span }), true)
            }
        };
        (Some(hir::Stmt { kind, span }), leaves)
    }

    fn outside_loop(&mut self, breaks: bool, span: Span) {
        let word = if breaks { "break" } else { "continue" };
        let message = format!("`{word}` stands in no loop");
        let mut diagnostic = Diagnostic::error("E0509", message, span, "");
        diagnostic = if self.frame().task.is_some() {
            diagnostic.help("a task cannot end a loop around it; start it after the loop")
        } else if self.frame().closure {
            diagnostic.help("a function value cannot end a loop around it; use `for` instead")
        } else {
            diagnostic.help("leave a function with `return`")
        };
        self.report(diagnostic);
    }

    /// Reports a result that nobody looks at.
    pub(super) fn dropped(&mut self, checked: &hir::Expr) {
        if self.is_fallible_task(checked.ty) {
            self.task_dropped(checked);
        }
        if !matches!(self.ty(checked.ty), Ty::Result(_)) {
            return;
        }
        let text = self.short_text(checked.span);
        let mut diagnostic =
            Diagnostic::error("E0603", "this may fail, and nobody looks", checked.span, "a result");
        diagnostic = if matches!(checked.kind, ExprKind::Fail(_)) {
            diagnostic.help(format!("end the function with it: `return {text}`"))
        } else if matches!(self.ty(self.frames[self.frames.len() - 1].result), Ty::Result(_)) {
            diagnostic
                .help(format!("hand the error on: `{text}?`"))
                .help(format!("or stop the program when it fails: `{text}!`"))
        } else {
            diagnostic
                .help(format!("stop the program with its message when it fails: `{text}!`"))
                .help(format!(
                    "or handle it: `match {text} {{ Ok(value) => …, Err(message) => … }}`"
                ))
        };
        self.report(diagnostic);
    }

    /// Warns of a value that a statement makes and drops, without having done anything.
    fn warn_unused_value(&mut self, checked: &hir::Expr) {
        use BinaryOp::{And, Eq, Or};
        let text = self.short_text(checked.span);
        let help = match &checked.kind {
            _ if self.is_error(checked.ty) => return,
            ExprKind::Binary { op: And | Or, .. } => return,
            ExprKind::Binary { op: Eq, .. } => "`==` compares; `=` assigns".to_string(),
            ExprKind::FuncValue { .. } => format!("call it: `{text}()`"),
            ExprKind::Local(_) if matches!(self.ty(checked.ty), Ty::Func { .. }) => {
                format!("call it: `{text}()`")
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Nil
            | ExprKind::Local(_)
            | ExprKind::Closure { .. }
            | ExprKind::Binary { .. }
            | ExprKind::Not(_)
            | ExprKind::Neg(_)
            | ExprKind::Tuple(_)
            | ExprKind::List(_)
            | ExprKind::Map(_)
            | ExprKind::Field { .. }
            | ExprKind::TupleField { .. }
            | ExprKind::Index { .. }
            | ExprKind::NewRecord { .. }
            | ExprKind::NewOwn { .. }
            | ExprKind::NewVariant { .. }
            | ExprKind::Interpolate(_) => {
                format!("remove it, or do something with it: `print({text})`, `return {text}`")
            }
            _ => return,
        };
        let message = "this value is not used";
        self.warn(Diagnostic::warning("E0516", message, checked.span, "").help(help));
    }

    fn let_stmt(
        &mut self,
        mutable: bool,
        pattern: &ast::Pattern,
        ty: Option<&ast::TypeExpr>,
        value: &ast::Expr,
        span: Span,
    ) -> (Option<hir::Stmt>, bool) {
        let int_literal = matches!(value.kind, ast::ExprKind::Int(_)).then_some(value.span);
        let checked = match ty {
            Some(written) => {
                let wanted = self.resolve_type(written);
                let checked =
                    self.value(value, Want::Must(wanted, Reason::Annotation(written.span)));
                // A wrong value does not make the declared type wrong.
                if self.is_error(checked.ty) {
                    hir::Expr { ty: wanted, ..checked }
                } else {
                    checked
                }
            }
            None => self.value(value, Want::Any),
        };
        let kind = if mutable { LocalKind::Var } else { LocalKind::Let };
        if self.is_never(checked.ty) {
            let unknown = self.fresh(span, Unknown::Irrelevant);
            self.let_pattern(pattern, unknown, kind);
            return (Some(hir::Stmt { kind: hir::StmtKind::Expr(checked), span }), true);
        }
        let first = self.locals.len();
        let pattern = self.let_pattern(pattern, checked.ty, kind);
        if matches!(pattern.kind, hir::PatternKind::Tuple(_)) {
            self.locals[first..].iter_mut().for_each(|local| local.in_tuple = true);
        }
        if let (hir::PatternKind::Bind(local), true, None) = (&pattern.kind, mutable, ty) {
            self.local_mut(*local).int_literal = int_literal;
        }
        let kind = hir::StmtKind::Let { pattern, value: checked };
        (Some(hir::Stmt { kind, span }), false)
    }

    fn return_value(&mut self, value: Option<&ast::Expr>, span: Span) -> Option<hir::Expr> {
        let result = self.frame().result;
        let Some(value) = value else {
            match *self.ty(result) {
                Ty::Unit | Ty::Error => return None,
                Ty::Infer(_) => {
                    self.unify(result, Types::UNIT);
                    return None;
                }
                _ => {
                    let nothing = self.unit(span);
                    return Some(self.coerce(nothing, result, Reason::Result));
                }
            }
        };
        match self.ty(result) {
            Ty::Unit => {
                let checked = self.expr(value, Want::Any);
                let ty = self.shallow(checked.ty);
                if self.is_never(ty) || ty == Types::ERROR {
                    return Some(self.coerce(checked, Types::UNIT, Reason::Result));
                }
                if matches!(checked.kind, ExprKind::Fail(_)) {
                    self.fail_outside(checked.span);
                } else if ty != Types::UNIT {
                    self.returns_nothing(checked.span);
                }
                Some(checked)
            }
            _ => Some(self.expr(value, Want::Must(result, Reason::Returned))),
        }
    }

    fn while_stmt(&mut self, cond: &ast::Cond, body: &ast::Block) -> (hir::StmtKind, bool) {
        let forever =
            matches!(cond, ast::Cond::Expr(ast::Expr { kind: ast::ExprKind::Bool(true), .. }));
        let mark = self.mark();
        let cond = self.cond(cond);
        self.frame().loops.push(Loop::default());
        let body = self.block(body, Want::Nothing);
        let left = self.frame().loops.pop().is_some_and(|inner| inner.left_by_break);
        self.leave(mark);
        (hir::StmtKind::While { cond, body }, forever && !left)
    }

    fn for_stmt(
        &mut self,
        pattern: &ast::Pattern,
        iter: &ast::Expr,
        body: &ast::Block,
    ) -> hir::StmtKind {
        let (iter, element) = self.iter(iter, pattern);
        let mark = self.mark();
        let pattern = self.let_pattern(pattern, element, LocalKind::Loop);
        self.frame().loops.push(Loop::default());
        let body = self.block(body, Want::Nothing);
        self.frame().loops.pop();
        self.leave(mark);
        hir::StmtKind::For { pattern, iter, body }
    }

    pub(super) fn iter(&mut self, iter: &ast::Expr, pattern: &ast::Pattern) -> (Iter, TyId) {
        if let ast::ExprKind::Range { start, end, inclusive } = &iter.kind {
            let start = self.expr(start, Want::Must(Types::INT, Reason::RangeEnd));
            let end = self.expr(end, Want::Must(Types::INT, Reason::RangeEnd));
            return (Iter::Range { start, end, inclusive: *inclusive }, Types::INT);
        }
        let value = self.operand(iter, Want::Any);
        if let Some(element) = self.element_of_list(value.ty) {
            return (Iter::List(value), element);
        }
        if let Some((key, item)) = self.is_map(value.ty) {
            let lang = self.c.lang();
            self.c.request(lang.map_slots);
            self.c.request(lang.map_slot);
            if let ast::PatternKind::Name(name) = &pattern.kind {
                let text = self.short_text(value.span);
                let message = "a map gives pairs of key and value";
                let diagnostic =
                    Diagnostic::error("E0409", message, name.span, "one name for both")
                        .help(format!("write `for ({}, value) in {text}`", name.name))
                        .help(format!("or go over the keys: `for {} in {text}.keys()`", name.name));
                self.report(diagnostic);
                return (Iter::Map(value), Types::ERROR);
            }
            let pair = self.intern(Ty::Tuple(vec![key, item]));
            return (Iter::Map(value), pair);
        }
        match *self.ty(value.ty) {
            Ty::View(element) if !matches!(self.ty(element), Ty::Atomic(_)) => {
                (Iter::View(value), element)
            }
            Ty::Error => (Iter::List(value), Types::ERROR),
            Ty::Str if let [func, ..] = self.methods(Receiver::Str, "chars")[..] => {
                self.c.request(func);
                let (ty, span) = (self.c.func(func).result, value.span);
                let element = self.element_of_list(ty).unwrap_or(Types::ERROR);
                let kind = ExprKind::Call { func, type_args: vec![], args: vec![value] };
                (Iter::List(hir::Expr { kind, ty, span }), element)
            }
            _ => {
                self.cannot_loop(&value);
                (Iter::List(value), Types::ERROR)
            }
        }
    }

    fn cannot_loop(&mut self, value: &hir::Expr) {
        let shown = self.show(value.ty);
        let text = self.short_text(value.span);
        let message = format!("{} `{shown}` has no elements to loop over", article(&shown));
        let diagnostic = Diagnostic::error("E0308", message, value.span, "");
        let help = match self.ty(value.ty) {
            Ty::Int => format!("count with a range: `for i in 0..{text}`"),
            Ty::Str => format!("loop over its characters: `{text}.chars()`"),
            Ty::View(_) => format!("each load is one of its own: `for i in 0..len({text})`"),
            Ty::Owned(_) | Ty::Buffer => {
                format!("look at it through a view: `{text}.view[byte]()`")
            }
            _ => "loop over a list, a map, a view or a range `a..b`".to_string(),
        };
        self.report(diagnostic.help(help));
    }

    // Assignment.

    fn assign(
        &mut self,
        target: &ast::Expr,
        op: Option<BinaryOp>,
        value: &ast::Expr,
        span: Span,
    ) -> hir::StmtKind {
        let local = literal::name_of(target).and_then(|name| self.find_local(&name.name));
        let place = self.target(target);
        if self.is_error(place.ty) {
            self.expr(value, Want::Any);
            return hir::StmtKind::Expr(self.error_expr(span));
        }
        let wanted = place.ty;
        let reason = Reason::Assigned(local);
        let Some(op) = op else {
            let value = self.expr(value, Want::Must(wanted, reason));
            return hir::StmtKind::Assign { target: place, op: None, value };
        };
        if let ExprKind::Index { base, .. } = &place.kind
            && let Ty::View(element) = *self.ty(base.ty)
            && matches!(self.ty(element), Ty::Atomic(_))
        {
            let text = self.short_text(base.span);
            let message =
                format!("`{}=` reads and then writes, and others may write between", sign(op));
            let diagnostic = Diagnostic::error("E0302", message, span, "")
                .help(format!("do it in one step: `{text}.add(i, x)`"));
            self.report(diagnostic);
            self.expr(value, Want::Any);
            return hir::StmtKind::Expr(self.error_expr(span));
        }
        let value_hint = if op == BinaryOp::Pow { Want::Any } else { Want::Like(wanted) };
        let value = self.operand(value, value_hint);
        if self.is_error(value.ty) {
            return hir::StmtKind::Expr(value);
        }
        let (have, other) = (self.ty(wanted).clone(), self.ty(value.ty).clone());
        let number = |ty: &Ty| matches!(ty, Ty::Int | Ty::Float | Ty::Byte);
        match (&have, op) {
            (Ty::Str, BinaryOp::Add) if other == Ty::Str => {}
            (Ty::Float, _) if number(&other) => {}
            (Ty::Int, BinaryOp::Div) if number(&other) => {
                self.int_divided(&place, &value, span);
                return hir::StmtKind::Expr(self.error_expr(span));
            }
            (Ty::Int, _) if number(&other) => {}
            (Ty::Record(..), BinaryOp::Add) if self.element_of_list(wanted).is_some() => {
                return self.list_extend(place, value, span);
            }
            _ => {
                self.no_assign_operator(op, &place, &value, span);
                return hir::StmtKind::Expr(self.error_expr(span));
            }
        }
        let value = self.coerce(value, wanted, reason);
        hir::StmtKind::Assign { target: place, op: Some(op), value }
    }

    fn int_divided(&mut self, place: &hir::Expr, value: &hir::Expr, span: Span) {
        let (name, by) = (self.short_text(place.span), self.short_text(value.span));
        let diagnostic =
            Diagnostic::error("E0302", "`/` always gives a float", span, "assigned to an `int`")
                .help(format!("divide without a fraction: `{name} = div({name}, {by})`"))
                .help(format!("or start `{name}` as a float"));
        self.report(diagnostic);
    }

    fn no_assign_operator(
        &mut self,
        op: BinaryOp,
        place: &hir::Expr,
        value: &hir::Expr,
        span: Span,
    ) {
        let (a, b) = (self.show(place.ty), self.show(value.ty));
        let message = format!("`{}=` is not defined for `{a}` and `{b}`", sign(op));
        let mut diagnostic = Diagnostic::error("E0302", message, span, "")
            .label(place.span, format!("{} `{a}`", article(&a)))
            .label(value.span, format!("{} `{b}`", article(&b)));
        let (name, text) = (self.short_text(place.span), self.short_text(value.span));
        diagnostic = match self.ty(place.ty) {
            Ty::Str if op == BinaryOp::Add => {
                diagnostic.help(format!("make it text: `{name} += str({text})`"))
            }
            Ty::Byte => {
                let sum = format!("byte({name} {} {text})", sign(op));
                diagnostic
                    .why("arithmetic on bytes gives an int")
                    .help(format!("convert it back: `{name} = {sum}`"))
            }
            Ty::Optional(_) => diagnostic.help(format!("give a default: `({name} ?? 0)`")),
            _ => diagnostic
                .help("arithmetic works on `int` and `float`; `+=` also on strings and lists"),
        };
        self.report(diagnostic);
    }

    /// `xs += ys` adds to the list itself, as in Python.
    fn list_extend(&mut self, place: hir::Expr, value: hir::Expr, span: Span) -> hir::StmtKind {
        let value = self.coerce(value, place.ty, Reason::Operand(place.span));
        let element = self.element_of_list(place.ty).unwrap_or(Types::ERROR);
        let list = Receiver::Record(self.c.lang().list);
        let func = match self.c.methods.find(true, list, "extend") {
            [func, ..] => *func,
            [] => panic!("the library must declare `func list[T].extend`"),
        };
        self.c.request(func);
        let kind = ExprKind::Call { func, type_args: vec![element], args: vec![place, value] };
        hir::StmtKind::Expr(hir::Expr { kind, ty: Types::UNIT, span })
    }

    /// The place that is assigned to. A variable is not used by that, not even by `op=`.
    fn target(&mut self, target: &ast::Expr) -> hir::Expr {
        use ast::ExprKind as A;
        match &target.kind {
            A::Name(name) => {
                let Some(local) = self.find_local(&name.name) else {
                    return self.not_a_variable(name);
                };
                let checked = self.use_local(local, target.span, true);
                if self.local(local).kind != LocalKind::Var {
                    self.cannot_assign(local, name);
                    return self.error_expr(target.span);
                }
                checked
            }
            A::Field { .. } | A::Index { .. } => {
                let mark = self.links.len();
                let checked = self.postfix(target, Want::Any);
                if self.links.len() > mark {
                    self.links.truncate(mark);
                    let message = "an optional chain cannot be assigned to";
                    let diagnostic = Diagnostic::error("E0506", message, target.span, "")
                        .help("unwrap it first: `if let x = … { x.field = value }`");
                    self.report(diagnostic);
                    return self.error_expr(target.span);
                }
                self.check_place(checked)
            }
            // The parser reported it.
            _ => self.error_expr(target.span),
        }
    }

    /// A field or element as a place. Part of a tuple is a place if the tuple is.
    fn check_place(&mut self, checked: hir::Expr) -> hir::Expr {
        match &checked.kind {
            ExprKind::Field { .. } => {
                if let ExprKind::Field { base, .. } = &checked.kind
                    && !self.library
                    && self
                        .record_of(base.ty)
                        .is_some_and(|(id, _)| id == self.c.lang().list || id == self.c.lang().map)
                {
                    let diagnostic =
                        Diagnostic::error("E0506", "this belongs to the library", checked.span, "")
                            .help("change a list with its methods: `push`, `pop`, `clear`");
                    self.report(diagnostic);
                    return self.error_expr(checked.span);
                }
                checked
            }
            ExprKind::Index { base, .. } => {
                if self.is_map(base.ty).is_some() {
                    let set = self.c.lang().map_set;
                    self.c.request(set);
                }
                checked
            }
            ExprKind::TupleField { .. } => {
                let mut base = &checked;
                while let ExprKind::TupleField { base: inner, .. } = &base.kind {
                    base = inner;
                }
                let fixed = match &base.kind {
                    ExprKind::Local(local) => {
                        let local = *local;
                        let fixed = self.local(local).kind != LocalKind::Var;
                        self.use_local(local, checked.span, true);
                        fixed
                    }
                    ExprKind::Field { .. } | ExprKind::Index { .. } => false,
                    ExprKind::Unit => return checked,
                    _ => true,
                };
                if fixed {
                    let message = "this part of a tuple cannot change";
                    let diagnostic = Diagnostic::error("E0506", message, checked.span, "")
                        .why("a tuple is a value; only one in a `var`, a field or an element can change")
                        .help("declare the tuple with `var`");
                    self.report(diagnostic);
                    return self.error_expr(checked.span);
                }
                checked
            }
            _ if self.is_error(checked.ty) => checked,
            _ => {
                let diagnostic =
                    Diagnostic::error("E0506", "this cannot be assigned to", checked.span, "")
                        .help("assign to a `var`, a field `p.x`, or an element `xs[i]`");
                self.report(diagnostic);
                self.error_expr(checked.span)
            }
        }
    }

    fn not_a_variable(&mut self, name: &ast::Ident) -> hir::Expr {
        let known = self.c.find_value(&name.name, self.library).is_some();
        if known {
            let message = format!("`{}` cannot be assigned to", name.name);
            let diagnostic = Diagnostic::error("E0506", message, name.span, "")
                .why("constants and functions never change")
                .help(format!("declare a variable: `var {} = …`", name.name));
            self.report(diagnostic);
        } else {
            let names: Vec<String> = self.local_names().map(str::to_string).collect();
            let close = medi_syntax::suggest::closest(&name.name, names.iter().map(String::as_str));
            let message = format!("there is no variable `{}`", name.name);
            let mut diagnostic = Diagnostic::error("E0202", message, name.span, "");
            if let Some(close) = close {
                diagnostic =
                    diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
            } else {
                diagnostic =
                    diagnostic.help(format!("the first time, declare it: `var {} = …`", name.name));
            }
            self.report(diagnostic);
        }
        self.error_expr(name.span)
    }

    fn cannot_assign(&mut self, local: hir::LocalId, name: &ast::Ident) {
        let info = self.local(local);
        let (kind, span) = (info.kind, info.hir.span);
        let message = format!("`{}` cannot be assigned again", name.name);
        let diagnostic = Diagnostic::error("E0506", message, name.span, "");
        let diagnostic = match kind {
            LocalKind::Param => diagnostic
                .label(span, "a parameter")
                .help(format!("copy it into a variable first: `var {0}_now = {0}`", name.name)),
            LocalKind::Loop => {
                diagnostic.label(span, "each step of the loop sets it").help("use another `var`")
            }
            LocalKind::Pattern => diagnostic
                .label(span, "bound by this pattern")
                .help(format!("copy it into a variable first: `var {0}_now = {0}`", name.name)),
            _ => diagnostic
                .label(span, "declared with `let`, which binds once")
                .help(format!("declare it with `var {}`", name.name)),
        };
        self.report(diagnostic);
    }
}
