//! Inference variables of one function body: what is not known yet, and what it turned out to be.
//!
//! Plain first-order unification with a trail, so that a choice between overloads can be tried and
//! undone. Types nest at most [`MAX_DEPTH`] deep; past that unification fails and resolving gives
//! [`Ty::Error`], so that no program makes the checker recurse without bound.

use medi_syntax::source::Span;

use crate::types::{Ty, TyId, Types};

/// How deep a type may nest.
pub(super) const MAX_DEPTH: u32 = 100;

/// Why a type was left open, for the message that asks for it.
#[derive(Clone, Debug)]
pub(super) enum Unknown {
    /// The elements of `[]`.
    Elements,
    /// The keys or values of `[:]`.
    Entries,
    /// What `nil` would hold.
    Nil,
    /// A closure's parameter.
    Parameter(String),
    /// A type parameter of a generic function, record or enum.
    TypeArgument { of: String, param: String },
    /// Known to be irrelevant when it stays open: the value of a failure, of code that is never reached.
    Irrelevant,
}

/// A state of [`Infer`].
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    bound: usize,
    made: usize,
}

#[derive(Default)]
pub(super) struct Infer {
    bindings: Vec<Option<TyId>>,
    origins: Vec<(Span, Unknown)>,
    trail: Vec<u32>,
    /// A type nested deeper than [`MAX_DEPTH`] was met.
    pub(super) too_deep: bool,
}

impl Infer {
    pub(super) fn fresh(&mut self, types: &mut Types, span: Span, unknown: Unknown) -> TyId {
        let index = self.bindings.len() as u32;
        self.bindings.push(None);
        self.origins.push((span, unknown));
        types.intern(Ty::Infer(index))
    }

    /// The type itself, not a variable that stands for it, unless nothing is known.
    pub(super) fn shallow(&self, types: &Types, mut ty: TyId) -> TyId {
        while let Ty::Infer(index) = types.get(ty) {
            match self.bindings[*index as usize] {
                Some(bound) => ty = bound,
                None => break,
            }
        }
        ty
    }

    /// A point to come back to with [`Infer::rollback`].
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { bound: self.trail.len(), made: self.bindings.len() }
    }

    /// Forgets what was found out since, and the variables made since, which must not be in use.
    pub(super) fn rollback(&mut self, snapshot: Snapshot) {
        for index in self.trail.drain(snapshot.bound..) {
            self.bindings[index as usize] = None;
        }
        self.bindings.truncate(snapshot.made);
        self.origins.truncate(snapshot.made);
    }

    /// Makes the two types the same, if they can be. A failure may leave parts of them bound.
    pub(super) fn unify(&mut self, types: &mut Types, left: TyId, right: TyId) -> bool {
        self.unify_at(types, left, right, 0)
    }

    fn unify_at(&mut self, types: &mut Types, left: TyId, right: TyId, depth: u32) -> bool {
        let left = self.shallow(types, left);
        let right = self.shallow(types, right);
        if left == right {
            return true;
        }
        if depth > MAX_DEPTH {
            self.too_deep = true;
            return false;
        }
        match (types.get(left).clone(), types.get(right).clone()) {
            (Ty::Error, _) | (_, Ty::Error) => true,
            (Ty::Infer(index), _) => self.bind(types, index, right),
            (_, Ty::Infer(index)) => self.bind(types, index, left),
            (Ty::Record(a, left), Ty::Record(b, right)) => {
                a == b && self.unify_all(types, &left, &right, depth)
            }
            (Ty::Enum(a, left), Ty::Enum(b, right)) => {
                a == b && self.unify_all(types, &left, &right, depth)
            }
            (Ty::Tuple(left), Ty::Tuple(right)) => self.unify_all(types, &left, &right, depth),
            (Ty::Array(left), Ty::Array(right))
            | (Ty::Optional(left), Ty::Optional(right))
            | (Ty::Result(left), Ty::Result(right))
            | (Ty::View(left), Ty::View(right))
            | (Ty::Own(left), Ty::Own(right))
            | (Ty::Shared(left), Ty::Shared(right))
            | (Ty::Weak(left), Ty::Weak(right))
            | (Ty::Owned(left), Ty::Owned(right))
            | (Ty::Pin(left), Ty::Pin(right))
            | (Ty::Atomic(left), Ty::Atomic(right)) => self.unify_at(types, left, right, depth + 1),
            (
                Ty::Func { params: left, result: left_result },
                Ty::Func { params: right, result: right_result },
            ) => {
                self.unify_all(types, &left, &right, depth)
                    && self.unify_at(types, left_result, right_result, depth + 1)
            }
            _ => false,
        }
    }

    fn unify_all(&mut self, types: &mut Types, left: &[TyId], right: &[TyId], depth: u32) -> bool {
        left.len() == right.len()
            && left.iter().zip(right).all(|(a, b)| self.unify_at(types, *a, *b, depth + 1))
    }

    fn bind(&mut self, types: &Types, index: u32, ty: TyId) -> bool {
        if self.mentions(types, index, ty, 0) {
            return false;
        }
        self.bindings[index as usize] = Some(ty);
        self.trail.push(index);
        true
    }

    /// Whether the type contains the variable, or is too deep to tell.
    fn mentions(&mut self, types: &Types, index: u32, ty: TyId, depth: u32) -> bool {
        if depth > MAX_DEPTH {
            self.too_deep = true;
            return true;
        }
        let ty = self.shallow(types, ty);
        match types.get(ty) {
            Ty::Infer(other) => *other == index,
            other => other.parts().any(|part| self.mentions(types, index, part, depth + 1)),
        }
    }

    /// The type with everything known put in. What is not known stays a variable.
    pub(super) fn resolve(&mut self, types: &mut Types, ty: TyId) -> TyId {
        self.resolve_at(types, ty, 0)
    }

    fn resolve_at(&mut self, types: &mut Types, ty: TyId, depth: u32) -> TyId {
        let ty = self.shallow(types, ty);
        if !types.open(ty) {
            return ty;
        }
        if depth > MAX_DEPTH {
            self.too_deep = true;
            return Types::ERROR;
        }
        if matches!(types.get(ty), Ty::Infer(_)) {
            return ty;
        }
        let whole = types.get(ty).clone();
        let whole = whole.map_parts(|part| self.resolve_at(types, part, depth + 1));
        types.intern(whole)
    }

    pub(super) fn origin(&self, index: u32) -> (Span, &Unknown) {
        let (span, unknown) = &self.origins[index as usize];
        (*span, unknown)
    }

    /// The variables without a type, in the order in which they were made.
    pub(super) fn unbound(&self) -> impl Iterator<Item = u32> {
        (0..self.bindings.len() as u32).filter(|index| self.bindings[*index as usize].is_none())
    }

    /// Settles an open variable.
    pub(super) fn settle(&mut self, index: u32, ty: TyId) {
        self.bindings[index as usize] = Some(ty);
    }
}
