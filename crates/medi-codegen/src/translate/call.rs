//! Calls: of Medi functions, of closures, of native functions.

use std::rc::Rc;

use cranelift_codegen::ir::{
    self, FuncRef, InstBuilder, SigRef, StackSlotData, StackSlotKind, Value, types,
};
use medi_check::mir::{FunctionId, NativeId, NativeParam, Operand};
use medi_check::types::{Ty, TyId};
use medi_runtime::context::offsets;
use medi_runtime::shape::{CLOSURE_CODE, Scalar};

use super::memory::Destination;
use super::{Region, Translator, register_type};
use crate::convention;
use crate::roots::Point;

impl<'a> Translator<'a> {
    pub(super) fn medi_function(&mut self, id: FunctionId) -> FuncRef {
        let unit = self.unit;
        self.function_ref(convention::NAMESPACE_FUNCTION, id.0, || unit.signature(id))
    }

    pub(super) fn call(
        &mut self,
        point: &Point,
        function: FunctionId,
        args: &[Operand],
    ) -> Vec<Value> {
        let callee = self.medi_function(function);
        let result = self.unit.program.functions[function.index()].result;
        self.call_medi(point, result, &[], args, |this, values| {
            this.builder.ins().call(callee, values)
        })
    }

    pub(super) fn call_closure(
        &mut self,
        point: &Point,
        callee: &Operand,
        args: &[Operand],
    ) -> Vec<Value> {
        let ty = self.operand_type(callee);
        let Ty::Func { result, .. } = *self.unit.program.types.get(ty) else {
            panic!("{}: no function: {callee:?}", self.source.name);
        };
        let signature = self.closure_signature(ty);
        let closure = self.one(callee);
        let code = self.load(Region::Closure, types::I64, closure, CLOSURE_CODE);
        self.call_medi(point, result, &[closure], args, |this, values| {
            this.builder.ins().call_indirect(signature, code, values)
        })
    }

    fn closure_signature(&mut self, ty: TyId) -> SigRef {
        if let Some(known) = self.closure_signatures.get(&ty) {
            return *known;
        }
        let Ty::Func { params, result } = self.unit.program.types.get(ty) else {
            panic!("{}: no function type", self.source.name);
        };
        let signature = convention::signature(&self.unit.layouts, true, params, *result);
        let signature = self.builder.import_signature(signature);
        self.closure_signatures.insert(ty, signature);
        signature
    }

    fn call_medi(
        &mut self,
        point: &Point,
        result: TyId,
        before: &[Value],
        args: &[Operand],
        emit: impl FnOnce(&mut Self, &[Value]) -> ir::Inst,
    ) -> Vec<Value> {
        self.checked.clear();
        let unit = self.unit;
        let scalars = unit.layouts.scalars(result);
        let mut values = vec![self.context];
        values.extend_from_slice(before);
        let area = convention::returns_in_area(scalars).then(|| {
            let size = 8 * scalars.len() as u32;
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3);
            self.builder.create_sized_stack_slot(data)
        });
        if let Some(area) = area {
            values.push(self.builder.ins().stack_addr(types::I64, area, 0));
        }
        for arg in args {
            values.extend(self.operand(arg));
        }
        let inst = self.collecting(point, |this| emit(this, &values));
        match area {
            None => self.builder.inst_results(inst).to_vec(),
            Some(area) => {
                let base = self.builder.ins().stack_addr(types::I64, area, 0);
                let load = |(index, (_, scalar)): (usize, &(u32, Scalar))| {
                    self.load(Region::Shaped, register_type(*scalar), base, 8 * index as u32)
                };
                scalars.iter().enumerate().map(load).collect()
            }
        }
    }

    /// Calls a native function of the program: through its exit trampoline with a point, directly without.
    pub(super) fn call_native(
        &mut self,
        point: Option<Rc<Point>>,
        native: NativeId,
        args: &[Operand],
    ) -> Vec<Value> {
        let unit = self.unit;
        let declaration = &unit.program.natives[native.index()];
        let mut values = vec![];
        for (param, arg) in declaration.params.iter().zip(args) {
            match *param {
                NativeParam::Plain(_) => values.extend(self.operand(arg)),
                NativeParam::Shaped(ty) => {
                    values.push(self.in_memory(ty, arg));
                    let shape = unit.layouts.shape_id(ty);
                    values.push(self.int(i64::from(shape.0)));
                }
            }
        }
        let results: Vec<_> =
            unit.layouts.scalars(declaration.result).iter().map(|(_, scalar)| *scalar).collect();
        self.native(point, native.index(), &values, &results)
    }

    /// Puts a value into the frame in its memory layout and gives its address.
    fn in_memory(&mut self, ty: TyId, operand: &Operand) -> Value {
        let unit = self.unit;
        let shape = unit.layouts.shape(ty);
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, shape.size.max(8), 3);
        let slot = self.builder.create_sized_stack_slot(data);
        let address = self.builder.ins().stack_addr(types::I64, slot, 0);
        let values = self.operand(operand);
        let (shape, base) = (unit.layouts.shape_id(ty), address);
        let destination = Destination { region: |_| Region::Shaped, shape, base, offset: 0 };
        self.store_value(destination, &values);
        address
    }

    /// Calls native function `index` of the unit with scalars; results as scalars.
    pub(super) fn native(
        &mut self,
        point: Option<Rc<Point>>,
        index: usize,
        args: &[Value],
        results: &[Scalar],
    ) -> Vec<Value> {
        self.checked.clear();
        let mut values = vec![self.context];
        for arg in args {
            let narrow = self.builder.func.dfg.value_type(*arg) == types::I8;
            let wide = if narrow { self.builder.ins().uextend(types::I64, *arg) } else { *arg };
            values.push(wide);
        }
        let arg_types: Vec<_> =
            values.iter().map(|value| self.builder.func.dfg.value_type(*value)).collect();
        let signature = || convention::native_signature(&arg_types, results);
        let inst = match point {
            Some(point) => {
                let callee =
                    self.function_ref(convention::NAMESPACE_NATIVE, index as u32, signature);
                self.collecting(&point, |this| this.builder.ins().call(callee, &values))
            }
            None => {
                let signature = self.builder.import_signature(signature());
                let address = self.int(self.unit.natives[index].address as i64);
                self.builder.ins().call_indirect(signature, address, &values)
            }
        };
        match results {
            [] => vec![],
            [one] => {
                let value = self.builder.inst_results(inst)[0];
                vec![match one {
                    Scalar::I8 => self.builder.ins().ireduce(types::I8, value),
                    _ => value,
                }]
            }
            several => {
                let load = |(index, scalar): (usize, &Scalar)| {
                    let offset = offsets::RESULTS + 8 * index;
                    self.load_context(register_type(*scalar), offset)
                };
                several.iter().enumerate().map(load).collect()
            }
        }
    }
}
