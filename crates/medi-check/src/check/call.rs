//! Calls: functions, methods, variants and function values.
//!
//! Arguments are matched with parameters by position, then by name. Type arguments come from the
//! brackets if written, else from the wanted type and the arguments; closures are checked after the
//! other arguments, so that their parameters have types.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;
use medi_syntax::suggest;

use super::body::{Body, Want};
use super::coerce::Reason;
use super::infer::Unknown;
use super::literal;
use super::names::{Meaning, Receiver, TypeName, VariantRef};
use super::show::{article, count};
use crate::hir::{self, ExprKind, FuncId};
use crate::types::{Ty, TyId, Types};

/// What a called name means.
pub(super) enum Callee {
    Funcs(Vec<FuncId>),
    Variants(Vec<VariantRef>),
    Const,
    Builtin,
    Type,
    Unknown,
}

/// A parameter or field that an argument is matched with.
struct Slot {
    name: String,
    ty: TyId,
    reason: Reason,
}

impl Body<'_, '_> {
    pub(super) fn callee_by_name(&self, name: &ast::Ident) -> Callee {
        let builtin = super::intrinsic::NAMES.contains(&name.name.as_str());
        match self.c.find_value(&name.name, self.library) {
            Some(Meaning::Funcs(funcs)) => {
                // The library adds to `min`, `sum` and the like; a user's function replaces them.
                if builtin && self.c.func(funcs[0]).library {
                    Callee::Builtin
                } else {
                    Callee::Funcs(funcs)
                }
            }
            Some(Meaning::Variants(variants)) => Callee::Variants(variants),
            Some(Meaning::Const(_)) => Callee::Const,
            None if builtin => Callee::Builtin,
            None => {
                let word = name.name.as_str();
                let is_type = self.c.find_type(word, self.library).is_some()
                    || super::type_expr::BUILTIN_TYPES.contains(&word);
                if is_type { Callee::Type } else { Callee::Unknown }
            }
        }
    }

    pub(super) fn call(
        &mut self,
        callee: &ast::Expr,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let (head, type_args) = self.peel_type_args(callee);
        match &head.kind {
            ast::ExprKind::Name(name) if self.find_local(&name.name).is_none() => {
                self.call_name(name, type_args.as_deref(), args, span, want)
            }
            ast::ExprKind::Field { base, name, optional } => {
                self.call_member(base, name, *optional, type_args.as_deref(), args, span, want)
            }
            ast::ExprKind::Error => {
                self.check_args_anyway(args);
                self.error_expr(span)
            }
            _ => {
                let callee = self.expr(head, Want::Any);
                self.call_value(callee, args, span)
            }
        }
    }

    /// Takes written type arguments off what is called.
    fn peel_type_args<'e>(
        &mut self,
        callee: &'e ast::Expr,
    ) -> (&'e ast::Expr, Option<Vec<ast::TypeExpr>>) {
        match &callee.kind {
            ast::ExprKind::TypeArgs { base, args } => (base, Some(args.clone())),
            ast::ExprKind::Index { base, index } => {
                let local = |name: &ast::Ident| self.find_local(&name.name).is_some();
                let base_fits = match &base.kind {
                    ast::ExprKind::Name(name) => !local(name),
                    ast::ExprKind::Field { .. } => true,
                    _ => false,
                };
                match literal::as_type(index) {
                    Some(written) if base_fits && self.is_type(&written) => {
                        (base, Some(vec![written]))
                    }
                    _ => (callee, None),
                }
            }
            _ => (callee, None),
        }
    }

    /// Whether what was written can only be a type.
    fn is_type(&self, written: &ast::TypeExpr) -> bool {
        match &written.kind {
            ast::TypeKind::Name { name, .. } => {
                let word = name.name.as_str();
                self.find_local(word).is_none()
                    && (self.type_params.contains(&word)
                        || super::type_expr::BUILTIN_TYPES.contains(&word)
                        || self.c.find_type(word, self.library).is_some())
            }
            ast::TypeKind::Optional(inner) => self.is_type(inner),
            ast::TypeKind::Tuple(parts) => parts.iter().all(|part| self.is_type(part)),
            _ => true,
        }
    }

    /// Checks arguments of a call that is wrong for another reason.
    pub(super) fn check_args_anyway(&mut self, args: &[ast::Arg]) {
        for arg in args {
            if !matches!(arg.value.kind, ast::ExprKind::Closure { .. }) {
                self.expr(&arg.value, Want::Any);
            }
        }
    }

    fn call_name(
        &mut self,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        match self.callee_by_name(name) {
            Callee::Funcs(funcs) => {
                let type_args = type_args.map(|written| self.resolve_types(written));
                self.call_funcs(&funcs, None, type_args.as_deref(), args, span, want)
            }
            Callee::Variants(variants) => match self.choose_variant(&variants, name, want) {
                Some(variant) => self.bare_variant(variant, args, span, want),
                None => {
                    self.check_args_anyway(args);
                    self.error_expr(span)
                }
            },
            Callee::Builtin => self.call_builtin(name, type_args, args, span, want),
            Callee::Type if name.name == "Shared" => self.shared(args, span, want),
            Callee::Type => self.call_type(name, type_args, args, span),
            Callee::Const => {
                let message = format!("`{}` is a constant, not a function", name.name);
                let diagnostic = Diagnostic::error("E0321", message, name.span, "")
                    .help(format!("write `{}` without parentheses", name.name));
                self.report(diagnostic);
                self.error_expr(span)
            }
            Callee::Unknown => {
                self.unknown_name(name, true);
                self.check_args_anyway(args);
                self.error_expr(span)
            }
        }
    }

    /// `list[int]()`, `map[string, int]()`, and types that are called by mistake.
    fn call_type(
        &mut self,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
    ) -> hir::Expr {
        let word = name.name.as_str();
        if let ("list" | "map", []) = (word, args) {
            let wanted = if word == "list" { 1 } else { 2 };
            let types: Vec<TyId> = match type_args {
                Some(written) => self.resolve_types(written),
                None => (0..wanted).map(|_| self.fresh(span, Unknown::Elements)).collect(),
            };
            if types.len() != wanted {
                self.wrong_type_args(word, wanted, types.len(), name.span);
                return self.error_expr(span);
            }
            let lang = self.c.lang();
            if word == "list" {
                let ty = self.list_of(types[0]);
                return hir::Expr { kind: ExprKind::List(vec![]), ty, span };
            }
            self.c.request(lang.map_new);
            self.c.request(lang.map_set);
            let later = super::body::Later::Comparable { ty: types[0], span, ordered: false };
            self.later.push(later);
            let ty = self.intern(Ty::Record(lang.map, types));
            return hir::Expr { kind: ExprKind::Map(vec![]), ty, span };
        }
        self.check_args_anyway(args);
        let diagnostic = match self.c.find_type(word, self.library) {
            Some(TypeName::Record(id)) if !matches!(word, "list" | "map") => {
                let fields = &self.c.record(id).fields;
                let shown: Vec<String> =
                    fields.iter().map(|field| format!("{}: …", field.name)).collect();
                let message = format!("`{word}` is a record, not a function");
                Diagnostic::error("E0513", message, name.span, "")
                    .help(format!("name its fields: `{word} {{ {} }}`", shown.join(", ")))
            }
            _ => {
                let message = format!("the type `{word}` cannot be called");
                let diagnostic = Diagnostic::error("E0513", message, name.span, "");
                match word {
                    "list" => diagnostic.help("a list is `[1, 2, 3]`, an empty one `list[int]()`"),
                    "map" => {
                        diagnostic.help("a map is `[\"a\": 1]`, an empty one `map[string, int]()`")
                    }
                    "string" => diagnostic.help("make text with `str(x)`, or \"{x}\""),
                    "bool" => diagnostic.help("compare: `x != 0`"),
                    "Buffer" => {
                        diagnostic.help("a buffer comes from `allocate(bytes)` in a `scope`")
                    }
                    "View" => diagnostic.help("a view comes from a buffer: `b.view[float]()`"),
                    "Weak" => diagnostic.help("a weak reference is `x.weak()` of a shared object"),
                    "Owned" => diagnostic.help("owned memory is `Owned.buffer(bytes)`"),
                    "Pin" => diagnostic.help("a pin is made by `pin(x)`"),
                    "Atomic" => diagnostic.help("atomics lie in a view: `b.view[Atomic[int]]()`"),
                    "Result" => diagnostic.help("return the value itself, or `fail(\"message\")`"),
                    _ => diagnostic.help("make a value of it by one of its variants or functions"),
                }
            }
        };
        self.report(diagnostic);
        self.error_expr(span)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call, taken apart once")]
    fn call_member(
        &mut self,
        base: &ast::Expr,
        name: &ast::Ident,
        optional: bool,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        if let Some(called) = self.call_static(base, name, type_args, args, span, want) {
            return called;
        }
        let receiver = self.receiver(base, optional);
        self.call_method(receiver, name, type_args, args, span, want)
    }

    /// `Type.name(…)`: a variant, or a function that takes no `self`.
    fn call_static(
        &mut self,
        base: &ast::Expr,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> Option<hir::Expr> {
        let (head, owner_args) = self.peel_type_args(base);
        let owner = literal::name_of(head)?;
        let word = owner.name.as_str();
        if self.find_local(word).is_some() || self.c.find_value(word, self.library).is_some() {
            return None;
        }
        if word == "Owned" && name.name == "buffer" {
            return Some(self.owned_buffer(args, span));
        }
        let (receiver, shown) = match self.c.find_type(word, self.library) {
            Some(TypeName::Enum(id)) => {
                let variants = &self.c.enumeration(id).variants;
                if let Some(index) = variants.iter().position(|v| v.name == name.name) {
                    let variant = VariantRef { enumeration: id, variant: index as u32 };
                    return Some(self.bare_variant(variant, args, span, want));
                }
                if self.methods(Receiver::Enum(id), &name.name).is_empty() {
                    self.unknown_variant(name, id);
                    self.check_args_anyway(args);
                    return Some(self.error_expr(span));
                }
                (Receiver::Enum(id), word)
            }
            Some(TypeName::Record(id)) => (Receiver::Record(id), word),
            None => {
                let receiver = match word {
                    "int" => Receiver::Int,
                    "float" => Receiver::Float,
                    "bool" => Receiver::Bool,
                    "byte" => Receiver::Byte,
                    "string" => Receiver::Str,
                    "Buffer" => Receiver::Buffer,
                    "View" => Receiver::View,
                    "Result" => Receiver::Result,
                    _ => return None,
                };
                (receiver, word)
            }
        };
        let found = self.methods(receiver, &name.name);
        let funcs: Vec<FuncId> =
            found.iter().copied().filter(|func| !self.c.func(*func).takes_self).collect();
        if funcs.is_empty() {
            let diagnostic = if found.is_empty() {
                let message = format!("`{shown}` has no function `{}`", name.name);
                let mut names: Vec<&str> = self.c.methods.names(receiver).collect();
                names.sort_unstable();
                let close = suggest::closest(&name.name, names.into_iter());
                let diagnostic = Diagnostic::error("E0205", message, name.span, "");
                match close {
                    Some(close) => {
                        diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close)
                    }
                    None => diagnostic
                        .help(format!("declare it: `func {shown}.{}(…) {{ … }}`", name.name)),
                }
            } else {
                let message = format!("`{}` is called on a value, not on the type", name.name);
                Diagnostic::error("E0515", message, name.span, "")
                    .help(format!("write `value.{}(…)` with a `{shown}` for the value", name.name))
            };
            self.report(diagnostic);
            self.check_args_anyway(args);
            return Some(self.error_expr(span));
        }
        let mut all_args: Vec<TyId> = vec![];
        if let Some(written) = owner_args {
            all_args.extend(self.resolve_types(&written));
        }
        if let Some(written) = type_args {
            all_args.extend(self.resolve_types(written));
        }
        let type_args = (!all_args.is_empty()).then_some(all_args);
        Some(self.call_funcs(&funcs, None, type_args.as_deref(), args, span, want))
    }

    fn call_method(
        &mut self,
        receiver: hir::Expr,
        name: &ast::Ident,
        type_args: Option<&[ast::TypeExpr]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let word = name.name.as_str();
        let failed = |body: &mut Self| {
            body.check_args_anyway(args);
            body.error_expr(span)
        };
        let kind = match self.ty(receiver.ty) {
            Ty::Error => return failed(self),
            Ty::Infer(_) => {
                self.unknown_operand(receiver.span);
                return failed(self);
            }
            Ty::Optional(_) => {
                self.through_optional(&receiver, &format!("{word}(…)"));
                return failed(self);
            }
            other => Receiver::of(other),
        };
        let found = kind.map_or(vec![], |kind| self.methods(kind, word));
        if found.is_empty() {
            if let Ty::Pin(_) = *self.ty(receiver.ty) {
                let receiver = self.unwrapped(receiver);
                return self.call_method(receiver, name, type_args, args, span, want);
            }
            if let Ty::Result(inner) = *self.ty(receiver.ty) {
                if let ("or", [default]) = (word, args) {
                    return self.result_or(receiver, inner, &default.value, span);
                }
                let receiver = self.unwrapped(receiver);
                let receiver = self.need_value(receiver);
                return self.call_method(receiver, name, type_args, args, span, want);
            }
            let receiver = match self.builtin_method(receiver, name, type_args, args, span, want) {
                Ok(called) => return called,
                Err(receiver) => receiver,
            };
            if let Some((id, _)) = self.record_of(receiver.ty)
                && self.c.record(id).fields.iter().any(|field| field.name == word)
            {
                let place = receiver.span.to(name.span);
                let callee = self.field_of(receiver, name, place);
                return self.call_value(callee, args, span);
            }
            self.unknown_method(name, &receiver);
            return failed(self);
        }
        let funcs: Vec<FuncId> =
            found.iter().copied().filter(|func| self.c.func(*func).takes_self).collect();
        if funcs.is_empty() {
            let shown = self.show(receiver.ty);
            let message = format!("`{word}` is called on the type, not on a value");
            let diagnostic = Diagnostic::error("E0515", message, name.span, "")
                .help(format!("write `{shown}.{word}(…)`"));
            self.report(diagnostic);
            return failed(self);
        }
        let type_args = type_args.map(|written| self.resolve_types(written));
        self.call_funcs(&funcs, Some(receiver), type_args.as_deref(), args, span, want)
    }

    /// The type arguments of a function: those given, or fresh ones. `None` if their number is wrong.
    pub(super) fn type_args_for(
        &mut self,
        func: FuncId,
        given: Option<&[TyId]>,
        span: Span,
    ) -> Option<Vec<TyId>> {
        let info = self.c.func(func);
        let (name, params) = (info.name.clone(), info.type_params.clone());
        let own = info.ast.type_params.len();
        let given = given.unwrap_or(&[]);
        let fresh_count = if given.is_empty() {
            params.len()
        } else if given.len() == params.len() {
            0
        } else if info.takes_self && given.len() == own {
            params.len() - own
        } else {
            let wanted = if info.takes_self { own } else { params.len() };
            self.wrong_type_args(&name, wanted, given.len(), span);
            return None;
        };
        let mut args: Vec<TyId> = params[..fresh_count]
            .iter()
            .map(|param| {
                let unknown =
                    Unknown::TypeArgument { of: name.clone(), param: (*param).to_string() };
                self.fresh(span, unknown)
            })
            .collect();
        args.extend(given);
        Some(args)
    }

    pub(super) fn instantiate_value(
        &mut self,
        func: FuncId,
        args: &[TyId],
        span: Span,
    ) -> hir::Expr {
        let Some(type_args) = self.type_args_for(func, Some(args), span) else {
            return self.error_expr(span);
        };
        let info = self.c.func(func);
        let params: Vec<TyId> = info.params.iter().map(|param| param.ty).collect();
        let result = info.result;
        let ty = self.intern(Ty::Func { params, result });
        let ty = self.c.types.substitute(ty, &type_args);
        self.c.request(func);
        hir::Expr { kind: ExprKind::FuncValue { func, type_args }, ty, span }
    }

    pub(super) fn wrong_type_args(&mut self, name: &str, wanted: usize, given: usize, span: Span) {
        let message = if wanted == 0 {
            format!("`{name}` takes no type arguments")
        } else {
            format!("`{name}` takes {}, {given} given", count(wanted, "type argument"))
        };
        let diagnostic = Diagnostic::error("E0512", message, span, "")
            .help("leave the brackets out: type arguments are found from the values");
        self.report(diagnostic);
    }

    /// A call of one function, whose arguments are not checked yet.
    pub(super) fn call_func(
        &mut self,
        func: FuncId,
        receiver: Option<hir::Expr>,
        type_args: Option<&[TyId]>,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let Some(type_args) = self.type_args_for(func, type_args, span) else {
            self.check_args_anyway(args);
            return self.error_expr(span);
        };
        self.c.request(func);
        let info = self.c.func(func);
        let params = info.params.clone();
        let (result, takes_self) = (info.result, info.takes_self);
        let bare = matches!(self.c.types.get(result), Ty::Param(_));
        let result = self.c.types.substitute(result, &type_args);
        let mut checked: Vec<Option<hir::Expr>> = vec![];
        if let Some(receiver) = receiver {
            let wanted = self.c.types.substitute(params[0].ty, &type_args);
            checked.push(Some(self.coerce(receiver, wanted, Reason::Argument(func, 0))));
        }
        if !bare && self.c.types.open(result) {
            self.expect_result(result, want);
        }
        let skip = usize::from(takes_self);
        let slots: Vec<Slot> = params
            .iter()
            .enumerate()
            .skip(skip)
            .map(|(index, param)| Slot {
                name: param.name.to_string(),
                ty: self.c.types.substitute(param.ty, &type_args),
                reason: Reason::Argument(func, index as u32),
            })
            .collect();
        let Some(order) = self.match_args(&slots, args, span, |body| {
            let signature = body.c.signature(body.c.func(func));
            let name = body.c.func(func).name.clone();
            (name, signature)
        }) else {
            return self.give_up_call(result, span);
        };
        checked.extend(self.check_args(&slots, args, &order));
        let args: Vec<hir::Expr> = checked.into_iter().flatten().collect();
        if args.len() != params.len() {
            return self.error_expr(span);
        }
        hir::Expr { kind: ExprKind::Call { func, type_args, args }, ty: result, span }
    }

    /// The result of a call with wrong arguments: known if nothing of it depends on them.
    fn give_up_call(&mut self, result: TyId, span: Span) -> hir::Expr {
        let ty = if self.c.types.open(result) { Types::ERROR } else { result };
        hir::Expr { kind: ExprKind::Unit, ty, span }
    }

    /// Lets the type that is wanted of a generic call choose type arguments.
    fn expect_result(&mut self, result: TyId, want: Want) {
        let Some(wanted) = want.ty() else { return };
        let optional = matches!(self.ty(result), Ty::Optional(_) | Ty::Result(_));
        let wanted = if optional { wanted } else { self.within(wanted) };
        let snapshot = self.infer.snapshot();
        if !self.unify(result, wanted) {
            self.infer.rollback(snapshot);
        }
    }

    /// Which argument goes to each parameter, or `None` after a report.
    fn match_args(
        &mut self,
        slots: &[Slot],
        args: &[ast::Arg],
        span: Span,
        callee: impl Fn(&Self) -> (String, String),
    ) -> Option<Vec<usize>> {
        let mut order: Vec<Option<usize>> = vec![None; slots.len()];
        let mut wrong = false;
        let mut after_named = false;
        for (index, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                // The parser reported it.
                None if after_named => {
                    wrong = true;
                    continue;
                }
                None => index,
                Some(name) => {
                    after_named = true;
                    match slots.iter().position(|slot| slot.name == name.name) {
                        Some(place) => place,
                        None => {
                            let (callee, signature) = callee(self);
                            self.unknown_argument(name, slots, &callee, &signature);
                            wrong = true;
                            continue;
                        }
                    }
                }
            };
            match order.get_mut(place) {
                Some(slot @ None) => *slot = Some(index),
                Some(Some(_)) => {
                    let message = format!("`{}` is given twice", slots[place].name);
                    let diagnostic = Diagnostic::error("E0502", message, arg.value.span, "")
                        .help("remove one of them");
                    self.report(diagnostic);
                    wrong = true;
                }
                None => {}
            }
        }
        let missing: Vec<&str> = slots
            .iter()
            .zip(&order)
            .filter(|(_, given)| given.is_none())
            .map(|(slot, _)| slot.name.as_str())
            .collect();
        if !wrong && (args.len() != slots.len() || !missing.is_empty()) {
            let (name, signature) = callee(self);
            let message =
                format!("`{name}` takes {}, {} given", count(slots.len(), "argument"), args.len());
            let label = match missing.as_slice() {
                [] => String::new(),
                missing => format!("missing: `{}`", missing.join("`, `")),
            };
            let diagnostic = Diagnostic::error("E0501", message, span, label)
                .help(format!("it is `{signature}`"));
            self.report(diagnostic);
            wrong = true;
        }
        if wrong {
            self.check_args_anyway(args);
            return None;
        }
        order.into_iter().collect()
    }

    fn unknown_argument(
        &mut self,
        name: &ast::Ident,
        slots: &[Slot],
        callee: &str,
        signature: &str,
    ) {
        let message = format!("`{callee}` has no parameter `{}`", name.name);
        let mut diagnostic = Diagnostic::error("E0502", message, name.span, "");
        let names = slots.iter().map(|slot| slot.name.as_str());
        if let Some(close) = suggest::closest(&name.name, names) {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
        } else {
            diagnostic = diagnostic.help(format!("it is `{signature}`"));
        }
        self.report(diagnostic);
    }

    /// Checks arguments, closures last, in the order of the parameters.
    fn check_args(
        &mut self,
        slots: &[Slot],
        args: &[ast::Arg],
        order: &[usize],
    ) -> Vec<Option<hir::Expr>> {
        let mut checked: Vec<Option<hir::Expr>> = slots.iter().map(|_| None).collect();
        for closures in [false, true] {
            for (place, slot) in slots.iter().enumerate() {
                let arg = &args[order[place]].value;
                if matches!(arg.kind, ast::ExprKind::Closure { .. }) == closures {
                    checked[place] = Some(self.expr(arg, Want::Must(slot.ty, slot.reason)));
                }
            }
        }
        checked
    }

    /// A call of a function value.
    fn call_value(&mut self, callee: hir::Expr, args: &[ast::Arg], span: Span) -> hir::Expr {
        let (params, result) = match self.ty(callee.ty).clone() {
            Ty::Func { params, result } => (params, result),
            Ty::Error => {
                self.check_args_anyway(args);
                return self.error_expr(span);
            }
            Ty::Infer(_) => {
                // Used before its type is known: what it is called with says it.
                let args: Vec<hir::Expr> =
                    args.iter().map(|arg| self.value(&arg.value, Want::Any)).collect();
                let params = args.iter().map(|arg| self.shallow(arg.ty)).collect();
                let result = self.fresh(span, Unknown::Irrelevant);
                let ty = self.intern(Ty::Func { params, result });
                if !self.unify(callee.ty, ty) {
                    return self.unknown_operand(callee.span);
                }
                let kind = ExprKind::CallValue { callee: Box::new(callee), args };
                return hir::Expr { kind, ty: result, span };
            }
            Ty::Optional(_) => {
                let shown = self.show(callee.ty);
                self.optional_unchecked(callee.span, &shown, None);
                self.check_args_anyway(args);
                return self.error_expr(span);
            }
            _ => {
                let shown = self.show(callee.ty);
                let text = self.short_text(callee.span);
                let message = format!("{} `{shown}` cannot be called", article(&shown));
                let mut diagnostic = Diagnostic::error("E0321", message, callee.span, "");
                let is_func = super::intrinsic::NAMES.contains(&text.as_str())
                    || matches!(self.c.find_value(&text, self.library), Some(Meaning::Funcs(_)));
                diagnostic = match callee.kind {
                    ExprKind::Local(local) if is_func => diagnostic
                        .label(
                            self.local(local).hir.span,
                            format!("this variable hides the function `{text}`"),
                        )
                        .help("give the variable another name"),
                    _ => diagnostic.help(format!(
                        "write `{text}` without parentheses, or `{text}[i]` for an element"
                    )),
                };
                self.report(diagnostic);
                self.check_args_anyway(args);
                return self.error_expr(span);
            }
        };
        if let Some(name) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let message = "a function value takes its arguments by position";
            let diagnostic = Diagnostic::error("E0502", message, name.span, "")
                .help(format!("leave `{}:` out", name.name));
            self.report(diagnostic);
        }
        if params.len() != args.len() {
            let shown = self.show(callee.ty);
            let message =
                format!("this takes {}, {} given", count(params.len(), "argument"), args.len());
            let diagnostic =
                Diagnostic::error("E0501", message, span, "").help(format!("it is `{shown}`"));
            self.report(diagnostic);
            self.check_args_anyway(args);
            return self.give_up_call(result, span);
        }
        let mut checked = vec![];
        for (arg, wanted) in args.iter().zip(params) {
            checked.push(self.expr(&arg.value, Want::Must(wanted, Reason::ValueArgument)));
        }
        let kind = ExprKind::CallValue { callee: Box::new(callee), args: checked };
        hir::Expr { kind, ty: result, span }
    }

    /// A variant, with or without fields.
    pub(super) fn bare_variant(
        &mut self,
        variant: VariantRef,
        args: &[ast::Arg],
        span: Span,
        want: Want,
    ) -> hir::Expr {
        let id = variant.enumeration;
        let enumeration = self.c.enumeration(id);
        let of = enumeration.name.clone();
        let params = enumeration.type_params.clone();
        let declared = &enumeration.variants[variant.variant as usize];
        let name = declared.name.clone();
        let fields: Vec<(String, TyId)> =
            declared.fields.iter().map(|field| (field.name.clone(), field.ty)).collect();
        let type_args: Vec<TyId> = params
            .iter()
            .map(|param| {
                let unknown = Unknown::TypeArgument { of: of.clone(), param: param.clone() };
                self.fresh(span, unknown)
            })
            .collect();
        let ty = self.intern(Ty::Enum(id, type_args.clone()));
        if let Some(wanted) = self.like_enum(want, ty) {
            let snapshot = self.infer.snapshot();
            if !self.unify(ty, wanted) {
                self.infer.rollback(snapshot);
            }
        }
        let slots: Vec<Slot> = fields
            .into_iter()
            .enumerate()
            .map(|(index, (name, ty))| Slot {
                name,
                ty: self.c.types.substitute(ty, &type_args),
                reason: Reason::VariantField(id, variant.variant, index as u32),
            })
            .collect();
        let Some(order) = self.match_args(&slots, args, span, |body| {
            let fields = &body.c.enumeration(id).variants[variant.variant as usize].fields;
            let shown: Vec<String> = fields
                .iter()
                .map(|field| {
                    let params: Vec<&str> = params.iter().map(String::as_str).collect();
                    format!("{}: {}", field.name, body.c.show(field.ty, &params))
                })
                .collect();
            let signature = if shown.is_empty() {
                name.clone()
            } else {
                format!("{name}({})", shown.join(", "))
            };
            (name.clone(), signature)
        }) else {
            return self.give_up_call(ty, span);
        };
        let checked = self.check_args(&slots, args, &order);
        let fields = checked
            .into_iter()
            .enumerate()
            .filter_map(|(index, value)| value.map(|value| (index as u32, value)))
            .collect();
        let kind = ExprKind::NewVariant { variant: variant.variant, fields };
        hir::Expr { kind, ty, span }
    }
}
