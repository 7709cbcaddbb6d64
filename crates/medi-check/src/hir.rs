//! The checked tree: every name resolved, every type known, every conversion written out.
//!
//! Generic functions appear once, with [`crate::types::Ty::Param`] in their types; the lowering makes
//! one MIR function per instantiation. Evaluation order is the order of fields in these structures,
//! left to right.

use medi_syntax::ast::{BinaryOp, FormatSpec};
use medi_syntax::source::Span;

use crate::types::{RecordId, TyId, Types};

/// A function in [`Program::funcs`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FuncId(pub u32);

/// A local in [`Func::locals`]; closures share the locals of the function they stand in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct LocalId(pub u32);

#[derive(Debug)]
pub struct Program {
    pub types: Types,
    pub records: Vec<Record>,
    pub enums: Vec<Enum>,
    pub funcs: Vec<Func>,
    pub lang: LangItems,
    /// `func main()` or `func main(args: list[string])`, returning nothing or `Result[()]`;
    /// `None` when only checking.
    pub main: Option<FuncId>,
    /// The program starts tasks, so that objects may change while they are read.
    pub tasks: bool,
}

/// Library declarations that the compiler itself refers to.
#[derive(Clone, Copy, Debug)]
pub struct LangItems {
    /// `record list[T] { len: int, items: array[T] }`.
    pub list: RecordId,
    /// `record map[K, V] { … }`, made by `map_new[K, V]()` and filled by `map[K, V].set(self, key, value)`.
    pub map: RecordId,
    pub map_new: FuncId,
    pub map_set: FuncId,
    /// `map[K, V].at(self, key) -> V`, which stops the program for a missing key.
    pub map_at: FuncId,
    /// `map[K, V].slot_count(self) -> int`: slots that `for` walks, deleted ones included.
    pub map_slots: FuncId,
    /// `map[K, V].slot(self, index: int) -> (K, V)?`: nil for a deleted slot.
    pub map_slot: FuncId,
    /// `native func raise(message: string)`, which does not come back.
    pub raise: FuncId,
}

#[derive(Debug)]
pub struct Record {
    pub name: String,
    pub type_params: Vec<String>,
    pub fields: Vec<Field>,
    pub span: Span,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub ty: TyId,
}

#[derive(Debug)]
pub struct Enum {
    pub name: String,
    pub type_params: Vec<String>,
    pub variants: Vec<Variant>,
    pub span: Span,
}

#[derive(Debug)]
pub struct Variant {
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Debug)]
pub struct Func {
    /// As in a call stack: `analyze_patients`, `Patient.latest_pulse`.
    pub name: String,
    /// How many: those of the receiver's type first, then its own.
    pub type_params: usize,
    /// `self` first for a method.
    pub params: Vec<LocalId>,
    pub result: TyId,
    pub locals: Vec<Local>,
    pub body: Body,
    pub span: Span,
}

#[derive(Debug)]
pub enum Body {
    /// Its value is the result; its type is `Never` or the function's result type.
    Checked(Expr),
    /// The name is the runtime's symbol. A parameter whose type is a bare type parameter is passed as
    /// the address of the value and its shape.
    Native,
    /// A library function that nothing reachable calls, or one with errors.
    Unchecked,
}

#[derive(Clone, Debug)]
pub struct Local {
    pub name: String,
    pub ty: TyId,
    /// Declared with `var`.
    pub mutable: bool,
    /// Used in a closure that it is not declared in.
    pub captured: bool,
    pub span: Span,
}

#[derive(Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: TyId,
    pub span: Span,
}

#[derive(Debug)]
pub enum ExprKind {
    /// Of type int or byte, by [`Expr::ty`].
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    Nil,
    Unit,
    Local(LocalId),
    /// A named function as a value.
    FuncValue {
        func: FuncId,
        type_args: Vec<TyId>,
    },
    Closure {
        params: Vec<LocalId>,
        body: Box<Expr>,
        /// What a task runs takes along the values that variables have now, not the variables.
        task: Option<Task>,
    },
    Call {
        func: FuncId,
        type_args: Vec<TyId>,
        args: Vec<Expr>,
    },
    CallValue {
        callee: Box<Expr>,
        args: Vec<Expr>,
    },
    Intrinsic {
        op: Intrinsic,
        args: Vec<Expr>,
    },
    Convert {
        conversion: Conversion,
        value: Box<Expr>,
    },
    /// On ints, floats or bytes.
    Neg(Box<Expr>),
    Not(Box<Expr>),
    /// Both sides have the same type. `Eq`, `Ne` on any type; ordering on int, float, byte, string and
    /// type parameters; arithmetic on int and float (`Div` and `Pow` on floats, `Pow` also on ints), `Add` also on strings and
    /// lists; `And`, `Or` on bools, short-circuit.
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `left ?? right`; `right` has the unwrapped type, or the optional one.
    Coalesce {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `value?.…`, the whole rest of the chain: nil when `value` is nil, else `body` with `local` bound to the value, as an optional.
    OptionalChain {
        value: Box<Expr>,
        local: LocalId,
        body: Box<Expr>,
    },
    /// `e!`: stops the program when it is nil.
    Assert(Box<Expr>),
    /// `e?`: the value of a result, or returns its error from the function.
    Try(Box<Expr>),
    /// Fields as written: (index in the declaration, value); each exactly once.
    NewRecord {
        fields: Vec<(u32, Expr)>,
    },
    /// `own T { … }`, or `Shared(own T { … })`, in a scope of the function: which one, counted from the outermost.
    NewOwn {
        scope: u32,
        fields: Vec<(u32, Expr)>,
    },
    NewVariant {
        variant: u32,
        fields: Vec<(u32, Expr)>,
    },
    /// `Ok(value)`; the conversion from a plain value to a result uses it too.
    Ok(Box<Expr>),
    /// `fail(message)`.
    Fail(Box<Expr>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    /// Of a record, or of an object of a scope.
    Field {
        base: Box<Expr>,
        field: u32,
    },
    TupleField {
        base: Box<Expr>,
        index: u32,
    },
    /// Of a list, map, buffer, view or library array; checked, but for arrays.
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    Interpolate(Vec<Piece>),
    /// `print(a, b)`: the pieces, then a newline.
    Print(Vec<Piece>),
    If {
        cond: Box<Cond>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    /// Exhaustive. Arms are tried in order.
    Match {
        subject: Box<Expr>,
        arms: Vec<Arm>,
    },
    /// Of type `Never` if a statement in it always leaves, such as `return` or a `while true` without
    /// `break`; what follows that statement is never reached.
    Block {
        stmts: Vec<Stmt>,
        value: Option<Box<Expr>>,
    },
    /// Its value is that of `body`; the memory is freed at `end`.
    Scope {
        name: Option<String>,
        body: Box<Expr>,
        end: Span,
    },
    Return(Option<Box<Expr>>),
    Break,
    Continue,
}

/// What a task is started by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    Spawn,
    Parallel,
}

#[derive(Debug)]
pub enum Cond {
    Expr(Expr),
    Let { pattern: Pattern, value: Expr },
}

#[derive(Debug)]
pub struct Arm {
    pub pattern: Pattern,
    pub guard: Option<Expr>,
    pub body: Expr,
}

#[derive(Debug)]
pub struct Pattern {
    pub kind: PatternKind,
    /// Of the value it is matched with.
    pub ty: TyId,
    pub span: Span,
}

#[derive(Debug)]
pub enum PatternKind {
    Wildcard,
    Bind(LocalId),
    /// Of type int or byte.
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    Nil,
    /// The optional holds a value that matches.
    Some(Box<Pattern>),
    /// Of ints or bytes; both ends included.
    Range {
        low: i64,
        high: i64,
    },
    Tuple(Vec<Pattern>),
    /// One pattern a field, in the order of the declaration.
    Variant {
        variant: u32,
        fields: Vec<Pattern>,
    },
    Ok(Box<Pattern>),
    Err(Box<Pattern>),
    /// Alternatives bind nothing.
    Or(Vec<Pattern>),
}

/// A part of an interpolated string.
#[derive(Debug)]
pub enum Piece {
    Text(String),
    Value { value: Expr, format: Option<FormatSpec> },
}

#[derive(Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Debug)]
pub enum StmtKind {
    /// The pattern cannot fail: bindings, wildcards and tuples of them.
    Let {
        pattern: Pattern,
        value: Expr,
    },
    /// `target` is a [`ExprKind::Local`], `Field`, `Index` or `TupleField` of such; with `op`, its parts are evaluated once.
    Assign {
        target: Expr,
        op: Option<BinaryOp>,
        value: Expr,
    },
    Expr(Expr),
    While {
        cond: Cond,
        body: Expr,
    },
    For {
        pattern: Pattern,
        iter: Iter,
        body: Expr,
    },
}

#[derive(Debug)]
pub enum Iter {
    Range {
        start: Expr,
        end: Expr,
        inclusive: bool,
    },
    /// A list: its length is read anew before each step.
    List(Expr),
    /// Pairs of key and value, in the order of insertion.
    Map(Expr),
    View(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    IntToFloat,
    ByteToInt,
    /// A value to an optional that holds it.
    ToOptional,
    /// A result where its value is wanted: a failure stops the program with its message.
    UnwrapResult,
    /// `Never` to anything.
    FromNever,
}

/// Operations that the compiler knows, called like functions. Types are those of arguments and result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Intrinsic {
    /// `div(a, b)`: rounds towards zero; stops on zero and on overflow.
    Div,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    /// `shl(a, n)`, `shr(a, n)` (arithmetic): stop unless 0 ≤ n < 64.
    Shl,
    Shr,
    /// `int(x)` of a float (truncates; stops on NaN and out of range), byte, bool or int.
    ToInt,
    /// `float(x)` of an int, byte or float.
    ToFloat,
    /// `byte(x)` of an int; stops unless it fits.
    ToByte,
    /// `round(x)`: float to int, halves away from zero.
    Round,
    Sqrt,
    Floor,
    Ceil,
    /// Of int (stops on the smallest) or float.
    Abs,
    /// Two ints or two floats.
    Min,
    Max,
    /// Identity of two references.
    Same,
    /// `array_new[T](len)`: library only; elements are zero.
    ArrayNew,
    /// `array_len(a)`: library only.
    ArrayLen,
    /// `allocate(bytes)` in the innermost scope.
    Allocate,
    /// `free(x)` of a buffer, owned memory, or a shared object.
    Free,
    /// `buffer.view[T](offset, length)`: offset in bytes, length in elements; always both, filled in by the checker: offset 0, length −1 for the rest.
    View,
    /// `len(buffer)`, in bytes; `len(view)`, in elements.
    ScopeLen,
    /// `view.slice(from, to)`.
    ViewSlice,
    /// `view.split_at(n)`: the elements before `n`, and those from `n` on.
    ViewSplit,
    /// `Owned.buffer(bytes)`.
    OwnedBuffer,
    /// `pin(x)`.
    Pin,
    /// The object of a pin.
    Unpin,
    /// `shared.share()`.
    Share,
    /// `shared.weak()`.
    Downgrade,
    /// `promote(x)` of an object of a scope: a collected record with the same fields, none of which look into a scope.
    PromoteOwn,
    /// `weak.get()`.
    Upgrade,
    /// `shared.count()`.
    ShareCount,
    /// `view.load(i)`.
    AtomicLoad(Ordering),
    /// `view.store(i, x)`.
    AtomicStore(Ordering),
    /// `view.add(i, x)` and its kin: what was there before.
    AtomicUpdate(AtomicOp, Ordering),
    /// `view.compare_swap(i, expected, new)`: whether what was there was expected, and is the new one now.
    AtomicCompareSwap(Ordering),
    /// `fence(.acquire)`.
    Fence(Ordering),
}

/// What an access to an atomic, or a fence, orders. The code generator may order more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ordering {
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Ordering {
    /// Its name in source, and the other way round.
    pub const NAMES: [(&'static str, Ordering); 5] = [
        ("relaxed", Ordering::Relaxed),
        ("acquire", Ordering::Acquire),
        ("release", Ordering::Release),
        ("acq_rel", Ordering::AcqRel),
        ("seq_cst", Ordering::SeqCst),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, order)| *order == self).map_or("", |(name, _)| name)
    }
}

/// How an atomic changes in one step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AtomicOp {
    /// Wraps on overflow.
    Add,
    Swap,
    Min,
    Max,
}

impl AtomicOp {
    pub const NAMES: [(&'static str, AtomicOp); 4] = [
        ("add", AtomicOp::Add),
        ("swap", AtomicOp::Swap),
        ("min", AtomicOp::Min),
        ("max", AtomicOp::Max),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}
