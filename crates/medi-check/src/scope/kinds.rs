//! Which values can look into scope memory, by their types.

use std::collections::{HashMap, HashSet};

use crate::mir::Program;
use crate::types::{Ty, TyId};

/// What a value of a type can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kind {
    /// The value itself may be an address in scope memory: a buffer, a view, an object of a scope, or a tuple or
    /// optional of such.
    pub outer: bool,
    /// Something that the value refers to may hold such addresses: what a function value captured, the fields of an
    /// object, the elements of an array.
    pub inner: bool,
    /// The value itself may own memory that belongs to no scope.
    pub owned: bool,
    /// The value itself may look into memory that it does not own.
    pub lent: bool,
    /// It is a pin, or may refer to one.
    pub pinned: bool,
    /// It is, or holds, memory of a scope or a pin, otherwise than within function values: one that captures it notes the
    /// task that made it, and runs in no other.
    pub bound: bool,
}

/// The kinds of a program's types, found once each.
pub struct Kinds<'p> {
    program: &'p Program,
    known: HashMap<TyId, Kind>,
}

impl<'p> Kinds<'p> {
    pub fn new(program: &'p Program) -> Self {
        Self { program, known: HashMap::new() }
    }

    pub fn of(&mut self, ty: TyId) -> Kind {
        if let Some(kind) = self.known.get(&ty) {
            return *kind;
        }
        let mut kind = Kind::default();
        let mut seen = HashSet::new();
        let mut work = vec![(ty, false)];
        while let Some((ty, within)) = work.pop() {
            if !seen.insert((ty, within)) {
                continue;
            }
            self.look_into(ty, within, &mut kind, &mut work);
        }
        self.known.insert(ty, kind);
        kind
    }

    /// `within`: behind a reference.
    fn look_into(&self, ty_id: TyId, within: bool, kind: &mut Kind, work: &mut Vec<(TyId, bool)>) {
        let program = self.program;
        let ty = program.types.get(ty_id);
        kind.bound |= matches!(
            ty,
            Ty::Buffer | Ty::View(_) | Ty::Own(_) | Ty::Shared(_) | Ty::Weak(_) | Ty::Pin(_)
        );
        let mut memory = |owned: bool| match within {
            true => kind.inner = true,
            false => {
                kind.outer = true;
                kind.owned |= owned;
                kind.lent |= !owned;
            }
        };
        match ty {
            Ty::Buffer | Ty::View(_) => memory(false),
            Ty::Owned(_) => memory(true),
            // Whether a weak reference's object is there is asked while the program runs; one that has been got from it
            // looks into the same memory.
            Ty::Own(record) | Ty::Shared(record) | Ty::Weak(record) => {
                memory(false);
                work.push((*record, true));
            }
            Ty::Func { .. } => kind.inner = true,
            Ty::Record(..) => {
                let fields = program.records.get(&ty_id).into_iter().flat_map(|r| &r.fields);
                work.extend(fields.map(|field| (field.ty, true)));
            }
            Ty::Enum(..) => {
                let variants = program.enums.get(&ty_id).into_iter().flat_map(|e| &e.variants);
                work.extend(variants.flat_map(|v| &v.fields).map(|field| (field.ty, true)));
            }
            Ty::Pin(part) => {
                kind.pinned = true;
                work.push((*part, true));
            }
            Ty::Array(part) | Ty::Cell(part) => work.push((*part, true)),
            whole => work.extend(whole.parts().map(|part| (part, within))),
        }
    }
}
