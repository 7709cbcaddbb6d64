//! MIR by hand: just enough words to write a function down.

use medi_check::mir::*;
use medi_check::types::{EnumId, RecordId, Ty, TyId, Types};
use medi_syntax::source::{FileId, Span};

pub fn span(line: u32) -> Span {
    Span { file: FileId(0), start: line, end: line }
}

/// A program under construction. Function 0 need not be `main`.
pub struct Build {
    pub program: Program,
}

impl Default for Build {
    fn default() -> Self {
        Build {
            program: Program {
                types: Types::default(),
                records: Default::default(),
                enums: Default::default(),
                values: Default::default(),
                functions: vec![],
                natives: vec![],
                strings: vec![],
                main: FunctionId(0),
                main_args: None,
                tasks: false,
            },
        }
    }
}

impl Build {
    pub fn ty(&mut self, ty: Ty) -> TyId {
        self.program.types.intern(ty)
    }

    /// A record type that can refer to itself; [`Build::define_record`] gives it fields.
    pub fn declare_record(&mut self) -> TyId {
        let id = RecordId(self.program.records.len() as u32);
        self.declare_record_with(id, vec![])
    }

    pub fn declare_record_with(&mut self, id: RecordId, args: Vec<TyId>) -> TyId {
        let ty = self.ty(Ty::Record(id, args));
        self.program.records.insert(ty, Record { name: format!("R{}", id.0), fields: vec![] });
        ty
    }

    pub fn define_record(&mut self, ty: TyId, name: &str, fields: &[(&str, TyId)]) {
        let record = Record { name: name.into(), fields: fields_of(fields) };
        self.program.records.insert(ty, record);
    }

    pub fn record(&mut self, name: &str, fields: &[(&str, TyId)]) -> TyId {
        let ty = self.declare_record();
        self.define_record(ty, name, fields);
        ty
    }

    pub fn enumeration(&mut self, name: &str, variants: &[(&str, &[(&str, TyId)])]) -> TyId {
        let id = EnumId(self.program.enums.len() as u32);
        let ty = self.ty(Ty::Enum(id, vec![]));
        let variants = variants
            .iter()
            .map(|(name, fields)| Variant { name: (*name).into(), fields: fields_of(fields) });
        let declaration = Enum { name: name.into(), variants: variants.collect() };
        self.program.enums.insert(ty, declaration);
        ty
    }

    pub fn string(&mut self, text: &str) -> Operand {
        self.program.strings.push(text.into());
        Operand::Const(Const::Str(StringId(self.program.strings.len() as u32 - 1)))
    }

    pub fn native(&mut self, symbol: &str, params: &[NativeParam], result: TyId) -> NativeId {
        let native = Native { symbol: symbol.into(), params: params.to_vec(), result };
        self.program.natives.push(native);
        NativeId(self.program.natives.len() as u32 - 1)
    }

    /// The id that the next function will get.
    pub fn next_function(&self) -> FunctionId {
        FunctionId(self.program.functions.len() as u32)
    }

    pub fn add(&mut self, function: Func) -> FunctionId {
        let id = self.next_function();
        self.program.functions.push(function.finish());
        id
    }

    /// Adds the function and makes it `main`.
    pub fn main(mut self, function: Func) -> Program {
        self.program.main = self.add(function);
        self.program
    }
}

fn fields_of(fields: &[(&str, TyId)]) -> Vec<Field> {
    fields.iter().map(|(name, ty)| Field { name: (*name).into(), ty: *ty }).collect()
}

/// A function under construction. Statements go to the current block; each gets the next line as its
/// span.
pub struct Func {
    function: Function,
    current: usize,
    line: u32,
    ended: Vec<bool>,
}

pub fn copy(local: Local) -> Operand {
    Operand::Copy(local)
}

pub fn int(value: i64) -> Operand {
    Operand::Const(Const::Int(value))
}

pub fn float(value: f64) -> Operand {
    Operand::Const(Const::Float(value))
}

pub fn boolean(value: bool) -> Operand {
    Operand::Const(Const::Bool(value))
}

pub fn byte(value: u8) -> Operand {
    Operand::Const(Const::Byte(value))
}

pub fn unit() -> Operand {
    Operand::Const(Const::Unit)
}

impl Func {
    pub fn new(name: &str, params: &[TyId], result: TyId) -> Func {
        let locals = params.iter().map(|ty| LocalDecl { name: None, ty: *ty, span: span(0) });
        Func {
            function: Function {
                name: name.into(),
                params: params.len(),
                captures: None,
                result,
                locals: locals.collect(),
                blocks: vec![],
                scopes: vec![],
                inlined: vec![],
                span: span(0),
            },
            current: 0,
            line: 0,
            ended: vec![],
        }
        .with_entry()
    }

    fn with_entry(mut self) -> Func {
        self.block();
        self
    }

    pub fn capturing(mut self, captures: &[TyId]) -> Func {
        self.function.captures = Some(captures.to_vec());
        self
    }

    pub fn param(&self, index: u32) -> Operand {
        copy(Local(index))
    }

    pub fn local(&mut self, ty: TyId) -> Local {
        self.function.locals.push(LocalDecl { name: None, ty, span: span(0) });
        Local(self.function.locals.len() as u32 - 1)
    }

    pub fn scope(&mut self, parent: Option<ScopeId>) -> ScopeId {
        self.function.scopes.push(Scope { name: None, parent, span: span(0) });
        ScopeId(self.function.scopes.len() as u32 - 1)
    }

    pub fn inlined(&mut self, name: &str, call_line: u32) -> InlineId {
        let call = span(call_line);
        self.function.inlined.push(InlinedCall { name: name.into(), call, parent: None });
        InlineId(self.function.inlined.len() as u32 - 1)
    }

    pub fn mark_inlined(&mut self, block: BlockId, inlined: InlineId) {
        self.function.blocks[block.index()].inlined = Some(inlined);
    }

    /// A new block; it ends in `Unreachable` until a terminator is given.
    pub fn block(&mut self) -> BlockId {
        let terminator = Terminator { kind: TerminatorKind::Unreachable, span: span(0) };
        self.function.blocks.push(Block { stmts: vec![], terminator, inlined: None });
        self.ended.push(false);
        BlockId(self.function.blocks.len() as u32 - 1)
    }

    pub fn at(&mut self, block: BlockId) {
        self.current = block.index();
    }

    pub fn stmt(&mut self, kind: StmtKind) -> u32 {
        self.line += 1;
        let span = span(self.line);
        self.function.blocks[self.current].stmts.push(Stmt { kind, span });
        self.line
    }

    pub fn assign(&mut self, local: Local, rvalue: Rvalue) -> Operand {
        self.stmt(StmtKind::Assign(local, rvalue));
        copy(local)
    }

    /// A fresh local with this value.
    pub fn let_(&mut self, ty: TyId, rvalue: Rvalue) -> Operand {
        let local = self.local(ty);
        self.assign(local, rvalue)
    }

    pub fn unary(&mut self, ty: TyId, op: UnaryOp, value: Operand) -> Operand {
        self.let_(ty, Rvalue::Unary(op, value))
    }

    pub fn binary(&mut self, ty: TyId, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.let_(ty, Rvalue::Binary(op, a, b))
    }

    pub fn end(&mut self, kind: TerminatorKind) {
        assert!(!self.ended[self.current], "a block ends once");
        self.ended[self.current] = true;
        self.line += 1;
        self.function.blocks[self.current].terminator = Terminator { kind, span: span(self.line) };
    }

    pub fn goto(&mut self, block: BlockId) {
        self.end(TerminatorKind::Goto(block));
    }

    pub fn branch(&mut self, cond: Operand, then: BlockId, otherwise: BlockId) {
        self.end(TerminatorKind::Branch { cond, then, otherwise });
    }

    pub fn ret(&mut self, value: Operand) {
        self.end(TerminatorKind::Return(value));
    }

    /// `for counter in 0..count { body }`; the counter is an int local.
    pub fn repeat(&mut self, count: Operand, body: impl FnOnce(&mut Func, Operand)) {
        let counter = self.local(Types::INT);
        self.assign(counter, Rvalue::Use(int(0)));
        let (head, inside, after) = (self.block(), self.block(), self.block());
        self.goto(head);
        self.at(head);
        let more = BinaryOp::Compare(Comparison::Lt);
        let more = self.binary(Types::BOOL, more, copy(counter), count);
        self.branch(more, inside, after);
        self.at(inside);
        body(self, copy(counter));
        let next = Rvalue::Binary(BinaryOp::AddUnchecked, copy(counter), int(1));
        self.assign(counter, next);
        self.stmt(StmtKind::Safepoint);
        self.goto(head);
        self.at(after);
    }

    fn finish(self) -> Function {
        self.function
    }
}
