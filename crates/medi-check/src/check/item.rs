//! Declarations: names first, then what their types refer to, then signatures.
//!
//! Bodies come later. A declaration with a mistake is still entered, with [`Ty::Error`] in the wrong
//! place, so that its uses are not reported as well.

use std::collections::HashMap;

use medi_syntax::ast::{self, Item};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{FileId, Span};

use super::konst::ConstInfo;
use super::names::{Names, Receiver, TypeName, VariantRef};
use super::show::count;
use super::type_expr::BUILTIN_TYPES;
use super::{Checker, FuncInfo, ParamInfo, TypeInfo, push_named};
use crate::hir::{self, FuncId};
use crate::types::{EnumId, RecordId, Ty, TyId, Types};

impl<'a> Checker<'a> {
    pub(super) fn collect(&mut self) {
        let modules = self.modules;
        let mut taken = HashMap::new();
        for module in modules {
            let library = self.sources.file(module.file).library;
            for item in &module.items {
                match item {
                    Item::Record(record) => self.declare_record(record, library, &mut taken),
                    Item::Enum(enumeration) => self.declare_enum(enumeration, library, &mut taken),
                    Item::Func(_) | Item::Const(_) => {}
                }
            }
        }
        let mut next_record = 0;
        let mut next_enum = 0;
        let mut values = HashMap::new();
        for module in modules {
            let library = self.sources.file(module.file).library;
            for item in &module.items {
                match item {
                    Item::Record(record) => {
                        self.declare_fields(RecordId(next_record), record, library);
                        next_record += 1;
                    }
                    Item::Enum(enumeration) => {
                        self.declare_variants(EnumId(next_enum), enumeration, library);
                        next_enum += 1;
                    }
                    Item::Func(func) => self.declare_func(func, library, &mut values),
                    Item::Const(konst) => self.declare_const(konst, library, &mut values),
                }
            }
        }
        self.report_unconstructible();
    }

    fn names_mut(&mut self, library: bool) -> &mut Names<'a> {
        if library { &mut self.prelude } else { &mut self.user }
    }

    fn declare_record(&mut self, record: &'a ast::Record, library: bool, taken: &mut Taken<'a>) {
        let id = RecordId(self.records.len() as u32);
        self.declare_type(&record.name, TypeName::Record(id), library, taken);
        let type_params = self.type_params(&record.type_params);
        self.records.push(hir::Record {
            name: record.name.name.clone(),
            type_params,
            fields: vec![],
            span: record.span,
        });
        let info = TypeInfo { name_span: record.name.span, field_spans: vec![] };
        self.record_info.push(info);
    }

    fn declare_enum(&mut self, written: &'a ast::Enum, library: bool, taken: &mut Taken<'a>) {
        let id = EnumId(self.enums.len() as u32);
        self.declare_type(&written.name, TypeName::Enum(id), library, taken);
        let type_params = self.type_params(&written.type_params);
        self.enums.push(hir::Enum {
            name: written.name.name.clone(),
            type_params,
            variants: vec![],
            span: written.span,
        });
        let info = TypeInfo { name_span: written.name.span, field_spans: vec![] };
        self.enum_info.push(info);
    }

    fn declare_type(
        &mut self,
        name: &'a ast::Ident,
        ty: TypeName,
        library: bool,
        taken: &mut Taken<'a>,
    ) {
        let word = name.name.as_str();
        if !library && BUILTIN_TYPES.contains(&word) {
            let message = format!("`{word}` is a type of the language");
            let diagnostic = Diagnostic::error("E0209", message, name.span, "")
                .help(format!("choose another name: `My{}`", capitalised(word)));
            self.report(diagnostic);
            return;
        }
        if self.is_taken(name, library, taken) {
            return;
        }
        self.names_mut(library).types.insert(word, ty);
    }

    /// Reports a second declaration of a name.
    fn is_taken(&mut self, name: &'a ast::Ident, library: bool, taken: &mut Taken<'a>) -> bool {
        let earlier = taken.get(&(library, name.name.as_str())).copied();
        match earlier {
            Some(earlier) => {
                self.report(twice(name, earlier));
                true
            }
            None => {
                taken.insert((library, name.name.as_str()), name.span);
                false
            }
        }
    }

    /// The names of type parameters; one that is given twice is reported.
    fn type_params(&mut self, params: &'a [ast::Ident]) -> Vec<String> {
        for (index, param) in params.iter().enumerate() {
            if let Some(earlier) = params[..index].iter().find(|other| other.name == param.name) {
                self.report(twice(param, earlier.span));
            }
        }
        params.iter().map(|param| param.name.clone()).collect()
    }

    fn declare_fields(&mut self, id: RecordId, record: &'a ast::Record, library: bool) {
        let params: Vec<&str> = record.type_params.iter().map(|p| p.name.as_str()).collect();
        let fields = self.fields(&record.fields, &params, library);
        self.records[id.0 as usize].fields = fields;
        let spans = record.fields.iter().map(|field| field.ty.span);
        self.record_info[id.0 as usize].field_spans.extend(spans);
    }

    fn declare_variants(&mut self, id: EnumId, written: &'a ast::Enum, library: bool) {
        let params: Vec<&str> = written.type_params.iter().map(|p| p.name.as_str()).collect();
        for (index, variant) in written.variants.iter().enumerate() {
            let earlier =
                written.variants[..index].iter().find(|v| v.name.name == variant.name.name);
            if let Some(earlier) = earlier {
                self.report(twice(&variant.name, earlier.name.span));
            } else {
                let reference = VariantRef { enumeration: id, variant: index as u32 };
                let names = self.names_mut(library);
                push_named(&mut names.variants, variant.name.name.as_str(), reference);
            }
            let fields = self.fields(&variant.fields, &params, library);
            let name = variant.name.name.clone();
            self.enums[id.0 as usize].variants.push(hir::Variant { name, fields });
            let spans = variant.fields.iter().map(|field| field.ty.span);
            self.enum_info[id.0 as usize].field_spans.extend(spans);
        }
    }

    fn fields(
        &mut self,
        written: &'a [ast::Field],
        params: &[&str],
        library: bool,
    ) -> Vec<hir::Field> {
        let mut fields = vec![];
        for (index, field) in written.iter().enumerate() {
            if let Some(earlier) = written[..index].iter().find(|f| f.name.name == field.name.name)
            {
                self.report(twice(&field.name, earlier.name.span));
            }
            let ty = self.resolve_type(&field.ty, params, library);
            fields.push(hir::Field { name: field.name.name.clone(), ty });
        }
        fields
    }

    fn declare_const(&mut self, konst: &'a ast::Const, library: bool, taken: &mut Taken<'a>) {
        if self.is_taken(&konst.name, library, taken) {
            return;
        }
        let index = self.consts.len();
        self.consts.push(ConstInfo::new(konst, library));
        self.names_mut(library).consts.insert(konst.name.name.as_str(), index);
    }

    fn declare_func(&mut self, func: &'a ast::Func, library: bool, taken: &mut Taken<'a>) {
        let id = FuncId(self.funcs.len() as u32);
        let name = &func.name;
        let word = name.name.as_str();
        self.type_params(&func.type_params);
        let mut type_params: Vec<&'a str> = vec![];
        let mut receiver = None;
        if let Some(written) = &func.receiver {
            type_params.extend(written.type_params.iter().map(|param| param.name.as_str()));
            receiver = self.receiver(written, library);
            if receiver.is_none() {
                return;
            }
        }
        type_params.extend(func.type_params.iter().map(|param| param.name.as_str()));
        let takes_self = func.receiver.as_ref().is_some_and(|written| written.takes_self);
        let mut params: Vec<ParamInfo<'a>> = vec![];
        if let (Some((_, ty)), Some(written), true) = (receiver, &func.receiver, takes_self) {
            params.push(ParamInfo { name: "self", ty, span: written.type_name.span });
        }
        for (index, param) in func.params.iter().enumerate() {
            let earlier = func.params[..index].iter().find(|p| p.name.name == param.name.name);
            if let Some(earlier) = earlier {
                self.report(twice(&param.name, earlier.name.span));
            }
            let ty = self.resolve_type(&param.ty, &type_params, library);
            params.push(ParamInfo { name: param.name.name.as_str(), ty, span: param.name.span });
        }
        let mut result = match &func.result {
            Some(result) => self.resolve_type(result, &type_params, library),
            None => Types::UNIT,
        };
        let native = func.body.is_none();
        if native && library && func.result.is_none() && matches!(word, "raise" | "exit") {
            result = Types::NEVER;
        }
        if native && !library {
            let message = "only the library has native functions";
            let diagnostic = Diagnostic::error("E0212", message, func.span, "")
                .help("give the function a body: `{ … }`");
            self.report(diagnostic);
        }
        let full_name = match &func.receiver {
            Some(written) => format!("{}.{word}", written.type_name.name),
            None => word.to_string(),
        };
        self.funcs.push(FuncInfo {
            ast: func,
            library,
            name: full_name,
            type_params,
            takes_self,
            params,
            result,
            requested: native,
            checked: None,
        });
        match receiver {
            Some((receiver, _)) => self.declare_method(id, receiver, name, library),
            None if library => push_named(&mut self.prelude.funcs, word, id),
            None => {
                if !self.is_taken(name, library, taken) {
                    push_named(&mut self.user.funcs, word, id);
                }
            }
        }
    }

    fn declare_method(
        &mut self,
        id: FuncId,
        receiver: Receiver,
        name: &'a ast::Ident,
        library: bool,
    ) {
        let earlier = self.methods.add(library, receiver, name.name.as_str(), id).first().copied();
        if library {
            return;
        }
        if let Some(earlier) = earlier {
            let diagnostic = twice(name, self.func(earlier).ast.name.span);
            self.report(diagnostic);
        } else if let Receiver::Record(record) = receiver
            && let Some(field) =
                self.record(record).fields.iter().position(|field| field.name == name.name)
        {
            let span = self.record_info[record.0 as usize].field_spans[field];
            let message = format!("`{}` is already a field of this record", name.name);
            let diagnostic = Diagnostic::error("E0201", message, name.span, "")
                .label(span, "the field")
                .help("give the method another name");
            self.report(diagnostic);
        }
    }

    /// The type before the point of `func Type.name`, with its type parameters applied.
    fn receiver(&mut self, written: &'a ast::Receiver, library: bool) -> Option<(Receiver, TyId)> {
        let names = self.type_params(&written.type_params);
        let word = written.type_name.name.as_str();
        let wanted: Vec<String> = match word {
            "View" | "Result" => vec!["T".to_string()],
            "array" if library => vec!["T".to_string()],
            _ => match self.find_type(word, library) {
                Some(TypeName::Record(id)) => self.record(id).type_params.clone(),
                Some(TypeName::Enum(id)) => self.enumeration(id).type_params.clone(),
                None => vec![],
            },
        };
        let unknown = wanted.is_empty()
            && self.find_type(word, library).is_none()
            && !matches!(word, "int" | "float" | "bool" | "byte" | "string" | "Buffer");
        if unknown {
            self.report_unknown_type(&written.type_name, library);
            return None;
        }
        if let Some(param) =
            written.type_params.iter().find(|p| self.names_a_type(&p.name, library))
        {
            let message = format!("`{}` here would be a new type parameter", param.name);
            let diagnostic = Diagnostic::error("E0511", message, param.span, "")
                .why(format!("a method belongs to every `{word}`, whatever it holds"))
                .help(format!(
                    "write `func {word}[{}].name(self)`, or a function that takes the {word}",
                    wanted.join(", ")
                ));
            self.report(diagnostic);
            return None;
        }
        if wanted.len() != names.len() {
            let message = format!(
                "`{word}` has {}, {} named here",
                count(wanted.len(), "type parameter"),
                names.len()
            );
            let name = if wanted.is_empty() {
                word.to_string()
            } else {
                format!("{word}[{}]", wanted.join(", "))
            };
            let diagnostic = Diagnostic::error("E0511", message, written.type_name.span, "")
                .help(format!("write `func {name}.…`"));
            self.report(diagnostic);
            return None;
        }
        let args: Vec<TyId> =
            (0..names.len() as u32).map(|index| self.types.intern(Ty::Param(index))).collect();
        let ty = match word {
            "int" => Ty::Int,
            "float" => Ty::Float,
            "bool" => Ty::Bool,
            "byte" => Ty::Byte,
            "string" => Ty::Str,
            "Buffer" => Ty::Buffer,
            "View" => Ty::View(args[0]),
            "Result" => Ty::Result(args[0]),
            "array" if library => Ty::Array(args[0]),
            _ => match self.find_type(word, library)? {
                TypeName::Record(id) => Ty::Record(id, args),
                TypeName::Enum(id) => Ty::Enum(id, args),
            },
        };
        let receiver = Receiver::of(&ty)?;
        Some((receiver, self.types.intern(ty)))
    }

    fn names_a_type(&self, name: &str, library: bool) -> bool {
        BUILTIN_TYPES.contains(&name) || self.find_type(name, library).is_some()
    }

    /// Records and enums that no program can make a value of: each needs one of itself first.
    fn report_unconstructible(&mut self) {
        let mut records = vec![false; self.records.len()];
        let mut enums = vec![false; self.enums.len()];
        loop {
            let mut changed = false;
            for index in 0..records.len() {
                let mut fields = self.records[index].fields.iter();
                if !records[index] && fields.all(|field| self.makeable(field.ty, &records, &enums))
                {
                    records[index] = true;
                    changed = true;
                }
            }
            for index in 0..enums.len() {
                let variants = &self.enums[index].variants;
                let mut able = variants.iter().map(|variant| {
                    variant.fields.iter().all(|field| self.makeable(field.ty, &records, &enums))
                });
                if !enums[index] && (variants.is_empty() || able.any(|able| able)) {
                    enums[index] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for index in (0..records.len()).filter(|index| !records[*index]) {
            let record = &self.records[index];
            let wrong = record
                .fields
                .iter()
                .position(|field| !self.makeable(field.ty, &records, &enums))
                .unwrap_or(0);
            let span = self.record_info[index].field_spans[wrong];
            let field = &record.fields[wrong];
            let params: Vec<&str> = record.type_params.iter().map(String::as_str).collect();
            let shown = self.show(field.ty, &params);
            let message = format!("no `{}` can ever be made", record.name);
            let diagnostic = Diagnostic::error("E0313", message, span, "")
                .why(format!("to make one, its field `{}` needs another one first", field.name))
                .help(format!("make it optional: `{}: {shown}?`", field.name))
                .edit(span, format!("{shown}?"));
            self.diagnostics.push(diagnostic);
        }
        for index in (0..enums.len()).filter(|index| !enums[*index]) {
            let written = &self.enums[index];
            let message = format!("no `{}` can ever be made", written.name);
            let span = self.enum_info[index].name_span;
            let diagnostic = Diagnostic::error("E0313", message, span, "")
                .why("every variant needs another value of the same enum first")
                .help("add a variant without it, or make the field optional with `?`");
            self.diagnostics.push(diagnostic);
        }
    }

    fn makeable(&self, ty: TyId, records: &[bool], enums: &[bool]) -> bool {
        match self.types.get(ty) {
            Ty::Record(id, _) => records[id.0 as usize],
            Ty::Enum(id, _) => enums[id.0 as usize],
            Ty::Tuple(parts) => parts.iter().all(|part| self.makeable(*part, records, enums)),
            _ => true,
        }
    }

    /// `main`, if it is there and has the right form.
    pub(super) fn find_main(&mut self) -> Option<FuncId> {
        let Some(main) = self.user.funcs.get("main").and_then(|funcs| funcs.first().copied())
        else {
            let file = self.modules.last().map_or(FileId(0), |module| module.file);
            let diagnostic = Diagnostic::error(
                "E0210",
                "there is no function `main`",
                Span::new(file, 0, 0),
                "",
            )
            .why("a program starts at `main`")
            .help("add `func main() { … }`, or `func main(args: list[string]) { … }`");
            self.report(diagnostic);
            return None;
        };
        let strings = self.types.intern(Ty::Record(self.lang().list, vec![Types::STR]));
        let nothing = self.types.intern(Ty::Result(Types::UNIT));
        let info = self.func(main);
        let types: Vec<TyId> = info.params.iter().map(|param| param.ty).collect();
        let span = info.ast.span;
        let wrong = if !info.type_params.is_empty() {
            Some("it has type parameters, and nothing calls it that could give them")
        } else if !(types.is_empty() || types == [strings] || types.contains(&Types::ERROR)) {
            Some("its only parameter may be the list of arguments")
        } else if ![Types::UNIT, nothing, Types::ERROR].contains(&info.result) {
            Some("it may return nothing, or `Result[()]`; `exit(code)` ends with an exit code")
        } else {
            None
        };
        if let Some(reason) = wrong {
            let diagnostic = Diagnostic::error("E0211", "`main` has another form", span, "")
                .why(reason)
                .help("write `func main() { … }`, or `func main(args: list[string]) { … }`");
            self.report(diagnostic);
        }
        Some(main)
    }

    pub(super) fn find_lang_items(&self) -> hir::LangItems {
        let record = |name: &str| match self.prelude.types.get(name) {
            Some(TypeName::Record(id)) => *id,
            _ => panic!("the library must declare `record {name}`"),
        };
        let func = |name: &str| match self.prelude.funcs.get(name) {
            Some(funcs) => funcs[0],
            None => panic!("the library must declare `func {name}`"),
        };
        let list = record("list");
        let map = record("map");
        let method = |name: &str| match self.methods.find(true, Receiver::Record(map), name) {
            [] => panic!("the library must declare `func map[K, V].{name}`"),
            found => found[0],
        };
        hir::LangItems {
            list,
            map,
            map_new: func("map_new"),
            map_set: method("set"),
            map_at: method("at"),
            map_slots: method("slot_count"),
            map_slot: method("slot"),
            raise: func("raise"),
        }
    }
}

/// Where each name was declared: (in the library, name) to place.
type Taken<'a> = HashMap<(bool, &'a str), Span>;

fn twice(name: &ast::Ident, earlier: Span) -> Diagnostic {
    let message = format!("`{}` is declared twice", name.name);
    Diagnostic::error("E0201", message, name.span, "declared again here")
        .label(earlier, "first declared here")
        .help("give one of them another name")
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
