//! Objects of scopes: allocation in a region, and access to their fields.
//!
//! A handle is an address with the tag of its chunk above it. An access subtracts the tag that the chunk has now; what
//! is left is an address inside the regions' space exactly if the object is there. Everything about a new object is
//! written before the region's cursor passes it, so that a collector that follows the cursor finds whole objects.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::Variable;
use medi_check::mir::{Operand, ScopeId};
use medi_check::types::{Ty, TyId};
use medi_runtime::context::{offsets, region};
use medi_runtime::shape::{Place, Scalar};

use super::memory::Destination;
use super::{Region, Translator};
use crate::layout::object_size;
use crate::roots::Point;
use crate::unit::ScopeNative;

impl<'a> Translator<'a> {
    pub(super) fn region_variable(&mut self, scope: ScopeId) -> Variable {
        let builder = &mut self.builder;
        *self.region_variables.entry(scope).or_insert_with(|| builder.declare_var(types::I64))
    }

    fn low_bits(&mut self, handle: Value, shift: u32) -> Value {
        let up = self.builder.ins().ishl_imm_u(handle, i64::from(64 - region::ADDRESS_BITS));
        self.builder.ins().ushr_imm_u(up, i64::from(64 - region::ADDRESS_BITS + shift))
    }

    /// What is the address of the object of a handle if it is there, and whether it is gone.
    fn find_own(&mut self, handle: Value) -> (Value, Value) {
        let base = self.load_context(types::I64, offsets::REGION_BASE);
        let tags = self.load_context(types::I64, offsets::REGION_TAGS);
        let address = self.low_bits(handle, 0);
        let offset = self.builder.ins().isub(address, base);
        let chunk = self.builder.ins().ushr_imm_u(offset, i64::from(region::CHUNK_SHIFT));
        let chunk = self.builder.ins().band_imm_u(chunk, region::CHUNKS as i64 - 1);
        let entry = self.scaled(tags, chunk, 8);
        let tag = self.load(Region::Scope, types::I64, entry, 0);
        let found = self.builder.ins().isub(handle, tag);
        let within = self.builder.ins().isub(found, base);
        let gone = self.builder.ins().icmp_imm_u(
            IntCC::UnsignedGreaterThanOrEqual,
            within,
            region::SPAN as i64,
        );
        (found, gone)
    }

    /// The address of the object of a handle; stops the program when it is gone.
    fn own_address(&mut self, handle: Value) -> Value {
        let (found, gone) = self.find_own(handle);
        self.raise_own_if(gone, handle);
        found
    }

    fn raise_own_if(&mut self, condition: Value, handle: Value) {
        self.diverge_if(condition, |this| {
            this.scope_native(Some(Rc::default()), ScopeNative::RegionRaise, &[handle], &[]);
        });
    }

    /// The address of an object whose field is read or written.
    fn own_base(&mut self, object: &Operand) -> Value {
        match self.unit.program.types.get(self.operand_type(object)) {
            Ty::Shared(_) => self.shared_object(object).0,
            _ => {
                let handle = self.one(object);
                self.own_address(handle)
            }
        }
    }

    // Shared objects. The count is behind the fields, and zero once nobody shares the object.

    fn count_offset(&self, object: &Operand) -> u32 {
        let fields = self.unit.layouts.fields(self.operand_type(object));
        fields.last().expect("a shared object has a count").offset
    }

    /// Address and count of a shared object; stops the program when it is gone.
    pub(super) fn shared_object(&mut self, shared: &Operand) -> (Value, Value) {
        let offset = self.count_offset(shared);
        let handle = self.one(shared);
        let base = self.own_address(handle);
        let count = self.load(Region::Field(Scalar::I64), types::I64, base, offset);
        let gone = self.builder.ins().icmp_imm_u(IntCC::Equal, count, 0);
        self.raise_own_if(gone, handle);
        (base, count)
    }

    fn set_count(&mut self, shared: &Operand, base: Value, count: Value, change: i64) {
        let offset = self.count_offset(shared);
        let count = self.builder.ins().iadd_imm_s(count, change);
        self.store(Region::Field(Scalar::I64), count, base, offset);
    }

    pub(super) fn share(&mut self, shared: &Operand) -> Value {
        let (base, count) = self.shared_object(shared);
        self.set_count(shared, base, count, 1);
        self.one(shared)
    }

    pub(super) fn unshare(&mut self, shared: &Operand) {
        let (base, count) = self.shared_object(shared);
        self.set_count(shared, base, count, -1);
    }

    pub(super) fn downgrade(&mut self, shared: &Operand) -> Value {
        self.shared_object(shared);
        self.one(shared)
    }

    /// The handle and whether the object is there, which one more shares then.
    pub(super) fn upgrade(&mut self, weak: &Operand) -> Vec<Value> {
        let offset = self.count_offset(weak);
        let handle = self.one(weak);
        let (base, gone) = self.find_own(handle);
        let (there, counted, done) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let is_there = self.builder.append_block_param(done, types::I8);
        let no = self.byte(0);
        self.builder.ins().brif(gone, done, &[no.into()], there, &[]);
        self.builder.seal_block(there);
        self.builder.switch_to_block(there);
        let count = self.load(Region::Field(Scalar::I64), types::I64, base, offset);
        self.builder.ins().brif(count, counted, &[], done, &[no.into()]);
        self.builder.seal_block(counted);
        self.builder.switch_to_block(counted);
        self.set_count(weak, base, count, 1);
        let yes = self.byte(1);
        self.builder.ins().jump(done, &[yes.into()]);
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        vec![handle, is_there]
    }

    fn own_place(&self, object: &Operand, field: u32) -> &'a Place {
        &self.unit.layouts.fields(self.operand_type(object))[field as usize]
    }

    pub(super) fn get_own_field(&mut self, object: &Operand, field: u32) -> Vec<Value> {
        let place = self.own_place(object, field);
        let base = self.own_base(object);
        self.load_value(Region::Field, place.shape, base, place.offset)
    }

    pub(super) fn set_own_field(&mut self, object: &Operand, field: u32, value: &Operand) {
        let place = self.own_place(object, field);
        let base = self.own_base(object);
        let values = self.operand(value);
        let scalars = &self.unit.layouts.shapes.get(place.shape).scalars;
        let references: Vec<(u32, Value)> = scalars
            .iter()
            .zip(&values)
            .filter(|((_, scalar), _)| *scalar == Scalar::Ref)
            .map(|((at, _), value)| (place.offset + at, *value))
            .collect();
        self.while_shading(!references.is_empty(), |this| {
            for (at, value) in &references {
                let old = this.load(Region::Field(Scalar::Ref), types::I64, base, *at);
                this.shade(old);
                this.shade(*value);
            }
        });
        let (shape, offset) = (place.shape, place.offset);
        self.store_value(Destination { region: Region::Field, shape, base, offset }, &values);
    }

    /// Does something when there are references, and the collector has to hear of them.
    fn while_shading(&mut self, references: bool, body: impl FnOnce(&mut Self)) {
        if references {
            let shading = self.load_context(types::I8, medi_heap::layout::SHADING);
            self.in_cold_block(shading, body);
        }
    }

    fn shade(&mut self, reference: Value) {
        self.scope_native(None, ScopeNative::RegionShade, &[reference], &[]);
    }

    pub(super) fn new_own(
        &mut self,
        point: Option<Rc<Point>>,
        scope: ScopeId,
        ty: TyId,
        fields: &[Operand],
    ) -> Value {
        let unit = self.unit;
        let shape = unit.layouts.shape(ty);
        let places = unit.layouts.fields(ty);
        let heap_type = shape.heap_type.expect("objects of scopes have a type of the heap");
        let traced = !unit.layouts.shapes.reference_offsets(places).is_empty();
        let size = if traced { object_size(shape.object_size) } else { shape.object_size };
        let variable = self.region_variable(scope);
        let holder = self.builder.use_var(variable);
        let bump = if traced { region::TRACED } else { region::PLAIN };
        let size_value = self.int(i64::from(size));
        let merge = self.builder.create_block();
        let handle = self.builder.append_block_param(merge, types::I64);
        let slow = self.builder.create_block();
        self.builder.set_cold_block(slow);
        let cursor = self.load(Region::Scope, types::I64, holder, bump + region::CURSOR);
        let limit = self.load(Region::Scope, types::I64, holder, bump + region::LIMIT);
        let end = self.builder.ins().iadd(cursor, size_value);
        let full = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, limit);
        self.builder.ins().brif(full, slow, &[], merge, &[cursor.into()]);
        self.builder.seal_block(slow);
        self.builder.switch_to_block(slow);
        // Goes on where there is room, and takes nothing there.
        let args = [holder, self.int(i64::from(traced)), size_value];
        let new = self.scope_native(point, ScopeNative::RegionAllocate, &args, &[Scalar::I64])[0];
        self.builder.ins().jump(merge, &[new.into()]);
        self.builder.seal_block(merge);
        self.builder.switch_to_block(merge);
        let address = self.low_bits(handle, 0);
        let header = self.int(i64::from(heap_type.0));
        self.store(Region::Header, header, address, 0);
        let values: Vec<Vec<Value>> = fields.iter().map(|field| self.operand(field)).collect();
        self.while_shading(traced, |this| this.shade_fields(places, &values));
        for (place, values) in places.iter().zip(&values) {
            let (shape, offset) = (place.shape, place.offset);
            let destination = Destination { region: Region::Field, shape, base: address, offset };
            self.store_value(destination, values);
        }
        let end = self.builder.ins().iadd(handle, size_value);
        self.store(Region::Scope, end, holder, bump + region::CURSOR);
        handle
    }

    fn shade_fields(&mut self, places: &[Place], values: &[Vec<Value>]) {
        for (place, values) in places.iter().zip(values) {
            let scalars = &self.unit.layouts.shapes.get(place.shape).scalars;
            for ((_, scalar), value) in scalars.iter().zip(values) {
                if *scalar == Scalar::Ref {
                    self.shade(*value);
                }
            }
        }
    }
}
