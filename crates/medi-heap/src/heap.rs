//! The heap as a value: options, types, threads, roots, and the memory behind one lock.
//!
//! Nothing here is global; two heaps in a process know nothing of each other. Locks are taken in the order of I10.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::{Duration, Instant};
use std::{hint, thread};

use crate::block_set::BlockIndex;
use crate::cleaner::Cleaners;
use crate::collector::Collector;
use crate::cycle::CycleTotals;
use crate::delay::{Delays, Point};
use crate::embedder::{Embedder, Outside};
use crate::error::{HeapError, OutOfMemory};
use crate::geometry::Geometry;
use crate::handles::HandleTable;
use crate::handshake::Handshakes;
use crate::large::Spans;
use crate::layout::{COLOUR_FIRST, MutatorWords};
use crate::liveness::Liveness;
use crate::log::Inbox;
use crate::mark::Markers;
use crate::mutator::{Epoch, Mutator, Seat};
use crate::options::{Options, Plant};
use crate::pace::Pacer;
use crate::sampling::{self, Sample, SiteUse};
use crate::space::{LEAST_LIMIT, Space};
use crate::stats::{PauseCause, Pauses, Stats, TypeUse};
use crate::types::{TypeId, TypeInfo, TypeLayout, TypeRegistry};
use crate::verify::WriteSnapshot;
use crate::weak::WeakGate;

/// How often a thread looks whether the space is to be had before it sleeps: some tens of microseconds.
const LOOKS: u32 = 1000;
/// How often the collector makes way before it goes on.
const YIELDS: u32 = 100;
/// Large objects counted under one hold of the lock.
const COUNTED_AT_ONCE: usize = 64;

/// A collected heap. Cloning is cheap and gives the same heap; its memory goes back to the system when the
/// last clone, handle and mutator are gone.
#[derive(Clone)]
pub struct Heap(Arc<HeapInner>);

/// Registered root slots.
struct Range {
    id: u64,
    slots: *mut usize,
    count: usize,
    /// The words of the thread that alone touches them.
    owner: Option<usize>,
}

// SAFETY: `register_roots` has its caller promise that the slots may be visited.
unsafe impl Send for Range {}

/// The epoch that threads are in, and the one that the next flip takes them to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epochs {
    pub current: Epoch,
    pub next: Epoch,
}

pub(crate) struct HeapInner {
    pub made: Instant,
    pub options: Options,
    pub embedder: Arc<dyn Embedder>,
    pub delays: Delays,
    pub collector: Collector,
    pub markers: Arc<Markers>,
    pub handshakes: Handshakes<Seat>,
    epochs: Mutex<Epochs>,
    pacer: Mutex<Pacer>,
    space: Mutex<Space>,
    /// Threads that wait for it.
    space_wanted: AtomicU32,
    pub geometry: Geometry,
    pub spans: Spans,
    pub types: TypeRegistry,
    ranges: Mutex<Vec<Range>>,
    pub roots: HandleTable,
    outside: OnceLock<Arc<dyn Outside>>,
    pub weaks: HandleTable,
    pub weak_gate: WeakGate,
    pub cleaners: Cleaners,
    pub inbox: Inbox,
    /// What goes into handles or out of them has to be marked.
    shading: AtomicBool,
    mark: AtomicU8,
    flip: AtomicU64,
    since: AtomicU64,
    pub samples: Mutex<Vec<Sample>>,
    pub snapshot: Mutex<WriteSnapshot>,
    pub cycles: Mutex<CycleTotals>,
    pauses: Mutex<Pauses>,
    pub allocated: AtomicU64,
    /// Those of threads that are gone.
    pub barrier_slow_paths: AtomicU64,
    ids: AtomicU64,
}

impl HeapInner {
    /// The memory. Its lock is held for microseconds, less than it takes to put a thread to sleep and wake it, so
    /// that waiting for it starts with looking again.
    pub fn space(&self) -> MutexGuard<'_, Space> {
        match self.space.try_lock() {
            Ok(space) => space,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => self.wait_for_space(),
        }
    }

    #[cold]
    fn wait_for_space(&self) -> MutexGuard<'_, Space> {
        self.space_wanted.fetch_add(1, Ordering::Relaxed);
        let mut found = None;
        for _ in 0..LOOKS {
            hint::spin_loop();
            found = self.space.try_lock().ok();
            if found.is_some() {
                break;
            }
        }
        // A panic with the lock held is a report of corruption; later users may as well see what they see.
        let wait = || self.space.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let space = found.unwrap_or_else(wait);
        self.space_wanted.fetch_sub(1, Ordering::Relaxed);
        space
    }

    /// The memory while no block is being swept without the lock: each is in a set.
    pub fn space_at_rest(&self) -> MutexGuard<'_, Space> {
        loop {
            let space = self.space();
            if !space.is_sweeping() {
                return space;
            }
            drop(space);
            thread::yield_now();
        }
    }

    /// Lets threads have the space that wait for it, between two steps of long work on it: the lock goes to whoever
    /// comes first, and that is who has just given it up.
    pub fn share_space(&self) {
        self.delays.at(Point::Sort);
        for _ in 0..YIELDS {
            if self.space_wanted.load(Ordering::Relaxed) == 0 {
                return;
            }
            thread::yield_now();
        }
    }

    pub fn note_pause(&self, cause: PauseCause, pause: Duration) {
        self.pauses.lock().expect("recording does not panic").record(cause, pause);
    }

    pub fn note_slow_path(&self, whole: Duration, sweep_ns: u64) {
        let sweep = Duration::from_nanos(sweep_ns);
        let mut pauses = self.pauses.lock().expect("recording does not panic");
        pauses.record(PauseCause::SlowPath, whole.saturating_sub(sweep));
        if sweep_ns > 0 {
            pauses.record(PauseCause::Sweep, sweep);
        }
    }

    pub fn add_sample(&self, sample: Sample) {
        self.samples.lock().expect("no panic while samples change").push(sample);
    }

    pub fn next_seed(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub fn epochs(&self) -> Epochs {
        *self.epochs.lock().expect("no panic while epochs change")
    }

    pub fn set_epochs(&self, epochs: Epochs) {
        *self.epochs.lock().expect("no panic while epochs change") = epochs;
    }

    /// What the collector has measured.
    pub fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock().expect("pacing does not panic")
    }

    /// How the cycle under way, or the last one, tells live objects from dead ones.
    pub fn liveness(&self) -> Liveness {
        Liveness {
            geometry: self.geometry,
            spans: self.spans,
            mark: self.mark.load(Ordering::Relaxed),
            flip: self.flip.load(Ordering::Relaxed),
            since: self.since.load(Ordering::Relaxed),
        }
    }

    /// To be changed before the first handshake of a cycle, and under the gate's lock once all weak references to what
    /// it found dead are gone.
    pub fn set_liveness(&self, liveness: Liveness) {
        self.mark.store(liveness.mark, Ordering::Relaxed);
        self.flip.store(liveness.flip, Ordering::Relaxed);
        self.since.store(liveness.since, Ordering::Relaxed);
    }

    /// Whether what goes into handles or out of them is to be marked. To be changed before the first handshake of a
    /// cycle and after its last. Once this returns, whoever changes a handle acts upon it, or is done.
    pub fn set_shading(&self, shading: bool) {
        // Relaxed: it is read under the table's lock, which is passed after the change.
        self.shading.store(shading, Ordering::Relaxed);
        self.roots.pass();
    }

    /// Has the collector mark what is at `address`, if it marks. The caller holds the lock of the table that a
    /// handle is in (I8).
    pub fn shade(&self, address: usize) {
        let planted = self.options.plant == Some(Plant::SkipHandles);
        if address != 0 && self.shading.load(Ordering::Relaxed) && !planted {
            self.inbox.shade(address);
        }
    }

    /// Visits the references of objects outside the heap.
    pub fn for_each_outside_slot(&self, types: &[TypeInfo], visit: &mut dyn FnMut(*mut usize)) {
        if let Some(outside) = self.outside.get() {
            outside.visit(&mut |start, end| for_each_slot_between(types, start, end, visit));
        }
    }

    /// Visits what the flip has left of the threads' stacks.
    ///
    /// # Safety
    /// Every thread has passed the flip.
    pub unsafe fn for_each_older_slot(&self, visit: &mut dyn FnMut(*mut usize)) {
        for member in self.handshakes.members() {
            // SAFETY: the thread is a member while this is asked.
            let mut more = |seat: &Seat| unsafe { self.embedder.visit_older(seat.words(), visit) };
            self.delays.at(Point::Older);
            while self.handshakes.with(&member, &mut more) == Some(true) {
                self.delays.at(Point::Older);
            }
        }
    }

    fn is_shading(&self) -> bool {
        self.shading.load(Ordering::Relaxed)
    }

    fn ranges(&self) -> MutexGuard<'_, Vec<Range>> {
        self.ranges.lock().expect("no panic while ranges change")
    }

    /// Visits the registered slots of a thread, or those that are no thread's.
    pub fn for_each_range_slot(&self, owner: Option<usize>, visit: &mut dyn FnMut(*mut usize)) {
        for range in self.ranges().iter().filter(|range| range.owner == owner) {
            for i in 0..range.count {
                visit(range.slots.wrapping_add(i));
            }
        }
    }
}

/// Visits the references of objects that lie from `start` to `end`, one after the other.
fn for_each_slot_between(
    types: &[TypeInfo],
    start: usize,
    end: usize,
    visit: &mut dyn FnMut(*mut usize),
) {
    let mut object = start;
    while object < end {
        // SAFETY: `Outside` promises objects of known types there; nobody changes a header.
        unsafe {
            let info = &types[*(object as *const u32) as usize];
            info.for_each_slot(object, &mut *visit);
            object += info.size.size_of(object);
        }
    }
}

impl Drop for HeapInner {
    fn drop(&mut self) {
        self.collector.quit();
        self.markers.quit();
        self.cleaners.end();
    }
}

impl Heap {
    /// Makes a heap that serves `embedder`.
    pub fn new(options: Options, embedder: Arc<dyn Embedder>) -> Result<Heap, HeapError> {
        let space = Space::new(&options)?;
        let first = Epoch { flip: 0, colour: COLOUR_FIRST };
        Ok(Heap(Arc::new(HeapInner {
            made: Instant::now(),
            delays: Delays::new(options.delay_seed),
            options,
            embedder,
            collector: Collector::default(),
            markers: Arc::new(Markers::new()),
            handshakes: Handshakes::new(),
            epochs: Mutex::new(Epochs { current: first, next: first }),
            pacer: Mutex::new(Pacer::new()),
            geometry: space.geometry,
            spans: space.large.spans,
            mark: AtomicU8::new(space.mark),
            flip: AtomicU64::new(first.flip),
            since: AtomicU64::new(0),
            space: Mutex::new(space),
            space_wanted: AtomicU32::new(0),
            types: TypeRegistry::default(),
            ranges: Mutex::default(),
            roots: HandleTable::new(true),
            outside: OnceLock::new(),
            weaks: HandleTable::new(false),
            weak_gate: WeakGate::default(),
            cleaners: Cleaners::default(),
            inbox: Inbox::default(),
            shading: AtomicBool::new(false),
            samples: Mutex::default(),
            snapshot: Mutex::default(),
            cycles: Mutex::default(),
            pauses: Mutex::new(Pauses::new()),
            allocated: AtomicU64::new(0),
            barrier_slow_paths: AtomicU64::new(0),
            ids: AtomicU64::new(1),
        })))
    }

    pub(crate) fn from_inner(inner: &Arc<HeapInner>) -> Heap {
        Heap(Arc::clone(inner))
    }

    pub(crate) fn inner(&self) -> &Arc<HeapInner> {
        &self.0
    }

    /// Makes the references of objects outside the heap roots, for good; `outside` may be given once.
    ///
    /// # Panics
    /// The second time.
    pub fn set_outside(&self, outside: Arc<dyn Outside>) {
        assert!(self.0.outside.set(outside).is_ok(), "what is outside of the heap is given once");
    }

    /// Has the collector mark the object at `address`, if it marks; 0 is none.
    pub fn shade(&self, address: usize) {
        self.0.shade(address);
    }

    /// Has the collector mark what objects outside the heap refer to, if it marks, because they end.
    ///
    /// # Safety
    /// As for a run of [`Outside::visit`].
    pub unsafe fn shade_outside(&self, start: usize, end: usize) {
        if self.0.is_shading() {
            for_each_slot_between(&self.0.types.read(), start, end, &mut |slot| {
                // SAFETY: the caller vouches for the objects, and slots are aligned words.
                self.0.shade(unsafe { (*slot.cast::<AtomicUsize>()).load(Ordering::Relaxed) });
            });
        }
    }

    /// The options that the heap was made with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Makes a type known. Ids start at zero and count up.
    ///
    /// # Panics
    /// When the layout contradicts the object model, with the reason.
    pub fn register(&self, layout: TypeLayout) -> TypeId {
        self.0.types.register(&layout)
    }

    /// Makes `count` slots outside any stack roots of every cycle until the result is dropped, for references that
    /// are made once; see [`Mutator::register_roots`] for those that change.
    ///
    /// # Safety
    /// The slots stay in place until then; each holds zero, or the address of an object of this heap, which a running
    /// mutator stores there once and nobody changes afterwards.
    pub unsafe fn register_roots(&self, slots: *mut usize, count: usize) -> RootRange {
        RootRange::new(&self.0, slots, count, None)
    }

    /// Attaches the calling thread.
    ///
    /// # Panics
    /// When the system gives no thread for the collector, which starts with the first thread that is attached.
    ///
    /// # Safety
    /// `words` point at words that outlive the mutator, stay in place, and belong to no other mutator.
    pub unsafe fn attach(&self, words: *mut MutatorWords) -> Mutator {
        self.0.collector.start(&self.0);
        // SAFETY: the same contract.
        unsafe { Mutator::attach(&self.0, words) }
    }

    /// Charges memory outside the heap, such as scope buffers, to the limit. Gives back idle memory to make
    /// room, but does not collect; [`Mutator::charge`] does.
    pub fn charge(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let mut space = self.0.space();
        space.charge(bytes).map_err(|reason| space.shortage(bytes, reason))
    }

    /// Takes memory outside the heap off the ledger again.
    pub fn release(&self, bytes: u64) {
        self.0.space().release(bytes);
    }

    /// Changes the limit in force, and gives the old one. What is in use already stays, even beyond a lower
    /// limit; the next allocation that needs more memory then collects, and fails if that does not help. A
    /// limit below 1 MiB is taken for that.
    pub fn set_limit(&self, limit: u64) -> Option<u64> {
        self.0.space().limit.replace(limit.max(LEAST_LIMIT))
    }

    /// Bytes allocated since the heap was made, as [`Stats::allocated_bytes`] counts them.
    pub fn allocated_bytes(&self) -> u64 {
        self.0.allocated.load(Ordering::Relaxed)
    }

    /// The counters as they are now.
    pub fn stats(&self) -> Stats {
        let heap = &*self.0;
        let mut slow_paths = heap.barrier_slow_paths.load(Ordering::Relaxed);
        heap.handshakes.for_each(|seat| slow_paths += seat.slow_paths());
        let pacer = heap.pacer();
        let (pressure, peak_pressure) = pacer.pressure();
        let space = heap.space();
        let cycles = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Stats {
            cycles: cycles.cycles,
            young_cycles: cycles.young,
            nested_cycles: cycles.nested,
            allocated_bytes: heap.allocated.load(Ordering::Relaxed),
            live_bytes: space.totals.live,
            heap_bytes: space.heap_bytes(),
            peak_heap_bytes: space.totals.peak_footprint,
            free_bytes: space.free_bytes(),
            large_bytes: space.large.used_bytes(),
            external_bytes: space.external,
            limit: space.limit,
            soft_limit: heap.options.soft_limit,
            allocation_rate: pacer.rate(),
            survival: pacer.survival(),
            pressure,
            peak_pressure,
            marked_objects: cycles.marked_objects,
            marked_bytes: cycles.marked_bytes,
            mark_wall_ns: cycles.mark_wall_ns,
            mark_cpu_ns: cycles.mark_cpu_ns,
            sweep_ns: space.totals.sweep_ns,
            swept_blocks: space.totals.swept_blocks,
            returned_bytes: space.totals.returned,
            barrier_slow_paths: slow_paths,
            cleaners_registered: heap.cleaners.counts.registered.load(Ordering::Relaxed),
            cleaners_ready: heap.cleaners.counts.ready.load(Ordering::Relaxed),
            cleaned: heap.cleaners.counts.cleaned.load(Ordering::Relaxed),
            pauses: heap.pauses.lock().expect("recording does not panic").summary(),
        }
    }

    /// What each type holds, by the last cycle: objects allocated since are not counted, and while a cycle runs, some
    /// that it finds dead still are; what it frees or sorts meanwhile may count or not. Threads go on. Largest first.
    pub fn census(&self) -> Vec<TypeUse> {
        let mut types = self.0.types.read();
        let mut uses: Vec<(u64, u64)> = Vec::new();
        let mut count = |address: usize| {
            // SAFETY: what the last cycle found live keeps its memory until a sweep. The lock that we hold keeps blocks from
            // being taken for one, and none is being swept; nor can a large object be taken out of use.
            let ty = unsafe { *(address as *const u32) } as usize;
            if ty >= types.len() {
                // Registered since, and a cycle has found such an object already.
                types = self.0.types.read();
            }
            if ty >= uses.len() {
                uses.resize(types.len(), (0, 0));
            }
            // SAFETY: as above.
            let bytes = unsafe { types[ty].size.size_of(address) };
            uses[ty].0 += 1;
            uses[ty].1 += bytes as u64;
        };
        // The lock is given up after each block, so that no thread waits for all of it.
        let mut block = BlockIndex(0);
        while self.0.space_at_rest().for_each_marked_in(block, &mut count) {
            block.0 += 1;
        }
        let mut from = Some(0);
        while let Some(at) = from.take() {
            for address in self.0.space().large_marked(at).take(COUNTED_AT_ONCE) {
                count(address);
                from = Some(address + 1);
            }
        }
        let mut census: Vec<_> = uses
            .into_iter()
            .enumerate()
            .filter(|(_, (objects, _))| *objects > 0)
            .map(|(ty, (objects, bytes))| TypeUse {
                type_id: TypeId(ty as u32),
                name: types[ty].name.to_string(),
                objects,
                bytes,
            })
            .collect();
        census.sort_by_key(|u| (std::cmp::Reverse(u.bytes), u.type_id));
        census
    }

    /// Where what is live was allocated, estimated from a sample, largest first. Objects that died since
    /// the last collection are still counted.
    pub fn sites(&self) -> Vec<SiteUse> {
        let types = self.0.types.read();
        let samples = self.0.samples.lock().expect("no panic while samples change");
        sampling::by_site(&samples, self.0.options.sample_interval, |ty| {
            types[ty.0 as usize].name.to_string()
        })
    }
}

/// Keeps root slots registered; see [`Heap::register_roots`].
pub struct RootRange {
    heap: Arc<HeapInner>,
    id: u64,
}

impl RootRange {
    pub(crate) fn new(
        heap: &Arc<HeapInner>,
        slots: *mut usize,
        count: usize,
        owner: Option<usize>,
    ) -> RootRange {
        let id = heap.next_seed();
        heap.ranges().push(Range { id, slots, count, owner });
        RootRange { heap: Arc::clone(heap), id }
    }
}

impl Drop for RootRange {
    fn drop(&mut self) {
        self.heap.ranges().retain(|range| range.id != self.id);
    }
}

/// Objects by address, in the modes where speed does not matter.
pub(crate) type AddressMap<T> = HashMap<usize, T>;
