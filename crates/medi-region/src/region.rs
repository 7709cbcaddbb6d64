//! The objects of one scope: bumped out of chunks, in two spaces, one of which a collector looks at.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::space::{CHUNK, RegionEnd, RegionSpace, address};

/// Of every object, in bytes.
pub const OBJECT_ALIGNMENT: usize = 8;

/// Where the next object goes. Compiled code reads and writes the first two words: an object of some bytes fits when
/// the cursor plus that does not exceed the limit; its handle is what the cursor was.
#[repr(C)]
#[derive(Default)]
pub struct Bump {
    pub(crate) cursor: AtomicU64,
    pub(crate) limit: AtomicU64,
    /// All chunks and, but for the last, handles to where each is filled to.
    chunks: Vec<(u32, u64)>,
}

/// The memory of one scope's objects. Stays in place as long as its thread, and serves one scope after the other.
#[repr(C)]
#[derive(Default)]
pub struct Region {
    /// Objects that hold no collected references.
    plain: Bump,
    /// Objects that may.
    traced: Bump,
    /// Where the first object was allocated.
    pub(crate) allocated_at: u64,
}

impl Bump {
    #[inline]
    fn room(&self, bytes: usize) -> Option<u64> {
        let handle = self.cursor.load(Ordering::Relaxed);
        (handle + bytes as u64 <= self.limit.load(Ordering::Relaxed)).then_some(handle)
    }

    #[inline]
    fn end(
        &mut self,
        space: &RegionSpace,
        traced: bool,
        end: RegionEnd,
        poison: bool,
        free: &mut impl FnMut(u32),
    ) {
        let Some(last) = self.chunks.last_mut() else { return };
        last.1 = self.cursor.load(Ordering::Relaxed);
        space.end(&self.chunks, traced, end, poison);
        self.cursor.store(0, Ordering::Relaxed);
        self.limit.store(0, Ordering::Relaxed);
        while let Some((chunk, _)) = self.chunks.pop() {
            free(chunk);
        }
    }
}

impl Region {
    pub const CURSOR: usize = std::mem::offset_of!(Bump, cursor);
    pub const LIMIT: usize = std::mem::offset_of!(Bump, limit);
    pub const PLAIN: usize = std::mem::offset_of!(Region, plain);
    pub const TRACED: usize = std::mem::offset_of!(Region, traced);

    #[inline]
    fn bump(&mut self, traced: bool) -> &mut Bump {
        if traced { &mut self.traced } else { &mut self.plain }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.plain.chunks.is_empty() && self.traced.chunks.is_empty()
    }

    /// Goes on in another chunk, `chunk`; answers the handle of its first byte.
    #[inline]
    pub(crate) fn go_on(&mut self, space: &RegionSpace, traced: bool, chunk: u32) -> u64 {
        let bump = self.bump(traced);
        let first = space.first(chunk);
        let end = bump.cursor.load(Ordering::Relaxed);
        if let Some(last) = bump.chunks.last_mut() {
            last.1 = end;
            if traced {
                space.fill(last.0, end);
            }
        }
        bump.chunks.push((chunk, first));
        bump.cursor.store(first, Ordering::Relaxed);
        bump.limit.store(first + CHUNK as u64, Ordering::Relaxed);
        if traced {
            space.trace(chunk, &bump.cursor);
        }
        first
    }

    /// The handle of the next object, if it fits.
    #[inline]
    pub(crate) fn room(&mut self, traced: bool, bytes: usize) -> Option<u64> {
        self.bump(traced).room(bytes)
    }

    /// An object of some bytes, a multiple of [`OBJECT_ALIGNMENT`], with any content, that refers to nothing collected: what
    /// compiled code does by itself. Answers the handle, or `None` when [`crate::Scopes::make_room`] has to be asked.
    #[inline]
    pub fn allocate(&self, bytes: usize) -> Option<u64> {
        debug_assert!(bytes.is_multiple_of(OBJECT_ALIGNMENT));
        let handle = self.plain.room(bytes)?;
        self.plain.cursor.store(handle + bytes as u64, Ordering::Relaxed);
        Some(handle)
    }

    /// Start and end of what is filled of the traced chunks.
    #[inline]
    pub(crate) fn for_each_traced(&self, space: &RegionSpace, visit: &mut dyn FnMut(u64, u64)) {
        let Some((last, full)) = self.traced.chunks.split_last() else { return };
        let cursor = self.traced.cursor.load(Ordering::Relaxed);
        for (chunk, end) in full.iter().chain([&(last.0, cursor)]) {
            visit(address(space.first(*chunk)), address(*end));
        }
    }

    /// Ends the lives of all objects; hands each chunk to `free`.
    #[inline]
    pub(crate) fn end(
        &mut self,
        space: &RegionSpace,
        end: RegionEnd,
        poison: bool,
        mut free: impl FnMut(u32),
    ) {
        if !self.traced.chunks.is_empty() {
            self.traced.end(space, true, end, poison, &mut free);
        }
        self.plain.end(space, false, end, poison, &mut free);
    }
}
