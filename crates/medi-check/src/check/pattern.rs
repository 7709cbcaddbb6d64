//! Patterns: names bound, variants and values compared.
//!
//! A pattern on an optional matches the value that is there, but for `nil` and `_`. A bare name is a
//! variant when the matched enum has one of that name, a constant when one is declared, else a new local.

use medi_syntax::ast::{self, PatternKind as P};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;
use medi_syntax::suggest;

use super::body::{Body, LocalKind, Want};
use super::konst::Value;
use super::literal;
use super::names::{Meaning, TypeName};
use super::show::{article, count};
use crate::hir::{self, PatternKind};
use crate::types::{EnumId, Ty, TyId, Types};

/// Whether the pattern is `Ok(…)` or `Err(…)`, or has one as an alternative.
pub(super) fn names_outcome(pattern: &ast::Pattern) -> bool {
    match &pattern.kind {
        P::Variant { path, .. } => {
            matches!(path.as_slice(), [name] if name.name == "Ok" || name.name == "Err")
        }
        P::Or(parts) => parts.iter().any(names_outcome),
        _ => false,
    }
}

impl Body<'_, '_> {
    /// Checks a pattern against the type of what it is matched with, and declares what it binds.
    pub(super) fn pattern(
        &mut self,
        pattern: &ast::Pattern,
        ty: TyId,
        kind: LocalKind,
    ) -> hir::Pattern {
        let mut bound = vec![];
        self.pattern_at(pattern, ty, kind, &mut bound)
    }

    /// The pattern of a `let` or a `for`, which must always match.
    pub(super) fn let_pattern(
        &mut self,
        pattern: &ast::Pattern,
        ty: TyId,
        kind: LocalKind,
    ) -> hir::Pattern {
        let mut bound = vec![];
        self.let_pattern_at(pattern, ty, kind, &mut bound)
    }

    fn let_pattern_at(
        &mut self,
        pattern: &ast::Pattern,
        ty: TyId,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let span = pattern.span;
        let make = |kind| hir::Pattern { kind, ty, span };
        match &pattern.kind {
            P::Wildcard => make(PatternKind::Wildcard),
            P::Name(name) => {
                self.bind_once(name, bound);
                make(PatternKind::Bind(self.declare(&name.name, ty, name.span, kind)))
            }
            P::Tuple(parts) => match self.tuple_parts(parts.len(), ty, span) {
                Some(types) => {
                    let parts = parts.iter().zip(types);
                    let parts = parts
                        .map(|(part, ty)| self.let_pattern_at(part, ty, kind, bound))
                        .collect();
                    make(PatternKind::Tuple(parts))
                }
                None => {
                    for part in parts {
                        self.let_pattern_at(part, Types::ERROR, kind, bound);
                    }
                    make(PatternKind::Wildcard)
                }
            },
            // The parser reported it.
            _ => {
                self.pattern_at(pattern, Types::ERROR, kind, bound);
                make(PatternKind::Wildcard)
            }
        }
    }

    fn bind_once(&mut self, name: &ast::Ident, bound: &mut Vec<(String, Span)>) {
        if let Some((_, earlier)) = bound.iter().find(|(known, _)| *known == name.name) {
            let message = format!("`{}` is bound twice in one pattern", name.name);
            let diagnostic = Diagnostic::error("E0407", message, name.span, "")
                .label(*earlier, "first bound here")
                .help("use two names, and compare them in a guard: `if a == b`");
            self.report(diagnostic);
        }
        bound.push((name.name.clone(), name.span));
    }

    /// The types of a tuple's parts, if the type is a tuple of that many.
    fn tuple_parts(&mut self, parts: usize, ty: TyId, span: Span) -> Option<Vec<TyId>> {
        match self.ty(ty).clone() {
            Ty::Tuple(types) if types.len() == parts => Some(types),
            Ty::Error => None,
            Ty::Tuple(types) => {
                let message = format!(
                    "this pattern has {}, the tuple has {}",
                    count(parts, "part"),
                    types.len()
                );
                let shown = self.show(ty);
                let diagnostic =
                    Diagnostic::error("E0403", message, span, format!("matches `{shown}`"))
                        .help("name each part; `_` stands for one that is not needed");
                self.report(diagnostic);
                None
            }
            _ => {
                self.wrong_pattern(span, "a tuple", ty);
                None
            }
        }
    }

    fn wrong_pattern(&mut self, span: Span, pattern: &str, ty: TyId) {
        let shown = self.show(ty);
        let message = format!("{pattern} never matches {} `{shown}`", article(&shown));
        let diagnostic = Diagnostic::error("E0403", message, span, "")
            .help(format!("write a pattern for {} `{shown}`, or `_`", article(&shown)));
        self.report(diagnostic);
    }

    fn pattern_at(
        &mut self,
        pattern: &ast::Pattern,
        ty: TyId,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let span = pattern.span;
        let nil = matches!(&pattern.kind, P::Literal(ast::Expr { kind: ast::ExprKind::Nil, .. }));
        let make = |kind| hir::Pattern { kind, ty, span };
        match &pattern.kind {
            P::Wildcard => return make(PatternKind::Wildcard),
            P::Or(parts) => {
                let before = bound.len();
                let mut first: Option<(String, Span)> = None;
                let mut checked = vec![];
                for part in parts {
                    checked.push(self.pattern_at(part, ty, kind, bound));
                    first = first.or_else(|| bound.get(before).cloned());
                    bound.truncate(before);
                }
                if let Some((name, place)) = first {
                    let message = format!("alternatives cannot bind `{name}`");
                    let diagnostic = Diagnostic::error("E0406", message, place, "")
                        .help("use `_`, or write an arm for each alternative");
                    self.report(diagnostic);
                }
                return make(PatternKind::Or(checked));
            }
            _ => {}
        }
        if let Ty::Optional(inner) = *self.ty(ty) {
            if nil {
                return make(PatternKind::Nil);
            }
            let inner = self.pattern_at(pattern, inner, kind, bound);
            return make(PatternKind::Some(Box::new(inner)));
        }
        if nil {
            if !self.is_error(ty) {
                let shown = self.show(ty);
                let message = format!("{} `{shown}` is never nil", article(&shown));
                let diagnostic =
                    Diagnostic::error("E0602", message, span, "").help("remove this pattern");
                self.report(diagnostic);
            }
            return make(PatternKind::Wildcard);
        }
        match &pattern.kind {
            P::Name(name) => self.name_pattern(name, ty, kind, bound),
            P::Literal(value) => self.literal_pattern(value, ty, span),
            P::Range { start, end, inclusive } => {
                self.range_pattern(start, end, *inclusive, ty, span)
            }
            P::Tuple(parts) if parts.is_empty() && matches!(self.ty(ty), Ty::Unit) => {
                make(PatternKind::Wildcard)
            }
            P::Tuple(parts) => match self.tuple_parts(parts.len(), ty, span) {
                Some(types) => {
                    let parts = parts.iter().zip(types);
                    let parts =
                        parts.map(|(part, ty)| self.pattern_at(part, ty, kind, bound)).collect();
                    make(PatternKind::Tuple(parts))
                }
                None => {
                    for part in parts {
                        self.pattern_at(part, Types::ERROR, kind, bound);
                    }
                    make(PatternKind::Wildcard)
                }
            },
            P::Variant { path, fields } => {
                self.variant_pattern(path, fields, ty, span, kind, bound)
            }
            P::Wildcard | P::Or(_) => make(PatternKind::Wildcard),
        }
    }

    /// Whether a bare name in a pattern is a variant of the matched enum.
    pub(super) fn names_variant(&self, name: &str, ty: TyId) -> bool {
        match self.ty(ty) {
            Ty::Enum(id, _) => {
                self.c.enumeration(*id).variants.iter().any(|variant| variant.name == name)
            }
            _ => false,
        }
    }

    fn name_pattern(
        &mut self,
        name: &ast::Ident,
        ty: TyId,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let span = name.span;
        if self.names_variant(&name.name, ty) {
            return self.variant_pattern(std::slice::from_ref(name), &[], ty, span, kind, bound);
        }
        if let Some(Meaning::Const(index)) = self.c.find_value(&name.name, self.library) {
            let value = self.c.const_value(index, None);
            return self.value_pattern(&value, ty, span);
        }
        let capital = name.name.chars().next().is_some_and(char::is_uppercase);
        if capital && !self.is_error(ty) {
            if let Ty::Enum(id, _) = *self.ty(ty) {
                self.unknown_variant(name, id);
                return hir::Pattern { kind: PatternKind::Wildcard, ty, span };
            }
            if let Some(Meaning::Variants(variants)) = self.c.find_value(&name.name, self.library) {
                let enumeration = self.c.enumeration(variants[0].enumeration).name.clone();
                self.wrong_pattern(span, &format!("a variant of `{enumeration}`"), ty);
                return hir::Pattern { kind: PatternKind::Wildcard, ty, span };
            }
        }
        self.bind_once(name, bound);
        let local = self.declare(&name.name, ty, span, kind);
        hir::Pattern { kind: PatternKind::Bind(local), ty, span }
    }

    /// Reports a variant that the enum does not have.
    pub(super) fn unknown_variant(&mut self, name: &ast::Ident, id: EnumId) {
        let enumeration = self.c.enumeration(id);
        let names: Vec<String> = enumeration.variants.iter().map(|v| v.name.clone()).collect();
        let message = format!("`{}` has no variant `{}`", enumeration.name, name.name);
        let mut diagnostic = Diagnostic::error("E0206", message, name.span, "");
        if let Some(close) = suggest::closest(&name.name, names.iter().map(String::as_str)) {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
        } else if names.len() <= 8 {
            diagnostic = diagnostic.help(format!("its variants are {}", names.join(", ")));
        } else {
            diagnostic = diagnostic.help(format!("its variants are {}, …", names[..8].join(", ")));
        }
        self.report(diagnostic);
    }

    fn literal_pattern(&mut self, written: &ast::Expr, ty: TyId, span: Span) -> hir::Pattern {
        let make = |kind| hir::Pattern { kind, ty, span };
        if self.is_error(ty) {
            return make(PatternKind::Wildcard);
        }
        let value = self.expr(written, Want::Like(ty));
        let value = match self.convert(value, ty) {
            Ok(value) => value,
            Err(value) => {
                let shown = self.show(value.ty);
                self.wrong_pattern(span, &format!("{} `{shown}`", article(&shown)), ty);
                return make(PatternKind::Wildcard);
            }
        };
        let kind = match value.kind {
            hir::ExprKind::Int(value) => PatternKind::Int(value),
            hir::ExprKind::Float(value) => PatternKind::Float(value),
            hir::ExprKind::Bool(value) => PatternKind::Bool(value),
            hir::ExprKind::Str(value) => PatternKind::Str(value),
            _ => PatternKind::Wildcard,
        };
        make(kind)
    }

    fn value_pattern(&mut self, value: &Value, ty: TyId, span: Span) -> hir::Pattern {
        let kind = match (value, self.ty(ty)) {
            (Value::Int(value), Ty::Int) => PatternKind::Int(*value),
            (Value::Int(value @ 0..=255), Ty::Byte) => PatternKind::Int(*value),
            (Value::Byte(value), Ty::Byte | Ty::Int) => PatternKind::Int(i64::from(*value)),
            (Value::Int(value), Ty::Float) => PatternKind::Float(*value as f64),
            (Value::Float(value), Ty::Float) => PatternKind::Float(*value),
            (Value::Bool(value), Ty::Bool) => PatternKind::Bool(*value),
            (Value::Str(value), Ty::Str) => PatternKind::Str(value.clone()),
            (Value::Tuple(parts), Ty::Tuple(types)) if parts.len() == types.len() => {
                let types = types.clone();
                let parts = parts.iter().zip(types);
                let parts = parts.map(|(part, ty)| self.value_pattern(part, ty, span)).collect();
                PatternKind::Tuple(parts)
            }
            (Value::Wrong, _) | (_, Ty::Error) => PatternKind::Wildcard,
            _ => {
                let have = self.c.const_type(value);
                let shown = self.show(have);
                self.wrong_pattern(span, &format!("{} `{shown}`", article(&shown)), ty);
                PatternKind::Wildcard
            }
        };
        hir::Pattern { kind, ty, span }
    }

    fn range_end(&mut self, written: &ast::Expr) -> Option<i64> {
        if let Some(value) = literal::int_value(written) {
            return i64::try_from(value).ok();
        }
        if let Some(name) = literal::name_of(written)
            && let Some(Meaning::Const(index)) = self.c.find_value(&name.name, self.library)
        {
            match self.c.const_value(index, None) {
                Value::Int(value) => return Some(value),
                Value::Byte(value) => return Some(i64::from(value)),
                Value::Wrong => return None,
                _ => {}
            }
        }
        let message = "the ends of a range pattern are ints that are known before the program runs";
        let diagnostic = Diagnostic::error("E0403", message, written.span, "")
            .help("compare in a guard: `x if x >= low and x < high => …`");
        self.report(diagnostic);
        None
    }

    fn range_pattern(
        &mut self,
        start: &ast::Expr,
        end: &ast::Expr,
        inclusive: bool,
        ty: TyId,
        span: Span,
    ) -> hir::Pattern {
        let wildcard = hir::Pattern { kind: PatternKind::Wildcard, ty, span };
        match self.ty(ty) {
            Ty::Int | Ty::Byte => {}
            Ty::Error => return wildcard,
            Ty::Float => {
                let message = "a range pattern cannot match a `float`";
                let diagnostic = Diagnostic::error("E0403", message, span, "")
                    .why("there is no next float, so no range could end where another begins")
                    .help("compare in a guard: `t if t >= 36.0 and t < 37.5 => …`");
                self.report(diagnostic);
                return wildcard;
            }
            _ => {
                self.wrong_pattern(span, "a range of ints", ty);
                return wildcard;
            }
        }
        let (Some(low), Some(high)) = (self.range_end(start), self.range_end(end)) else {
            return wildcard;
        };
        let high = if inclusive { Some(high) } else { high.checked_sub(1) };
        let Some(high) = high.filter(|high| low <= *high) else {
            let text = self.short_text(span);
            let message = format!("no value is in the range `{text}`");
            let diagnostic = Diagnostic::error("E0408", message, span, "")
                .help("the lower end comes first; `..=` includes the upper one");
            self.report(diagnostic);
            return wildcard;
        };
        hir::Pattern { kind: PatternKind::Range { low, high }, ty, span }
    }

    fn variant_pattern(
        &mut self,
        path: &[ast::Ident],
        fields: &[ast::PatternField],
        ty: TyId,
        span: Span,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let make = |kind| hir::Pattern { kind, ty, span };
        let Some(name) = path.last() else { return make(PatternKind::Wildcard) };
        let give_up = |body: &mut Self, bound: &mut Vec<(String, Span)>| {
            for field in fields {
                body.pattern_at(&field.pattern, Types::ERROR, kind, bound);
            }
            make(PatternKind::Wildcard)
        };
        match *self.ty(ty) {
            Ty::Result(inner) if path.len() == 1 && matches!(name.name.as_str(), "Ok" | "Err") => {
                self.outcome_pattern(name, fields, inner, ty, span, kind, bound)
            }
            Ty::Error => give_up(self, bound),
            Ty::Enum(id, _) => {
                if let [owner, _] = path
                    && self.c.find_type(&owner.name, self.library) != Some(TypeName::Enum(id))
                {
                    let shown = self.show(ty);
                    let message =
                        format!("this matches {} `{shown}`, not `{}`", article(&shown), owner.name);
                    let diagnostic = Diagnostic::error("E0403", message, owner.span, "")
                        .help(format!("write `{shown}.{}`", name.name));
                    self.report(diagnostic);
                    return give_up(self, bound);
                }
                let variants = &self.c.enumeration(id).variants;
                let Some(variant) = variants.iter().position(|v| v.name == name.name) else {
                    self.unknown_variant(name, id);
                    return give_up(self, bound);
                };
                self.payload_patterns(id, variant as u32, name, fields, ty, span, kind, bound)
            }
            _ => {
                let what = match name.name.as_str() {
                    "Ok" | "Err" => "the outcome of a result".to_string(),
                    other => format!("the variant `{other}`"),
                };
                self.wrong_pattern(span, &what, ty);
                give_up(self, bound)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one pattern's parts, handed on once")]
    fn outcome_pattern(
        &mut self,
        name: &ast::Ident,
        fields: &[ast::PatternField],
        inner: TyId,
        ty: TyId,
        span: Span,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let ok = name.name == "Ok";
        let part = if ok { inner } else { Types::STR };
        let nested = match fields {
            [field] => self.pattern_at(&field.pattern, part, kind, bound),
            _ => {
                let message = format!("`{}` holds 1 value, {} named", name.name, fields.len());
                let binding = if ok { "value" } else { "message" };
                let diagnostic = Diagnostic::error("E0404", message, span, "")
                    .help(format!("write `{}({binding})`, or `{}(_)`", name.name, name.name));
                self.report(diagnostic);
                for field in fields {
                    self.pattern_at(&field.pattern, Types::ERROR, kind, bound);
                }
                hir::Pattern { kind: PatternKind::Wildcard, ty: part, span }
            }
        };
        let nested = Box::new(nested);
        let kind = if ok { PatternKind::Ok(nested) } else { PatternKind::Err(nested) };
        hir::Pattern { kind, ty, span }
    }

    #[expect(clippy::too_many_arguments, reason = "one pattern's parts, handed on once")]
    fn payload_patterns(
        &mut self,
        id: EnumId,
        variant: u32,
        name: &ast::Ident,
        fields: &[ast::PatternField],
        ty: TyId,
        span: Span,
        kind: LocalKind,
        bound: &mut Vec<(String, Span)>,
    ) -> hir::Pattern {
        let args = match self.ty(ty) {
            Ty::Enum(_, args) => args.clone(),
            _ => vec![],
        };
        let declared = &self.c.enumeration(id).variants[variant as usize].fields;
        let names: Vec<String> = declared.iter().map(|field| field.name.clone()).collect();
        let types: Vec<TyId> = declared.iter().map(|field| field.ty).collect();
        let types: Vec<TyId> = types.iter().map(|ty| self.c.types.substitute(*ty, &args)).collect();
        let mut nested: Vec<Option<hir::Pattern>> = types.iter().map(|_| None).collect();
        let named = fields.iter().any(|field| field.name.is_some());
        let miscounted = !named && fields.len() != names.len();
        if miscounted {
            let message = format!(
                "`{}` has {}, {} named here",
                name.name,
                count(names.len(), "field"),
                fields.len()
            );
            let help = if names.is_empty() {
                format!("write `{}`", name.name)
            } else {
                format!(
                    "write `{}({})`; `_` stands for one that is not needed",
                    name.name,
                    names.join(", ")
                )
            };
            self.report(Diagnostic::error("E0404", message, span, "").help(help));
        }
        for (index, field) in fields.iter().enumerate() {
            let place = match &field.name {
                Some(field) => names.iter().position(|known| *known == field.name),
                None => Some(index),
            };
            let place = place.filter(|place| *place < names.len());
            let Some(place) = place.filter(|place| nested[*place].is_none()) else {
                if let Some(field) = &field.name {
                    self.unknown_payload(field, name, &names, place.is_some());
                }
                self.pattern_at(&field.pattern, Types::ERROR, kind, bound);
                continue;
            };
            // With a field too few or too many, nobody knows which is which.
            let ty = if miscounted { Types::ERROR } else { types[place] };
            nested[place] = Some(self.pattern_at(&field.pattern, ty, kind, bound));
        }
        let fields = nested
            .into_iter()
            .zip(types)
            .map(|(nested, ty)| {
                nested.unwrap_or(hir::Pattern { kind: PatternKind::Wildcard, ty, span })
            })
            .collect();
        hir::Pattern { kind: PatternKind::Variant { variant, fields }, ty, span }
    }

    fn unknown_payload(
        &mut self,
        field: &ast::Ident,
        variant: &ast::Ident,
        names: &[String],
        twice: bool,
    ) {
        let (code, message) = if twice {
            ("E0404", format!("`{}` is matched twice", field.name))
        } else {
            ("E0404", format!("`{}` has no field `{}`", variant.name, field.name))
        };
        let mut diagnostic = Diagnostic::error(code, message, field.span, "");
        if let Some(close) = suggest::closest(&field.name, names.iter().map(String::as_str)) {
            diagnostic =
                diagnostic.help(format!("did you mean `{close}`?")).edit(field.span, close);
        } else if names.is_empty() {
            diagnostic = diagnostic.help(format!("write `{}`", variant.name));
        } else {
            diagnostic = diagnostic.help(format!("its fields are {}", names.join(", ")));
        }
        self.report(diagnostic);
    }
}
