//! The state while one function body is checked: locals, names in sight, enclosing closures, loops and
//! scopes.
//!
//! Closures share the locals and the inference variables of the function they stand in; each has a
//! [`Frame`] of its own for what `return`, `break` and `allocate` refer to.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::infer::{Infer, Unknown};
use super::names::Receiver;
use super::{Checker, coerce::Reason};
pub(super) use crate::hir::Task;
use crate::hir::{self, FuncId, LocalId};
use crate::types::{Ty, TyId, Types};

/// How deep expressions may nest, chains of operators included.
pub(super) const MAX_DEPTH: u32 = 500;

/// What the place of an expression asks of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    /// The value is dropped: a statement.
    Nothing,
    /// Any type will do.
    Any,
    /// A hint; another type is not an error here.
    Like(TyId),
    /// This type, after conversions.
    Must(TyId, Reason),
}

impl Want {
    /// The type that is asked for, if one is.
    pub(super) fn ty(self) -> Option<TyId> {
        match self {
            Want::Nothing | Want::Any => None,
            Want::Like(ty) | Want::Must(ty, _) => Some(ty),
        }
    }
}

/// What a local was made by, for warnings and for errors on assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LocalKind {
    Param,
    Let,
    Var,
    Pattern,
    Loop,
    /// Not written by anyone.
    Hidden,
}

pub(super) struct LocalInfo {
    pub(super) hir: hir::Local,
    pub(super) kind: LocalKind,
    /// Index of the frame it was declared in.
    frame: usize,
    used: bool,
    changed: bool,
    /// `var (a, b)` is the only way to declare both, though only one may change.
    pub(super) in_tuple: bool,
    /// The int literal that a `var` starts with.
    pub(super) int_literal: Option<Span>,
}

/// A function, closure or task that is being checked.
pub(super) struct Frame {
    pub(super) result: TyId,
    /// Where the result type is written.
    pub(super) result_span: Option<Span>,
    pub(super) closure: bool,
    /// The frame is what a task runs.
    pub(super) task: Option<Task>,
    pub(super) spawn: Option<Spawn>,
    pub(super) loops: Vec<Loop>,
    /// The names of the `scope`s that are open, outermost first.
    pub(super) scopes: Vec<Option<String>>,
}

impl Frame {
    pub(super) fn new(result: TyId) -> Frame {
        Frame {
            result,
            result_span: None,
            closure: false,
            task: None,
            spawn: None,
            loops: vec![],
            scopes: vec![],
        }
    }
}

#[derive(Default)]
pub(super) struct Loop {
    pub(super) left_by_break: bool,
    /// Its steps are taken at the same time.
    pub(super) parallel: bool,
}

/// A step `?.` of a chain that is being checked: the rest happens only if `value` is there.
pub(super) struct Link {
    pub(super) value: hir::Expr,
    pub(super) local: LocalId,
}

/// A check that needs types that are only known at the end of the body.
pub(super) enum Later {
    /// The type is the element of a view.
    PlainElement(TyId, Span),
    /// Values of the type are compared.
    Comparable { ty: TyId, span: Span, ordered: bool },
    /// A value of the type is printed or made into text.
    Printable(TyId, Span),
    /// A value of the type goes into a task or comes out of it.
    Shared(Shared),
}

/// A value that goes into a task or comes out of it.
pub(super) struct Shared {
    pub(super) ty: TyId,
    pub(super) span: Span,
    /// Of the variable.
    pub(super) name: Option<String>,
    pub(super) task: Task,
    pub(super) spawn: Option<Spawn>,
    /// What the variable is a pin of, where the task may pin that itself.
    pub(super) pinned: Option<String>,
}

/// `spawn x`, and the type of `x`.
#[derive(Clone, Copy)]
pub(super) struct Spawn {
    pub(super) span: Span,
    pub(super) result: TyId,
}

pub(super) struct Body<'c, 'a> {
    pub(super) c: &'c mut Checker<'a>,
    pub(super) library: bool,
    pub(super) type_params: Vec<&'a str>,
    pub(super) infer: Infer,
    pub(super) locals: Vec<LocalInfo>,
    /// Names in sight, innermost last.
    names: Vec<(String, LocalId)>,
    pub(super) frames: Vec<Frame>,
    pub(super) links: Vec<Link>,
    pub(super) later: Vec<Later>,
    /// The `spawn`s that use scope memory which no other task may use.
    pub(super) unlendable: Vec<Span>,
    /// The `spawn`s, and variables in them, that there is an error about.
    pub(super) told_of_spawn: Vec<(Span, String)>,
    pub(super) depth: u32,
    pub(super) too_deep_reported: bool,
    /// How many diagnostics there were before this body.
    pub(super) diagnostics_before: usize,
}

/// Checks a body and stores the result.
pub(super) fn check_func<'a>(checker: &mut Checker<'a>, func: FuncId) {
    let info = checker.func(func);
    let Some(block) = &info.ast.body else { return };
    let result = info.result;
    let result_span = info.ast.result.as_ref().map(|ty| ty.span);
    let params = info.params.clone();
    let mut body = Body {
        library: info.library,
        type_params: info.type_params.clone(),
        diagnostics_before: checker.diagnostics.len(),
        c: checker,
        infer: Infer::default(),
        locals: vec![],
        names: vec![],
        frames: vec![],
        links: vec![],
        later: vec![],
        unlendable: vec![],
        told_of_spawn: vec![],
        depth: 0,
        too_deep_reported: false,
    };
    body.frames.push(Frame { result_span, ..Frame::new(result) });
    for param in &params {
        body.declare(param.name, param.ty, param.span, LocalKind::Param);
    }
    let want = match result {
        Types::UNIT => Want::Nothing,
        _ => Want::Must(result, Reason::Result),
    };
    let mut tree = body.block(block, want);
    // A body that always leaves needs no conversion to the result type.
    if let hir::ExprKind::Convert { conversion: hir::Conversion::FromNever, value } = tree.kind {
        tree = *value;
    }
    body.finish(&mut tree);
    body.warn_about_locals();
    let locals = body.locals.into_iter().map(|local| local.hir).collect();
    checker.funcs[func.0 as usize].checked = Some((locals, tree));
}

impl<'a> Body<'_, 'a> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.c.report(diagnostic);
    }

    /// A warning; the library's own code gives none to its users.
    pub(super) fn warn(&mut self, diagnostic: Diagnostic) {
        if !self.library {
            self.c.report(diagnostic);
        }
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a body is inside its function's frame")
    }

    // Types.

    pub(super) fn fresh(&mut self, span: Span, unknown: Unknown) -> TyId {
        self.infer.fresh(&mut self.c.types, span, unknown)
    }

    pub(super) fn intern(&mut self, ty: Ty) -> TyId {
        let id = self.c.types.intern(ty);
        if self.c.types.depth(id) > super::infer::MAX_DEPTH {
            self.infer.too_deep = true;
            return Types::ERROR;
        }
        id
    }

    pub(super) fn shallow(&self, ty: TyId) -> TyId {
        self.infer.shallow(&self.c.types, ty)
    }

    /// What the type is, one level down.
    pub(super) fn ty(&self, ty: TyId) -> &Ty {
        self.c.types.get(self.shallow(ty))
    }

    pub(super) fn unify(&mut self, left: TyId, right: TyId) -> bool {
        self.infer.unify(&mut self.c.types, left, right)
    }

    pub(super) fn is_error(&self, ty: TyId) -> bool {
        matches!(self.ty(ty), Ty::Error)
    }

    pub(super) fn is_never(&self, ty: TyId) -> bool {
        matches!(self.ty(ty), Ty::Never)
    }

    pub(super) fn is_open(&self, ty: TyId) -> bool {
        matches!(self.ty(ty), Ty::Infer(_))
    }

    pub(super) fn list_of(&mut self, element: TyId) -> TyId {
        let list = self.c.lang().list;
        self.intern(Ty::Record(list, vec![element]))
    }

    pub(super) fn optional(&mut self, inner: TyId) -> TyId {
        let inner = self.shallow(inner);
        self.intern(Ty::Optional(inner))
    }

    /// The element type, if the type is a list.
    pub(super) fn element_of_list(&self, ty: TyId) -> Option<TyId> {
        match self.ty(ty) {
            Ty::Record(id, args) if *id == self.c.lang().list => Some(args[0]),
            _ => None,
        }
    }

    pub(super) fn is_map(&self, ty: TyId) -> Option<(TyId, TyId)> {
        match self.ty(ty) {
            Ty::Record(id, args) if *id == self.c.lang().map => Some((args[0], args[1])),
            _ => None,
        }
    }

    /// As a person would write it.
    pub(super) fn show(&mut self, ty: TyId) -> String {
        let ty = self.infer.resolve(&mut self.c.types, ty);
        self.c.show(ty, &self.type_params)
    }

    pub(super) fn methods(&self, receiver: Receiver, name: &str) -> Vec<FuncId> {
        self.c.methods.find(self.library, receiver, name).to_vec()
    }

    // Trees.

    pub(super) fn error_expr(&self, span: Span) -> hir::Expr {
        hir::Expr { kind: hir::ExprKind::Unit, ty: Types::ERROR, span }
    }

    pub(super) fn unit(&self, span: Span) -> hir::Expr {
        hir::Expr { kind: hir::ExprKind::Unit, ty: Types::UNIT, span }
    }

    // Locals.

    /// Makes a local and brings its name in sight.
    pub(super) fn declare(&mut self, name: &str, ty: TyId, span: Span, kind: LocalKind) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(LocalInfo {
            hir: hir::Local {
                name: name.to_string(),
                ty,
                mutable: kind == LocalKind::Var,
                captured: false,
                span,
            },
            kind,
            frame: self.frames.len() - 1,
            used: false,
            changed: false,
            in_tuple: false,
            int_literal: None,
        });
        if kind != LocalKind::Hidden {
            self.names.push((name.to_string(), id));
        }
        id
    }

    pub(super) fn local(&self, id: LocalId) -> &LocalInfo {
        &self.locals[id.0 as usize]
    }

    pub(super) fn local_mut(&mut self, id: LocalId) -> &mut LocalInfo {
        &mut self.locals[id.0 as usize]
    }

    pub(super) fn find_local(&self, name: &str) -> Option<LocalId> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, id)| *id)
    }

    /// The names of locals in sight, innermost first.
    pub(super) fn local_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().rev().map(|(name, _)| name.as_str())
    }

    /// An expression that reads (or, with `changes`, assigns) a local.
    pub(super) fn use_local(&mut self, id: LocalId, span: Span, changes: bool) -> hir::Expr {
        let crossed = &self.frames[self.locals[id.0 as usize].frame + 1..];
        let into_task =
            crossed.iter().rev().find_map(|frame| frame.task.map(|task| (task, frame.spawn)));
        // A task takes the value of a variable along, a closure the variable itself.
        let into_closure = crossed.iter().any(|frame| frame.task.is_none());
        let local = self.local_mut(id);
        local.used |= !changes;
        local.changed |= changes;
        local.hir.captured |= into_closure;
        let ty = local.hir.ty;
        if let Some((task, spawn)) = into_task {
            self.check_capture(id, span, changes, task, spawn);
        }
        hir::Expr { kind: hir::ExprKind::Local(id), ty, span }
    }

    pub(super) fn mark(&self) -> usize {
        self.names.len()
    }

    /// Takes the names declared since `mark` out of sight.
    pub(super) fn leave(&mut self, mark: usize) {
        self.names.truncate(mark);
    }

    fn warn_about_locals(&mut self) {
        // What is unused may be so because of an error.
        if self.library || self.has_errors() {
            return;
        }
        let mut warnings = vec![];
        for local in &self.locals {
            let name = &local.hir.name;
            let written = matches!(local.kind, LocalKind::Let | LocalKind::Var);
            if !written || name.starts_with('_') || local.hir.ty == Types::ERROR {
                continue;
            }
            if !local.used {
                let label = if local.changed { "assigned, but never read" } else { "" };
                let message = format!("`{name}` is never used");
                warnings.push(
                    Diagnostic::warning("E0213", message, local.hir.span, label)
                        .help(format!("remove it, or call it `_{name}` if that is meant")),
                );
            } else if local.kind == LocalKind::Var && !local.changed && !local.in_tuple {
                let message = format!("`{name}` is never assigned again");
                warnings.push(
                    Diagnostic::warning("E0214", message, local.hir.span, "")
                        .help("declare it with `let`: what it refers to may still change"),
                );
            }
        }
        for warning in warnings {
            self.warn(warning);
        }
    }

    // Blocks.

    pub(super) fn block(&mut self, block: &ast::Block, want: Want) -> hir::Expr {
        let mark = self.mark();
        let mut stmts = vec![];
        let mut value = None;
        let mut diverges = false;
        let mut warned = false;
        for (index, stmt) in block.stmts.iter().enumerate() {
            if diverges && !warned {
                warned = true;
                let diagnostic =
                    Diagnostic::warning("E0508", "this is never reached", stmt.span, "")
                        .why("the statement before it always leaves")
                        .help("remove it, or move it up");
                self.warn(diagnostic);
            }
            let last = index + 1 == block.stmts.len();
            if last
                && !diverges
                && !matches!(want, Want::Nothing)
                && let Some(expr) = self.trailing_value(stmt, want)
            {
                diverges |= self.is_never(expr.ty);
                value = Some(Box::new(expr));
                break;
            }
            let (stmt, leaves) = self.stmt(stmt);
            diverges |= leaves;
            stmts.extend(stmt);
        }
        self.leave(mark);
        let span = block.span;
        let end = Span { start: span.end.saturating_sub(1).max(span.start), ..span };
        if value.is_none()
            && !diverges
            && let Want::Must(wanted, reason) = want
            && !matches!(self.ty(wanted), Ty::Unit)
        {
            let nothing = self.unit(end);
            value = Some(Box::new(self.coerce(nothing, wanted, reason)));
        }
        let ty = match &value {
            _ if diverges => Types::NEVER,
            Some(value) => value.ty,
            None => Types::UNIT,
        };
        let expr = hir::Expr { kind: hir::ExprKind::Block { stmts, value }, ty, span };
        match want {
            Want::Must(wanted, reason) => self.coerce(expr, wanted, reason),
            _ => expr,
        }
    }

    /// The last statement of a block as its value, if it can be one.
    fn trailing_value(&mut self, stmt: &ast::Stmt, want: Want) -> Option<hir::Expr> {
        match &stmt.kind {
            ast::StmtKind::Expr(expr) => Some(self.expr(expr, want)),
            ast::StmtKind::Scope(scope) => Some(self.scope(scope, stmt.span, want)),
            _ => None,
        }
    }
}
