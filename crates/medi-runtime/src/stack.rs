//! Walking the frames of compiled code.
//!
//! Compiled functions keep frame pointers, so a frame is two words: the caller's frame pointer and the
//! return address. A walk starts where compiled code left for native code last ([`Context::exit_fp`] and
//! [`Context::exit_pc`]), ends at the entry trampoline's frame, and goes on with the next outer
//! [`Activation`] when native code in between called compiled code again.

use std::collections::VecDeque;
use std::ops::Range;

use crate::code_map::{CodeMap, Position};
use crate::context::{Activation, Context};
use crate::error::Frame;
use crate::watermark::Watermark;

/// How many places of a call stack are shown at its top and at its bottom when it is too long to show.
const SHOWN_AT_EACH_END: usize = 12;

/// One frame of compiled code: the frame pointer, and the address that the call under way returns to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawFrame {
    pub fp: usize,
    pub return_address: usize,
}

/// The frames of compiled code, innermost first.
#[derive(Clone, Copy)]
pub struct Frames {
    next: RawFrame,
    entry_fp: usize,
    outer: *const Activation,
    /// The walk ends before the activation whose previous one is this.
    until: Option<*const Activation>,
    /// Knows the return address that it has taken out of one of the frames.
    watermark: *const Watermark,
}

// SAFETY: the pointers are only followed by a walk, whose caller promises that what they point to is still there.
unsafe impl Send for Frames {}

/// Where a thread left compiled code, so that its frames can be walked later from any thread, as long as it
/// has not come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    left: Activation,
    until: Option<*const Activation>,
    watermark: *const Watermark,
}

// SAFETY: the pointers are only followed by `frames`, whose caller promises that what they point to is still there.
unsafe impl Send for Departure {}
// SAFETY: as above.
unsafe impl Sync for Departure {}

impl Departure {
    /// # Safety
    /// As [`Frames::new`]. `until` is the context's activation when the walked part of the stack began;
    /// `None` when it is the whole stack.
    pub unsafe fn of(context: *const Context, until: Option<*const Activation>) -> Departure {
        // SAFETY: the caller promises a valid context.
        let (context, watermark) = unsafe { (&*context, &raw const (*context).watermark) };
        let left = Activation {
            previous: context.activation,
            exit_fp: context.exit_fp,
            exit_pc: context.exit_pc,
            entry_fp: context.entry_fp,
        };
        Departure { left, until, watermark }
    }

    /// # Safety
    /// The thread has not come back to compiled code from where it left, except to run more on top.
    pub unsafe fn frames(self) -> Frames {
        Frames {
            next: RawFrame { fp: self.left.exit_fp, return_address: self.left.exit_pc },
            entry_fp: self.left.entry_fp,
            outer: self.left.previous,
            until: self.until,
            watermark: self.watermark,
        }
    }
}

impl Frames {
    /// Frames below the native code that this context is in.
    ///
    /// # Safety
    /// `context` is valid, its thread is in native code called from compiled code (or was never in
    /// compiled code), and stays there while the frames are walked.
    pub unsafe fn new(context: *const Context) -> Frames {
        // SAFETY: passed on.
        unsafe { Departure::of(context, None).frames() }
    }
}

impl Frames {
    /// The frames as far as they lie on this part of the stack, one above the other: for a thread that may have left
    /// compiled code without noting where.
    pub(crate) fn within(mut self, stack: Range<usize>) -> impl Iterator<Item = RawFrame> {
        let mut least = stack.start;
        std::iter::from_fn(move || {
            let fp = self.next.fp;
            if !(least..stack.end).contains(&fp) || !fp.is_multiple_of(8) {
                return None;
            }
            least = fp;
            self.next()
        })
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
            if self.until == Some(outer.previous) {
                return None;
            }
            self.next = RawFrame { fp: outer.exit_fp, return_address: outer.exit_pc };
            self.entry_fp = outer.entry_fp;
            self.outer = outer.previous;
        }
        let frame = self.next;
        // SAFETY: `frame.fp` is the frame pointer of a compiled function that has not returned: the
        // caller's frame pointer and the return address lie there, as its prologue put them. The watermark is
        // part of the context whose frames these are.
        let (fp, return_address) = unsafe {
            (*(frame.fp as *const usize), (*self.watermark).return_address(frame.fp + 8))
        };
        self.next = RawFrame { fp, return_address };
        Some(frame)
    }
}

/// The slots of a frame that hold references; they may hold 0.
pub(crate) fn roots(frame: RawFrame, code: &CodeMap) -> impl Iterator<Item = *mut usize> + '_ {
    let offsets = code.roots(frame.return_address).unwrap_or(&[]);
    offsets.iter().map(move |offset| frame.fp.wrapping_add_signed(*offset as isize) as *mut usize)
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
        roots(frame, code).for_each(&mut *visit);
    }
}

/// How many calls of the program's functions are under way, inlined ones included.
///
pub fn depth(frames: Frames, code: &CodeMap) -> usize {
    frames.map(|frame| code.unresolved_frames(frame.return_address).len()).sum()
}

/// Calls one after the other that are at the same place of the same function.
struct Run<'a> {
    function: &'a str,
    position: Option<Position>,
    calls: usize,
}

/// The call stack as a person reads it, innermost first. Equal calls in a row are folded into one and a line
/// that counts the others; a stack that is deep nevertheless is shortened in the middle. Either line is a frame
/// whose function begins with `…` and whose line is 0.
pub fn walk(frames: impl Iterator<Item = RawFrame>, code: &CodeMap) -> Vec<Frame> {
    let calls = frames.flat_map(|frame| code.unresolved_frames(frame.return_address));
    fold(calls, |function, position| code.frame(function, position))
}

fn fold<'a>(
    calls: impl Iterator<Item = (&'a str, Option<Position>)>,
    frame: impl Fn(&str, Option<Position>) -> Frame,
) -> Vec<Frame> {
    let mut top: Vec<Run> = vec![];
    let mut bottom: VecDeque<Run> = VecDeque::new();
    let mut left_out = 0;
    for (function, position) in calls {
        if let Some(run) = bottom.back_mut().or(top.last_mut())
            && run.function == function
            && run.position == position
        {
            run.calls += 1;
            continue;
        }
        let run = Run { function, position, calls: 1 };
        if top.len() < SHOWN_AT_EACH_END {
            top.push(run);
            continue;
        }
        bottom.push_back(run);
        if bottom.len() > SHOWN_AT_EACH_END {
            left_out += bottom.pop_front().map_or(0, |run| run.calls);
        }
    }
    let mut frames = vec![];
    let show = |frames: &mut Vec<Frame>, run: Run| {
        frames.push(frame(run.function, run.position));
        match run.calls {
            1 => {}
            2 => frames.push(frame(run.function, run.position)),
            calls => {
                let others = grouped(calls - 1);
                frames.push(Frame::note(format!("… {others} more calls of {}", run.function)));
            }
        }
    };
    top.into_iter().for_each(|run| show(&mut frames, run));
    if left_out > 0 {
        frames.push(Frame::note(format!("… {} more calls …", grouped(left_out))));
    }
    bottom.into_iter().for_each(|run| show(&mut frames, run));
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

    fn folded(calls: &[(&'static str, u32)]) -> Vec<String> {
        let calls =
            calls.iter().map(|(name, offset)| (*name, Some(Position { file: 0, offset: *offset })));
        let frame = |function: &str, position: Option<Position>| {
            let line = position.map_or(0, |position| position.offset);
            Frame { function: function.to_string(), file: "a.medi".into(), line, column: 1 }
        };
        fold(calls, frame).iter().map(Frame::to_string).collect()
    }

    #[test]
    fn equal_calls_in_a_row_are_shown_once_and_counted() {
        let mut calls = vec![("f", 1)];
        calls.extend([("f", 2); 9999]);
        calls.extend([("f", 3), ("f", 3), ("main", 9)]);
        let shown = [
            "f (a.medi:1:1)",
            "f (a.medi:2:1)",
            "… 9,998 more calls of f",
            "f (a.medi:3:1)",
            "f (a.medi:3:1)",
            "main (a.medi:9:1)",
        ];
        assert_eq!(folded(&calls), shown);
    }

    #[test]
    fn a_deep_stack_of_different_calls_loses_its_middle() {
        let calls: Vec<_> =
            (0..1000).map(|i| if i % 2 == 0 { ("f", 1) } else { ("g", 2) }).collect();
        let shown = folded(&calls);
        assert_eq!(shown.len(), 2 * SHOWN_AT_EACH_END + 1);
        assert_eq!(shown[SHOWN_AT_EACH_END], "… 976 more calls …");
        assert_eq!(shown.last().map(String::as_str), Some("g (a.medi:2:1)"));
    }
}
