//! Operands and the values that need no memory: constants, tuples, optionals, results.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value, types};
use medi_check::mir::{self, Const, Local, Operand, Rvalue};
use medi_check::types::{Ty, TyId};
use medi_runtime::context::offsets;
use medi_runtime::shape::{Kind, Scalar};

use crate::unit::ScopeNative;

use super::{Region, Translator, register_type};

impl<'a> Translator<'a> {
    /// A float constant. Zero is cheap to make anywhere; another one, made from its bits, leaves the loops
    /// it is used in, which Cranelift's own constants do not.
    pub(super) fn float(&mut self, value: f64) -> Value {
        if value.to_bits() == 0 {
            return self.builder.ins().f64const(0.0);
        }
        let bits = self.int(value.to_bits() as i64);
        self.builder.ins().bitcast(types::F64, ir::MemFlagsData::new(), bits)
    }

    pub(super) fn operand_type(&self, operand: &Operand) -> TyId {
        mir::operand_ty(&self.source.locals, operand)
    }

    fn variables_of(&self, local: Local) -> std::ops::Range<usize> {
        let first = self.first_variable[local.index()] as usize;
        first..self.first_variable[local.index() + 1] as usize
    }

    pub(super) fn assign(&mut self, local: Local, values: &[Value]) {
        let variables = self.variables_of(local);
        debug_assert_eq!(variables.len(), values.len(), "{}: {local:?}", self.source.name);
        for (index, value) in variables.zip(values) {
            self.builder.def_var(self.variables[index].0, *value);
        }
    }

    /// The scalars of an operand.
    pub(super) fn operand(&mut self, operand: &Operand) -> Vec<Value> {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => {
                let variables = self.variables_of(*local);
                variables.map(|index| self.builder.use_var(self.variables[index].0)).collect()
            }
            Operand::Const(constant) => self.constant(constant),
        }
    }

    /// The scalar of an operand that has exactly one.
    pub(super) fn one(&mut self, operand: &Operand) -> Value {
        let values = self.operand(operand);
        debug_assert_eq!(values.len(), 1, "{}: {operand:?}", self.source.name);
        values[0]
    }

    pub(super) fn int(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(types::I64, value)
    }

    pub(super) fn byte(&mut self, value: u8) -> Value {
        self.builder.ins().iconst(types::I8, i64::from(value))
    }

    fn constant(&mut self, constant: &Const) -> Vec<Value> {
        match *constant {
            Const::Unit => vec![],
            Const::Int(value) => vec![self.int(value)],
            Const::Float(value) => vec![self.float(value)],
            Const::Bool(value) => vec![self.byte(u8::from(value))],
            Const::Byte(value) => vec![self.byte(value)],
            Const::Str(id) => {
                let table = self.load_context(types::I64, offsets::LITERALS);
                vec![self.load(Region::Literals, types::I64, table, 8 * id.0)]
            }
            Const::Nil(ty) => self.zeros(ty),
            Const::Variant(_, variant) => vec![self.byte(variant as u8)],
        }
    }

    /// The value of a type whose scalars are all zero.
    pub(super) fn zeros(&mut self, ty: TyId) -> Vec<Value> {
        let unit = self.unit;
        unit.layouts.scalars(ty).iter().map(|(_, scalar)| self.zero(*scalar)).collect()
    }

    fn zero(&mut self, scalar: Scalar) -> Value {
        match register_type(scalar) {
            types::F64 => self.builder.ins().f64const(0.0),
            ty => self.builder.ins().iconst(ty, 0),
        }
    }

    fn is_optional_reference(&self, ty: TyId) -> bool {
        matches!(self.unit.layouts.shape(ty).kind, Kind::OptionalRef { .. })
    }

    pub(super) fn rvalue(
        &mut self,
        block: usize,
        at: usize,
        destination: Local,
        rvalue: &Rvalue,
    ) -> Vec<Value> {
        match rvalue {
            Rvalue::Use(operand) => self.operand(operand),
            Rvalue::Unary(op, operand) => vec![self.unary(*op, operand)],
            Rvalue::Binary(op, left, right) => {
                let fits = self.cannot_overflow.contains(&(block as u32, at as u32));
                vec![self.binary(*op, left, right, fits)]
            }
            Rvalue::NewRecord { ty, fields } if self.is_inline_record(*ty) => {
                fields.iter().flat_map(|field| self.operand(field)).collect()
            }
            Rvalue::NewRecord { ty, fields } => {
                vec![self.new_record(&self.point(block, at), *ty, fields)]
            }
            Rvalue::NewVariant { ty, variant, fields } => {
                vec![self.new_variant(&self.point(block, at), *ty, *variant, fields)]
            }
            Rvalue::NewArray { ty, len } => vec![self.new_array(&self.point(block, at), *ty, len)],
            Rvalue::NewClosure { function, captures, .. } => {
                vec![self.new_closure(&self.point(block, at), *function, captures)]
            }
            Rvalue::NewCell { ty, value } => {
                vec![self.new_cell(&self.point(block, at), *ty, value)]
            }
            Rvalue::GetField { object, field }
                if self.is_inline_record(self.operand_type(object)) =>
            {
                self.inline_field(object, *field)
            }
            Rvalue::GetField { object, field } => self.get_field(object, *field),
            Rvalue::GetElem { array, index } => self.get_element(array, index),
            Rvalue::ArrayLen(array) => vec![self.array_room(array)],
            Rvalue::GetCell(cell) => self.get_cell(cell),
            Rvalue::Capture(index) => self.capture(*index),
            Rvalue::MakeTuple(parts) => parts.iter().flat_map(|part| self.operand(part)).collect(),
            Rvalue::GetTuple { tuple, index } => self.tuple_part(tuple, *index),
            Rvalue::MakeSome { ty, value } => {
                let mut values = self.operand(value);
                if !self.is_optional_reference(*ty) {
                    values.push(self.byte(1));
                }
                values
            }
            Rvalue::IsSome(operand) => vec![self.is_some(operand)],
            Rvalue::UnwrapSome(operand) => {
                let mut values = self.operand(operand);
                let shape = self.unit.layouts.shape(self.operand_type(operand));
                if let Kind::OptionalValue { value, .. } = &shape.kind {
                    values.pop();
                    self.require_references(value.shape, &values);
                }
                values
            }
            Rvalue::MakeOk { value, .. } => {
                let mut values = vec![self.int(0)];
                values.extend(self.operand(value));
                values
            }
            Rvalue::MakeErr { ty, message } => {
                let mut values = self.zeros(*ty);
                values[0] = self.one(message);
                values
            }
            Rvalue::IsOk(operand) => {
                let values = self.operand(operand);
                vec![self.builder.ins().icmp_imm_u(IntCC::Equal, values[0], 0)]
            }
            Rvalue::UnwrapOk(operand) => {
                let values = self.operand(operand).split_off(1);
                let shape = self.unit.layouts.shape(self.operand_type(operand));
                if let Kind::Result { value } = &shape.kind {
                    self.require_references(value.shape, &values);
                }
                values
            }
            Rvalue::UnwrapErr(operand) => vec![self.operand(operand)[0]],
            Rvalue::VariantTag(operand) => vec![self.variant_tag(operand)],
            Rvalue::GetVariantField { value, variant, field } => {
                self.get_variant_field(value, *variant, *field)
            }
            Rvalue::Call { function, args } => self.call(&self.point(block, at), *function, args),
            Rvalue::CallClosure { callee, args } => {
                self.call_closure(&self.point(block, at), callee, args)
            }
            Rvalue::CallNative { native, args } => {
                self.call_native(self.roots.find(block, at), *native, args)
            }
            Rvalue::Allocate { bytes, .. } => {
                let bytes = self.one(bytes);
                let point = self.roots.find(block, at);
                self.scope_native(point, ScopeNative::Allocate, &[bytes], &[Scalar::I64; 2])
            }
            Rvalue::MakeView { ty, buffer, offset, len } => {
                self.make_view(self.roots.find(block, at), *ty, buffer, offset, len)
            }
            Rvalue::SliceView { view, from, to } => self.slice_view(view, from, to),
            Rvalue::NewOwn { scope, ty, fields } => {
                vec![self.new_own(self.roots.find(block, at), *scope, *ty, fields)]
            }
            Rvalue::GetOwnField { object, field } => self.get_own_field(object, *field),
            Rvalue::Share(shared) => vec![self.share(shared)],
            Rvalue::Downgrade { shared, .. } => vec![self.downgrade(shared)],
            Rvalue::Upgrade { weak, .. } => self.upgrade(weak),
            Rvalue::ShareCount(shared) => vec![self.shared_object(shared).1],
            Rvalue::SplitView { view, at, .. } => self.split_view(view, at),
            Rvalue::OwnedBuffer { bytes } => {
                let bytes = self.one(bytes);
                let point = self.roots.find(block, at);
                self.scope_native(point, ScopeNative::OwnedAllocate, &[bytes], &[Scalar::I64; 2])
            }
            Rvalue::Pin { object, .. } => self.pin(object),
            Rvalue::Unpin(pin) => vec![self.unpin(pin)],
            Rvalue::AtomicLoad { view, index, .. } => vec![self.atomic_load(view, index)],
            Rvalue::AtomicUpdate { op, view, index, value, .. } => {
                vec![self.atomic_update(*op, view, index, value)]
            }
            Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
                vec![self.atomic_compare_swap(view, index, expected, new)]
            }
            Rvalue::ScopeLen(base) => vec![self.scope_len(base)],
            Rvalue::GetScopeElem { base, index } => {
                let ty = self.source.locals[destination.index()].ty;
                self.get_scope_element(base, index, ty)
            }
        }
    }

    fn tuple_part(&mut self, tuple: &Operand, index: u32) -> Vec<Value> {
        let Ty::Tuple(parts) = self.unit.program.types.get(self.operand_type(tuple)) else {
            panic!("{}: no tuple: {tuple:?}", self.source.name);
        };
        let count = |ty: &TyId| self.unit.layouts.scalars(*ty).len();
        let first: usize = parts[..index as usize].iter().map(count).sum();
        let len = count(&parts[index as usize]);
        self.operand(tuple)[first..first + len].to_vec()
    }

    fn is_inline_record(&self, ty: TyId) -> bool {
        matches!(self.unit.layouts.shape(ty).kind, Kind::InlineRecord { .. })
    }

    fn inline_field(&mut self, record: &Operand, field: u32) -> Vec<Value> {
        let range = self.unit.layouts.inline_scalars(self.operand_type(record), field as usize);
        self.operand(record)[range].to_vec()
    }

    fn is_some(&mut self, operand: &Operand) -> Value {
        let ty = self.operand_type(operand);
        let values = self.operand(operand);
        if self.is_optional_reference(ty) {
            self.builder.ins().icmp_imm_u(IntCC::NotEqual, values[0], 0)
        } else {
            *values.last().expect("an optional value has a flag")
        }
    }
}
