//! The tables of names: what a name may mean, seen from user code and from the library.
//!
//! Types, functions, constants and variants that are declared at the top of files are visible in all
//! files. The library is one namespace, the prelude; user files share another, which is looked at
//! first. So a user's `record Patient` or `func mean` hides the library's, for user code only.

use std::collections::HashMap;

use medi_syntax::suggest;

use super::Checker;
use super::type_expr::BUILTIN_TYPES;
use crate::hir::FuncId;
use crate::types::{EnumId, RecordId, Ty};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TypeName {
    Record(RecordId),
    Enum(EnumId),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct VariantRef {
    pub(super) enumeration: EnumId,
    pub(super) variant: u32,
}

#[derive(Default)]
pub(super) struct Names<'a> {
    pub(super) types: HashMap<&'a str, TypeName>,
    /// More than one only in the library.
    pub(super) funcs: HashMap<&'a str, Vec<FuncId>>,
    pub(super) consts: HashMap<&'a str, usize>,
    pub(super) variants: HashMap<&'a str, Vec<VariantRef>>,
}

/// What a name that is not a local means as a value.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    Funcs(Vec<FuncId>),
    Const(usize),
    Variants(Vec<VariantRef>),
}

/// What methods belong to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Receiver {
    Record(RecordId),
    Enum(EnumId),
    Int,
    Float,
    Bool,
    Byte,
    Str,
    Buffer,
    View,
    Array,
    Result,
}

impl Receiver {
    pub(super) fn of(ty: &Ty) -> Option<Receiver> {
        Some(match ty {
            Ty::Record(id, _) => Receiver::Record(*id),
            Ty::Enum(id, _) => Receiver::Enum(*id),
            Ty::Int => Receiver::Int,
            Ty::Float => Receiver::Float,
            Ty::Bool => Receiver::Bool,
            Ty::Byte => Receiver::Byte,
            Ty::Str => Receiver::Str,
            Ty::Buffer => Receiver::Buffer,
            Ty::View(_) => Receiver::View,
            Ty::Array(_) => Receiver::Array,
            Ty::Result(_) => Receiver::Result,
            _ => return None,
        })
    }
}

#[derive(Default)]
pub(super) struct Methods<'a> {
    library: HashMap<Receiver, HashMap<&'a str, Vec<FuncId>>>,
    user: HashMap<Receiver, HashMap<&'a str, Vec<FuncId>>>,
}

impl<'a> Methods<'a> {
    /// The earlier ones of the same name come back.
    pub(super) fn add(
        &mut self,
        library: bool,
        receiver: Receiver,
        name: &'a str,
        func: FuncId,
    ) -> &[FuncId] {
        let side = if library { &mut self.library } else { &mut self.user };
        let list = side.entry(receiver).or_default().entry(name).or_default();
        list.push(func);
        &list[..list.len() - 1]
    }

    pub(super) fn find(&self, library: bool, receiver: Receiver, name: &str) -> &[FuncId] {
        let of_user = self.user.get(&receiver).and_then(|names| names.get(name));
        let of_library = || self.library.get(&receiver).and_then(|names| names.get(name));
        let found = if library { of_library() } else { of_user.or_else(of_library) };
        found.map_or(&[], Vec::as_slice)
    }

    pub(super) fn names(&self, receiver: Receiver) -> impl Iterator<Item = &'a str> {
        let sides = [&self.user, &self.library];
        sides
            .into_iter()
            .filter_map(move |side| side.get(&receiver))
            .flatten()
            .map(|(name, _)| *name)
    }
}

impl<'a> Checker<'a> {
    /// The namespaces in the order in which they are searched.
    pub(super) fn namespaces(&self, library: bool) -> impl Iterator<Item = &Names<'a>> {
        let user = (!library).then_some(&self.user);
        user.into_iter().chain([&self.prelude])
    }

    pub(super) fn find_type(&self, name: &str, library: bool) -> Option<TypeName> {
        self.namespaces(library).find_map(|names| names.types.get(name).copied())
    }

    pub(super) fn find_value(&self, name: &str, library: bool) -> Option<Meaning> {
        self.namespaces(library).find_map(|names| {
            let func = || names.funcs.get(name).cloned().map(Meaning::Funcs);
            let konst = || names.consts.get(name).copied().map(Meaning::Const);
            let variants = || names.variants.get(name).cloned().map(Meaning::Variants);
            func().or_else(konst).or_else(variants)
        })
    }

    /// The type name that was probably meant.
    pub(super) fn closest_type(&self, name: &str, library: bool) -> Option<String> {
        let declared = self.namespaces(library).flat_map(|names| names.types.keys().copied());
        let builtin = BUILTIN_TYPES.iter().copied();
        let hidden = |name: &&str| library || !matches!(*name, "array" | "never");
        let mut all: Vec<&str> = builtin.filter(hidden).chain(declared).collect();
        all.sort_unstable();
        suggest::closest(name, all.into_iter()).map(str::to_string)
    }

    /// The top-level value names that code may use, sorted.
    pub(super) fn value_names(&self, library: bool) -> Vec<&'a str> {
        let mut all: Vec<&str> = self
            .namespaces(library)
            .flat_map(|names| {
                let funcs = names.funcs.keys().copied();
                funcs.chain(names.consts.keys().copied()).chain(names.variants.keys().copied())
            })
            .collect();
        all.sort_unstable();
        all
    }
}
