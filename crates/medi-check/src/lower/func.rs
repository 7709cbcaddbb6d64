//! One MIR function in the making.
//!
//! A [`Body`] holds the graph built so far and the block that statements go to. Code that cannot be
//! reached is built like any other, into a block that nothing leads to, and removed at the end; so
//! nothing below has to ask whether it is still alive.

use std::collections::HashMap;
use std::rc::Rc;

use medi_syntax::source::Span;

use super::instantiate::{Asker, inhabited};
use super::{Entry, Instance, Lowering, tidy};
use crate::hir::{self, Expr, LocalId};
use crate::mir::{
    Block, BlockId, Const, Function, Local, LocalDecl, Native, NativeId, NativeParam, Operand,
    Rvalue, Scope, ScopeId, Stmt, StmtKind, Terminator, TerminatorKind,
};
use crate::types::{Ty, TyId, Types};

/// Where a local of the checked tree lives.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Local(Local),
    /// A box that closures share.
    Cell(Local),
}

/// A loop that statements stand in.
pub(super) struct Loop {
    pub continue_to: BlockId,
    pub break_to: BlockId,
    /// How many scopes were open where it starts.
    pub scopes: usize,
}

struct Building {
    stmts: Vec<Stmt>,
    terminator: Option<Terminator>,
}

/// How a function comes to be: what its MIR says besides its code.
pub(super) struct Header {
    pub name: String,
    pub captures: Option<Vec<TyId>>,
    pub result: TyId,
    pub span: Span,
}

pub(super) struct Body<'l, 'h> {
    pub cx: &'l mut Lowering<'h>,
    pub func: &'h hir::Func,
    pub type_args: Rc<[TyId]>,
    pub asker: Asker,
    pub header: Header,
    /// The type of what `return` is given.
    pub returned: TyId,
    pub slots: Vec<Option<Slot>>,
    pub loops: Vec<Loop>,
    pub scopes: Vec<Scope>,
    /// Innermost last.
    pub open_scopes: Vec<ScopeId>,
    locals: Vec<LocalDecl>,
    /// Of each MIR local: it was declared with `var`, so that a copy must be made to keep its value.
    mutable: Vec<bool>,
    params: usize,
    blocks: Vec<Building>,
    current: BlockId,
    concrete: HashMap<TyId, TyId>,
}

/// Makes the function an instance asks for.
pub(super) fn lower_instance(cx: &mut Lowering, instance: Instance) -> Function {
    let key = instance.key;
    let func = &cx.hir.funcs[key.func.0 as usize];
    let asker = Asker { origin: instance.origin, generic: func.type_params > 0 };
    let header = Header {
        name: cx.instance_name(key.func, &key.type_args),
        captures: (key.entry == Entry::Value).then(Vec::new),
        result: Types::UNIT,
        span: func.span,
    };
    let type_args = Rc::from(key.type_args);
    let mut body = Body::new(cx, func, type_args, asker, header);
    body.returned = inhabited(body.ty(func.result, func.span));
    body.header.result = match key.entry {
        Entry::Start => Types::UNIT,
        Entry::Direct | Entry::Value => body.returned,
    };
    body.declare_params(&func.params);
    match &func.body {
        hir::Body::Checked(expr) => body.whole(expr),
        hir::Body::Native => {
            let args = (0..body.params).map(|param| Operand::Copy(Local(param as u32))).collect();
            let call = body.call_declared_native(func, args, func.span);
            let result = body.returned;
            let value = body.operand_of(call, result, func.span);
            body.give_back(value, func.span);
        }
        hir::Body::Unchecked => {
            panic!("the checker did not check `{}`, which is called", func.name)
        }
    }
    body.finish()
}

impl<'l, 'h> Body<'l, 'h> {
    pub fn new(
        cx: &'l mut Lowering<'h>,
        func: &'h hir::Func,
        type_args: Rc<[TyId]>,
        asker: Asker,
        header: Header,
    ) -> Self {
        Self {
            slots: vec![None; func.locals.len()],
            cx,
            func,
            type_args,
            asker,
            returned: header.result,
            header,
            loops: vec![],
            scopes: vec![],
            open_scopes: vec![],
            locals: vec![],
            mutable: vec![],
            params: 0,
            blocks: vec![Building { stmts: vec![], terminator: None }],
            current: BlockId(0),
            concrete: HashMap::new(),
        }
    }

    /// Makes MIR locals of the parameters, and boxes of those that closures assign.
    pub fn declare_params(&mut self, params: &[LocalId]) {
        let func = self.func;
        let mut boxed = vec![];
        for param in params {
            let declared = &func.locals[param.0 as usize];
            let ty = inhabited(self.ty(declared.ty, declared.span));
            let local = self.named(&declared.name, ty, declared.mutable, declared.span);
            if self.is_boxed(*param) {
                boxed.push((*param, local));
            } else {
                self.slots[param.0 as usize] = Some(Slot::Local(local));
            }
        }
        self.params = params.len();
        for (param, local) in boxed {
            self.initialise(param, Operand::Copy(local), func.span);
        }
    }

    /// Lowers the expression whose value the function returns.
    pub fn whole(&mut self, expr: &'h Expr) {
        let value = if self.returned == Types::UNIT {
            self.effect(expr);
            Operand::Const(Const::Unit)
        } else {
            self.value(expr)
        };
        self.give_back(value, expr.span);
    }

    /// Returns the value; no scope is open.
    pub fn give_back(&mut self, value: Operand, span: Span) {
        let value = if self.header.result == self.returned {
            value
        } else {
            self.unwrap_result(value, Types::UNIT, span);
            Operand::Const(Const::Unit)
        };
        self.terminate(TerminatorKind::Return(value), span);
    }

    pub fn finish(self) -> Function {
        let blocks = self.blocks.into_iter().map(|block| Block {
            stmts: block.stmts,
            terminator: block.terminator.unwrap_or(Terminator {
                kind: TerminatorKind::Unreachable,
                span: self.header.span,
            }),
            inlined: None,
        });
        let mut function = Function {
            name: self.header.name,
            params: self.params,
            captures: self.header.captures,
            result: self.header.result,
            locals: self.locals,
            blocks: blocks.collect(),
            scopes: self.scopes,
            inlined: vec![],
            span: self.header.span,
        };
        tidy::tidy(&mut function);
        function
    }

    // Types

    /// A type of the checked tree with this instance's type arguments.
    pub fn ty(&mut self, ty: TyId, span: Span) -> TyId {
        if let Some(concrete) = self.concrete.get(&ty) {
            return *concrete;
        }
        let concrete = self.cx.concrete(ty, &self.type_args, &self.asker, span);
        self.concrete.insert(ty, concrete);
        concrete
    }

    pub fn expr_ty(&mut self, expr: &Expr) -> TyId {
        self.ty(expr.ty, expr.span)
    }

    pub fn get(&self, ty: TyId) -> &Ty {
        self.cx.types.get(ty)
    }

    pub fn intern(&mut self, ty: Ty, span: Span) -> TyId {
        let ty = self.cx.types.intern(ty);
        self.cx.register(ty, Some(&self.asker), span);
        ty
    }

    /// What to do with an expression whose types do not fit it: nothing when control does not come
    /// here, since `Never` fits everything.
    ///
    /// # Panics
    /// If control does come here; the checker should have reported it.
    pub fn ill_typed(&self, what: &str, ty: TyId) -> Rvalue {
        if ty == Types::NEVER || ty == Types::ERROR {
            return Rvalue::Use(Operand::Const(Const::Unit));
        }
        panic!("the checker let {what} of `{}` pass in `{}`", self.cx.name_of(ty), self.header.name)
    }

    // Locals

    fn new_local(&mut self, name: Option<String>, ty: TyId, mutable: bool, span: Span) -> Local {
        self.locals.push(LocalDecl { name, ty: inhabited(ty), span });
        self.mutable.push(mutable);
        Local(self.locals.len() as u32 - 1)
    }

    pub fn named(&mut self, name: &str, ty: TyId, mutable: bool, span: Span) -> Local {
        self.new_local(Some(name.to_owned()), ty, mutable, span)
    }

    pub fn temp(&mut self, ty: TyId, span: Span) -> Local {
        self.new_local(None, ty, false, span)
    }

    pub fn local_ty(&self, local: Local) -> TyId {
        self.locals[local.index()].ty
    }

    /// Whether a local of the checked tree lives in a box.
    pub fn is_boxed(&self, local: LocalId) -> bool {
        let declared = &self.func.locals[local.0 as usize];
        declared.mutable && declared.captured
    }

    /// Where a local lives; makes a MIR local for it the first time.
    pub fn slot(&mut self, local: LocalId) -> Slot {
        if let Some(slot) = self.slots[local.0 as usize] {
            return slot;
        }
        let declared = &self.func.locals[local.0 as usize];
        let ty = inhabited(self.ty(declared.ty, declared.span));
        let slot = if self.is_boxed(local) {
            let cell = self.intern(Ty::Cell(ty), declared.span);
            Slot::Cell(self.named(&declared.name, cell, false, declared.span))
        } else {
            Slot::Local(self.named(&declared.name, ty, declared.mutable, declared.span))
        };
        self.slots[local.0 as usize] = Some(slot);
        slot
    }

    /// Gives a local its first value; each time control comes here it is a new one.
    pub fn initialise(&mut self, local: LocalId, value: Operand, span: Span) {
        match self.slot(local) {
            Slot::Local(local) => self.assign(local, Rvalue::Use(value), span),
            Slot::Cell(cell) => {
                let ty = self.local_ty(cell);
                self.assign(cell, Rvalue::NewCell { ty, value }, span);
            }
        }
    }

    /// An operand that keeps its value when the local it was read from is assigned.
    pub fn pin(&mut self, operand: Operand, span: Span) -> Operand {
        match operand {
            Operand::Copy(local) if self.mutable[local.index()] => {
                let ty = self.local_ty(local);
                self.temp_of(Rvalue::Use(operand), ty, span)
            }
            other => other,
        }
    }

    // Statements and blocks

    pub fn emit(&mut self, kind: StmtKind, span: Span) {
        self.blocks[self.current.index()].stmts.push(Stmt { kind, span });
    }

    pub fn assign(&mut self, local: Local, rvalue: Rvalue, span: Span) {
        self.emit(StmtKind::Assign(local, rvalue), span);
    }

    /// The value in a new temporary.
    pub fn temp_of(&mut self, rvalue: Rvalue, ty: TyId, span: Span) -> Operand {
        let local = self.temp(ty, span);
        self.assign(local, rvalue, span);
        Operand::Copy(local)
    }

    /// The value, in a temporary where it needs one.
    pub fn operand_of(&mut self, rvalue: Rvalue, ty: TyId, span: Span) -> Operand {
        match rvalue {
            Rvalue::Use(operand) => operand,
            other => {
                let operand = self.temp_of(other, ty, span);
                if inhabited(ty) == Types::UNIT { Operand::Const(Const::Unit) } else { operand }
            }
        }
    }

    pub fn new_block(&mut self) -> BlockId {
        self.blocks.push(Building { stmts: vec![], terminator: None });
        BlockId(self.blocks.len() as u32 - 1)
    }

    /// What follows goes to `block`.
    pub fn switch_to(&mut self, block: BlockId) {
        self.current = block;
    }

    /// Ends the block; what follows cannot be reached until [`Body::switch_to`].
    pub fn terminate(&mut self, kind: TerminatorKind, span: Span) {
        let block = &mut self.blocks[self.current.index()];
        debug_assert!(block.terminator.is_none(), "a block ends once");
        block.terminator = Some(Terminator { kind, span });
        self.current = self.new_block();
    }

    pub fn goto(&mut self, block: BlockId, span: Span) {
        self.terminate(TerminatorKind::Goto(block), span);
    }

    pub fn branch(&mut self, cond: Operand, then: BlockId, otherwise: BlockId, span: Span) {
        self.terminate(TerminatorKind::Branch { cond, then, otherwise }, span);
    }

    /// Goes on in a new block when `cond` holds, else in `otherwise`.
    pub fn expect(&mut self, cond: Operand, otherwise: BlockId, span: Span) {
        let then = self.new_block();
        self.branch(cond, then, otherwise, span);
        self.switch_to(then);
    }

    // Natives with fixed signatures

    pub fn native(
        &mut self,
        symbol: &str,
        params: Vec<NativeParam>,
        result: TyId,
        span: Span,
    ) -> NativeId {
        for param in &params {
            let (NativeParam::Plain(ty) | NativeParam::Shaped(ty)) = param;
            self.cx.register(*ty, Some(&self.asker), span);
        }
        let result = inhabited(result);
        self.cx.native(Native { symbol: symbol.to_owned(), params, result })
    }

    /// A call of a native function whose parameters are all plain.
    pub fn plain_native(
        &mut self,
        symbol: &str,
        params: &[TyId],
        result: TyId,
        args: Vec<Operand>,
        span: Span,
    ) -> Rvalue {
        let params = params.iter().map(|ty| NativeParam::Plain(*ty)).collect();
        let native = self.native(symbol, params, result, span);
        Rvalue::CallNative { native, args }
    }
}
