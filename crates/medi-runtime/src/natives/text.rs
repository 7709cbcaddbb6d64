//! Building and printing text: what interpolation and `print` are compiled to.
//!
//! `fmt_begin`, then pieces, then `fmt_end` or `fmt_print`. The compiler evaluates all pieces first, so builders never
//! nest.

use crate::call::Call;
use crate::context::Context;
use crate::format::{self, Spec};
use crate::shape::ShapeId;
use crate::value::{Value, bytes};

super::table! {
    leaf fmt_begin, leaf fmt_text, leaf fmt_value, call fmt_end, call fmt_print,
}

/// Starts a new text.
unsafe extern "C" fn fmt_begin(context: *mut Context) {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context) }.builder().clear();
}

/// Appends a string as it is.
unsafe extern "C" fn fmt_text(context: *mut Context, text: u64) {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context).builder().extend_from_slice(bytes(text)) };
}

/// Appends any value: `fmt_value[T](value: T, align: int, width: int, precision: int)`.
unsafe extern "C" fn fmt_value(
    context: *mut Context,
    at: *const u8,
    shape: u64,
    align: i64,
    width: i64,
    precision: i64,
) {
    let value = Value { at, shape: ShapeId(shape as u32) };
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let spec = Spec::new(align, width, precision);
        format::append(call.builder(), call.shapes(), value, spec, call.stack_end());
    }
}

/// The text as a string.
unsafe extern "C" fn fmt_end(context: *mut Context) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    call.new_text(call.builder()).unwrap_or(0)
}

/// Prints the text and a newline.
unsafe extern "C" fn fmt_print(context: *mut Context) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let text: &[u8] = call.builder();
    if call.output().line_at_once(text) {
        return;
    }
    if let Err(error) = call.waiting(|| call.output().line(text)) {
        call.output_failed(&error);
    }
}
