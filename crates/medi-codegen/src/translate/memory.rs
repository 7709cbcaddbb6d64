//! Collected objects: allocation, fields, elements, cells, the write barrier, bounds checks.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value, types};
use medi_check::mir::{Const, FunctionId, Operand, Stmt, StmtKind};
use medi_check::types::TyId;
use medi_heap::{TypeId, layout};
use medi_runtime::context::{Stub, offsets};
use medi_runtime::shape::{CLOSURE_CODE, Kind, LIST_ITEMS, Place, Scalar, ShapeId};
use medi_runtime::trap::TrapCode;

use super::{Region, Translator, register_type};
use crate::layout::{LIST_ITEMS_FIELD, LIST_LEN_FIELD, variant_size};
use crate::roots::Point;

/// Where a value goes in memory: `base + offset`.
#[derive(Clone, Copy)]
pub(super) struct Destination {
    pub region: fn(Scalar) -> Region,
    pub shape: ShapeId,
    pub base: Value,
    pub offset: u32,
}

/// One scalar of a value that is stored, at an offset from [`Destination::base`].
struct Part {
    scalar: Scalar,
    offset: u32,
    value: Value,
}

impl<'a> Translator<'a> {
    pub(super) fn load(&mut self, region: Region, ty: ir::Type, base: Value, offset: u32) -> Value {
        let flags = self.regions[region.number() as usize];
        self.builder.ins().load(ty, flags, base, offset as i32)
    }

    pub(super) fn store(&mut self, region: Region, value: Value, base: Value, offset: u32) {
        let flags = self.regions[region.number() as usize];
        self.builder.ins().store(flags, value, base, offset as i32);
    }

    pub(super) fn load_context(&mut self, ty: ir::Type, offset: usize) -> Value {
        self.load(Region::Context, ty, self.context, offset as u32)
    }

    /// Loads the scalars of a value of `shape` that lies at `base + offset`.
    pub(super) fn load_value(
        &mut self,
        region: fn(Scalar) -> Region,
        shape: ShapeId,
        base: Value,
        offset: u32,
    ) -> Vec<Value> {
        let unit = self.unit;
        let scalars = unit.layouts.shapes.get(shape).scalars.iter();
        let load = |(at, scalar): &(u32, Scalar)| match (region(*scalar), *scalar) {
            (region @ (Region::Element(_) | Region::Scope), Scalar::I8) => {
                self.load_byte(region, base, offset + at)
            }
            (region, scalar) => self.load(region, register_type(scalar), base, offset + at),
        };
        scalars.map(load).collect()
    }

    /// Loads a byte so that [`Translator::extended`] knows it as an int.
    fn load_byte(&mut self, region: Region, base: Value, offset: u32) -> Value {
        let flags = self.regions[region.number() as usize];
        let wide = self.builder.ins().uload8(types::I64, flags, base, offset as i32);
        self.builder.ins().ireduce(types::I8, wide)
    }

    /// Stores the scalars of a value.
    pub(super) fn store_value(&mut self, destination: Destination, values: &[Value]) {
        for part in self.parts(destination, values) {
            self.store(
                (destination.region)(part.scalar),
                part.value,
                destination.base,
                part.offset,
            );
        }
    }

    /// What is written where when a value with these scalars is stored.
    fn parts<'v>(
        &self,
        destination: Destination,
        values: &'v [Value],
    ) -> impl Iterator<Item = Part> + use<'a, 'v> {
        let unit = self.unit;
        let scalars = unit.layouts.shapes.get(destination.shape).scalars.iter();
        scalars.zip(values).map(move |((at, scalar), value)| Part {
            scalar: *scalar,
            offset: destination.offset + at,
            value: *value,
        })
    }

    /// Where a statement that stores into an object puts the value.
    fn destination(&mut self, store: &StmtKind) -> Destination {
        let (object, place) = match store {
            StmtKind::SetField { object, field: LIST_ITEMS_FIELD, .. } if self.is_list(object) => {
                let base = self.one(object);
                let Kind::List { items, .. } =
                    self.unit.layouts.shape(self.operand_type(object)).kind
                else {
                    unreachable!("it is a list")
                };
                return Destination {
                    region: Region::Field,
                    shape: items,
                    base,
                    offset: LIST_ITEMS,
                };
            }
            StmtKind::SetField { object, field, .. } => (object, self.field_place(object, *field)),
            StmtKind::SetCell { cell, .. } => (cell, self.cell_place(self.operand_type(cell)).0),
            StmtKind::SetElem { array, index, .. } => {
                let (shape, stride) = self.element_shape(array);
                let array = self.one(array);
                let (base, offset) = self.element_base(array, index, stride);
                return Destination { region: Region::Element, shape, base, offset };
            }
            other => panic!("{}: no store into an object: {other:?}", self.source.name),
        };
        let (base, shape, offset) = (self.one(object), place.shape, place.offset);
        Destination { region: Region::Field, shape, base, offset }
    }

    /// A statement that stores `value` into an object.
    pub(super) fn store_into_object(&mut self, store: &StmtKind, value: &Operand) {
        if let StmtKind::SetField { object, field, .. } = store
            && self.is_list(object)
        {
            let (list, value) = (self.one(object), self.one(value));
            let old = self.list_items(list);
            if *field == LIST_LEN_FIELD {
                self.store_length(value, old);
                return;
            }
            // The new array counts from where the old one has come to.
            let len = self.length(old);
            self.store_length(len, value);
        }
        let destination = self.destination(store);
        let values = self.operand(value);
        self.store_value(destination, &values);
    }

    /// A new object of known size with its header written and zeros behind it.
    fn allocate(&mut self, point: &Point, ty: TypeId, size: u32) -> Value {
        let merge = self.builder.create_block();
        let object = self.builder.append_block_param(merge, types::I64);
        let (fast, slow) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(slow);
        let size_value = self.int(i64::from(size));
        if (size as usize) < layout::LARGE {
            let (cursor, end, full) = self.bump(size_value);
            self.builder.ins().brif(full, slow, &[], fast, &[]);
            self.builder.switch_to_block(fast);
            let header = self.take(ty, end);
            self.store(Region::Header, header, cursor, 0);
            self.builder.ins().jump(merge, &[cursor.into()]);
        } else {
            self.builder.ins().jump(slow, &[]);
            self.builder.switch_to_block(fast);
            self.builder.ins().trap(crate::convention::trap(TrapCode::Unreachable));
        }
        self.builder.seal_block(fast);
        self.builder.seal_block(slow);
        self.builder.switch_to_block(slow);
        let type_value = self.int(i64::from(ty.0));
        let new = self.allocate_slowly(point, Stub::Allocate, type_value, size_value);
        self.builder.ins().jump(merge, &[new.into()]);
        self.builder.seal_block(merge);
        self.builder.switch_to_block(merge);
        object
    }

    /// Cursor, cursor after an object of `size` bytes, and whether that is past the limit.
    fn bump(&mut self, size: Value) -> (Value, Value, Value) {
        let cursor = self.builder.ins().get_pinned_reg(types::I64);
        let end = self.builder.ins().iadd(cursor, size);
        let limit = self.load_context(types::I64, layout::LIMIT);
        let full = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, limit);
        (cursor, end, full)
    }

    /// Makes the memory from `cursor` to `end` an object, and gives what its header is so far.
    fn take(&mut self, ty: TypeId, end: Value) -> Value {
        self.builder.ins().set_pinned_reg(end);
        let template = self.load_context(types::I64, layout::ALLOC_HEADER);
        self.builder.ins().bor_imm_u(template, i64::from(ty.0))
    }

    fn allocate_slowly(&mut self, point: &Point, stub: Stub, first: Value, second: Value) -> Value {
        self.collecting(point, |this| this.call_stub(stub, &[first, second]));
        self.load_context(types::I64, offsets::RESULTS)
    }

    /// Initialising stores: the object is new, its memory zero, and nothing has happened since.
    fn initialise(
        &mut self,
        region: fn(Scalar) -> Region,
        object: Value,
        places: &[Place],
        operands: &[Operand],
    ) {
        for (place, operand) in places.iter().zip(operands) {
            let zero = match operand {
                // Minus zero has a bit set.
                Operand::Const(Const::Float(value)) => value.to_bits() == 0,
                Operand::Const(constant) => matches!(
                    constant,
                    Const::Nil(_)
                        | Const::Int(0)
                        | Const::Bool(false)
                        | Const::Byte(0)
                        | Const::Variant(_, 0)
                ),
                Operand::Copy(_) | Operand::Move(_) => false,
            };
            if !zero {
                let values = self.operand(operand);
                let (shape, offset) = (place.shape, place.offset);
                self.store_value(Destination { region, shape, base: object, offset }, &values);
            }
        }
    }

    pub(super) fn new_record(&mut self, point: &Point, ty: TyId, fields: &[Operand]) -> Value {
        let unit = self.unit;
        let shape = unit.layouts.shape(ty);
        let heap_type = shape.heap_type.expect("records are objects");
        let object = self.allocate(point, heap_type, shape.object_size);
        if matches!(shape.kind, Kind::List { .. }) {
            let [len, items] = fields else { panic!("{}: a list of {fields:?}", self.source.name) };
            let items = self.one(items);
            // A new array's length is zero.
            if *len != Operand::Const(Const::Int(0)) {
                let len = self.one(len);
                self.store_length(len, items);
            }
            self.store(Region::Field(Scalar::Ref), items, object, LIST_ITEMS);
            return object;
        }
        self.initialise(Region::Field, object, unit.layouts.fields(ty), fields);
        object
    }

    pub(super) fn new_variant(
        &mut self,
        point: &Point,
        ty: TyId,
        variant: u32,
        fields: &[Operand],
    ) -> Value {
        let unit = self.unit;
        let variant = &unit.layouts.variants(ty)[variant as usize];
        let heap_type = variant.heap_type.expect("variants of such an enum are objects");
        let size = variant_size(&unit.layouts.shapes, variant);
        let object = self.allocate(point, heap_type, size);
        self.initialise(Region::Field, object, &variant.fields, fields);
        object
    }

    pub(super) fn new_cell(&mut self, point: &Point, ty: TyId, value: &Operand) -> Value {
        let (place, heap_type, size) = self.cell_place(ty);
        let object = self.allocate(point, heap_type, size);
        self.initialise(
            Region::Field,
            object,
            std::slice::from_ref(place),
            std::slice::from_ref(value),
        );
        object
    }

    fn cell_place(&self, ty: TyId) -> (&'a Place, TypeId, u32) {
        let shape = self.unit.layouts.shape(ty);
        let Kind::Cell { value } = &shape.kind else { panic!("no cell: {shape:?}") };
        (value, shape.heap_type.expect("cells are objects"), shape.object_size)
    }

    pub(super) fn get_cell(&mut self, cell: &Operand) -> Vec<Value> {
        let (place, _, _) = self.cell_place(self.operand_type(cell));
        let cell = self.one(cell);
        self.load_value(Region::Field, place.shape, cell, place.offset)
    }

    pub(super) fn new_closure(
        &mut self,
        point: &Point,
        function: FunctionId,
        captures: &[Operand],
    ) -> Value {
        let unit = self.unit;
        let closure = unit.layouts.closure(function);
        let object =
            self.allocate(point, closure.heap_type, crate::layout::object_size(closure.size));
        let callee = self.medi_function(function);
        let code = self.builder.ins().func_addr(types::I64, callee);
        self.store(Region::Closure, code, object, CLOSURE_CODE);
        self.initialise(|_| Region::Closure, object, &closure.captures, captures);
        object
    }

    pub(super) fn capture(&mut self, index: u32) -> Vec<Value> {
        let unit = self.unit;
        let id = self.id;
        let place = &unit.layouts.closure(id).captures[index as usize];
        let closure = self.closure.expect("a closure function");
        let closure = self.builder.use_var(closure);
        self.load_value(|_| Region::Closure, place.shape, closure, place.offset)
    }

    pub(super) fn new_array(&mut self, point: &Point, ty: TyId, len: &Operand) -> Value {
        let unit = self.unit;
        if *len == Operand::Const(Const::Int(0)) {
            return self.empty_array(ty);
        }
        let heap_type = unit.layouts.shape(ty).heap_type.expect("arrays are objects");
        let stride = i64::from(unit.layouts.element(ty).size.max(1));
        let most = (layout::LARGE - layout::ARRAY_DATA - layout::GRANULE) as i64 / stride;
        let most = most.min(layout::ROOM_EXACT as i64);
        let merge = self.builder.create_block();
        let object = self.builder.append_block_param(merge, types::I64);
        let slow = self.builder.create_block();
        self.builder.set_cold_block(slow);
        let constant = match len {
            Operand::Const(Const::Int(len)) => Some(*len),
            _ => None,
        };
        let len = self.one(len);
        if constant.is_none_or(|len| (0..=most).contains(&len)) {
            if constant.is_none() {
                let small = self.builder.create_block();
                let large = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, most);
                self.builder.ins().brif(large, slow, &[], small, &[]);
                self.builder.seal_block(small);
                self.builder.switch_to_block(small);
            }
            let bytes = self.builder.ins().imul_imm_s(len, stride);
            let overhead = (layout::ARRAY_DATA + layout::GRANULE - 1) as i64;
            let bytes = self.builder.ins().iadd_imm_s(bytes, overhead);
            let bytes = self.builder.ins().band_imm_s(bytes, -(layout::GRANULE as i64));
            let (cursor, end, full) = self.bump(bytes);
            let fast = self.builder.create_block();
            self.builder.ins().brif(full, slow, &[], fast, &[]);
            self.builder.seal_block(fast);
            self.builder.switch_to_block(fast);
            let header = self.take(heap_type, end);
            let room = self.builder.ins().ishl_imm_u(len, 8 * layout::ARRAY_ROOM as i64);
            let header = self.builder.ins().bor(header, room);
            self.store(Region::Header, header, cursor, 0);
            self.builder.ins().jump(merge, &[cursor.into()]);
        } else {
            self.builder.ins().jump(slow, &[]);
        }
        self.builder.seal_block(slow);
        self.builder.switch_to_block(slow);
        let type_value = self.int(i64::from(heap_type.0));
        let new = self.allocate_slowly(point, Stub::AllocateArray, type_value, len);
        self.builder.ins().jump(merge, &[new.into()]);
        self.builder.seal_block(merge);
        self.builder.switch_to_block(merge);
        object
    }

    /// The one empty array of the type.
    fn empty_array(&mut self, ty: TyId) -> Value {
        let unit = self.unit;
        let shape = unit.layouts.shape_id(ty);
        let index = unit.layouts.shapes.arrays().position(|array| array == shape);
        let index = unit.program.strings.len() + index.expect("the shape is one of an array");
        let table = self.load_context(types::I64, offsets::LITERALS);
        self.load(Region::Literals, types::I64, table, 8 * index as u32)
    }

    fn field_place(&self, object: &Operand, field: u32) -> &'a Place {
        &self.unit.layouts.fields(self.operand_type(object))[field as usize]
    }

    fn is_list(&self, object: &Operand) -> bool {
        matches!(self.unit.layouts.shape(self.operand_type(object)).kind, Kind::List { .. })
    }

    fn list_items(&mut self, list: Value) -> Value {
        self.load(Region::Field(Scalar::Ref), types::I64, list, LIST_ITEMS)
    }

    fn store_length(&mut self, len: Value, array: Value) {
        self.store(Region::Length, len, array, layout::ARRAY_LEN as u32);
    }

    fn length(&mut self, array: Value) -> Value {
        self.load(Region::Length, types::I64, array, layout::ARRAY_LEN as u32)
    }

    pub(super) fn get_field(&mut self, object: &Operand, field: u32) -> Vec<Value> {
        if self.is_list(object) {
            let list = self.one(object);
            let items = self.list_items(list);
            return vec![if field == LIST_LEN_FIELD { self.length(items) } else { items }];
        }
        let place = self.field_place(object, field);
        let object = self.one(object);
        self.load_value(Region::Field, place.shape, object, place.offset)
    }

    pub(super) fn get_variant_field(
        &mut self,
        value: &Operand,
        variant: u32,
        field: u32,
    ) -> Vec<Value> {
        let unit = self.unit;
        let variant = &unit.layouts.variants(self.operand_type(value))[variant as usize];
        let place = &variant.fields[field as usize];
        let object = self.one(value);
        self.load_value(Region::Field, place.shape, object, place.offset)
    }

    pub(super) fn variant_tag(&mut self, operand: &Operand) -> Value {
        let unit = self.unit;
        let shape = unit.layouts.shape(self.operand_type(operand));
        let value = self.one(operand);
        match &shape.kind {
            Kind::Enum { variants } => {
                let first = variants[0].heap_type.expect("variants of such an enum are objects");
                let ty = self.load(Region::Header, types::I32, value, 0);
                let ty = self.builder.ins().uextend(types::I64, ty);
                self.builder.ins().iadd_imm_s(ty, -i64::from(first.0))
            }
            _ => self.builder.ins().uextend(types::I64, value),
        }
    }

    /// The address that, with [`layout::ARRAY_DATA`] added, is that of an element.
    fn element_base(&mut self, array: Value, index: &Operand, stride: u32) -> (Value, u32) {
        let data = layout::ARRAY_DATA as u32;
        if let Operand::Const(Const::Int(index)) = index
            && let Ok(offset) = u32::try_from(*index * i64::from(stride))
            && offset < 1 << 30
        {
            return (array, data + offset);
        }
        let index = self.one(index);
        (self.scaled(array, index, stride), data)
    }

    /// `base + index * stride`, in the form that becomes one addressing mode where it can.
    pub(super) fn scaled(&mut self, base: Value, index: Value, stride: u32) -> Value {
        let offset = if stride.is_power_of_two() {
            self.builder.ins().ishl_imm_u(index, i64::from(stride.trailing_zeros()))
        } else {
            self.builder.ins().imul_imm_s(index, i64::from(stride))
        };
        self.builder.ins().iadd(base, offset)
    }

    pub(super) fn get_element(&mut self, array: &Operand, index: &Operand) -> Vec<Value> {
        let (shape, stride) = self.element_shape(array);
        let array = self.one(array);
        let (base, offset) = self.element_base(array, index, stride);
        let values = self.load_value(Region::Element, shape, base, offset);
        self.require_references(shape, &values);
        values
    }

    /// In a program with tasks: stops it when a reference of the value is nil though its type excludes that.
    pub(super) fn require_references(&mut self, shape: ShapeId, values: &[Value]) {
        if self.unit.program.tasks {
            let never_nil = self.unit.layouts.shapes.never_nil(shape);
            for (value, _) in values.iter().zip(never_nil).filter(|(_, never_nil)| *never_nil) {
                self.builder.ins().trapz(*value, crate::convention::trap(TrapCode::Race));
            }
        }
    }

    /// Shape and stride of the elements of an array or a view.
    pub(super) fn element_shape(&self, array: &Operand) -> (ShapeId, u32) {
        let layouts = &self.unit.layouts;
        match layouts.shape(self.operand_type(array)).kind {
            Kind::Array { element } | Kind::View { element } => {
                (element, layouts.shapes.get(element).size.max(1))
            }
            ref other => panic!("{}: no array: {other:?}", self.source.name),
        }
    }

    /// How many elements an array has room for; see [`layout::room_of`].
    pub(super) fn array_room(&mut self, array: &Operand) -> Value {
        let array = self.one(array);
        let code = self.load(Region::Length, types::I16, array, layout::ARRAY_ROOM as u32);
        let code = self.builder.ins().uextend(types::I64, code);
        let digits = self.builder.ins().band_imm_u(code, layout::ROOM_EXACT as i64);
        let doublings = self.builder.ins().ushr_imm_u(code, i64::from(layout::ROOM_DIGITS));
        self.builder.ins().ishl(digits, doublings)
    }

    /// One comparison on the usual way: an object of the colour that needs no logging passes, unless a safepoint is
    /// due. Otherwise the collector is told of each reference that the stores behind the barrier write; before that the
    /// thread comes to its safepoint where this barrier carries a poll. A barrier that carries none may be told without need.
    pub(super) fn barrier(&mut self, object: &Operand, stores: &[Stmt], poll: Option<Rc<Point>>) {
        let address = self.one(object);
        let colour = self.colour(address);
        let check = self.check();
        let differs = self.builder.ins().icmp(IntCC::NotEqual, colour, check);
        self.in_cold_block(differs, |this| {
            if let Some(point) = poll {
                this.poll(&point);
                this.check();
            }
            this.tell_of_stores(object, stores);
        });
    }

    fn tell_of_stores(&mut self, object: &Operand, stores: &[Stmt]) {
        let object = self.one(object);
        for store in stores {
            let (_, value) = store.kind.stores_into_object().expect("what a barrier covers");
            let destination = self.destination(&store.kind);
            let values = self.operand(value);
            let parts = self.parts(destination, &values);
            for Part { offset, value, .. } in parts.filter(|part| part.scalar == Scalar::Ref) {
                let slot = self.builder.ins().iadd_imm_s(destination.base, i64::from(offset));
                let done = self.builder.create_block();
                self.builder.set_cold_block(done);
                if let StmtKind::SetElem { .. } = store.kind {
                    self.pass_logged_segment(object, slot, done);
                }
                self.call_stub(Stub::Barrier, &[object, slot, value]);
                self.builder.ins().jump(done, &[]);
                self.builder.seal_block(done);
                self.builder.switch_to_block(done);
            }
        }
    }

    /// An object's colour, as a word.
    fn colour(&mut self, object: Value) -> Value {
        let flags = self.regions[Region::Header.number() as usize];
        self.builder.ins().uload8(types::I64, flags, object, layout::COLOUR as i32)
    }

    /// What is compared with colours. A block loads it once as long as nothing is called that could come to a safepoint:
    /// only there does the colour to skip change.
    fn check(&mut self) -> Value {
        let (variable, known) = self.check;
        if !known {
            let check = self.load_context(types::I64, layout::CHECK);
            self.builder.def_var(variable, check);
            self.check.1 = true;
        }
        self.builder.use_var(variable)
    }

    /// Goes on in `done` when the array is one that is logged by segments, and that of `slot` is logged.
    fn pass_logged_segment(&mut self, array: Value, slot: Value, done: ir::Block) {
        let (check, slow) = (self.builder.create_block(), self.builder.create_block());
        for block in [check, slow] {
            self.builder.set_cold_block(block);
        }
        let colour = self.colour(array);
        let segmented = i64::from(layout::COLOUR_SEGMENTED);
        let in_segments = self.builder.ins().icmp_imm_u(IntCC::Equal, colour, segmented);
        self.builder.ins().brif(in_segments, check, &[], slow, &[]);
        self.builder.seal_block(check);
        self.builder.switch_to_block(check);
        let segment = self.builder.ins().ushr_imm_u(slot, i64::from(layout::SEGMENT_SHIFT));
        let colours = self.load_context(types::I64, layout::SEGMENT_COLOURS);
        let at = self.builder.ins().iadd(colours, segment);
        let colour = self.load(Region::Header, types::I8, at, 0);
        let skip = self.load_context(types::I8, layout::SKIP);
        let logged = self.builder.ins().icmp(IntCC::Equal, colour, skip);
        self.builder.ins().brif(logged, done, &[], slow, &[]);
        self.builder.seal_block(slow);
        self.builder.switch_to_block(slow);
    }

    pub(super) fn bounds(&mut self, index: &Operand, len: &Operand) {
        let (index, len) = (self.one(index), self.one(len));
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.diverge_if(outside, |this| {
            this.raise(Stub::RaiseIndex, index, len);
        });
    }
}
