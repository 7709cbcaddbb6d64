//! Checks of a run: `--check=memory`, and what a fault at a guard page was.
//!
//! Compiled code checks each access to scope memory by itself. What it cannot check is native code that is given the
//! address of a buffer. For that there are guards ([`medi_region::Guards`]): a fault at one is turned into an error that
//! shows where the memory was allocated, where it ended and where it was used. Native code cannot be unwound, so the
//! process ends with that error.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use medi_heap::Bytes;
use medi_region::{Damage, Ending, Found, Guarding, RegionEnd};

use crate::call::{self, Call};
use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry;
use crate::error::{RuntimeError, codes};
use crate::stack::{self, RawFrame};
use crate::thread::Run;

/// What of a run's memory is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Nothing but what compiled code checks by itself.
    Off,
    /// One buffer in every few megabytes has guards.
    #[default]
    Sampled,
    /// All buffers have guards, what has ended stays out of use for long, and stacks are kept; the heap is poisoned and
    /// verified at each collection.
    Memory,
}

impl Check {
    pub(crate) fn guarding(self) -> Guarding {
        match self {
            Check::Off => Guarding::None,
            Check::Sampled => Guarding::Sampled,
            Check::Memory => Guarding::Every,
        }
    }
}

/// Innermost calls that are kept of a stack.
const DEPTH: usize = 24;
/// Different stacks that are kept; a site beyond is one call.
const STACKS: usize = 1 << 16;
/// Of a site that is the number of a stack, and not an address.
const IS_STACK: u64 = 1 << 63;

#[derive(Default)]
struct Known {
    stacks: Vec<Box<[usize]>>,
    numbers: HashMap<Box<[usize]>, u32>,
}

/// Call stacks of allocations and frees, each kept once.
#[derive(Default)]
pub(crate) struct Stacks(Mutex<Known>);

impl Stacks {
    /// The site that stands for these frames, or else for the innermost of them.
    pub(crate) fn site(&self, frames: impl Iterator<Item = RawFrame>) -> u64 {
        let stack: Box<[usize]> = frames.take(DEPTH).map(|frame| frame.return_address).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(&stack) {
            return IS_STACK | u64::from(*number);
        }
        if known.stacks.len() == STACKS {
            return stack.first().map_or(0, |address| *address as u64);
        }
        let number = known.stacks.len() as u32;
        known.stacks.push(stack.clone());
        known.numbers.insert(stack, number);
        IS_STACK | u64::from(number)
    }

    fn frames(&self, site: u64) -> Vec<RawFrame> {
        let frame = |return_address: &usize| RawFrame { fp: 0, return_address: *return_address };
        if site & IS_STACK == 0 {
            return vec![frame(&(site as usize))];
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stack = known.stacks.get((site & !IS_STACK) as usize);
        stack.map_or(vec![], |stack| stack.iter().map(frame).collect())
    }
}

/// Tells of sites what a person can read.
#[derive(Clone, Copy)]
pub(crate) struct Sites<'a> {
    pub code: &'a CodeMap,
    pub stacks: &'a Stacks,
}

impl Sites<'_> {
    /// ` at file:line`, or nothing when that is not known.
    pub(crate) fn place(&self, site: u64) -> String {
        match self.stack(site).first() {
            Some(frame) if frame.line > 0 => format!(" at {}:{}", frame.file, frame.line),
            _ => String::new(),
        }
    }

    fn stack(&self, site: u64) -> Vec<crate::error::Frame> {
        let mut stack = stack::walk(self.stacks.frames(site).into_iter(), self.code);
        call::leave_prelude_out(&mut stack);
        stack
    }

    /// The calls of a site, one a line.
    pub(crate) fn lines(&self, site: u64) -> String {
        let lines: Vec<String> = self.stack(site).iter().map(ToString::to_string).collect();
        if lines.is_empty() { "in the runtime".into() } else { lines.join("\n") }
    }

    /// What happened, each part with its place: `the buffer was allocated at a.medi:1, and freed at a.medi:2`; or with
    /// its stack, one call a line, if one is known of any part.
    pub(crate) fn story(&self, parts: &[(&str, u64)]) -> String {
        if parts.iter().all(|(_, site)| site & IS_STACK == 0) {
            let parts = parts.iter().map(|(what, site)| format!("{what}{}", self.place(*site)));
            return parts.collect::<Vec<_>>().join(", and ");
        }
        let mut lines: Vec<String> = vec![];
        for (what, site) in parts {
            lines.push(if lines.is_empty() { (*what).into() } else { format!("and {what}") });
            lines.extend(self.stack(*site).iter().map(|frame| match frame.line {
                0 if frame.function.starts_with('…') => format!("  {frame}"),
                _ => format!("  at {frame}"),
            }));
        }
        lines.join("\n")
    }
}

/// Who did it, since compiled code checks what it does.
const BY_NATIVE: &str = "a native function did this, which Medi does not check; this is a mistake in Medi, please report it";

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".into() } else { format!("{count} bytes") }
}

/// `3 bytes past the end of` a buffer, of an offset from its start.
fn beside(offset: i64, len: u64) -> String {
    match u64::try_from(offset) {
        Err(_) => format!("{} before", bytes(offset.unsigned_abs())),
        Ok(offset) if offset >= len => format!("{} past the end of", bytes(offset - len + 1)),
        Ok(_) => "inside of".into(),
    }
}

/// The error of bytes beside a buffer that were overwritten.
pub(crate) fn damage(sites: Sites, damage: Damage) -> RuntimeError {
    let (where_, len) = (beside(damage.offset, damage.len), Bytes(damage.len));
    let message = format!("something wrote {where_} a buffer of {len}, as its end shows");
    RuntimeError::new(codes::MEMORY, message)
        .with_help(sites.story(&[("the buffer was allocated", damage.allocated_at)]))
        .with_help(BY_NATIVE)
}

/// What is known of an address that nobody may touch.
enum Barred {
    Buffer(Found),
    Region(RegionEnd),
}

/// Looks an address up. Takes no lock and no memory: signal handlers ask.
fn barred(run: &Run, address: usize) -> Option<Barred> {
    let buffer = run.guards.find(address).map(Barred::Buffer);
    buffer.or_else(|| run.regions.ended_at(address as u64).map(Barred::Region))
}

/// The error of a fault at that address, if it belongs to scope memory.
pub(crate) fn fault(run: &Run, address: usize) -> Option<RuntimeError> {
    let sites = run.sites();
    let (message, story) = match barred(run, address)? {
        Barred::Buffer(Found { offset, len, allocated_at, end }) => {
            let size = Bytes(len);
            let allocated = ("the buffer was allocated", allocated_at);
            match end {
                None => {
                    let beside = beside(offset, len);
                    let message = format!("something touched memory {beside} a buffer of {size}");
                    (message, sites.story(&[allocated]))
                }
                Some(end) => {
                    let (when, what) = match end.ending {
                        Ending::Freed => ("it was freed", "freed"),
                        Ending::ScopeExited => ("its scope ended", "gone with its scope"),
                    };
                    let message = format!("something touched a buffer of {size} after {when}");
                    (message, sites.story(&[allocated, (what, end.ended_at)]))
                }
            }
        }
        Barred::Region(end) => {
            let made = ("the first object of that scope was made", end.allocated_at);
            let message = "something touched an object of a scope that has ended".to_string();
            (message, sites.story(&[made, ("all are gone with it", end.ended_at)]))
        }
    };
    Some(RuntimeError::new(codes::MEMORY, message).with_help(story).with_help(BY_NATIVE))
}

/// Has a fault of native code at a guard reported, if it is one; whether it is. The registers are changed so that the
/// thread goes on in [`report`].
///
/// # Safety
/// Called from a signal handler with the context whose thread it interrupted, and its registers.
pub(crate) unsafe fn resume_at_report(
    context: *mut Context,
    address: usize,
    registers: &mut [i64; 23],
) -> bool {
    // SAFETY: the context is that of the thread, which outlives the handler.
    let run = unsafe { &(*(*context).thread).run };
    if barred(run, address).is_none() {
        return false;
    }
    let sp = registers[libc::REG_RSP as usize];
    registers[libc::REG_RDI as usize] = context as i64;
    registers[libc::REG_RSI as usize] = address as i64;
    registers[libc::REG_RDX as usize] = sp;
    // As after a call, beyond the red zone.
    registers[libc::REG_RSP as usize] = ((sp - 128) & !15) - 8;
    registers[libc::REG_RIP as usize] = report as *const () as i64;
    true
}

/// Ends the process with the error of a fault.
///
/// # Safety
/// The thread of the context is in native code, with its stack pointer at `sp`.
unsafe extern "C" fn report(context: *mut Context, address: usize, sp: usize) -> ! {
    // SAFETY: the caller's promise.
    let call = unsafe { Call::new(context) };
    if let Some(error) = fault(call.run(), address) {
        // A leaf has not noted where compiled code was left; what is noted may be gone.
        let top = entry::stack_bounds().map_or(0, |(low, size)| low + size);
        let mut frames = stack::walk(call.frames().within(sp..top), call.code());
        call::leave_prelude_out(&mut frames);
        // Whoever cannot be told is not.
        let _ = call.output().flush_at_once();
        let _ = writeln!(io::stderr(), "{}", error.with_stack(frames));
    }
    // SAFETY: ends the process, without the destructors of what is in the middle of something.
    unsafe { libc::_exit(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_kept_once() {
        let stacks = Stacks::default();
        let site = |addresses: &[usize]| {
            let frames = addresses.iter().map(|at| RawFrame { fp: 0, return_address: *at });
            stacks.site(frames.collect::<Vec<_>>().into_iter())
        };
        let (a, b) = (site(&[1, 2]), site(&[1, 3]));
        assert!(a != b && a == site(&[1, 2]));
        let addresses = |site| {
            let frames = stacks.frames(site).into_iter();
            frames.map(|frame| frame.return_address).collect::<Vec<_>>()
        };
        assert_eq!((addresses(b), addresses(77)), (vec![1, 3], vec![77]));
        assert_eq!(addresses(site(&[5; 100])), vec![5; DEPTH]);
    }

    #[test]
    fn distances_are_said_in_words() {
        assert_eq!(beside(-1, 10), "1 byte before");
        assert_eq!(beside(10, 10), "1 byte past the end of");
        assert_eq!(beside(63, 10), "54 bytes past the end of");
        assert_eq!(beside(0, 10), "inside of");
    }
}
