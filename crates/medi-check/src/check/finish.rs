//! The end of a body: what waited for types is checked, and the tree gets its final ones.

use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::Span;

use super::body::{Body, Later};
use super::infer::Unknown;
use super::show::article;
use super::type_expr::not_plain;
use crate::hir::{self, ExprKind, Iter, PatternKind, Piece, StmtKind};
use crate::types::{Ty, TyId, Types};

impl Body<'_, '_> {
    pub(super) fn finish(&mut self, tree: &mut hir::Expr) {
        let checks = std::mem::take(&mut self.later);
        self.find_borrowing(&checks);
        for check in checks {
            self.check_later(check);
        }
        self.settle_open();
        self.finish_expr(tree);
        for index in 0..self.locals.len() {
            let ty = self.final_type(self.locals[index].hir.ty);
            self.locals[index].hir.ty = ty;
        }
        if self.infer.too_deep {
            let message = "a type in this function nests too deep";
            let diagnostic = Diagnostic::error("E0323", message, tree.span, "")
                .why(format!("types nest at most {} levels", super::infer::MAX_DEPTH))
                .help("put a record in between: it hides what it holds");
            self.report(diagnostic);
        }
    }

    fn final_type(&mut self, ty: TyId) -> TyId {
        self.infer.resolve(&mut self.c.types, ty)
    }

    fn check_later(&mut self, check: Later) {
        match check {
            Later::PlainElement(ty, span) => {
                let ty = self.final_type(ty);
                if !self.c.plain(ty) {
                    let shown = self.show(ty);
                    self.report(not_plain(span, &shown));
                }
            }
            Later::Comparable { ty, span, ordered } => {
                let ty = self.final_type(ty);
                if let Some(reason) = self.incomparable(ty, ordered, 0) {
                    let shown = self.show(ty);
                    let verb = if ordered { "ordered" } else { "compared" };
                    let message = format!("values of type `{shown}` cannot be {verb}");
                    let help = if ordered {
                        "compare one of their fields, or sort with `sort_by(x => x.field)`"
                    } else {
                        "compare something that says what is meant: a name, an id"
                    };
                    let diagnostic =
                        Diagnostic::error("E0311", message, span, "").why(reason).help(help);
                    self.report(diagnostic);
                }
            }
            Later::Shared(shared) => self.check_shared(&shared),
            Later::Printable(ty, span) => {
                if let Ty::Func { .. } = self.ty(ty) {
                    let shown = self.show(ty);
                    let text = self.short_text(span);
                    let message = format!("{} `{shown}` cannot be printed", article(&shown));
                    let diagnostic = Diagnostic::error("E0318", message, span, "")
                        .help(format!("call it first: `{text}(…)`"));
                    self.report(diagnostic);
                }
            }
        }
    }

    /// Why values of the type cannot be compared, if they cannot.
    fn incomparable(&self, ty: TyId, ordered: bool, depth: u32) -> Option<&'static str> {
        if depth > 8 {
            return None;
        }
        match self.ty(ty) {
            Ty::Func { .. } => Some("nobody can tell whether two functions do the same"),
            Ty::Int | Ty::Float | Ty::Byte | Ty::Str => None,
            Ty::Error | Ty::Infer(_) | Ty::Never | Ty::Param(_) => None,
            Ty::Own(_)
            | Ty::Shared(_)
            | Ty::Weak(_)
            | Ty::Buffer
            | Ty::View(_)
            | Ty::Owned(_)
            | Ty::Pin(_)
            | Ty::Atomic(_) => Some("scope memory has no value of its own"),
            _ if ordered => Some("only `int`, `float`, `byte` and `string` have an order"),
            Ty::Optional(inner) | Ty::Result(inner) | Ty::Array(inner) => {
                self.incomparable(*inner, false, depth + 1)
            }
            Ty::Tuple(parts) | Ty::Record(_, parts) | Ty::Enum(_, parts) => {
                parts.iter().find_map(|part| self.incomparable(*part, false, depth + 1))
            }
            Ty::Unit | Ty::Bool | Ty::Cell(_) => None,
        }
    }

    /// Reports what was never found out; when the body has other errors, those are the likely cause.
    fn settle_open(&mut self) {
        let unbound: Vec<u32> = self.infer.unbound().collect();
        let mut reported: Vec<Span> = vec![];
        let clean = !self.has_errors();
        for index in unbound {
            let (span, unknown) = self.infer.origin(index);
            let unknown = unknown.clone();
            if matches!(unknown, Unknown::Irrelevant) {
                self.infer.settle(index, Types::UNIT);
                continue;
            }
            if clean && !reported.contains(&span) {
                reported.push(span);
                self.report_unknown(span, &unknown);
            }
            self.infer.settle(index, Types::ERROR);
        }
    }

    /// Whether an error was reported in this body.
    pub(super) fn has_errors(&self) -> bool {
        let error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        self.c.diagnostics[self.diagnostics_before..].iter().any(error)
    }

    fn report_unknown(&mut self, span: Span, unknown: &Unknown) {
        let (message, help) = match unknown {
            Unknown::Elements => (
                "nothing says what this list holds".to_string(),
                "write its type: `let xs: list[int] = []`, or `list[int]()`".to_string(),
            ),
            Unknown::Entries => (
                "nothing says what this map holds".to_string(),
                "write its type: `map[string, int]()`".to_string(),
            ),
            Unknown::Nil => (
                "nothing says what is missing here".to_string(),
                "write the type: `let x: int? = nil`".to_string(),
            ),
            Unknown::Parameter(name) => (
                format!("nothing says what `{name}` is"),
                format!("write its type: `({name}: int) => …`"),
            ),
            Unknown::TypeArgument { of, param } => (
                format!("nothing says what `{param}` of `{of}` is"),
                match of.as_str() {
                    "view" => "write it: `b.view[float]()`".to_string(),
                    "array_new" => "write it: `array_new[T](n)`".to_string(),
                    _ => format!("write it: `{of}[int](…)`, or the type of the variable"),
                },
            ),
            Unknown::Irrelevant => return,
        };
        let diagnostic = Diagnostic::error("E0304", message, span, "").help(help);
        self.report(diagnostic);
    }

    // The tree.

    fn finish_expr(&mut self, expr: &mut hir::Expr) {
        expr.ty = self.final_type(expr.ty);
        match &mut expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Nil
            | ExprKind::Unit
            | ExprKind::Local(_)
            | ExprKind::Break
            | ExprKind::Continue
            | ExprKind::Return(None) => {}
            ExprKind::FuncValue { type_args, .. } => self.finish_types(type_args),
            ExprKind::Call { type_args, args, .. } => {
                self.finish_types(type_args);
                self.finish_all(args);
            }
            ExprKind::CallValue { callee, args } => {
                self.finish_expr(callee);
                self.finish_all(args);
            }
            ExprKind::Intrinsic { args, .. } => self.finish_all(args),
            ExprKind::Tuple(parts) | ExprKind::List(parts) => self.finish_all(parts),
            ExprKind::Closure { body, .. } | ExprKind::Scope { body, .. } => self.finish_expr(body),
            ExprKind::Convert { value, .. }
            | ExprKind::Neg(value)
            | ExprKind::Not(value)
            | ExprKind::Assert(value)
            | ExprKind::Try(value)
            | ExprKind::Ok(value)
            | ExprKind::Fail(value)
            | ExprKind::Return(Some(value))
            | ExprKind::Field { base: value, .. }
            | ExprKind::TupleField { base: value, .. } => self.finish_expr(value),
            ExprKind::Binary { left, right, .. }
            | ExprKind::Coalesce { left, right }
            | ExprKind::Index { base: left, index: right }
            | ExprKind::OptionalChain { value: left, body: right, .. } => {
                self.finish_expr(left);
                self.finish_expr(right);
            }
            ExprKind::NewRecord { fields }
            | ExprKind::NewOwn { fields, .. }
            | ExprKind::NewVariant { fields, .. } => {
                for (_, value) in fields {
                    self.finish_expr(value);
                }
            }
            ExprKind::Map(entries) => {
                for (key, value) in entries {
                    self.finish_expr(key);
                    self.finish_expr(value);
                }
            }
            ExprKind::Interpolate(pieces) | ExprKind::Print(pieces) => {
                for piece in pieces {
                    if let Piece::Value { value, .. } = piece {
                        self.finish_expr(value);
                    }
                }
            }
            ExprKind::If { cond, then, otherwise } => {
                self.finish_cond(cond);
                self.finish_expr(then);
                if let Some(otherwise) = otherwise {
                    self.finish_expr(otherwise);
                }
            }
            ExprKind::Match { subject, arms } => {
                self.finish_expr(subject);
                for arm in arms {
                    self.finish_pattern(&mut arm.pattern);
                    if let Some(guard) = &mut arm.guard {
                        self.finish_expr(guard);
                    }
                    self.finish_expr(&mut arm.body);
                }
            }
            ExprKind::Block { stmts, value } => {
                for stmt in stmts {
                    self.finish_stmt(stmt);
                }
                if let Some(value) = value {
                    self.finish_expr(value);
                }
            }
        }
    }

    fn finish_all(&mut self, list: &mut [hir::Expr]) {
        for expr in list {
            self.finish_expr(expr);
        }
    }

    fn finish_types(&mut self, types: &mut [TyId]) {
        for ty in types {
            *ty = self.final_type(*ty);
        }
    }

    fn finish_cond(&mut self, cond: &mut hir::Cond) {
        match cond {
            hir::Cond::Expr(expr) => self.finish_expr(expr),
            hir::Cond::Let { pattern, value } => {
                self.finish_pattern(pattern);
                self.finish_expr(value);
            }
        }
    }

    fn finish_stmt(&mut self, stmt: &mut hir::Stmt) {
        match &mut stmt.kind {
            StmtKind::Let { pattern, value } => {
                self.finish_pattern(pattern);
                self.finish_expr(value);
            }
            StmtKind::Assign { target, value, .. } => {
                self.finish_expr(target);
                self.finish_expr(value);
            }
            StmtKind::Expr(expr) => self.finish_expr(expr),
            StmtKind::While { cond, body } => {
                self.finish_cond(cond);
                self.finish_expr(body);
            }
            StmtKind::For { pattern, iter, body } => {
                self.finish_pattern(pattern);
                match iter {
                    Iter::Range { start, end, .. } => {
                        self.finish_expr(start);
                        self.finish_expr(end);
                    }
                    Iter::List(value) | Iter::Map(value) | Iter::View(value) => {
                        self.finish_expr(value);
                    }
                }
                self.finish_expr(body);
            }
        }
    }

    fn finish_pattern(&mut self, pattern: &mut hir::Pattern) {
        pattern.ty = self.final_type(pattern.ty);
        match &mut pattern.kind {
            PatternKind::Some(inner) | PatternKind::Ok(inner) | PatternKind::Err(inner) => {
                self.finish_pattern(inner);
            }
            PatternKind::Tuple(parts)
            | PatternKind::Or(parts)
            | PatternKind::Variant { fields: parts, .. } => {
                for part in parts {
                    self.finish_pattern(part);
                }
            }
            PatternKind::Wildcard
            | PatternKind::Bind(_)
            | PatternKind::Int(_)
            | PatternKind::Float(_)
            | PatternKind::Bool(_)
            | PatternKind::Str(_)
            | PatternKind::Nil
            | PatternKind::Range { .. } => {}
        }
    }
}
