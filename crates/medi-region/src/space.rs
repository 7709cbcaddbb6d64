//! The address space that objects of regions lie in: chunks of 64 KiB, each with a tag.
//!
//! A handle to an object is its address with the tag of its chunk in the upper bits. When a region gives a chunk
//! back, the chunk's tag changes, so that comparing the two tells a stale handle from a live one. A chunk whose tags
//! have run out is never used again, so no handle ever becomes good a second time; address space for that is plenty.
//!
//! Chunks with objects that refer to collected ones are *traced*: [`RegionSpace::visit`] shows them to a collector, on any
//! thread, while the region's own thread allocates. For that, a chunk says how far it is filled, or where the cursor is
//! that says so.

use std::collections::VecDeque;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::guard::bar;
use crate::mapping::Mapping;

/// In bytes.
pub const CHUNK: usize = 64 << 10;
pub const CHUNK_SHIFT: u32 = 16;
/// The bits of a handle that are the address; the tag is above.
pub const ADDRESS_BITS: u32 = 47;
const ADDRESS: u64 = (1 << ADDRESS_BITS) - 1;
/// The chunks of the address space; a power of two.
pub const CHUNKS: usize = 1 << 22;
/// Bytes of the address space.
pub const SPAN: u64 = (CHUNKS * CHUNK) as u64;
const LAST_TAG: u64 = (1 << (64 - ADDRESS_BITS)) - 1;
/// Free chunks beyond so many, 32 MiB, give their memory back to the system.
const WARM: usize = 512;
/// Chunks in quarantine: 64 MiB of addresses.
const QUARANTINE: usize = 1024;
/// Bytes at the start that huge pages are not asked for, so that a program with few objects takes little memory.
const SMALL: usize = 2 << 20;

/// The address in a handle.
pub fn address(handle: u64) -> u64 {
    handle & ADDRESS
}

/// How the last region of a chunk ended, and the tag it had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegionEnd {
    /// Where its first object was allocated, and where it ended; the caller's own numbers.
    pub allocated_at: u64,
    pub ended_at: u64,
}

#[derive(Default)]
struct State {
    /// Chunks that were used, and are free.
    free: Vec<u32>,
    /// Those that nobody may touch, the oldest first, in a checked run.
    quarantine: VecDeque<u32>,
    /// Chunks from here on were never used.
    fresh: u32,
}

/// What is kept of a chunk besides its tag. Only who has the chunk writes, but anybody may read.
#[repr(C)]
struct Chunk {
    /// 0 when it is not traced, else where it is filled to, with the lowest bit set, or the address of the word that
    /// holds a handle to that. Changed under the lock.
    filled: AtomicU64,
    /// How the last region ended: its tag, 0 when there was none, and [`RegionEnd`].
    ended_tag: AtomicU64,
    allocated_at: AtomicU64,
    ended_at: AtomicU64,
}

impl Chunk {
    fn end(&self) -> RegionEnd {
        RegionEnd {
            allocated_at: self.allocated_at.load(Ordering::Relaxed),
            ended_at: self.ended_at.load(Ordering::Relaxed),
        }
    }
}

/// All regions' memory.
pub struct RegionSpace {
    memory: Option<Mapping>,
    /// By chunk: its tag, where handles have it. Zero, which is no chunk's, before its first use.
    tags: Option<Mapping>,
    /// A [`Chunk`] for each chunk.
    chunks: Option<Mapping>,
    /// Chunks that are given back go to the quarantine.
    checked: bool,
    state: Mutex<State>,
}

// SAFETY: the mappings are owned like boxes; what is shared in them is atomic, or a region's own.
unsafe impl Sync for RegionSpace {}

impl Default for RegionSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl RegionSpace {
    /// Reserves address space. When there is none, no region can be made.
    pub fn new() -> RegionSpace {
        let memory = Mapping::new(SPAN as usize).ok();
        if let Some(memory) = &memory {
            memory.prefer_huge_pages(SMALL);
        }
        RegionSpace {
            memory,
            tags: Mapping::new(8 * CHUNKS).ok(),
            chunks: Mapping::new(size_of::<Chunk>() * CHUNKS).ok(),
            checked: false,
            state: Mutex::default(),
        }
    }

    /// A space in which nobody may touch the memory of a region that has ended, until so much has ended after it that
    /// the memory is used again.
    pub fn checked() -> RegionSpace {
        RegionSpace { checked: true, ..RegionSpace::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Address of the first chunk; 0 when there is none.
    #[inline]
    pub fn base(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.base().addr().get() as u64)
    }

    /// Address of the table of tags, one word for each chunk.
    pub fn tags(&self) -> u64 {
        self.tags.as_ref().map_or(0, |tags| tags.base().addr().get() as u64)
    }

    #[inline]
    fn entry<T>(table: &Option<Mapping>, chunk: u32) -> &T {
        let table = table.as_ref().expect("chunks exist only where there is memory");
        debug_assert!((chunk as usize) < CHUNKS);
        // SAFETY: the table has an entry for each chunk, of atomics, and its memory is zero at first.
        unsafe { table.base().cast::<T>().add(chunk as usize).as_ref() }
    }

    #[inline]
    fn tag(&self, chunk: u32) -> &AtomicU64 {
        Self::entry(&self.tags, chunk)
    }

    #[inline]
    fn chunk(&self, chunk: u32) -> &Chunk {
        Self::entry(&self.chunks, chunk)
    }

    #[inline]
    fn start(&self, chunk: u32) -> u64 {
        self.base() + chunk as u64 * CHUNK as u64
    }

    fn chunk_of(&self, handle: u64) -> Option<u32> {
        let offset = address(handle).wrapping_sub(self.base());
        (self.memory.is_some() && offset < SPAN).then_some((offset >> CHUNK_SHIFT) as u32)
    }

    /// The address of the object, when it lives.
    pub fn resolve(&self, handle: u64) -> Option<NonNull<u8>> {
        let chunk = self.chunk_of(handle)?;
        let alive = self.tag(chunk).load(Ordering::Relaxed) == handle & !ADDRESS;
        NonNull::new(std::ptr::with_exposed_provenance_mut(address(handle) as usize))
            .filter(|_| alive)
    }

    /// A chunk that no region has, with any content.
    ///
    /// # Errors
    /// When the address space is used up.
    pub(crate) fn take(&self) -> io::Result<u32> {
        let mut state = self.state();
        if let Some(chunk) = state.free.pop() {
            return Ok(chunk);
        }
        let chunk = state.fresh;
        let exists = self.memory.is_some() && self.tags.is_some() && self.chunks.is_some();
        if !exists || chunk as usize == CHUNKS {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        state.fresh += 1;
        drop(state);
        self.tag(chunk).store(1 << ADDRESS_BITS, Ordering::Relaxed);
        Ok(chunk)
    }

    /// The handle of a chunk's first byte.
    #[inline]
    pub(crate) fn first(&self, chunk: u32) -> u64 {
        self.tag(chunk).load(Ordering::Relaxed) | self.start(chunk)
    }

    /// Makes a chunk traced: `cursor` holds a handle to its end from now on.
    pub(crate) fn trace(&self, chunk: u32, cursor: &AtomicU64) {
        let _state = self.state();
        self.chunk(chunk).filled.store(std::ptr::from_ref(cursor).addr() as u64, Ordering::Relaxed);
    }

    /// A traced chunk is filled up to `end`.
    pub(crate) fn fill(&self, chunk: u32, end: u64) {
        let _state = self.state();
        self.chunk(chunk).filled.store(address(end) | 1, Ordering::Relaxed);
    }

    /// Ends the life of all that is in these chunks. The memory stays the caller's, who may use it for another region.
    #[inline]
    pub(crate) fn end(&self, chunks: &[(u32, u64)], traced: bool, end: RegionEnd, poison: bool) {
        let _state = traced.then(|| self.state());
        for (chunk, filled) in chunks {
            let (tag, info) = (self.tag(*chunk), self.chunk(*chunk));
            let ended = tag.load(Ordering::Relaxed);
            info.allocated_at.store(end.allocated_at, Ordering::Relaxed);
            info.ended_at.store(end.ended_at, Ordering::Relaxed);
            info.ended_tag.store(ended, Ordering::Relaxed);
            if traced {
                info.filled.store(0, Ordering::Relaxed);
            }
            if poison {
                let start = self.start(*chunk);
                let base = std::ptr::with_exposed_provenance_mut::<u8>(start as usize);
                // SAFETY: the chunk is the caller's, filled up to there.
                unsafe { base.write_bytes(0xDB, (address(*filled) - start) as usize) };
            }
            tag.store(ended + (1 << ADDRESS_BITS), Ordering::Relaxed);
        }
    }

    /// Whether the chunk may hold another region.
    #[inline]
    pub(crate) fn is_usable(&self, chunk: u32) -> bool {
        self.tag(chunk).load(Ordering::Relaxed) >> ADDRESS_BITS < LAST_TAG
    }

    /// Whether a thread may keep the chunk for its next region.
    #[inline]
    pub(crate) fn may_keep(&self, chunk: u32) -> bool {
        !self.checked && self.is_usable(chunk)
    }

    /// Gives a chunk back.
    pub(crate) fn give_back(&self, chunk: u32) {
        let mut state = self.state();
        let chunk = match self.checked {
            true => match self.through_quarantine(&mut state, chunk) {
                Some(chunk) => chunk,
                None => return,
            },
            false => chunk,
        };
        let usable = self.is_usable(chunk);
        if !usable || state.free.len() >= WARM {
            let start = std::ptr::with_exposed_provenance_mut::<u8>(self.start(chunk) as usize);
            // SAFETY: nobody has the chunk; its range is mapped, and reads as zero afterwards.
            unsafe { libc::madvise(start.cast(), CHUNK, libc::MADV_DONTNEED) };
        }
        if usable {
            state.free.push(chunk);
        }
    }

    /// Bars a chunk; the one that has been barred for longest, once there are many, is open again.
    fn through_quarantine(&self, state: &mut State, chunk: u32) -> Option<u32> {
        // SAFETY: nobody has the chunk, and what it holds is dead.
        let barred = unsafe { bar(self.start(chunk) as usize, CHUNK, true) };
        if barred.is_err() {
            return Some(chunk);
        }
        state.quarantine.push_back(chunk);
        let many = state.quarantine.len() > QUARANTINE;
        let oldest = many.then(|| state.quarantine.pop_front()).flatten()?;
        // SAFETY: as above.
        let opened = unsafe { bar(self.start(oldest) as usize, CHUNK, false) };
        // One that cannot be opened is never used again.
        opened.ok().map(|()| oldest)
    }

    /// How the region ended that had the memory at an address last, if one had. Takes no lock.
    pub fn ended_at(&self, address: u64) -> Option<RegionEnd> {
        let info = self.chunk(self.chunk_of(address)?);
        (info.ended_tag.load(Ordering::Relaxed) != 0).then(|| info.end())
    }

    /// How the region of a stale handle ended, unless its chunk has held another one since.
    pub fn ending(&self, handle: u64) -> Option<RegionEnd> {
        let info = self.chunk(self.chunk_of(handle)?);
        (info.ended_tag.load(Ordering::Relaxed) == handle & !ADDRESS).then(|| info.end())
    }

    /// Calls `visit` with start and end of the filled part of each traced chunk. What its objects are stays as it is
    /// meanwhile, but the region's thread may change their fields. Regions that end wait for one chunk at most.
    pub fn visit(&self, visit: &mut dyn FnMut(u64, u64)) {
        let fresh = self.state().fresh;
        for chunk in 0..fresh {
            let word = &self.chunk(chunk).filled;
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let _state = self.state();
            let end = match word.load(Ordering::Relaxed) {
                0 => continue,
                filled if filled & 1 == 1 => filled & !1,
                cursor => {
                    let cursor = std::ptr::with_exposed_provenance::<AtomicU64>(cursor as usize);
                    // SAFETY: the word stays in place as long as the chunk is traced. Acquire: what lies before the
                    // cursor was written before it.
                    address(unsafe { (*cursor).load(Ordering::Acquire) })
                }
            };
            visit(self.start(chunk), end);
        }
    }
}
