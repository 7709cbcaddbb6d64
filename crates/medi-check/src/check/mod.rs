//! Names and types: from syntax trees to the checked tree.
//!
//! [`check`] first collects every declaration ([`item`]), then checks bodies one at a time ([`body`]):
//! expressions are checked against the type that is wanted, with unification variables for what is not
//! known yet ([`infer`]), conversions are written out ([`coerce`]), and at the end of a body everything
//! left open is settled or reported ([`finish`]). All user functions are checked; of the library only
//! what user code reaches, so that a small program starts in a few milliseconds. One mistake is
//! reported once: whatever is wrong has the type [`Ty::Error`], which fits everywhere.
//!
//! The approach is bidirectional checking with local unification (Pierce and Turner 2000; Dunfield and
//! Krishnaswami 2021): signatures are written, so no inference crosses a function.

mod body;
mod call;
mod coerce;
mod control;
mod exhaustive;
mod expr;
mod finish;
mod infer;
mod intrinsic;
mod item;
mod konst;
mod literal;
mod member;
mod names;
mod operator;
mod overload;
mod pattern;
mod reserved;
mod show;
mod stmt;
mod task;
mod text;
mod type_expr;

use std::collections::HashMap;

use medi_syntax::ast;
use medi_syntax::diagnostic::{Diagnostic, Severity};
use medi_syntax::source::{SourceMap, Span};

use crate::deep_stack;
use crate::hir::{self, FuncId};
use crate::types::{EnumId, RecordId, TyId, Types};
use konst::ConstInfo;
use names::{Methods, Names};

/// Checks a program: the library's modules first, then the user's files, which share one namespace.
/// The program is there when there are no errors; warnings may be there either way. A module whose
/// text could not be read is checked as far as it goes, without repeating what the parser reported; the
/// program is then not one to run.
///
/// # Panics
/// If the library lacks a declaration that the compiler refers to, see [`hir::LangItems`].
pub fn check(
    sources: &SourceMap,
    modules: &[ast::Module],
    want_main: bool,
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    deep_stack::run("check", || Checker::new(sources, modules).run(want_main, false))
}

/// Like [`check`] without `main`, but checks every body of the library too.
///
/// # Panics
/// As [`check`] does.
pub fn check_all(
    sources: &SourceMap,
    modules: &[ast::Module],
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    deep_stack::run("check", || Checker::new(sources, modules).run(false, true))
}

/// A function's declaration, resolved.
struct FuncInfo<'a> {
    ast: &'a ast::Func,
    library: bool,
    /// As in a call stack.
    name: String,
    /// Those of the receiver's type first.
    type_params: Vec<&'a str>,
    takes_self: bool,
    /// `self` first.
    params: Vec<ParamInfo<'a>>,
    result: TyId,
    /// In the queue, or checked.
    requested: bool,
    checked: Option<(Vec<hir::Local>, hir::Expr)>,
}

#[derive(Clone, Copy)]
struct ParamInfo<'a> {
    name: &'a str,
    ty: TyId,
    span: Span,
}

/// What the checked tree does not keep of a record or an enum.
struct TypeInfo {
    name_span: Span,
    /// Of the fields' types, or of the variants' fields in order.
    field_spans: Vec<Span>,
}

struct Checker<'a> {
    sources: &'a SourceMap,
    modules: &'a [ast::Module],
    types: Types,
    records: Vec<hir::Record>,
    record_info: Vec<TypeInfo>,
    enums: Vec<hir::Enum>,
    enum_info: Vec<TypeInfo>,
    funcs: Vec<FuncInfo<'a>>,
    consts: Vec<ConstInfo<'a>>,
    user: Names<'a>,
    prelude: Names<'a>,
    methods: Methods<'a>,
    queue: Vec<FuncId>,
    diagnostics: Vec<Diagnostic>,
    lang: Option<hir::LangItems>,
    /// Some code that was checked starts tasks.
    tasks: bool,
}

impl<'a> Checker<'a> {
    fn new(sources: &'a SourceMap, modules: &'a [ast::Module]) -> Self {
        Self {
            sources,
            modules,
            types: Types::default(),
            records: vec![],
            record_info: vec![],
            enums: vec![],
            enum_info: vec![],
            funcs: vec![],
            consts: vec![],
            user: Names::default(),
            prelude: Names::default(),
            methods: Methods::default(),
            queue: vec![],
            diagnostics: vec![],
            lang: None,
            tasks: false,
        }
    }

    fn run(mut self, want_main: bool, whole: bool) -> (Option<hir::Program>, Vec<Diagnostic>) {
        self.collect();
        self.lang = Some(self.find_lang_items());
        self.fold_all_consts();
        let has_main = self.user.funcs.contains_key("main");
        let main = if want_main || has_main { self.find_main() } else { None };
        for index in 0..self.funcs.len() {
            if whole || !self.funcs[index].library {
                self.request(FuncId(index as u32));
            }
        }
        while let Some(func) = self.queue.pop() {
            body::check_func(&mut self, func);
        }
        self.finish(main)
    }

    /// Has the body of a function checked, if it was not yet.
    fn request(&mut self, func: FuncId) {
        let info = &mut self.funcs[func.0 as usize];
        if !info.requested {
            info.requested = true;
            self.queue.push(func);
        }
    }

    fn func(&self, func: FuncId) -> &FuncInfo<'a> {
        &self.funcs[func.0 as usize]
    }

    fn record(&self, record: RecordId) -> &hir::Record {
        &self.records[record.0 as usize]
    }

    fn enumeration(&self, id: EnumId) -> &hir::Enum {
        &self.enums[id.0 as usize]
    }

    fn lang(&self) -> hir::LangItems {
        self.lang.expect("language items are found before bodies are checked")
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn finish(mut self, main: Option<FuncId>) -> (Option<hir::Program>, Vec<Diagnostic>) {
        self.diagnostics.sort_by_key(|diagnostic| {
            let at = diagnostic.labels.first().map(|label| label.span);
            at.map(|span| (span.file, span.start, span.end))
        });
        self.diagnostics.dedup();
        if self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return (None, self.diagnostics);
        }
        let lang = self.lang();
        let funcs = self.funcs.into_iter().map(into_hir).collect();
        let program = hir::Program {
            types: self.types,
            records: self.records,
            enums: self.enums,
            funcs,
            lang,
            main,
            tasks: self.tasks,
        };
        (Some(program), self.diagnostics)
    }
}

fn into_hir(info: FuncInfo) -> hir::Func {
    let params = (0..info.params.len() as u32).map(hir::LocalId).collect();
    let (locals, body) = match info.checked {
        Some((locals, body)) => (locals, hir::Body::Checked(body)),
        None => {
            let local = |param: &ParamInfo| hir::Local {
                name: param.name.to_string(),
                ty: param.ty,
                mutable: false,
                captured: false,
                span: param.span,
            };
            let native = info.ast.body.is_none();
            let body = if native { hir::Body::Native } else { hir::Body::Unchecked };
            (info.params.iter().map(local).collect(), body)
        }
    };
    hir::Func {
        name: info.name,
        type_params: info.type_params.len(),
        params,
        result: info.result,
        locals,
        body,
        span: info.ast.span,
    }
}

/// Groups by name while keeping the order of declaration.
fn push_named<'a, T>(map: &mut HashMap<&'a str, Vec<T>>, name: &'a str, value: T) {
    map.entry(name).or_default().push(value);
}
