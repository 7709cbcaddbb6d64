//! The syntax tree: what was written, nothing more.
//!
//! Names are not resolved and types are not known. Every node carries the [`Span`] that a message
//! about it should show.

use crate::source::{FileId, Span};

#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Module {
    pub file: FileId,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub enum Item {
    Func(Func),
    Record(Record),
    Enum(Enum),
    Const(Const),
}

/// `func name[T](params) -> result { body }`, `func Type.name(self, …)`, or
/// `native func name(params) -> result` in the library.
#[derive(Clone, Debug)]
pub struct Func {
    pub doc: Option<String>,
    /// `Patient` of `func Patient.latest_pulse(self)`; `func list[T].len(self)` has type parameters.
    pub receiver: Option<Receiver>,
    pub name: Ident,
    pub type_params: Vec<Ident>,
    /// Without `self`; see [`Receiver::takes_self`].
    pub params: Vec<Param>,
    /// `None`: returns nothing.
    pub result: Option<TypeExpr>,
    /// `None` for a native function.
    pub body: Option<Block>,
    /// The name and signature, without the body.
    pub span: Span,
}

/// The type a method belongs to. Type parameters are those of the type: `func list[T].first(self) -> T?`.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub type_name: Ident,
    pub type_params: Vec<Ident>,
    /// Without it the function is called on the type: `Owned.buffer(1MB)`.
    pub takes_self: bool,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: Ident,
    pub ty: TypeExpr,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub doc: Option<String>,
    pub name: Ident,
    pub type_params: Vec<Ident>,
    pub fields: Vec<Field>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: Ident,
    pub ty: TypeExpr,
}

#[derive(Clone, Debug)]
pub struct Enum {
    pub doc: Option<String>,
    pub name: Ident,
    pub type_params: Vec<Ident>,
    pub variants: Vec<Variant>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Variant {
    pub name: Ident,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Const {
    pub doc: Option<String>,
    pub name: Ident,
    pub ty: Option<TypeExpr>,
    pub value: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct TypeExpr {
    pub kind: TypeKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TypeKind {
    /// `int`, `Patient`, `list[T]`, `map[string, int]`.
    Name {
        name: Ident,
        args: Vec<TypeExpr>,
    },
    Optional(Box<TypeExpr>),
    Tuple(Vec<TypeExpr>),
    Func {
        params: Vec<TypeExpr>,
        result: Option<Box<TypeExpr>>,
    },
    /// `own T`.
    Own(Box<TypeExpr>),
    /// What error recovery leaves; a diagnostic was already reported here.
    Error,
}

/// Statements in braces. As an expression its value is that of the last statement, if that is an
/// expression.
#[derive(Clone, Debug)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `let pattern: type = value`, `var …`. The pattern is a name, `_`, or a tuple of them.
    Let {
        mutable: bool,
        pattern: Pattern,
        ty: Option<TypeExpr>,
        value: Expr,
    },
    /// `target = value`, or `target op= value`.
    Assign {
        target: Expr,
        op: Option<BinaryOp>,
        value: Expr,
    },
    Expr(Expr),
    While {
        cond: Cond,
        body: Block,
    },
    /// `for pattern in iter`; `parallel for` sets `parallel`.
    For {
        pattern: Pattern,
        iter: Expr,
        body: Block,
        parallel: bool,
    },
    /// `scope name { … }`. Also valid in value position through [`ExprKind::Scope`].
    Scope(Scope),
    Parallel(Block),
    Return(Option<Expr>),
    Break,
    Continue,
}

#[derive(Clone, Debug)]
pub struct Scope {
    pub name: Option<Ident>,
    pub body: Block,
    /// The closing brace, where the memory is freed.
    pub end: Span,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// The value of a number literal, sizes multiplied out. Fits `i64`, or is `i64::MAX + 1`, which
    /// only `-9223372036854775808` may use.
    Int(u64),
    Float(f64),
    Bool(bool),
    /// A string; without interpolation it is one [`StrPart::Text`] (or none when empty).
    Str(Vec<StrPart>),
    Nil,
    Name(Ident),
    /// `name[types]` that is not an index: `map[string, int]()`, `b.view[float]()`. The parser cannot
    /// tell `xs[i]` from `f[T]`, so it makes [`ExprKind::Index`] unless what follows can only be types
    /// (more than one, or a keyword type followed by a call); the checker decides by the name.
    TypeArgs {
        base: Box<Expr>,
        args: Vec<TypeExpr>,
    },
    List(Vec<Expr>),
    /// `["a": 1, "b": 2]`; `[:]` is the empty map.
    Map(Vec<(Expr, Expr)>),
    /// Two or more, or none: `()` is the value of nothing.
    Tuple(Vec<Expr>),
    Record {
        name: Ident,
        type_args: Vec<TypeExpr>,
        fields: Vec<FieldInit>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `left ?? right`.
    Coalesce {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Range {
        start: Box<Expr>,
        end: Box<Expr>,
        inclusive: bool,
    },
    /// Named arguments for enum variants: `Fever(celsius: 39.5)`.
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    /// `base.name`, `base?.name`, `base.0`.
    Field {
        base: Box<Expr>,
        name: Ident,
        optional: bool,
    },
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `e?`: hands an error on.
    Try(Box<Expr>),
    /// `e!`: asserts that an optional holds a value, stops the program otherwise.
    Assert(Box<Expr>),
    Closure {
        params: Vec<ClosureParam>,
        body: Box<Expr>,
    },
    If {
        cond: Box<Cond>,
        then: Block,
        otherwise: Option<Box<Expr>>,
    },
    Match {
        subject: Box<Expr>,
        arms: Vec<Arm>,
    },
    Block(Block),
    Scope(Box<Scope>),
    /// `.acquire`, as an argument of a fence or of an access to an atomic.
    Order(Ident),
    /// `own T { … } in name`.
    Own {
        value: Box<Expr>,
        scope: Option<Ident>,
    },
    /// `spawn f(x)`.
    Spawn(Box<Expr>),
    /// What error recovery leaves; a diagnostic was already reported here.
    Error,
}

/// The condition of an `if` or a `while`: an expression, or `let pattern = value`.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per `if` or `while`, and boxed in `ExprKind`")]
pub enum Cond {
    Expr(Expr),
    Let { pattern: Pattern, value: Expr },
}

#[derive(Clone, Debug)]
pub enum StrPart {
    Text(String),
    /// `{expr}` or `{expr:spec}`.
    Expr {
        expr: Box<Expr>,
        format: Option<FormatSpec>,
    },
}

/// `{x:>8.2}`: alignment, width, digits after the point.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatSpec {
    pub align: Option<Align>,
    pub width: Option<u32>,
    pub precision: Option<u32>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

#[derive(Clone, Debug)]
pub struct FieldInit {
    pub name: Ident,
    pub value: Expr,
}

#[derive(Clone, Debug)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

#[derive(Clone, Debug)]
pub struct ClosureParam {
    pub name: Ident,
    pub ty: Option<TypeExpr>,
}

#[derive(Clone, Debug)]
pub struct Arm {
    pub pattern: Pattern,
    pub guard: Option<Expr>,
    pub body: Expr,
}

#[derive(Clone, Debug)]
pub struct Pattern {
    pub kind: PatternKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum PatternKind {
    Wildcard,
    /// A binding, or a variant without fields, or a constant; the checker decides.
    Name(Ident),
    /// An integer (negative allowed), float, bool, string or nil literal.
    Literal(Expr),
    Range {
        start: Expr,
        end: Expr,
        inclusive: bool,
    },
    Tuple(Vec<Pattern>),
    /// `Fever(c)`, `Finding.Fever(celsius: c)`, `Ok(v)`, `Err(message)`.
    Variant {
        path: Vec<Ident>,
        fields: Vec<PatternField>,
    },
    Or(Vec<Pattern>),
}

#[derive(Clone, Debug)]
pub struct PatternField {
    pub name: Option<Ident>,
    pub pattern: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}
