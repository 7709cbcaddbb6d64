//! Types, interned: two types are the same exactly when their [`TyId`]s are.

use std::collections::HashMap;

/// An interned type; meaningful only with the [`Types`] that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TyId(pub u32);

/// A record declaration in [`crate::hir::Program::records`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct RecordId(pub u32);

/// An enum declaration in [`crate::hir::Program::enums`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct EnumId(pub u32);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ty {
    /// The result of a function that returns nothing; no bits.
    Unit,
    /// The type of `return`, `break` and calls that do not come back; turns into any type.
    Never,
    Bool,
    Byte,
    Int,
    Float,
    Str,
    /// A reference to a collected object. `list[T]` and `map[K, V]` are records of the library.
    Record(RecordId, Vec<TyId>),
    /// Without payload in any variant: the variant's number, unboxed. Else a reference.
    Enum(EnumId, Vec<TyId>),
    /// A fixed-length run of elements, what the library builds `list` from. `array[T]` in library source.
    Array(TyId),
    /// By value. Two or more parts.
    Tuple(Vec<TyId>),
    /// By value; a nullable reference where the inner type is a reference. Never directly nested:
    /// `T??` is `T?`.
    Optional(TyId),
    /// By value: the value, or a message.
    Result(TyId),
    Func {
        params: Vec<TyId>,
        result: TyId,
    },
    /// Scope memory: raw bytes.
    Buffer,
    /// Scope memory: a typed window on a buffer, of a plain type.
    View(TyId),
    /// `own T`: an object of a scope, with the fields of the record `T`.
    Own(TyId),
    /// `Shared[T]`: as `own T`, and counted: it is gone when all who share it have given it up.
    Shared(TyId),
    /// `Weak[T]`: a shared object, if it is still there.
    Weak(TyId),
    /// `Owned[Buffer]`: raw bytes that belong to no scope, but to who holds them.
    Owned(TyId),
    /// A collected object that is not resized while the pin is in use, and the task that made the pin.
    Pin(TyId),
    /// An element of a view that tasks may change at the same time; `int` where it is read.
    Atomic(TyId),
    /// A type parameter, by position: those of the receiver's type first, then the function's own.
    Param(u32),
    /// A box for a `var` that a closure captures; made by the lowering, never by the checker.
    Cell(TyId),
    /// Not known yet; only while a body is being checked.
    Infer(u32),
    /// Something was wrong, and was reported; unifies with everything.
    Error,
}

impl Ty {
    /// Memory of a scope that the statements of a `parallel` may borrow: they end before the scope does.
    pub fn may_be_lent(&self) -> bool {
        matches!(self, Ty::Buffer | Ty::View(_))
    }

    /// The types it is made of, one level down.
    pub fn parts(&self) -> impl Iterator<Item = TyId> + '_ {
        let (many, one): (&[TyId], Option<TyId>) = match self {
            Ty::Record(_, parts) | Ty::Enum(_, parts) | Ty::Tuple(parts) => (parts, None),
            Ty::Func { params, result } => (params, Some(*result)),
            Ty::Array(part)
            | Ty::Optional(part)
            | Ty::Result(part)
            | Ty::View(part)
            | Ty::Own(part)
            | Ty::Shared(part)
            | Ty::Weak(part)
            | Ty::Owned(part)
            | Ty::Pin(part)
            | Ty::Atomic(part)
            | Ty::Cell(part) => (&[], Some(*part)),
            Ty::Unit
            | Ty::Never
            | Ty::Bool
            | Ty::Byte
            | Ty::Int
            | Ty::Float
            | Ty::Str
            | Ty::Buffer
            | Ty::Param(_)
            | Ty::Infer(_)
            | Ty::Error => (&[], None),
        };
        many.iter().copied().chain(one)
    }

    /// The same type made of other parts.
    pub fn map_parts(self, mut change: impl FnMut(TyId) -> TyId) -> Ty {
        let mut all = |parts: Vec<TyId>| parts.into_iter().map(&mut change).collect();
        match self {
            Ty::Record(id, parts) => Ty::Record(id, all(parts)),
            Ty::Enum(id, parts) => Ty::Enum(id, all(parts)),
            Ty::Tuple(parts) => Ty::Tuple(all(parts)),
            Ty::Func { params, result } => {
                let params = all(params);
                Ty::Func { params, result: change(result) }
            }
            Ty::Array(part) => Ty::Array(change(part)),
            Ty::Optional(part) => Ty::Optional(change(part)),
            Ty::Result(part) => Ty::Result(change(part)),
            Ty::View(part) => Ty::View(change(part)),
            Ty::Own(part) => Ty::Own(change(part)),
            Ty::Shared(part) => Ty::Shared(change(part)),
            Ty::Weak(part) => Ty::Weak(change(part)),
            Ty::Owned(part) => Ty::Owned(change(part)),
            Ty::Pin(part) => Ty::Pin(change(part)),
            Ty::Atomic(part) => Ty::Atomic(change(part)),
            Ty::Cell(part) => Ty::Cell(change(part)),
            other => other,
        }
    }
}

/// The interner.
#[derive(Clone, Debug)]
pub struct Types {
    list: Vec<Ty>,
    ids: HashMap<Ty, TyId>,
    /// Per type: how deep it nests, and whether a [`Ty::Infer`] or [`Ty::Param`] is in it.
    facts: Vec<Facts>,
}

#[derive(Clone, Copy, Debug)]
struct Facts {
    depth: u32,
    open: bool,
    generic: bool,
}

impl Default for Types {
    fn default() -> Self {
        let mut types = Self { list: vec![], ids: HashMap::new(), facts: vec![] };
        let first = [
            Ty::Unit,
            Ty::Never,
            Ty::Bool,
            Ty::Byte,
            Ty::Int,
            Ty::Float,
            Ty::Str,
            Ty::Buffer,
            Ty::Error,
        ];
        for ty in first {
            types.intern(ty);
        }
        types
    }
}

impl Types {
    pub const UNIT: TyId = TyId(0);
    pub const NEVER: TyId = TyId(1);
    pub const BOOL: TyId = TyId(2);
    pub const BYTE: TyId = TyId(3);
    pub const INT: TyId = TyId(4);
    pub const FLOAT: TyId = TyId(5);
    pub const STR: TyId = TyId(6);
    pub const BUFFER: TyId = TyId(7);
    pub const ERROR: TyId = TyId(8);

    pub fn intern(&mut self, ty: Ty) -> TyId {
        if let Ty::Optional(inner) = &ty
            && matches!(self.get(*inner), Ty::Optional(_) | Ty::Error)
        {
            return *inner;
        }
        if let Some(id) = self.ids.get(&ty) {
            return *id;
        }
        let mut facts = Facts {
            depth: 1,
            open: matches!(ty, Ty::Infer(_)),
            generic: matches!(ty, Ty::Param(_)),
        };
        for part in ty.parts() {
            let part = self.facts[part.0 as usize];
            facts.depth = facts.depth.max(part.depth + 1);
            facts.open |= part.open;
            facts.generic |= part.generic;
        }
        let id = TyId(self.list.len() as u32);
        self.list.push(ty.clone());
        self.facts.push(facts);
        self.ids.insert(ty, id);
        id
    }

    pub fn get(&self, id: TyId) -> &Ty {
        &self.list[id.0 as usize]
    }

    /// How deep the type nests: 1 for `int`, 2 for `list[int]`.
    pub fn depth(&self, id: TyId) -> u32 {
        self.facts[id.0 as usize].depth
    }

    /// Whether a [`Ty::Infer`] is in it.
    pub fn open(&self, id: TyId) -> bool {
        self.facts[id.0 as usize].open
    }

    /// Whether a [`Ty::Param`] is in it.
    pub fn generic(&self, id: TyId) -> bool {
        self.facts[id.0 as usize].generic
    }

    /// `ty` with each [`Ty::Param`] replaced by the argument at its position.
    ///
    /// # Panics
    /// If a parameter's position is past the end of a non-empty `args`.
    pub fn substitute(&mut self, ty: TyId, args: &[TyId]) -> TyId {
        if args.is_empty() || !self.generic(ty) {
            return ty;
        }
        let whole = self.get(ty).clone();
        if let Ty::Param(index) = whole {
            return args[index as usize];
        }
        let replaced = whole.map_parts(|part| self.substitute(part, args));
        self.intern(replaced)
    }
}
