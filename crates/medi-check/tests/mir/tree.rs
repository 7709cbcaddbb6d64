//! Checked trees made by hand: what the tests of the lowering start from.

use medi_check::hir::*;
use medi_check::mir;
use medi_check::types::*;
use medi_syntax::ast::BinaryOp;
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{FileId, Span};

pub const LIST: RecordId = RecordId(0);
pub const MAP: RecordId = RecordId(1);

pub fn span() -> Span {
    Span::new(FileId(0), 0, 0)
}

/// A place that a test can recognise.
pub fn span_at(offset: usize) -> Span {
    Span::new(FileId(0), offset, offset + 1)
}

/// A program in the making, with the library declarations that the compiler refers to.
pub struct Tree {
    pub program: Program,
}

impl Tree {
    pub fn new() -> Self {
        let mut types = Types::default();
        let first = types.intern(Ty::Param(0));
        let second = types.intern(Ty::Param(1));
        let items = types.intern(Ty::Array(first));
        let lang = LangItems {
            list: LIST,
            map: MAP,
            map_new: FuncId(0),
            map_set: FuncId(1),
            map_at: FuncId(2),
            map_slots: FuncId(3),
            map_slot: FuncId(4),
            raise: FuncId(5),
        };
        let program = Program {
            types,
            records: vec![],
            enums: vec![],
            funcs: vec![],
            lang,
            main: None,
            tasks: false,
        };
        let mut tree = Self { program };
        tree.record("list", 1, &[("len", Types::INT), ("items", items)]);
        tree.record("map", 2, &[("len", Types::INT)]);
        let map = tree.ty(Ty::Record(MAP, vec![first, second]));
        let entry = tree.ty(Ty::Tuple(vec![first, second]));
        let slot = tree.ty(Ty::Optional(entry));
        tree.native("map_new", 2, &[], map);
        tree.native("map.set", 2, &[map, first, second], Types::UNIT);
        tree.native("map.at", 2, &[map, first], second);
        tree.native("map.slot_count", 2, &[map], Types::INT);
        tree.native("map.slot", 2, &[map, Types::INT], slot);
        tree.native("raise", 0, &[Types::STR], Types::NEVER);
        tree
    }

    pub fn ty(&mut self, ty: Ty) -> TyId {
        self.program.types.intern(ty)
    }

    pub fn list(&mut self, element: TyId) -> TyId {
        self.ty(Ty::Record(LIST, vec![element]))
    }

    pub fn optional(&mut self, inner: TyId) -> TyId {
        self.ty(Ty::Optional(inner))
    }

    pub fn param(&mut self, index: u32) -> TyId {
        self.ty(Ty::Param(index))
    }

    pub fn record(&mut self, name: &str, params: usize, fields: &[(&str, TyId)]) -> RecordId {
        self.program.records.push(Record {
            name: name.to_owned(),
            type_params: (0..params).map(|index| format!("T{index}")).collect(),
            fields: fields
                .iter()
                .map(|(name, ty)| Field { name: (*name).to_owned(), ty: *ty })
                .collect(),
            span: span(),
        });
        RecordId(self.program.records.len() as u32 - 1)
    }

    pub fn enumeration(&mut self, name: &str, variants: &[(&str, &[TyId])]) -> TyId {
        let variants = variants.iter().map(|(name, fields)| Variant {
            name: (*name).to_owned(),
            fields: fields.iter().map(|ty| Field { name: "field".to_owned(), ty: *ty }).collect(),
        });
        let variants = variants.collect();
        self.program.enums.push(Enum {
            name: name.to_owned(),
            type_params: vec![],
            variants,
            span: span(),
        });
        let id = EnumId(self.program.enums.len() as u32 - 1);
        self.ty(Ty::Enum(id, vec![]))
    }

    pub fn native(&mut self, name: &str, generic: usize, params: &[TyId], result: TyId) -> FuncId {
        let mut func = FuncBuilder::new(name, result);
        func.generic(generic);
        for (index, ty) in params.iter().enumerate() {
            func.param(&format!("p{index}"), *ty);
        }
        self.program.funcs.push(Func { body: Body::Native, ..func.func });
        FuncId(self.program.funcs.len() as u32 - 1)
    }

    pub fn func(&mut self, func: FuncBuilder, body: Expr) -> FuncId {
        self.program.funcs.push(Func { body: Body::Checked(body), ..func.func });
        FuncId(self.program.funcs.len() as u32 - 1)
    }

    /// A `main` that evaluates this.
    pub fn main(&mut self, func: FuncBuilder, body: Expr) {
        self.program.main = Some(self.func(func, body));
    }

    pub fn lower(self) -> Result<mir::Program, Vec<Diagnostic>> {
        medi_check::lower::lower(self.program)
    }

    /// The text of the MIR, which is valid.
    pub fn text(self) -> String {
        let program = self.lower().expect("nothing is wrong with the program");
        let violations = mir::validate(&program);
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        mir::display(&program)
    }
}

/// A function in the making.
pub struct FuncBuilder {
    pub func: Func,
}

impl FuncBuilder {
    pub fn new(name: &str, result: TyId) -> Self {
        Self {
            func: Func {
                name: name.to_owned(),
                type_params: 0,
                params: vec![],
                result,
                locals: vec![],
                body: Body::Unchecked,
                span: span(),
            },
        }
    }

    pub fn main() -> Self {
        Self::new("main", Types::UNIT)
    }

    pub fn generic(&mut self, params: usize) {
        self.func.type_params = params;
    }

    pub fn param(&mut self, name: &str, ty: TyId) -> LocalId {
        let local = self.bind(name, ty);
        self.func.params.push(local);
        local
    }

    /// A `let`.
    pub fn bind(&mut self, name: &str, ty: TyId) -> LocalId {
        self.declare(name, ty, false, false)
    }

    pub fn declare(&mut self, name: &str, ty: TyId, mutable: bool, captured: bool) -> LocalId {
        let name = name.to_owned();
        self.func.locals.push(Local { name, ty, mutable, captured, span: span() });
        LocalId(self.func.locals.len() as u32 - 1)
    }

    /// The local as an expression.
    pub fn get(&self, local: LocalId) -> Expr {
        expr(ExprKind::Local(local), self.func.locals[local.0 as usize].ty)
    }

    pub fn binding(&self, local: LocalId) -> Pattern {
        pattern(PatternKind::Bind(local), self.func.locals[local.0 as usize].ty)
    }

    pub fn let_(&self, local: LocalId, value: Expr) -> Stmt {
        stmt(StmtKind::Let { pattern: self.binding(local), value })
    }
}

pub fn expr(kind: ExprKind, ty: TyId) -> Expr {
    Expr { kind, ty, span: span() }
}

pub fn at(span: Span, mut expr: Expr) -> Expr {
    expr.span = span;
    expr
}

pub fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, span: span() }
}

pub fn pattern(kind: PatternKind, ty: TyId) -> Pattern {
    Pattern { kind, ty, span: span() }
}

pub fn int(value: i64) -> Expr {
    expr(ExprKind::Int(value), Types::INT)
}

pub fn text(value: &str) -> Expr {
    expr(ExprKind::Str(value.to_owned()), Types::STR)
}

pub fn call(func: FuncId, type_args: &[TyId], args: Vec<Expr>, ty: TyId) -> Expr {
    expr(ExprKind::Call { func, type_args: type_args.to_vec(), args }, ty)
}

pub fn binary(op: BinaryOp, left: Expr, right: Expr, ty: TyId) -> Expr {
    expr(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, ty)
}

pub fn block(stmts: Vec<Stmt>) -> Expr {
    expr(ExprKind::Block { stmts, value: None }, Types::UNIT)
}

pub fn block_value(stmts: Vec<Stmt>, value: Expr) -> Expr {
    let ty = value.ty;
    expr(ExprKind::Block { stmts, value: Some(Box::new(value)) }, ty)
}

pub fn effect(expr: Expr) -> Stmt {
    stmt(StmtKind::Expr(expr))
}

pub fn assign(target: Expr, op: Option<BinaryOp>, value: Expr) -> Stmt {
    stmt(StmtKind::Assign { target, op, value })
}

pub fn when(cond: Expr, then: Expr) -> Expr {
    let cond = Box::new(Cond::Expr(cond));
    expr(ExprKind::If { cond, then: Box::new(then), otherwise: None }, Types::UNIT)
}

pub fn index(base: Expr, index: Expr, ty: TyId) -> Expr {
    expr(ExprKind::Index { base: Box::new(base), index: Box::new(index) }, ty)
}

pub fn field(base: Expr, field: u32, ty: TyId) -> Expr {
    expr(ExprKind::Field { base: Box::new(base), field }, ty)
}

pub fn print(values: Vec<Expr>) -> Expr {
    let pieces = values.into_iter().map(|value| Piece::Value { value, format: None }).collect();
    expr(ExprKind::Print(pieces), Types::UNIT)
}
