//! The functions behind [`Stub`]: what compiled code falls back to when its inline path does not do.
//!
//! Compiled code has noted where it left (exit frame and pc) and stored its allocation cursor before it
//! gets here. A stub that stops the program sets [`Context::raised`] and returns like any other.

use std::sync::atomic::Ordering;

use medi_heap::{ObjectRef, TypeId, layout};

use crate::call::Call;
use crate::check;
use crate::context::{Context, Stub, StubFn};
use crate::error::{RuntimeError, codes};
use crate::stack;
use crate::thread::Stop;
use crate::trap::{self, TrapCode};

/// What goes into [`Context::stubs`].
pub fn addresses() -> [usize; Stub::COUNT] {
    let mut table = [0; Stub::COUNT];
    let mut set =
        |stub: Stub, address: StubFn| table[stub as usize] = address as *const () as usize;
    set(Stub::Allocate, allocate);
    set(Stub::AllocateArray, allocate_array);
    set(Stub::Safepoint, safepoint);
    set(Stub::Barrier, barrier);
    set(Stub::StackCheck, stack_check);
    set(Stub::RaiseIndex, raise_index);
    set(Stub::RaiseTrap, raise_trap);
    table
}

fn answer(call: Call, allocated: Result<ObjectRef, medi_heap::OutOfMemory>) -> u64 {
    match allocated {
        Ok(object) => object.address() as u64,
        Err(error) => {
            call.out_of_memory(&error);
            0
        }
    }
}

/// # Safety
/// For all stubs: called by compiled code (or by the entry's trap path) with its own context.
unsafe extern "C" fn allocate(context: *mut Context, ty: u64, bytes: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    call.collect_for_watch();
    answer(call, call.mutator().alloc_slow(TypeId(ty as u32), bytes as usize))
}

unsafe extern "C" fn allocate_array(context: *mut Context, ty: u64, len: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    if (len as i64) < 0 {
        call.bad_argument(format!("a length cannot be negative: {}", len as i64));
        return 0;
    }
    call.collect_for_watch();
    let array = call.mutator().alloc_array(TypeId(ty as u32), len as usize);
    if let Ok(array) = array {
        // SAFETY: the array is new. Compiled code counts from zero what it puts in.
        unsafe { *array.at::<usize>(layout::ARRAY_LEN) = 0 };
    }
    answer(call, array)
}

unsafe extern "C" fn safepoint(context: *mut Context, _: u64, _: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    if trap::interrupted() {
        call.halt(Stop::Interrupted);
        return 0;
    }
    if call.is_cancelled() {
        call.halt(Stop::Cancelled);
        return 0;
    }
    call.mutator().safepoint();
    0
}

unsafe extern "C" fn barrier(context: *mut Context, object: u64, slot: u64, value: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    if let Some(object) = ObjectRef::from_address(object as usize) {
        // SAFETY: compiled code is about to store this reference there.
        unsafe { call.mutator().write_barrier(object, slot as usize, value as usize) };
    }
    0
}

unsafe extern "C" fn stack_check(context: *mut Context, sp: u64, _: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let floor = unsafe { (*context).stack_floor };
    if (sp as usize) < floor {
        // SAFETY: as above; 0 stands for no operand.
        return unsafe { raise_trap(context, TrapCode::StackOverflow as u64, 0, 0) };
    }
    // SAFETY: as above.
    unsafe {
        (*context).stack_limit.store(floor, Ordering::Relaxed);
        safepoint(context, 0, 0, 0)
    }
}

unsafe extern "C" fn raise_index(context: *mut Context, index: u64, len: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    call.raise(index_error(index as i64, len as i64));
    0
}

/// An index that is not in `0..len`.
pub(crate) fn index_error(index: i64, len: i64) -> RuntimeError {
    let error = RuntimeError::new(
        codes::INDEX,
        format!("index {index} is out of range: there {}", count_of(len)),
    );
    match (index, len) {
        (_, 0) => error.with_help("check `is_empty()` first, or use `get(index)`, which gives nil"),
        (i, n) if i < 0 && i >= -n => error.with_help(format!(
            "indices count from 0; for an element from the end write `xs[xs.len() - {}]`",
            -i
        )),
        (i, n) if i == n => {
            error.with_help(format!("indices count from 0, so the last one is {}", n - 1))
        }
        _ => error.with_help("`get(index)` gives nil where there is no element"),
    }
}

fn count_of(len: i64) -> String {
    match len {
        0 => "are no elements".into(),
        1 => "is 1 element, with index 0".into(),
        n => format!("are {n} elements, with indices 0 to {}", n - 1),
    }
}

unsafe extern "C" fn raise_trap(context: *mut Context, code: u64, operand: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    let Some(code) = TrapCode::from_number(code) else {
        call.raise(RuntimeError::new(codes::INTERNAL, format!("unknown trap {code}")));
        return 0;
    };
    let mut error = trap_error(code);
    match code {
        TrapCode::StackOverflow => {
            // Of all tasks that wait on this stack for the one above.
            // SAFETY: as for the call.
            let frames = unsafe { stack::Frames::new(context) };
            let depth = stack::depth(frames, call.code());
            error.message = format!(
                "the calls are nested {} deep, too deep for the stack",
                stack::grouped(depth)
            );
        }
        TrapCode::ShiftDistance => {
            error.message = format!("{}, this one is {}", code.message(), operand as i64);
        }
        TrapCode::IntToByte => error.message = format!("{}: {}", code.message(), operand as i64),
        TrapCode::FloatToInt => {
            let value = f64::from_bits(operand);
            error.message = format!("{}: {value}", code.message());
        }
        TrapCode::BadAccess => {
            let known = check::fault(call.run(), operand as usize);
            error = known.unwrap_or_else(|| {
                error.message = format!("{} (address {operand:#x})", code.message());
                error
            });
        }
        TrapCode::Overflow
        | TrapCode::DivideByZero
        | TrapCode::NilAssert
        | TrapCode::Race
        | TrapCode::Unreachable => {}
    }
    call.raise(error);
    0
}

/// What to do about R0016.
pub(crate) const RACE_HELP: &str = "what several tasks use at the same time, none of them may change; give each its own, and put the \
     parts together when the tasks have ended";

fn trap_error(code: TrapCode) -> RuntimeError {
    let (number, help) = match code {
        TrapCode::Overflow => {
            (codes::OVERFLOW, "compute with floats if an approximate result will do")
        }
        TrapCode::DivideByZero => (
            codes::DIVIDE_BY_ZERO,
            "check the divisor first; `/` on floats gives inf or nan instead",
        ),
        TrapCode::NilAssert => (codes::NIL, "use `if let x = value { … }` or `value ?? default`"),
        TrapCode::ShiftDistance => (codes::BAD_ARGUMENT, ""),
        TrapCode::FloatToInt => {
            (codes::CONVERSION, "test with `is_nan(x)` first, or clamp the value")
        }
        TrapCode::IntToByte => {
            (codes::CONVERSION, "keep the low eight bits with `byte(band(x, 255))`")
        }
        TrapCode::StackOverflow => (
            codes::STACK_OVERFLOW,
            "a function calls itself without end, or a loop would do; --stack-size allows more",
        ),
        TrapCode::Race => (codes::RACE, RACE_HELP),
        TrapCode::Unreachable | TrapCode::BadAccess => (codes::INTERNAL, ""),
    };
    let error = RuntimeError::new(number, code.message());
    if help.is_empty() { error } else { error.with_help(help) }
}
