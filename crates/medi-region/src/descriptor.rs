//! Descriptors: what a handle to a buffer points at.
//!
//! A handle is (descriptor address, generation). Freeing a buffer bumps the descriptor's generation, so
//! the comparison `handle.generation == descriptor.generation` answers whether the handle is alive.
//! Generations only grow and a descriptor is reused only after a bump, so an old handle never matches again.
//! Each descriptor remembers how its last buffer ended, for the error message of a stale handle.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::guard::{Guarding, Guards};

/// The words that compiled code reads; written only by the thread that owns the buffer.
#[repr(C)]
#[derive(Debug)]
pub struct Descriptor {
    generation: AtomicU64,
    base: AtomicU64,
    len: AtomicU64,
}

impl Descriptor {
    pub const GENERATION: usize = offset_of!(Descriptor, generation);
    pub const BASE: usize = offset_of!(Descriptor, base);
    pub const LEN: usize = offset_of!(Descriptor, len);

    // Relaxed throughout: a handle reaches another thread only through something that synchronises.

    /// The generation of the live buffer, or of the next one when none lives.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Address of the first byte; 0 when no buffer lives here.
    pub fn base(&self) -> u64 {
        self.base.load(Ordering::Relaxed)
    }

    /// Of the buffer, in bytes; 0 when no buffer lives here.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a buffer's life ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Freed,
    ScopeExited,
}

/// The life of a buffer that has ended. Sites are the caller's own numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    pub ending: Ending,
    pub allocated_at: u64,
    pub ended_at: u64,
    /// In bytes.
    pub len: u64,
}

/// A descriptor with what only this crate needs to know of its buffer. Only who owns the buffer writes; others may
/// read what is told of its end, and see a mixture if the buffer's memory is used for another one meanwhile.
#[repr(C)]
pub(crate) struct Slot {
    /// First, so that a descriptor's address is its slot's.
    pub(crate) descriptor: Descriptor,
    /// Index in the list of live buffers.
    live: AtomicU64,
    allocated_at: AtomicU64,
    last: LastEnd,
}

/// How the last buffer of a slot ended.
#[derive(Default)]
struct LastEnd {
    /// 0 when none has.
    generation: AtomicU64,
    freed: AtomicBool,
    allocated_at: AtomicU64,
    ended_at: AtomicU64,
    len: AtomicU64,
}

impl Slot {
    fn new() -> Self {
        let descriptor = Descriptor {
            generation: AtomicU64::new(1),
            base: AtomicU64::new(0),
            len: AtomicU64::new(0),
        };
        Self {
            descriptor,
            live: AtomicU64::new(0),
            allocated_at: AtomicU64::new(0),
            last: LastEnd::default(),
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn allocated_at(&self) -> u64 {
        self.allocated_at.load(Ordering::Relaxed)
    }

    /// A buffer begins; answers its generation.
    pub(crate) fn begin(&self, base: u64, len: u64, live: usize, site: u64) -> u64 {
        self.descriptor.base.store(base, Ordering::Relaxed);
        self.descriptor.len.store(len, Ordering::Relaxed);
        self.live.store(live as u64, Ordering::Relaxed);
        self.allocated_at.store(site, Ordering::Relaxed);
        self.descriptor.generation()
    }

    /// The buffer ends: every handle to it is stale from here on.
    pub(crate) fn end(&self, ending: Ending, ended_at: u64) {
        let generation = self.descriptor.generation();
        self.last.freed.store(ending == Ending::Freed, Ordering::Relaxed);
        self.last.allocated_at.store(self.allocated_at(), Ordering::Relaxed);
        self.last.ended_at.store(ended_at, Ordering::Relaxed);
        self.last.len.store(self.descriptor.len(), Ordering::Relaxed);
        self.last.generation.store(generation, Ordering::Relaxed);
        self.descriptor.generation.store(generation + 1, Ordering::Relaxed);
        self.descriptor.base.store(0, Ordering::Relaxed);
        self.descriptor.len.store(0, Ordering::Relaxed);
    }

    /// How the buffer of that generation ended, unless the descriptor has been reused since.
    pub(crate) fn ending_of(&self, generation: u64) -> Option<End> {
        let last = &self.last;
        (last.generation.load(Ordering::Relaxed) == generation).then(|| End {
            ending: match last.freed.load(Ordering::Relaxed) {
                true => Ending::Freed,
                false => Ending::ScopeExited,
            },
            allocated_at: last.allocated_at.load(Ordering::Relaxed),
            ended_at: last.ended_at.load(Ordering::Relaxed),
            len: last.len.load(Ordering::Relaxed),
        })
    }
}

/// Slots at stable addresses, handed out again in the order they came back, so that the memory of how a
/// buffer ended lasts as long as possible.
#[derive(Default)]
pub(crate) struct Pool {
    /// How many slots wait at least before one is used again.
    waiting: usize,
    blocks: Vec<Box<[Slot]>>,
    free: std::collections::VecDeque<NonNull<Slot>>,
}

const BLOCK: usize = 64;

/// Slots that wait in a checked run before one is used again, so that it is known how a buffer ended.
const WAITING: usize = 4096;

impl Pool {
    /// Slots for buffers that are guarded so.
    pub(crate) fn for_guards(guards: &Guards) -> Pool {
        let waiting = if guards.guarding() == Guarding::Every { WAITING } else { 0 };
        Pool { waiting, ..Pool::default() }
    }

    pub(crate) fn take(&mut self) -> NonNull<Slot> {
        if self.free.len() <= self.waiting {
            let block: Box<[Slot]> = (0..BLOCK).map(|_| Slot::new()).collect();
            self.free.extend(block.iter().map(NonNull::from));
            self.blocks.push(block);
        }
        self.free.pop_front().expect("a block of slots was just added")
    }

    pub(crate) fn give_back(&mut self, slot: NonNull<Slot>) {
        self.free.push_back(slot);
    }
}
