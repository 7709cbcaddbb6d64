//! Walking the frames of compiled code.
//!
//! Compiled functions keep frame pointers, so a frame is two words: the caller's frame pointer and the
//! return address. A walk starts where compiled code left for native code last ([`Context::exit_fp`] and
//! [`Context::exit_pc`]), ends at the entry trampoline's frame, and goes on with the next outer
//! [`Activation`] when native code in between called compiled code again.

use crate::code_map::CodeMap;
use crate::context::{Activation, Context};
use crate::error::Frame;

/// How many frames of a call stack are shown at its top and at its bottom when it is too long to show.
const SHOWN_AT_EACH_END: usize = 12;

/// One frame of compiled code: the frame pointer, and the address that the call under way returns to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawFrame {
    pub fp: usize,
    pub return_address: usize,
}

/// The frames of compiled code, innermost first.
pub struct Frames {
    next: RawFrame,
    entry_fp: usize,
    outer: *const Activation,
}

impl Frames {
    /// Frames below the native code that this context is in.
    ///
    /// # Safety
    /// `context` is valid, its thread is in native code called from compiled code (or was never in
    /// compiled code), and stays there while the frames are walked.
    pub unsafe fn new(context: *const Context) -> Frames {
        // SAFETY: the caller promises a valid context.
        let context = unsafe { &*context };
        Frames {
            next: RawFrame { fp: context.exit_fp, return_address: context.exit_pc },
            entry_fp: context.entry_fp,
            outer: context.activation,
        }
    }
}

impl Iterator for Frames {
    type Item = RawFrame;

    fn next(&mut self) -> Option<RawFrame> {
        while self.next.fp == self.entry_fp {
            if self.outer.is_null() {
                return None;
            }
            // SAFETY: an activation lives in the native frame that entered compiled code again, which
            // has not returned while the walked thread stays where it is.
            let outer = unsafe { &*self.outer };
            self.next = RawFrame { fp: outer.exit_fp, return_address: outer.exit_pc };
            self.entry_fp = outer.entry_fp;
            self.outer = outer.previous;
        }
        let frame = self.next;
        // SAFETY: `frame.fp` is the frame pointer of a compiled function that has not returned: the
        // caller's frame pointer and the return address lie there, as its prologue put them.
        let (fp, return_address) =
            unsafe { (*(frame.fp as *const usize), *((frame.fp + 8) as *const usize)) };
        self.next = RawFrame { fp, return_address };
        Some(frame)
    }
}

/// Visits every stack slot of compiled code that holds a reference. A slot may hold 0.
///
/// # Safety
/// As [`Frames::new`]; `code` describes all compiled code on the stack.
pub unsafe fn visit_roots(
    context: *const Context,
    code: &CodeMap,
    visit: &mut dyn FnMut(*mut usize),
) {
    // SAFETY: passed on.
    for frame in unsafe { Frames::new(context) } {
        for offset in code.roots(frame.return_address).unwrap_or(&[]) {
            visit(frame.fp.wrapping_add_signed(*offset as isize) as *mut usize);
        }
    }
}

/// How many calls of the program's functions are under way, inlined ones included.
///
/// # Safety
/// As [`Frames::new`].
pub unsafe fn depth(context: *const Context, code: &CodeMap) -> usize {
    // SAFETY: passed on.
    let frames = unsafe { Frames::new(context) };
    frames.map(|frame| code.unresolved_frames(frame.return_address).len()).sum()
}

/// The call stack as a person reads it, innermost first. A deep one is shortened in the middle: the
/// frame there says how many are left out and has line 0.
///
/// # Safety
/// As [`Frames::new`].
pub unsafe fn walk(context: *const Context, code: &CodeMap) -> Vec<Frame> {
    // SAFETY: passed on.
    let total = unsafe { depth(context, code) };
    let shown = |index: usize| {
        total <= 2 * SHOWN_AT_EACH_END + 1
            || index < SHOWN_AT_EACH_END
            || index >= total - SHOWN_AT_EACH_END
    };
    let mut frames = vec![];
    // SAFETY: passed on.
    let calls = unsafe { Frames::new(context) };
    let calls = calls.flat_map(|frame| code.unresolved_frames(frame.return_address));
    for (index, (function, position)) in calls.enumerate() {
        if shown(index) {
            frames.push(code.frame(function, position));
        } else if index == SHOWN_AT_EACH_END {
            let left_out = total - 2 * SHOWN_AT_EACH_END;
            let function = format!("… {} more calls …", grouped(left_out));
            frames.push(Frame { function, file: String::new(), line: 0, column: 0 });
        }
    }
    frames
}

/// A count with commas between groups of three digits.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
