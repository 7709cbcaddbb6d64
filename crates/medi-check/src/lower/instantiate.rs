//! Instances: concrete types, concrete functions, and what is wrong with them.
//!
//! A generic function is checked once, for every type it may be used with, and made once for each type
//! it is used with. What only the second step can know is reported here at the outermost call that is
//! not itself in a generic function: that is the code a person can change.

use std::rc::Rc;

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::{Entry, Instance, Key, Lowering, Origin};
use crate::hir::FuncId;
use crate::mir::{self, names};
use crate::types::{Ty, TyId, Types};

/// How deep type arguments may nest. Generics that grow without end meet it soon; what people write
/// does not come near.
const MAX_DEPTH: u32 = 128;
/// How many instances one function may have.
const MAX_INSTANCES: usize = 4000;
/// How many machine words one value may have before it must be put into a record.
pub(super) const MAX_WIDTH: u32 = 256;
/// A plain enum's value is one byte.
const MAX_PLAIN_VARIANTS: usize = 256;

/// Codes of the errors that depend on an instantiation.
pub(super) mod codes {
    pub const NO_ORDER: &str = "E0954";
    pub const NO_EQUALITY: &str = "E0955";
    pub const NO_HASH: &str = "E0956";
    pub const SCOPE_MEMORY_IN_TASK: &str = "E0804";
    pub const VIEW_NOT_PLAIN: &str = "E0957";
    pub const ENDLESS_GENERIC: &str = "E0951";
    pub const TOO_MANY_VARIANTS: &str = "E0952";
    pub const TOO_WIDE: &str = "E0953";
}

/// Where something is asked for: the function being made, as messages need it.
#[derive(Clone, Default)]
pub(super) struct Asker {
    /// The call that asked for this function.
    pub origin: Option<Rc<Origin>>,
    pub generic: bool,
}

/// What a message says about a type.
pub(super) struct Fault {
    pub code: &'static str,
    pub message: String,
    /// Of the place that needs what the type does not have.
    pub label: String,
    pub why: Option<String>,
    pub help: String,
}

impl Lowering<'_> {
    /// `ty` with the type arguments of the function being made.
    pub(super) fn concrete(
        &mut self,
        ty: TyId,
        type_args: &[TyId],
        asker: &Asker,
        span: Span,
    ) -> TyId {
        let ty = self.types.substitute(ty, type_args);
        self.register(ty, Some(asker), span);
        ty
    }

    /// Sees to it that the declarations of `ty` and of everything in it are part of the program.
    pub(super) fn register(&mut self, ty: TyId, asker: Option<&Asker>, span: Span) {
        if self.registered.contains(&ty) {
            return;
        }
        let nobody = Asker::default();
        let asker = asker.unwrap_or(&nobody);
        let mut work = vec![ty];
        while let Some(ty) = work.pop() {
            if !self.registered.insert(ty) {
                continue;
            }
            if self.types.depth(ty) > MAX_DEPTH {
                self.report_endless(asker, span);
                continue;
            }
            if self.width(ty) > MAX_WIDTH {
                self.report_wide(ty, asker, span);
                continue;
            }
            match self.types.get(ty).clone() {
                Ty::Record(id, args) => {
                    let declared = &self.hir.records[id.0 as usize];
                    let fields = self.fields(&declared.fields, &args);
                    work.extend(fields.iter().map(|field| field.ty));
                    work.extend(args);
                    let record = mir::Record { name: self.name_of(ty), fields };
                    self.records.insert(ty, record);
                }
                Ty::Enum(id, args) => {
                    let declared = &self.hir.enums[id.0 as usize];
                    let mut variants = vec![];
                    for variant in &declared.variants {
                        let fields = self.fields(&variant.fields, &args);
                        work.extend(fields.iter().map(|field| field.ty));
                        variants.push(mir::Variant { name: variant.name.clone(), fields });
                    }
                    work.extend(args);
                    let lowered = mir::Enum { name: self.name_of(ty), variants };
                    if lowered.is_plain() && lowered.variants.len() > MAX_PLAIN_VARIANTS {
                        let name = &declared.name;
                        let count = lowered.variants.len();
                        let error = Diagnostic::error(
                            codes::TOO_MANY_VARIANTS,
                            format!(
                                "`{name}` has {count} variants, more than {MAX_PLAIN_VARIANTS}"
                            ),
                            declared.span,
                            "too many variants without fields",
                        )
                        .why("a value of an enum without fields is kept in one byte")
                        .help("use an `int` with named constants, or give one variant a field");
                        self.report(error);
                    }
                    self.enums.insert(ty, lowered);
                }
                Ty::View(inner) => {
                    if !self.is_plain_data(inner) {
                        let name = self.name_of(inner);
                        let fault = Fault {
                            code: codes::VIEW_NOT_PLAIN,
                            message: format!("a view cannot hold `{name}` values"),
                            label: format!("a `View[{name}]` is needed here"),
                            why: Some(format!(
                                "scope memory is never searched for references, and a `{name}` holds one"
                            )),
                            help: "views hold `int`, `float`, `bool`, `byte` and tuples of them; \
                                   keep other values in a list"
                                .to_owned(),
                        };
                        self.report_fault(fault, asker, span);
                    }
                    work.push(inner);
                }
                Ty::Param(_) | Ty::Infer(_) | Ty::Error => {
                    panic!("the checker left `{}` in an instance", self.name_of(ty))
                }
                other => work.extend(other.parts()),
            }
        }
    }

    fn fields(&mut self, fields: &[crate::hir::Field], args: &[TyId]) -> Vec<mir::Field> {
        let types = &mut self.types;
        let field = |field: &crate::hir::Field| mir::Field {
            name: field.name.clone(),
            ty: types.substitute(field.ty, args),
        };
        fields.iter().map(field).collect()
    }

    /// The MIR function for `func` with these type arguments.
    pub(super) fn instance(
        &mut self,
        func: FuncId,
        type_args: Vec<TyId>,
        entry: Entry,
        call: Span,
        asker: Option<&Asker>,
    ) -> mir::FunctionId {
        let key = Key { func, type_args, entry };
        if let Some(id) = self.instances.get(&key) {
            return *id;
        }
        let name = self.instance_name(func, &key.type_args);
        let count = self.instance_counts.entry(func).or_default();
        *count += 1;
        let endless = *count > MAX_INSTANCES
            || key.type_args.iter().any(|ty| self.types.depth(*ty) > MAX_DEPTH);
        let id = self.reserve();
        self.instances.insert(key.clone(), id);
        if endless {
            let nobody = Asker::default();
            self.report_endless(asker.unwrap_or(&nobody), call);
            return id;
        }
        let origin = Rc::new(Origin {
            call,
            name,
            parent: asker.filter(|asker| asker.generic).and_then(|asker| asker.origin.clone()),
        });
        self.queue.push_back(Instance { id, key, origin: Some(origin) });
        id
    }

    /// `largest[int]`.
    pub(super) fn instance_name(&self, func: FuncId, type_args: &[TyId]) -> String {
        let name = &self.hir.funcs[func.0 as usize].name;
        if type_args.is_empty() {
            return name.clone();
        }
        let args: Vec<_> = type_args.iter().map(|ty| self.name_of(*ty)).collect();
        format!("{name}[{}]", args.join(", "))
    }

    /// The type as it is written in source.
    pub(super) fn name_of(&self, ty: TyId) -> String {
        names::type_name(&self.types, ty, &|_, ty| match ty {
            Ty::Record(id, _) => {
                names::Declared::Base(self.hir.records[id.0 as usize].name.clone())
            }
            Ty::Enum(id, _) => names::Declared::Base(self.hir.enums[id.0 as usize].name.clone()),
            _ => unreachable!("only records and enums are declared"),
        })
    }

    /// An upper bound of the machine words of a value.
    fn width(&mut self, ty: TyId) -> u32 {
        if let Some(width) = self.widths.get(&ty) {
            return *width;
        }
        let width = match self.types.get(ty).clone() {
            Ty::Unit | Ty::Never => 0,
            Ty::Tuple(parts) => {
                parts.iter().map(|part| self.width(*part)).fold(0, u32::saturating_add)
            }
            Ty::Optional(inner) => self.width(inner).saturating_add(1),
            Ty::Result(inner) => self.width(inner).saturating_add(2),
            Ty::Buffer | Ty::View(_) | Ty::Owned(_) | Ty::Pin(_) => 3,
            _ => 1,
        };
        self.widths.insert(ty, width);
        width
    }

    /// No variant carries a payload.
    pub(super) fn is_plain_enum(&self, ty: TyId) -> bool {
        match self.types.get(ty) {
            Ty::Enum(id, _) => {
                let declared = &self.hir.enums[id.0 as usize];
                declared.variants.iter().all(|variant| variant.fields.is_empty())
            }
            _ => false,
        }
    }

    /// Whether a value of the type holds references to collected objects, so that storing it into one
    /// needs a barrier.
    pub(super) fn holds_references(&self, ty: TyId) -> bool {
        mir::holds_references(&self.types, ty, &|ty| self.is_plain_enum(ty))
    }

    fn is_plain_data(&self, ty: TyId) -> bool {
        match self.types.get(ty) {
            Ty::Int | Ty::Float | Ty::Bool | Ty::Byte | Ty::Atomic(_) => true,
            Ty::Tuple(parts) => parts.iter().all(|part| self.is_plain_data(*part)),
            _ => false,
        }
    }

    /// The first type inside `ty` whose values have no order, if there is one.
    fn unordered(&self, ty: TyId) -> Option<TyId> {
        match self.types.get(ty) {
            Ty::Int | Ty::Float | Ty::Bool | Ty::Byte | Ty::Str => None,
            Ty::Tuple(parts) => parts.iter().find_map(|part| self.unordered(*part)),
            _ => Some(ty),
        }
    }

    /// The first type inside `ty` whose values cannot be told apart, if there is one: functions and
    /// scope memory, inside records and lists too.
    fn incomparable(&self, ty: TyId) -> Option<TyId> {
        self.first_inside(ty, |ty| {
            matches!(
                ty,
                Ty::Func { .. }
                    | Ty::Buffer
                    | Ty::View(_)
                    | Ty::Own(_)
                    | Ty::Shared(_)
                    | Ty::Weak(_)
                    | Ty::Owned(_)
                    | Ty::Pin(_)
                    | Ty::Cell(_)
            )
        })
    }

    fn scope_memory(&self, ty: TyId) -> Option<TyId> {
        let of_scope = |ty: &Ty| {
            matches!(ty, Ty::Buffer | Ty::View(_) | Ty::Own(_) | Ty::Shared(_) | Ty::Weak(_))
        };
        self.first_inside(ty, of_scope)
    }

    /// Whether a value of the type is scope memory or holds some, inside records and lists too. What a function
    /// value captured does not show in its type.
    pub(super) fn holds_scope_memory(&self, ty: TyId) -> bool {
        self.scope_memory(ty).is_some()
    }

    /// The first type inside `ty`, itself included, that is looked for.
    fn first_inside(&self, ty: TyId, wanted: impl Fn(&Ty) -> bool) -> Option<TyId> {
        let mut seen = std::collections::HashSet::new();
        let mut work = vec![ty];
        while let Some(ty) = work.pop() {
            if !seen.insert(ty) {
                continue;
            }
            match self.types.get(ty) {
                found if wanted(found) => return Some(ty),
                Ty::Func { .. } | Ty::Owned(_) => {}
                Ty::Record(..) => {
                    let fields = self.records.get(&ty).map(|record| &record.fields);
                    work.extend(fields.into_iter().flatten().map(|field| field.ty));
                }
                Ty::Enum(..) => {
                    let variants = self.enums.get(&ty).map(|lowered| &lowered.variants);
                    let fields = variants.into_iter().flatten().flat_map(|v| &v.fields);
                    work.extend(fields.map(|field| field.ty));
                }
                other => work.extend(other.parts()),
            }
        }
        None
    }

    pub(super) fn require_order(&mut self, ty: TyId, operation: &str, asker: &Asker, span: Span) {
        if let Some(part) = self.unordered(ty) {
            let name = self.name_of(ty);
            let fault = Fault {
                code: codes::NO_ORDER,
                message: format!("`{name}` values have no order"),
                label: format!("{operation} puts two `{name}` values in order"),
                why: self.inside(ty, part, "has no order"),
                help: "order by something that has one, such as a number or a name: \
                       `xs.sort_by(x => x.age)`"
                    .to_owned(),
            };
            self.report_fault(fault, asker, span);
        }
    }

    pub(super) fn require_equality(
        &mut self,
        ty: TyId,
        operation: &str,
        asker: &Asker,
        span: Span,
    ) {
        if let Some(part) = self.incomparable(ty) {
            let name = self.name_of(ty);
            let fault = Fault {
                code: codes::NO_EQUALITY,
                message: format!("`{name}` values cannot be compared"),
                label: format!("{operation} compares two `{name}` values"),
                why: self.inside(ty, part, "cannot be compared"),
                help: "compare a part of them, or use `same(a, b)` to ask whether two names mean \
                       one object"
                    .to_owned(),
            };
            self.report_fault(fault, asker, span);
        }
    }

    pub(super) fn require_hash(&mut self, ty: TyId, operation: &str, asker: &Asker, span: Span) {
        if let Some(part) = self.incomparable(ty) {
            let name = self.name_of(ty);
            let fault = Fault {
                code: codes::NO_HASH,
                message: format!("`{name}` cannot be the key of a map"),
                label: format!("{operation} hashes a `{name}`"),
                why: self.inside(ty, part, "has no hash"),
                help: "use a number or a string that names the value as the key".to_owned(),
            };
            self.report_fault(fault, asker, span);
        }
    }

    /// Reports a task that takes scope memory along or gives some back.
    pub(super) fn refuse_scope_memory(&mut self, ty: TyId, asker: &Asker, span: Span) {
        if let Some(part) = self.scope_memory(ty) {
            let name = self.name_of(ty);
            let fault = Fault {
                code: codes::SCOPE_MEMORY_IN_TASK,
                message: "memory of a scope cannot go into or out of a task yet".to_owned(),
                label: format!("the task uses a `{name}`"),
                why: self.inside(ty, part, "belongs to the task that opened its scope"),
                help: "give the task a copy: `promote(…)`".to_owned(),
            };
            self.report_fault(fault, asker, span);
        }
    }

    fn inside(&self, whole: TyId, part: TyId, what: &str) -> Option<String> {
        (whole != part).then(|| {
            let (whole, part) = (self.name_of(whole), self.name_of(part));
            format!("a `{whole}` holds a `{part}`, which {what}")
        })
    }

    /// Reports at the outermost call outside generic functions, with the way from there to `span`.
    pub(super) fn report_fault(&mut self, fault: Fault, asker: &Asker, span: Span) {
        let mut calls = vec![];
        let mut origin = asker.generic.then(|| asker.origin.clone()).flatten();
        while let Some(call) = origin {
            origin = call.parent.clone();
            calls.push(call);
        }
        let error = match calls.pop() {
            None => Diagnostic::error(fault.code, fault.message, span, fault.label),
            Some(outermost) => {
                let label = format!("this call needs `{}`", outermost.name);
                let mut error = Diagnostic::error(fault.code, fault.message, outermost.call, label);
                // Of a long way, its beginning; of an endless one, its first step.
                let shown = if fault.code == codes::ENDLESS_GENERIC { 1 } else { 3 };
                for call in calls.iter().rev().take(shown) {
                    error = error.label(call.call, format!("which needs `{}`", call.name));
                }
                error.label(span, fault.label)
            }
        };
        let error = fault.why.into_iter().fold(error, Diagnostic::why);
        self.report(error.help(fault.help));
    }

    fn report_endless(&mut self, asker: &Asker, span: Span) {
        let fault = Fault {
            code: codes::ENDLESS_GENERIC,
            message: "this generic code needs types without end".to_owned(),
            label: "each step asks for a larger type".to_owned(),
            why: Some(format!(
                "generic code is compiled once for each type, and types nest at most {MAX_DEPTH} deep"
            )),
            help: "let the type arguments of a recursive call or field stay the same".to_owned(),
        };
        // One endless chain meets the limit at many types; the first says it.
        if !self.diagnostics.iter().any(|error| error.code == codes::ENDLESS_GENERIC) {
            self.report_fault(fault, asker, span);
        }
    }

    fn report_wide(&mut self, ty: TyId, asker: &Asker, span: Span) {
        let fault = Fault {
            code: codes::TOO_WIDE,
            message: format!("a value of type `{}` is too wide", self.name_of(ty)),
            label: "this value is copied as a whole".to_owned(),
            why: Some(format!("tuples are kept by value, and at most {MAX_WIDTH} words wide")),
            help: "make it a record: a record is one reference".to_owned(),
        };
        self.report_fault(fault, asker, span);
    }

    pub(super) fn report(&mut self, error: Diagnostic) {
        let place = error.labels.iter().find(|label| label.primary).map(|label| label.span);
        let place = place.expect("an error has a primary label");
        if self.reported.insert((error.code, place)) {
            self.diagnostics.push(error);
        }
    }
}

/// `Never` carries no value, and MIR has only values.
pub(super) fn inhabited(ty: TyId) -> TyId {
    if ty == Types::NEVER { Types::UNIT } else { ty }
}
