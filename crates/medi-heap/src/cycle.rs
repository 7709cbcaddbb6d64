//! One collection, from stop to resume.
//!
//! A full collection moves on to the next mark and finds everything that is live. A young one keeps the
//! mark, so that what survived before counts as live without being looked at (sticky mark bits, Demers et
//! al.); it starts from the roots and from the old objects that the barrier logged, which are the only old
//! ones that can refer to young ones. The colour of new objects changes at each collection, so that the
//! barrier logs each older object once, at its first write (I8).
//!
//! Stopping: every thread is stopped for the whole of it. The order is fixed by the invariants: windows
//! are given up before blocks are sorted, sweeping ends before the mark moves on (I5), weak references are
//! looked at after everything strong is marked, blocks are sorted after that, and objects move, in the
//! mode that moves them, when nothing else is left to do.

use std::cell::Cell;
use std::time::Instant;

use crate::evacuate;
use crate::heap::{HeapInner, MutatorPtr};
use crate::layout::{BLOCK, COLOUR_FIRST, COLOUR_NONE};
use crate::mark::{Marker, weak_slot};
use crate::mutator::Inner;
use crate::options::Plant;
use crate::os;
use crate::space::Space;
use crate::stats::PauseCause;
use crate::verify;

/// Totals over all collections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CycleTotals {
    pub cycles: u64,
    pub young: u64,
    pub marked_objects: u64,
    pub marked_bytes: u64,
    pub mark_wall_ns: u64,
    pub mark_cpu_ns: u64,
}

/// What a collection is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Find everything that is dead.
    Full,
    /// Find what has died young.
    Young,
    /// What the pacing wants.
    Due,
    /// Mostly young, full now and then, for tests that collect all the time.
    Every,
}

/// With [`Kind::Every`], each so many collections is a full one.
const EVERY_FULL: u64 = 4;

/// Ends the stop when the collection is over, or has found the heap corrupted and is unwinding.
struct Resume<'a>(&'a HeapInner);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.stop.resume();
    }
}

/// Collects on behalf of the running thread `me`. False: another thread did meanwhile.
pub(crate) fn collect(me: &Inner, kind: Kind) -> bool {
    let heap = &*me.heap;
    let start = Instant::now();
    if !heap.stop.stop(me.member()) {
        heap.note_pause(PauseCause::Handshake, start.elapsed());
        return false;
    }
    let resume = Resume(heap);
    let mutators = heap.mutators.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // SAFETY: all threads but this one are stopped, and this one is here.
    unsafe { run(heap, &mutators, kind) };
    drop(mutators);
    drop(resume);
    heap.note_pause(PauseCause::Collection, start.elapsed());
    true
}

/// # Safety
/// All mutators are stopped or the caller.
unsafe fn run(heap: &HeapInner, mutators: &[MutatorPtr], kind: Kind) {
    for mutator in mutators {
        // SAFETY: attached mutators are alive, and stopped.
        unsafe { mutator.0.as_ref() }.retire_window();
    }
    let mut space = heap.space();
    let space = &mut *space;
    let types = heap.types.read();
    let colours_end = space.epoch + 1 == COLOUR_NONE;
    let full = colours_end || is_full(heap, space, kind);
    if full {
        space.finish_sweep();
        space.next_mark();
    }

    let (wall, cpu) = (Instant::now(), os::thread_cpu_ns());
    let plant = heap.options.plant;
    let mut marker = Marker::new(&types, space.geometry, &mut space.large, space.mark, plant);
    if colours_end {
        marker.recolour(COLOUR_FIRST);
    }
    // SAFETY: all mutators are stopped; slots hold what their owners promised, and what is in a log is
    // old, so it is taken to be live.
    let (marked, weak_cells) = unsafe {
        if !full {
            for_each_logged(heap, mutators, |address| marker.rescan(address));
        }
        for_each_root(heap, mutators, &mut |slot| marker.root(*slot));
        marker.drain();
        marker.finish()
    };
    let (mark_wall_ns, mark_cpu_ns) = (wall.elapsed().as_nanos() as u64, os::thread_cpu_ns() - cpu);

    if plant != Some(Plant::KeepWeak) {
        // SAFETY: the cells are live, and weak slots hold addresses of objects or zero.
        unsafe { clear_weak(heap, space, &weak_cells) };
    }
    heap.samples
        .lock()
        .expect("no panic while samples change")
        .retain(|sample| space.is_marked(sample.address));
    if full {
        space.totals.live = 0;
    }
    space.totals.live += marked.bytes;

    let check_writes = heap.options.verify && heap.options.log_writes;
    if check_writes {
        // SAFETY: all mutators are stopped.
        unsafe { verify::check_writes(heap, space, &types, mutators) };
    }
    space.sort_blocks(full);
    if heap.options.moving {
        // SAFETY: all mutators are stopped, and marking is done.
        unsafe { evacuate::evacuate(heap, space, &types, mutators) };
    }
    space.poison_holes();
    if heap.options.verify {
        // SAFETY: all mutators are stopped.
        if let Err(violation) = unsafe { verify::verify(heap, space, &types, mutators, full) } {
            panic!("heap verification failed: {violation}");
        }
    }
    if check_writes {
        // SAFETY: all mutators are stopped.
        unsafe { verify::snapshot_writes(heap, space, &types) };
    }
    start_epoch(heap, space, mutators, colours_end);
    pace(heap, space, full);

    let mut totals = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    totals.cycles += 1;
    totals.young += !full as u64;
    totals.marked_objects += marked.objects;
    totals.marked_bytes += marked.bytes;
    totals.mark_wall_ns += mark_wall_ns;
    totals.mark_cpu_ns += mark_cpu_ns;
}

/// Whether a collection has to look at everything.
fn is_full(heap: &HeapInner, space: &Space, kind: Kind) -> bool {
    let young_will_do = match kind {
        Kind::Full => false,
        Kind::Young => true,
        Kind::Due => space.totals.live <= space.full_above,
        Kind::Every => {
            let cycles = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            !cycles.cycles.is_multiple_of(EVERY_FULL)
        }
    };
    !(heap.options.young_cycles && young_will_do)
}

/// Calls `visit` with every object that has been logged since the last collection.
///
/// # Safety
/// All mutators are stopped.
unsafe fn for_each_logged(heap: &HeapInner, mutators: &[MutatorPtr], mut visit: impl FnMut(usize)) {
    heap.orphaned_log
        .lock()
        .expect("no panic while logs change hands")
        .iter()
        .for_each(|address| visit(*address));
    for mutator in mutators {
        // SAFETY: attached mutators are alive, and stopped.
        let inner = unsafe { mutator.0.as_ref() };
        inner.log.borrow().iter().for_each(|address| visit(*address));
    }
}

/// Makes everything that is live old: new objects get another colour, and the logs start empty.
fn start_epoch(heap: &HeapInner, space: &mut Space, mutators: &[MutatorPtr], colours_end: bool) {
    if heap.options.young_cycles || heap.options.log_writes {
        space.epoch = if colours_end { COLOUR_FIRST } else { space.epoch } + 1;
    }
    heap.orphaned_log.lock().expect("no panic while logs change hands").clear();
    for mutator in mutators {
        // SAFETY: attached mutators are alive, and stopped.
        let inner = unsafe { mutator.0.as_ref() };
        inner.log.borrow_mut().clear();
        inner.set_epoch(space.epoch);
    }
}

/// Visits every strong root slot of the heap.
///
/// # Safety
/// All mutators are stopped, and stay so until this returns.
pub(crate) unsafe fn for_each_root(
    heap: &HeapInner,
    mutators: &[MutatorPtr],
    visit: &mut dyn FnMut(*mut usize),
) {
    for mutator in mutators {
        // SAFETY: attached mutators are alive, and stopped.
        let inner = unsafe { mutator.0.as_ref() };
        // SAFETY: the thread is stopped.
        unsafe { heap.embedder.visit_stack(inner.words, visit) };
        inner.handles.visit(visit);
    }
    for range in heap.ranges.lock().expect("no panic while ranges change").iter() {
        for i in 0..range.count {
            visit(range.slots.wrapping_add(i));
        }
    }
    heap.roots.visit(visit);
    // SAFETY: all mutators are stopped.
    unsafe { heap.embedder.visit_roots(visit) };
}

/// Makes weak references to dead objects nil.
///
/// # Safety
/// Marking is done, `weak_cells` are live weak cells, and all mutators are stopped.
unsafe fn clear_weak(heap: &HeapInner, space: &Space, weak_cells: &[usize]) {
    let clear = |slot: *mut usize| {
        // SAFETY: the slot is a weak handle's or a live weak cell's.
        let slot = unsafe { Cell::from_mut(&mut *slot) };
        if slot.get() != 0 && !space.is_marked(slot.get()) {
            slot.set(0);
        }
    };
    heap.weaks.visit(&mut |slot| clear(slot));
    for cell in weak_cells {
        clear(weak_slot(*cell));
    }
}

/// Decides when the next collection is due and how much idle memory to keep.
fn pace(heap: &HeapInner, space: &mut Space, full: bool) {
    let options = &heap.options;
    let live = space.totals.live;
    let growth = (live as f64 * options.growth) as u64;
    let grown = growth.max(options.min_trigger);
    if full {
        space.full_above = live.saturating_add(grown);
    }
    space.trigger = if options.young_cycles {
        // In proportion to what is live, so that what a young collection costs by being asked too often
        // (it takes what is half built to be old) stays in proportion, too.
        (growth / 2).max(options.young_trigger)
    } else {
        grown
    };
    space.allocated_since = 0;
    // What the next cycle will not use can go; by halves, because the program may just be between two
    // phases, and faulting memory in again costs more than keeping it for a while.
    let kept = grown.max(space.trigger) / BLOCK as u64;
    let idle = space.free_blocks() as u64;
    if idle > kept + 64 {
        space.give_back_blocks(((idle - kept) / 2) as usize);
    }
}
