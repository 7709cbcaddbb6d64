//! One cycle, from its first handshake to its last.
//!
//! A full cycle moves on to the next mark and finds everything that is live. A young one keeps the
//! mark, so that what survived before counts as live without being looked at (sticky mark bits, Demers et
//! al.); it starts from the roots and from what was written since the last flip, which are the only old
//! objects that can refer to young ones.
//!
//! No thread is stopped. Each passes five kinds of handshakes at its own safepoints: *shade* (have marked what is
//! stored), *begin* (log for the next epoch, too), *flip* (hand over the roots, enter the next epoch), *hand over* (what
//! was overwritten since, as often as that brings something new), *end*. What was reachable at a thread's flip, or is stored while
//! others have not flipped yet, is marked; what is allocated after it is kept. The protocol is Doligez, Leroy and
//! Gonthier's with the sliding views of Azatchi, Levanoni, Paz and Petrank; `docs/collector.md` says why it is right.
//!
//! The moving mode, and the check of writes, hold all threads for the whole cycle; the verifier holds them while it
//! looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::block_set::BlockIndex;
use crate::collector::Kind;
use crate::delay::Point;
use crate::evacuate;
use crate::handshake::Request;
use crate::heap::{Epochs, HeapInner};
use crate::large::LargeSpace;
use crate::layout::{COLOUR_FIRST, COLOUR_LAST, RESTAMP_COLOURS};
use crate::liveness::{Life, Liveness};
use crate::log::{Chunk, Written, entries};
use crate::mark::{Drained, Job, Marked, Marker, weak_slot};
use crate::mutator::Epoch;
use crate::options::{OnCycle, Options, Plant};
use crate::os;
use crate::pressure;
use crate::space::{SortStage, Space, runs};
use crate::stats::CycleReport;
use crate::types::TypeInfo;
use crate::verify;

/// Totals over all cycles.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CycleTotals {
    pub cycles: u64,
    pub young: u64,
    /// Those of the young ones that ran during a full one.
    pub nested: u64,
    pub marked_objects: u64,
    pub marked_bytes: u64,
    pub mark_wall_ns: u64,
    pub mark_cpu_ns: u64,
}

/// With [`Kind::Every`], each so many cycles is a full one.
const EVERY_FULL: u64 = 4;
/// Blocks that the collector's thread takes at a time to sweep.
const SWEPT_AT_ONCE: usize = 4;
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
    let mut cycle = Cycle::new(heap, kind, held.is_some());
    let written = cycle.flip();
    if cycle.full {
        heap.pacer().plan_young(options, &mut heap.space());
    }
    let types = heap.types.read();
    let job = Job::new(&types, cycle.liveness, cycle.restamp, options.plant);
    let mut marker = Marker::new(&job);
    // SAFETY: every thread has passed the flip.
    unsafe { cycle.mark(&mut marker, &types, &written, &mut None) };
    let (marked, weak_cells) = marker.finish();
    // SAFETY: the gate is closed, and the cells are live.
    unsafe { cycle.forget_dead(&weak_cells) };
    cycle.end();
    cycle.visit_cleaners();

    if check_writes {
        // SAFETY: all threads are held, and nothing has been swept.
        unsafe { verify::check_writes(heap, &types, cycle.liveness, &written) };
    }
    heap.inbox.recycle(written);
    heap.inbox.free_spare();
    cycle.sort(marked);
    cycle.times.whole = cycle.started.elapsed();
    if options.moving {
        // SAFETY: all threads are held, and marking is done.
        unsafe { evacuate::evacuate(heap, &mut heap.space(), &types) };
    }
    if options.poison {
        sweep_in_background(heap);
    }
    if options.verify {
        let exact = cycle.full && held.is_some();
        cycle.verify(&types, exact);
    }
    if check_writes {
        // SAFETY: all threads are held.
        unsafe { verify::snapshot_writes(heap, &types) };
    }
    cycle.account(marked);
}

/// Sweeps what no thread has taken since the last cycle, a few blocks at a time.
fn sweep_in_background(heap: &HeapInner) {
    loop {
        let sweep = heap.space().start_sweeping(SWEPT_AT_ONCE);
        if sweep.is_empty() {
            return;
        }
        let start = Instant::now();
        let found = sweep.run();
        heap.space().end_sweeping(&found, start.elapsed());
        heap.share_space();
    }
}

/// How long the parts of a cycle took.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    flip: Duration,
    mark: Duration,
    mark_cpu_ns: u64,
    whole: Duration,
}

/// What young cycles did during a full one.
#[derive(Clone, Copy, Debug, Default)]
struct Within {
    marked: Marked,
    took: Duration,
    cpu_ns: u64,
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
    /// What threads took in the epoch that the cycle ended.
    allocated: u64,
    rounds: u32,
    times: Times,
    within: Within,
}

impl<'a> Cycle<'a> {
    fn new(heap: &'a HeapInner, kind: Kind, held: bool) -> Cycle<'a> {
        let started = Instant::now();
        let restamp = heap.epochs().current.colour == COLOUR_LAST;
        let full = restamp || is_full(heap, &heap.space(), kind);
        let mark = if full { next_mark(heap) } else { heap.space().mark };
        heap.space().marking = true;
        Cycle { started, restamp, full, ..Cycle::between(heap, mark, 0, held) }
    }

    /// A young cycle during the full one whose flip was `since`.
    fn during(heap: &'a HeapInner, full: &Cycle, since: u64) -> Cycle<'a> {
        Cycle::between(heap, full.liveness.mark, since, false)
    }

    fn between(heap: &'a HeapInner, mark: u8, since: u64, held: bool) -> Cycle<'a> {
        let current = heap.epochs().current;
        let colour = match current.colour {
            COLOUR_LAST => RESTAMP_COLOURS[(current.flip / (COLOUR_LAST as u64 + 1)) as usize % 2],
            colour if RESTAMP_COLOURS.contains(&colour) => COLOUR_FIRST,
            colour => colour + 1,
        };
        let next = Epoch { flip: current.flip + 1, colour };
        let liveness = Liveness { mark, flip: next.flip, since, ..heap.liveness() };
        heap.set_liveness(liveness);
        Cycle {
            heap,
            started: Instant::now(),
            held,
            full: false,
            restamp: false,
            epochs: Epochs { current, next },
            liveness,
            allocated: 0,
            rounds: 0,
            times: Times::default(),
            within: Within::default(),
        }
    }

    fn pass(&self, request: Request) {
        self.heap.delays.at(Point::Post);
        if self.held {
            self.heap.handshakes.handshake_held(request);
        } else {
            self.heap.handshakes.handshake(request);
        }
        self.heap.delays.at(Point::Passed);
    }

    /// Takes all threads to the next epoch. Returns what was written in the one before.
    fn flip(&mut self) -> Vec<Chunk> {
        let heap = self.heap;
        heap.set_epochs(self.epochs);
        heap.set_shading(true);
        if self.liveness.since == 0 {
            heap.weak_gate.start_marking();
        }
        self.pass(Request::Shade);
        self.pass(Request::Begin);
        let written = heap.inbox.take_written(self.epochs.current.flip);
        self.pass(Request::Flip);
        heap.set_epochs(Epochs { current: self.epochs.next, ..self.epochs });
        let mut pacer = heap.pacer();
        let mut space = heap.space();
        self.allocated = space.start_epoch();
        pacer.note_flip(self.allocated);
        self.times.flip = self.started.elapsed();
        written
    }

    /// Marks until nothing is left to mark, and closes the gate for weak references. A young cycle during a full one
    /// tells the marker of that, `outer`, of all that is handed over.
    ///
    /// # Safety
    /// Every thread has passed the flip.
    unsafe fn mark(
        &mut self,
        marker: &mut Marker,
        types: &[TypeInfo],
        written: &[Chunk],
        outer: &mut Option<&mut Marker>,
    ) {
        let heap = self.heap;
        let (start, cpu) = (Instant::now(), os::thread_cpu_ns());
        // SAFETY: slots hold what their owners promised; what was handed over was live at a flip or after it.
        unsafe {
            if !self.full {
                self.rescan(marker, written);
            }
            let visit = &mut |slot: *mut usize| marker.root(load(slot));
            heap.for_each_range_slot(None, visit);
            heap.roots.for_each_address(|address| marker.root(address));
            heap.for_each_outside_slot(types, &mut |slot| marker.root(load(slot)));
            heap.for_each_older_slot(&mut |slot| marker.root(load(slot)));
            self.mark_interruptibly(marker, outer);
            loop {
                self.rounds += 1;
                let before = marker.objects();
                if heap.options.plant != Some(Plant::SkipRounds) {
                    self.pass(Request::HandOver);
                }
                self.mark_interruptibly(marker, outer);
                let planted = heap.options.plant == Some(Plant::SkipRounds);
                let nothing_new = marker.objects() == before || planted;
                let liveness = self.liveness;
                let is_white = |address| liveness.of(address) == Some(Life::White);
                let more = || {
                    take_mail(heap, marker, outer);
                    marker.waiting().any(is_white) && !planted
                };
                heap.delays.at(Point::Close);
                if nothing_new && heap.weak_gate.close_unless(more) {
                    break;
                }
            }
        }
        self.times.mark = start.elapsed() - self.within.took;
        let own = os::thread_cpu_ns() - cpu - self.within.cpu_ns;
        self.times.mark_cpu_ns = own + marker.helpers_cpu_ns();
    }

    /// Marks what was handed over, and all that it reaches. A full cycle makes way for young ones that are due.
    ///
    /// # Safety
    /// As for `mark`.
    unsafe fn mark_interruptibly(&mut self, marker: &mut Marker, outer: &mut Option<&mut Marker>) {
        let heap = self.heap;
        let helpers = (heap.options.markers.get() > 1).then_some(&*heap.markers);
        loop {
            take_mail(heap, marker, outer);
            let interrupt = || heap.inbox.is_crowded() || self.makes_way();
            // SAFETY: the same contract.
            if unsafe { marker.drain(helpers, interrupt) } == Drained::All {
                return;
            }
            if self.makes_way()
                && let Some(number) = heap.collector.start_young()
            {
                // SAFETY: the same contract.
                unsafe { self.run_young(marker) };
                heap.collector.end_young(number);
            }
        }
    }

    /// Whether a young cycle is to run before this one goes on. This one has at least half of the time, because what dies
    /// old is free when it has ended, and no sooner.
    fn makes_way(&self) -> bool {
        self.heap.delays.at(Point::Mark);
        // In a cycle that takes colours away, or when the next must, there is no colour for another epoch.
        let coloured = || !self.restamp && self.heap.epochs().current.colour != COLOUR_LAST;
        let fair = || self.started.elapsed() >= 2 * self.within.took;
        let may = self.full && !self.held && self.heap.options.young_cycles;
        may && self.heap.collector.young_is_asked() && coloured() && fair()
    }

    /// Runs a young cycle during this full one.
    ///
    /// What it frees was allocated since the full one's flip. That knows nothing of such objects: they are kept
    /// without being looked at, and whatever they refer to that was there before is in the full one's snapshot. So
    /// the young one, for its part, leaves alone what was there before, except that it starts from what has been written of
    /// that. What it finds live has the new mark, and thus is old for everyone.
    ///
    /// # Safety
    /// As for `mark`.
    unsafe fn run_young(&mut self, full_marker: &mut Marker) {
        let heap = self.heap;
        let cpu = os::thread_cpu_ns();
        let mut cycle = Cycle::during(heap, self, full_marker.flip());
        full_marker.note_interruption();
        let written = cycle.flip();
        let types = heap.types.read();
        let job = Job::new(&types, cycle.liveness, false, heap.options.plant);
        let mut marker = Marker::new(&job);
        // SAFETY: every thread has passed the flip.
        unsafe { cycle.mark(&mut marker, &types, &written, &mut Some(full_marker)) };
        heap.inbox.recycle(written);
        let (marked, weak_cells) = marker.finish();
        // SAFETY: the gate is closed, and the cells are live.
        unsafe { cycle.forget_dead(&weak_cells) };
        // No thread is between reading a weak reference and asking the gate then.
        cycle.pass(Request::HandOver);
        cycle.visit_cleaners();
        cycle.sort(marked);
        cycle.times.whole = cycle.started.elapsed();
        if heap.options.poison {
            sweep_in_background(heap);
        }
        if heap.options.verify {
            cycle.verify(&types, false);
        }
        cycle.account(marked);
        self.liveness = Liveness { since: 0, ..cycle.liveness };
        heap.weak_gate.resume_marking(|| heap.set_liveness(self.liveness));
        self.within.marked.objects += marked.objects;
        self.within.marked.bytes += marked.bytes;
        self.within.took += cycle.started.elapsed();
        self.within.cpu_ns += os::thread_cpu_ns() - cpu;
    }

    /// Adds what written objects refer to, those that are old and still there.
    ///
    /// # Safety
    /// As for `mark`, and nothing has been marked yet.
    unsafe fn rescan(&self, marker: &mut Marker, written: &[Chunk]) {
        if self.liveness.since > 0 && self.heap.options.plant == Some(Plant::SkipNestedLog) {
            return;
        }
        // SAFETY: what is old was there when the entry was made, or is followed whatever it is.
        unsafe {
            for written in written.iter().flat_map(|chunk| entries(chunk)) {
                match written {
                    Written::Object(address) if self.liveness.is_old(address) => {
                        marker.rescan(address);
                    }
                    Written::Segment { array, segment } if self.liveness.is_old(array) => {
                        marker.rescan_segment(array, segment);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Makes cleaners ready whose objects are dead. No thread can get at these any more.
    fn visit_cleaners(&self) {
        let Options { verify, moving, plant, .. } = self.heap.options;
        // Objects that have moved would be compared with where they were.
        self.heap.cleaners.visit(self.liveness, self.full, plant, verify && !moving);
    }

    /// Lets threads go on as if no cycle were under way.
    fn end(&self) {
        let heap = self.heap;
        self.pass(Request::End);
        heap.set_shading(false);
        heap.inbox.recycle(heap.inbox.take_shades());
        heap.weak_gate.open();
    }

    /// Makes what refers to the dead without keeping it alive forget it.
    ///
    /// # Safety
    /// The gate is closed, and `weak_cells` are live weak cells.
    unsafe fn forget_dead(&self, weak_cells: &[usize]) {
        if self.heap.options.plant != Some(Plant::KeepWeak) {
            // SAFETY: the same contract.
            unsafe { clear_weak(self.heap, self.liveness, weak_cells) };
        }
        drop_dead_samples(self.heap, self.liveness);
    }

    /// Sorts blocks and large objects by what was found live.
    fn sort(&self, marked: Marked) {
        let heap = self.heap;
        {
            let mut space = heap.space();
            let before = if self.full { self.within.marked.bytes } else { space.totals.live };
            space.totals.live = before + marked.bytes;
            space.undecided &= !self.full;
        }
        let stages: &[_] = match self.full {
            true => &[SortStage::Unswept, SortStage::InUse, SortStage::Swept, SortStage::Dense],
            false => &[SortStage::InUse],
        };
        for stage in stages {
            let mut from = Some(BlockIndex(0));
            while let Some(at) = from {
                from = heap.space().sort_some(*stage, at, SORTED_AT_ONCE, self.liveness);
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
        if self.liveness.since == 0 {
            heap.space().marking = false;
        }
    }

    /// Compares with an independent trace, while all threads are held.
    ///
    /// # Panics
    /// When that finds anything else.
    fn verify(&self, types: &[TypeInfo], exact: bool) {
        let heap = self.heap;
        let _held = (!self.held).then(|| Held::new(heap));
        // SAFETY: all threads are held.
        let verified = unsafe { verify::verify(heap, &heap.space(), types, exact) };
        if let Err(violation) = verified {
            panic!("heap verification failed: {violation}");
        }
    }

    /// Enters the cycle into the statistics, and plans the next one.
    fn account(&self, marked: Marked) {
        let (heap, full, times) = (self.heap, self.full, self.times);
        let nested = self.liveness.since > 0;
        let options = &heap.options;
        {
            let mut pacer = heap.pacer();
            pacer.note_cycle(full, marked.bytes, self.allocated, times.whole - self.within.took);
            match nested {
                true => pacer.plan_young(options, &mut heap.space()),
                false => pacer.plan(options, &mut heap.space(), full),
            }
        }
        expect_blocks(heap);
        let number = {
            let mut totals = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            totals.cycles += 1;
            totals.young += !full as u64;
            totals.nested += nested as u64;
            totals.marked_objects += marked.objects;
            totals.marked_bytes += marked.bytes;
            totals.mark_wall_ns += times.mark.as_nanos() as u64;
            totals.mark_cpu_ns += times.mark_cpu_ns;
            totals.cycles
        };
        let Some(OnCycle(tell)) = &options.on_cycle else { return };
        let report = {
            let space = heap.space();
            CycleReport {
                number,
                full,
                nested,
                began: self.started - heap.made,
                flip: times.flip,
                mark: times.mark,
                mark_cpu: Duration::from_nanos(times.mark_cpu_ns),
                whole: times.whole,
                rounds: self.rounds,
                marked_objects: marked.objects,
                marked_bytes: marked.bytes,
                allocated: self.allocated,
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

/// Adds what was handed over to what is to be marked.
fn take_mail(heap: &HeapInner, marker: &mut Marker, outer: &mut Option<&mut Marker>) {
    let shades = heap.inbox.take_shades();
    for address in shades.iter().flatten() {
        marker.root(*address);
        if let Some(outer) = outer {
            outer.root(*address);
        }
    }
    heap.inbox.recycle(shades);
}

/// Makes weak references to dead objects nil.
///
/// # Safety
/// The gate is closed, and `weak_cells` are live weak cells.
unsafe fn clear_weak(heap: &HeapInner, liveness: Liveness, weak_cells: &[usize]) {
    heap.weaks.clear_dead(|referent| liveness.is_dead(referent));
    for cell in weak_cells {
        // SAFETY: the slot is a live weak cell's, which nobody else writes.
        let slot = unsafe { &*weak_slot(*cell).cast::<AtomicUsize>() };
        let referent = slot.load(Ordering::Relaxed);
        if referent != 0 && liveness.is_dead(referent) {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

/// Keeps the samples of what is live.
fn drop_dead_samples(heap: &HeapInner, liveness: Liveness) {
    let samples = || heap.samples.lock().expect("no panic while samples change");
    let mut kept = std::mem::take(&mut *samples());
    kept.retain(|sample| !liveness.is_dead(sample.address));
    samples().append(&mut kept);
}

/// What is left to do after a cycle once those who waited for it go on.
pub(crate) fn finish(heap: &HeapInner) {
    sweep_in_background(heap);
    let pacer = heap.pacer();
    pacer.plan_again(&heap.options, &mut heap.space());
}

/// Makes ready what threads that take new blocks would wait for the system to give.
pub(crate) fn expect_blocks(heap: &HeapInner) {
    let (first, end) = heap.space().expected_blocks();
    heap.geometry.expect_births(first, end);
}

/// Looks how short the machine is of memory, and gives back what the heap does not need.
pub(crate) fn look_after_memory(heap: &HeapInner) {
    let options = &heap.options;
    let percent = options.pressure.as_deref().and_then(pressure::read);
    let restraint = percent.map_or(1.0, pressure::restraint);
    {
        let mut pacer = heap.pacer();
        pacer.restrain(restraint);
        pacer.note_pressure(percent);
    }
    let mut space = heap.space();
    let above_soft = options.soft_limit.is_some_and(|soft| space.footprint() > soft);
    let blocks = if restraint < 1.0 || above_soft {
        space.idle_blocks(0)
    } else {
        // Half of it each time, because the program may just be between two phases, and faulting memory in again
        // costs more than keeping it.
        let keep = space.keep;
        space.idle_blocks(keep) / 2
    };
    drop(space);
    give_back(heap, blocks);
}

/// Gives up to so many free blocks back to the system.
fn give_back(heap: &HeapInner, mut count: usize) {
    while count > 0 {
        let blocks = heap.space().withdraw_free(count.min(GIVEN_BACK_AT_ONCE));
        if blocks.is_empty() {
            return;
        }
        for run in runs(&blocks) {
            heap.geometry.give_back(run);
        }
        heap.space().note_given_back(&blocks);
        count -= blocks.len();
    }
}
