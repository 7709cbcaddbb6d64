//! Strings, and how values become text.
//!
//! In `{value}` and `print(value)` a record or an enum with a method `to_string(self) -> string` shows
//! what that gives, also inside an optional, a list, or as a value of a map; everything else shows its parts. A result shows its value,
//! and a failure stops the program, so that no error is printed past.

use medi_syntax::ast::{self, StrPart};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::{Body, Later, LocalKind, Want};
use super::coerce::Reason;
use super::names::Receiver;
use super::overload::Given;
use super::show::article;
use crate::hir::{self, ExprKind, FuncId, Piece};
use crate::types::{Ty, TyId, Types};

impl Body<'_, '_> {
    pub(super) fn string(&mut self, parts: &[StrPart], span: Span) -> hir::Expr {
        let only_text = parts.iter().all(|part| matches!(part, StrPart::Text(_)));
        if only_text {
            let text = parts.iter().map(|part| match part {
                StrPart::Text(text) => text.as_str(),
                StrPart::Expr { .. } => "",
            });
            return hir::Expr { kind: ExprKind::Str(text.collect()), ty: Types::STR, span };
        }
        let mut pieces = vec![];
        for part in parts {
            pieces.push(match part {
                StrPart::Text(text) => Piece::Text(text.clone()),
                StrPart::Expr { expr, format } => self.piece(expr, format.clone()),
            });
        }
        hir::Expr { kind: ExprKind::Interpolate(pieces), ty: Types::STR, span }
    }

    /// A value that is turned into text.
    pub(super) fn piece(&mut self, expr: &ast::Expr, format: Option<ast::FormatSpec>) -> Piece {
        let value = self.value(expr, Want::Any);
        let value = self.settled(value);
        let mut value = self.unwrapped(value);
        let span = value.span;
        if let Some(spec) = &format
            && spec.precision.is_some()
        {
            match self.ty(value.ty) {
                Ty::Int | Ty::Byte => {
                    value = self.coerce(value, Types::FLOAT, Reason::Builtin("a precision"));
                }
                Ty::Float | Ty::Error | Ty::Param(_) => {}
                _ => {
                    let shown = self.show(value.ty);
                    let message = "only a number has digits after the point";
                    let label = format!("this is {} `{shown}`", article(&shown));
                    let diagnostic = Diagnostic::error("E0319", message, spec.span, "")
                        .label(span, label)
                        .help("leave the precision out: `{x:>8}`");
                    self.report(diagnostic);
                }
            }
        }
        if let Some(inner) = self.optional_with_text(value.ty) {
            value = self.optional_text(value, inner);
        } else if let Some(func) = self.to_string_of(value.ty) {
            value = self.call_to_string(func, value);
        } else if let Some((name, element)) = self.collection_with_text(value.ty) {
            value = self.collection_text(name, value, element);
        } else {
            self.later.push(Later::Printable(value.ty, span));
        }
        Piece::Value { value, format }
    }

    /// The method `to_string(self) -> string` of a record or an enum, which printing calls.
    fn to_string_of(&self, ty: TyId) -> Option<FuncId> {
        let receiver = Receiver::of(self.ty(ty))?;
        if !matches!(receiver, Receiver::Record(_) | Receiver::Enum(_)) {
            return None;
        }
        let [func] = self.methods(receiver, "to_string")[..] else { return None };
        let info = self.c.func(func);
        let fits = info.takes_self
            && info.params.len() == 1
            && info.result == Types::STR
            && info.ast.type_params.is_empty();
        fits.then_some(func)
    }

    fn type_args_of(&self, ty: TyId) -> Vec<TyId> {
        match self.ty(ty) {
            Ty::Record(_, args) | Ty::Enum(_, args) => args.clone(),
            _ => vec![],
        }
    }

    fn call_to_string(&mut self, func: FuncId, value: hir::Expr) -> hir::Expr {
        let type_args = self.type_args_of(value.ty);
        self.c.request(func);
        let span = value.span;
        let kind = ExprKind::Call { func, type_args, args: vec![value] };
        hir::Expr { kind, ty: Types::STR, span }
    }

    /// The type in an optional, if its values have a text of their own.
    fn optional_with_text(&self, ty: TyId) -> Option<TyId> {
        match *self.ty(ty) {
            Ty::Optional(inner) => self.to_string_of(inner).map(|_| inner),
            _ => None,
        }
    }

    /// The library's function that shows a list or a map whose elements have a text of their own, and their type.
    fn collection_with_text(&self, ty: TyId) -> Option<(&'static str, TyId)> {
        let (name, element) = match (self.element_of_list(ty), self.is_map(ty)) {
            (Some(element), _) => ("list_text", element),
            (_, Some((_, value))) => ("map_text", value),
            _ => return None,
        };
        self.to_string_of(element).map(|_| (name, element))
    }

    /// `list_text(value, T.to_string)`.
    fn collection_text(&mut self, name: &str, value: hir::Expr, element: TyId) -> hir::Expr {
        let span = value.span;
        let Some(to_string) = self.to_string_of(element) else { return value };
        let Some(func) = self.library_func(name) else {
            panic!("the library must declare `func {name}`")
        };
        let type_args = self.type_args_of(element);
        let text = self.instantiate_value(to_string, &type_args, span);
        self.call_checked(&[func], vec![Given::Value(value), Given::Value(text)], None, span)
    }

    /// `value?.to_string() ?? "nil"`.
    fn optional_text(&mut self, value: hir::Expr, inner: TyId) -> hir::Expr {
        let span = value.span;
        let Some(func) = self.to_string_of(inner) else { return value };
        let local = self.declare("value", inner, span, LocalKind::Hidden);
        let there = self.use_local(local, span, false);
        let text = self.call_to_string(func, there);
        let ty = self.optional(Types::STR);
        let body = Box::new(self.coerce(text, ty, Reason::Default));
        let kind = ExprKind::OptionalChain { value: Box::new(value), local, body };
        let left = Box::new(hir::Expr { kind, ty, span });
        let nil = ExprKind::Str("nil".to_string());
        let right = Box::new(hir::Expr { kind: nil, ty: Types::STR, span });
        hir::Expr { kind: ExprKind::Coalesce { left, right }, ty: Types::STR, span }
    }
}
