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
    /// A type parameter, by position: those of the receiver's type first, then the function's own.
    Param(u32),
    /// A box for a `var` that a closure captures; made by the lowering, never by the checker.
    Cell(TyId),
    /// Not known yet; only while a body is being checked.
    Infer(u32),
    /// Something was wrong, and was reported; unifies with everything.
    Error,
}

/// The interner.
#[derive(Clone, Debug)]
pub struct Types {
    list: Vec<Ty>,
    ids: HashMap<Ty, TyId>,
}

impl Default for Types {
    fn default() -> Self {
        let mut types = Self { list: vec![], ids: HashMap::new() };
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
        let id = TyId(self.list.len() as u32);
        self.list.push(ty.clone());
        self.ids.insert(ty, id);
        id
    }

    pub fn get(&self, id: TyId) -> &Ty {
        &self.list[id.0 as usize]
    }

    /// `ty` with each [`Ty::Param`] replaced by the argument at its position.
    ///
    /// # Panics
    /// If a parameter's position is past the end of a non-empty `args`.
    pub fn substitute(&mut self, ty: TyId, args: &[TyId]) -> TyId {
        if args.is_empty() {
            return ty;
        }
        let replaced = match self.get(ty).clone() {
            Ty::Param(index) => return args[index as usize],
            Ty::Record(id, inner) => Ty::Record(id, self.substitute_all(&inner, args)),
            Ty::Enum(id, inner) => Ty::Enum(id, self.substitute_all(&inner, args)),
            Ty::Tuple(inner) => Ty::Tuple(self.substitute_all(&inner, args)),
            Ty::Array(inner) => Ty::Array(self.substitute(inner, args)),
            Ty::Optional(inner) => Ty::Optional(self.substitute(inner, args)),
            Ty::Result(inner) => Ty::Result(self.substitute(inner, args)),
            Ty::View(inner) => Ty::View(self.substitute(inner, args)),
            Ty::Cell(inner) => Ty::Cell(self.substitute(inner, args)),
            Ty::Func { params, result } => {
                let params = self.substitute_all(&params, args);
                Ty::Func { params, result: self.substitute(result, args) }
            }
            Ty::Unit
            | Ty::Never
            | Ty::Bool
            | Ty::Byte
            | Ty::Int
            | Ty::Float
            | Ty::Str
            | Ty::Buffer
            | Ty::Infer(_)
            | Ty::Error => return ty,
        };
        self.intern(replaced)
    }

    fn substitute_all(&mut self, list: &[TyId], args: &[TyId]) -> Vec<TyId> {
        list.iter().map(|ty| self.substitute(*ty, args)).collect()
    }
}
