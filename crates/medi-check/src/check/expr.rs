//! Expressions: literals, names, records, and the dispatch to everything else.
//!
//! A number literal becomes the int, float or byte that is wanted, if it fits; without that it is an
//! int, or a float if it has a point or an exponent. A name is a local, then something the program
//! declares, then something of the library. A variant needs its enum's name only where two enums have
//! one of that name and nothing says which is wanted. A record literal gives all fields, in any order,
//! but optional ones may be left out. Values become text by `to_string(self) -> string`, if their
//! record or enum has that method, else by their fields; a result becomes the text of its value.

use medi_syntax::ast::{self, BinaryOp, UnaryOp};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;
use medi_syntax::suggest;

use super::body::{Body, Later, Link, MAX_DEPTH, Want};
use super::call::Callee;
use super::coerce::Reason;
use super::infer::Unknown;
use super::names::{Meaning, TypeName, VariantRef};
use super::show::{article, count};
use super::{literal, reserved};
use crate::hir::{self, ExprKind, FuncId};
use crate::types::{RecordId, Ty, TyId, Types};

impl Body<'_, '_> {
    /// Checks an expression. With [`Want::Must`] the result has that type (or an error was reported);
    /// with the others it has its own.
    pub(super) fn expr(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        if self.depth >= MAX_DEPTH {
            if !self.too_deep_reported {
                self.too_deep_reported = true;
                let message = "this expression nests too deep";
                let diagnostic = Diagnostic::error("E0901", message, expr.span, "")
                    .why(format!("the compiler follows at most {MAX_DEPTH} levels"))
                    .help("give a part of it a name with `let`");
                self.report(diagnostic);
            }
            return self.error_expr(expr.span);
        }
        self.depth += 1;
        let checked = self.expr_inner(expr, want);
        self.depth -= 1;
        match want {
            Want::Must(wanted, reason) => self.coerce(checked, wanted, reason),
            _ => checked,
        }
    }

    /// An expression whose value is needed: one without a value is reported.
    pub(super) fn value(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        let checked = self.expr(expr, want);
        self.need_value(checked)
    }

    pub(super) fn need_value(&mut self, checked: hir::Expr) -> hir::Expr {
        if matches!(self.ty(checked.ty), Ty::Unit) && !matches!(checked.kind, ExprKind::Unit) {
            let diagnostic = Diagnostic::error("E0320", "this has no value", checked.span, "")
                .why("a function without `->`, a loop and an `if` without `else` give nothing")
                .help("return a value from it: `-> type` in the declaration, or an `else`");
            self.report(diagnostic);
            return self.error_expr(checked.span);
        }
        checked
    }

    /// Code that never gives a value, as a part of one that is then never made.
    pub(super) fn settled(&mut self, checked: hir::Expr) -> hir::Expr {
        if !self.is_never(checked.ty) {
            return checked;
        }
        let ty = self.fresh(checked.span, Unknown::Irrelevant);
        self.coerce(checked, ty, Reason::Branch)
    }

    /// A value that is worked with: a result is unwrapped, an optional is reported.
    pub(super) fn operand(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        let checked = self.value(expr, want);
        let checked = self.unwrapped(checked);
        if matches!(self.ty(checked.ty), Ty::Optional(_)) {
            let shown = self.show(checked.ty);
            self.optional_unchecked(checked.span, &shown, None);
            return self.error_expr(checked.span);
        }
        checked
    }

    fn expr_inner(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        use ast::ExprKind as A;
        let span = expr.span;
        let simple = |kind, ty| hir::Expr { kind, ty, span };
        match &expr.kind {
            A::Error => self.error_expr(span),
            A::Int(_) => self.int_literal(expr, want),
            A::Float(value) => simple(ExprKind::Float(*value), Types::FLOAT),
            A::Bool(value) => simple(ExprKind::Bool(*value), Types::BOOL),
            A::Str(parts) => self.string(parts, span),
            A::Nil => {
                let ty = match want.ty().map(|ty| self.shallow(ty)) {
                    Some(ty) if matches!(self.ty(ty), Ty::Optional(_)) => ty,
                    _ => {
                        let inner = self.fresh(span, Unknown::Nil);
                        self.intern(Ty::Optional(inner))
                    }
                };
                simple(ExprKind::Nil, ty)
            }
            A::Name(name) => self.name(name, want),
            A::TypeArgs { base, .. } => self.bare_type_args(expr, base),
            A::List(items) => self.list(items, span, want),
            A::Map(entries) => self.map(entries, span, want),
            A::Tuple(parts) => self.tuple(parts, span, want),
            A::Record { name, type_args, fields } => {
                self.record_literal(name, type_args, fields, span, want)
            }
            A::Unary { op, operand } => match op {
                UnaryOp::Neg => self.negate(expr, operand, want),
                UnaryOp::Not => {
                    let operand = self.condition(operand);
                    simple(ExprKind::Not(Box::new(operand)), Types::BOOL)
                }
            },
            A::Binary { op, op_span, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => {
                    let left = Box::new(self.condition(left));
                    let right = Box::new(self.condition(right));
                    simple(ExprKind::Binary { op: *op, left, right }, Types::BOOL)
                }
                _ => self.binary(*op, *op_span, left, right, span, want),
            },
            A::Coalesce { left, right } => self.coalesce(left, right, span, want),
            A::Range { .. } => {
                let diagnostic =
                    Diagnostic::error("E0322", "a range is not a value of its own", span, "")
                        .why("ranges stand in `for i in a..b`, in `xs[a..b]` and in patterns")
                        .help("make a list in a loop, or write the two ends as `let`s");
                self.report(diagnostic);
                self.error_expr(span)
            }
            A::Call { .. } | A::Field { .. } | A::Index { .. } => self.chain(expr, want),
            A::Try(inner) => self.try_expr(inner, span),
            A::Assert(inner) => self.assert(inner, span),
            A::Closure { params, body } => self.closure(params, body, span, want),
            A::If { cond, then, otherwise } => {
                self.if_expr(cond, then, otherwise.as_deref(), span, want)
            }
            A::Match { subject, arms } => self.match_expr(subject, arms, span, want),
            A::Block(block) => self.block(block, want),
            A::Scope(scope) => self.scope(scope, span, want),
            A::Order(name) => {
                let message = format!("`.{}` is no value", name.name);
                let diagnostic = Diagnostic::error("E0324", message, span, "")
                    .help("an order stands in `fence(.acquire)` and last in `v.load(i, .acquire)`");
                self.report(diagnostic);
                self.error_expr(span)
            }
            A::Own { value, scope } => self.own(value, scope.as_ref(), span, want),
            A::Spawn(value) => self.spawn(value, span),
        }
    }

    /// `own T { … } in scope`.
    fn own(
        &mut self,
        value: &ast::Expr,
        scope: Option<&ast::Ident>,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let inner = want.ty().map(|ty| self.ty(self.within(ty)).clone());
        let hint = match inner {
            Some(Ty::Own(record) | Ty::Shared(record)) => Want::Like(record),
            _ => Want::Any,
        };
        let made = self.expr(value, hint);
        if self.is_error(made.ty) {
            return self.error_expr(span);
        }
        let ExprKind::NewRecord { fields } = made.kind else {
            if matches!(value.kind, ast::ExprKind::Record { .. }) {
                return self.error_expr(span);
            }
            let diagnostic =
                Diagnostic::error("E0326", "`own` makes one object of a record", value.span, "")
                    .help("write the record with its fields: `own Node { value: 1 }`");
            self.report(diagnostic);
            return self.error_expr(span);
        };
        let Some(scope) = self.scope_of(scope, span) else { return self.error_expr(span) };
        let ty = self.intern(Ty::Own(made.ty));
        hir::Expr { kind: ExprKind::NewOwn { scope, fields }, ty, span }
    }

    /// Which open scope of the function is meant, counted from the outermost.
    fn scope_of(&mut self, name: Option<&ast::Ident>, span: Span) -> Option<u32> {
        let open = self.frame().scopes.clone();
        let Some(name) = name else {
            if open.is_empty() {
                self.no_scope("own", span);
            }
            return (open.len() as u32).checked_sub(1);
        };
        let is_named = |scope: &Option<String>| scope.as_ref() == Some(&name.name);
        let found = open.iter().rposition(is_named);
        if found.is_none() {
            let message = format!("no open scope is called `{}`", name.name);
            let names: Vec<&str> = open.iter().flatten().map(String::as_str).collect();
            let diagnostic = Diagnostic::error("E0202", message, name.span, "");
            let diagnostic = match suggest::closest(&name.name, names.into_iter()) {
                Some(close) => {
                    diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close)
                }
                None => diagnostic
                    .why("a scope is open in the function that it stands in, not in those it calls")
                    .help(format!("name the scope: `scope {} {{ … }}`", name.name)),
            };
            self.report(diagnostic);
        }
        found.map(|index| index as u32)
    }

    /// A condition or an operand of `and`, `or`, `not`.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> hir::Expr {
        let checked = self.value(expr, Want::Any);
        let checked = self.unwrapped(checked);
        let span = checked.span;
        let checked = match self.convert(checked, Types::BOOL) {
            Ok(checked) => return checked,
            Err(checked) => checked,
        };
        let shown = self.show(checked.ty);
        let text = self.short_text(span);
        let message = format!("this is {} `{shown}`, not a condition", article(&shown));
        let diagnostic = Diagnostic::error("E0303", message, span, "")
            .why("a condition is a `bool`; nothing else counts as true or false");
        let help = match self.ty(checked.ty) {
            Ty::Optional(_) => format!("compare it: `{text} != nil`, or `if let x = {text}`"),
            Ty::Int | Ty::Byte => format!("compare it: `{text} != 0`"),
            Ty::Float => format!("compare it: `{text} != 0.0`"),
            Ty::Str | Ty::Record(..) => format!("ask what is meant: `not {text}.is_empty()`"),
            _ => "compare it with something: `==`, `<`, …".to_string(),
        };
        self.report(diagnostic.help(help));
        self.error_expr(span)
    }

    fn int_literal(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        let span = expr.span;
        let value = literal::int_value(expr).unwrap_or(0);
        let wanted = want.ty().map(|ty| self.within(ty));
        let (kind, ty) = match wanted {
            Some(Types::FLOAT) => (ExprKind::Float(value as f64), Types::FLOAT),
            Some(Types::BYTE) if (0..=255).contains(&value) => {
                (ExprKind::Int(value as i64), Types::BYTE)
            }
            Some(Types::BYTE) if matches!(want, Want::Must(..)) => {
                let text = self.short_text(span);
                let message = format!("{text} does not fit a `byte`");
                let diagnostic = Diagnostic::error("E0306", message, span, "")
                    .why("a byte is between 0 and 255")
                    .help("use an `int`");
                self.report(diagnostic);
                return self.error_expr(span);
            }
            _ => match i64::try_from(value) {
                Ok(value) => (ExprKind::Int(value), Types::INT),
                Err(_) => {
                    let text = self.short_text(span);
                    let message = format!("{text} does not fit an `int`");
                    let diagnostic = Diagnostic::error("E0306", message, span, "")
                        .why("an int is between -9223372036854775808 and 9223372036854775807")
                        .help(format!("write a float: `{text}.0`"));
                    self.report(diagnostic);
                    return self.error_expr(span);
                }
            },
        };
        hir::Expr { kind, ty, span }
    }

    /// The type inside optionals and results: what a literal there should be.
    pub(super) fn within(&self, ty: TyId) -> TyId {
        match *self.ty(ty) {
            Ty::Optional(inner) | Ty::Result(inner) => self.within(inner),
            _ => self.shallow(ty),
        }
    }

    fn negate(&mut self, expr: &ast::Expr, operand: &ast::Expr, want: Want) -> hir::Expr {
        if matches!(operand.kind, ast::ExprKind::Int(_)) {
            return self.int_literal(expr, want);
        }
        let hint = want.ty().map_or(Want::Any, Want::Like);
        let checked = self.operand(operand, hint);
        let span = expr.span;
        match self.ty(checked.ty) {
            Ty::Error => self.error_expr(span),
            Ty::Int | Ty::Float => {
                let ty = self.shallow(checked.ty);
                if let ExprKind::Float(value) = checked.kind {
                    return hir::Expr { kind: ExprKind::Float(-value), ty, span };
                }
                hir::Expr { kind: ExprKind::Neg(Box::new(checked)), ty, span }
            }
            Ty::Byte => {
                let checked = self.coerce(checked, Types::INT, Reason::Builtin("-"));
                hir::Expr { kind: ExprKind::Neg(Box::new(checked)), ty: Types::INT, span }
            }
            Ty::Infer(_) => self.unknown_operand(operand.span),
            _ => {
                let shown = self.show(checked.ty);
                let message = format!("`-` needs a number, this is {} `{shown}`", article(&shown));
                let diagnostic = Diagnostic::error("E0302", message, operand.span, "")
                    .help("only an `int`, a `float` or a `byte` can be negated");
                self.report(diagnostic);
                self.error_expr(span)
            }
        }
    }

    // Names.

    fn name(&mut self, name: &ast::Ident, want: Want) -> hir::Expr {
        let span = name.span;
        if let Some(local) = self.find_local(&name.name) {
            return self.use_local(local, span, false);
        }
        if let Callee::Builtin = self.callee_by_name(name) {
            return self.builtin_value(name, want);
        }
        match self.c.find_value(&name.name, self.library) {
            Some(Meaning::Funcs(funcs)) => self.func_value(&funcs, name, want),
            Some(Meaning::Const(index)) => {
                let value = self.c.const_value(index, None);
                self.const_use(&value, span, want)
            }
            Some(Meaning::Variants(variants)) => match self.choose_variant(&variants, name, want) {
                Some(variant) => self.bare_variant(variant, &[], span, want),
                None => self.error_expr(span),
            },
            None => {
                self.unknown_name(name, false);
                self.error_expr(span)
            }
        }
    }

    fn const_use(&mut self, value: &super::konst::Value, span: Span, want: Want) -> hir::Expr {
        let byte = want.ty().map(|ty| self.within(ty)) == Some(Types::BYTE);
        if let super::konst::Value::Int(number @ 0..=255) = value
            && byte
        {
            return hir::Expr { kind: ExprKind::Int(*number), ty: Types::BYTE, span };
        }
        self.c.const_expr(value, span)
    }

    /// Reports a name that nothing declares; `called`: with arguments after it.
    pub(super) fn unknown_name(&mut self, name: &ast::Ident, called: bool) {
        let word = name.name.as_str();
        let message = format!("there is no `{word}` here");
        let mut diagnostic = Diagnostic::error("E0202", message, name.span, "");
        let is_type = self.c.find_type(word, self.library).is_some()
            || super::type_expr::BUILTIN_TYPES.contains(&word)
            || self.type_params.contains(&word);
        if is_type {
            let message = format!("`{word}` is a type, a value is wanted here");
            diagnostic = Diagnostic::error("E0208", message, name.span, "").help(format!(
                "make a value of it: `{word} {{ … }}`, or call one of its functions"
            ));
            self.report(diagnostic);
            return;
        }
        if let Some(value) = reserved::foreign_value(word) {
            diagnostic = diagnostic
                .help(format!("in Medi this is written `{value}`"))
                .edit(name.span, value);
        } else if word == "self" {
            diagnostic = diagnostic
                .why("only a method has `self`: `func Patient.name(self) -> …`")
                .help("declare the function as a method, or pass the value as a parameter");
        } else {
            let names = self.c.value_names(self.library);
            let builtins = super::intrinsic::NAMES.iter().copied();
            let locals: Vec<String> = self.local_names().map(str::to_string).collect();
            let all = locals.iter().map(String::as_str).chain(names).chain(builtins);
            if let Some(close) = suggest::closest(word, all) {
                diagnostic =
                    diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
            } else if let Some(teach) = reserved::foreign_func(word).filter(|_| called) {
                diagnostic = diagnostic.help(format!("in Medi, {teach}"));
            } else if called {
                diagnostic = diagnostic.help(format!("declare it: `func {word}(…) {{ … }}`"));
            } else {
                diagnostic =
                    diagnostic.help(format!("declare it first: `let {word} = …`, or a parameter"));
            }
        }
        self.report(diagnostic);
    }

    /// `name[types]` that is not called.
    fn bare_type_args(&mut self, expr: &ast::Expr, base: &ast::Expr) -> hir::Expr {
        if let ast::ExprKind::TypeArgs { args, .. } = &expr.kind
            && let Some(name) = literal::name_of(base)
            && self.find_local(&name.name).is_none()
            && let Some(Meaning::Funcs(funcs)) = self.c.find_value(&name.name, self.library)
            && let [func] = funcs[..]
        {
            let args = self.resolve_types(args);
            return self.instantiate_value(func, &args, expr.span);
        }
        self.types_without_call(expr.span);
        self.error_expr(expr.span)
    }

    pub(super) fn types_without_call(&mut self, span: Span) {
        let message = "types in brackets need a call after them";
        let diagnostic = Diagnostic::error("E0208", message, span, "")
            .help("an empty list is `list[int]()`, an empty map `map[string, int]()`");
        self.report(diagnostic);
    }

    pub(super) fn resolve_type(&mut self, written: &ast::TypeExpr) -> TyId {
        let params = std::mem::take(&mut self.type_params);
        let ty = self.c.resolve_type(written, &params, self.library);
        self.type_params = params;
        ty
    }

    pub(super) fn resolve_types(&mut self, written: &[ast::TypeExpr]) -> Vec<TyId> {
        written.iter().map(|written| self.resolve_type(written)).collect()
    }

    /// A named function as a value.
    fn func_value(&mut self, funcs: &[FuncId], name: &ast::Ident, want: Want) -> hir::Expr {
        if let [func] = funcs {
            return self.instantiate_value(*func, &[], name.span);
        }
        if let Some(wanted) = want.ty() {
            for func in funcs {
                let snapshot = self.infer.snapshot();
                let value = self.instantiate_value(*func, &[], name.span);
                if self.unify(value.ty, wanted) {
                    return value;
                }
                self.infer.rollback(snapshot);
            }
        }
        let message = format!("there are several functions `{}`", name.name);
        let diagnostic = Diagnostic::error("E0507", message, name.span, "")
            .help(format!("say which one is meant: `(x: list[float]) => {}(x)`", name.name));
        self.report(diagnostic);
        self.error_expr(name.span)
    }

    // Collections.

    fn list(&mut self, items: &[ast::Expr], span: Span, want: Want) -> hir::Expr {
        let wanted = want.ty().map(|ty| self.within(ty)).and_then(|ty| self.element_of_list(ty));
        let (items, element) = match wanted.filter(|element| !self.is_open(*element)) {
            Some(element) if matches!(want, Want::Must(..)) => {
                let reason = element_reason(want, items.first().map_or(span, |first| first.span));
                let items = items.iter().map(|item| self.expr(item, Want::Must(element, reason)));
                (items.collect(), element)
            }
            _ => {
                let Some(first) = items.first().map(|item| item.span) else {
                    let element = match wanted {
                        Some(element) => element,
                        None => self.fresh(span, Unknown::Elements),
                    };
                    let ty = self.list_of(element);
                    return hir::Expr { kind: ExprKind::List(vec![]), ty, span };
                };
                self.joined(items, first)
            }
        };
        let ty = self.list_of(element);
        hir::Expr { kind: ExprKind::List(items), ty, span }
    }

    /// Elements that have one type together.
    fn joined(&mut self, items: &[ast::Expr], first: Span) -> (Vec<hir::Expr>, TyId) {
        let mut checked = vec![];
        let mut element: Option<TyId> = None;
        for item in items {
            let want = element.map_or(Want::Any, Want::Like);
            let value = self.value(item, want);
            element = Some(match element {
                None => value.ty,
                Some(ty) => {
                    let literals = literal::is_number(item)
                        || checked.iter().all(|(_, literal): &(hir::Expr, bool)| *literal);
                    match self.join(ty, value.ty, literals) {
                        Some(joined) => joined,
                        None => {
                            self.mismatch(&value, ty, Reason::Element(first));
                            ty
                        }
                    }
                }
            });
            checked.push((value, literal::is_number(item)));
        }
        let mut element = element.unwrap_or(Types::ERROR);
        if self.is_never(element) {
            element = self.fresh(first, Unknown::Irrelevant);
        }
        let checked = checked
            .into_iter()
            .map(|(value, _)| match self.convert(value, element) {
                Ok(value) => value,
                Err(value) => self.error_expr(value.span),
            })
            .collect();
        (checked, element)
    }

    /// The one type of two branches or elements. `literals`: an int among them may become a float.
    pub(super) fn join(&mut self, left: TyId, right: TyId, literals: bool) -> Option<TyId> {
        let left = self.shallow(left);
        let right = self.shallow(right);
        match (self.c.types.get(left).clone(), self.c.types.get(right).clone()) {
            (Ty::Never, _) | (_, Ty::Error) => Some(right),
            (_, Ty::Never) | (Ty::Error, _) => Some(left),
            (Ty::Int, Ty::Float) | (Ty::Float, Ty::Int) if literals => Some(Types::FLOAT),
            (Ty::Infer(_), _) | (_, Ty::Infer(_)) => self.unify(left, right).then_some(left),
            (Ty::Optional(a), Ty::Optional(b)) => {
                let inner = self.join(a, b, false)?;
                Some(self.optional(inner))
            }
            (Ty::Result(a), Ty::Result(b)) => self.unify(a, b).then_some(left),
            (Ty::Result(a), _) => self.join(a, right, literals).map(|inner| {
                let inner = self.shallow(inner);
                self.intern(Ty::Result(inner))
            }),
            (_, Ty::Result(b)) => self.join(left, b, literals).map(|inner| {
                let inner = self.shallow(inner);
                self.intern(Ty::Result(inner))
            }),
            (Ty::Optional(a), _) => {
                let inner = self.join(a, right, literals)?;
                Some(self.optional(inner))
            }
            (_, Ty::Optional(b)) => {
                let inner = self.join(left, b, literals)?;
                Some(self.optional(inner))
            }
            _ => {
                let snapshot = self.infer.snapshot();
                if self.unify(left, right) {
                    return Some(left);
                }
                self.infer.rollback(snapshot);
                None
            }
        }
    }

    fn map(&mut self, entries: &[(ast::Expr, ast::Expr)], span: Span, want: Want) -> hir::Expr {
        let wanted = want.ty().map(|ty| self.within(ty)).and_then(|ty| self.is_map(ty));
        let lang = self.c.lang();
        self.c.request(lang.map_new);
        self.c.request(lang.map_set);
        let must = matches!(want, Want::Must(..));
        let known = wanted.filter(|(k, v)| must && !self.is_open(*k) && !self.is_open(*v));
        let (key, value, checked) = match (known, entries.first()) {
            (Some((key, value)), Some(first)) => {
                let mut checked = vec![];
                for (k, v) in entries {
                    let k = self.expr(k, Want::Must(key, element_reason(want, first.0.span)));
                    let v = self.expr(v, Want::Must(value, element_reason(want, first.1.span)));
                    checked.push((k, v));
                }
                (key, value, checked)
            }
            (_, None) => {
                let (key, value) = match wanted {
                    Some(wanted) => wanted,
                    None => {
                        (self.fresh(span, Unknown::Entries), self.fresh(span, Unknown::Entries))
                    }
                };
                (key, value, vec![])
            }
            (None, Some(first)) => {
                let keys: Vec<ast::Expr> = entries.iter().map(|(key, _)| key.clone()).collect();
                let values: Vec<ast::Expr> = entries.iter().map(|(_, v)| v.clone()).collect();
                let (keys, key) = self.joined(&keys, first.0.span);
                let (values, value) = self.joined(&values, first.1.span);
                (key, value, keys.into_iter().zip(values).collect())
            }
        };
        self.later.push(Later::Comparable { ty: key, span, ordered: false });
        let ty = self.intern(Ty::Record(lang.map, vec![key, value]));
        hir::Expr { kind: ExprKind::Map(checked), ty, span }
    }

    fn tuple(&mut self, parts: &[ast::Expr], span: Span, want: Want) -> hir::Expr {
        if parts.is_empty() {
            return self.unit(span);
        }
        let wanted = match want.ty().map(|ty| self.ty(self.within(ty)).clone()) {
            Some(Ty::Tuple(wanted)) if wanted.len() == parts.len() => Some(wanted),
            _ => None,
        };
        let mut checked = vec![];
        for (index, part) in parts.iter().enumerate() {
            let want = match (&wanted, want) {
                (Some(wanted), Want::Must(_, reason)) => Want::Must(wanted[index], reason),
                (Some(wanted), _) => Want::Like(wanted[index]),
                (None, _) => Want::Any,
            };
            let part = self.value(part, want);
            checked.push(self.settled(part));
        }
        let types = checked.iter().map(|part| self.shallow(part.ty)).collect();
        let ty = self.intern(Ty::Tuple(types));
        hir::Expr { kind: ExprKind::Tuple(checked), ty, span }
    }

    // Records and variants.

    fn record_literal(
        &mut self,
        name: &ast::Ident,
        type_args: &[ast::TypeExpr],
        fields: &[ast::FieldInit],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let given_args = self.resolve_types(type_args);
        let record = match self.c.find_type(&name.name, self.library) {
            Some(TypeName::Record(record)) => record,
            _ => {
                self.not_a_record(name, fields);
                for field in fields {
                    self.expr(&field.value, Want::Any);
                }
                return self.error_expr(span);
            }
        };
        let declared = self.c.record(record);
        let opaque = record == self.c.lang().list || record == self.c.lang().map;
        let params = declared.type_params.clone();
        let names: Vec<String> = declared.fields.iter().map(|field| field.name.clone()).collect();
        let types: Vec<TyId> = declared.fields.iter().map(|field| field.ty).collect();
        if opaque && !self.library {
            let message = format!("a `{}` is not made like a record", name.name);
            let diagnostic = Diagnostic::error("E0212", message, span, "").help(
                "write `[1, 2]` or `[\"a\": 1]`; empty: `list[int]()` or `map[string, int]()`",
            );
            self.report(diagnostic);
            return self.error_expr(span);
        }
        if !given_args.is_empty() && given_args.len() != params.len() {
            self.wrong_type_args(&name.name, params.len(), given_args.len(), name.span);
            return self.error_expr(span);
        }
        let args: Vec<TyId> = if given_args.is_empty() {
            let of = name.name.clone();
            params
                .iter()
                .map(|param| {
                    let unknown = Unknown::TypeArgument { of: of.clone(), param: param.clone() };
                    self.fresh(name.span, unknown)
                })
                .collect()
        } else {
            given_args
        };
        let ty = self.intern(Ty::Record(record, args.clone()));
        if let Some(wanted) = want.ty() {
            let wanted = self.within(wanted);
            let snapshot = self.infer.snapshot();
            if !self.unify(ty, wanted) {
                self.infer.rollback(snapshot);
            }
        }
        let mut given: Vec<Option<Span>> = vec![None; names.len()];
        let mut checked = vec![];
        for field in fields {
            let Some(index) = names.iter().position(|known| *known == field.name.name) else {
                self.unknown_field(&field.name, ty, Some(record));
                self.expr(&field.value, Want::Any);
                continue;
            };
            if let Some(earlier) = given[index] {
                let message = format!("`{}` is given twice", field.name.name);
                let diagnostic = Diagnostic::error("E0504", message, field.name.span, "")
                    .label(earlier, "first given here")
                    .help("remove one of them");
                self.report(diagnostic);
            }
            given[index] = Some(field.name.span);
            let wanted = self.c.types.substitute(types[index], &args);
            let reason = Reason::Field(record, index as u32);
            let value = self.expr(&field.value, Want::Must(wanted, reason));
            checked.push((index as u32, value));
        }
        let mut missing = vec![];
        for index in (0..names.len()).filter(|index| given[*index].is_none()) {
            let wanted = self.c.types.substitute(types[index], &args);
            if matches!(self.ty(wanted), Ty::Optional(_)) {
                let nil = hir::Expr { kind: ExprKind::Nil, ty: wanted, span };
                checked.push((index as u32, nil));
            } else {
                missing.push((names[index].clone(), wanted));
            }
        }
        if !missing.is_empty() {
            self.missing_fields(name, span, fields.is_empty(), &missing);
            return hir::Expr { kind: ExprKind::Unit, ty, span };
        }
        hir::Expr { kind: ExprKind::NewRecord { fields: checked }, ty, span }
    }

    fn missing_fields(
        &mut self,
        name: &ast::Ident,
        span: Span,
        empty: bool,
        missing: &[(String, TyId)],
    ) {
        let listed: Vec<String> = missing.iter().map(|(field, _)| format!("`{field}`")).collect();
        let message = format!(
            "{} of `{}` {} missing: {}",
            count(missing.len(), "field"),
            name.name,
            if missing.len() == 1 { "is" } else { "are" },
            listed.join(", ")
        );
        let additions: Vec<String> = missing
            .iter()
            .map(|(field, ty)| format!("{field}: {}", default_text(self.ty(*ty))))
            .collect();
        let separator = if empty { "" } else { ", " };
        let diagnostic = Diagnostic::error("E0503", message, span, "")
            .why("only optional fields may be left out; they are then nil")
            .help(format!("add `{separator}{}`", additions.join(", ")));
        self.report(diagnostic);
    }

    fn not_a_record(&mut self, name: &ast::Ident, fields: &[ast::FieldInit]) {
        let word = name.name.as_str();
        if let Some(Meaning::Variants(variants)) = self.c.find_value(word, self.library) {
            let enumeration = &self.c.enumeration(variants[0].enumeration).name;
            let message = format!("`{word}` is a variant of `{enumeration}`, not a record");
            let shown: Vec<String> =
                fields.iter().map(|field| format!("{}: …", field.name.name)).collect();
            let diagnostic = Diagnostic::error("E0208", message, name.span, "").help(format!(
                "variants take their fields in parentheses: `{word}({})`",
                shown.join(", ")
            ));
            self.report(diagnostic);
        } else if let Some(TypeName::Enum(_)) = self.c.find_type(word, self.library) {
            let message = format!("`{word}` is an enum, not a record");
            let diagnostic = Diagnostic::error("E0208", message, name.span, "")
                .help(format!("use one of its variants: `{word}.Variant`"));
            self.report(diagnostic);
        } else {
            self.c.report_unknown_type(name, self.library);
        }
    }

    pub(super) fn record_of(&self, ty: TyId) -> Option<(RecordId, Vec<TyId>)> {
        match self.ty(ty) {
            Ty::Record(id, args) => Some((*id, args.clone())),
            _ => None,
        }
    }

    /// The variant that a bare name means.
    pub(super) fn choose_variant(
        &mut self,
        variants: &[VariantRef],
        name: &ast::Ident,
        want: Want,
    ) -> Option<VariantRef> {
        if let [variant] = variants {
            return Some(*variant);
        }
        if let Some(wanted) = want.ty()
            && let Ty::Enum(id, _) = *self.ty(self.within(wanted))
            && let Some(variant) = variants.iter().find(|variant| variant.enumeration == id)
        {
            return Some(*variant);
        }
        let enums: Vec<String> = variants
            .iter()
            .map(|variant| self.c.enumeration(variant.enumeration).name.clone())
            .collect();
        let message = format!("`{}` is a variant of {}", name.name, enums.join(" and of "));
        let diagnostic = Diagnostic::error("E0207", message, name.span, "which one is meant?")
            .help(format!("write `{}.{}`", enums[0], name.name));
        self.report(diagnostic);
        None
    }

    // Optional chains.

    /// Calls, fields and indices, with everything that `?.` in them makes conditional.
    fn chain(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        let mark = self.links.len();
        let mut result = self.postfix(expr, want);
        let span = expr.span;
        if self.links.len() == mark {
            return result;
        }
        if matches!(self.ty(result.ty), Ty::Unit) {
            while self.links.len() > mark
                && let Some(link) = self.links.pop()
            {
                result = self.if_there(link, result, span);
            }
            return result;
        }
        while self.links.len() > mark
            && let Some(Link { value, local }) = self.links.pop()
        {
            let ty = self.optional(result.ty);
            let body = if self.is_never(result.ty) {
                self.error_expr(span)
            } else {
                self.coerce(result, ty, Reason::Branch)
            };
            let kind =
                ExprKind::OptionalChain { value: Box::new(value), local, body: Box::new(body) };
            result = hir::Expr { kind, ty, span };
        }
        result
    }

    /// `value?.method()` whose method gives nothing.
    fn if_there(&mut self, link: Link, then: hir::Expr, span: Span) -> hir::Expr {
        let inner = self.local(link.local).hir.ty;
        let place = link.value.span;
        let bind =
            hir::Pattern { kind: hir::PatternKind::Bind(link.local), ty: inner, span: place };
        let kind = hir::PatternKind::Some(Box::new(bind));
        let pattern = hir::Pattern { kind, ty: link.value.ty, span: place };
        let cond = hir::Cond::Let { pattern, value: link.value };
        let kind = ExprKind::If { cond: Box::new(cond), then: Box::new(then), otherwise: None };
        hir::Expr { kind, ty: Types::UNIT, span }
    }
}

/// Why an element of a literal is wanted: because of what wants the whole, if that can be shown.
fn element_reason(want: Want, first: Span) -> Reason {
    match want {
        Want::Must(_, reason @ (Reason::Annotation(_) | Reason::Result | Reason::Returned)) => {
            reason
        }
        _ => Reason::Element(first),
    }
}

/// A value of the type, for a message.
fn default_text(ty: &Ty) -> &'static str {
    match ty {
        Ty::Int | Ty::Byte => "0",
        Ty::Float => "0.0",
        Ty::Bool => "false",
        Ty::Str => "\"\"",
        _ => "…",
    }
}
