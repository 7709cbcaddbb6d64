//! Equality, hashes and order of any values, and the errors that the library raises.

use std::cmp::Ordering;

use crate::call::Call;
use crate::compare::{self, Comparer, Memo, TooDeep};
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::format::{self, Spec};
use crate::shape::{Kind, ShapeId};
use crate::stubs;
use crate::value::{Value, text};

super::table! {
    call equals, call hash, call compare, leaf hash_int, call raise, call raise_argument,
    call raise_failure, call raise_index, call raise_missing_key, call raise_race,
}

/// The comparer of a call.
pub(super) fn comparer<'a>(call: &'a Call, memo: &'a Memo) -> Comparer<'a> {
    Comparer::new(call.shapes(), call.hash_seed(), call.stack_end(), memo)
}

pub(super) fn too_deep(call: Call) {
    let message = "these values are nested too deep to compare, or contain themselves";
    let help = "compare a field that identifies them, or use `same(a, b)`";
    call.raise(RuntimeError::new(codes::BAD_ARGUMENT, message).with_help(help));
}

fn value(at: *const u8, shape: u64) -> Value {
    Value { at, shape: ShapeId(shape as u32) }
}

/// `equals[T](a: T, b: T) -> bool`.
unsafe extern "C" fn equals(
    context: *mut Context,
    a: *const u8,
    a_shape: u64,
    b: *const u8,
    b_shape: u64,
) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        match comparer(&call, &Memo::default()).equal(value(a, a_shape), value(b, b_shape)) {
            Ok(equal) => u64::from(equal),
            Err(TooDeep) => {
                too_deep(call);
                0
            }
        }
    }
}

/// `hash[T](value: T) -> int`.
unsafe extern "C" fn hash(context: *mut Context, at: *const u8, shape: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        match comparer(&call, &Memo::default()).hash(value(at, shape)) {
            Ok(hash) => hash,
            Err(TooDeep) => {
                too_deep(call);
                0
            }
        }
    }
}

/// `compare[T](a: T, b: T) -> int`: negative, 0 or positive.
unsafe extern "C" fn compare(
    context: *mut Context,
    a: *const u8,
    a_shape: u64,
    b: *const u8,
    b_shape: u64,
) -> i64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        match comparer(&call, &Memo::default()).order(value(a, a_shape), value(b, b_shape)) {
            Ok(Some(order)) => match order {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            },
            Ok(None) => {
                no_order(call, ShapeId(a_shape as u32));
                0
            }
            Err(TooDeep) => {
                too_deep(call);
                0
            }
        }
    }
}

pub(super) fn no_order(call: Call, shape: ShapeId) {
    let name = &call.shapes().get(shape).name;
    let message = format!("values of type {name} have no order");
    let help = "sort by a part of them, such as `sort_by(x => x.age)`";
    call.raise(RuntimeError::new(codes::BAD_ARGUMENT, message).with_help(help));
}

/// `hash_int(x: int) -> int`.
unsafe extern "C" fn hash_int(context: *mut Context, x: u64) -> u64 {
    // SAFETY: see the module `natives`.
    compare::hash_word(x, unsafe { Call::new(context) }.hash_seed())
}

/// `raise(message: string)`: stops the program.
unsafe extern "C" fn raise(context: *mut Context, message: u64) {
    // SAFETY: see the module `natives`.
    let (call, message) = unsafe { (Call::new(context), text(message)) };
    call.raise(failure(message));
}

/// An error from a message whose lines after the first may say how to help: `help: …`, as the readers' do.
fn failure(message: &str) -> RuntimeError {
    let mut parts = message.split("\nhelp: ");
    let error = RuntimeError::new(codes::FAILURE, parts.next().unwrap_or_default());
    parts.fold(error, RuntimeError::with_help)
}

/// `raise_argument(message: string)`: stops the program for an argument that a library function cannot use.
unsafe extern "C" fn raise_argument(context: *mut Context, message: u64) {
    // SAFETY: see the module `natives`.
    let (call, message) = unsafe { (Call::new(context), text(message)) };
    call.bad_argument(message);
}

/// `raise_failure(message: string)`: a failed result was used as its value, or reached the end of `main`.
unsafe extern "C" fn raise_failure(context: *mut Context, message: u64) {
    // SAFETY: see the module `natives`.
    let (call, message) = unsafe { (Call::new(context), text(message)) };
    let mut error = failure(message);
    if error.help.is_empty() {
        error = error.with_help("handle it with `match`, `.or(default)`, or hand it on with `?`");
    }
    call.raise(error);
}

/// `raise_index(index: int, len: int)`.
unsafe extern "C" fn raise_index(context: *mut Context, index: i64, len: i64) {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context) }.raise(stubs::index_error(index, len));
}

/// `raise_race(message: string)`: tasks have changed something at the same time, so that it cannot be used.
unsafe extern "C" fn raise_race(context: *mut Context, message: u64) {
    // SAFETY: see the module `natives`.
    let (call, message) = unsafe { (Call::new(context), text(message)) };
    call.raise(RuntimeError::new(codes::RACE, message).with_help(stubs::RACE_HELP));
}

/// `raise_missing_key[K](key: K)`.
unsafe extern "C" fn raise_missing_key(context: *mut Context, at: *const u8, shape: u64) {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let key = value(at, shape);
        let mut shown = vec![];
        if matches!(call.shapes().get(key.shape).kind, Kind::Str) {
            format::quote(&mut shown, text(key.read(0)));
        } else {
            format::append(&mut shown, call.shapes(), key, Spec::PLAIN, call.stack_end());
        }
        let shown = String::from_utf8_lossy(&shown);
        let message = format!("the map has no key {shown}");
        let help = "`get(key)` gives nil for a missing key, `get(key) ?? default` a default";
        call.raise(RuntimeError::new(codes::MISSING_KEY, message).with_help(help));
    }
}
