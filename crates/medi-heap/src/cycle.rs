//! One cycle, from its first handshake to its last.
//!
//! A full cycle moves on to the next mark and finds everything that is live. A young one keeps the
//! mark, so that what survived before counts as live without being looked at (sticky mark bits, Demers et
//! al.); it starts from the roots and from what was written since the last flip, which are the only old
//! objects that can refer to young ones.
//!
//! No thread is stopped. Each passes four kinds of handshakes at its own safepoints: *begin* (log for the next epoch,
//! and shade what is stored), *flip* (hand over the roots, enter the next epoch), *hand over* (what was overwritten
//! since, as often as that brings something new), *end*. What was reachable at a thread's flip, or is stored while
//! others have not flipped yet, is marked; what is allocated after it is kept. The protocol is Doligez, Leroy and
//! Gonthier's with the sliding views of Azatchi, Levanoni, Paz and Petrank; `docs/collector.md` says why it is right.
//!
//! The moving mode, and the check of writes, hold all threads for the whole cycle; the verifier holds them while it
//! looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::block_set::BlockIndex;
use crate::collector::Kind;
use crate::coverage::starts;
use crate::evacuate;
use crate::handshake::Request;
use crate::heap::{Epochs, HeapInner};
use crate::large::LargeSpace;
use crate::layout::{COLOUR_FIRST, COLOUR_LAST, GRANULE, RESTAMP_COLOURS};
use crate::liveness::Liveness;
use crate::log::{Chunk, Written, entries};
use crate::mark::{Marked, Marker, weak_slot};
use crate::mutator::Epoch;
use crate::options::{OnCycle, Plant};
use crate::os;
use crate::space::{SortStage, Space, runs};
use crate::stats::CycleReport;
use crate::verify;

/// Totals over all cycles.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CycleTotals {
    pub cycles: u64,
    pub young: u64,
    pub marked_objects: u64,
    pub marked_bytes: u64,
    pub mark_wall_ns: u64,
    pub mark_cpu_ns: u64,
}

/// With [`Kind::Every`], each so many cycles is a full one.
const EVERY_FULL: u64 = 4;
/// Blocks swept, and large objects looked at, under one hold of the space's lock.
const SWEPT_AT_ONCE: usize = 8;
/// Blocks sorted under one hold of the lock.
const SORTED_AT_ONCE: usize = 128;

/// Blocks given back to the system at a time: a megabyte, so that no other use of the address space waits long.
const GIVEN_BACK_AT_ONCE: usize = 16;

/// All threads, held until this is dropped.
struct Held<'a>(&'a HeapInner);

impl<'a> Held<'a> {
    fn new(heap: &'a HeapInner) -> Held<'a> {
        heap.handshakes.hold();
        Held(heap)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.handshakes.release();
    }
}

/// Runs a cycle. On the collector's thread only.
///
/// # Panics
/// When it finds the heap corrupted.
pub(crate) fn run(heap: &HeapInner, kind: Kind) {
    let options = &heap.options;
    let check_writes = options.verify && options.log_writes;
    let held = (options.moving || check_writes).then(|| Held::new(heap));
    let cycle = Cycle::new(heap, kind, held.is_some());

    let (written, allocated) = cycle.flip();
    let flip = cycle.started.elapsed();
    let types = heap.types.read();
    let cpu = os::thread_cpu_ns();
    let mut marker = Marker::new(&types, cycle.liveness, cycle.restamp, options.plant);
    // SAFETY: every thread has passed the flip.
    let (rounds, (marked, weak_cells)) = unsafe {
        let rounds = cycle.mark(&mut marker, &written);
        (rounds, marker.finish())
    };
    let (mark, mark_cpu_ns) = (cycle.started.elapsed() - flip, os::thread_cpu_ns() - cpu);
    if options.plant != Some(Plant::KeepWeak) {
        // SAFETY: the gate is closed, and the cells are live.
        unsafe { clear_weak(heap, cycle.liveness, &weak_cells) };
    }
    drop_dead_samples(heap, cycle.liveness);
    cycle.end();
    // Objects that have moved would be compared with where they were.
    let verifiable = options.verify && !options.moving;
    heap.cleaners.visit(cycle.liveness, cycle.full, options.plant, verifiable);

    if check_writes {
        // SAFETY: all threads are held, and nothing has been swept.
        unsafe { verify::check_writes(heap, &types, cycle.liveness, &written) };
    }
    cycle.sort(marked);
    let whole = cycle.started.elapsed();
    if options.moving {
        // SAFETY: all threads are held, and marking is done.
        unsafe { evacuate::evacuate(heap, &mut heap.space(), &types) };
    }
    if options.poison {
        sweep_in_background(heap);
    }
    if options.verify {
        let now = if held.is_none() { Some(Held::new(heap)) } else { None };
        let exact = cycle.full && now.is_none();
        // SAFETY: all threads are held.
        let verified = unsafe { verify::verify(heap, &heap.space(), &types, exact) };
        if let Err(violation) = verified {
            panic!("heap verification failed: {violation}");
        }
    }
    if check_writes {
        // SAFETY: all threads are held.
        unsafe { verify::snapshot_writes(heap, &types) };
    }
    let full = cycle.full;
    {
        let mut pacer = heap.pacer();
        pacer.note_cycle(full, marked.bytes, allocated, whole);
        pacer.plan(options, &mut heap.space(), full);
    }

    let number = {
        let mut totals = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        totals.cycles += 1;
        totals.young += !full as u64;
        totals.marked_objects += marked.objects;
        totals.marked_bytes += marked.bytes;
        totals.mark_wall_ns += mark.as_nanos() as u64;
        totals.mark_cpu_ns += mark_cpu_ns;
        totals.cycles
    };
    if let Some(OnCycle(tell)) = &options.on_cycle {
        let report = {
            let space = heap.space();
            CycleReport {
                number,
                full,
                began: cycle.started - heap.made,
                flip,
                mark,
                whole,
                rounds,
                marked_objects: marked.objects,
                marked_bytes: marked.bytes,
                allocated,
                allocated_meanwhile: space.allocated_since,
                live: space.totals.live,
                heap: space.heap_bytes(),
                free: space.free_bytes(),
                external: space.external,
                limit: space.limit,
                next_after: space.trigger,
                next_full: space.next_full,
            }
        };
        tell(&report);
    }
}

/// Sweeps what no thread has taken since the last cycle, a few blocks at a time.
fn sweep_in_background(heap: &HeapInner) {
    while heap.space().sweep_some(SWEPT_AT_ONCE) {
        heap.share_space();
    }
}

struct Cycle<'a> {
    heap: &'a HeapInner,
    started: Instant,
    held: bool,
    full: bool,
    /// The colours have run out: all live objects lose theirs.
    restamp: bool,
    epochs: Epochs,
    liveness: Liveness,
}

impl<'a> Cycle<'a> {
    fn new(heap: &'a HeapInner, kind: Kind, held: bool) -> Cycle<'a> {
        let started = Instant::now();
        let current = heap.epochs().current;
        let restamp = current.colour == COLOUR_LAST;
        let full = restamp || is_full(heap, &heap.space(), kind);
        let colour = match current.colour {
            COLOUR_LAST => RESTAMP_COLOURS[(current.flip / (COLOUR_LAST as u32 + 1)) as usize % 2],
            colour if RESTAMP_COLOURS.contains(&colour) => COLOUR_FIRST,
            colour => colour + 1,
        };
        let next = Epoch { flip: current.flip + 1, colour };
        let mark = if full { next_mark(heap) } else { heap.space().mark };
        heap.space().marking = true;
        heap.set_liveness(mark, next.flip);
        let epochs = Epochs { current, next };
        Cycle { heap, started, held, full, restamp, epochs, liveness: heap.liveness() }
    }

    fn pass(&self, request: Request) {
        if self.held {
            self.heap.handshakes.handshake_held(request);
        } else {
            self.heap.handshakes.handshake(request);
        }
    }

    /// Takes all threads to the next epoch. Returns what was written in the one before, and how much was allocated.
    fn flip(&self) -> (Vec<Chunk>, u64) {
        let heap = self.heap;
        heap.set_epochs(self.epochs);
        heap.set_shading(true);
        heap.weak_gate.start_marking();
        self.pass(Request::Begin);
        let written = heap.inbox.take_written(self.epochs.current.flip);
        self.pass(Request::Flip);
        heap.set_epochs(Epochs { current: self.epochs.next, ..self.epochs });
        let mut pacer = heap.pacer();
        let mut space = heap.space();
        let allocated = std::mem::take(&mut space.allocated_since);
        pacer.note_flip(allocated);
        space.due_told = false;
        (written, allocated)
    }

    /// Marks until nothing is left to mark, and closes the gate for weak references. Returns how many rounds of
    /// hand-overs that took.
    ///
    /// # Safety
    /// Every thread has passed the flip.
    unsafe fn mark(&self, marker: &mut Marker, written: &[Chunk]) -> u32 {
        let heap = self.heap;
        // SAFETY: slots hold what their owners promised; what was handed over was live at a flip or after it.
        unsafe {
            if !self.full {
                self.rescan(marker, written);
            }
            let visit = &mut |slot: *mut usize| marker.root(load(slot));
            heap.for_each_range_slot(None, visit);
            heap.roots.visit(visit);
            mark_mail(heap, marker);
            for round in 1.. {
                let before = marker.objects();
                self.pass(Request::HandOver);
                mark_mail(heap, marker);
                let nothing_new = marker.objects() == before;
                let more = || {
                    mark_mail(heap, marker);
                    marker.objects() != before
                };
                if nothing_new && heap.weak_gate.close_unless(more) {
                    return round;
                }
            }
            unreachable!("rounds end when nothing new comes in")
        }
    }

    /// Adds what written objects refer to, those that are old and still there.
    ///
    /// # Safety
    /// As for `mark`, and nothing has been marked yet.
    unsafe fn rescan(&self, marker: &mut Marker, written: &[Chunk]) {
        let Liveness { geometry, spans, mark, flip } = self.liveness;
        // SAFETY: what is marked already is old and live, whatever was there when the entry was made.
        unsafe {
            for written in written.iter().flat_map(|chunk| entries(chunk)) {
                match written {
                    Written::Object(address) => {
                        if self.liveness.is_marked(address) {
                            marker.rescan(address);
                        }
                    }
                    Written::Segment { array, segment } => {
                        let found = spans.find(array).filter(|page| spans.born(*page) != flip);
                        if found.is_some_and(|page| spans.mark(page) == mark) {
                            marker.rescan_segment(array, segment);
                        }
                    }
                    Written::Block(address) => {
                        let metadata = geometry.block_metadata(geometry.block_of(address));
                        for granule in starts(metadata, |state| state == mark) {
                            marker.rescan(address + granule * GRANULE);
                        }
                    }
                }
            }
        }
    }

    /// Lets threads go on as if no cycle were under way.
    fn end(&self) {
        let heap = self.heap;
        self.pass(Request::End);
        heap.set_shading(false);
        // A thread that saw the flag before may be about to shade; it does so under the table's lock.
        heap.roots.pass();
        heap.inbox.take_shades();
        heap.weak_gate.open();
    }

    /// Sorts blocks and large objects by what was found live.
    fn sort(&self, marked: Marked) {
        let heap = self.heap;
        {
            let mut space = heap.space();
            space.totals.live = if self.full { 0 } else { space.totals.live } + marked.bytes;
        }
        let stages: &[_] = match self.full {
            true => &[SortStage::InUse, SortStage::Swept, SortStage::Dense],
            false => &[SortStage::InUse],
        };
        for stage in stages {
            let mut from = Some(BlockIndex(0));
            while let Some(at) = from {
                from = heap.space().sort_some(*stage, at, SORTED_AT_ONCE, self.liveness.flip);
                heap.share_space();
            }
        }
        let mut from = Some(0);
        while let Some(at) = from {
            let (dead, next) = heap.space().remove_dead_large(at, SORTED_AT_ONCE, self.liveness);
            for span in dead {
                let poisoned = heap.options.poison;
                let given_back = LargeSpace::clean(heap.spans, span, poisoned);
                heap.space().release_large(span, given_back);
                heap.share_space();
            }
            from = next;
        }
        heap.space().marking = false;
    }
}

/// Whether a cycle has to look at everything.
fn is_full(heap: &HeapInner, space: &Space, kind: Kind) -> bool {
    let young_will_do = match kind {
        Kind::Full => false,
        Kind::Young => true,
        Kind::Due => !space.next_full,
        Kind::Every => {
            let cycles = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            !cycles.cycles.is_multiple_of(EVERY_FULL)
        }
    };
    !(heap.options.young_cycles && young_will_do)
}

/// Moves on to the next mark once everything is swept (I5).
fn next_mark(heap: &HeapInner) -> u8 {
    loop {
        sweep_in_background(heap);
        if let Some(mark) = heap.space().next_mark() {
            return mark;
        }
    }
}

/// # Safety
/// A reference slot is here.
unsafe fn load(slot: *mut usize) -> usize {
    // SAFETY: slots are aligned words.
    unsafe { (*slot.cast::<AtomicUsize>()).load(Ordering::Acquire) }
}

/// Marks what was handed over, and all that it reaches.
///
/// # Safety
/// As for [`Cycle::mark`].
unsafe fn mark_mail(heap: &HeapInner, marker: &mut Marker) {
    for chunk in heap.inbox.take_shades() {
        chunk.iter().for_each(|address| marker.root(*address));
    }
    // SAFETY: the same contract.
    unsafe { marker.drain() };
}

/// Makes weak references to dead objects nil.
///
/// # Safety
/// The gate is closed, and `weak_cells` are live weak cells.
unsafe fn clear_weak(heap: &HeapInner, liveness: Liveness, weak_cells: &[usize]) {
    let clear = |slot: *mut usize| {
        // SAFETY: the slot is a weak handle's or a live weak cell's; nobody else writes a slot that is in use.
        let slot = unsafe { &*slot.cast::<AtomicUsize>() };
        let referent = slot.load(Ordering::Relaxed);
        if referent != 0 && !liveness.is_live(referent) {
            slot.store(0, Ordering::Relaxed);
        }
    };
    heap.weaks.visit(&mut |slot| clear(slot));
    for cell in weak_cells {
        clear(weak_slot(*cell));
    }
}

/// Keeps the samples of what is live.
fn drop_dead_samples(heap: &HeapInner, liveness: Liveness) {
    let samples = || heap.samples.lock().expect("no panic while samples change");
    let mut kept = std::mem::take(&mut *samples());
    kept.retain(|sample| liveness.is_live(sample.address));
    samples().append(&mut kept);
}

/// What is left to do after a cycle once those who waited for it go on.
pub(crate) fn finish(heap: &HeapInner) {
    sweep_in_background(heap);
    let pacer = heap.pacer();
    pacer.plan_again(&heap.options, &mut heap.space());
}

/// Gives memory back to the system that nobody has needed for a while: half of it each time, because the program may
/// just be between two phases, and faulting memory in again costs more than keeping it.
pub(crate) fn give_back_idle(heap: &HeapInner) {
    let mut idle = heap.space().idle_blocks() / 2;
    while idle > 0 {
        let blocks = heap.space().withdraw_free(idle.min(GIVEN_BACK_AT_ONCE));
        if blocks.is_empty() {
            return;
        }
        for run in runs(&blocks) {
            heap.geometry.give_back(run);
        }
        heap.space().note_given_back(&blocks);
        idle -= blocks.len();
    }
}
