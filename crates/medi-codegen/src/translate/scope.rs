//! Scope memory: entering and leaving scopes, buffers, views, and access to their elements.
//!
//! A handle is a descriptor's address and the generation it had when the memory was allocated. Freeing bumps
//! the generation, so an access compares the two first: a difference means that the memory is gone. Then
//! one unsigned comparison finds an index out of bounds. Both failures go to the same native function,
//! which finds out which it was and raises the error. A block does not compare generations twice, nor does it at all
//! where the guard of a loop has ([`crate::versions`]).

use std::mem;
use std::rc::Rc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Value, types};
use medi_check::mir::{AtomicOp, Operand};
use medi_check::types::{Ty, TyId};
use medi_runtime::shape::{Kind, LIST_ITEMS, Scalar};

use super::memory::Destination;
use super::{Region, Translator};
use crate::roots::Point;
use crate::unit::ScopeNative;
use crate::versions::{Guard, SMALL_BITS};
use medi_runtime::context::descriptor;

/// What need not be checked twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The memory of this descriptor and generation is alive.
    Alive(Value, Value),
    /// The index is less than the length.
    Within(Value, Value),
}

/// An access to memory that other threads change meanwhile.
const ATOMIC: MemFlagsData = MemFlagsData::trusted();

impl<'a> Translator<'a> {
    pub(super) fn make_view(
        &mut self,
        point: Option<Rc<Point>>,
        ty: TyId,
        buffer: &Operand,
        offset: &Operand,
        len: &Operand,
    ) -> Vec<Value> {
        let mut args = self.operand(buffer);
        args.push(self.one(offset));
        args.push(self.one(len));
        let size = self.unit.layouts.element(ty).size.max(1);
        args.push(self.int(i64::from(size)));
        self.scope_native(point, ScopeNative::View, &args, &[Scalar::I64; 4])
    }

    /// Calls a native function of scopes; a leaf has no point.
    pub(super) fn scope_native(
        &mut self,
        point: Option<Rc<Point>>,
        native: ScopeNative,
        args: &[Value],
        results: &[Scalar],
    ) -> Vec<Value> {
        self.native(point, self.unit.scope_native(native), args, results)
    }

    /// Leaves through `scope_raise` when `condition` is not zero.
    fn raise_if(&mut self, condition: Value, handle: &[Value], index: Value, len: Value) {
        let (descriptor, generation) = (handle[0], handle[1]);
        // Nothing comes after this call.
        let checked = mem::take(&mut self.checked);
        self.diverge_if(condition, |this| {
            let args = [descriptor, generation, index, len];
            this.scope_native(Some(Rc::default()), ScopeNative::Raise, &args, &[]);
        });
        self.checked = checked;
    }

    /// Whether the block has checked this already; from now on it has.
    fn was_checked(&mut self, check: Check) -> bool {
        let was = self.checked.contains(&check);
        if !was {
            self.checked.push(check);
        }
        was
    }

    /// Stops the program when the memory that the handle refers to was freed.
    fn check_alive(&mut self, handle: &[Value], index: Value, len: Value) {
        if self.was_checked(Check::Alive(handle[0], handle[1])) {
            return;
        }
        let now = self.load(Region::Descriptor, types::I64, handle[0], descriptor::GENERATION);
        let gone = self.builder.ins().icmp(IntCC::NotEqual, now, handle[1]);
        self.raise_if(gone, handle, index, len);
    }

    /// Takes it that what a guard has found alive is alive as the block begins.
    pub(super) fn know_alive(&mut self, block: usize) {
        let versioned = self.versioned;
        for local in versioned.alive.get(&(block as u32)).into_iter().flatten() {
            let handle = self.operand(&Operand::Copy(*local));
            self.checked.push(Check::Alive(handle[0], handle[1]));
        }
    }

    /// Whether what a guard asks holds.
    pub(super) fn guard(&mut self, guard: &Guard) -> Value {
        let mut wrong = self.int(0);
        for small in &guard.small {
            let value = self.one(&Operand::Copy(*small));
            wrong = self.builder.ins().bor(wrong, value);
        }
        // Of a negative one the topmost bit is left.
        wrong = self.builder.ins().ushr_imm_u(wrong, i64::from(SMALL_BITS));
        for alive in &guard.alive {
            let handle = self.operand(&Operand::Copy(*alive));
            let now = self.load(Region::Descriptor, types::I64, handle[0], descriptor::GENERATION);
            let changed = self.builder.ins().bxor(now, handle[1]);
            wrong = self.builder.ins().bor(wrong, changed);
        }
        self.builder.ins().icmp_imm_u(IntCC::Equal, wrong, 0)
    }

    fn buffer_len(&mut self, handle: &[Value]) -> Value {
        self.load(Region::Descriptor, types::I64, handle[0], descriptor::LEN)
    }

    fn is_view(&self, ty: TyId) -> bool {
        matches!(self.unit.layouts.shape(ty).kind, Kind::View { .. })
    }

    pub(super) fn scope_len(&mut self, base: &Operand) -> Value {
        let view = self.is_view(self.operand_type(base));
        let handle = self.operand(base);
        let len = if view { handle[3] } else { self.buffer_len(&handle) };
        let zero = self.int(0);
        self.check_alive(&handle, zero, len);
        len
    }

    /// Checks an access; the address of the element.
    fn element_address(&mut self, base: &Operand, index: &Operand) -> Value {
        let view = self.is_view(self.operand_type(base));
        let stride = if view { self.element_shape(base).1 } else { 1 };
        let handle = self.operand(base);
        let index = self.one(index);
        let len = if view { handle[3] } else { self.buffer_len(&handle) };
        self.check_alive(&handle, index, len);
        if !self.was_checked(Check::Within(index, len)) {
            let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
            self.raise_if(outside, &handle, index, len);
        }
        let start = if view {
            handle[2]
        } else {
            self.load(Region::Descriptor, types::I64, handle[0], descriptor::BASE)
        };
        self.scaled(start, index, stride)
    }

    pub(super) fn get_scope_element(
        &mut self,
        base: &Operand,
        index: &Operand,
        ty: TyId,
    ) -> Vec<Value> {
        let address = self.element_address(base, index);
        let shape = self.unit.layouts.shape_id(ty);
        self.load_value(|_| Region::Scope, shape, address, 0)
    }

    pub(super) fn set_scope_element(&mut self, base: &Operand, index: &Operand, value: &Operand) {
        let base = self.element_address(base, index);
        let shape = self.unit.layouts.shape_id(self.operand_type(value));
        let values = self.operand(value);
        let destination = Destination { region: |_| Region::Scope, shape, base, offset: 0 };
        self.store_value(destination, &values);
    }

    pub(super) fn slice_view(
        &mut self,
        view: &Operand,
        from: &Operand,
        to: &Operand,
    ) -> Vec<Value> {
        let stride = self.element_shape(view).1;
        let handle = self.operand(view);
        let (from, to) = (self.one(from), self.one(to));
        let len = handle[3];
        self.check_alive(&handle, to, len);
        let past_end = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, to, len);
        self.raise_if(past_end, &handle, to, len);
        let crossed = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, from, to);
        self.raise_if(crossed, &handle, from, len);
        let start = self.scaled(handle[2], from, stride);
        let new_len = self.builder.ins().isub(to, from);
        vec![handle[0], handle[1], start, new_len]
    }

    /// Both parts of a view, one after the other.
    pub(super) fn split_view(&mut self, view: &Operand, at: &Operand) -> Vec<Value> {
        let stride = self.element_shape(view).1;
        let handle = self.operand(view);
        let (at, len) = (self.one(at), handle[3]);
        self.check_alive(&handle, at, len);
        let past_end = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, at, len);
        self.raise_if(past_end, &handle, at, len);
        let second = self.scaled(handle[2], at, stride);
        let rest = self.builder.ins().isub(len, at);
        vec![handle[0], handle[1], handle[2], at, handle[0], handle[1], second, rest]
    }

    // Atomics. Every access orders everything: on x86-64 that costs a load nothing, and a store what any order
    // stronger than release costs it.

    pub(super) fn atomic_load(&mut self, view: &Operand, index: &Operand) -> Value {
        let address = self.element_address(view, index);
        self.builder.ins().atomic_load(types::I64, ATOMIC, address)
    }

    pub(super) fn atomic_store(&mut self, view: &Operand, index: &Operand, value: &Operand) {
        let address = self.element_address(view, index);
        let value = self.one(value);
        self.builder.ins().atomic_store(ATOMIC, value, address);
    }

    pub(super) fn atomic_update(
        &mut self,
        op: AtomicOp,
        view: &Operand,
        index: &Operand,
        value: &Operand,
    ) -> Value {
        let address = self.element_address(view, index);
        let value = self.one(value);
        let op = match op {
            AtomicOp::Add => AtomicRmwOp::Add,
            AtomicOp::Swap => AtomicRmwOp::Xchg,
            AtomicOp::Min => AtomicRmwOp::Smin,
            AtomicOp::Max => AtomicRmwOp::Smax,
        };
        self.builder.ins().atomic_rmw(types::I64, ATOMIC, op, address, value)
    }

    pub(super) fn atomic_compare_swap(
        &mut self,
        view: &Operand,
        index: &Operand,
        expected: &Operand,
        new: &Operand,
    ) -> Value {
        let address = self.element_address(view, index);
        let (expected, new) = (self.one(expected), self.one(new));
        let found = self.builder.ins().atomic_cas(ATOMIC, address, expected, new);
        self.builder.ins().icmp(IntCC::Equal, found, expected)
    }

    // Pins: the object, the array that a list has its elements in, and the number of the task.

    fn task_number(&mut self) -> Value {
        self.scope_native(None, ScopeNative::TaskNumber, &[], &[Scalar::I64])[0]
    }

    /// Where a list keeps its array; zero for other objects.
    fn items(&mut self, ty: TyId, object: Value) -> Value {
        match self.unit.layouts.shape(ty).kind {
            Kind::List { .. } => {
                self.load(Region::Field(Scalar::Ref), types::I64, object, LIST_ITEMS)
            }
            _ => self.int(0),
        }
    }

    pub(super) fn pin(&mut self, object: &Operand) -> Vec<Value> {
        let ty = self.operand_type(object);
        let object = self.one(object);
        vec![object, self.items(ty, object), self.task_number()]
    }

    pub(super) fn unpin(&mut self, pin: &Operand) -> Value {
        let Ty::Pin(ty) = *self.unit.program.types.get(self.operand_type(pin)) else {
            panic!("{}: no pin: {pin:?}", self.source.name);
        };
        let parts = self.operand(pin);
        let task = self.task_number();
        let foreign = self.builder.ins().icmp(IntCC::NotEqual, parts[2], task);
        self.raise_pin_if(foreign, 0);
        if let Kind::List { .. } = self.unit.layouts.shape(ty).kind {
            let items = self.items(ty, parts[0]);
            let resized = self.builder.ins().icmp(IntCC::NotEqual, parts[1], items);
            self.raise_pin_if(resized, 1);
        }
        parts[0]
    }

    fn raise_pin_if(&mut self, condition: Value, own: i64) {
        self.diverge_if(condition, |this| {
            let own = this.int(own);
            this.scope_native(Some(Rc::default()), ScopeNative::PinRaise, &[own], &[]);
        });
    }
}
