//! The MIR: where the meaning of scopes, frees, barriers and safepoints is decided.
//!
//! A function is a control-flow graph of three-address statements over typed locals. Types hold no
//! parameters. Everything the code generator must not decide again is explicit: a [`StmtKind::Barrier`]
//! directly before each store of references into a collected object, or before a run of them, a
//! [`StmtKind::Safepoint`] on each back-edge, [`StmtKind::ScopeEnter`] and [`StmtKind::ScopeExit`] on each edge into and
//! out of a scope (errors that stop the program leave scopes through the runtime, which frees the same memory), and
//! bounds checks before raw element accesses. What the scope checker needs is explicit too: which value borrows from
//! which scope ([`Rvalue::Allocate`], [`Rvalue::NewOwn`], [`Rvalue::MakeView`], [`Rvalue::SliceView`], [`Rvalue::SplitView`]), moves ([`Operand::Move`]) and frees.
//!
//! Initialising stores of a new object need no barrier and are part of the `New…` rvalues.

pub mod display;
pub mod loops;
pub mod names;
pub mod validate;

use std::collections::{BTreeMap, BTreeSet};

use medi_syntax::source::Span;

pub use crate::hir::{AtomicOp, Ordering};
use crate::types::{Ty, TyId, Types};

pub use display::display;
pub use validate::validate;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index! {
    /// In [`Program::functions`].
    FunctionId
    /// In [`Program::natives`].
    NativeId
    /// In [`Program::strings`].
    StringId
    /// In [`Function::locals`].
    Local
    /// In [`Function::blocks`]; 0 is the entry.
    BlockId
    /// In [`Function::scopes`].
    ScopeId
    /// In [`Function::inlined`].
    InlineId
}

#[derive(Debug)]
pub struct Program {
    pub types: Types,
    /// The fields of each concrete record type that occurs; list and map too.
    pub records: BTreeMap<TyId, Record>,
    pub enums: BTreeMap<TyId, Enum>,
    /// Records that are kept by value, where they are used; no field of one is assigned, and their identity is
    /// never asked for. [`Rvalue::NewRecord`] and [`Rvalue::GetField`] make and read them like any other.
    pub values: BTreeSet<TyId>,
    pub functions: Vec<Function>,
    pub natives: Vec<Native>,
    /// String literals, each once.
    pub strings: Vec<String>,
    pub main: FunctionId,
    /// `list[string]`, when `main` takes the program's arguments.
    pub main_args: Option<TyId>,
    /// The program starts tasks, so that objects may change between any two reads. Each element access then has a
    /// [`StmtKind::Bounds`] of its own against the length of the very array that it reads or writes, and the code
    /// generator checks references that the type says are there where it cannot rely on that: when they are loaded
    /// from an array, and when they come out of a value of several words.
    pub tasks: bool,
}

impl Program {
    /// Whether a value of the type holds references to collected objects.
    pub fn holds_references(&self, ty: TyId) -> bool {
        if self.values.contains(&ty) {
            return self.records[&ty].fields.iter().any(|field| self.holds_references(field.ty));
        }
        match self.types.get(ty) {
            Ty::Tuple(parts) => parts.iter().any(|part| self.holds_references(*part)),
            Ty::Optional(inner) => self.holds_references(*inner),
            _ => holds_references(&self.types, ty, &|ty| self.enums[&ty].is_plain()),
        }
    }

    /// Whether the statement, of a function with these locals, stores references into a collected object.
    pub fn stores_references(&self, locals: &[LocalDecl], stmt: &Stmt) -> bool {
        let stored = stmt.kind.stores_into_object();
        stored.is_some_and(|(_, value)| self.holds_references(operand_ty(locals, value)))
    }

    /// The name of a type, as it is written in source.
    pub fn type_name(&self, ty: TyId) -> String {
        names::type_name(&self.types, ty, &|ty, declared| {
            let name = match declared {
                Ty::Record(..) => self.records.get(&ty).map(|record| &record.name),
                _ => self.enums.get(&ty).map(|lowered| &lowered.name),
            };
            names::Declared::Whole(name.map_or("?", |name| name).to_owned())
        })
    }
}

/// Whether a value of type `ty` holds references to collected objects, so that the collector must see
/// it and a store of it into an object needs a barrier. That any record does is a safe answer before
/// [`Program::values`] is known.
pub fn holds_references(types: &Types, ty: TyId, is_plain_enum: &dyn Fn(TyId) -> bool) -> bool {
    match types.get(ty) {
        Ty::Unit | Ty::Never | Ty::Bool | Ty::Byte | Ty::Int | Ty::Float => false,
        // The memory of scopes is the region's, not the collector's.
        Ty::Buffer
        | Ty::View(_)
        | Ty::Own(_)
        | Ty::Shared(_)
        | Ty::Weak(_)
        | Ty::Owned(_)
        | Ty::Atomic(_) => false,
        Ty::Pin(_) => true,
        Ty::Enum(..) => !is_plain_enum(ty),
        Ty::Tuple(parts) => parts.iter().any(|part| holds_references(types, *part, is_plain_enum)),
        Ty::Optional(inner) => holds_references(types, *inner, is_plain_enum),
        // The message of a failure is a string.
        Ty::Result(_) => true,
        Ty::Str | Ty::Record(..) | Ty::Array(_) | Ty::Func { .. } | Ty::Cell(_) => true,
        Ty::Param(_) | Ty::Infer(_) | Ty::Error => false,
    }
}

#[derive(Clone, Debug)]
pub struct Record {
    /// With type arguments: `list[int]`.
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: TyId,
}

#[derive(Clone, Debug)]
pub struct Enum {
    pub name: String,
    pub variants: Vec<Variant>,
}

impl Enum {
    /// No variant carries a payload: the value is the variant's number.
    pub fn is_plain(&self) -> bool {
        self.variants.iter().all(|variant| variant.fields.is_empty())
    }
}

#[derive(Clone, Debug)]
pub struct Variant {
    pub name: String,
    pub fields: Vec<Field>,
}

/// A function of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Native {
    pub symbol: String,
    pub params: Vec<NativeParam>,
    pub result: TyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NativeParam {
    /// The value's scalars.
    Plain(TyId),
    /// The address of the value in its memory layout, and its shape.
    Shaped(TyId),
}

#[derive(Clone, Debug)]
pub struct Function {
    /// As in a call stack: `largest[int]`, `Patient.latest_pulse`, `main.closure`.
    pub name: String,
    /// The first locals, in order.
    pub params: usize,
    /// For a closure: the types read by [`Rvalue::Capture`]; the closure object itself is not a local.
    pub captures: Option<Vec<TyId>>,
    pub result: TyId,
    pub locals: Vec<LocalDecl>,
    pub blocks: Vec<Block>,
    pub scopes: Vec<Scope>,
    /// Calls whose callee's blocks stand in this function; [`Block::inlined`] refers here.
    pub inlined: Vec<InlinedCall>,
    pub span: Span,
}

/// A call that was replaced by the callee's blocks, so that a call stack can still show it: the frame
/// of `name` at the statement's own span, and the frame it was called from at `call`.
#[derive(Clone, Debug, PartialEq)]
pub struct InlinedCall {
    /// The callee's [`Function::name`].
    pub name: String,
    pub call: Span,
    /// The inlined call that contains `call`; `None` when it stands in the function itself.
    pub parent: Option<InlineId>,
}

#[derive(Clone, Debug)]
pub struct LocalDecl {
    /// `None` for a temporary.
    pub name: Option<String>,
    pub ty: TyId,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Scope {
    pub name: Option<String>,
    /// The scope it stands in, in the same function.
    pub parent: Option<ScopeId>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub terminator: Terminator,
    /// Whose statements these are; `None`: the function's own.
    pub inlined: Option<InlineId>,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    Assign(Local, Rvalue),
    SetField {
        object: Operand,
        field: u32,
        value: Operand,
    },
    /// The index is in bounds: a [`StmtKind::Bounds`] dominates it, the loop around it counts up to the
    /// length, or the library promises it.
    SetElem {
        array: Operand,
        index: Operand,
        value: Operand,
    },
    SetCell {
        cell: Operand,
        value: Operand,
    },
    /// Of a buffer (bytes) or view; checks that the memory is alive and the index in bounds.
    SetScopeElem {
        base: Operand,
        index: Operand,
        value: Operand,
    },
    /// Tells the collector of the references that the stores directly behind it ([`follows_barrier`]) put into
    /// `object`; at least one of them stores some.
    Barrier {
        object: Operand,
    },
    /// Stops the program unless 0 ≤ index < len.
    Bounds {
        index: Operand,
        len: Operand,
    },
    ScopeEnter(ScopeId),
    /// Frees what the scope allocated, in reverse order.
    ScopeExit(ScopeId),
    /// `free(x)` of a buffer or of [`Ty::Owned`] memory; a second one stops the program. Of a [`Ty::Shared`] object: one less
    /// shares it, and it is gone when nobody does.
    Free(Operand),
    /// Of an object of a scope; checks that it is there. Tells the collector what it has to know.
    SetOwnField {
        object: Operand,
        field: u32,
        value: Operand,
    },
    /// Checked as [`StmtKind::SetScopeElem`] is.
    AtomicStore {
        view: Operand,
        index: Operand,
        value: Operand,
        order: Ordering,
    },
    Fence(Ordering),
    /// A thread may come to a handshake or a collection here.
    Safepoint,
}

impl StmtKind {
    /// The collected object that the statement stores into, and the value.
    pub fn stores_into_object(&self) -> Option<(&Operand, &Operand)> {
        match self {
            StmtKind::SetField { object, value, .. }
            | StmtKind::SetElem { array: object, value, .. }
            | StmtKind::SetCell { cell: object, value } => Some((object, value)),
            _ => None,
        }
    }
}

/// What a barrier of `object` covers of the statements that stand behind it: the stores into that object up to the
/// first other statement. None of them changes a local, so that what they store is known at the barrier.
pub fn follows_barrier<'s>(object: &Operand, behind: &'s [Stmt]) -> &'s [Stmt] {
    let covers = |stmt: &Stmt| {
        matches!(object, Operand::Copy(_))
            && stmt.kind.stores_into_object().is_some_and(|(into, _)| into == object)
    };
    &behind[..behind.iter().take_while(|stmt| covers(stmt)).count()]
}

#[derive(Clone, Debug)]
pub struct Terminator {
    pub kind: TerminatorKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TerminatorKind {
    Goto(BlockId),
    Branch {
        cond: Operand,
        then: BlockId,
        otherwise: BlockId,
    },
    /// On an int or byte.
    Switch {
        value: Operand,
        cases: Vec<(i64, BlockId)>,
        default: BlockId,
    },
    /// A unit operand for a function that returns nothing.
    Return(Operand),
    /// After a call that does not come back, or a match that is exhaustive.
    Unreachable,
    /// Stops the program.
    Trap(Trap),
}

impl TerminatorKind {
    /// Calls `visit` for each block that may come next, which it may change.
    pub fn for_each_target(&mut self, visit: &mut dyn FnMut(&mut BlockId)) {
        match self {
            TerminatorKind::Goto(target) => visit(target),
            TerminatorKind::Branch { then, otherwise, .. } => {
                visit(then);
                visit(otherwise);
            }
            TerminatorKind::Switch { cases, default, .. } => {
                cases.iter_mut().for_each(|(_, target)| visit(target));
                visit(default);
            }
            TerminatorKind::Return(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// `e!` on nil.
    NilAssert,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Copy(Local),
    /// The local is dead afterwards.
    Move(Local),
    Const(Const),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    Unit,
    Int(i64),
    Float(f64),
    Bool(bool),
    Byte(u8),
    Str(StringId),
    /// Of an optional type.
    Nil(TyId),
    /// A variant of a plain enum.
    Variant(TyId, u32),
}

/// The type of an operand of a function with these locals.
pub fn operand_ty(locals: &[LocalDecl], operand: &Operand) -> TyId {
    match operand {
        Operand::Copy(local) | Operand::Move(local) => locals[local.index()].ty,
        Operand::Const(constant) => match constant {
            Const::Unit => Types::UNIT,
            Const::Int(_) => Types::INT,
            Const::Float(_) => Types::FLOAT,
            Const::Bool(_) => Types::BOOL,
            Const::Byte(_) => Types::BYTE,
            Const::Str(_) => Types::STR,
            Const::Nil(ty) | Const::Variant(ty, _) => *ty,
        },
    }
}

#[derive(Clone, Debug)]
pub enum Rvalue {
    Use(Operand),
    Unary(UnaryOp, Operand),
    Binary(BinaryOp, Operand, Operand),
    NewRecord {
        ty: TyId,
        fields: Vec<Operand>,
    },
    /// Of an enum that is not plain.
    NewVariant {
        ty: TyId,
        variant: u32,
        fields: Vec<Operand>,
    },
    /// Zeroed elements; stops the program for a negative length.
    NewArray {
        ty: TyId,
        len: Operand,
    },
    NewClosure {
        function: FunctionId,
        ty: TyId,
        captures: Vec<Operand>,
    },
    NewCell {
        ty: TyId,
        value: Operand,
    },
    GetField {
        object: Operand,
        field: u32,
    },
    GetElem {
        array: Operand,
        index: Operand,
    },
    ArrayLen(Operand),
    GetCell(Operand),
    /// The closure's captured value of that position.
    Capture(u32),
    MakeTuple(Vec<Operand>),
    GetTuple {
        tuple: Operand,
        index: u32,
    },
    MakeSome {
        ty: TyId,
        value: Operand,
    },
    IsSome(Operand),
    /// Of an optional known to hold a value.
    UnwrapSome(Operand),
    MakeOk {
        ty: TyId,
        value: Operand,
    },
    MakeErr {
        ty: TyId,
        message: Operand,
    },
    IsOk(Operand),
    UnwrapOk(Operand),
    UnwrapErr(Operand),
    /// The variant's number, as an int, of plain and other enums.
    VariantTag(Operand),
    GetVariantField {
        value: Operand,
        variant: u32,
        field: u32,
    },
    Call {
        function: FunctionId,
        args: Vec<Operand>,
    },
    CallClosure {
        callee: Operand,
        args: Vec<Operand>,
    },
    CallNative {
        native: NativeId,
        args: Vec<Operand>,
    },
    /// Borrows from the scope.
    Allocate {
        scope: ScopeId,
        bytes: Operand,
    },
    /// Looks into the buffer. Offset in bytes, length in elements or −1 for the rest; both are checked.
    MakeView {
        ty: TyId,
        buffer: Operand,
        offset: Operand,
        len: Operand,
    },
    /// Looks into the same memory: elements `from..to`, checked.
    SliceView {
        view: Operand,
        from: Operand,
        to: Operand,
    },
    /// Borrows from the scope: an object of its region, of a type [`Ty::Own`] or [`Ty::Shared`]. The last field of a shared
    /// one is how many share it.
    NewOwn {
        scope: ScopeId,
        ty: TyId,
        fields: Vec<Operand>,
    },
    /// Of an object of a scope; checks that it is there.
    GetOwnField {
        object: Operand,
        field: u32,
    },
    /// One more shares the object.
    Share(Operand),
    /// Of a shared object; looks into the same memory.
    Downgrade {
        ty: TyId,
        shared: Operand,
    },
    /// One more shares the object, if it is there.
    Upgrade {
        ty: TyId,
        weak: Operand,
    },
    /// How many share the object.
    ShareCount(Operand),
    /// Looks into the same memory, twice: elements `0..at`, and those from `at` on; no element is in both.
    SplitView {
        /// Of both views.
        ty: TyId,
        view: Operand,
        at: Operand,
    },
    /// Memory that no scope owns: who holds the value frees it, or gives it on.
    OwnedBuffer {
        bytes: Operand,
    },
    /// Of a collected object, by the task that evaluates it.
    Pin {
        ty: TyId,
        object: Operand,
    },
    /// The object of a pin; stops the program in another task than the pin's, and when the object is a list that was
    /// resized since.
    Unpin(Operand),
    /// Checked as [`Rvalue::GetScopeElem`] is.
    AtomicLoad {
        view: Operand,
        index: Operand,
        order: Ordering,
    },
    /// What was there before.
    AtomicUpdate {
        op: AtomicOp,
        view: Operand,
        index: Operand,
        value: Operand,
        order: Ordering,
    },
    /// Whether the new value is there now.
    AtomicCompareSwap {
        view: Operand,
        index: Operand,
        expected: Operand,
        new: Operand,
        order: Ordering,
    },
    /// Of a buffer (bytes) or view (elements); checks that the memory is alive.
    ScopeLen(Operand),
    /// Of a buffer (bytes) or view; checks that the memory is alive and the index in bounds.
    GetScopeElem {
        base: Operand,
        index: Operand,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    /// Stops on overflow.
    NegInt,
    NegFloat,
    Not,
    BitNot,
    IntToFloat,
    /// Truncates; stops on NaN and out of range.
    FloatToInt,
    /// Halves away from zero; stops on NaN and out of range.
    RoundToInt,
    ByteToInt,
    /// Stops unless it fits.
    IntToByte,
    BoolToInt,
    Sqrt,
    Floor,
    Ceil,
    /// Stops on overflow.
    AbsInt,
    AbsFloat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOp {
    /// Int arithmetic stops on overflow and on division by zero.
    AddInt,
    SubInt,
    MulInt,
    DivInt,
    RemInt,
    /// Of ints, where the lowering has shown that it cannot overflow: loop counters.
    AddUnchecked,
    AddFloat,
    SubFloat,
    MulFloat,
    DivFloat,
    BitAnd,
    BitOr,
    BitXor,
    /// Stops unless the distance is in 0..64.
    Shl,
    Shr,
    MinInt,
    MaxInt,
    MinFloat,
    MaxFloat,
    /// Signed on int, unsigned on byte; bool, plain enums: equality only.
    Compare(Comparison),
    /// IEEE: every comparison with NaN but `Ne` is false.
    CompareFloat(Comparison),
    /// Identity of two references; nil allowed.
    Same,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}
