//! Finding everything that can be reached.
//!
//! Marking keeps its own stack, so deep structures cannot overflow the thread's, and passes every
//! reference through a short ring of prefetches before it looks at the object: a dependent miss costs
//! hundreds of nanoseconds, several in flight cost little each (the OCaml 5 marker works this way). Large
//! reference arrays are marked in pieces, taken up only when the stack is empty, so that one array cannot
//! make the stack as large as itself.
//!
//! For each live object the marker writes the start state, and in the object's first cycle the end
//! bit (I4). An object without references is noted as such in its metadata byte, and later cycles do not
//! touch the object at all. Objects allocated since the flip are passed by: they are kept as they are, and what
//! they refer to is in the snapshot or as new as they.
//!
//! Threads run meanwhile. They may write the references of an object that is being scanned, which is why
//! slots are read as whole words; what a slot held at the flip is in a log if it is not there any more.
//!
//! Several markers share work through a [`Crew`], when there is much of it. Two may come to one object at the same time:
//! whoever changes its state has marked it (I18).

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use crate::coverage::marked_granules;
use crate::crew::{Crew, Rest, Taken};
use crate::geometry::Geometry;
use crate::large::Spans;
use crate::layout::{
    ARRAY_DATA, BLOCK, COLOUR, COLOUR_SEGMENTED, COLOUR_STALE, GRANULE, SEGMENT, WEAK_REFERENT,
    meta,
};
use crate::liveness::Liveness;
use crate::options::Plant;
use crate::os;
use crate::types::{SizeRule, Tracing, TypeInfo, array_room};

/// How many references are on their way from memory at a time; a power of two.
const RING: usize = 32;
/// Elements of a reference array that are marked before other work gets a turn.
const PIECE: usize = 512;

/// References between two looks at whether marking should be interrupted: a fraction of a millisecond. Few in debug
/// builds, so that small tests see interruptions.
const PATIENCE: u32 = if cfg!(debug_assertions) { 1 << 6 } else { 1 << 13 };
/// References between two looks at whether another marker is hungry.
const GENEROSITY: u32 = PATIENCE / 16;
/// A marker with fewer references than this on its stack keeps them.
const SHARED: usize = if cfg!(debug_assertions) { 4 } else { 128 };
/// How long the leader waits for work before it looks whether marking should be interrupted.
const WAIT: Duration = Duration::from_micros(100);

/// How far marking has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drained {
    /// Nothing is left to mark.
    All,
    Interrupted,
}

/// Entries of a chunk of the mark stack: 256 KiB.
const CHUNK: usize = 1 << 15;

/// What is to be marked. It grows by chunks: moving a large stack to a larger place would change the address space, for
/// which every thread that needs a page waits.
#[derive(Default)]
struct MarkStack {
    top: Vec<usize>,
    full: Vec<Vec<usize>>,
    /// An empty chunk, so that going to and fro over an edge does not allocate.
    spare: Vec<usize>,
}

impl MarkStack {
    #[inline]
    fn push(&mut self, address: usize) {
        if self.top.len() == self.top.capacity() {
            self.grow();
        }
        self.top.push(address);
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        self.top.pop().or_else(|| self.shrink())
    }

    #[cold]
    fn grow(&mut self) {
        let mut chunk = mem::take(&mut self.spare);
        chunk.reserve_exact(CHUNK);
        let full = mem::replace(&mut self.top, chunk);
        if !full.is_empty() {
            self.full.push(full);
        }
    }

    #[cold]
    fn shrink(&mut self) -> Option<usize> {
        self.spare = mem::replace(&mut self.top, self.full.pop()?);
        self.top.pop()
    }

    /// Gives a part away that is worth it: what was pushed first, which tends to lead farthest.
    fn split(&mut self) -> Option<Vec<usize>> {
        if !self.full.is_empty() {
            return Some(self.full.swap_remove(0));
        }
        let half = self.top.len() / 2;
        (half >= SHARED / 2).then(|| self.top.drain(..half).collect())
    }

    fn adopt(&mut self, chunk: Vec<usize>) {
        self.full.push(chunk);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.full.iter().chain([&self.top]).flatten().copied()
    }
}

/// The elements from `next` to `end` of an array that is being marked in pieces.
pub(crate) struct Piece {
    array: usize,
    next: usize,
    end: usize,
}

/// What one marker gives another.
pub(crate) enum Share {
    References(Vec<usize>),
    Piece(Piece),
}

/// What all markers of one marking know.
pub(crate) struct Job {
    types: Arc<Vec<TypeInfo>>,
    briefs: Vec<Brief>,
    geometry: Geometry,
    spans: Spans,
    mark: u8,
    /// States of objects that are passed by, as bits.
    skip: u8,
    /// Objects without a state are looked at when they were born from `since` on and before `flip`.
    since: u64,
    flip: u64,
    restamp: bool,
    plant: Option<Plant>,
}

impl Job {
    pub fn new(
        types: &Arc<Vec<TypeInfo>>,
        liveness: Liveness,
        restamp: bool,
        plant: Option<Plant>,
    ) -> Arc<Job> {
        let Liveness { geometry, spans, mark, flip, since } = liveness;
        let old: &[u8] = if since > 0 { &[1, 2, 3] } else { &[mark] };
        Arc::new(Job {
            types: Arc::clone(types),
            briefs: types.iter().map(Brief::new).collect(),
            geometry,
            spans,
            mark,
            skip: old.iter().fold(0, |states, state| states | 1 << state),
            since,
            flip,
            restamp,
            plant,
        })
    }
}

/// What a helper has to know of a marking.
#[derive(Clone)]
pub(crate) struct Plan {
    job: Arc<Job>,
    interrupted: bool,
}

/// What a helper has found.
pub(crate) struct Finding {
    marked: Marked,
    weak_cells: Vec<usize>,
    cpu_ns: u64,
}

/// The markers of a heap.
pub(crate) type Markers = Crew<Plan, Share, Finding>;

/// A type as the inner loop wants it: 16 bytes, no pointers to follow.
#[derive(Clone, Copy)]
struct Brief {
    /// Bit `i` set: the word at `8 * i` is a reference.
    words: u64,
    /// Bytes of a fixed object.
    size: u32,
    /// Not a fixed object of up to 512 bytes: look at the whole [`TypeInfo`].
    other: bool,
    leaf: bool,
}

impl Brief {
    fn new(info: &TypeInfo) -> Brief {
        let leaf = matches!(info.tracing, Tracing::None);
        match (&info.tracing, info.size) {
            (Tracing::Words(words), SizeRule::Fixed(size)) => {
                Brief { words: *words, size, other: false, leaf }
            }
            (Tracing::None, SizeRule::Fixed(size)) => Brief { words: 0, size, other: false, leaf },
            _ => Brief { words: 0, size: 0, other: true, leaf },
        }
    }
}

/// What marking found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marked {
    pub objects: u64,
    /// Bytes of live objects, in whole granules.
    pub bytes: u64,
}

/// One marking, or a helper's part in it.
pub(crate) struct Marker<'a> {
    job: &'a Arc<Job>,
    /// A young cycle has run since marking began: references to what it found dead may still be on the stack.
    interrupted: bool,
    stack: MarkStack,
    pieces: Vec<Piece>,
    weak_cells: Vec<usize>,
    marked: Marked,
    helpers_cpu_ns: u64,
    plant: Option<Plant>,
}

#[inline]
fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl<'a> Marker<'a> {
    pub fn new(job: &'a Arc<Job>) -> Marker<'a> {
        Marker {
            job,
            interrupted: false,
            stack: MarkStack::default(),
            pieces: Vec::new(),
            weak_cells: Vec::new(),
            marked: Marked::default(),
            helpers_cpu_ns: 0,
            plant: job.plant,
        }
    }

    /// Notes that a young cycle has run: what was allocated since this marking's flip may be gone, and objects of it
    /// that are passed by need not be there any more.
    pub fn note_interruption(&mut self) {
        self.interrupted = true;
    }

    /// The number of the flip of the cycle that marks.
    pub fn flip(&self) -> u64 {
        self.job.flip
    }

    /// Objects marked so far.
    pub fn objects(&self) -> u64 {
        self.marked.objects
    }

    /// CPU time that helpers have spent on it so far.
    pub fn helpers_cpu_ns(&self) -> u64 {
        self.helpers_cpu_ns
    }

    /// What was added and has not been looked at, arrays that are marked in pieces left out.
    pub fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        self.stack.iter()
    }

    /// Adds what a root slot refers to.
    #[inline]
    pub fn root(&mut self, address: usize) {
        if address != 0 {
            if self.plant == Some(Plant::SkipRoot) {
                self.plant = None;
                return;
            }
            self.stack.push(address);
        }
    }

    /// Adds what a live object refers to: one that was marked before and has been written since.
    ///
    /// # Safety
    /// A live object is at `address`.
    pub unsafe fn rescan(&mut self, address: usize) {
        // SAFETY: the caller vouches for the object.
        unsafe { self.scan(address, self.type_of(address)) };
    }

    /// Adds what a segment of a live array refers to.
    ///
    /// # Safety
    /// A live array with references is at `array`, and the segment starts at `segment`.
    pub unsafe fn rescan_segment(&mut self, array: usize, segment: usize) {
        // SAFETY: the caller vouches for the array.
        unsafe {
            let info = self.type_of(array);
            info.for_each_slot_between(array, segment, segment + SEGMENT, |slot| {
                self.push(load(slot));
            });
        }
    }

    /// Marks everything that the roots reach; stops halfway when `interrupt` says so, which is asked every
    /// [`PATIENCE`] references. With `helpers`, it shares the work with them once there is enough of it; they mark only while
    /// this runs.
    ///
    /// # Safety
    /// Every root added, as every reference slot reachable from them, holds zero or the address of an object of this
    /// heap that no sweep has freed; every thread has passed the flip.
    ///
    /// # Panics
    /// When it finds the heap corrupted, or a helper has.
    pub unsafe fn drain(
        &mut self,
        helpers: Option<&Markers>,
        mut interrupt: impl FnMut() -> bool,
    ) -> Drained {
        let mut share = false;
        let pause = |marker: &mut Self| {
            share = helpers.is_some() && marker.has_much();
            share || interrupt()
        };
        // SAFETY: the same contract.
        match unsafe { self.drain_own::<false>(pause) } {
            Drained::Interrupted if share => {}
            drained => return drained,
        }
        let shift = helpers.expect("someone to share with").open(self.plan());
        let mut looks = 0;
        let drained = loop {
            let pause = |marker: &mut Self| {
                if shift.is_hungry()
                    && let Some(work) = marker.spare()
                {
                    shift.give(work);
                }
                looks += 1;
                looks % (PATIENCE / GENEROSITY) == 0 && interrupt()
            };
            // SAFETY: the same contract.
            if unsafe { self.drain_own::<true>(pause) } == Drained::Interrupted {
                break Drained::Interrupted;
            }
            match shift.take(WAIT) {
                Taken::Work(work) => self.adopt(work),
                Taken::Nothing if interrupt() => break Drained::Interrupted,
                Taken::Nothing => {}
                Taken::Over => break Drained::All,
            }
        };
        let Rest { work, findings } = shift.call_back();
        work.into_iter().for_each(|work| self.adopt(work));
        for Finding { marked, weak_cells, cpu_ns } in findings {
            self.marked.objects += marked.objects;
            self.marked.bytes += marked.bytes;
            self.weak_cells.extend(weak_cells);
            self.helpers_cpu_ns += cpu_ns;
        }
        drained
    }

    fn plan(&self) -> Plan {
        Plan { job: Arc::clone(self.job), interrupted: self.interrupted }
    }

    /// Whether there is enough to mark to call for help.
    fn has_much(&self) -> bool {
        let on_stack = self.stack.top.len() >= 2 * SHARED || !self.stack.full.is_empty();
        on_stack || self.pieces.iter().any(|piece| piece.end - piece.next > PIECE)
    }

    /// A part of what there is to mark, if there is enough for two.
    fn spare(&mut self) -> Option<Share> {
        if let Some(chunk) = self.stack.split() {
            return Some(Share::References(chunk));
        }
        let last = self.pieces.last_mut()?;
        let left = last.end - last.next;
        if left <= PIECE {
            return (self.pieces.len() > 1).then(|| Share::Piece(self.pieces.swap_remove(0)));
        }
        let middle = last.next + left / 2;
        let upper = Piece { next: middle, ..*last };
        last.end = middle;
        Some(Share::Piece(upper))
    }

    fn adopt(&mut self, work: Share) {
        match work {
            Share::References(chunk) => self.stack.adopt(chunk),
            Share::Piece(piece) => self.pieces.push(piece),
        }
    }

    /// Marks what this marker has; stops halfway when `pause` says so. With `TOGETHER` others do the same.
    ///
    /// # Safety
    /// As for `drain`.
    unsafe fn drain_own<const TOGETHER: bool>(
        &mut self,
        mut pause: impl FnMut(&mut Self) -> bool,
    ) -> Drained {
        let rest = if TOGETHER { GENEROSITY } else { PATIENCE };
        let geometry = self.job.geometry;
        let mut ring = [0usize; RING];
        let mut at = 0;
        let mut idle = 0;
        let mut patience = rest;
        loop {
            patience -= 1;
            if patience == 0 {
                patience = rest;
                if pause(self) {
                    ring.into_iter()
                        .filter(|address| *address != 0)
                        .for_each(|at| self.stack.push(at));
                    return Drained::Interrupted;
                }
            }
            let next = match self.stack.pop() {
                Some(address) => {
                    prefetch(address);
                    if geometry.is_small(address) {
                        prefetch(Geometry::metadata(address) as usize);
                    }
                    idle = 0;
                    address
                }
                None if idle < RING => {
                    idle += 1;
                    0
                }
                None => {
                    let Some(piece) = self.pieces.pop() else { return Drained::All };
                    idle = 0;
                    // SAFETY: a piece is the rest of a live array.
                    unsafe { self.scan_piece(piece) };
                    continue;
                }
            };
            at = (at + 1) % RING;
            let ready = mem::replace(&mut ring[at], next);
            if ready != 0 {
                // SAFETY: the caller vouches for every reference.
                unsafe {
                    if geometry.is_small(ready) {
                        self.visit_small::<TOGETHER>(ready);
                    } else {
                        self.visit_large::<TOGETHER>(ready);
                    }
                }
            }
        }
    }

    /// # Safety
    /// As for `drain`, with `address` one of the references, to a small object.
    #[inline(always)]
    unsafe fn visit_small<const TOGETHER: bool>(&mut self, address: usize) {
        let job = self.job;
        let (geometry, mark) = (job.geometry, job.mark);
        let metadata = Geometry::metadata(address);
        // SAFETY: the address is an object's, so its slab is committed.
        let metadata = unsafe { &*metadata };
        let old = metadata.load(Ordering::Relaxed);
        if job.skip >> (old & meta::STATE) & 1 != 0 {
            return;
        }
        let block = geometry.block_of(address);
        if old & meta::STATE == 0 && !(job.since..job.flip).contains(&geometry.born(block)) {
            return;
        }
        geometry.touch(block, mark);
        // Whether this marker, and no other, has put the object into its new state.
        let set = |new| {
            if TOGETHER {
                return metadata.swap(new, Ordering::Relaxed) == old;
            }
            metadata.store(new, Ordering::Relaxed);
            true
        };
        if old & meta::NO_REFS != 0 {
            let left = (BLOCK - address % BLOCK) / GRANULE;
            // SAFETY: the metadata from here to the end of the block is one run.
            let granules = unsafe { marked_granules(metadata, left) };
            if set(old & !meta::STATE | mark) {
                self.marked.objects += 1;
                self.marked.bytes += (granules.unwrap_or(1) * GRANULE) as u64;
            }
            return;
        }
        // SAFETY: a live object starts with its type.
        let ty = unsafe { *(address as *const u32) };
        let Some(&brief) = job.briefs.get(ty as usize) else { unknown_type(address, ty) };
        let bytes = if brief.other {
            // SAFETY: the object is live and of this type.
            unsafe { job.types[ty as usize].size.size_of(address) }
        } else {
            brief.size as usize
        };
        let mut new = old & !meta::STATE | mark;
        if old & meta::STATE == 0 {
            new |= if brief.leaf { meta::NO_REFS } else { 0 };
            let end = if self.plant == Some(Plant::SkipEnd) { 0 } else { meta::END };
            let last = bytes / GRANULE - 1;
            if last == 0 {
                new |= end;
            } else {
                // SAFETY: the object's granules are its own, and the last has no state.
                unsafe { (*Geometry::metadata(address).add(last)).store(end, Ordering::Relaxed) };
            }
        }
        if !set(new) {
            return;
        }
        self.marked.objects += 1;
        self.marked.bytes += bytes as u64;
        if job.restamp {
            // SAFETY: the object is live.
            unsafe { restamp(address) };
        }
        let mut words = brief.words;
        if words != 0 {
            if self.plant == Some(Plant::SkipField) {
                words &= !(1 << words.ilog2());
            }
            while words != 0 {
                let slot = address + 8 * words.trailing_zeros() as usize;
                // SAFETY: the layout says that a reference is here.
                self.push(unsafe { load(slot as *mut usize) });
                words &= words - 1;
            }
        } else if brief.other {
            // SAFETY: the object is live and of this type.
            unsafe { self.scan(address, &job.types[ty as usize]) };
        }
    }

    /// # Safety
    /// As for `drain`, with `address` one of the references, not to a small object.
    #[cold]
    unsafe fn visit_large<const TOGETHER: bool>(&mut self, address: usize) {
        let job = self.job;
        let Some(page) = job.spans.find(address) else {
            assert!(
                self.interrupted,
                "heap corrupted: {address:#x} was found in a reference slot, but no object is there"
            );
            return;
        };
        let state = job.spans.mark(page);
        if job.skip >> state & 1 != 0
            || state == 0 && !(job.since..job.flip).contains(&job.spans.born(page))
        {
            return;
        }
        if TOGETHER {
            if job.spans.swap_mark(page, job.mark) != state {
                return;
            }
        } else {
            job.spans.set_mark(page, job.mark);
        }
        self.marked.objects += 1;
        // SAFETY: a large object is live here.
        unsafe {
            if job.restamp {
                restamp(address);
            }
            let info = self.type_of(address);
            self.marked.bytes += info.size.size_of(address) as u64;
            self.scan(address, info);
        }
    }

    /// # Safety
    /// A live object is at `address`.
    unsafe fn type_of(&self, address: usize) -> &'a TypeInfo {
        // SAFETY: a live object starts with its type.
        let ty = unsafe { *(address as *const u32) };
        match self.job.types.get(ty as usize) {
            Some(info) => info,
            None => unknown_type(address, ty),
        }
    }

    /// # Safety
    /// A live object with the layout `info` is at `address`.
    #[inline(never)]
    unsafe fn scan(&mut self, address: usize, info: &'a TypeInfo) {
        match &info.tracing {
            Tracing::RefArray | Tracing::Elements(_) => {
                // SAFETY: the piece is the whole of a live array.
                unsafe {
                    let end = array_room(address);
                    self.scan_piece(Piece { array: address, next: 0, end });
                }
            }
            Tracing::Weak => self.weak_cells.push(address),
            _ => {
                // SAFETY: the layout says where the references are.
                unsafe { info.for_each_slot(address, |slot| self.push(load(slot))) };
            }
        }
    }

    #[inline]
    fn push(&mut self, address: usize) {
        if address != 0 {
            self.stack.push(address);
        }
    }

    /// # Safety
    /// The piece is of a live array with references.
    unsafe fn scan_piece(&mut self, piece: Piece) {
        let Piece { array, next, end: last } = piece;
        // SAFETY: the caller says that a live array is here.
        let info = unsafe { self.type_of(array) };
        let end = last.min(next + PIECE);
        if end < last {
            self.pieces.push(Piece { array, next: end, end: last });
        }
        let SizeRule::PerElement(elem_size) = info.size else { unreachable!("an array") };
        let offsets: &[u32] = match &info.tracing {
            Tracing::Elements(offsets) => offsets,
            _ => &[0],
        };
        // SAFETY: as above.
        if self.job.restamp && unsafe { colour(array) }.load(Ordering::Relaxed) == COLOUR_SEGMENTED
        {
            let address = |i: usize| array + ARRAY_DATA + i * elem_size as usize;
            for segment in (address(next) & !(SEGMENT - 1)..address(end)).step_by(SEGMENT) {
                self.job.spans.segment(segment).store(COLOUR_STALE, Ordering::Relaxed);
            }
        }
        for i in next..end {
            let element = array + ARRAY_DATA + i * elem_size as usize;
            for offset in offsets {
                // SAFETY: the layout says that a reference is here.
                self.push(unsafe { load((element + *offset as usize) as *mut usize) });
            }
        }
    }

    /// What was marked, and the weak cells among it, whose referents have not been looked at.
    pub fn finish(self) -> (Marked, Vec<usize>) {
        (self.marked, self.weak_cells)
    }
}

/// Helps with every marking of the crew's leader, until there will be none.
pub(crate) fn help(markers: &Markers) {
    os::do_not_preempt_others();
    while let Some(helper) = markers.join() {
        let start = os::thread_cpu_ns();
        let Plan { job, interrupted } = helper.plan.clone();
        let mut marker = Marker { interrupted, ..Marker::new(&job) };
        while let Some(work) = helper.take() {
            marker.adopt(work);
            // SAFETY: the leader vouches for the references for as long as the shift is open.
            unsafe {
                marker.drain_own::<true>(|marker| {
                    if helper.is_hungry()
                        && let Some(work) = marker.spare()
                    {
                        helper.give(work);
                    }
                    helper.is_called_back()
                });
            }
        }
        let Marker { stack, pieces, marked, weak_cells, .. } = marker;
        let chunks = stack.full.into_iter().chain([stack.top]).filter(|chunk| !chunk.is_empty());
        let rest = chunks.map(Share::References).chain(pieces.into_iter().map(Share::Piece));
        helper.leave(rest, Finding { marked, weak_cells, cpu_ns: os::thread_cpu_ns() - start });
    }
}

/// # Safety
/// A reference slot is here.
#[inline]
unsafe fn load(slot: *mut usize) -> usize {
    // SAFETY: slots are aligned words. Acquire: who finds a new object finds its block's birth (I9).
    unsafe { (*slot.cast::<AtomicUsize>()).load(Ordering::Acquire) }
}

/// # Safety
/// A live object is at `address`.
unsafe fn colour<'a>(address: usize) -> &'a AtomicU8 {
    // SAFETY: the colour is a byte of its own in the header (I7).
    unsafe { &*((address + COLOUR) as *const AtomicU8) }
}

/// Takes the object's colour of long ago away. A thread that gives it the epoch's at the same time may log the
/// object once more.
///
/// # Safety
/// A live object is at `address`.
unsafe fn restamp(address: usize) {
    // SAFETY: the caller vouches for the object.
    let colour = unsafe { colour(address) };
    if colour.load(Ordering::Relaxed) != COLOUR_SEGMENTED {
        colour.store(COLOUR_STALE, Ordering::Relaxed);
    }
}

#[cold]
fn unknown_type(address: usize, ty: u32) -> ! {
    panic!("heap corrupted: the object at {address:#x} has the unknown type {ty}")
}

/// The slot of a weak cell that holds its referent.
#[inline]
pub(crate) fn weak_slot(cell: usize) -> *mut usize {
    (cell + WEAK_REFERENT) as *mut usize
}
