//! A thread's side of the heap: allocation, handshakes, handles.
//!
//! A thread bumps a cursor through a *window*: a stretch of zeroed memory inside a hole of a block that is
//! its own until the next flip. When the window is used up the slow path clears the next stretch,
//! moves to the next hole, or takes another block. The window's end and the limit that compiled code sees
//! are two things: the limit is lower when a sample is due, and zero when every allocation must be seen.
//! Objects too large for most holes, yet not page spans, get a block of their own to bump through, so that
//! they do not make the thread skip holes.

use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::address::ObjectRef;
use crate::barrier::{Barrier, Phase};
use crate::collector::{Kind, Ticket, Tried};
use crate::coverage::Coverage;
use crate::delay::Point;
use crate::error::{OutOfMemory, Reason};
use crate::handles::{HandleScope, HandleStack, Root, Weak};
use crate::handshake::{MemberRef, Participant, Request};
use crate::heap::{Heap, HeapInner, RootRange};
use crate::layout::{
    ARRAY_DATA, ARRAY_LEN, ARRAY_ROOM, BLOCK, COLOUR_NONE, COLOUR_SEGMENTED, GRANULE, LARGE,
    MutatorWords, POLL_STOP, ROOM_EXACT, SEGMENTED, WEAK_REFERENT, header_template, header_word,
    room_code, room_of, round_to_granule,
};
use crate::log::Written;
use crate::options::{Plant, Stall};
use crate::os;
use crate::poison;
use crate::sampling::{Sample, Sampler};
use crate::space::{PROGRESS, Space, TakenBlock, Want};
use crate::stats::PauseCause;
use crate::types::{SizeRule, TypeId};

/// How much of a hole is cleared at a time: enough to make slow paths rare, little enough to be in the
/// first-level cache still when objects are put there.
const STRETCH: usize = 8 << 10;
/// The same for the first stretch of a hole, of which nothing is in a cache yet.
const FIRST_STRETCH: usize = 1 << 10;
/// How long a thread that allocates faster than the collector marks makes way for it, once a block.
const MAKE_WAY: Duration = Duration::from_micros(20);
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

/// A thread as the handshakes see it.
pub(crate) struct Seat {
    inner: NonNull<Inner>,
    poll: *const AtomicU32,
}

// SAFETY: the poll word is atomic; the mutator's state is used by its thread while that runs, and by the collector
// while the thread is in native state or held (I9). Both outlive the thread's membership (`Heap::attach`'s
// contract).
unsafe impl Send for Seat {}
// SAFETY: as above.
unsafe impl Sync for Seat {}

impl Seat {
    /// The thread's state.
    ///
    /// # Safety
    /// As for [`Participant::act`].
    pub unsafe fn inner(&self) -> &Inner {
        // SAFETY: the state lives until the thread has left.
        unsafe { self.inner.as_ref() }
    }

    /// The words that the thread was attached with.
    pub fn words(&self) -> *mut MutatorWords {
        // SAFETY: as above; the field never changes.
        unsafe { (*self.inner.as_ptr()).words }
    }

    /// How often the thread has taken the barrier's slow path.
    pub fn slow_paths(&self) -> u64 {
        // SAFETY: as above; the count is atomic, so the thread may run.
        unsafe { (*self.inner.as_ptr()).barrier.slow_paths.load(Ordering::Relaxed) }
    }
}

impl Participant for Seat {
    fn raise(&self) {
        // SAFETY: see the type.
        unsafe { (*self.poll).fetch_or(POLL_STOP, Ordering::Relaxed) };
    }

    fn lower(&self) {
        // SAFETY: see the type.
        unsafe { (*self.poll).fetch_and(!POLL_STOP, Ordering::Relaxed) };
    }

    unsafe fn act(&self, request: Request) {
        // SAFETY: the same contract.
        unsafe { self.inner().act(request) }
    }
}

/// A stretch of time between two flips.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    /// The number of the flip that it starts with.
    pub flip: u64,
    /// The colour of what is allocated or logged in it.
    pub colour: u8,
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

/// What a thread has done, and may do, to find memory for one object.
#[derive(Default)]
struct Patience {
    tried: Tried,
    /// What all threads had allocated when it last found none.
    allocated: u64,
    /// With [`Stall::AtMost`], once it has waited.
    until: Option<Instant>,
}

impl Patience {
    /// Notes that there is no memory, after `allocated` bytes of all threads. True when everything has been tried. Where
    /// other threads have had memory meanwhile, that has brought some and they came first, which says nothing of the next time.
    fn ends(&mut self, allocated: u64, limit: Option<u64>) -> bool {
        let by_others = allocated - mem::replace(&mut self.allocated, allocated);
        if by_others > limit.unwrap_or(u64::MAX) / PROGRESS {
            self.tried = Tried::Nothing;
        }
        self.tried == Tried::Full(ATTEMPTS)
    }
}

/// Where a thread puts objects that few holes can take.
#[derive(Clone, Copy, Default)]
struct Overflow {
    cursor: usize,
    end: usize,
    zeroed: bool,
}

/// The state behind a [`Mutator`]. Its thread uses it while running, the collector while it acts for the thread
/// (I9).
pub(crate) struct Inner {
    pub words: *mut MutatorWords,
    pub heap: Arc<HeapInner>,
    pub handles: HandleStack,
    barrier: Barrier,
    member: OnceCell<MemberRef<Seat>>,
    /// The number of the last flip that the thread has passed.
    flip: Cell<u64>,
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

    fn member(&self) -> &MemberRef<Seat> {
        self.member.get().expect("an attached thread is a member")
    }

    /// Does what a handshake asks of the thread.
    ///
    /// # Safety
    /// The caller is the thread at a safepoint, or the collector while the thread is in native state or held.
    unsafe fn act(&self, request: Request) {
        let (heap, barrier) = (&*self.heap, &self.barrier);
        heap.delays.at(Point::Act);
        match request {
            Request::Shade => self.start_shading(),
            Request::Begin => {
                self.retire_window();
                barrier.log.hand_over_written(&heap.inbox, barrier.flip.get());
                self.start_transition();
            }
            Request::Flip => {
                self.retire_window();
                let shade = &mut |slot: *mut usize| {
                    // SAFETY: the slot was reported as a root, and its thread is here.
                    barrier.log.shade(&heap.inbox, unsafe { *slot });
                };
                // SAFETY: the caller vouches for the thread; the cycle before has seen all of the stack.
                unsafe { heap.embedder.visit_youngest(self.words, shade) };
                self.for_each_handle(shade);
                barrier.log.hand_over_shades(&heap.inbox);
                self.start_marking();
            }
            Request::HandOver => barrier.log.hand_over_shades(&heap.inbox),
            Request::End => {
                // Everything that they could name is marked.
                barrier.log.drop_shades();
                self.set_phase(Phase::Idle);
            }
            Request::Hold => {}
        }
        heap.delays.at(Point::Acted);
    }

    /// Visits the root slots that only this thread writes.
    ///
    /// # Safety
    /// As for `act`.
    pub unsafe fn for_each_root(&self, visit: &mut dyn FnMut(*mut usize)) {
        // SAFETY: the caller vouches for the thread.
        unsafe { self.heap.embedder.visit_stack(self.words, visit) };
        self.for_each_handle(visit);
    }

    pub(crate) fn for_each_handle(&self, visit: &mut dyn FnMut(*mut usize)) {
        self.handles.visit(visit);
        self.heap.for_each_range_slot(Some(self.words as usize), visit);
    }

    fn set_phase(&self, phase: Phase) {
        self.barrier.phase.set(phase);
        self.words().shading.store((phase != Phase::Idle).into(), Ordering::Relaxed);
    }

    /// Has the collector mark what is stored.
    fn start_shading(&self) {
        self.set_phase(Phase::Shading);
        self.words().skip.store(COLOUR_NONE, Ordering::Relaxed);
    }

    /// Logs for the next epoch, and still allocates in this one.
    fn start_transition(&self) {
        let next = self.heap.epochs().next;
        let barrier = &self.barrier;
        self.set_phase(Phase::Transition);
        barrier.flip.set(next.flip);
        barrier.epoch.set(next.colour);
        self.words().skip.store(COLOUR_NONE, Ordering::Relaxed);
    }

    /// Enters the next epoch, whose cycle marks.
    fn start_marking(&self) {
        self.set_phase(Phase::Marking);
        self.enter_epoch(self.heap.epochs().next);
    }

    fn enter_epoch(&self, epoch: Epoch) {
        self.barrier.flip.set(epoch.flip);
        self.barrier.epoch.set(epoch.colour);
        self.flip.set(epoch.flip);
        let words = self.words();
        words.alloc_header.set(header_template(epoch.colour));
        let skip = if self.heap.options.log_writes { COLOUR_NONE } else { epoch.colour };
        words.skip.store(skip, Ordering::Relaxed);
    }

    /// In the transition, what is allocated will be old after this cycle, and may refer to what is allocated after
    /// another thread's flip: each object is remembered.
    fn remembers(&self) -> bool {
        self.barrier.phase.get() == Phase::Transition && self.heap.options.young_cycles
    }

    /// Hands over all that a thread leaves behind.
    fn hand_over_all(&self) {
        self.retire_window();
        let barrier = &self.barrier;
        barrier.log.hand_over_written(&self.heap.inbox, barrier.flip.get());
        barrier.log.hand_over_shades(&self.heap.inbox);
        let slow_paths = barrier.slow_paths.swap(0, Ordering::Relaxed);
        self.heap.barrier_slow_paths.fetch_add(slow_paths, Ordering::Relaxed);
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
        let limit = if self.heap.options.collect_every.is_some() || self.remembers() {
            0
        } else {
            let until_sample = usize::try_from(self.sampler.countdown()).unwrap_or(usize::MAX);
            end.min(words.cursor.get().saturating_add(until_sample))
        };
        words.limit.set(limit);
    }

    /// Gives up the window, so that a cycle may sort the block.
    fn retire_window(&self) {
        self.count();
        self.tell();
        let words = self.words();
        words.cursor.set(0);
        words.limit.set(0);
        self.counted.set(0);
        *self.window.borrow_mut() = Window::NONE;
        self.overflow.set(Overflow::default());
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

    /// Moves the cursor from `from`, if it is there, to `to` in the same hole: the last object becomes longer. No
    /// cycle looks at it before the thread has given up the window (I9).
    fn extend(&self, from: usize, to: usize) -> bool {
        let words = self.words();
        let window = &mut *self.window.borrow_mut();
        if words.cursor.get() != from || to > window.hole_end || self.remembers() {
            return false;
        }
        if to > window.end {
            let end = window.hole_end.min((window.end + STRETCH).max(to));
            self.clear(window.end, end, window.zeroed);
            window.end = end;
        }
        words.cursor.set(to);
        self.count();
        self.set_limit(window.end);
        true
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
        self.heap.delays.at(Point::Taken);
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
        // A block that was taken may have no hole that is large enough: patience is for the object.
        let mut patience = Patience::default();
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
                && let Some(object) = self.allocate_medium(ty, size)
            {
                return Ok(object);
            }
            let block =
                self.take(size, &mut patience, |space, flip| space.take_block(Want::Hole, flip))?;
            self.open(block);
            if size > MEDIUM {
                // No empty block was to be had, so holes are searched after all.
                self.next_hole(&mut self.window.borrow_mut(), size);
            }
        }
    }

    /// `None`: there is no empty block to put the object in.
    fn allocate_medium(&self, ty: TypeId, size: usize) -> Option<ObjectRef> {
        let mut overflow = self.overflow.get();
        if overflow.cursor + size > overflow.end {
            let block = self.heap.space().take_block(Want::Empty, self.flip.get()).ok()?;
            overflow = Overflow {
                cursor: block.address,
                end: block.address + BLOCK,
                zeroed: block.zeroed,
            };
        }
        let address = overflow.cursor;
        overflow.cursor += size;
        self.overflow.set(overflow);
        self.clear(address, address + size, overflow.zeroed);
        let object = self.publish(address, ty, size);
        self.set_limit(self.window.borrow().end);
        Some(object)
    }

    fn allocate_large(&self, ty: TypeId, size: usize) -> Result<ObjectRef, OutOfMemory> {
        self.count();
        let mut patience = Patience::default();
        let memory = self.take(size, &mut patience, |space, flip| space.take_large(size, flip))?;
        if memory.dirty {
            // SAFETY: the span was free and is this thread's now.
            unsafe { ptr::write_bytes(memory.address as *mut u8, 0, size) };
        }
        let object = self.publish(memory.address, ty, size);
        if size >= SEGMENTED && self.barrier.has_references(&self.heap, ty.0) {
            // SAFETY: the object was made just now.
            unsafe { object.set_colour(COLOUR_SEGMENTED) };
        }
        self.tell();
        self.set_limit(self.window.borrow().end);
        Ok(object)
    }

    /// Asks the space for memory, for a thread that has passed the flip that it is given. Waits for the collector
    /// when there is none, with what is left of the patience for the object.
    fn take<T: Timed>(
        &self,
        size: usize,
        patience: &mut Patience,
        mut ask: impl FnMut(&mut Space, u64) -> Result<T, Reason>,
    ) -> Result<T, OutOfMemory> {
        loop {
            self.safepoint();
            let start = Instant::now();
            let (taken, due, behind) = {
                let mut space = self.heap.space();
                let mut taken = ask(&mut space, self.flip.get());
                while taken.is_err() && space.ends_sweeping() {
                    drop(space);
                    thread::yield_now();
                    space = self.heap.space();
                    taken = ask(&mut space, self.flip.get());
                }
                if let Err(reason) = taken
                    && patience.ends(self.heap.allocated.load(Ordering::Relaxed), space.limit)
                {
                    return Err(space.shortage(size as u64, reason));
                }
                (taken, space.becomes_due(), space.is_behind())
            };
            if due {
                self.heap.collector.ask(Kind::Due);
            }
            match taken {
                Ok(memory) => {
                    self.heap.note_slow_path(start.elapsed(), memory.sweep_ns());
                    if behind {
                        self.make_way();
                    }
                    return Ok(memory);
                }
                Err(reason) => self.stall(size, reason, patience)?,
            }
        }
    }

    /// Gives the collector a chance: with more threads than processors it may not get its turn otherwise.
    fn make_way(&self) {
        let start = Instant::now();
        os::nap(MAKE_WAY);
        self.heap.note_pause(PauseCause::MakeWay, start.elapsed());
    }

    /// Waits for the collector, because memory has run out. An error when that has become all that the program does,
    /// or patience is at its end.
    fn stall(
        &self,
        size: usize,
        reason: Reason,
        patience: &mut Patience,
    ) -> Result<(), OutOfMemory> {
        let start = Instant::now();
        let shortage = |space: &Space| Err(space.shortage(size as u64, reason));
        let deadline = match self.heap.options.stall {
            Stall::Wait => None,
            Stall::AtMost(time) => Some(*patience.until.get_or_insert(start + time)),
            Stall::Fail => return shortage(&self.heap.space()),
        };
        if deadline.is_some_and(|deadline| deadline <= start) {
            return shortage(&self.heap.space());
        }
        let ticket;
        (ticket, patience.tried) = self.heap.collector.ask_for_room(patience.tried);
        self.wait(ticket, deadline);
        let stall = start.elapsed();
        self.heap.note_pause(PauseCause::Stall, stall);
        if !matches!(patience.tried, Tried::Full(_)) {
            return Ok(());
        }
        let mut space = self.heap.space();
        let allocated = self.heap.allocated.load(Ordering::Relaxed);
        let ends = space.note_stall(ticket.number(), allocated, stall);
        if ends { shortage(&space) } else { Ok(()) }
    }

    /// Waits for a cycle that starts after the call.
    ///
    /// # Panics
    /// When the collector has found the heap corrupted.
    fn collect(&self, kind: Kind) {
        self.wait(self.heap.collector.ask(kind), None);
    }

    fn wait(&self, ticket: Ticket, deadline: Option<Instant>) {
        self.enter_native();
        let waited = self.heap.collector.wait(ticket, deadline);
        self.leave_native();
        if let Err(message) = waited {
            panic!("{message}");
        }
    }

    /// Turns zeroed memory into an object.
    fn publish(&self, address: usize, ty: TypeId, size: usize) -> ObjectRef {
        let header = header_word(self.words().alloc_header.get(), ty.0);
        // SAFETY: the memory is this thread's own and large enough for a header.
        unsafe { *(address as *mut u64) = header };
        if self.remembers() && self.heap.options.plant != Some(Plant::SkipTransition) {
            let barrier = &self.barrier;
            barrier.log.note(&self.heap.inbox, barrier.flip.get(), Written::Object(address));
        }
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
                self.collect(Kind::Every);
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

    #[inline]
    fn safepoint(&self) {
        if self.words().poll.load(Ordering::Relaxed) & POLL_STOP != 0 {
            self.safepoint_slowly();
        }
    }

    #[cold]
    fn safepoint_slowly(&self) {
        let start = Instant::now();
        self.heap.handshakes.safepoint(self.member());
        self.heap.note_pause(PauseCause::Handshake, start.elapsed());
    }

    fn enter_native(&self) {
        self.heap.delays.at(Point::Native);
        if !self.heap.handshakes.try_enter_native(self.member()) {
            let start = Instant::now();
            self.heap.handshakes.enter_native_slowly(self.member());
            self.heap.note_pause(PauseCause::Handshake, start.elapsed());
        }
    }

    fn leave_native(&self) {
        if !self.heap.handshakes.try_leave_native(self.member()) {
            let start = Instant::now();
            self.heap.handshakes.leave_native_slowly(self.member());
            self.heap.note_pause(PauseCause::Handshake, start.elapsed());
        }
        self.heap.delays.at(Point::Native);
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
        let options = &heap.options;
        let inner = Box::new(Inner {
            words,
            heap: Arc::clone(heap),
            handles: HandleStack::default(),
            barrier: Barrier::new(heap),
            member: OnceCell::new(),
            flip: Cell::new(0),
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
        w.segment_colours.set(heap.spans.segment_colours());
        let member = heap.handshakes.join(|last| {
            // SAFETY: just made.
            let this = unsafe { inner.as_ref() };
            let epochs = heap.epochs();
            match last {
                Some(Request::Shade) => {
                    this.enter_epoch(epochs.current);
                    this.start_shading();
                }
                Some(Request::Begin) => {
                    this.enter_epoch(epochs.current);
                    this.start_transition();
                }
                Some(Request::Flip | Request::HandOver) => this.start_marking(),
                Some(Request::End | Request::Hold) | None => this.enter_epoch(epochs.current),
            }
            Seat { inner, poll: &w.poll }
        });
        // SAFETY: as above; nobody has acted for the thread yet, because it runs.
        let set = unsafe { inner.as_ref() }.member.set(member);
        assert!(set.is_ok(), "a thread joins once");
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
        let sized = room_code(len)
            .and_then(|code| Some((code, SizeRule::of_array(elem_size, room_of(code))?)));
        let Some((code, size)) = sized else {
            let requested = (len as u64).saturating_mul(elem_size as u64);
            return Err(inner.heap.space().shortage(requested, Reason::TooLarge));
        };
        let object = match self.bump(ty, size) {
            Some(object) => object,
            None => inner.allocate(ty, size)?,
        };
        // SAFETY: the object is new, and its type is an array.
        unsafe {
            *object.at::<u16>(ARRAY_ROOM) = code;
            *object.at::<usize>(ARRAY_LEN) = len;
        }
        Ok(object)
    }

    /// Gives an array room for at least `room` elements where it is, and for as many more as cost nothing. False: it has
    /// to stay as it is, because it is not the last object that this thread has allocated, or the memory behind it
    /// is not free.
    ///
    /// # Safety
    /// The object is a live array.
    pub unsafe fn extend_array(&mut self, array: ObjectRef, room: usize) -> bool {
        // SAFETY: the caller vouches for the array.
        let (ty, old) = unsafe { (array.type_id(), array.array_room()) };
        let inner = self.inner();
        let SizeRule::PerElement(elem_size) = inner.size_rule(ty) else {
            panic!("type {} is not an array type", ty.0)
        };
        let sizes = SizeRule::of_array(elem_size, old).zip(SizeRule::of_array(elem_size, room));
        let Some((before, after)) = sizes.filter(|(_, after)| *after < LARGE) else { return false };
        let fits = ((after - ARRAY_DATA) / elem_size as usize).min(ROOM_EXACT);
        if room > fits || !inner.extend(array.address() + before, array.address() + after) {
            return false;
        }
        // SAFETY: the memory up to there is the array's now.
        unsafe {
            (*array.at::<AtomicU16>(ARRAY_ROOM)).store(fits as u16, Ordering::Release);
        }
        true
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
    /// is written, everything else is zero; for an array the caller stores room and length before its next
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
        let referent = unsafe { (*cell.at::<AtomicUsize>(WEAK_REFERENT)).load(Ordering::Relaxed) };
        let heap = &self.inner().heap;
        heap.delays.at(Point::WeakRead);
        heap.weak_gate.follow(heap, referent)
    }

    /// Does what the collector has asked of the thread, if it has.
    #[inline]
    pub fn safepoint(&mut self) {
        self.inner().safepoint();
    }

    /// Waits for a full cycle that starts after the call, so that whatever was unreachable at the call is gone
    /// afterwards. The collector's thread does the work; other threads go on.
    ///
    /// # Panics
    /// When the collector finds the heap corrupted.
    pub fn collect(&mut self) {
        self.inner().collect(Kind::Full);
    }

    /// Waits for a cycle that looks at young objects only, when the heap has young cycles; at everything
    /// otherwise.
    ///
    /// # Panics
    /// As [`Mutator::collect`].
    pub fn collect_young(&mut self) {
        self.inner().collect(Kind::Young);
    }

    /// Enters native state: until [`Mutator::leave_native`], the thread touches no object, allocates
    /// nothing, and the collector does not wait for it. Handles may be dropped meanwhile.
    #[inline]
    pub fn enter_native(&self) {
        self.inner().enter_native();
    }

    /// Leaves native state; waits while the collector reads the thread's stack.
    #[inline]
    pub fn leave_native(&self) {
        self.inner().leave_native();
    }

    /// The slow path of a reference store, to be called directly before the store when the object's
    /// colour is not the one in [`crate::layout::SKIP`], once for each reference that is stored.
    ///
    /// # Safety
    /// `object` is live; `slot` is the address of one of its reference slots; `value` is what is stored there
    /// next, the address of a live object or zero; and no safepoint lies between this and the store.
    pub unsafe fn write_barrier(&self, object: ObjectRef, slot: usize, value: usize) {
        let inner = self.inner();
        // SAFETY: the same contract.
        unsafe { inner.barrier.slow_path(&inner.heap, object, slot, value) };
    }

    /// Has the collector mark what is at `address`; 0 is nothing. For roots that [`crate::Embedder::visit_youngest`] has left
    /// out, before they change.
    pub fn shade(&self, address: usize) {
        let inner = self.inner();
        inner.barrier.log.shade(&inner.heap.inbox, address);
    }

    /// Makes `count` slots roots that only this thread touches, until the result is dropped.
    ///
    /// # Safety
    /// The slots stay in place until then; whenever the thread is at a safepoint each holds zero or the address of an
    /// object of this heap; and the result is dropped before the mutator is.
    pub unsafe fn register_roots(&self, slots: *mut usize, count: usize) -> RootRange {
        let inner = self.inner();
        RootRange::new(&inner.heap, slots, count, Some(inner.words as usize))
    }

    /// Stores a reference into the slot at `offset`, with the barrier.
    ///
    /// # Safety
    /// `object` is live, its type has a reference at `offset`, and `value` is live.
    #[inline]
    pub unsafe fn store(&self, object: ObjectRef, offset: usize, value: Option<ObjectRef>) {
        let value = value.map_or(0, ObjectRef::address);
        // SAFETY: the caller vouches for the object and the slot.
        unsafe {
            if object.colour() != self.inner().words().skip.load(Ordering::Relaxed) {
                self.write_barrier(object, object.address() + offset, value);
            }
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
        let mut patience = Patience::default();
        loop {
            let mut space = inner.heap.space();
            let Err(reason) = space.charge(bytes) else { return Ok(()) };
            if patience.ends(inner.heap.allocated.load(Ordering::Relaxed), space.limit) {
                return Err(space.shortage(bytes, reason));
            }
            drop(space);
            inner.stall(bytes as usize, reason, &mut patience)?;
        }
    }
}

impl Drop for Mutator {
    fn drop(&mut self) {
        let inner = self.inner();
        inner.heap.handshakes.leave(inner.member(), || inner.hand_over_all());
        inner.words().mutator.set(ptr::null_mut());
        // SAFETY: the box was leaked in `attach`, and no collector knows of it any more.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}
