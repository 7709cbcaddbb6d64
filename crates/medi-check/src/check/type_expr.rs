//! Written types to types.

use medi_syntax::ast::{self, TypeKind};
use medi_syntax::diagnostic::Diagnostic;

use super::names::TypeName;
use super::show::{article, count};
use super::{Checker, reserved};
use crate::types::{Ty, TyId, Types};

/// Names that no declaration may take.
pub(super) const BUILTIN_TYPES: [&str; 17] = [
    "int", "float", "bool", "byte", "string", "list", "map", "array", "never", "Buffer", "View",
    "Owned", "Shared", "Weak", "Pin", "Atomic", "Result",
];

impl Checker<'_> {
    /// The type that was written, where `params` are the type parameters in scope. A wrong one is
    /// reported and gives [`Ty::Error`].
    pub(super) fn resolve_type(
        &mut self,
        written: &ast::TypeExpr,
        params: &[&str],
        library: bool,
    ) -> TyId {
        match &written.kind {
            TypeKind::Error => Types::ERROR,
            TypeKind::Own(inner) => {
                let inner = self.resolve_type(inner, params, library);
                self.object_of_scope(inner, Ty::Own, written.span, params)
            }
            TypeKind::Optional(inner) => {
                let inner = self.resolve_type(inner, params, library);
                self.types.intern(Ty::Optional(inner))
            }
            TypeKind::Tuple(parts) => match parts.as_slice() {
                [] => Types::UNIT,
                [one] => self.resolve_type(one, params, library),
                _ => {
                    let parts = self.resolve_types(parts, params, library);
                    self.types.intern(Ty::Tuple(parts))
                }
            },
            TypeKind::Func { params: inputs, result } => {
                let inputs = self.resolve_types(inputs, params, library);
                let result = match result {
                    Some(result) => self.resolve_type(result, params, library),
                    None => Types::UNIT,
                };
                self.types.intern(Ty::Func { params: inputs, result })
            }
            TypeKind::Name { name, args } => {
                let args_given = self.resolve_types(args, params, library);
                self.named_type(name, args_given, written.span, params, library)
            }
        }
    }

    /// The type of what lies in a scope as one object of a record.
    fn object_of_scope(
        &mut self,
        record: TyId,
        make: fn(TyId) -> Ty,
        span: medi_syntax::source::Span,
        params: &[&str],
    ) -> TyId {
        let fits = match self.types.get(record) {
            Ty::Error => return Types::ERROR,
            Ty::Record(id, _) => !matches!(self.record(*id).name.as_str(), "list" | "map"),
            _ => false,
        };
        if !fits {
            let shown = self.show(record, params);
            let message =
                format!("a scope cannot hold {} `{shown}` as one object", article(&shown));
            let diagnostic = Diagnostic::error("E0326", message, span, "")
                .help("that is for records; values and lists stand in their fields");
            self.report(diagnostic);
            return Types::ERROR;
        }
        self.types.intern(make(record))
    }

    fn resolve_types(
        &mut self,
        written: &[ast::TypeExpr],
        params: &[&str],
        library: bool,
    ) -> Vec<TyId> {
        written.iter().map(|part| self.resolve_type(part, params, library)).collect()
    }

    fn named_type(
        &mut self,
        name: &ast::Ident,
        args: Vec<TyId>,
        span: medi_syntax::source::Span,
        params: &[&str],
        library: bool,
    ) -> TyId {
        if let Some(index) = params.iter().rposition(|param| *param == name.name) {
            let ty = self.types.intern(Ty::Param(index as u32));
            return self.apply_none(&name.name, &args, span, ty);
        }
        let one = |args: &[TyId]| args.first().copied().unwrap_or(Types::ERROR);
        let word = name.name.as_str();
        match word {
            "int" => self.apply_none(word, &args, span, Types::INT),
            "float" => self.apply_none(word, &args, span, Types::FLOAT),
            "bool" => self.apply_none(word, &args, span, Types::BOOL),
            "byte" => self.apply_none(word, &args, span, Types::BYTE),
            "string" => self.apply_none(word, &args, span, Types::STR),
            "Buffer" => self.apply_none(word, &args, span, Types::BUFFER),
            "never" if library => self.apply_none(word, &args, span, Types::NEVER),
            "array" if library => {
                if !self.type_args_fit(word, &["T"], &args, span) {
                    return Types::ERROR;
                }
                self.types.intern(Ty::Array(one(&args)))
            }
            "View" => {
                if !self.type_args_fit(word, &["T"], &args, span) {
                    return Types::ERROR;
                }
                if !self.plain(one(&args)) {
                    let shown = self.show(one(&args), params);
                    self.report(not_plain(span, &shown));
                    return Types::ERROR;
                }
                self.types.intern(Ty::View(one(&args)))
            }
            "Owned" => {
                if !self.type_args_fit(word, &["Buffer"], &args, span) {
                    return Types::ERROR;
                }
                if !matches!(one(&args), Types::BUFFER | Types::ERROR) {
                    let shown = self.show(one(&args), params);
                    let message = format!("memory of `{shown}` cannot be owned");
                    self.report(
                        Diagnostic::error("E0310", message, span, "")
                            .help("write `Owned[Buffer]`, and look at it through a view"),
                    );
                    return Types::ERROR;
                }
                self.types.intern(Ty::Owned(one(&args)))
            }
            "Atomic" => {
                if !self.type_args_fit(word, &["int"], &args, span) {
                    return Types::ERROR;
                }
                if !matches!(one(&args), Types::INT | Types::ERROR) {
                    let shown = self.show(one(&args), params);
                    let message = format!("a `{shown}` cannot be atomic");
                    self.report(
                        Diagnostic::error("E0310", message, span, "")
                            .help("only an `int` can: `View[Atomic[int]]`"),
                    );
                    return Types::ERROR;
                }
                self.types.intern(Ty::Atomic(one(&args)))
            }
            "Shared" | "Weak" => {
                if !self.type_args_fit(word, &["T"], &args, span) {
                    return Types::ERROR;
                }
                let make = if word == "Shared" { Ty::Shared } else { Ty::Weak };
                self.object_of_scope(one(&args), make, span, params)
            }
            "Pin" => {
                if !self.type_args_fit(word, &["T"], &args, span) {
                    return Types::ERROR;
                }
                self.types.intern(Ty::Pin(one(&args)))
            }
            "Result" => {
                if !self.type_args_fit(word, &["T"], &args, span) {
                    return Types::ERROR;
                }
                if matches!(self.types.get(one(&args)), Ty::Result(_)) {
                    return one(&args);
                }
                self.types.intern(Ty::Result(one(&args)))
            }
            _ => match self.find_type(word, library) {
                Some(TypeName::Record(id)) => {
                    let declared = self.record(id).type_params.clone();
                    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
                    if !self.type_args_fit(word, &declared, &args, span) {
                        return Types::ERROR;
                    }
                    self.types.intern(Ty::Record(id, args))
                }
                Some(TypeName::Enum(id)) => {
                    let declared = self.enumeration(id).type_params.clone();
                    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
                    if !self.type_args_fit(word, &declared, &args, span) {
                        return Types::ERROR;
                    }
                    self.types.intern(Ty::Enum(id, args))
                }
                None => {
                    self.report_unknown_type(name, library);
                    Types::ERROR
                }
            },
        }
    }

    fn apply_none(
        &mut self,
        name: &str,
        args: &[TyId],
        span: medi_syntax::source::Span,
        ty: TyId,
    ) -> TyId {
        if self.type_args_fit(name, &[], args, span) { ty } else { Types::ERROR }
    }

    fn type_args_fit(
        &mut self,
        name: &str,
        declared: &[&str],
        given: &[TyId],
        span: medi_syntax::source::Span,
    ) -> bool {
        if declared.len() == given.len() {
            return true;
        }
        let message = if declared.is_empty() {
            format!("`{name}` takes no type arguments")
        } else {
            let wanted = count(declared.len(), "type argument");
            format!("`{name}` takes {wanted}, {} given", given.len())
        };
        let help = match name {
            "list" => "write what it holds: `list[int]`".to_string(),
            "map" => "write its keys and values: `map[string, int]`".to_string(),
            "Result" => "write the type of its value: `Result[int]`, or `Result[()]`".to_string(),
            _ if declared.is_empty() => format!("write `{name}`"),
            _ => format!("write `{name}[{}]` with a type for each", declared.join(", ")),
        };
        self.report(Diagnostic::error("E0309", message, span, "").help(help));
        false
    }

    pub(super) fn report_unknown_type(&mut self, name: &ast::Ident, library: bool) {
        let word = name.name.as_str();
        let message = format!("there is no type `{word}`");
        let mut diagnostic = Diagnostic::error("E0203", message, name.span, "");
        if self.find_value(word, library).is_some() {
            diagnostic =
                diagnostic.why(format!("`{word}` is not a type but a value or a function"));
        } else if let Some(known) = reserved::foreign_type(word) {
            diagnostic = diagnostic.help(format!("in Medi this is written `{known}`"));
        } else if let Some(close) = self.closest_type(word, library) {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?")).edit(name.span, close);
        } else if word.len() == 1 {
            let help = format!("a type parameter is declared first: `func name[{word}](…)`");
            diagnostic = diagnostic.help(help);
        } else {
            let help = format!("declare it: `record {word} {{ … }}` or `enum {word} {{ … }}`");
            diagnostic = diagnostic.help(help);
        }
        self.report(diagnostic);
    }

    /// Whether values of the type hold no references, so that a view may show them. A type
    /// parameter passes here and is checked for each instantiation.
    pub(super) fn plain(&self, ty: TyId) -> bool {
        match self.types.get(ty) {
            Ty::Int | Ty::Float | Ty::Bool | Ty::Byte | Ty::Atomic(_) => true,
            Ty::Param(_) | Ty::Infer(_) | Ty::Error => true,
            Ty::Tuple(parts) => parts.iter().all(|part| self.plain(*part)),
            _ => false,
        }
    }
}

pub(super) fn not_plain(span: medi_syntax::source::Span, shown: &str) -> Diagnostic {
    let message = format!("a `View` cannot show `{shown}`");
    Diagnostic::error("E0310", message, span, "")
        .why("scope memory is never scanned for references, so a view holds only plain values")
        .help("plain are `int`, `float`, `bool`, `byte` and tuples of them; use a `list` for the rest")
}
