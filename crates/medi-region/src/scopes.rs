//! The stack of scopes of one thread, and the buffers allocated in them.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::chunk::{Chunks, Mark};
use crate::descriptor::{Descriptor, End, Ending, Pool, Slot};
use crate::guard::{Damage, Guarded, Guards, Picker};
use crate::mapping::Mapping;
use crate::region::Region;
use crate::space::{CHUNK, RegionEnd, RegionSpace};
use crate::{ALIGNMENT, LARGE};

/// Buffers of at least this many bytes are asked to be made of huge pages. Smaller ones with memory of their own leave it to
/// the next: clearing it takes a tenth of the time that the system takes for as many small pages.
const HUGE: usize = 4 << 20;
/// Chunks that a thread keeps for its next scopes: a megabyte.
const SPARE: usize = 16;

/// Who counts the bytes. Each charge is released exactly once, at the latest when the [`Scopes`] drops.
pub trait Ledger {
    /// # Errors
    /// When the bytes do not fit under a limit; nothing is charged then.
    fn charge(&self, bytes: u64) -> Result<(), Refused>;
    fn release(&self, bytes: u64);

    /// The objects between these addresses, which may refer to collected ones, are about to end.
    fn end_traced(&self, start: u64, end: u64) {
        let _ = (start, end);
    }
}

/// The ledger has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// A ledger without a limit.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unlimited;

impl Ledger for Unlimited {
    fn charge(&self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn release(&self, _: u64) {}
}

#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Overwrite small buffers with 0xDB when they end, so that a use through a raw address shows.
    pub poison: bool,
    /// Which buffers have pages around them that nobody may touch, and where these are known.
    pub guards: Arc<Guards>,
}

/// A handle to a live buffer.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    pub descriptor: *const Descriptor,
    pub generation: u64,
}

#[derive(Debug)]
pub enum AllocateError {
    /// No scope is open.
    NoScope,
    /// More bytes than an address can count.
    TooLarge,
    /// The ledger refused.
    Limit,
    /// The operating system refused.
    System(std::io::Error),
}

impl fmt::Display for AllocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScope => write!(f, "no scope is open"),
            Self::TooLarge => write!(f, "the size is larger than any memory"),
            Self::Limit => write!(f, "the memory limit is reached"),
            Self::System(error) => write!(f, "the operating system has no memory: {error}"),
        }
    }
}

impl std::error::Error for AllocateError {}

/// A free of a buffer that is not to be freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FreeError {
    /// It does not live: how it ended, unless that is too long ago to be known.
    Ended(Option<End>),
    /// It belongs to a scope of another thread.
    Foreign,
}

enum Memory {
    /// Bumped out of the chunks, between these marks.
    Small {
        before: Mark,
        after: Mark,
    },
    /// Unmapped when dropped.
    Large(Mapping),
    Guarded(Guarded),
}

struct Live {
    slot: NonNull<Slot>,
    memory: Memory,
    charged: u64,
}

struct Scope {
    /// Where its buffers begin in `Scopes::live`.
    first: usize,
    mark: Mark,
    /// Charged for small buffers that were freed while something above them lived: their memory
    /// returns only with the scope.
    held: u64,
}

/// The scopes that a thread has open, and their memory.
pub struct Scopes<L: Ledger> {
    ledger: L,
    options: Options,
    picker: Picker,
    pool: Pool,
    chunks: Chunks,
    open: Vec<Scope>,
    /// Buffers of all open scopes in order of allocation; `None` once freed.
    live: Vec<Option<Live>>,
    space: Arc<RegionSpace>,
    /// Of each open scope, and of those that were open at that depth before.
    #[expect(clippy::vec_box, reason = "compiled code has their addresses")]
    regions: Vec<Box<Region>>,
    /// Chunks that no region holds, and that the thread has paid for.
    spare: Vec<u32>,
    /// The memory of the last buffer of less than [`HUGE`] bytes that had its own, with what it held.
    kept: Option<Mapping>,
}

impl<L: Ledger> Scopes<L> {
    pub fn new(ledger: L, options: Options) -> Self {
        Self::within(ledger, options, Arc::default())
    }

    /// Scopes whose objects lie in a space that other threads share.
    pub fn within(ledger: L, options: Options, space: Arc<RegionSpace>) -> Self {
        Self {
            space,
            regions: vec![],
            spare: vec![],
            kept: None,
            ledger,
            picker: Picker::new(&options.guards),
            pool: Pool::for_guards(&options.guards),
            options,
            chunks: Chunks::default(),
            open: vec![],
            live: vec![],
        }
    }

    /// How many scopes are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Buffers that live, in all open scopes.
    pub fn live_buffers(&self) -> usize {
        self.live.iter().flatten().count()
    }

    /// Opens a scope; answers where its objects go.
    pub fn enter(&mut self) -> NonNull<Region> {
        let mark = self.chunks.mark();
        let depth = self.open.len();
        self.open.push(Scope { first: self.live.len(), mark, held: 0 });
        if depth == self.regions.len() {
            self.regions.push(Box::default());
        }
        NonNull::from(&mut *self.regions[depth])
    }

    /// How many scopes were open when that one was entered whose region this is, if it is open.
    pub fn depth_of(&self, region: *const Region) -> Option<usize> {
        let open = &self.regions[..self.open.len()];
        open.iter().position(|open| std::ptr::from_ref(&**open) == region)
    }

    /// Where the objects of all threads lie.
    pub fn space(&self) -> &RegionSpace {
        &self.space
    }

    /// Room for an object where the cursor of an open scope's region is: what compiled code asks for when there was none.
    /// Answers the handle that the object will have; its memory has any content, and is taken by moving the cursor.
    ///
    /// # Errors
    /// See [`AllocateError`].
    pub fn make_room(
        &mut self,
        region: *const Region,
        traced: bool,
        bytes: usize,
        site: u64,
    ) -> Result<u64, AllocateError> {
        let open = &mut self.regions[..self.open.len()];
        // The innermost first: it is the one nearly always.
        let mut inwards = open.iter_mut().rev();
        let place = inwards.find(|open| std::ptr::from_ref(&***open) == region);
        let region = place.ok_or(AllocateError::NoScope)?;
        if let Some(handle) = region.room(traced, bytes) {
            return Ok(handle);
        }
        if bytes > CHUNK {
            return Err(AllocateError::TooLarge);
        }
        if region.is_empty() {
            region.allocated_at = site;
        }
        let chunk = match self.spare.pop() {
            Some(chunk) => chunk,
            None => {
                self.ledger.charge(CHUNK as u64).map_err(|Refused| AllocateError::Limit)?;
                self.space.take().map_err(|error| {
                    self.ledger.release(CHUNK as u64);
                    AllocateError::System(error)
                })?
            }
        };
        Ok(region.go_on(&self.space, traced, chunk))
    }

    fn end_region(&mut self, depth: usize, ended_at: u64) {
        let region = &mut *self.regions[depth];
        if region.is_empty() {
            return;
        }
        let end = RegionEnd { allocated_at: region.allocated_at, ended_at };
        region.for_each_traced(&self.space, &mut |start, end| self.ledger.end_traced(start, end));
        region.end(&self.space, end, self.options.poison, |chunk| {
            if self.spare.len() < SPARE && self.space.may_keep(chunk) {
                self.spare.push(chunk);
            } else {
                self.space.give_back(chunk);
                self.ledger.release(CHUNK as u64);
            }
        });
    }

    /// Frees what the innermost scope allocated, the newest first. `site` is kept for the message of
    /// a later use.
    ///
    /// # Panics
    /// If no scope is open.
    pub fn exit(&mut self, site: u64) {
        let scope = self.open.pop().expect("a scope exits that was entered");
        self.end_region(self.open.len(), site);
        while self.live.len() > scope.first {
            if let Some(live) = self.live.pop().flatten() {
                self.end(&live, Ending::ScopeExited, site);
                self.ledger.release(live.charged);
                self.keep(live.memory);
            }
        }
        if scope.held > 0 {
            self.ledger.release(scope.held);
        }
        self.chunks.rewind(scope.mark);
    }

    /// Exits scopes until `depth` are open: what a program that stops in the middle owes.
    pub fn exit_to(&mut self, depth: usize, site: u64) {
        while self.open.len() > depth {
            self.exit(site);
        }
    }

    /// A buffer of `bytes` zeroed bytes in the innermost scope. A buffer of 0 bytes is a buffer too.
    ///
    /// # Errors
    /// See [`AllocateError`]; nothing has changed then.
    pub fn allocate(&mut self, bytes: u64, site: u64) -> Result<Buffer, AllocateError> {
        if self.open.is_empty() {
            return Err(AllocateError::NoScope);
        }
        let wanted = usize::try_from(bytes).ok().filter(|n| *n <= isize::MAX as usize);
        let wanted = wanted.ok_or(AllocateError::TooLarge)?;
        let rounded = wanted.max(1).next_multiple_of(ALIGNMENT);
        self.ledger.charge(rounded as u64).map_err(|Refused| AllocateError::Limit)?;
        let (base, memory) = match self.reserve(wanted, rounded, site) {
            Ok(reserved) => reserved,
            Err(error) => {
                self.ledger.release(rounded as u64);
                return Err(AllocateError::System(error));
            }
        };
        let slot = self.pool.take();
        // SAFETY: the pool's slots live as long as the pool, and only this thread touches them.
        let generation =
            unsafe { slot.as_ref() }.begin(base.addr().get() as u64, bytes, self.live.len(), site);
        self.live.push(Some(Live { slot, memory, charged: rounded as u64 }));
        Ok(Buffer { descriptor: slot.as_ptr().cast(), generation })
    }

    /// Whether the next buffer will be guarded, if it has that many bytes: then it is worth it to know more of its site.
    pub fn will_guard(&self, bytes: u64) -> bool {
        self.picker.would_pick(bytes)
    }

    /// The first damage that the end of a guarded buffer has shown since this was asked.
    pub fn take_damage(&self) -> Option<Damage> {
        self.options.guards.take_damage()
    }

    fn reserve(
        &mut self,
        wanted: usize,
        bytes: usize,
        site: u64,
    ) -> std::io::Result<(NonNull<u8>, Memory)> {
        if self.picker.picks(wanted as u64)
            && let Some(guarded) = self.options.guards.take(wanted, site)
        {
            return Ok((guarded.base, Memory::Guarded(guarded)));
        }
        if bytes >= LARGE {
            let mapping = match self.kept.take_if(|kept| kept.len() >= bytes) {
                Some(kept) => {
                    // SAFETY: the mapping is as long, and nobody has it.
                    unsafe { kept.base().write_bytes(0, bytes) };
                    kept
                }
                None => Mapping::new(bytes)?,
            };
            if bytes >= HUGE {
                mapping.prefer_huge_pages(0);
            }
            debug_assert!(mapping.len() >= bytes);
            return Ok((mapping.base(), Memory::Large(mapping)));
        }
        let before = self.chunks.mark();
        let base = self.chunks.take(bytes)?;
        Ok((base, Memory::Small { before, after: self.chunks.mark() }))
    }

    /// Frees a buffer before its scope exits.
    ///
    /// # Errors
    /// When the buffer does not live any more; nothing has changed then.
    ///
    /// # Safety
    /// The descriptor's address came from [`Scopes::allocate`] of this value.
    pub unsafe fn free(
        &mut self,
        descriptor: *const Descriptor,
        generation: u64,
        site: u64,
    ) -> Result<(), FreeError> {
        // SAFETY: the caller's promise; a descriptor is the first field of its slot, which never moves.
        let slot = unsafe { &*descriptor.cast::<Slot>() };
        if slot.descriptor.generation() != generation {
            return Err(FreeError::Ended(slot.ending_of(generation)));
        }
        let index = slot.live();
        let own = |live: &Option<Live>| {
            live.as_ref().is_some_and(|l| l.slot.as_ptr().cast_const().cast() == descriptor)
        };
        let Some(live) = self.live.get_mut(index).filter(|live| own(live)).and_then(Option::take)
        else {
            return Err(FreeError::Foreign);
        };
        self.end(&live, Ending::Freed, site);
        match live.memory {
            Memory::Guarded(_) => self.ledger.release(live.charged),
            memory @ Memory::Large(_) => {
                self.ledger.release(live.charged);
                self.keep(memory);
            }
            Memory::Small { before, after } => {
                // Only the newest small buffer gives its bytes back at once, and only to its own scope.
                if self.chunks.mark() == after && self.is_innermost(index) {
                    self.chunks.rewind(before);
                    self.ledger.release(live.charged);
                } else if let Some(scope) = self.open.iter_mut().rfind(|s| s.first <= index) {
                    scope.held += live.charged;
                }
            }
        }
        Ok(())
    }

    /// Keeps the memory of a large buffer that has ended, if it is worth it. Where mistakes are to show, it is better gone.
    fn keep(&mut self, memory: Memory) {
        if let Memory::Large(mapping) = memory
            && mapping.len() < HUGE
            && !self.options.poison
        {
            self.kept = Some(mapping);
        }
    }

    fn is_innermost(&self, live: usize) -> bool {
        self.open.last().is_some_and(|scope| scope.first <= live)
    }

    /// How the buffer of a stale handle ended, unless its descriptor has been reused since.
    ///
    /// # Safety
    /// The descriptor's address came from [`Scopes::allocate`] of this value.
    pub unsafe fn ending(&self, descriptor: *const Descriptor, generation: u64) -> Option<End> {
        // SAFETY: the caller's promise, as in `free`.
        unsafe { &*descriptor.cast::<Slot>() }.ending_of(generation)
    }

    /// Where a live buffer was allocated.
    ///
    /// # Safety
    /// The descriptor's address came from [`Scopes::allocate`] of this value.
    pub unsafe fn allocated_at(&self, descriptor: *const Descriptor) -> u64 {
        // SAFETY: the caller's promise, as in `free`.
        unsafe { &*descriptor.cast::<Slot>() }.allocated_at()
    }

    fn end(&mut self, live: &Live, ending: Ending, site: u64) {
        // SAFETY: a live buffer's slot is in the pool, and only this thread touches it.
        let slot = unsafe { live.slot.as_ref() };
        match &live.memory {
            Memory::Small { .. } if self.options.poison => {
                let base =
                    std::ptr::with_exposed_provenance_mut::<u8>(slot.descriptor.base() as usize);
                // SAFETY: the buffer's memory is still its own here, `charged` bytes from its base.
                unsafe { base.write_bytes(0xDB, live.charged as usize) };
            }
            Memory::Guarded(guarded) => self.options.guards.end(guarded, ending, site),
            Memory::Small { .. } | Memory::Large(_) => {}
        }
        slot.end(ending, site);
        self.pool.give_back(live.slot);
    }
}

impl<L: Ledger> Drop for Scopes<L> {
    fn drop(&mut self) {
        self.exit_to(0, 0);
        for chunk in self.spare.drain(..) {
            self.space.give_back(chunk);
            self.ledger.release(CHUNK as u64);
        }
    }
}
