//! Conversions that happen by themselves, and the message when none fits.
//!
//! Where a type is wanted, these are inserted and written into the checked tree: int to float, byte to
//! int, a value to an optional or a result that holds it, and a result to its value, where a failure
//! stops the program. Number literals become what is wanted if they fit. Nothing else converts by itself.

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::Body;
use super::show::article;
use crate::hir::{self, Conversion, ExprKind, FuncId, LocalId};
use crate::types::{EnumId, RecordId, Ty, TyId, Types};

/// Why a type is wanted, for the message when another one is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    /// A parameter, by position.
    Argument(FuncId, u32),
    /// A parameter of a function value.
    ValueArgument,
    /// An operation of the language, by name.
    Builtin(&'static str),
    /// The value that the function or closure ends with.
    Result,
    /// The value of a `return`.
    Returned,
    /// A written type.
    Annotation(Span),
    Assigned(Option<LocalId>),
    Field(RecordId, u32),
    VariantField(EnumId, u32, u32),
    /// Of a list or map literal; the first one.
    Element(Span),
    Index,
    /// The index of a map.
    Key,
    /// The other operand.
    Operand(Span),
    /// What stands after `??` or in `.or(…)`.
    Default,
    /// The other arms or branches.
    Branch,
    RangeEnd,
}

impl Body<'_, '_> {
    /// The expression as the wanted type. What does not fit is reported and gets the wanted type.
    pub(super) fn coerce(&mut self, expr: hir::Expr, wanted: TyId, reason: Reason) -> hir::Expr {
        let span = expr.span;
        match self.convert(expr, wanted) {
            Ok(expr) => expr,
            Err(expr) => {
                self.mismatch(&expr, wanted, reason);
                hir::Expr { kind: ExprKind::Unit, ty: Types::ERROR, span }
            }
        }
    }

    /// The expression as the wanted type, or unchanged if no conversion fits.
    pub(super) fn convert(
        &mut self,
        mut expr: hir::Expr,
        wanted: TyId,
    ) -> Result<hir::Expr, hir::Expr> {
        let have = self.shallow(expr.ty);
        let want = self.shallow(wanted);
        if have == want {
            return Ok(expr);
        }
        let (have_ty, want_ty) = (self.c.types.get(have).clone(), self.c.types.get(want).clone());
        match (&have_ty, &want_ty) {
            (Ty::Error, _) | (_, Ty::Error) => Ok(expr),
            (Ty::Never, _) => Ok(converted(Conversion::FromNever, expr, want)),
            (Ty::Infer(_), _) | (_, Ty::Infer(_)) => {
                if self.unify(have, want) {
                    Ok(expr)
                } else {
                    Err(expr)
                }
            }
            (Ty::Int, Ty::Float) => {
                if let ExprKind::Int(value) = expr.kind {
                    expr.kind = ExprKind::Float(value as f64);
                    expr.ty = Types::FLOAT;
                    return Ok(expr);
                }
                Ok(converted(Conversion::IntToFloat, expr, Types::FLOAT))
            }
            (Ty::Byte, Ty::Int) => Ok(converted(Conversion::ByteToInt, expr, Types::INT)),
            (Ty::Byte, Ty::Float) => {
                let int = converted(Conversion::ByteToInt, expr, Types::INT);
                Ok(converted(Conversion::IntToFloat, int, Types::FLOAT))
            }
            (Ty::Optional(_), Ty::Optional(_)) | (Ty::Result(_), Ty::Result(_)) => {
                if self.unify(have, want) { Ok(expr) } else { Err(expr) }
            }
            (Ty::Result(inner), Ty::Optional(held))
                if !self.is_open(*inner) && !matches!(self.ty(*held), Ty::Result(_)) =>
            {
                let value = converted(Conversion::UnwrapResult, expr, *inner);
                self.convert(value, want)
            }
            (_, Ty::Optional(inner)) => {
                let value = self.convert(expr, *inner)?;
                if matches!(self.ty(value.ty), Ty::Optional(_)) {
                    return Ok(value);
                }
                let want = self.optional(*inner);
                Ok(converted(Conversion::ToOptional, value, want))
            }
            (_, Ty::Result(inner)) => {
                let value = self.convert(expr, *inner)?;
                let span = value.span;
                Ok(hir::Expr { kind: ExprKind::Ok(Box::new(value)), ty: want, span })
            }
            (Ty::Result(_), _) if matches!(expr.kind, ExprKind::Fail(_)) => Err(expr),
            (Ty::Result(inner), _) => {
                let value = converted(Conversion::UnwrapResult, expr, *inner);
                self.convert(value, want)
            }
            _ => {
                let snapshot = self.infer.snapshot();
                if self.unify(have, want) {
                    return Ok(expr);
                }
                self.infer.rollback(snapshot);
                Err(expr)
            }
        }
    }

    /// A result's value, or what a pin holds, where something is done with it; other values stay.
    pub(super) fn unwrapped(&mut self, expr: hir::Expr) -> hir::Expr {
        match *self.ty(expr.ty) {
            Ty::Result(inner) => converted(Conversion::UnwrapResult, expr, inner),
            Ty::Pin(inner) => {
                let span = expr.span;
                let kind = ExprKind::Intrinsic { op: hir::Intrinsic::Unpin, args: vec![expr] };
                hir::Expr { kind, ty: inner, span }
            }
            _ => expr,
        }
    }

    /// How well a type fits where another is wanted: 0 as it is, more with conversions.
    pub(super) fn fit_cost(&mut self, have: TyId, wanted: TyId) -> Option<u32> {
        let have = self.shallow(have);
        let want = self.shallow(wanted);
        match (self.c.types.get(have).clone(), self.c.types.get(want).clone()) {
            (Ty::Error | Ty::Never, _) | (_, Ty::Error) => Some(0),
            (Ty::Int, Ty::Float) | (Ty::Byte, Ty::Int) => Some(2),
            (Ty::Byte, Ty::Float) => Some(4),
            (Ty::Infer(_), _) => self.unify(have, want).then_some(0),
            (_, Ty::Infer(_)) => self.unify(have, want).then_some(1),
            (Ty::Optional(_), Ty::Optional(_)) | (Ty::Result(_), Ty::Result(_)) => {
                self.unify(have, want).then_some(0)
            }
            (Ty::Result(inner), _) => self.fit_cost(inner, want).map(|cost| cost + 8),
            (_, Ty::Optional(inner)) | (_, Ty::Result(inner)) => {
                self.fit_cost(have, inner).map(|cost| cost + 2)
            }
            _ => self.unify(have, want).then_some(0),
        }
    }

    /// Reports that an expression has another type than its place wants.
    pub(super) fn mismatch(&mut self, expr: &hir::Expr, wanted: TyId, reason: Reason) {
        let have = self.shallow(expr.ty);
        let span = expr.span;
        let (shown, wanted_shown) = (self.show(have), self.show(wanted));
        if matches!(self.ty(have), Ty::Unit) {
            self.no_value(span, &wanted_shown, reason);
            return;
        }
        if let ExprKind::Fail(_) = expr.kind {
            self.fail_outside(span);
            return;
        }
        if let Ty::Optional(inner) = *self.ty(have) {
            let snapshot = self.infer.snapshot();
            let fits = self.fit_cost(inner, wanted).is_some();
            self.infer.rollback(snapshot);
            if matches!(expr.kind, ExprKind::Nil) {
                let message = format!("`nil` is not {} `{wanted_shown}`", article(&wanted_shown));
                let diagnostic = Diagnostic::error("E0608", message, span, "");
                let diagnostic = self.explain_reason(diagnostic, wanted, reason);
                let help = format!("make the type `{wanted_shown}?`, if a value may be missing");
                self.report(diagnostic.help(help));
                return;
            }
            if fits {
                self.optional_unchecked(span, &shown, Some((wanted, reason)));
                return;
            }
        }
        if matches!(reason, Reason::Result | Reason::Returned)
            && matches!(self.ty(wanted), Ty::Unit)
        {
            self.returns_nothing(span);
            return;
        }
        let message = format!(
            "this is {} `{shown}`, but {} `{wanted_shown}` is wanted",
            article(&shown),
            article(&wanted_shown)
        );
        let diagnostic = Diagnostic::error("E0301", message, span, "");
        let mut diagnostic = self.explain_reason(diagnostic, wanted, reason);
        for help in self.conversion_help(have, wanted, span) {
            diagnostic = diagnostic.help(help);
        }
        if let Reason::Assigned(Some(local)) = reason
            && let Some(literal) = self.local(local).int_literal
            && matches!(self.ty(have), Ty::Float)
        {
            let name = self.local(local).hir.name.clone();
            let text = self.c.sources.text(literal).to_string();
            diagnostic = diagnostic
                .help(format!("start `{name}` as a float: `{text}.0`"))
                .edit(literal, format!("{text}.0"));
        }
        self.report(diagnostic);
    }

    /// Says what wants the type.
    fn explain_reason(
        &mut self,
        diagnostic: Diagnostic,
        wanted: TyId,
        reason: Reason,
    ) -> Diagnostic {
        let wanted = self.show(wanted);
        match reason {
            Reason::Argument(func, index) => {
                let info = self.c.func(func);
                let param = info.params[index as usize];
                let here = if self.c.types.generic(param.ty) { " here" } else { "" };
                let text = format!("`{}` of `{}` is `{wanted}`{here}", param.name, info.name);
                if info.library { diagnostic.why(text) } else { diagnostic.label(param.span, text) }
            }
            Reason::ValueArgument => diagnostic.why(format!("the function value takes `{wanted}`")),
            Reason::Builtin(name) => {
                diagnostic.why(format!("`{name}` takes {} `{wanted}`", article(&wanted)))
            }
            Reason::Result | Reason::Returned => match self.frame().result_span {
                Some(span) => {
                    let result = self.frame().result;
                    let result = self.show(result);
                    diagnostic.label(span, format!("the function returns `{result}`"))
                }
                None => diagnostic,
            },
            Reason::Annotation(span) => diagnostic.label(span, "wanted because of this"),
            Reason::Assigned(Some(local)) => {
                let span = self.local(local).hir.span;
                let name = self.local(local).hir.name.clone();
                diagnostic.label(span, format!("`{name}` is `{wanted}` since here"))
            }
            Reason::Assigned(None) => {
                diagnostic.why(format!("what it is assigned to is `{wanted}`"))
            }
            Reason::Field(record, index) => {
                let record = self.c.record(record);
                let field = &record.fields[index as usize];
                diagnostic.why(format!("`{}` of `{}` is `{wanted}`", field.name, record.name))
            }
            Reason::VariantField(enumeration, variant, index) => {
                let variant = &self.c.enumeration(enumeration).variants[variant as usize];
                let field = &variant.fields[index as usize];
                diagnostic.why(format!("`{}` of `{}` is `{wanted}`", field.name, variant.name))
            }
            Reason::Element(first) => {
                diagnostic.label(first, format!("the first one is `{wanted}`"))
            }
            Reason::Index => diagnostic.why("elements are counted with ints, from 0"),
            Reason::Key => diagnostic.why(format!("the keys of this map are `{wanted}`")),
            Reason::Operand(other) => diagnostic.label(other, format!("this is `{wanted}`")),
            Reason::Default => diagnostic.why("the default stands in for that value"),
            Reason::Branch => diagnostic.why("all branches have one type"),
            Reason::RangeEnd => diagnostic.why("both ends of a range are ints"),
        }
    }

    /// How to turn one type into the other by hand.
    fn conversion_help(&mut self, have: TyId, wanted: TyId, span: Span) -> Vec<String> {
        let text = self.short_text(span);
        let (have, want) = (self.ty(have).clone(), self.ty(wanted).clone());
        match (&have, &want) {
            (Ty::Float, Ty::Int) => {
                vec![format!("`int({text})` cuts the fraction off, `round({text})` rounds")]
            }
            (Ty::Int, Ty::Byte) => {
                vec![format!(
                    "`byte({text})` converts, and stops the program unless it fits 0..255"
                )]
            }
            (Ty::Int | Ty::Float | Ty::Bool | Ty::Byte, Ty::Str) => {
                vec![format!("make it text: `str({text})`, or \"{{{text}}}\"")]
            }
            (Ty::Str, Ty::Int | Ty::Float) => {
                let (method, value) =
                    if want == Ty::Int { ("parse_int", "0") } else { ("parse_float", "0.0") };
                vec![format!("read the number: `{text}.{method}() ?? {value}`")]
            }
            (Ty::Int | Ty::Byte, Ty::Bool) => vec![format!("compare it: `{text} != 0`")],
            (Ty::Bool, Ty::Int) => vec![format!("`int({text})` is 1 for true and 0 for false")],
            (Ty::Func { params, .. }, _) if params.is_empty() => {
                vec![format!("call it: `{text}()`")]
            }
            (Ty::Func { .. }, other) if !matches!(other, Ty::Func { .. }) => {
                vec![format!("call it: `{text}(…)`")]
            }
            (Ty::Record(id, args), other)
                if *id == self.c.lang().list && self.c.types.get(args[0]) == other =>
            {
                vec![format!("take one element: `{text}[0]`")]
            }
            (_, Ty::Record(id, args)) if *id == self.c.lang().list => {
                let matches = self.shallow(args[0]);
                if self.c.types.get(matches) == &have {
                    vec![format!("make it a list: `[{text}]`")]
                } else {
                    vec![]
                }
            }
            (_, Ty::Func { .. }) => vec!["pass a function: its name, or `x => …`".to_string()],
            _ => vec![],
        }
    }

    /// The source text of a place, or `x` if it is too long to repeat.
    pub(super) fn short_text(&self, span: Span) -> String {
        let text = self.c.sources.text(span);
        if text.len() <= 40 && !text.contains('\n') { text.to_string() } else { "x".to_string() }
    }

    /// Reports an optional that is used as if its value were there.
    pub(super) fn optional_unchecked(
        &mut self,
        span: Span,
        shown: &str,
        wanted: Option<(TyId, Reason)>,
    ) {
        let text = self.short_text(span);
        let inner = shown.strip_suffix('?').unwrap_or(shown).to_string();
        let message = format!("`{text}` may be nil here");
        let label = format!("{} `{shown}`", article(shown));
        let mut diagnostic = Diagnostic::error("E0601", message, span, label);
        if let Some((wanted, reason)) = wanted {
            let wanted_shown = self.show(wanted);
            diagnostic = self.explain_reason(diagnostic, wanted, reason);
            diagnostic =
                diagnostic.why(format!("{} `{wanted_shown}` is wanted", article(&wanted_shown)));
        }
        let name = if text.chars().all(|c| c.is_alphanumeric() || c == '_') { &text } else { "x" };
        self.report(
            diagnostic
                .help(format!("handle it: `if let {name} = {text} {{ … }}`, with an `else`"))
                .help(format!("or give a default: `{text} ?? {}`", example(&inner)))
                .help(format!("or stop the program when it is nil: `{text}!`")),
        );
    }

    fn no_value(&mut self, span: Span, wanted: &str, reason: Reason) {
        if let Reason::Result = reason {
            let closure = self.frame().closure;
            let what = if closure { "this function value" } else { "this function" };
            let message = format!("{what} does not return a value on every path");
            let label = format!("here it ends without {} `{wanted}`", article(wanted));
            let mut diagnostic = Diagnostic::error("E0505", message, span, label);
            if let Some(result) = self.frame().result_span {
                diagnostic = diagnostic.label(result, format!("promised here: `{wanted}`"));
            }
            self.report(diagnostic.help("end it with `return …`, on this path too"));
            return;
        }
        let message = "this has no value";
        let label = format!("{} `{wanted}` is wanted", article(wanted));
        let diagnostic = Diagnostic::error("E0320", message, span, label)
            .why("a function without `->`, a loop, an `if` without `else` and `()` give nothing")
            .help("return a value from it: `-> type` in the declaration, or an `else`");
        self.report(diagnostic);
    }

    /// Reports `return value` where nothing is returned.
    pub(super) fn returns_nothing(&mut self, span: Span) {
        let message = "this function returns nothing";
        let diagnostic = Diagnostic::error("E0514", message, span, "a value is returned here")
            .help(
                "write the type of the result after the parameters: `-> int`, or return no value",
            );
        self.report(diagnostic);
    }

    pub(super) fn fail_outside(&mut self, span: Span) {
        let result = self.frame().result;
        let shown = self.show(result);
        let message = "only a function that returns a `Result` can fail";
        let mut diagnostic = Diagnostic::error("E0607", message, span, "");
        if let Some(span) = self.frame().result_span {
            diagnostic = diagnostic
                .help(format!("write `-> Result[{shown}]`"))
                .edit(span, format!("Result[{shown}]"));
        } else {
            diagnostic =
                diagnostic.help(format!("write `-> Result[{shown}]` after the parameters"));
        }
        self.report(diagnostic);
    }
}

fn converted(conversion: Conversion, value: hir::Expr, ty: TyId) -> hir::Expr {
    let span = value.span;
    hir::Expr { kind: ExprKind::Convert { conversion, value: Box::new(value) }, ty, span }
}

/// A value of the type, for a message.
fn example(ty: &str) -> &'static str {
    match ty {
        "int" | "byte" => "0",
        "float" => "0.0",
        "bool" => "false",
        "string" => "\"\"",
        _ if ty.starts_with("list[") => "[]",
        _ => "default",
    }
}
