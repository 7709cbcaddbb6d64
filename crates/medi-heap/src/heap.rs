//! The heap as a value: options, types, threads, roots, and the memory behind one lock.
//!
//! Nothing here is global; two heaps in a process know nothing of each other. Locks are taken in the order
//! of the fields below, top to bottom (I10).

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::cycle::CycleTotals;
use crate::embedder::Embedder;
use crate::error::{HeapError, OutOfMemory, Reason};
use crate::handles::HandleTable;
use crate::layout::MutatorWords;
use crate::mutator::{Inner, Mutator, PollWord};
use crate::options::Options;
use crate::sampling::{self, Sample, SiteUse};
use crate::space::{LEAST_LIMIT, Refusal, Space};
use crate::stats::{PauseCause, Pauses, Stats, TypeUse};
use crate::stop::Stop;
use crate::types::{TypeId, TypeLayout, TypeRegistry};
use crate::verify::WriteSnapshot;

/// A collected heap. Cloning is cheap and gives the same heap; its memory goes back to the system when the
/// last clone, handle and mutator are gone.
#[derive(Clone)]
pub struct Heap(Arc<HeapInner>);

/// The address of an attached mutator's state.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct MutatorPtr(pub NonNull<Inner>);

// SAFETY: only the collector follows it, while the mutator is stopped (I9).
unsafe impl Send for MutatorPtr {}

/// Registered root slots.
pub(crate) struct Range {
    id: u64,
    pub slots: *mut usize,
    pub count: usize,
}

// SAFETY: `register_roots` has its caller promise that the slots may be visited during a collection.
unsafe impl Send for Range {}

pub(crate) struct HeapInner {
    pub options: Options,
    pub embedder: Arc<dyn Embedder>,
    pub stop: Stop<PollWord>,
    pub mutators: Mutex<Vec<MutatorPtr>>,
    space: Mutex<Space>,
    pub types: TypeRegistry,
    pub ranges: Mutex<Vec<Range>>,
    pub roots: HandleTable,
    pub weaks: HandleTable,
    /// What threads had logged that are gone now.
    pub orphaned_log: Mutex<Vec<usize>>,
    pub samples: Mutex<Vec<Sample>>,
    pub snapshot: Mutex<WriteSnapshot>,
    pub cycles: Mutex<CycleTotals>,
    pauses: Mutex<Pauses>,
    pub allocated: AtomicU64,
    pub barrier_slow_paths: AtomicU64,
    ids: AtomicU64,
}

impl HeapInner {
    pub fn space(&self) -> MutexGuard<'_, Space> {
        // A panic with the lock held is a report of corruption; later users may as well see what they see.
        self.space.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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

    pub fn adopt_log(&self, log: &mut Vec<usize>) {
        self.orphaned_log.lock().expect("no panic while logs change hands").append(log);
    }

    pub fn next_seed(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn mutators(&self) -> MutexGuard<'_, Vec<MutatorPtr>> {
        self.mutators.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn add_mutator(&self, mutator: NonNull<Inner>) {
        self.mutators().push(MutatorPtr(mutator));
    }

    pub fn remove_mutator(&self, mutator: NonNull<Inner>) {
        self.mutators().retain(|other| *other != MutatorPtr(mutator));
    }

    fn ranges(&self) -> MutexGuard<'_, Vec<Range>> {
        self.ranges.lock().expect("no panic while ranges change")
    }
}

impl Heap {
    /// Makes a heap that serves `embedder`.
    pub fn new(options: Options, embedder: Arc<dyn Embedder>) -> Result<Heap, HeapError> {
        let space = Space::new(&options)?;
        Ok(Heap(Arc::new(HeapInner {
            options,
            embedder,
            stop: Stop::new(),
            mutators: Mutex::default(),
            space: Mutex::new(space),
            types: TypeRegistry::default(),
            ranges: Mutex::default(),
            roots: HandleTable::default(),
            weaks: HandleTable::default(),
            orphaned_log: Mutex::default(),
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

    /// Makes `count` slots outside any stack roots of every collection until the result is dropped.
    ///
    /// # Safety
    /// The slots stay in place until then; at every collection each holds zero or the address of an object
    /// of this heap; and no thread that is not a running mutator of this heap touches them.
    pub unsafe fn register_roots(&self, slots: *mut usize, count: usize) -> RootRange {
        let id = self.0.next_seed();
        self.0.ranges().push(Range { id, slots, count });
        RootRange { heap: Arc::clone(&self.0), id }
    }

    /// Attaches the calling thread.
    ///
    /// # Safety
    /// `words` point at words that outlive the mutator, stay in place, and belong to no other mutator.
    pub unsafe fn attach(&self, words: *mut MutatorWords) -> Mutator {
        // SAFETY: the same contract.
        unsafe { Mutator::attach(&self.0, words) }
    }

    /// Charges memory outside the heap, such as scope buffers, to the limit. Gives back idle memory to make
    /// room, but does not collect; [`Mutator::charge`] does.
    pub fn charge(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let mut space = self.0.space();
        space.charge(bytes).map_err(|refusal| match refusal {
            Refusal::Exhausted(reason) => space.shortage(bytes, reason),
            Refusal::Due => space.shortage(bytes, Reason::Limit),
        })
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

    /// The counters as they are now.
    pub fn stats(&self) -> Stats {
        let heap = &*self.0;
        let space = heap.space();
        let cycles = heap.cycles.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Stats {
            cycles: cycles.cycles,
            young_cycles: cycles.young,
            allocated_bytes: heap.allocated.load(Ordering::Relaxed),
            live_bytes: space.totals.live,
            heap_bytes: space.heap_bytes(),
            peak_heap_bytes: space.totals.peak_footprint,
            free_bytes: space.free_bytes(),
            large_bytes: space.large.used_bytes(),
            external_bytes: space.external,
            limit: space.limit,
            marked_objects: cycles.marked_objects,
            marked_bytes: cycles.marked_bytes,
            mark_wall_ns: cycles.mark_wall_ns,
            mark_cpu_ns: cycles.mark_cpu_ns,
            sweep_ns: space.totals.sweep_ns,
            swept_blocks: space.totals.swept_blocks,
            returned_bytes: space.totals.returned,
            barrier_slow_paths: heap.barrier_slow_paths.load(Ordering::Relaxed),
            pauses: heap.pauses.lock().expect("recording does not panic").summary(),
        }
    }

    /// What each type holds, by the last collection: objects allocated since are not counted. Largest
    /// first.
    pub fn census(&self) -> Vec<TypeUse> {
        let space = self.0.space();
        let types = self.0.types.read();
        let mut uses: Vec<(u64, u64)> = vec![(0, 0); types.len()];
        space.for_each_marked(|address| {
            // SAFETY: what the last collection found live keeps its memory until the next one, which
            // needs the lock that we hold.
            let ty = unsafe { *(address as *const u32) } as usize;
            // SAFETY: as above.
            let bytes = unsafe { types[ty].size.size_of(address) };
            uses[ty].0 += 1;
            uses[ty].1 += bytes as u64;
        });
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

impl Drop for RootRange {
    fn drop(&mut self) {
        self.heap.ranges().retain(|range| range.id != self.id);
    }
}

/// Objects by address, in the modes where speed does not matter.
pub(crate) type AddressMap<T> = HashMap<usize, T>;
