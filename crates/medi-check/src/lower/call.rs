//! Calls: of functions, of natives, and of what looks like a function and is an operation.

use medi_syntax::source::Span;

use super::Entry;
use super::expr::{UNIT, int};
use super::func::Body;
use crate::hir::{self, Expr, FuncId, Intrinsic};
use crate::mir::{
    BinaryOp, Comparison, Const, NativeParam, Operand, Rvalue, StmtKind, TerminatorKind, UnaryOp,
};
use crate::types::{Ty, TyId, Types};

impl<'h> Body<'_, 'h> {
    pub fn call(
        &mut self,
        func: FuncId,
        type_args: &[TyId],
        args: &'h [Expr],
        span: Span,
    ) -> Rvalue {
        let type_args = type_args.iter().map(|ty| self.ty(*ty, span)).collect();
        let args = self.values(args);
        self.call_concrete(func, type_args, args, span)
    }

    /// A call with type arguments that are concrete already.
    pub fn call_concrete(
        &mut self,
        id: FuncId,
        type_args: Vec<TyId>,
        args: Vec<Operand>,
        span: Span,
    ) -> Rvalue {
        let func = &self.cx.hir.funcs[id.0 as usize];
        if !matches!(func.body, hir::Body::Native) {
            let asker = self.asker.clone();
            let function = self.cx.instance(id, type_args, Entry::Direct, span, Some(&asker));
            return Rvalue::Call { function, args };
        }
        match (func.name.as_str(), &type_args[..], &args[..]) {
            ("equals", [ty], [left, right]) => {
                self.equality(*ty, left.clone(), right.clone(), span, false)
            }
            ("compare", [ty], [left, right]) => {
                self.three_way(*ty, left.clone(), right.clone(), "this", span)
            }
            ("hash", [ty], [value]) => self.hash(*ty, value.clone(), span),
            _ => self.declared_native(id == self.cx.hir.lang.raise, func, &type_args, args, span),
        }
    }

    /// A call of the native function that this instance is of.
    pub fn call_declared_native(
        &mut self,
        func: &hir::Func,
        args: Vec<Operand>,
        span: Span,
    ) -> Rvalue {
        let type_args = self.type_args.clone();
        self.declared_native(false, func, &type_args, args, span)
    }

    fn declared_native(
        &mut self,
        raises: bool,
        func: &hir::Func,
        type_args: &[TyId],
        args: Vec<Operand>,
        span: Span,
    ) -> Rvalue {
        let asker = self.asker.clone();
        let mut concrete = |ty| self.cx.concrete(ty, type_args, &asker, span);
        let mut params = vec![];
        for param in &func.params {
            let declared = func.locals[param.0 as usize].ty;
            params.push((declared, concrete(declared)));
        }
        let result = concrete(func.result);
        let shape = |(declared, ty): (TyId, TyId)| match self.get(declared) {
            Ty::Param(_) => NativeParam::Shaped(ty),
            _ => NativeParam::Plain(ty),
        };
        let params = params.into_iter().map(shape).collect();
        let native = self.native(&func.name, params, result, span);
        let call = Rvalue::CallNative { native, args };
        if raises || result == Types::NEVER {
            self.temp_of(call, Types::UNIT, span);
            self.terminate(TerminatorKind::Unreachable, span);
            return Rvalue::Use(UNIT);
        }
        call
    }

    pub fn intrinsic(
        &mut self,
        op: Intrinsic,
        args: &'h [Expr],
        result: TyId,
        span: Span,
    ) -> Rvalue {
        let ty = args.first().map_or(Types::UNIT, |arg| self.expr_ty(arg));
        let mut values = self.values(args).into_iter();
        let mut next = || values.next().expect("the checker counted the arguments");
        let numeric = |int: UnaryOp, float: UnaryOp| match ty {
            Types::INT => Some(int),
            Types::FLOAT => Some(float),
            _ => None,
        };
        match op {
            Intrinsic::Div => Rvalue::Binary(BinaryOp::DivInt, next(), next()),
            Intrinsic::BitAnd => Rvalue::Binary(BinaryOp::BitAnd, next(), next()),
            Intrinsic::BitOr => Rvalue::Binary(BinaryOp::BitOr, next(), next()),
            Intrinsic::BitXor => Rvalue::Binary(BinaryOp::BitXor, next(), next()),
            Intrinsic::BitNot => Rvalue::Unary(UnaryOp::BitNot, next()),
            Intrinsic::Shl => Rvalue::Binary(BinaryOp::Shl, next(), next()),
            Intrinsic::Shr => Rvalue::Binary(BinaryOp::Shr, next(), next()),
            Intrinsic::ToInt => {
                let value = next();
                self.int_of(value, ty)
            }
            Intrinsic::ToFloat => match ty {
                Types::FLOAT => Rvalue::Use(next()),
                Types::INT => Rvalue::Unary(UnaryOp::IntToFloat, next()),
                _ => {
                    let int = self.int_of(next(), ty);
                    let int = self.operand_of(int, Types::INT, span);
                    Rvalue::Unary(UnaryOp::IntToFloat, int)
                }
            },
            Intrinsic::ToByte => match ty {
                Types::BYTE => Rvalue::Use(next()),
                Types::INT => Rvalue::Unary(UnaryOp::IntToByte, next()),
                _ => {
                    let int = self.int_of(next(), ty);
                    let int = self.operand_of(int, Types::INT, span);
                    Rvalue::Unary(UnaryOp::IntToByte, int)
                }
            },
            Intrinsic::Round if ty == Types::INT => Rvalue::Use(next()),
            Intrinsic::Round => Rvalue::Unary(UnaryOp::RoundToInt, next()),
            Intrinsic::Sqrt => Rvalue::Unary(UnaryOp::Sqrt, next()),
            Intrinsic::Floor | Intrinsic::Ceil if ty == Types::INT => Rvalue::Use(next()),
            Intrinsic::Floor | Intrinsic::Ceil => {
                let op = if op == Intrinsic::Floor { UnaryOp::Floor } else { UnaryOp::Ceil };
                let whole = Rvalue::Unary(op, next());
                if result == Types::INT {
                    let whole = self.temp_of(whole, Types::FLOAT, span);
                    return Rvalue::Unary(UnaryOp::FloatToInt, whole);
                }
                whole
            }
            Intrinsic::Abs => match numeric(UnaryOp::AbsInt, UnaryOp::AbsFloat) {
                Some(op) => Rvalue::Unary(op, next()),
                None => self.ill_typed("`abs`", ty),
            },
            Intrinsic::Min | Intrinsic::Max => {
                let least = op == Intrinsic::Min;
                let (left, right) = (next(), next());
                match (ty, least) {
                    (Types::INT, true) => Rvalue::Binary(BinaryOp::MinInt, left, right),
                    (Types::INT, false) => Rvalue::Binary(BinaryOp::MaxInt, left, right),
                    (Types::FLOAT, true) => Rvalue::Binary(BinaryOp::MinFloat, left, right),
                    (Types::FLOAT, false) => Rvalue::Binary(BinaryOp::MaxFloat, left, right),
                    (Types::BYTE, _) => self.least_byte(left, right, least, span),
                    _ => self.ill_typed("`min` or `max`", ty),
                }
            }
            Intrinsic::Same => Rvalue::Binary(BinaryOp::Same, next(), next()),
            Intrinsic::ArrayNew => Rvalue::NewArray { ty: result, len: next() },
            Intrinsic::ArrayLen => Rvalue::ArrayLen(next()),
            Intrinsic::Allocate => {
                let scope = *self.open_scopes.last().expect("`allocate` stands in a scope");
                Rvalue::Allocate { scope, bytes: next() }
            }
            Intrinsic::Free => {
                self.emit(StmtKind::Free(next()), span);
                Rvalue::Use(UNIT)
            }
            Intrinsic::View => {
                Rvalue::MakeView { ty: result, buffer: next(), offset: next(), len: next() }
            }
            Intrinsic::ScopeLen => Rvalue::ScopeLen(next()),
            Intrinsic::ViewSlice => Rvalue::SliceView { view: next(), from: next(), to: next() },
            Intrinsic::ViewSplit => Rvalue::SplitView { ty, view: next(), at: next() },
            Intrinsic::OwnedBuffer => Rvalue::OwnedBuffer { bytes: next() },
            Intrinsic::Pin => Rvalue::Pin { ty: result, object: next() },
            Intrinsic::Unpin => Rvalue::Unpin(next()),
            Intrinsic::PromoteOwn => self.promote_own(next(), result, span),
            Intrinsic::Share => Rvalue::Share(next()),
            Intrinsic::Downgrade => Rvalue::Downgrade { ty: result, shared: next() },
            Intrinsic::Upgrade => Rvalue::Upgrade { ty: result, weak: next() },
            Intrinsic::ShareCount => Rvalue::ShareCount(next()),
            Intrinsic::AtomicLoad(order) => {
                Rvalue::AtomicLoad { view: next(), index: next(), order }
            }
            Intrinsic::AtomicStore(order) => {
                let (view, index, value) = (next(), next(), next());
                self.emit(StmtKind::AtomicStore { view, index, value, order }, span);
                Rvalue::Use(UNIT)
            }
            Intrinsic::AtomicUpdate(op, order) => {
                Rvalue::AtomicUpdate { op, view: next(), index: next(), value: next(), order }
            }
            Intrinsic::AtomicCompareSwap(order) => {
                let (view, index, expected, new) = (next(), next(), next(), next());
                Rvalue::AtomicCompareSwap { view, index, expected, new, order }
            }
            Intrinsic::Fence(order) => {
                self.emit(StmtKind::Fence(order), span);
                Rvalue::Use(UNIT)
            }
        }
    }

    /// A collected record with what the fields of an object of a scope hold.
    fn promote_own(&mut self, object: Operand, ty: TyId, span: Span) -> Rvalue {
        let types: Vec<TyId> = self.cx.records[&ty].fields.iter().map(|field| field.ty).collect();
        let mut fields = vec![];
        for (field, ty) in (0..).zip(types) {
            let get = Rvalue::GetOwnField { object: object.clone(), field };
            fields.push(self.temp_of(get, ty, span));
        }
        Rvalue::NewRecord { ty, fields }
    }

    fn int_of(&mut self, value: Operand, ty: TyId) -> Rvalue {
        match self.get(ty) {
            Ty::Int => Rvalue::Use(value),
            Ty::Float => Rvalue::Unary(UnaryOp::FloatToInt, value),
            Ty::Byte => Rvalue::Unary(UnaryOp::ByteToInt, value),
            Ty::Bool => Rvalue::Unary(UnaryOp::BoolToInt, value),
            Ty::Enum(..) => Rvalue::VariantTag(value),
            _ => self.ill_typed("`int(…)`", ty),
        }
    }

    /// The smaller or larger of two bytes.
    fn least_byte(&mut self, left: Operand, right: Operand, least: bool, span: Span) -> Rvalue {
        let comparison = if least { Comparison::Le } else { Comparison::Ge };
        let test = Rvalue::Binary(BinaryOp::Compare(comparison), left.clone(), right.clone());
        let test = self.temp_of(test, Types::BOOL, span);
        let chosen = self.temp(Types::BYTE, span);
        let (take_left, take_right) = (self.new_block(), self.new_block());
        let join = self.new_block();
        self.branch(test, take_left, take_right, span);
        for (block, value) in [(take_left, left), (take_right, right)] {
            self.switch_to(block);
            self.assign(chosen, Rvalue::Use(value), span);
            self.goto(join, span);
        }
        self.switch_to(join);
        Rvalue::Use(Operand::Copy(chosen))
    }

    /// Stops the program unless 0 ≤ index < len.
    pub fn bounds(&mut self, index: &Operand, len: Operand, span: Span) {
        if let (Operand::Const(Const::Int(index)), Operand::Const(Const::Int(len))) = (index, &len)
            && (0..*len).contains(index)
        {
            return;
        }
        self.emit(StmtKind::Bounds { index: index.clone(), len }, span);
    }

    /// Before an access to an element: in a program with tasks, another may have put this array, with any length, in
    /// the place of the one that an earlier check was about. Arrays keep their length.
    pub fn array_bounds(&mut self, array: &Operand, index: &Operand, span: Span) {
        if self.cx.hir.tasks {
            let len = self.temp_of(Rvalue::ArrayLen(array.clone()), Types::INT, span);
            self.bounds(index, len, span);
        }
    }

    /// The length of a list.
    pub fn list_len(&mut self, list: &Operand, span: Span) -> Operand {
        let len = Rvalue::GetField { object: list.clone(), field: 0 };
        self.temp_of(len, Types::INT, span)
    }

    /// The elements of a list, of which the first `len` are in use.
    pub fn list_items(&mut self, list: &Operand, element: TyId, span: Span) -> Operand {
        let array = self.intern(Ty::Array(element), span);
        let items = Rvalue::GetField { object: list.clone(), field: 1 };
        self.temp_of(items, array, span)
    }

    /// One past a counter that is below something.
    pub fn successor(&self, counter: Operand) -> Rvalue {
        Rvalue::Binary(BinaryOp::AddUnchecked, counter, int(1))
    }
}
