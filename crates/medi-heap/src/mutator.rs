//! A thread's side of the heap: allocation, safepoints, handles.
//!
//! A thread bumps a cursor through a *window*: a stretch of zeroed memory inside a hole of a block that is
//! its own until the next collection. When the window is used up the slow path clears the next stretch,
//! moves to the next hole, or takes another block. The window's end and the limit that compiled code sees
//! are two things: the limit is lower when a sample is due, and zero when every allocation must be seen.
//! Objects too large for most holes, yet not page spans, get a block of their own to bump through, so that
//! they do not make the thread skip holes.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use crate::address::ObjectRef;
use crate::coverage::Coverage;
use crate::cycle::{self, Kind};
use crate::error::{OutOfMemory, Reason};
use crate::handles::{HandleScope, HandleStack, Root, Weak};
use crate::heap::{Heap, HeapInner};
use crate::layout::{
    ARRAY_LEN, BLOCK, COLOUR, COLOUR_NONE, GRANULE, LARGE, MutatorWords, POLL_STOP, WEAK_REFERENT,
    header_template, header_word, round_to_granule,
};
use crate::options::Plant;
use crate::poison;
use crate::sampling::{Sample, Sampler};
use crate::space::{Refusal, TakenBlock, Want};
use crate::stats::PauseCause;
use crate::stop::{MemberRef, PollFlag};
use crate::types::{SizeRule, TypeId};

/// How much of a hole is cleared at a time: enough to make slow paths rare, little enough to be in the
/// first-level cache still when objects are put there.
const STRETCH: usize = 8 << 10;
/// The same for the first stretch of a hole, of which nothing is in a cache yet.
const FIRST_STRETCH: usize = 1 << 10;
/// What a prefetch brings.
const CACHE_LINE: usize = 64;
/// Objects above this size do not make the thread skip holes.
const MEDIUM: usize = 512;
/// How often a thread collects for one allocation before it gives up: a second time, because other
/// threads may have taken what the first one freed.
const ATTEMPTS: u32 = 2;

/// Asks for the cache line at an address; it need not be mapped.
#[inline]
fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that a program can see, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The poll word of a thread, for the stop protocol.
pub(crate) struct PollWord(*const AtomicU32);

// SAFETY: the word is atomic, and outlives the thread's membership (`Heap::attach`'s contract).
unsafe impl Send for PollWord {}
// SAFETY: as above.
unsafe impl Sync for PollWord {}

impl PollFlag for PollWord {
    fn raise(&self) {
        // SAFETY: see the type.
        unsafe { (*self.0).fetch_or(POLL_STOP, Ordering::Relaxed) };
    }

    fn lower(&self) {
        // SAFETY: see the type.
        unsafe { (*self.0).fetch_and(!POLL_STOP, Ordering::Relaxed) };
    }
}

/// Where a thread allocates.
struct Window {
    /// The block; zero: none.
    block: usize,
    coverage: Coverage,
    /// The block's holes read as zero already.
    zeroed: bool,
    /// Granule from which to look for the next hole.
    next: usize,
    /// End of the hole that the window is in.
    hole_end: usize,
    /// End of the memory that has been cleared.
    end: usize,
}

impl Window {
    const NONE: Window =
        Window { block: 0, coverage: Coverage::EMPTY, zeroed: false, next: 0, hole_end: 0, end: 0 };
}

/// Where a thread puts objects that few holes can take.
#[derive(Clone, Copy, Default)]
struct Overflow {
    cursor: usize,
    end: usize,
    zeroed: bool,
}

/// The state behind a [`Mutator`]. Its thread uses it while running, a collector while that is stopped
/// (I9).
pub(crate) struct Inner {
    pub words: *mut MutatorWords,
    pub heap: Arc<HeapInner>,
    pub handles: HandleStack,
    /// Objects from before the last collection whose references have changed since (I8).
    pub log: RefCell<Vec<usize>>,
    member: MemberRef<PollWord>,
    sizes: UnsafeCell<Vec<SizeRule>>,
    window: RefCell<Window>,
    overflow: Cell<Overflow>,
    sampler: Sampler,
    /// The cursor up to which bytes have been counted.
    counted: Cell<usize>,
    /// Bytes counted that the heap has not been told of: telling is an atomic addition, which waits for
    /// the stores before it, so that it is done once a block.
    untold: Cell<u64>,
    /// Allocations until the next collection that `collect_every` asks for.
    until_collection: Cell<u64>,
}

impl Inner {
    fn words(&self) -> &MutatorWords {
        // SAFETY: whoever attached the thread promised that the words outlive it.
        unsafe { &*self.words }
    }

    pub fn member(&self) -> &MemberRef<PollWord> {
        &self.member
    }

    /// Counts what compiled code has allocated since the last look.
    fn count(&self) {
        let cursor = self.words().cursor.get();
        let bytes = (cursor - self.counted.get()) as u64;
        if bytes > 0 {
            self.counted.set(cursor);
            self.untold.set(self.untold.get() + bytes);
            self.sampler.pass(bytes);
        }
    }

    /// Adds what was counted to the heap's statistics.
    fn tell(&self) {
        self.heap.allocated.fetch_add(self.untold.take(), Ordering::Relaxed);
    }

    /// Shows compiled code how far it may go.
    fn set_limit(&self, end: usize) {
        let words = self.words();
        let limit = if self.heap.options.collect_every.is_some() {
            0
        } else {
            let until_sample = usize::try_from(self.sampler.countdown()).unwrap_or(usize::MAX);
            end.min(words.cursor.get().saturating_add(until_sample))
        };
        words.limit.set(limit);
    }

    /// Gives up the window, so that a collection may sort the block.
    pub fn retire_window(&self) {
        self.count();
        self.tell();
        let words = self.words();
        words.cursor.set(0);
        words.limit.set(0);
        self.counted.set(0);
        *self.window.borrow_mut() = Window::NONE;
        self.overflow.set(Overflow::default());
    }

    /// Gives new objects the colour `epoch`, and lets reference stores into objects of that colour pass.
    pub fn set_epoch(&self, epoch: u8) {
        let words = self.words();
        words.alloc_header.set(header_template(epoch));
        let skip = if self.heap.options.log_writes { COLOUR_NONE } else { epoch };
        words.skip.store(skip, Ordering::Relaxed);
    }

    fn epoch(&self) -> u8 {
        (self.words().alloc_header.get() >> (COLOUR * 8)) as u8
    }

    /// Makes `[start, end)` of a hole read as zero.
    fn clear(&self, start: usize, end: usize, zeroed: bool) {
        if zeroed {
            return;
        }
        if self.heap.options.poison {
            // SAFETY: the range is a hole in a block that this thread holds.
            unsafe { poison::check(start, end - start) };
        }
        // SAFETY: as above; nothing live is in a hole (I4).
        unsafe { ptr::write_bytes(start as *mut u8, 0, end - start) };
    }

    /// Brings the stretch that is cleared next closer, while this one is being filled.
    fn expect_stretch(&self, window: &Window) {
        let end = window.hole_end.min(window.end + STRETCH);
        for line in (window.end..end).step_by(CACHE_LINE) {
            prefetch(line);
        }
    }

    /// Opens the next stretch of the block that has room for `size` bytes. False: none has.
    fn advance(&self, size: usize) -> bool {
        let window = &mut *self.window.borrow_mut();
        let words = self.words();
        let cursor = words.cursor.get();
        if window.end < window.hole_end && cursor + size <= window.hole_end {
            let end = window.hole_end.min((window.end + STRETCH).max(cursor + size));
            self.clear(window.end, end, window.zeroed);
            window.end = end;
            self.expect_stretch(window);
            return true;
        }
        if window.block == 0 || size > MEDIUM {
            return false;
        }
        self.next_hole(window, size)
    }

    fn next_hole(&self, window: &mut Window, size: usize) -> bool {
        let words = self.words();
        while let Some((first, last)) = window.coverage.hole(window.next) {
            window.next = last;
            let bytes = (last - first) * GRANULE;
            if bytes < size {
                continue;
            }
            let start = window.block + first * GRANULE;
            window.hole_end = start + bytes;
            window.end = if window.zeroed {
                window.hole_end
            } else {
                start + bytes.min(FIRST_STRETCH.max(size))
            };
            self.clear(start, window.end, window.zeroed);
            self.expect_stretch(window);
            words.cursor.set(start);
            self.counted.set(start);
            return true;
        }
        false
    }

    fn open(&self, block: TakenBlock) {
        self.tell();
        *self.window.borrow_mut() = Window {
            block: block.address,
            coverage: block.coverage,
            zeroed: block.zeroed,
            next: 0,
            hole_end: 0,
            end: 0,
        };
        let words = self.words();
        words.cursor.set(0);
        words.limit.set(0);
        self.counted.set(0);
    }

    fn allocate_small(&self, ty: TypeId, size: usize) -> Result<ObjectRef, OutOfMemory> {
        let words = self.words();
        let mut attempt = Attempt::default();
        loop {
            self.count();
            let cursor = words.cursor.get();
            let end = self.window.borrow().end;
            if cursor + size <= end {
                words.cursor.set(cursor + size);
                self.counted.set(cursor + size);
                let object = self.publish(cursor, ty, size);
                self.set_limit(end);
                return Ok(object);
            }
            if self.advance(size) {
                continue;
            }
            if size > MEDIUM
                && let Some(object) = self.allocate_medium(ty, size, &mut attempt)?
            {
                return Ok(object);
            }
            let block =
                self.take(&mut attempt, size, |space, due| space.take_block(Want::Hole, due))?;
            let Some(block) = block else { continue };
            self.open(block);
            if size > MEDIUM {
                // No empty block was to be had, so holes are searched after all.
                self.next_hole(&mut self.window.borrow_mut(), size);
            }
        }
    }

    /// `None`: there is no empty block to put the object in.
    fn allocate_medium(
        &self,
        ty: TypeId,
        size: usize,
        attempt: &mut Attempt,
    ) -> Result<Option<ObjectRef>, OutOfMemory> {
        loop {
            let mut overflow = self.overflow.get();
            if overflow.cursor + size <= overflow.end {
                let address = overflow.cursor;
                overflow.cursor += size;
                self.overflow.set(overflow);
                self.clear(address, address + size, overflow.zeroed);
                let object = self.publish(address, ty, size);
                self.set_limit(self.window.borrow().end);
                return Ok(Some(object));
            }
            let taken = {
                let mut space = self.heap.space();
                space.take_block(Want::Empty, attempt.due_matters())
            };
            match taken {
                Ok(block) => self.overflow.set(Overflow {
                    cursor: block.address,
                    end: block.address + BLOCK,
                    zeroed: block.zeroed,
                }),
                Err(Refusal::Due) => attempt.collect_due(self),
                Err(Refusal::Exhausted(_)) => return Ok(None),
            }
        }
    }

    fn allocate_large(&self, ty: TypeId, size: usize) -> Result<ObjectRef, OutOfMemory> {
        self.count();
        let mut attempt = Attempt::default();
        loop {
            let taken = self.take(&mut attempt, size, |space, due| space.take_large(size, due))?;
            let Some(memory) = taken else { continue };
            if memory.dirty {
                // SAFETY: the span was free and is this thread's now.
                unsafe { ptr::write_bytes(memory.address as *mut u8, 0, size) };
            }
            let object = self.publish(memory.address, ty, size);
            self.tell();
            self.set_limit(self.window.borrow().end);
            return Ok(object);
        }
    }

    /// Asks the space for memory; collects when it refuses, and then answers `Ok(None)`: look again.
    fn take<T: Timed>(
        &self,
        attempt: &mut Attempt,
        size: usize,
        ask: impl FnOnce(&mut crate::space::Space, bool) -> Result<T, Refusal>,
    ) -> Result<Option<T>, OutOfMemory> {
        let start = Instant::now();
        let taken = {
            let mut space = self.heap.space();
            let taken = ask(&mut space, attempt.due_matters());
            if let Err(Refusal::Exhausted(reason)) = taken
                && attempt.collections >= ATTEMPTS
            {
                return Err(space.shortage(size as u64, reason));
            }
            taken
        };
        match taken {
            Ok(memory) => {
                self.heap.note_slow_path(start.elapsed(), memory.sweep_ns());
                Ok(Some(memory))
            }
            Err(refusal) => {
                match refusal {
                    Refusal::Due => attempt.collect_due(self),
                    Refusal::Exhausted(reason) => attempt.collect_stalled(self, size, reason)?,
                }
                Ok(None)
            }
        }
    }

    /// Turns zeroed memory into an object.
    fn publish(&self, address: usize, ty: TypeId, size: usize) -> ObjectRef {
        let header = header_word(self.words().alloc_header.get(), ty.0);
        // SAFETY: the memory is this thread's own and large enough for a header.
        unsafe { *(address as *mut u64) = header };
        let bytes = size as u64;
        self.untold.set(self.untold.get() + bytes);
        if self.sampler.takes(bytes) {
            let site = self.heap.embedder.allocation_site(self.words);
            self.heap.add_sample(Sample { address, type_id: ty, site, bytes: size });
        } else {
            self.sampler.pass(bytes);
        }
        ObjectRef::from_address(address).expect("memory is not at address zero")
    }

    /// Runs the collection that `collect_every` asks for, when it is due.
    fn tick(&self) {
        if let Some(every) = self.heap.options.collect_every {
            let left = self.until_collection.get() - 1;
            if left == 0 {
                self.until_collection.set(every.get());
                cycle::collect(self, Kind::Every);
            } else {
                self.until_collection.set(left);
            }
        }
    }

    fn allocate(&self, ty: TypeId, bytes: usize) -> Result<ObjectRef, OutOfMemory> {
        let size = round_to_granule(bytes.max(GRANULE)).filter(|size| *size < 1 << 47);
        let Some(size) = size else {
            return Err(self.heap.space().shortage(bytes as u64, Reason::TooLarge));
        };
        self.tick();
        if size >= LARGE { self.allocate_large(ty, size) } else { self.allocate_small(ty, size) }
    }

    #[inline]
    fn size_rule(&self, ty: TypeId) -> SizeRule {
        // SAFETY: only the owning thread uses the cache, and no reference to it outlives this function.
        match unsafe { &*self.sizes.get() }.get(ty.0 as usize) {
            Some(rule) => *rule,
            None => self.learn_size_rule(ty),
        }
    }

    #[cold]
    fn learn_size_rule(&self, ty: TypeId) -> SizeRule {
        // SAFETY: as above.
        let sizes = unsafe { &mut *self.sizes.get() };
        let types = self.heap.types.read();
        sizes.extend(types[sizes.len()..].iter().map(|info| info.size));
        *sizes.get(ty.0 as usize).unwrap_or_else(|| panic!("type {} was never registered", ty.0))
    }

    fn safepoint(&self) {
        if self.words().poll.load(Ordering::Relaxed) & POLL_STOP != 0 {
            self.heap.stop.enter_native(&self.member);
            self.leave_native();
        }
    }

    fn leave_native(&self) {
        if !self.heap.stop.try_leave_native(&self.member) {
            let start = Instant::now();
            self.heap.stop.leave_native_slowly(&self.member);
            self.heap.note_pause(PauseCause::Handshake, start.elapsed());
        }
    }
}

/// How often one allocation has collected already.
#[derive(Default)]
struct Attempt {
    collections: u32,
    due: bool,
}

impl Attempt {
    fn due_matters(&self) -> bool {
        !self.due && self.collections == 0
    }

    fn collect_due(&mut self, me: &Inner) {
        cycle::collect(me, Kind::Due);
        self.due = true;
    }

    /// Collects because memory has run out. An error when that has become all that the program does.
    fn collect_stalled(
        &mut self,
        me: &Inner,
        size: usize,
        reason: Reason,
    ) -> Result<(), OutOfMemory> {
        let progress = me.heap.space().allocated_since;
        let start = Instant::now();
        self.collections += cycle::collect(me, Kind::Full) as u32;
        let stall = start.elapsed();
        me.heap.note_pause(PauseCause::Stall, stall);
        let mut space = me.heap.space();
        if space.note_stall(progress, stall) {
            return Err(space.shortage(size as u64, reason));
        }
        Ok(())
    }
}

/// Memory that may have taken sweeping to find.
trait Timed {
    fn sweep_ns(&self) -> u64;
}

impl Timed for TakenBlock {
    fn sweep_ns(&self) -> u64 {
        self.sweep_ns
    }
}

impl Timed for crate::large::LargeAllocation {
    fn sweep_ns(&self) -> u64 {
        0
    }
}

/// A thread's access to a heap. Stays on its thread.
///
/// A plain [`ObjectRef`] is good until the thread's next safepoint: an allocation, [`Mutator::safepoint`],
/// [`Mutator::collect`] or a stretch of native state. What must live longer goes into a handle.
#[repr(transparent)]
pub struct Mutator {
    inner: NonNull<Inner>,
    not_send: PhantomData<*mut ()>,
}

impl Mutator {
    /// # Safety
    /// `words` outlive the result, stay in place, and belong to no other mutator.
    pub(crate) unsafe fn attach(heap: &Arc<HeapInner>, words: *mut MutatorWords) -> Mutator {
        // SAFETY: the caller says that the words are ours to use.
        let w = unsafe { &*words };
        assert!(w.mutator.get().is_null(), "these words belong to an attached mutator already");
        let member = heap.stop.join(PollWord(&w.poll));
        let options = &heap.options;
        let inner = Box::new(Inner {
            words,
            heap: Arc::clone(heap),
            handles: HandleStack::default(),
            log: RefCell::default(),
            member,
            sizes: UnsafeCell::default(),
            window: RefCell::new(Window::NONE),
            overflow: Cell::default(),
            sampler: Sampler::new(options.sample_interval, heap.next_seed()),
            counted: Cell::new(0),
            untold: Cell::new(0),
            until_collection: Cell::new(options.collect_every.map_or(0, |n| n.get())),
        });
        let inner = NonNull::from(Box::leak(inner));
        w.cursor.set(0);
        w.limit.set(0);
        w.mutator.set(inner.as_ptr());
        heap.add_mutator(inner);
        // The epoch cannot change before this thread's next safepoint.
        let epoch = heap.space().epoch;
        // SAFETY: just made.
        unsafe { inner.as_ref() }.set_epoch(epoch);
        Mutator { inner, not_send: PhantomData }
    }

    /// The mutator that `words` were attached to.
    ///
    /// # Safety
    /// The words are attached, the caller is on their thread, and no other use of a reference made here
    /// overlaps with one that is being used (as with any `&mut`).
    pub unsafe fn from_words<'a>(words: *mut MutatorWords) -> &'a mut Mutator {
        // SAFETY: the cell holds the non-null address of an `Inner`, which is what a `Mutator` is.
        unsafe {
            debug_assert!(!(*words).mutator.get().is_null(), "the words are not attached");
            &mut *(*words).mutator.as_ptr().cast::<Mutator>()
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        // SAFETY: the box lives until the mutator is dropped; `Inner` is only ever used by reference.
        unsafe { self.inner.as_ref() }
    }

    /// The heap.
    pub fn heap(&self) -> Heap {
        Heap::from_inner(&self.inner().heap)
    }

    /// The words that compiled code shares with this mutator.
    pub fn words(&self) -> *mut MutatorWords {
        self.inner().words
    }

    /// Allocates an object of a fixed-size type, all of its fields zero.
    ///
    /// # Panics
    /// When `ty` is a type of arrays.
    #[inline]
    pub fn alloc_fixed(&mut self, ty: TypeId) -> Result<ObjectRef, OutOfMemory> {
        let inner = self.inner();
        let SizeRule::Fixed(size) = inner.size_rule(ty) else {
            panic!("type {} is an array type; use alloc_array", ty.0)
        };
        match self.bump(ty, size as usize) {
            Some(object) => Ok(object),
            None => inner.allocate(ty, size as usize),
        }
    }

    /// Allocates an array of `len` elements, all zero.
    ///
    /// # Panics
    /// When `ty` is not a type of arrays.
    #[inline]
    pub fn alloc_array(&mut self, ty: TypeId, len: usize) -> Result<ObjectRef, OutOfMemory> {
        let inner = self.inner();
        let SizeRule::PerElement(elem_size) = inner.size_rule(ty) else {
            panic!("type {} is not an array type; use alloc_fixed", ty.0)
        };
        let Some(size) = SizeRule::of_array(elem_size, len) else {
            let requested = (len as u64).saturating_mul(elem_size as u64);
            return Err(inner.heap.space().shortage(requested, Reason::TooLarge));
        };
        let object = match self.bump(ty, size) {
            Some(object) => object,
            None => inner.allocate(ty, size)?,
        };
        // SAFETY: the object is new, and its type is an array.
        unsafe { *object.at::<usize>(ARRAY_LEN) = len };
        Ok(object)
    }

    /// What compiled code does inline.
    #[inline]
    fn bump(&self, ty: TypeId, size: usize) -> Option<ObjectRef> {
        let words = self.inner().words();
        let cursor = words.cursor.get();
        let new = cursor + size;
        if size >= LARGE || new > words.limit.get() {
            return None;
        }
        words.cursor.set(new);
        // SAFETY: the memory up to the limit is this thread's own.
        unsafe { *(cursor as *mut u64) = header_word(words.alloc_header.get(), ty.0) };
        ObjectRef::from_address(cursor)
    }

    /// Allocates when bumping the cursor has failed: `bytes` of any size, the header included. The header
    /// is written, everything else is zero; for an array the caller stores the length before its next
    /// safepoint.
    pub fn alloc_slow(&mut self, ty: TypeId, bytes: usize) -> Result<ObjectRef, OutOfMemory> {
        self.inner().allocate(ty, bytes)
    }

    /// Allocates a weak cell that refers to `referent`.
    pub fn alloc_weak(
        &mut self,
        ty: TypeId,
        referent: ObjectRef,
    ) -> Result<ObjectRef, OutOfMemory> {
        self.scope(|scope| {
            let referent = scope.handle(referent);
            let cell = scope.alloc_fixed(ty)?;
            // SAFETY: the cell is new.
            unsafe { *cell.at::<usize>(WEAK_REFERENT) = referent.get().address() };
            Ok(cell)
        })
    }

    /// What a weak cell refers to, unless it has died.
    ///
    /// # Safety
    /// The object is a live weak cell.
    pub unsafe fn weak_load(&self, cell: ObjectRef) -> Option<ObjectRef> {
        // SAFETY: a weak cell has its referent there.
        unsafe { cell.load(WEAK_REFERENT) }
    }

    /// Lets a collection that another thread wants happen here.
    #[inline]
    pub fn safepoint(&mut self) {
        self.inner().safepoint();
    }

    /// Collects now. When another thread is collecting already, waits for it and then collects as well, so
    /// that whatever was unreachable at the call is gone afterwards.
    pub fn collect(&mut self) {
        while !cycle::collect(self.inner(), Kind::Full) {}
    }

    /// Collects young objects only, when the heap has young cycles; everything otherwise.
    pub fn collect_young(&mut self) {
        while !cycle::collect(self.inner(), Kind::Young) {}
    }

    /// Enters native state: until [`Mutator::leave_native`], the thread touches no object, allocates
    /// nothing, and no collection waits for it. Handles may be dropped meanwhile.
    #[inline]
    pub fn enter_native(&self) {
        let inner = self.inner();
        inner.heap.stop.enter_native(&inner.member);
    }

    /// Leaves native state; waits for a collection under way.
    #[inline]
    pub fn leave_native(&self) {
        self.inner().leave_native();
    }

    /// The slow path of a store of a reference into `object`: `slot` is the address of the word that is about
    /// to be written, `value` the word that will be stored there, 0 for nil. To be called directly before
    /// that store, with no safepoint in between, when the object's colour is not the one in
    /// [`crate::layout::SKIP`]; once for each reference that is stored.
    ///
    /// # Safety
    /// `object` is live and has a reference at `slot`; `value` is 0 or the address of a live object.
    pub unsafe fn write_barrier(&self, object: ObjectRef, slot: usize, value: usize) {
        let inner = self.inner();
        debug_assert!(
            // SAFETY: the caller vouches for the object.
            unsafe { inner.size_rule(object.type_id()).size_of(object.address()) }
                > slot.wrapping_sub(object.address()),
            "{slot:#x} is no slot of {object:?}, into which {value:#x} goes"
        );
        inner.heap.barrier_slow_paths.fetch_add(1, Ordering::Relaxed);
        let epoch = inner.epoch();
        // SAFETY: the caller is about to store into the object, so it is live.
        unsafe {
            if object.colour() == epoch {
                return;
            }
            if inner.heap.options.plant != Some(Plant::SkipLog) {
                inner.log.borrow_mut().push(object.address());
            }
            object.set_colour(epoch);
        }
    }

    /// Stores a reference into the slot at `offset`, with the barrier.
    ///
    /// # Safety
    /// `object` is live, its type has a reference at `offset`, and `value` is live.
    #[inline]
    pub unsafe fn store(&self, object: ObjectRef, offset: usize, value: Option<ObjectRef>) {
        // SAFETY: the caller vouches for the object.
        let differs =
            unsafe { object.colour() } != self.inner().words().skip.load(Ordering::Relaxed);
        let value = value.map_or(0, ObjectRef::address);
        if differs {
            // SAFETY: as the caller says, for all three.
            unsafe { self.write_barrier(object, object.address() + offset, value) };
        }
        // SAFETY: the caller says that a reference slot is there; slots are word-aligned.
        unsafe { (*object.at::<AtomicUsize>(offset)).store(value, Ordering::Relaxed) };
    }

    /// A handle that keeps `object` alive until it is dropped.
    pub fn root(&self, object: ObjectRef) -> Root {
        Root::new(&self.inner().heap, object)
    }

    /// A handle that does not keep `object` alive.
    pub fn weak(&self, object: ObjectRef) -> Weak {
        Weak::new(&self.inner().heap, object)
    }

    /// Runs `f` with a scope for handles that all end with it.
    pub fn scope<R>(&mut self, f: impl FnOnce(&mut HandleScope) -> R) -> R {
        f(&mut HandleScope::open(self))
    }

    /// Charges memory outside the heap to the limit, collecting first when it does not fit otherwise.
    pub fn charge(&mut self, bytes: u64) -> Result<(), OutOfMemory> {
        let inner = self.inner();
        let mut attempts = 0;
        loop {
            let refusal = match inner.heap.space().charge(bytes) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            if attempts == ATTEMPTS {
                let reason = match refusal {
                    Refusal::Exhausted(reason) => reason,
                    Refusal::Due => Reason::Limit,
                };
                return Err(inner.heap.space().shortage(bytes, reason));
            }
            let start = Instant::now();
            attempts += cycle::collect(inner, Kind::Full) as u32;
            inner.heap.note_pause(PauseCause::Stall, start.elapsed());
        }
    }
}

impl Drop for Mutator {
    fn drop(&mut self) {
        let inner = self.inner();
        inner.retire_window();
        inner.heap.adopt_log(&mut inner.log.borrow_mut());
        inner.words().mutator.set(ptr::null_mut());
        inner.heap.remove_mutator(self.inner);
        inner.heap.stop.leave(&inner.member);
        // SAFETY: the box was leaked in `attach`, and no collector knows of it any more.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}
