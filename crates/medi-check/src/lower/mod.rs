//! From the checked tree to MIR.
//!
//! [`lower`] starts at `main` and makes one MIR function for each function and list of type arguments
//! that something reachable mentions, so that no MIR type holds a parameter. It promises a program that
//! [`crate::mir::validate`] accepts: each store of references has its barrier, each loop its safepoint,
//! each scope is left on every way out. It relies on the checker: names are resolved, types agree and
//! conversions are written out, so that a violation of that is a panic here and not a message.
//!
//! What can only be known per instantiation is reported from here: `<` on a type without an order,
//! `==` on functions, generic types and functions that grow without end.
//!
//! Evaluation order: operands left to right. In `place op= value` the parts of the place are evaluated
//! first, then the value; then the old content is read, combined and stored.

mod alias;
mod call;
mod closure;
mod effects;
mod expr;
mod format;
mod func;
mod hoist;
mod inline;
mod instantiate;
mod literal;
mod loops;
mod operator;
mod pattern;
mod place;
mod polling;
mod reuse;
mod scope;
mod tidy;
mod unroll;
mod values;
mod walk;

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{SourceMap, Span};

use crate::deep_stack;
use crate::hir::{self, FuncId};
use crate::mir;
use crate::scope as scope_checker;
use crate::types::{TyId, Types};

/// Makes MIR of everything that `main` can reach.
///
/// # Errors
/// What is wrong with an instantiation; the diagnostics name the call that asked for it.
///
/// # Panics
/// If the program has no `main`, or breaks a promise of [`crate::hir`].
pub fn lower(program: hir::Program) -> Result<mir::Program, Vec<Diagnostic>> {
    deep_stack::run("lower", || lower_here(program, None))
}

/// As [`lower`], and no program that the scope checker has something against, be it in functions that `main` does not
/// reach.
///
/// # Errors
/// What is wrong with an instantiation, or else with the use of scope memory.
///
/// # Panics
/// As [`lower`].
pub fn lower_checked(
    program: hir::Program,
    sources: &SourceMap,
) -> Result<mir::Program, Vec<Diagnostic>> {
    deep_stack::run("lower", || lower_here(program, Some(sources)))
}

/// What is wrong with the functions of files without a `main`.
pub fn check_library(program: hir::Program, sources: &SourceMap) -> Vec<Diagnostic> {
    deep_stack::run("lower", || check_library_here(program, sources))
}

/// Shows `look` the MIR as the scope checker reads it, before any pass changes it.
///
/// # Errors
/// What is wrong with an instantiation.
///
/// # Panics
/// As [`lower`].
pub fn lower_unchanged<T: Send>(
    mut program: hir::Program,
    look: impl FnOnce(&mir::Program) -> T + Send,
) -> Result<T, Vec<Diagnostic>> {
    deep_stack::run("lower", || {
        let types = std::mem::take(&mut program.types);
        lower_plainly(&program, types).map(|lowered| look(&lowered))
    })
}

fn lower_here(
    mut program: hir::Program,
    checked_with: Option<&SourceMap>,
) -> Result<mir::Program, Vec<Diagnostic>> {
    let types = std::mem::take(&mut program.types);
    let mut lowering = Lowering::new(&program, types);
    let (main, main_args) = lowering.entry();
    lowering.run();
    let reached = lowering.functions.len();
    if let Some(sources) = checked_with {
        lowering.unreached(sources);
    }
    if !lowering.diagnostics.is_empty() {
        return Err(lowering.diagnostics);
    }
    let mut lowered = lowering.finish(main, main_args);
    let wrong = checked_with.map(|sources| scope_checker::check(&lowered, sources));
    if let Some(wrong) = wrong.filter(|wrong| !wrong.is_empty()) {
        return Err(wrong);
    }
    // What `main` reaches was asked for first, and asks for nothing behind it.
    lowered.functions.truncate(reached);
    values::run(&mut lowered, &program.lang);
    inline::run(&mut lowered);
    reuse::run(&mut lowered);
    hoist::run(&mut lowered);
    #[cfg(any(debug_assertions, test))]
    {
        let violations = mir::validate::validate(&lowered);
        assert!(violations.is_empty(), "the lowering made wrong MIR:\n{}", violations.join("\n"));
    }
    Ok(lowered)
}

fn check_library_here(mut program: hir::Program, sources: &SourceMap) -> Vec<Diagnostic> {
    let types = std::mem::take(&mut program.types);
    let mut lowering = Lowering::new(&program, types);
    lowering.unreached(sources);
    if !lowering.diagnostics.is_empty() {
        return lowering.diagnostics;
    }
    // The scope checker treats no function differently for being the first.
    scope_checker::check(&lowering.finish(mir::FunctionId(0), None), sources)
}

/// The MIR before any pass changes it.
fn lower_plainly(program: &hir::Program, types: Types) -> Result<mir::Program, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(program, types);
    let (main, main_args) = lowering.entry();
    lowering.run();
    if !lowering.diagnostics.is_empty() {
        return Err(lowering.diagnostics);
    }
    Ok(lowering.finish(main, main_args))
}

/// What the MIR function that an [`Instance`] asks for is called with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Entry {
    /// By name.
    Direct,
    /// By the runtime, as a program starts: a failure that it would return stops the program.
    Start,
    /// Through a function value, which comes as a closure object without captures.
    Value,
}

/// A function and its type arguments.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    func: FuncId,
    type_args: Vec<TyId>,
    entry: Entry,
}

/// A MIR function to be made, and who asked for it first.
struct Instance {
    id: mir::FunctionId,
    key: Key,
    origin: Option<Rc<Origin>>,
}

/// The call that asked for an instance, and the one that asked for the generic function it stands in.
struct Origin {
    call: Span,
    /// The function asked for, with its type arguments.
    name: String,
    /// `None` when the call does not stand in a generic function.
    parent: Option<Rc<Origin>>,
}

/// The state of one lowering: what was asked for, what is made.
struct Lowering<'h> {
    hir: &'h hir::Program,
    types: Types,
    records: std::collections::BTreeMap<TyId, mir::Record>,
    enums: std::collections::BTreeMap<TyId, mir::Enum>,
    /// Types whose declarations are in `records` and `enums`, as are those of all their parts.
    registered: HashSet<TyId>,
    widths: HashMap<TyId, u32>,
    functions: Vec<Option<mir::Function>>,
    instances: HashMap<Key, mir::FunctionId>,
    instance_counts: HashMap<FuncId, usize>,
    queue: VecDeque<Instance>,
    natives: Vec<mir::Native>,
    native_ids: HashMap<mir::Native, mir::NativeId>,
    strings: Vec<String>,
    string_ids: HashMap<String, mir::StringId>,
    diagnostics: Vec<Diagnostic>,
    /// What was reported, so that it is reported once: a code and a place.
    reported: HashSet<(&'static str, Span)>,
}

impl<'h> Lowering<'h> {
    fn new(hir: &'h hir::Program, types: Types) -> Self {
        Self {
            hir,
            types,
            records: Default::default(),
            enums: Default::default(),
            registered: Default::default(),
            widths: Default::default(),
            functions: vec![],
            instances: Default::default(),
            instance_counts: Default::default(),
            queue: Default::default(),
            natives: vec![],
            native_ids: Default::default(),
            strings: vec![],
            string_ids: Default::default(),
            diagnostics: vec![],
            reported: Default::default(),
        }
    }

    /// Asks for `main`.
    fn entry(&mut self) -> (mir::FunctionId, Option<TyId>) {
        let id = self.hir.main.expect("a program that is to be lowered has a `main`");
        let func = &self.hir.funcs[id.0 as usize];
        let args = func.params.first().map(|param| func.locals[param.0 as usize].ty);
        let fallible = matches!(self.types.get(func.result), crate::types::Ty::Result(_));
        let entry = if fallible { Entry::Start } else { Entry::Direct };
        (self.instance(id, vec![], entry, func.span, None), args)
    }

    /// Makes what was asked for, until nothing more is.
    fn run(&mut self) {
        while let Some(instance) = self.queue.pop_front() {
            let id = instance.id;
            let function = func::lower_instance(self, instance);
            self.functions[id.index()] = Some(function);
        }
    }

    /// Makes the functions of the user's files that nothing asked for, so that they can be checked: generic ones for
    /// `int`, which has all that a type parameter can be asked for. What is wrong with those instances only, nobody
    /// wrote.
    fn unreached(&mut self, sources: &SourceMap) {
        let funcs = self.hir.funcs.iter().enumerate();
        let own = funcs.filter(|(_, func)| {
            !sources.file(func.span.file).library && matches!(func.body, hir::Body::Checked(_))
        });
        let (generic, plain): (Vec<_>, Vec<_>) = own
            .map(|(index, func)| (FuncId(index as u32), func))
            .filter(|(id, _)| !self.instance_counts.contains_key(id))
            .partition(|(_, func)| func.type_params > 0);
        for (id, func) in plain {
            self.instance(id, vec![], Entry::Direct, func.span, None);
        }
        self.run();
        let wrong = self.diagnostics.len();
        for (id, func) in generic {
            if !self.instance_counts.contains_key(&id) {
                self.instance(
                    id,
                    vec![Types::INT; func.type_params],
                    Entry::Direct,
                    func.span,
                    None,
                );
            }
        }
        self.run();
        self.diagnostics.truncate(wrong);
    }

    fn finish(self, main: mir::FunctionId, main_args: Option<TyId>) -> mir::Program {
        let functions = self.functions.into_iter();
        mir::Program {
            types: self.types,
            records: self.records,
            enums: self.enums,
            values: Default::default(),
            functions: functions.map(|f| f.expect("each function asked for was made")).collect(),
            natives: self.natives,
            strings: self.strings,
            main,
            main_args,
            tasks: self.hir.tasks,
        }
    }

    /// A place for a function that is made later.
    fn reserve(&mut self) -> mir::FunctionId {
        self.functions.push(None);
        mir::FunctionId(self.functions.len() as u32 - 1)
    }

    fn string(&mut self, text: &str) -> mir::StringId {
        if let Some(id) = self.string_ids.get(text) {
            return *id;
        }
        let id = mir::StringId(self.strings.len() as u32);
        self.strings.push(text.to_owned());
        self.string_ids.insert(text.to_owned(), id);
        id
    }

    fn native(&mut self, native: mir::Native) -> mir::NativeId {
        if let Some(id) = self.native_ids.get(&native) {
            return *id;
        }
        let id = mir::NativeId(self.natives.len() as u32);
        self.native_ids.insert(native.clone(), id);
        self.natives.push(native);
        id
    }
}
