//! The types of every operand.

use super::{Check, has_order};
use crate::mir::{
    BinaryOp, NativeParam, Operand, Record, Rvalue, StmtKind, TerminatorKind, UnaryOp, Variant,
};
use crate::types::{Ty, TyId, Types};

impl Check<'_> {
    pub(super) fn types(&mut self) {
        let function = self.function;
        for (index, block) in function.blocks.iter().enumerate() {
            for (number, stmt) in block.stmts.iter().enumerate() {
                self.at(index, number);
                self.stmt(&stmt.kind);
            }
            self.at_end(index);
            match &block.terminator.kind {
                TerminatorKind::Branch { cond, .. } => self.operand(cond, Types::BOOL),
                TerminatorKind::Switch { value, .. } => {
                    let ty = self.operand_ty(value);
                    self.require(matches!(ty, Types::INT | Types::BYTE), "a switch on a number");
                }
                TerminatorKind::Return(value) => self.operand(value, function.result),
                _ => {}
            }
        }
    }

    fn require(&mut self, holds: bool, what: &str) {
        if !holds {
            self.wrong(format!("this is not {what}"));
        }
    }

    fn name(&self, ty: TyId) -> String {
        self.program.type_name(ty)
    }

    fn same(&mut self, found: TyId, wanted: TyId) {
        if found != wanted {
            let (found, wanted) = (self.name(found), self.name(wanted));
            self.wrong(format!("`{found}` stands where `{wanted}` is wanted"));
        }
    }

    fn operand(&mut self, operand: &Operand, wanted: TyId) {
        self.same(self.operand_ty(operand), wanted);
    }

    fn operands(&mut self, operands: &[Operand], wanted: &[TyId]) {
        if operands.len() != wanted.len() {
            let (found, wanted) = (operands.len(), wanted.len());
            self.wrong(format!("{found} operands stand where {wanted} are wanted"));
        }
        for (operand, wanted) in operands.iter().zip(wanted) {
            self.operand(operand, *wanted);
        }
    }

    /// The type inside an operand's type.
    fn part(&mut self, operand: &Operand, what: &str, pick: fn(&Ty) -> Option<TyId>) -> TyId {
        let ty = self.operand_ty(operand);
        match pick(self.program.types.get(ty)) {
            Some(part) => part,
            None => {
                let name = self.name(ty);
                self.wrong(format!("`{name}` stands where {what} is wanted"));
                Types::ERROR
            }
        }
    }

    fn array_element(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "an array", |ty| match ty {
            Ty::Array(element) => Some(*element),
            _ => None,
        })
    }

    fn scope_element(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "scope memory", |ty| match ty {
            Ty::Buffer | Ty::Owned(_) => Some(Types::BYTE),
            Ty::View(element) => Some(*element),
            _ => None,
        })
    }

    /// Whole memory, not a window on it.
    fn bytes(&mut self, operand: &Operand) {
        self.part(operand, "a buffer", |ty| match ty {
            Ty::Buffer | Ty::Owned(_) => Some(Types::BYTE),
            _ => None,
        });
    }

    fn shared(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "a shared object", |ty| match ty {
            Ty::Shared(record) => Some(*record),
            _ => None,
        })
    }

    fn atomic_element(&mut self, view: &Operand, index: &Operand) {
        let element = self.scope_element(view);
        let atomic = matches!(self.program.types.get(element), Ty::Atomic(Types::INT));
        self.require(atomic, "a view of atomics");
        self.operand(index, Types::INT);
    }

    fn optional(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "an optional", |ty| match ty {
            Ty::Optional(inner) => Some(*inner),
            _ => None,
        })
    }

    fn outcome(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "a result", |ty| match ty {
            Ty::Result(inner) => Some(*inner),
            _ => None,
        })
    }

    fn cell(&mut self, operand: &Operand) -> TyId {
        self.part(operand, "a cell", |ty| match ty {
            Ty::Cell(inner) => Some(*inner),
            _ => None,
        })
    }

    fn record(&mut self, ty: TyId) -> Option<Record> {
        let record = self.program.records.get(&ty).cloned();
        if record.is_none() {
            let name = self.name(ty);
            self.wrong(format!("`{name}` is not a record of the program"));
        }
        record
    }

    fn variant(&mut self, ty: TyId, variant: u32) -> Option<Variant> {
        let declared = self.program.enums.get(&ty);
        let found = declared.and_then(|lowered| lowered.variants.get(variant as usize)).cloned();
        if found.is_none() {
            let name = self.name(ty);
            self.wrong(format!("`{name}` has no variant {variant}"));
        }
        found
    }

    fn own_field_ty(&mut self, object: &Operand, field: u32) -> TyId {
        let record = self.part(object, "an object of a scope", |ty| match ty {
            Ty::Own(record) | Ty::Shared(record) => Some(*record),
            _ => None,
        });
        self.field_of(record, field)
    }

    fn field_ty(&mut self, object: &Operand, field: u32) -> TyId {
        let ty = self.operand_ty(object);
        self.field_of(ty, field)
    }

    fn field_of(&mut self, ty: TyId, field: u32) -> TyId {
        let record = self.record(ty);
        match record.and_then(|record| record.fields.get(field as usize).map(|field| field.ty)) {
            Some(ty) => ty,
            None => {
                self.wrong(format!("there is no field {field}"));
                Types::ERROR
            }
        }
    }

    fn stmt(&mut self, stmt: &StmtKind) {
        match stmt {
            StmtKind::Assign(local, rvalue) => {
                let wanted = self.function.locals[local.index()].ty;
                self.rvalue(rvalue, wanted);
            }
            StmtKind::SetField { object, field, value } => {
                let shared = !self.program.values.contains(&self.operand_ty(object));
                self.require(shared, "a record kept by reference, since a field is assigned");
                let ty = self.field_ty(object, *field);
                self.operand(value, ty);
            }
            StmtKind::SetElem { array, index, value } => {
                let element = self.array_element(array);
                self.operand(index, Types::INT);
                self.operand(value, element);
            }
            StmtKind::SetCell { cell, value } => {
                let content = self.cell(cell);
                self.operand(value, content);
            }
            StmtKind::SetScopeElem { base, index, value } => {
                let element = self.scope_element(base);
                self.operand(index, Types::INT);
                self.operand(value, element);
            }
            StmtKind::Barrier { object } => {
                let ty = self.operand_ty(object);
                let object = matches!(
                    self.program.types.get(ty),
                    Ty::Record(..) | Ty::Array(_) | Ty::Cell(_)
                );
                self.require(object, "an object that can be stored into");
            }
            StmtKind::Bounds { index, len } => {
                self.operand(index, Types::INT);
                self.operand(len, Types::INT);
            }
            StmtKind::Free(freed) => {
                let ty = self.operand_ty(freed);
                if !matches!(self.program.types.get(ty), Ty::Shared(_)) {
                    self.bytes(freed);
                }
            }
            StmtKind::SetOwnField { object, field, value } => {
                let ty = self.own_field_ty(object, *field);
                self.operand(value, ty);
            }
            StmtKind::AtomicStore { view, index, value, .. } => {
                self.atomic_element(view, index);
                self.operand(value, Types::INT);
            }
            StmtKind::ScopeEnter(_)
            | StmtKind::ScopeExit(_)
            | StmtKind::Safepoint
            | StmtKind::Fence(_) => {}
        }
    }

    fn rvalue(&mut self, rvalue: &Rvalue, wanted: TyId) {
        match rvalue {
            Rvalue::Use(value) => self.operand(value, wanted),
            Rvalue::Unary(op, value) => {
                let (from, to) = unary_types(*op);
                self.operand(value, from);
                self.same(to, wanted);
            }
            Rvalue::Binary(op, left, right) => self.binary(*op, left, right, wanted),
            Rvalue::NewRecord { ty, fields } => {
                self.same(*ty, wanted);
                if let Some(record) = self.record(*ty) {
                    let types: Vec<_> = record.fields.iter().map(|field| field.ty).collect();
                    self.operands(fields, &types);
                }
            }
            Rvalue::NewVariant { ty, variant, fields } => {
                self.same(*ty, wanted);
                if let Some(found) = self.variant(*ty, *variant) {
                    let types: Vec<_> = found.fields.iter().map(|field| field.ty).collect();
                    self.operands(fields, &types);
                    let plain = self.program.enums[ty].is_plain();
                    self.require(!plain, "an enum whose variants are objects");
                }
            }
            Rvalue::NewArray { ty, len } => {
                self.same(*ty, wanted);
                let array = matches!(self.program.types.get(*ty), Ty::Array(_));
                self.require(array, "an array type");
                self.operand(len, Types::INT);
            }
            Rvalue::NewClosure { function, ty, captures } => {
                self.same(*ty, wanted);
                let callee = &self.program.functions[function.index()];
                match &callee.captures {
                    Some(types) => self.operands(captures, types),
                    None => self.wrong("the function is not a closure"),
                }
                let params = callee.locals[..callee.params].iter().map(|local| local.ty).collect();
                match self.program.types.get(*ty).clone() {
                    Ty::Func { params: wanted, result } => {
                        let result = if result == Types::NEVER { Types::UNIT } else { result };
                        self.same(callee.result, result);
                        self.lists(params, wanted);
                    }
                    _ => self.wrong("the closure's type is not a function"),
                }
            }
            Rvalue::NewCell { ty, value } => {
                self.same(*ty, wanted);
                match self.program.types.get(*ty) {
                    Ty::Cell(content) => self.operand(value, *content),
                    _ => self.wrong("the cell's type is not a cell"),
                }
            }
            Rvalue::GetField { object, field } => {
                let ty = self.field_ty(object, *field);
                self.same(ty, wanted);
            }
            Rvalue::GetElem { array, index } => {
                let element = self.array_element(array);
                self.operand(index, Types::INT);
                self.same(element, wanted);
            }
            Rvalue::ArrayLen(array) => {
                self.array_element(array);
                self.same(Types::INT, wanted);
            }
            Rvalue::GetCell(cell) => {
                let content = self.cell(cell);
                self.same(content, wanted);
            }
            Rvalue::Capture(index) => {
                let captures = self.function.captures.as_ref().expect("ids are in range");
                self.same(captures[*index as usize], wanted);
            }
            Rvalue::MakeTuple(parts) => match self.program.types.get(wanted).clone() {
                Ty::Tuple(types) => self.operands(parts, &types),
                _ => self.wrong("a tuple is assigned to something else"),
            },
            Rvalue::GetTuple { tuple, index } => {
                let ty = self.operand_ty(tuple);
                match self.program.types.get(ty).clone() {
                    Ty::Tuple(types) if (*index as usize) < types.len() => {
                        self.same(types[*index as usize], wanted);
                    }
                    _ => self.wrong("the tuple has no such part"),
                }
            }
            Rvalue::MakeSome { ty, value } => {
                self.same(*ty, wanted);
                match self.program.types.get(*ty) {
                    Ty::Optional(inner) => self.operand(value, *inner),
                    _ => self.wrong("the type is not optional"),
                }
            }
            Rvalue::IsSome(value) => {
                self.optional(value);
                self.same(Types::BOOL, wanted);
            }
            Rvalue::UnwrapSome(value) => {
                let inner = self.optional(value);
                self.same(inner, wanted);
            }
            Rvalue::MakeOk { ty, value } => {
                self.same(*ty, wanted);
                match self.program.types.get(*ty) {
                    Ty::Result(inner) => self.operand(value, *inner),
                    _ => self.wrong("the type is not a result"),
                }
            }
            Rvalue::MakeErr { ty, message } => {
                self.same(*ty, wanted);
                let result = matches!(self.program.types.get(*ty), Ty::Result(_));
                self.require(result, "a result");
                self.operand(message, Types::STR);
            }
            Rvalue::IsOk(value) => {
                self.outcome(value);
                self.same(Types::BOOL, wanted);
            }
            Rvalue::UnwrapOk(value) => {
                let inner = self.outcome(value);
                self.same(inner, wanted);
            }
            Rvalue::UnwrapErr(value) => {
                self.outcome(value);
                self.same(Types::STR, wanted);
            }
            Rvalue::VariantTag(value) => {
                let ty = self.operand_ty(value);
                self.require(matches!(self.program.types.get(ty), Ty::Enum(..)), "an enum");
                self.same(Types::INT, wanted);
            }
            Rvalue::GetVariantField { value, variant, field } => {
                let ty = self.operand_ty(value);
                if let Some(found) = self.variant(ty, *variant) {
                    match found.fields.get(*field as usize) {
                        Some(field) => self.same(field.ty, wanted),
                        None => self.wrong("the variant has no such field"),
                    }
                }
            }
            Rvalue::Call { function, args } => {
                let callee = &self.program.functions[function.index()];
                let params: Vec<_> =
                    callee.locals[..callee.params].iter().map(|local| local.ty).collect();
                self.operands(args, &params);
                self.require(callee.captures.is_none(), "a function that is called by name");
                self.same(callee.result, wanted);
            }
            Rvalue::CallClosure { callee, args } => {
                let ty = self.operand_ty(callee);
                match self.program.types.get(ty).clone() {
                    Ty::Func { params, result } => {
                        self.operands(args, &params);
                        let result = if result == Types::NEVER { Types::UNIT } else { result };
                        self.same(result, wanted);
                    }
                    _ => self.wrong("what is called is not a function value"),
                }
            }
            Rvalue::CallNative { native, args } => {
                let native = &self.program.natives[native.index()];
                let types = native.params.iter().map(|param| match param {
                    NativeParam::Plain(ty) | NativeParam::Shaped(ty) => *ty,
                });
                self.operands(args, &types.collect::<Vec<_>>());
                self.same(native.result, wanted);
            }
            Rvalue::Allocate { bytes, .. } => {
                self.operand(bytes, Types::INT);
                self.same(Types::BUFFER, wanted);
            }
            Rvalue::MakeView { ty, buffer, offset, len } => {
                self.same(*ty, wanted);
                let view = matches!(self.program.types.get(*ty), Ty::View(_));
                self.require(view, "a view type");
                self.bytes(buffer);
                self.operand(offset, Types::INT);
                self.operand(len, Types::INT);
            }
            Rvalue::SliceView { view, from, to } => {
                self.scope_element(view);
                self.operand(view, wanted);
                self.operand(from, Types::INT);
                self.operand(to, Types::INT);
            }
            Rvalue::NewOwn { ty, fields, .. } => {
                self.same(*ty, wanted);
                let (record, count) = match *self.program.types.get(*ty) {
                    Ty::Own(record) => (record, None),
                    Ty::Shared(record) => (record, Some(Types::INT)),
                    _ => return self.wrong("the type is not that of an object of a scope"),
                };
                if let Some(record) = self.record(record) {
                    let fields_of = record.fields.iter().map(|field| field.ty);
                    let types: Vec<_> = fields_of.chain(count).collect();
                    self.operands(fields, &types);
                }
            }
            Rvalue::GetOwnField { object, field } => {
                let ty = self.own_field_ty(object, *field);
                self.same(ty, wanted);
            }
            Rvalue::Share(shared) => {
                self.shared(shared);
                self.operand(shared, wanted);
            }
            Rvalue::Downgrade { ty, shared } => {
                self.same(*ty, wanted);
                let record = self.shared(shared);
                let weak = *self.program.types.get(*ty) == Ty::Weak(record);
                self.require(weak, "a weak reference to the shared object");
            }
            Rvalue::Upgrade { ty, weak } => {
                self.same(*ty, wanted);
                let record = self.part(weak, "a weak reference", |ty| match ty {
                    Ty::Weak(record) => Some(*record),
                    _ => None,
                });
                let inner = match self.program.types.get(*ty) {
                    Ty::Optional(inner) => Some(self.program.types.get(*inner)),
                    _ => None,
                };
                let shared = inner == Some(&Ty::Shared(record));
                self.require(shared, "an optional shared object");
            }
            Rvalue::ShareCount(shared) => {
                self.shared(shared);
                self.same(Types::INT, wanted);
            }
            Rvalue::SplitView { ty, view, at } => {
                self.operand(view, *ty);
                self.operand(at, Types::INT);
                match self.program.types.get(wanted).clone() {
                    Ty::Tuple(parts) => self.lists(vec![*ty; 2], parts),
                    _ => self.wrong("two views are assigned to something else"),
                }
            }
            Rvalue::OwnedBuffer { bytes } => {
                self.operand(bytes, Types::INT);
                let owned = matches!(self.program.types.get(wanted), Ty::Owned(Types::BUFFER));
                self.require(owned, "owned memory");
            }
            Rvalue::Pin { ty, object } => {
                self.same(*ty, wanted);
                match self.program.types.get(*ty) {
                    Ty::Pin(inner) => self.operand(object, *inner),
                    _ => self.wrong("the pin's type is not a pin"),
                }
            }
            Rvalue::Unpin(pin) => {
                let inner = self.part(pin, "a pin", |ty| match ty {
                    Ty::Pin(inner) => Some(*inner),
                    _ => None,
                });
                self.same(inner, wanted);
            }
            Rvalue::AtomicLoad { view, index, .. } => {
                self.atomic_element(view, index);
                self.same(Types::INT, wanted);
            }
            Rvalue::AtomicUpdate { view, index, value, .. } => {
                self.atomic_element(view, index);
                self.operand(value, Types::INT);
                self.same(Types::INT, wanted);
            }
            Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
                self.atomic_element(view, index);
                self.operand(expected, Types::INT);
                self.operand(new, Types::INT);
                self.same(Types::BOOL, wanted);
            }
            Rvalue::ScopeLen(base) => {
                self.scope_element(base);
                self.same(Types::INT, wanted);
            }
            Rvalue::GetScopeElem { base, index } => {
                let element = self.scope_element(base);
                self.operand(index, Types::INT);
                self.same(element, wanted);
            }
        }
    }

    fn lists(&mut self, found: Vec<TyId>, wanted: Vec<TyId>) {
        if found.len() != wanted.len() {
            self.wrong("the function takes another number of arguments");
        }
        for (found, wanted) in found.into_iter().zip(wanted) {
            self.same(found, wanted);
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Operand, right: &Operand, wanted: TyId) {
        let ty = self.operand_ty(left);
        self.operand(right, ty);
        let (from, to) = match op {
            BinaryOp::AddInt
            | BinaryOp::SubInt
            | BinaryOp::MulInt
            | BinaryOp::DivInt
            | BinaryOp::RemInt
            | BinaryOp::AddUnchecked
            | BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::Shl
            | BinaryOp::Shr
            | BinaryOp::MinInt
            | BinaryOp::MaxInt => (Some(Types::INT), Types::INT),
            BinaryOp::AddFloat
            | BinaryOp::SubFloat
            | BinaryOp::MulFloat
            | BinaryOp::DivFloat
            | BinaryOp::MinFloat
            | BinaryOp::MaxFloat => (Some(Types::FLOAT), Types::FLOAT),
            BinaryOp::CompareFloat(_) => (Some(Types::FLOAT), Types::BOOL),
            BinaryOp::Compare(_) => {
                let scalar = match self.program.types.get(ty) {
                    Ty::Int | Ty::Byte | Ty::Bool => true,
                    Ty::Enum(..) => self.program.enums[&ty].is_plain(),
                    _ => false,
                };
                self.require(scalar, "a comparison of numbers, bools or plain variants");
                self.require(has_order(op, self.program.types.get(ty)), "a type with an order");
                (None, Types::BOOL)
            }
            BinaryOp::Same => {
                let shared = !self.program.values.contains(&ty);
                let references = self.program.holds_references(ty) && shared;
                self.require(references, "a comparison of references");
                (None, Types::BOOL)
            }
        };
        if let Some(from) = from {
            self.same(ty, from);
        }
        self.same(to, wanted);
    }
}

/// From what to what.
fn unary_types(op: UnaryOp) -> (TyId, TyId) {
    match op {
        UnaryOp::NegInt | UnaryOp::BitNot | UnaryOp::AbsInt => (Types::INT, Types::INT),
        UnaryOp::NegFloat | UnaryOp::Sqrt | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::AbsFloat => {
            (Types::FLOAT, Types::FLOAT)
        }
        UnaryOp::Not => (Types::BOOL, Types::BOOL),
        UnaryOp::IntToFloat => (Types::INT, Types::FLOAT),
        UnaryOp::FloatToInt | UnaryOp::RoundToInt => (Types::FLOAT, Types::INT),
        UnaryOp::ByteToInt => (Types::BYTE, Types::INT),
        UnaryOp::IntToByte => (Types::INT, Types::BYTE),
        UnaryOp::BoolToInt => (Types::BOOL, Types::INT),
    }
}
