//! The context: what one thread of compiled code shares with the runtime.
//!
//! Its address is the first argument of every compiled function, native function and stub. The heap's
//! words come first, so that compiled code finds cursor, limit, poll flag and colours at the offsets of
//! [`medi_heap::layout`]; the rest is laid out by [`offsets`], which the code generator reads.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use medi_heap::MutatorWords;

use crate::thread::Thread;
use crate::watermark::Watermark;

/// How many scalars a native function may return; the first is in a register when it is the only one.
pub const MAX_RESULTS: usize = 8;

#[repr(C, align(64))]
pub struct Context {
    pub heap: MutatorWords,
    /// A compiled function whose stack pointer would go below this calls [`Stub::StackCheck`]. It is
    /// [`Context::stack_floor`], or the highest address while somebody wants this thread to come to a
    /// safepoint soon.
    pub stack_limit: AtomicUsize,
    /// Frame pointer of the compiled frame that called into native code last.
    pub exit_fp: usize,
    /// Its return address.
    pub exit_pc: usize,
    /// Frame pointer of the innermost entry trampoline: where a walk of compiled frames ends.
    pub entry_fp: usize,
    /// The activation that the innermost native code was called from, or null.
    pub activation: *const Activation,
    /// Set to 1 by native code that stops the program; the exit trampoline then goes to the entry's landing
    /// pad instead of returning. The error itself is in [`Thread::error`].
    pub raised: u64,
    /// Results of a native function that returns more than one scalar.
    pub results: [u64; MAX_RESULTS],
    /// String literals, then empty arrays in the order of [`crate::shape::Shapes::arrays`]: one reference each, roots
    /// of the heap.
    pub literals: *mut usize,
    /// Indexed by [`Stub`].
    pub stubs: [usize; Stub::COUNT],
    /// Address of the first chunk of regions, and of the table of their tags.
    pub region_base: u64,
    pub region_tags: u64,
    /// The lowest address that compiled code may use of its stack; below it lies the reserve for native
    /// code.
    pub stack_floor: usize,
    /// How far the collector has seen this thread's frames.
    pub(crate) watermark: Watermark,
    /// The part that only Rust code reads.
    pub thread: *mut Thread,
}

impl Context {
    /// A context that no thread runs in yet: no heap words, no stack, no literals.
    pub fn new(thread: *mut Thread, stubs: [usize; Stub::COUNT]) -> Context {
        Context {
            heap: MutatorWords::new(),
            stack_limit: AtomicUsize::new(0),
            exit_fp: 0,
            exit_pc: 0,
            entry_fp: 0,
            activation: ptr::null(),
            raised: 0,
            results: [0; MAX_RESULTS],
            literals: ptr::null_mut(),
            stubs,
            region_base: 0,
            region_tags: 0,
            stack_floor: 0,
            watermark: Watermark::default(),
            thread,
        }
    }

    /// Sets the lowest stack address that compiled code may use.
    pub fn set_stack_floor(&mut self, floor: usize) {
        self.stack_floor = floor;
        self.stack_limit.store(floor, Ordering::Relaxed);
    }
}

/// Runtime functions that compiled code calls through the context, all [`StubFn`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Stub {
    /// (type id, size in bytes) → object with its header written, memory zeroed; raises when out of memory.
    Allocate,
    /// (array type id, length in elements) → array with header and length; raises for a negative length.
    AllocateArray,
    /// A thread comes to its safepoint.
    Safepoint,
    /// (object, address of the word that is written, what is stored or 0 for nil): tells the collector of the store
    /// of a reference into an object whose colour is not the one to skip. The store follows, with no safepoint in
    /// between.
    Barrier,
    /// (stack pointer): stack overflow when it is below [`Context::stack_floor`]; else somebody asked for a
    /// safepoint, and [`Context::stack_limit`] goes back to the floor.
    StackCheck,
    /// (index, length): raises the error of an index out of range.
    RaiseIndex,
    /// (trap code, operand): raises the error of [`crate::trap::TrapCode`].
    RaiseTrap,
}

impl Stub {
    pub const COUNT: usize = 7;

    /// Whether it always stops the program.
    pub const fn raises(self) -> bool {
        matches!(self, Stub::RaiseIndex | Stub::RaiseTrap)
    }
}

/// What is behind a [`Stub`]. One with fewer than three arguments does not look at the others.
pub type StubFn = unsafe extern "C" fn(*mut Context, u64, u64, u64) -> u64;

/// One run of compiled code that called native code that called compiled code again: joins the two runs
/// of frames for a walk.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Activation {
    pub previous: *const Activation,
    pub exit_fp: usize,
    pub exit_pc: usize,
    pub entry_fp: usize,
}

/// Byte offsets in [`Context`], for the code generator.
pub mod offsets {
    use std::mem::offset_of;

    use super::Context;

    pub const STACK_LIMIT: usize = offset_of!(Context, stack_limit);
    pub const EXIT_FP: usize = offset_of!(Context, exit_fp);
    pub const EXIT_PC: usize = offset_of!(Context, exit_pc);
    pub const ENTRY_FP: usize = offset_of!(Context, entry_fp);
    pub const RAISED: usize = offset_of!(Context, raised);
    pub const RESULTS: usize = offset_of!(Context, results);
    pub const REGION_BASE: usize = offset_of!(Context, region_base);
    pub const REGION_TAGS: usize = offset_of!(Context, region_tags);
    pub const LITERALS: usize = offset_of!(Context, literals);
    pub const STUBS: usize = offset_of!(Context, stubs);
}

/// Byte offsets in a region, and how handles are made, for the code generator.
pub mod region {
    use medi_region::Region;
    pub use medi_region::space::{ADDRESS_BITS, CHUNK, CHUNK_SHIFT, CHUNKS, SPAN};

    pub const CURSOR: u32 = Region::CURSOR as u32;
    pub const LIMIT: u32 = Region::LIMIT as u32;
    pub const PLAIN: u32 = Region::PLAIN as u32;
    pub const TRACED: u32 = Region::TRACED as u32;
}

/// Byte offsets in a scope's descriptor, for the code generator.
pub mod descriptor {
    use medi_region::Descriptor;

    pub const GENERATION: u32 = Descriptor::GENERATION as u32;
    pub const BASE: u32 = Descriptor::BASE as u32;
    pub const LEN: u32 = Descriptor::LEN as u32;
}
