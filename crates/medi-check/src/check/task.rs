//! Tasks: `spawn`, `parallel` and `parallel for`, in terms of functions of lib/tasks.medi.
//!
//! What a task runs is a closure with a [`Frame`] of its own. A closure shares the variables around it; a task takes
//! their values along, as they are when it starts, and may assign none of them: nobody would see it in time. The
//! statements of `parallel` and the steps of `parallel for` cannot be left by `return` or `break`. In a function that
//! can fail, `?` in them cancels the others and fails the function.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Frame, Later, LocalKind, Loop, Shared, Spawn, Task, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::names::{Receiver, TypeName};
use crate::hir::{self, ExprKind, FuncId, Intrinsic, Iter, LocalId};
use crate::types::{Ty, TyId, Types};

/// What a `parallel for` goes over, where that is no range.
#[derive(Clone, Copy)]
struct Elements {
    list: LocalId,
    /// The pattern names the number of an element and the element.
    numbered: bool,
}

impl Body<'_, '_> {
    /// A function of lib/tasks.medi.
    fn task_func(&mut self, name: &str) -> FuncId {
        self.c.tasks = true;
        let Some(func) = self.c.prelude.funcs.get(name).map(|funcs| funcs[0]) else {
            panic!("the library must declare `func {name}`")
        };
        self.c.request(func);
        func
    }

    fn task_type(&self) -> Option<TypeName> {
        self.c.prelude.types.get("Task").copied()
    }

    /// `spawn value`.
    pub(super) fn spawn(&mut self, value: &ast::Expr, span: Span) -> hir::Expr {
        let result = self.fresh(span, Unknown::Irrelevant);
        let start = Some(Spawn { span, result });
        let body = self.in_task(start, result, |body| body.closure_body(value, result));
        if self.is_open(result) && self.is_never(body.ty) {
            self.unify(result, Types::UNIT);
        }
        let result = self.shallow(result);
        let (span_of_value, task) = (value.span, Task::Spawn);
        self.later.push(Later::Shared(Shared {
            ty: result,
            span: span_of_value,
            name: None,
            task,
            spawn: start,
            pinned: None,
        }));
        let work = self.task_closure(Task::Spawn, vec![], result, body);
        let func = self.task_func("spawn_task");
        let Some(TypeName::Record(task)) = self.task_type() else {
            panic!("the library must declare `record Task`")
        };
        let ty = self.intern(Ty::Record(task, vec![result]));
        let kind = ExprKind::Call { func, type_args: vec![result], args: vec![work] };
        hir::Expr { kind, ty, span }
    }

    /// `parallel { … }`.
    pub(super) fn parallel_block(&mut self, block: &ast::Block, span: Span) -> hir::StmtKind {
        let (fallible, result) = self.parallel_result();
        let mut bodies = vec![];
        for stmt in &block.stmts {
            let span = stmt.span;
            if let ast::StmtKind::Let { .. } = stmt.kind {
                self.binding_in_parallel(stmt.span);
            }
            let body = self.in_task(None, result, |body| {
                let (stmt, leaves) = body.stmt(stmt);
                body.ending_well(stmt.into_iter().collect(), leaves, result, span)
            });
            bodies.push(self.task_closure(Task::Parallel, vec![], result, body));
        }
        let ty = self.intern(Ty::Func { params: vec![], result });
        let ty = self.list_of(ty);
        let bodies = hir::Expr { kind: ExprKind::List(bodies), ty, span };
        let func = if fallible { "parallel_all_or_fail" } else { "parallel_all" };
        hir::StmtKind::Expr(self.run_parallel(func, vec![bodies], result, span))
    }

    /// `parallel for pattern in iter { … }`.
    pub(super) fn parallel_for(
        &mut self,
        pattern: &ast::Pattern,
        iter: &ast::Expr,
        block: &ast::Block,
        span: Span,
    ) -> hir::StmtKind {
        let (iter, element) = self.iter(iter, pattern);
        let (fallible, result) = self.parallel_result();
        let int = |kind| hir::Expr { kind, ty: Types::INT, span };
        let mut stmts = vec![];
        let (from, to, list) = match iter {
            Iter::Range { start, end, inclusive: false } => (start, end, None),
            Iter::Range { start, end, inclusive: true } => {
                let one = Box::new(int(ExprKind::Int(1)));
                let op = ast::BinaryOp::Add;
                let end = int(ExprKind::Binary { op, left: Box::new(end), right: one });
                (start, end, None)
            }
            Iter::List(value) | Iter::View(value) | Iter::Map(value) => {
                let (value, numbered) = self.steps(value, pattern);
                let is_view = matches!(self.ty(value.ty), Ty::View(_));
                let list = self.declare("", value.ty, value.span, LocalKind::Hidden);
                let whole = self.use_local(list, span, false);
                let len = match is_view {
                    true => ExprKind::Intrinsic { op: Intrinsic::ScopeLen, args: vec![whole] },
                    false => ExprKind::Field { base: Box::new(whole), field: 0 },
                };
                stmts.push(self.hidden_let(list, value));
                (int(ExprKind::Int(0)), int(len), Some(Elements { list, numbered }))
            }
        };
        let mark = self.mark();
        let mut params = vec![];
        let body = self.in_task(None, result, |body| {
            for name in ["from", "to"] {
                params.push(body.declare(name, Types::INT, span, LocalKind::Hidden));
            }
            let steps = Iter::Range {
                start: body.use_local(params[0], span, false),
                end: body.use_local(params[1], span, false),
                inclusive: false,
            };
            let step = body.parallel_step(pattern, element, list, steps, block);
            body.ending_well(vec![hir::Stmt { kind: step, span }], false, result, span)
        });
        self.leave(mark);
        let work = self.task_closure(Task::Parallel, params, result, body);
        let func = if fallible { "tasks_range_or_fail" } else { "tasks_range" };
        let call = self.run_parallel(func, vec![from, to, work], result, span);
        stmts.push(hir::Stmt { kind: hir::StmtKind::Expr(call), span });
        let kind = ExprKind::Block { stmts, value: None };
        hir::StmtKind::Expr(hir::Expr { kind, ty: Types::UNIT, span })
    }

    /// The loop that one thread runs for its part of the steps.
    fn parallel_step(
        &mut self,
        pattern: &ast::Pattern,
        element: TyId,
        elements: Option<Elements>,
        steps: Iter,
        block: &ast::Block,
    ) -> hir::StmtKind {
        let parallel = Loop { parallel: true, ..Loop::default() };
        let Some(Elements { list, numbered }) = elements else {
            let pattern = self.let_pattern(pattern, element, LocalKind::Loop);
            self.frame().loops.push(parallel);
            let body = self.block(block, Want::Nothing);
            self.frame().loops.pop();
            return hir::StmtKind::For { pattern, iter: steps, body };
        };
        let span = pattern.span;
        let index = self.declare("index", Types::INT, span, LocalKind::Hidden);
        let value = ExprKind::Index {
            base: Box::new(self.use_local(list, span, false)),
            index: Box::new(self.use_local(index, span, false)),
        };
        let (mut value, mut bound) = (hir::Expr { kind: value, ty: element, span }, vec![]);
        let mut parts = (pattern, element);
        if let (true, ast::PatternKind::Tuple(names)) = (numbered, &pattern.kind)
            && let (Ty::Tuple(types), [number, item]) = (self.ty(element).clone(), &names[..])
        {
            parts = (item, types[1]);
            value.ty = types[1];
            let pattern = self.let_pattern(number, Types::INT, LocalKind::Loop);
            let value = self.use_local(index, span, false);
            bound.push(hir::Stmt { kind: hir::StmtKind::Let { pattern, value }, span });
        }
        let pattern = self.let_pattern(parts.0, parts.1, LocalKind::Loop);
        bound.push(hir::Stmt { kind: hir::StmtKind::Let { pattern, value }, span });
        self.frame().loops.push(parallel);
        let body = self.block(block, Want::Nothing);
        self.frame().loops.pop();
        let (ty, whole) = (body.ty, block.span);
        let body = hir::Stmt { kind: hir::StmtKind::Expr(body), span: whole };
        bound.push(body);
        let kind = ExprKind::Block { stmts: bound, value: None };
        let body = hir::Expr { kind, ty, span: whole };
        let kind = hir::PatternKind::Bind(index);
        let pattern = hir::Pattern { kind, ty: Types::INT, span };
        hir::StmtKind::For { pattern, iter: steps, body }
    }

    /// What `parallel for` goes over, as a list or view. Of `xs.enumerate()`, taken apart by the pattern, it is `xs`: the
    /// number of an element is that of its step.
    fn steps(&mut self, value: hir::Expr, pattern: &ast::Pattern) -> (hir::Expr, bool) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let apart = match &pattern.kind {
            ast::PatternKind::Tuple(parts) if parts.len() == 2 => {
                let words = |at: usize| self.c.sources.text(parts[at].span).split(|c| !is_word(c));
                // A name that is bound twice is an error of the whole pattern.
                words(0).all(|name| name.is_empty() || words(1).all(|other| other != name))
            }
            _ => false,
        };
        let list = Receiver::Record(self.c.lang().list);
        let enumerate = self.c.methods.find(true, list, "enumerate");
        let value = match value.kind {
            ExprKind::Call { func, mut args, .. } if apart && enumerate == [func] => {
                return (args.remove(0), true);
            }
            kind => hir::Expr { kind, ..value },
        };
        let Some((key, item)) = self.is_map(value.ty) else { return (value, false) };
        let map = Receiver::Record(self.c.lang().map);
        let [func, ..] = self.c.methods.find(true, map, "entries")[..] else {
            panic!("the library must declare `func map[K, V].entries`")
        };
        self.c.request(func);
        let pair = self.intern(Ty::Tuple(vec![key, item]));
        let (ty, span) = (self.list_of(pair), value.span);
        let kind = ExprKind::Call { func, type_args: vec![key, item], args: vec![value] };
        (hir::Expr { kind, ty, span }, false)
    }

    fn hidden_let(&self, local: LocalId, value: hir::Expr) -> hir::Stmt {
        let (ty, span) = (value.ty, value.span);
        let pattern = hir::Pattern { kind: hir::PatternKind::Bind(local), ty, span };
        hir::Stmt { kind: hir::StmtKind::Let { pattern, value }, span }
    }

    /// Whether the function around can fail, and what the closures of a `parallel` give.
    fn parallel_result(&mut self) -> (bool, TyId) {
        match self.ty(self.frames[self.frames.len() - 1].result) {
            Ty::Result(_) => (true, self.intern(Ty::Result(Types::UNIT))),
            _ => (false, Types::UNIT),
        }
    }

    /// Runs statements, then gives success.
    fn ending_well(
        &mut self,
        stmts: Vec<hir::Stmt>,
        leaves: bool,
        result: TyId,
        span: Span,
    ) -> hir::Expr {
        let value = (result != Types::UNIT && !leaves).then(|| {
            let kind = ExprKind::Ok(Box::new(self.unit(span)));
            Box::new(hir::Expr { kind, ty: result, span })
        });
        let ty = if leaves { Types::NEVER } else { result };
        let body = hir::Expr { kind: ExprKind::Block { stmts, value }, ty, span };
        self.coerce(body, result, Reason::Branch)
    }

    /// Checks what a task runs; without a `spawn`, one of a `parallel`.
    fn in_task<T>(
        &mut self,
        spawn: Option<Spawn>,
        result: TyId,
        check: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let task = Some(if spawn.is_some() { Task::Spawn } else { Task::Parallel });
        let frame = Frame { closure: true, task, spawn, ..Frame::new(result) };
        let mark = self.mark();
        self.frames.push(frame);
        let links = std::mem::take(&mut self.links);
        let checked = check(self);
        self.links = links;
        self.frames.pop();
        self.leave(mark);
        checked
    }

    fn task_closure(
        &mut self,
        task: Task,
        params: Vec<LocalId>,
        result: TyId,
        body: hir::Expr,
    ) -> hir::Expr {
        let ints = params.iter().map(|_| Types::INT).collect();
        let ty = self.intern(Ty::Func { params: ints, result });
        let span = body.span;
        hir::Expr {
            kind: ExprKind::Closure { params, body: Box::new(body), task: Some(task) },
            ty,
            span,
        }
    }

    /// A call that gives nothing, or hands the failure on.
    fn run_parallel(
        &mut self,
        func: &str,
        args: Vec<hir::Expr>,
        result: TyId,
        span: Span,
    ) -> hir::Expr {
        let func = self.task_func(func);
        let kind = ExprKind::Call { func, type_args: vec![], args };
        let call = hir::Expr { kind, ty: result, span };
        if result == Types::UNIT { call } else { self.hand_on(call, span) }
    }

    // Messages.

    /// A local of the code around a task is used in it.
    pub(super) fn check_capture(
        &mut self,
        id: LocalId,
        span: Span,
        changes: bool,
        task: Task,
        spawn: Option<Spawn>,
    ) {
        let local = self.local(id);
        let (name, ty, declared) = (local.hir.name.clone(), local.hir.ty, local.hir.span);
        if !changes {
            let pinned = match self.ty(ty) {
                Ty::Pin(_) => self.pinned(id, declared),
                _ => None,
            };
            let name = Some(name);
            self.later.push(Later::Shared(Shared { ty, span, name, task, spawn, pinned }));
            return;
        }
        let message = format!("a task cannot assign `{name}`, which other code may use meanwhile");
        let diagnostic = Diagnostic::error("E0801", message, span, "assigned in a task")
            .label(declared, "declared outside of it")
            .why("a task gets the value that a variable has when it starts, and runs at the same time as the others");
        let diagnostic = match task {
            Task::Spawn => diagnostic.help("let the task give the value: `let task = spawn …`, then `task.join()`"),
            Task::Parallel => diagnostic
                .help("let each step give its own value and combine them afterwards: `xs.parallel_map(x => …).fold(…)`")
                .help("or store each in an element of its own: `results[i] = …`"),
        };
        self.report(diagnostic);
    }

    pub(super) fn leaves_parallel(&mut self, word: &str, span: Span) {
        let message = format!("`{word}` cannot leave a `parallel`");
        let diagnostic = Diagnostic::error("E0802", message, span, "").why(
            "its other statements or steps run at the same time, and it ends when all of them have",
        );
        let diagnostic = match word {
            "break" => diagnostic.help("`continue` ends one step; for a loop that can stop early use a plain `for`"),
            _ => diagnostic.help("return after it; to give up on an error, use `?` in a function that returns a `Result`"),
        };
        self.report(diagnostic);
    }

    fn binding_in_parallel(&mut self, span: Span) {
        let message = "no other statement of this `parallel` sees this variable";
        let diagnostic = Diagnostic::error("E0803", message, span, "")
            .why("its statements run at the same time")
            .help("put what belongs together into braces: `{ let x = …; use(x) }`")
            .help(
                "for a value that is needed afterwards: `let task = spawn …`, then `task.join()`",
            );
        self.report(diagnostic);
    }

    /// The variable that a pin pins, if its name still means the same and its value.
    fn pinned(&self, pin: LocalId, declared: Span) -> Option<String> {
        let name = crate::edits::pinned(self.c.sources, declared)?;
        let object = self.find_local(name)?;
        let fixed = matches!(self.local(object).kind, LocalKind::Let | LocalKind::Param);
        (fixed && object.0 < pin.0).then(|| name.to_owned())
    }

    /// Finds the `spawn`s that a `parallel` could replace: those that use views only, of all memory of scopes.
    pub(super) fn find_borrowing(&mut self, checks: &[Later]) {
        for check in checks {
            let Later::Shared(Shared { ty, name: Some(_), spawn: Some(spawn), .. }) = check else {
                continue;
            };
            let ty = self.infer.resolve(&mut self.c.types, *ty);
            let is_function = matches!(self.c.types.get(ty), Ty::Func { .. });
            let lent = self.c.types.get(ty).may_be_lent();
            if is_function || !lent && self.holds_scope_memory(ty) {
                self.unlendable.push(spawn.span);
            }
        }
    }

    pub(super) fn check_shared(&mut self, shared: &Shared) {
        let ty = self.infer.resolve(&mut self.c.types, shared.ty);
        if shared.task == Task::Parallel && self.c.types.get(ty).may_be_lent() {
            return;
        }
        if self.holds_scope_memory(ty) {
            self.scope_memory_in_task(ty, shared);
        }
    }

    fn scope_memory_in_task(&mut self, ty: TyId, shared: &Shared) {
        let span = shared.span;
        let name = shared.name.as_deref().filter(|name| !name.is_empty());
        let is_pin = matches!(self.c.types.get(ty), Ty::Pin(_));
        if let (Some(name), true) = (name, is_pin) {
            let message = format!("pin `{name}` belongs to the task that made it");
            let diagnostic = Diagnostic::error("M0403", message, span, "used by another task")
                .why("a pin ends with the task that made it");
            let diagnostic = match &shared.pinned {
                Some(object) => diagnostic
                    .help(format!("pin `{object}` inside the new task"))
                    .edit(span, format!("pin({object})")),
                None => diagnostic.help(format!("pin the object of `{name}` inside the new task")),
            };
            self.report(diagnostic);
            return;
        }
        if let (Some(name), Some(spawn)) = (name, shared.spawn) {
            let told = (spawn.span, name.to_owned());
            if self.told_of_spawn.contains(&told) {
                return;
            }
            self.told_of_spawn.push(told);
            let message = format!("this task may outlive the scope that owns `{name}`");
            let mut diagnostic = Diagnostic::error("M0401", message, span, "used by the task")
                .why("a task that `spawn` starts runs on when the scope has ended")
                .help("`parallel { … }` finishes before the scope ends")
                .help("or give the task a copy: `promote(…)`");
            let parallel =
                *self.ty(spawn.result) == Ty::Unit && !self.unlendable.contains(&spawn.span);
            diagnostic.edits = crate::edits::without_task(self.c.sources, spawn.span, parallel);
            if !parallel && !diagnostic.edits.is_empty() {
                diagnostic =
                    diagnostic.help("or leave `spawn` out, and it runs before what follows");
            }
            self.report(diagnostic);
            return;
        }
        let message = match name {
            Some(name) => {
                format!("`{name}` is memory of a scope, which a task cannot use yet")
            }
            _ => "this is memory of a scope, which cannot go into or out of a task yet".to_string(),
        };
        let diagnostic = Diagnostic::error("E0804", message, span, "")
            .why("in this version a scope belongs to the task that opened it")
            .help("give the task a copy: `promote(…)`")
            .help("or open a `scope` inside the task");
        self.report(diagnostic);
    }

    /// Whether a value of the type is, or holds, scope memory. What a function value holds is not known.
    pub(super) fn holds_scope_memory(&mut self, ty: TyId) -> bool {
        let mut seen = vec![];
        let mut work = vec![ty];
        while let Some(ty) = work.pop() {
            if seen.contains(&ty) {
                continue;
            }
            seen.push(ty);
            // Generic types may grow without end, which the lowering reports.
            if self.c.types.depth(ty) > super::infer::MAX_DEPTH {
                continue;
            }
            match self.c.types.get(ty).clone() {
                Ty::Buffer
                | Ty::View(_)
                | Ty::Own(_)
                | Ty::Shared(_)
                | Ty::Weak(_)
                | Ty::Pin(_) => return true,
                // Owned memory goes from task to task.
                Ty::Func { .. } | Ty::Owned(_) => {}
                Ty::Record(id, args) => {
                    let fields: Vec<TyId> = self.c.record(id).fields.iter().map(|f| f.ty).collect();
                    work.extend(
                        fields.into_iter().map(|field| self.c.types.substitute(field, &args)),
                    );
                }
                Ty::Enum(id, args) => {
                    let variants = &self.c.enumeration(id).variants;
                    let fields: Vec<TyId> =
                        variants.iter().flat_map(|v| &v.fields).map(|f| f.ty).collect();
                    work.extend(
                        fields.into_iter().map(|field| self.c.types.substitute(field, &args)),
                    );
                }
                other => work.extend(other.parts()),
            }
        }
        false
    }

    /// Whether the type is `Task[Result[…]]`.
    pub(super) fn is_fallible_task(&self, ty: TyId) -> bool {
        match (self.ty(ty), self.task_type()) {
            (Ty::Record(id, args), Some(TypeName::Record(task))) => {
                *id == task && matches!(self.ty(args[0]), Ty::Result(_))
            }
            _ => false,
        }
    }

    /// Reports a task that may fail and that nobody can join.
    pub(super) fn task_dropped(&mut self, checked: &hir::Expr) {
        let text = self.short_text(checked.span);
        let message = "this task may fail, and nobody looks";
        let diagnostic = Diagnostic::error("E0603", message, checked.span, "a task with a result")
            .help(format!("keep it and join it: `let task = {text}`, then `task.join()?`"))
            .help(format!("or stop the program when it fails: `{text}!`"));
        self.report(diagnostic);
    }
}
