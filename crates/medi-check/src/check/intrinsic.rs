//! Functions that the compiler knows by name, and the methods of scope memory.
//!
//! The number functions come first for numbers; for other arguments the library's functions of the
//! same name are tried, such as `max` of a list. A user's function of the name replaces both.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Later, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::names::Receiver;
use super::overload::Given;
use super::show::{article, count};
use crate::hir::{self, AtomicOp, ExprKind, FuncId, Intrinsic, Ordering};
use crate::types::{Ty, TyId, Types};

pub(super) const NAMES: [&str; 29] = [
    "print",
    "str",
    "len",
    "fail",
    "div",
    "band",
    "bor",
    "bxor",
    "bnot",
    "shl",
    "shr",
    "int",
    "float",
    "byte",
    "round",
    "sqrt",
    "floor",
    "ceil",
    "abs",
    "min",
    "max",
    "same",
    "allocate",
    "free",
    "promote",
    "pin",
    "fence",
    "array_new",
    "array_len",
];

impl Body<'_, '_> {
    pub(super) fn call_builtin(
        &mut self,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let word = name.name.as_str();
        if type_args.is_some() && !matches!(word, "array_new") {
            self.wrong_type_args(word, 0, type_args.map_or(0, <[_]>::len), name.span);
            self.check_args_anyway(args);
            return self.error_expr(span);
        }
        if let Some(arg) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let message = format!("`{word}` takes its arguments by position");
            let diagnostic = Diagnostic::error("E0502", message, arg.span, "")
                .help(format!("leave `{}:` out", arg.name));
            self.report(diagnostic);
            self.check_args_anyway(args);
            return self.error_expr(span);
        }
        let (op, types): (Intrinsic, &[TyId]) = match word {
            "print" => return self.print(args, span),
            "str" => return self.str(args, span),
            "len" => return self.len(args, span),
            "fail" => return self.fail(args, span, want),
            "promote" => return self.promote(args, span, want),
            "same" => return self.same(args, span),
            "allocate" => return self.allocate(args, span),
            "free" => return self.free(args, span),
            "pin" => return self.pin(args, span),
            "fence" => return self.fence(args, span),
            "div" => (Intrinsic::Div, &[Types::INT, Types::INT]),
            "band" => (Intrinsic::BitAnd, &[Types::INT, Types::INT]),
            "bor" => (Intrinsic::BitOr, &[Types::INT, Types::INT]),
            "bxor" => (Intrinsic::BitXor, &[Types::INT, Types::INT]),
            "bnot" => (Intrinsic::BitNot, &[Types::INT]),
            "shl" => (Intrinsic::Shl, &[Types::INT, Types::INT]),
            "shr" => (Intrinsic::Shr, &[Types::INT, Types::INT]),
            "array_new" | "array_len" if !self.library => {
                let message = format!("`{word}` belongs to the library");
                let diagnostic = Diagnostic::error("E0212", message, name.span, "")
                    .help("use a list: `[0, 0, 0]`, or `list[int]()` and `push`");
                self.report(diagnostic);
                self.check_args_anyway(args);
                return self.error_expr(span);
            }
            "array_new" => return self.array_new(type_args, args, span, want),
            "array_len" => return self.array_len(args, span),
            _ => return self.number_builtin(name, args, span),
        };
        let Some(args) = self.fixed_args(name_of(op), types, args, span) else {
            return self.error_expr(span);
        };
        hir::Expr { kind: ExprKind::Intrinsic { op, args }, ty: Types::INT, span }
    }

    /// Arguments of known types; `None` if their number is wrong, which is reported.
    fn fixed_args(
        &mut self,
        name: &'static str,
        types: &[TyId],
        args: &[ast::Arg],
        span: Span,
    ) -> Option<Vec<hir::Expr>> {
        if args.len() != types.len() {
            self.wrong_count(name, types.len(), args.len(), span);
            self.check_args_anyway(args);
            return None;
        }
        let reason = Reason::Builtin(name);
        let args = args.iter().zip(types);
        Some(args.map(|(arg, ty)| self.expr(&arg.value, Want::Must(*ty, reason))).collect())
    }

    fn wrong_count(&mut self, name: &str, wanted: usize, given: usize, span: Span) {
        let message = format!("`{name}` takes {}, {given} given", count(wanted, "argument"));
        let params =
            ["(x)", "(x, y)", "(x, y, z)"].get(wanted.wrapping_sub(1)).copied().unwrap_or("()");
        let diagnostic =
            Diagnostic::error("E0501", message, span, "").help(format!("write `{name}{params}`"));
        self.report(diagnostic);
    }

    /// The single argument, or `None` after a report.
    fn only_arg<'e>(
        &mut self,
        name: &str,
        args: &'e [ast::Arg],
        span: Span,
    ) -> Option<&'e ast::Expr> {
        match args {
            [arg] => Some(&arg.value),
            _ => {
                self.wrong_count(name, 1, args.len(), span);
                self.check_args_anyway(args);
                None
            }
        }
    }

    fn print(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let mut pieces = vec![];
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                pieces.push(hir::Piece::Text(" ".to_string()));
            }
            pieces.push(self.piece(&arg.value, None));
        }
        hir::Expr { kind: ExprKind::Print(pieces), ty: Types::UNIT, span }
    }

    fn str(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("str", args, span) else { return self.error_expr(span) };
        let piece = self.piece(arg, None);
        hir::Expr { kind: ExprKind::Interpolate(vec![piece]), ty: Types::STR, span }
    }

    fn fail(&mut self, args: &[ast::Arg], span: Span, want: Want) -> hir::Expr {
        let Some(arg) = self.only_arg("fail", args, span) else { return self.error_expr(span) };
        let message = self.expr(arg, Want::Must(Types::STR, Reason::Builtin("fail")));
        let wanted = want.ty().map(|ty| self.shallow(ty));
        let ty = match wanted {
            Some(ty) if matches!(self.ty(ty), Ty::Result(_)) => ty,
            _ => {
                let value = self.fresh(span, Unknown::Irrelevant);
                self.intern(Ty::Result(value))
            }
        };
        hir::Expr { kind: ExprKind::Fail(Box::new(message)), ty, span }
    }

    fn len(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("len", args, span) else { return self.error_expr(span) };
        let value = self.operand(arg, Want::Any);
        self.len_of(value, span)
    }

    fn len_of(&mut self, value: hir::Expr, span: Span) -> hir::Expr {
        let op = match self.ty(value.ty) {
            Ty::Error => return self.error_expr(span),
            Ty::Infer(_) => return self.unknown_operand(value.span),
            Ty::Buffer | Ty::View(_) | Ty::Owned(_) => Intrinsic::ScopeLen,
            Ty::Array(_) => Intrinsic::ArrayLen,
            other => {
                let methods = Receiver::of(other).map_or(vec![], |r| self.methods(r, "len"));
                if let [func, ..] = methods[..] {
                    return self.call_func(func, Some(value), None, &[], span, Want::Any);
                }
                let shown = self.show(value.ty);
                let message = format!("{} `{shown}` has no length", article(&shown));
                let diagnostic = Diagnostic::error("E0314", message, value.span, "")
                    .help("lists, maps, strings, buffers and views have one");
                self.report(diagnostic);
                return self.error_expr(span);
            }
        };
        let kind = ExprKind::Intrinsic { op, args: vec![value] };
        hir::Expr { kind, ty: Types::INT, span }
    }

    fn same(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let [left, right] = args else {
            self.wrong_count("same", 2, args.len(), span);
            self.check_args_anyway(args);
            return self.error_expr(span);
        };
        let left = self.value(&left.value, Want::Any);
        let left = self.unwrapped(left);
        let right = self.value(&right.value, Want::Like(left.ty));
        let right = self.unwrapped(right);
        let Some(common) = self.join(left.ty, right.ty, false) else {
            self.mismatch(&right, left.ty, Reason::Operand(left.span));
            return self.error_expr(span);
        };
        let inner = self.within(common);
        let reference = matches!(
            self.ty(inner),
            Ty::Record(..) | Ty::Str | Ty::Func { .. } | Ty::Error | Ty::Param(_) | Ty::Array(_)
        ) || matches!(self.ty(inner), Ty::Enum(..));
        if !reference {
            let shown = self.show(common);
            let message = format!("{} `{shown}` has no identity", article(&shown));
            let diagnostic = Diagnostic::error("E0311", message, left.span, "")
                .why("`same` asks whether two references are to one object")
                .help("compare values with `==`");
            self.report(diagnostic);
            return self.error_expr(span);
        }
        let left = self.coerce(left, common, Reason::Builtin("same"));
        let right = self.coerce(right, common, Reason::Builtin("same"));
        let kind = ExprKind::Intrinsic { op: Intrinsic::Same, args: vec![left, right] };
        hir::Expr { kind, ty: Types::BOOL, span }
    }

    fn allocate(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let reason = Reason::Builtin("allocate");
        let Some(arg) = self.only_arg("allocate", args, span) else {
            return self.error_expr(span);
        };
        let bytes = self.expr(arg, Want::Must(Types::INT, reason));
        if self.frame().scopes.is_empty() {
            self.no_scope("allocate", span);
        }
        let kind = ExprKind::Intrinsic { op: Intrinsic::Allocate, args: vec![bytes] };
        hir::Expr { kind, ty: Types::BUFFER, span }
    }

    /// Reports something of a scope where none is open.
    pub(super) fn no_scope(&mut self, word: &str, span: Span) {
        let message = format!("`{word}` needs a scope around it");
        let example =
            if word == "own" { "let n = own Node { … }" } else { "let b = allocate(1MB)" };
        let diagnostic = Diagnostic::error("E0510", message, span, "")
            .why("the end of the scope frees the memory");
        let diagnostic = if self.frame().closure {
            diagnostic
                .why("a function value may run after the scope around it has ended")
                .help("open a scope inside it: `() => { scope { … } }`")
        } else {
            diagnostic.help(format!("open one: `scope {{ {example} … }}`"))
        };
        self.report(diagnostic);
    }

    /// `promote(x)`: a copy in collected memory of what lies in scope memory; other values are
    /// collected already.
    fn promote(&mut self, args: &[ast::Arg], span: Span, want: Want) -> hir::Expr {
        let Some(arg) = self.only_arg("promote", args, span) else { return self.error_expr(span) };
        let hint = match want.ty().map(|ty| self.shallow(ty)) {
            Some(ty) if self.element_of_list(ty).is_none() => Want::Like(ty),
            _ => Want::Any,
        };
        let value = self.operand(arg, hint);
        let name = match self.ty(value.ty) {
            Ty::View(_) => "promote_view",
            Ty::Buffer => "promote_buffer",
            Ty::Own(record) | Ty::Shared(record) => return self.promote_own(value, *record, span),
            _ => return value,
        };
        match self.library_func(name) {
            Some(func) => self.call_checked(&[func], vec![Given::Value(value)], None, span),
            None => panic!("the library must declare `func {name}`"),
        }
    }

    /// An object of a scope as a collected record.
    fn promote_own(&mut self, value: hir::Expr, record: TyId, span: Span) -> hir::Expr {
        let record = self.infer.resolve(&mut self.c.types, record);
        if self.holds_scope_memory(record) {
            let shown = self.show(record);
            let message =
                format!("a `{shown}` refers to memory of the scope, which would not come along");
            let diagnostic = Diagnostic::error("E0328", message, value.span, "")
                .why("the types of its fields say that they look into a scope, also in a copy")
                .help("copy what is needed into a record without such fields");
            self.report(diagnostic);
            return self.error_expr(span);
        }
        let kind = ExprKind::Intrinsic { op: Intrinsic::PromoteOwn, args: vec![value] };
        hir::Expr { kind, ty: record, span }
    }

    fn array_new(
        &mut self,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let element = match (type_args, want.ty().map(|ty| self.ty(ty).clone())) {
            (Some([written]), _) => self.resolve_type(written),
            (_, Some(Ty::Array(element))) => element,
            _ => {
                let (of, param) = ("array_new".to_string(), "T".to_string());
                self.fresh(span, Unknown::TypeArgument { of, param })
            }
        };
        let Some(args) = self.fixed_args("array_new", &[Types::INT], args, span) else {
            return self.error_expr(span);
        };
        let ty = self.intern(Ty::Array(element));
        hir::Expr { kind: ExprKind::Intrinsic { op: Intrinsic::ArrayNew, args }, ty, span }
    }

    fn array_len(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("array_len", args, span) else {
            return self.error_expr(span);
        };
        let element = self.fresh(span, Unknown::Irrelevant);
        let ty = self.intern(Ty::Array(element));
        let array = self.expr(arg, Want::Must(ty, Reason::Builtin("array_len")));
        let kind = ExprKind::Intrinsic { op: Intrinsic::ArrayLen, args: vec![array] };
        hir::Expr { kind, ty: Types::INT, span }
    }

    // Numbers.

    fn number_builtin(&mut self, name: &ast::Ident, args: &[ast::Arg], span: Span) -> hir::Expr {
        let word = name.name.as_str();
        let arity = if matches!(word, "min" | "max") { 2 } else { 1 };
        let overloads: Vec<FuncId> = self.c.prelude.funcs.get(word).cloned().unwrap_or_default();
        if args.len() != arity {
            if overloads.is_empty() {
                self.wrong_count(word, arity, args.len(), span);
                self.check_args_anyway(args);
                return self.error_expr(span);
            }
            return self.call_funcs(&overloads, None, None, args, span, Want::Any);
        }
        let given = self.check_given(args);
        if !given.iter().all(|given| self.is_number(given, word)) {
            if overloads.is_empty() {
                self.not_a_number(name, &given, span);
                return self.error_expr(span);
            }
            return self.call_checked(&overloads, given, None, span);
        }
        let args = self.number_args(given);
        if args.iter().any(|arg| self.is_error(arg.ty)) {
            return self.error_expr(span);
        }
        self.number_call(word, args, span)
    }

    fn is_number(&self, given: &Given, name: &str) -> bool {
        let Given::Value(value) = given else { return matches!(given, Given::Literal(_)) };
        let ty = match *self.ty(value.ty) {
            Ty::Result(inner) => inner,
            _ => value.ty,
        };
        match self.ty(ty) {
            Ty::Int | Ty::Float | Ty::Byte | Ty::Error | Ty::Never => true,
            Ty::Bool => name == "int",
            _ => false,
        }
    }

    /// The arguments with one type: float if one of them is, else int; a single one as it is.
    fn number_args(&mut self, given: Vec<Given>) -> Vec<hir::Expr> {
        let mut args: Vec<hir::Expr> = vec![];
        for given in given {
            let value = match given {
                Given::Value(value) => value,
                Given::Literal(expr) | Given::Closure(expr, _) => self.expr(expr, Want::Any),
            };
            args.push(self.unwrapped(value));
        }
        if args.len() < 2 {
            return args;
        }
        let float = args.iter().any(|arg| matches!(self.ty(arg.ty), Ty::Float));
        let common = if float { Types::FLOAT } else { Types::INT };
        args.into_iter().map(|arg| self.coerce(arg, common, Reason::Branch)).collect()
    }

    fn number_call(&mut self, name: &str, mut args: Vec<hir::Expr>, span: Span) -> hir::Expr {
        let have = self.shallow(args[0].ty);
        let (op, wanted, ty) = match (name, have) {
            ("int", Types::INT) | ("float", Types::FLOAT) | ("byte", Types::BYTE) => {
                return args.remove(0);
            }
            ("round", Types::INT | Types::BYTE) => {
                let value = args.remove(0);
                return self.coerce(value, Types::INT, Reason::Builtin("round"));
            }
            ("int", have) => (Intrinsic::ToInt, have, Types::INT),
            ("float", _) => {
                let value = args.remove(0);
                return self.coerce(value, Types::FLOAT, Reason::Builtin("float"));
            }
            ("byte", Types::FLOAT) => {
                let kind = ExprKind::Intrinsic { op: Intrinsic::ToInt, args };
                args = vec![hir::Expr { kind, ty: Types::INT, span }];
                (Intrinsic::ToByte, Types::INT, Types::BYTE)
            }
            ("byte", _) => (Intrinsic::ToByte, Types::INT, Types::BYTE),
            ("round", _) => (Intrinsic::Round, Types::FLOAT, Types::INT),
            ("sqrt", _) => (Intrinsic::Sqrt, Types::FLOAT, Types::FLOAT),
            ("floor", _) => (Intrinsic::Floor, Types::FLOAT, Types::FLOAT),
            ("ceil", _) => (Intrinsic::Ceil, Types::FLOAT, Types::FLOAT),
            ("abs", Types::FLOAT) => (Intrinsic::Abs, Types::FLOAT, Types::FLOAT),
            ("abs", _) => (Intrinsic::Abs, Types::INT, Types::INT),
            ("min", have) => (Intrinsic::Min, have, have),
            (_, have) => (Intrinsic::Max, have, have),
        };
        let reason = Reason::Builtin(name_of(op));
        let args = args.into_iter().map(|arg| self.coerce(arg, wanted, reason)).collect();
        hir::Expr { kind: ExprKind::Intrinsic { op, args }, ty, span }
    }

    fn not_a_number(&mut self, name: &ast::Ident, given: &[Given], span: Span) {
        let word = name.name.as_str();
        let wrong = given.iter().find_map(|given| match given {
            Given::Value(value) if !self.is_number(given, word) => Some((value.ty, value.span)),
            Given::Value(_) | Given::Literal(_) | Given::Closure(..) => None,
        });
        let Some((ty, place)) = wrong else {
            let message = format!("`{word}` needs a number, not a function");
            let diagnostic =
                Diagnostic::error("E0314", message, span, "").help("call the function first");
            self.report(diagnostic);
            return;
        };
        if self.is_open(ty) {
            self.unknown_operand(place);
            return;
        }
        let shown = self.show(ty);
        if matches!(self.ty(ty), Ty::Optional(_)) {
            self.optional_unchecked(place, &shown, None);
            return;
        }
        let text = self.short_text(place);
        let message = format!("`{word}` needs a number, this is {} `{shown}`", article(&shown));
        let diagnostic = Diagnostic::error("E0314", message, place, "");
        let help = match (self.ty(ty), word) {
            (Ty::Str, "int") => {
                format!(
                    "read the number in the text: `{text}.parse_int()`, which is nil if there is none"
                )
            }
            (Ty::Str, _) => {
                format!(
                    "read the number in the text: `{text}.parse_float()`, which is nil if there is none"
                )
            }
            (Ty::Bool, _) => format!("`int({text})` is 1 for true and 0 for false"),
            (Ty::Record(..), _) => "apply it to each element: `xs.map(x => …)`".to_string(),
            _ => "pass an `int`, a `float` or a `byte`".to_string(),
        };
        self.report(diagnostic.help(help));
    }

    /// A compiler-known function as a value: a closure that calls it.
    pub(super) fn builtin_value(&mut self, name: &ast::Ident, want: Want) -> hir::Expr {
        let span = name.span;
        let params = match want.ty().map(|ty| self.ty(self.within(ty)).clone()) {
            Some(Ty::Func { params, .. }) => params.len(),
            _ => {
                let message =
                    format!("`{}` is a function of the language: it must be called", name.name);
                let diagnostic = Diagnostic::error("E0208", message, span, "").help(format!(
                    "write `{}(x)`, or a function value `x => {}(x)`",
                    name.name, name.name
                ));
                self.report(diagnostic);
                return self.error_expr(span);
            }
        };
        let ident = |index: usize| ast::Ident { name: format!("x{index}"), span };
        let value = |kind| ast::Expr { kind, span };
        let args = (0..params)
            .map(|index| ast::Arg { name: None, value: value(ast::ExprKind::Name(ident(index))) })
            .collect();
        let callee = Box::new(value(ast::ExprKind::Name(name.clone())));
        let body = value(ast::ExprKind::Call { callee, args });
        let params: Vec<ast::ClosureParam> =
            (0..params).map(|index| ast::ClosureParam { name: ident(index), ty: None }).collect();
        self.closure(&params, &body, span, want)
    }

    // Scope memory.

    /// A method of a buffer or a view that is not in the library; gives the receiver back if there is
    /// none.
    pub(super) fn builtin_method(
        &mut self,
        receiver: hir::Expr,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> Result<hir::Expr, hir::Expr> {
        let called = match (self.ty(receiver.ty), name.name.as_str()) {
            (Ty::Buffer | Ty::View(_) | Ty::Owned(_) | Ty::Array(_), "len") if args.is_empty() => {
                self.len_of(receiver, span)
            }
            (Ty::Buffer | Ty::Owned(_), "view") => self.view(receiver, type_args, args, span, want),
            (Ty::View(_), "slice") => {
                let ty = receiver.ty;
                match self.fixed_args("slice", &[Types::INT, Types::INT], args, span) {
                    Some(range) => {
                        let args = std::iter::once(receiver).chain(range).collect();
                        let kind = ExprKind::Intrinsic { op: Intrinsic::ViewSlice, args };
                        hir::Expr { kind, ty, span }
                    }
                    None => self.error_expr(span),
                }
            }
            (Ty::Shared(record), "share" | "weak" | "count") => {
                let (op, ty) = match name.name.as_str() {
                    "share" => (Intrinsic::Share, receiver.ty),
                    "weak" => (Intrinsic::Downgrade, self.intern(Ty::Weak(*record))),
                    _ => (Intrinsic::ShareCount, Types::INT),
                };
                self.of_shared(receiver, op, ty, args, span)
            }
            (Ty::Weak(record), "get") => {
                let shared = self.intern(Ty::Shared(*record));
                let ty = self.intern(Ty::Optional(shared));
                self.of_shared(receiver, Intrinsic::Upgrade, ty, args, span)
            }
            (Ty::View(_), "split_at") => self.split_at(receiver, args, span),
            (Ty::View(element), word)
                if matches!(self.ty(*element), Ty::Atomic(_))
                    && atomic_access(word, Ordering::SeqCst).is_some() =>
            {
                self.atomic(receiver, name, args, span)
            }
            _ => return Err(receiver),
        };
        Ok(called)
    }

    /// `Shared(own T { … })`.
    pub(super) fn shared(&mut self, args: &[ast::Arg], span: Span, want: Want) -> hir::Expr {
        let Some(arg) = self.only_arg("Shared", args, span) else { return self.error_expr(span) };
        let made = self.expr(arg, want.ty().map_or(Want::Any, Want::Like));
        match (&made.kind, self.ty(made.ty).clone()) {
            (_, Ty::Error) => self.error_expr(span),
            (ExprKind::NewOwn { .. }, Ty::Own(record)) => {
                let ty = self.intern(Ty::Shared(record));
                hir::Expr { ty, span, ..made }
            }
            _ => {
                let message = "an object is made where it becomes shared";
                let diagnostic = Diagnostic::error("E0327", message, arg.span, "")
                    .why("a shared object has a count beside its fields")
                    .help("make it in the parentheses: `Shared(own Node { value: 1 })`");
                self.report(diagnostic);
                self.error_expr(span)
            }
        }
    }

    /// A method of a shared object or a weak reference, without arguments.
    fn of_shared(
        &mut self,
        receiver: hir::Expr,
        op: Intrinsic,
        ty: TyId,
        args: &[ast::Arg],
        span: Span,
    ) -> hir::Expr {
        if self.fixed_args(name_of(op), &[], args, span).is_none() {
            return self.error_expr(span);
        }
        hir::Expr { kind: ExprKind::Intrinsic { op, args: vec![receiver] }, ty, span }
    }

    /// `v.split_at(n)`.
    fn split_at(&mut self, view: hir::Expr, args: &[ast::Arg], span: Span) -> hir::Expr {
        let ty = self.intern(Ty::Tuple(vec![view.ty; 2]));
        let Some(at) = self.fixed_args("split_at", &[Types::INT], args, span) else {
            return self.error_expr(span);
        };
        let args = std::iter::once(view).chain(at).collect();
        hir::Expr { kind: ExprKind::Intrinsic { op: Intrinsic::ViewSplit, args }, ty, span }
    }

    /// A method of a view of atomics: an index, values, and perhaps an ordering.
    fn atomic(
        &mut self,
        view: hir::Expr,
        name: &ast::Ident,
        args: &[ast::Arg],
        span: Span,
    ) -> hir::Expr {
        let (order, rest) = match args.split_last() {
            Some((last, rest)) if matches!(last.value.kind, ast::ExprKind::Order(_)) => {
                (self.order(&last.value), rest)
            }
            _ => (Ordering::SeqCst, args),
        };
        let (op, values) = atomic_access(&name.name, order).expect("a method of atomics");
        let wrong = match op {
            Intrinsic::AtomicLoad(Ordering::Release | Ordering::AcqRel) => Some("reads"),
            Intrinsic::AtomicStore(Ordering::Acquire | Ordering::AcqRel) => Some("writes"),
            _ => None,
        };
        if let Some(what) = wrong {
            let message = format!("`{}` only {what}: it cannot be `.{}`", name.name, order.name());
            let help = match op {
                Intrinsic::AtomicLoad(_) => "write `.acquire`, or leave the order out",
                _ => "write `.release`, or leave the order out",
            };
            self.report(Diagnostic::error("E0324", message, span, "").help(help));
        }
        let types = [Types::INT; 3];
        let Some(given) = self.fixed_args(name_of(op), &types[..=values], rest, span) else {
            return self.error_expr(span);
        };
        let ty = match op {
            Intrinsic::AtomicStore(_) => Types::UNIT,
            Intrinsic::AtomicCompareSwap(_) => Types::BOOL,
            _ => Types::INT,
        };
        let args = std::iter::once(view).chain(given).collect();
        hir::Expr { kind: ExprKind::Intrinsic { op, args }, ty, span }
    }

    /// An ordering, which the parser has found to be one.
    fn order(&mut self, written: &ast::Expr) -> Ordering {
        let ast::ExprKind::Order(name) = &written.kind else { return Ordering::SeqCst };
        let known = Ordering::NAMES.iter().find(|(known, _)| *known == name.name);
        known.map_or(Ordering::SeqCst, |(_, order)| *order)
    }

    /// `fence(.acquire)` and its kin.
    fn fence(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("fence", args, span) else { return self.error_expr(span) };
        let order = match &arg.kind {
            ast::ExprKind::Order(_) => self.order(arg),
            _ => Ordering::Relaxed,
        };
        if order == Ordering::Relaxed {
            let message = "a fence says what it orders";
            let diagnostic = Diagnostic::error("E0324", message, arg.span, "")
                .help("write `.acquire`, `.release`, `.acq_rel` or `.seq_cst`");
            self.report(diagnostic);
            return self.error_expr(span);
        }
        let kind = ExprKind::Intrinsic { op: Intrinsic::Fence(order), args: vec![] };
        hir::Expr { kind, ty: Types::UNIT, span }
    }

    /// `free(x)` of a buffer, of owned memory or of a shared object.
    fn free(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("free", args, span) else { return self.error_expr(span) };
        let value = self.operand(arg, Want::Any);
        let value = match self.ty(value.ty) {
            Ty::Owned(_) | Ty::Shared(_) => value,
            _ => self.coerce(value, Types::BUFFER, Reason::Builtin("free")),
        };
        let kind = ExprKind::Intrinsic { op: Intrinsic::Free, args: vec![value] };
        hir::Expr { kind, ty: Types::UNIT, span }
    }

    /// `Owned.buffer(bytes)`.
    pub(super) fn owned_buffer(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(args) = self.fixed_args("Owned.buffer", &[Types::INT], args, span) else {
            return self.error_expr(span);
        };
        let ty = self.intern(Ty::Owned(Types::BUFFER));
        hir::Expr { kind: ExprKind::Intrinsic { op: Intrinsic::OwnedBuffer, args }, ty, span }
    }

    /// `pin(x)`.
    fn pin(&mut self, args: &[ast::Arg], span: Span) -> hir::Expr {
        let Some(arg) = self.only_arg("pin", args, span) else { return self.error_expr(span) };
        let value = self.operand(arg, Want::Any);
        match self.ty(value.ty) {
            Ty::Error => return self.error_expr(span),
            Ty::Infer(_) => return self.unknown_operand(value.span),
            Ty::Record(..) | Ty::Str | Ty::Array(_) | Ty::Param(_) => {}
            _ => {
                let shown = self.show(value.ty);
                let message = format!("{} `{shown}` cannot be pinned", article(&shown));
                let diagnostic = Diagnostic::error("E0325", message, value.span, "")
                    .why("a pin holds a collected object in its place, and this is a value")
                    .help("pin the list, map, record or string that it is a part of");
                self.report(diagnostic);
                return self.error_expr(span);
            }
        }
        let ty = self.intern(Ty::Pin(value.ty));
        hir::Expr { kind: ExprKind::Intrinsic { op: Intrinsic::Pin, args: vec![value] }, ty, span }
    }

    /// `b.view[T](offset, length)`, both optional.
    fn view(
        &mut self,
        buffer: hir::Expr,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let wanted = want.ty().map(|ty| self.ty(self.within(ty)).clone());
        let element = match (type_args, wanted) {
            (Some([written]), _) => {
                let element = self.resolve_type(written);
                self.later.push(Later::PlainElement(element, written.span));
                element
            }
            (Some(written), _) => {
                self.wrong_type_args("view", 1, written.len(), span);
                return self.error_expr(span);
            }
            (None, Some(Ty::View(element))) => element,
            (None, _) => {
                let (of, param) = ("view".to_string(), "T".to_string());
                let element = self.fresh(span, Unknown::TypeArgument { of, param });
                self.later.push(Later::PlainElement(element, span));
                element
            }
        };
        let mut parts: [Option<hir::Expr>; 2] = [None, None];
        for (index, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                None => index,
                Some(name) if name.name == "offset" => 0,
                Some(name) if name.name == "length" => 1,
                Some(name) => {
                    let message = format!("`view` has no parameter `{}`", name.name);
                    let diagnostic = Diagnostic::error("E0502", message, name.span, "")
                        .help("it is `view[T](offset: int, length: int)`, both may be left out");
                    self.report(diagnostic);
                    continue;
                }
            };
            let value = self.expr(&arg.value, Want::Must(Types::INT, Reason::Builtin("view")));
            match parts.get_mut(place) {
                Some(part @ None) => *part = Some(value),
                _ => {
                    let message = format!("`view` takes at most 2 arguments, {} given", args.len());
                    let diagnostic = Diagnostic::error("E0501", message, span, "")
                        .help("it is `view[T](offset: int, length: int)`, both may be left out");
                    self.report(diagnostic);
                    return self.error_expr(span);
                }
            }
        }
        let number = |value: i64| hir::Expr { kind: ExprKind::Int(value), ty: Types::INT, span };
        let [offset, length] = parts;
        let args =
            vec![buffer, offset.unwrap_or_else(|| number(0)), length.unwrap_or_else(|| number(-1))];
        let ty = self.intern(Ty::View(element));
        hir::Expr { kind: ExprKind::Intrinsic { op: Intrinsic::View, args }, ty, span }
    }
}

/// A method of a view of atomics, and how many values it takes behind the index.
fn atomic_access(word: &str, order: Ordering) -> Option<(Intrinsic, usize)> {
    Some(match word {
        "load" => (Intrinsic::AtomicLoad(order), 0),
        "store" => (Intrinsic::AtomicStore(order), 1),
        "compare_swap" => (Intrinsic::AtomicCompareSwap(order), 2),
        _ => {
            let (_, op) = AtomicOp::NAMES.iter().find(|(name, _)| *name == word)?;
            (Intrinsic::AtomicUpdate(*op, order), 1)
        }
    })
}

/// The name of a function in messages.
fn name_of(op: Intrinsic) -> &'static str {
    match op {
        Intrinsic::Div => "div",
        Intrinsic::BitAnd => "band",
        Intrinsic::BitOr => "bor",
        Intrinsic::BitXor => "bxor",
        Intrinsic::BitNot => "bnot",
        Intrinsic::Shl => "shl",
        Intrinsic::Shr => "shr",
        Intrinsic::ToInt => "int",
        Intrinsic::ToFloat => "float",
        Intrinsic::ToByte => "byte",
        Intrinsic::Round => "round",
        Intrinsic::Sqrt => "sqrt",
        Intrinsic::Floor => "floor",
        Intrinsic::Ceil => "ceil",
        Intrinsic::Abs => "abs",
        Intrinsic::Min => "min",
        Intrinsic::Max => "max",
        Intrinsic::Same => "same",
        Intrinsic::ArrayNew => "array_new",
        Intrinsic::ArrayLen => "array_len",
        Intrinsic::Allocate => "allocate",
        Intrinsic::Free => "free",
        Intrinsic::View => "view",
        Intrinsic::ScopeLen => "len",
        Intrinsic::ViewSlice => "slice",
        Intrinsic::ViewSplit => "split_at",
        Intrinsic::OwnedBuffer => "Owned.buffer",
        Intrinsic::Pin | Intrinsic::Unpin => "pin",
        Intrinsic::PromoteOwn => "promote",
        Intrinsic::Share => "share",
        Intrinsic::Downgrade => "weak",
        Intrinsic::Upgrade => "get",
        Intrinsic::ShareCount => "count",
        Intrinsic::AtomicLoad(_) => "load",
        Intrinsic::AtomicStore(_) => "store",
        Intrinsic::AtomicUpdate(op, _) => op.name(),
        Intrinsic::AtomicCompareSwap(_) => "compare_swap",
        Intrinsic::Fence(_) => "fence",
    }
}
