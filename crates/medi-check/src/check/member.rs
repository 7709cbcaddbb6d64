//! Fields, methods, indices, and what stands before the point.
//!
//! `e?.rest` on an optional makes the whole chain after it conditional: it is nil as soon as one link
//! is, and never evaluates what follows. On a result, `e?.rest` is `(e?).rest`. `e.name` on a result
//! uses its value, and a failure stops the program. `xs[a..b]` is `xs.slice(a, b)`. A method is found
//! before a field that holds a function.

use medi_syntax::ast;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;
use medi_syntax::suggest;

use super::body::{Body, Link, LocalKind, Want};
use super::call::Callee;
use super::coerce::Reason;
use super::names::{Receiver, TypeName, VariantRef};
use super::show::article;
use super::{literal, reserved};
use crate::hir::{self, ExprKind, Intrinsic};
use crate::types::{RecordId, Ty, TyId, Types};

impl Body<'_, '_> {
    /// A call, a field or an index, as a part of a chain: `?.` in it adds to the pending links, which
    /// [`Body::expr`] wraps around the whole chain.
    pub(super) fn postfix(&mut self, expr: &ast::Expr, want: Want) -> hir::Expr {
        match &expr.kind {
            ast::ExprKind::Call { callee, args } => self.call(callee, args, expr.span, want),
            ast::ExprKind::Field { base, name, optional } => {
                self.field(base, name, *optional, expr.span, want)
            }
            ast::ExprKind::Index { base, index } => self.index(base, index, expr.span),
            _ => self.expr(expr, want),
        }
    }

    /// What stands before a point or a bracket: the same chain goes on in it.
    fn base(&mut self, base: &ast::Expr) -> hir::Expr {
        match &base.kind {
            ast::ExprKind::Call { .. }
            | ast::ExprKind::Field { .. }
            | ast::ExprKind::Index { .. } => {
                if self.depth >= super::body::MAX_DEPTH {
                    return self.expr(base, Want::Any);
                }
                self.depth += 1;
                let checked = self.postfix(base, Want::Any);
                self.depth -= 1;
                checked
            }
            _ => self.expr(base, Want::Any),
        }
    }

    /// The value before a point: unwrapped if it is a result, and through `?.` if it is optional.
    pub(super) fn receiver(&mut self, base: &ast::Expr, optional: bool) -> hir::Expr {
        let checked = self.base(base);
        self.receiver_of(checked, optional)
    }

    pub(super) fn receiver_of(&mut self, checked: hir::Expr, optional: bool) -> hir::Expr {
        let span = checked.span;
        if !optional {
            return self.need_value(checked);
        }
        // On a result, `e?.name` is `(e?).name`.
        if matches!(self.ty(checked.ty), Ty::Result(_)) {
            return self.hand_on(checked, span);
        }
        match *self.ty(checked.ty) {
            Ty::Optional(inner) => {
                let local = self.declare("value", inner, span, LocalKind::Hidden);
                self.links.push(Link { value: checked, local });
                self.use_local(local, span, false)
            }
            Ty::Error => checked,
            _ => {
                self.never_nil(span, checked.ty, "write `.` for `?.`");
                checked
            }
        }
    }

    /// A type before a point, as in `Finding.Normal` and `memory.collect()`.
    pub(super) fn type_before_point(&self, base: &ast::Expr) -> Option<TypeName> {
        let name = literal::name_of(base)?;
        if self.find_local(&name.name).is_some()
            || self.c.find_value(&name.name, self.library).is_some()
        {
            return None;
        }
        self.c.find_type(&name.name, self.library)
    }

    fn field(
        &mut self,
        base: &ast::Expr,
        name: &ast::Ident,
        optional: bool,
        span: Span,
        want: Want,
    ) -> hir::Expr {
        if let Some(TypeName::Enum(id)) = self.type_before_point(base) {
            let variants = &self.c.enumeration(id).variants;
            return match variants.iter().position(|variant| variant.name == name.name) {
                Some(variant) => {
                    let variant = VariantRef { enumeration: id, variant: variant as u32 };
                    self.bare_variant(variant, &[], span, want)
                }
                None => {
                    self.unknown_variant(name, id);
                    self.error_expr(span)
                }
            };
        }
        if let Some(ty) = self.type_before_point(base) {
            self.static_without_call(ty, name, span);
            return self.error_expr(span);
        }
        let receiver = self.receiver(base, optional);
        self.field_of(receiver, name, span)
    }

    fn static_without_call(&mut self, ty: TypeName, name: &ast::Ident, span: Span) {
        let receiver = match ty {
            TypeName::Record(id) => Receiver::Record(id),
            TypeName::Enum(id) => Receiver::Enum(id),
        };
        let text = self.short_text(span);
        let diagnostic = if self.methods(receiver, &name.name).is_empty() {
            let message = format!("a type has no field `{}`", name.name);
            Diagnostic::error("E0208", message, name.span, "")
                .help("a field belongs to a value: make one, `Name { … }`")
        } else {
            let message = format!("`{}` is a function", name.name);
            Diagnostic::error("E0208", message, name.span, "").help(format!("call it: `{text}()`"))
        };
        self.report(diagnostic);
    }

    pub(super) fn field_of(
        &mut self,
        receiver: hir::Expr,
        name: &ast::Ident,
        span: Span,
    ) -> hir::Expr {
        match self.ty(receiver.ty).clone() {
            Ty::Error => self.error_expr(span),
            Ty::Own(record) | Ty::Shared(record) => {
                let Ty::Record(id, args) = self.ty(record).clone() else {
                    return self.error_expr(span);
                };
                self.record_field(receiver, id, &args, name, span)
            }
            Ty::Record(id, args) => self.record_field(receiver, id, &args, name, span),
            Ty::Tuple(parts) => match name.name.parse::<usize>() {
                Ok(index) if index < parts.len() => {
                    let base = Box::new(receiver);
                    let kind = ExprKind::TupleField { base, index: index as u32 };
                    hir::Expr { kind, ty: parts[index], span }
                }
                _ => {
                    let shown = self.show(receiver.ty);
                    let message = format!("a `{shown}` has no part `{}`", name.name);
                    let diagnostic = Diagnostic::error("E0204", message, name.span, "").help(
                        format!("its parts are `.0` to `.{}`", parts.len().saturating_sub(1)),
                    );
                    self.report(diagnostic);
                    self.error_expr(span)
                }
            },
            Ty::Optional(_) => {
                self.through_optional(&receiver, &name.name);
                self.error_expr(span)
            }
            Ty::Result(_) | Ty::Pin(_) => {
                let receiver = self.unwrapped(receiver);
                self.field_of(receiver, name, span)
            }
            Ty::Infer(_) => self.unknown_operand(receiver.span),
            _ => {
                self.unknown_field(name, receiver.ty, None);
                self.error_expr(span)
            }
        }
    }

    /// A field of a record, or of an object of a scope that has its fields.
    fn record_field(
        &mut self,
        receiver: hir::Expr,
        id: RecordId,
        args: &[TyId],
        name: &ast::Ident,
        span: Span,
    ) -> hir::Expr {
        let fields = &self.c.record(id).fields;
        let found = fields.iter().position(|field| field.name == name.name);
        let opaque = id == self.c.lang().list || id == self.c.lang().map;
        match found {
            Some(index) if !opaque || self.library => {
                let ty = fields[index].ty;
                let ty = self.c.types.substitute(ty, args);
                let base = Box::new(receiver);
                hir::Expr { kind: ExprKind::Field { base, field: index as u32 }, ty, span }
            }
            _ => {
                self.unknown_field(name, receiver.ty, Some(id));
                self.error_expr(span)
            }
        }
    }

    /// Reports a field or method of a value that may be nil.
    pub(super) fn through_optional(&mut self, receiver: &hir::Expr, member: &str) {
        let text = self.short_text(receiver.span);
        let shown = self.show(receiver.ty);
        let message = format!("`{text}` may be nil here");
        let label = format!("{} `{shown}`", article(&shown));
        let simple = text.chars().all(|c| c.is_alphanumeric() || c == '_');
        let bound = if simple { text.as_str() } else { "x" };
        let diagnostic = Diagnostic::error("E0601", message, receiver.span, label)
            .help(format!("go on only if it is there: `{text}?.{member}`"))
            .help(format!("or `if let {bound} = {text} {{ {bound}.{member} }}`"))
            .help(format!("or stop the program when it is nil: `{text}!.{member}`"));
        self.report(diagnostic);
    }

    pub(super) fn unknown_field(&mut self, name: &ast::Ident, ty: TyId, record: Option<RecordId>) {
        let word = name.name.as_str();
        let shown = self.show(ty);
        let message = format!("{} `{shown}` has no field `{word}`", article(&shown));
        let mut diagnostic = Diagnostic::error("E0204", message, name.span, "");
        let receiver = Receiver::of(self.ty(ty));
        let is_method = receiver.is_some_and(|receiver| !self.methods(receiver, word).is_empty());
        let foreign = reserved::foreign_method(word)
            .filter(|known| receiver.is_some_and(|r| !self.methods(r, known).is_empty()));
        let opaque = record.is_none_or(|id| id == self.c.lang().list || id == self.c.lang().map);
        let fields: Vec<String> = match record {
            Some(id) if !opaque => {
                self.c.record(id).fields.iter().map(|field| field.name.clone()).collect()
            }
            _ => vec![],
        };
        if is_method {
            diagnostic = diagnostic.help(format!("it is a method, call it: `.{word}()`"));
        } else if let Some(known) = foreign {
            diagnostic = diagnostic.help(format!("in Medi this is the method `.{known}()`"));
        } else if let Some(close) = suggest::closest(word, fields.iter().map(String::as_str)) {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
        } else if let Some(close) =
            receiver.and_then(|receiver| self.closest_method(word, receiver))
        {
            diagnostic = diagnostic.help(format!("did you mean the method `.{close}()`?"));
        } else if let Ty::Weak(_) = self.ty(ty) {
            let help = format!("see whether it is there first: `x.get()?.{word}`");
            diagnostic = diagnostic.help(help);
        } else if fields.is_empty() {
            diagnostic = diagnostic.help("only records and tuples have fields");
        } else {
            let listed = fields.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            diagnostic = diagnostic.help(format!("its fields are {listed}"));
        }
        self.report(diagnostic);
    }

    fn closest_method(&self, word: &str, receiver: Receiver) -> Option<String> {
        let mut names: Vec<&str> = self.c.methods.names(receiver).collect();
        names.sort_unstable();
        names.dedup();
        suggest::closest(word, names.into_iter()).map(str::to_string)
    }

    pub(super) fn unknown_method(&mut self, name: &ast::Ident, receiver: &hir::Expr) {
        let (ty, text) = (receiver.ty, self.short_text(receiver.span));
        let word = name.name.as_str();
        let shown = self.show(ty);
        let message = format!("{} `{shown}` has no method `{word}`", article(&shown));
        let mut diagnostic = Diagnostic::error("E0205", message, name.span, "");
        let receiver = Receiver::of(self.ty(ty));
        let foreign = reserved::foreign_method(word)
            .filter(|known| receiver.is_some_and(|r| !self.methods(r, known).is_empty()));
        let free = self.c.find_value(word, self.library).is_some()
            || super::intrinsic::NAMES.contains(&word);
        if let Some(known) = foreign {
            diagnostic = diagnostic
                .help(format!("in Medi this is written `.{known}(…)`"))
                .edit(name.span, known);
        } else if let Some(close) =
            receiver.and_then(|receiver| self.closest_method(word, receiver))
        {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
        } else if free {
            diagnostic = diagnostic.help(format!("`{word}` is a function: write `{word}({text})`"));
        } else if let Ty::Weak(_) = self.ty(ty) {
            diagnostic = diagnostic
                .help(format!("see whether it is there: `if let x = {text}.get() {{ … }}`"));
        } else if matches!(self.ty(ty), Ty::Own(_) | Ty::Shared(_)) {
            diagnostic = diagnostic
                .why("methods work on collected objects, and this one lies in a scope")
                .help(format!("write a function that takes it: `func {word}(x: {shown}) {{ … }}`"));
        } else if matches!(self.ty(ty), Ty::Param(_)) {
            diagnostic = diagnostic
                .why("a type parameter stands for any type, and not every type has this method")
                .help("take a function that does it as a parameter: `key: func(T) -> float`");
        } else if let Some(owner) = self.own_type(ty) {
            diagnostic =
                diagnostic.help(format!("declare it: `func {owner}.{word}(self) {{ … }}`"));
        } else if let Some(receiver) = receiver {
            let mut names: Vec<&str> = self.c.methods.names(receiver).collect();
            names.sort_unstable();
            names.dedup();
            let listed = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 12 { ", …" } else { "" };
            diagnostic = diagnostic.help(format!("its methods are {listed}{more}"));
        } else {
            diagnostic = diagnostic.help("only named types have methods");
        }
        self.report(diagnostic);
    }

    /// The name of a type that the user declared, as a method's receiver is written.
    fn own_type(&self, ty: TyId) -> Option<String> {
        let (name, params) = match self.ty(ty) {
            Ty::Record(id, _) => {
                let record = self.c.record(*id);
                (&record.name, &record.type_params)
            }
            Ty::Enum(id, _) => {
                let enumeration = self.c.enumeration(*id);
                (&enumeration.name, &enumeration.type_params)
            }
            _ => return None,
        };
        self.c.user.types.get(name.as_str())?;
        Some(if params.is_empty() {
            name.clone()
        } else {
            format!("{name}[{}]", params.join(", "))
        })
    }

    fn index(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> hir::Expr {
        if let ast::ExprKind::Name(name) = &base.kind
            && self.find_local(&name.name).is_none()
            && let Callee::Funcs(funcs) = self.callee_by_name(name)
            && let [func] = funcs[..]
            && let Some(written) = literal::as_type(index)
        {
            // `f[int]` as a value.
            let args = [self.resolve_type(&written)];
            return self.instantiate_value(func, &args, span);
        }
        if let Some(name) = literal::name_of(base)
            && self.find_local(&name.name).is_none()
            && matches!(self.callee_by_name(name), Callee::Type)
        {
            self.types_without_call(span);
            return self.error_expr(span);
        }
        let receiver = self.base(base);
        let receiver = self.unwrapped(receiver);
        if let ast::ExprKind::Range { start, end, inclusive } = &index.kind {
            return self.slice(receiver, start, end, *inclusive, span);
        }
        let (element, reason, wanted) = match self.ty(receiver.ty).clone() {
            Ty::Error => {
                self.expr(index, Want::Any);
                return self.error_expr(span);
            }
            Ty::Record(id, args) if id == self.c.lang().list => {
                (args[0], Reason::Index, Types::INT)
            }
            Ty::Record(id, args) if id == self.c.lang().map => {
                let at = self.c.lang().map_at;
                self.c.request(at);
                (args[1], Reason::Key, args[0])
            }
            Ty::View(element) if matches!(self.ty(element), Ty::Atomic(_)) => {
                (Types::INT, Reason::Index, Types::INT)
            }
            Ty::Array(element) | Ty::View(element) => (element, Reason::Index, Types::INT),
            Ty::Buffer | Ty::Owned(_) => (Types::BYTE, Reason::Index, Types::INT),
            Ty::Optional(_) => {
                let shown = self.show(receiver.ty);
                self.optional_unchecked(receiver.span, &shown, None);
                self.expr(index, Want::Any);
                return self.error_expr(span);
            }
            Ty::Infer(_) => return self.unknown_operand(receiver.span),
            _ => {
                self.no_index(&receiver, index);
                self.expr(index, Want::Any);
                return self.error_expr(span);
            }
        };
        let index = self.expr(index, Want::Must(wanted, reason));
        let kind = ExprKind::Index { base: Box::new(receiver), index: Box::new(index) };
        hir::Expr { kind, ty: element, span }
    }

    fn no_index(&mut self, receiver: &hir::Expr, index: &ast::Expr) {
        let shown = self.show(receiver.ty);
        let text = self.short_text(receiver.span);
        let index = self.short_text(index.span);
        let message = format!("{} `{shown}` has no elements to index", article(&shown));
        let diagnostic = Diagnostic::error("E0307", message, receiver.span, "");
        let diagnostic = match self.ty(receiver.ty) {
            Ty::Str => diagnostic
                .why("a string is text of any language: its characters differ in size")
                .help(format!("take its characters: `{text}.chars()[{index}]`"))
                .help(format!("or a part: `{text}.slice({index}, {index} + 1)`")),
            Ty::Tuple(_) => {
                diagnostic.help(format!("the parts of a tuple are `{text}.0`, `{text}.1`"))
            }
            Ty::Record(..) => diagnostic.help(format!("a record has fields: `{text}.name`")),
            Ty::Func { .. } => diagnostic.help(format!("call it: `{text}({index})`")),
            _ => diagnostic.help("lists, maps, buffers and views have elements"),
        };
        self.report(diagnostic);
    }

    /// `xs[a..b]`: what `xs.slice(a, b)` gives.
    fn slice(
        &mut self,
        receiver: hir::Expr,
        start: &ast::Expr,
        end: &ast::Expr,
        inclusive: bool,
        span: Span,
    ) -> hir::Expr {
        let start = self.expr(start, Want::Must(Types::INT, Reason::RangeEnd));
        let mut end = self.expr(end, Want::Must(Types::INT, Reason::RangeEnd));
        if inclusive {
            let place = end.span;
            let one = hir::Expr { kind: ExprKind::Int(1), ty: Types::INT, span: place };
            let (left, right) = (Box::new(end), Box::new(one));
            let kind = ExprKind::Binary { op: ast::BinaryOp::Add, left, right };
            end = hir::Expr { kind, ty: Types::INT, span: place };
        }
        let ty = receiver.ty;
        if let Ty::View(_) = self.ty(ty) {
            let args = vec![receiver, start, end];
            return hir::Expr {
                kind: ExprKind::Intrinsic { op: Intrinsic::ViewSlice, args },
                ty,
                span,
            };
        }
        let type_args = self.record_of(ty).map_or(vec![], |(_, args)| args);
        let found = match Receiver::of(self.ty(ty)) {
            Some(found @ (Receiver::Record(_) | Receiver::Str)) => self.methods(found, "slice"),
            _ => vec![],
        };
        let fits = found.first().is_some_and(|func| self.c.func(*func).params.len() == 3);
        if let ([func, ..], true) = (&found[..], fits) {
            self.c.request(*func);
            let result = self.c.func(*func).result;
            let ty = self.c.types.substitute(result, &type_args);
            let args = vec![receiver, start, end];
            return hir::Expr { kind: ExprKind::Call { func: *func, type_args, args }, ty, span };
        }
        if !self.is_error(ty) {
            let shown = self.show(ty);
            let message = format!("{} `{shown}` has no parts to slice", article(&shown));
            let diagnostic = Diagnostic::error("E0307", message, receiver.span, "")
                .help("lists, strings and views have slices: `xs[1..3]`");
            self.report(diagnostic);
        }
        self.error_expr(span)
    }

    /// Where the type that a value is asked for helps: the enum in `let f: Finding = …`.
    pub(super) fn like_enum(&self, want: Want, ty: TyId) -> Option<TyId> {
        let wanted = self.within(want.ty()?);
        match (self.ty(wanted), self.ty(ty)) {
            (Ty::Enum(a, _), Ty::Enum(b, _)) if a == b => Some(wanted),
            _ => None,
        }
    }
}
