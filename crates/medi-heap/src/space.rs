//! Who holds which block and which page span, and how much memory that is.
//!
//! A block of the small-object space is in exactly one of these states (I3): *fresh* (never used, or given
//! back: zero memory, zero metadata), *free* (empty, its contents and metadata left over), *unswept* (a
//! cycle found something live in it and nobody has looked for its holes since), *swept* (its holes' metadata
//! is zero), *dense* (swept, with next to no holes), *in use* (a thread took it and no cycle has sorted it since),
//! or *retired* (the moving mode emptied it). A thread that takes an unswept block sweeps it; the collector's
//! thread sweeps what nobody takes, and has the block for itself meanwhile.
//!
//! The space also keeps the ledgers: what is held from the system plus what the embedder charges must stay
//! under the limit. One lock guards it all; the collector takes it for a few blocks at a time and sweeps without it,
//! so that no thread waits long for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};
use std::{iter, mem};

use crate::block_set::{BlockIndex, BlockSet};
use crate::coverage::{Coverage, starts};
use crate::error::{HeapError, OutOfMemory, Reason, Shortage};
use crate::geometry::Geometry;
use crate::large::{DeadSpan, LargeAllocation, LargeSpace};
use crate::layout::{BLOCK, BLOCK_GRANULES, GRANULE, PAGE, SLAB, SLAB_BLOCKS};
use crate::liveness::Liveness;
use crate::options::Options;
use crate::os::{self, Os, Reservation};
use crate::poison;

/// What a block takes from the system: its memory and its page of metadata.
const BLOCK_FOOTPRINT: u64 = (BLOCK + BLOCK_GRANULES) as u64;
/// How many slabs are committed at a time at least. That takes no memory.
const COMMIT_SLABS: u32 = 16;
/// A block with fewer free granules than this is as good as full.
const DENSE_GRANULES: usize = BLOCK_GRANULES / 64;
/// How many dense blocks a thread sweeps in vain before it rather takes an empty one.
const SWEEPS: usize = 4;
/// The least memory that a heap can work in.
pub(crate) const LEAST_LIMIT: u64 = 1 << 20;

/// A block handed to a thread.
pub(crate) struct TakenBlock {
    pub address: usize,
    pub coverage: Coverage,
    /// The holes read as zero already.
    pub zeroed: bool,
    /// Nanoseconds spent on sweeping for it.
    pub sweep_ns: u64,
}

/// Which blocks a thread can use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Any with a hole.
    Hole,
    /// An empty one.
    Empty,
}

/// Which blocks are sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortStage {
    InUse,
    /// There are such before a full cycle sorts if young ones ran during it. These and those that follow change with a
    /// full cycle only.
    Unswept,
    Swept,
    Dense,
}

/// Running totals, in bytes unless the name says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpaceTotals {
    pub peak_footprint: u64,
    pub returned: u64,
    pub swept_blocks: u64,
    pub sweep_ns: u64,
    /// What the last collection found live.
    pub live: u64,
}

/// Stalls that follow each other with next to no allocation between them.
#[derive(Debug, Default)]
struct Spiral {
    since: Option<Instant>,
    /// The end of the last stall.
    until: Option<Instant>,
    /// The last cycle that was waited for, and what all threads had allocated then.
    cycle: u64,
    allocated: u64,
    stalls: u32,
    collecting: Duration,
}

/// Threads make progress when they allocate more than this part of the limit from one stall to the next.
pub(crate) const PROGRESS: u64 = 50;
/// So many stalls in a row, with nine tenths of the time spent collecting, and the heap counts as full.
const SPIRAL_STALLS: u32 = 8;

/// How blocks are swept as long as no cycle changes the mark.
struct Sweeper {
    geometry: Geometry,
    mark: u8,
    undecided: bool,
    poisoned: bool,
}

impl Sweeper {
    /// Looks for the holes of a block and zeroes their metadata.
    ///
    /// # Safety
    /// The block was unswept, and is the caller's alone.
    unsafe fn sweep(&self, block: BlockIndex) -> Coverage {
        // SAFETY: the block has been in use, so its slab is committed.
        let metadata = unsafe { self.geometry.block_metadata(block) };
        let coverage = if self.undecided {
            let coverage = Coverage::read_swept(metadata);
            coverage.clear_uncovered_shared(metadata);
            coverage
        } else {
            // SAFETY: nobody allocates in the block, the marker changes nothing in unswept ones, and the caller
            // keeps out everyone else (I2).
            let metadata = unsafe { self.geometry.block_metadata_mut(block) };
            let coverage = Coverage::read(metadata, self.mark);
            coverage.clear_uncovered(metadata);
            coverage
        };
        if self.poisoned {
            let address = self.geometry.block_address(block);
            for (start, end) in coverage.holes() {
                // SAFETY: nothing live covers these granules (I4).
                unsafe { poison::fill(address + start * GRANULE, (end - start) * GRANULE) };
            }
        }
        coverage
    }
}

/// Blocks that the collector's thread sweeps.
pub(crate) struct Sweep {
    blocks: Vec<BlockIndex>,
    sweeper: Sweeper,
}

impl Sweep {
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Sweeps them; returns how many granules are free in each.
    pub fn run(self) -> Vec<(BlockIndex, usize)> {
        let free = |block: &BlockIndex| {
            // SAFETY: the blocks were unswept, and no set has them: they are this thread's.
            unsafe { self.sweeper.sweep(*block) }.free_granules()
        };
        self.blocks.iter().map(|block| (*block, free(block))).collect()
    }
}

/// The memory of a heap. One lock guards it.
pub(crate) struct Space {
    pub geometry: Geometry,
    pub os: Os,
    pub large: LargeSpace,
    /// The state of live objects in metadata and spans: 1, 2 or 3, next at each collection.
    pub mark: u8,
    pub totals: SpaceTotals,
    /// Bytes handed out since the last flip.
    pub allocated_since: u64,
    /// How much may be handed out before the next cycle is due.
    pub trigger: u64,
    /// The collector has been told that it is.
    due_told: bool,
    /// What threads could take at the last flip.
    room_at_flip: u64,
    /// Marks are changing: states other than the current mark do not mean that an object is dead.
    pub marking: bool,
    /// A full cycle has not found yet what is live: an object with any state counts as live.
    pub undecided: bool,
    pub limit: Option<u64>,
    pub external: u64,
    /// After a full cycle: when more than this has survived, the next one is full again.
    pub full_above: u64,
    /// A cycle that is due is a full one.
    pub next_full: bool,
    /// How many empty blocks are kept in any case.
    pub keep: u64,
    /// The fewest empty blocks that there were since idle ones were looked for.
    least_free: usize,
    free: BlockSet,
    given_back: BlockSet,
    unswept: BlockSet,
    /// Unswept blocks that the collector's thread is sweeping.
    sweeping: Vec<BlockIndex>,
    swept: BlockSet,
    /// Bytes of the holes of swept blocks.
    swept_holes: u64,
    /// Not worth another look before the next full cycle.
    dense: BlockSet,
    in_use: BlockSet,
    retired: VecDeque<BlockIndex>,
    /// Blocks below this one have been handed out before.
    fresh_top: u32,
    committed_slabs: u32,
    resident_blocks: u64,
    spiral: Spiral,
    poisoned: bool,
    huge_pages: bool,
    _range: Reservation,
    _tables: Reservation,
}

impl Space {
    pub fn new(options: &Options) -> Result<Space, HeapError> {
        if let Some(limit) = options.limit.filter(|limit| *limit < LEAST_LIMIT) {
            return Err(HeapError::LimitTooSmall { limit, least: LEAST_LIMIT });
        }
        let os = Os::new(options.fail_os_after);
        let (range, bytes) = reserve(&os, options)?;
        let failed = |source| HeapError::Reserve { bytes: bytes as u64, source };
        let small_bytes = (bytes / 2).next_multiple_of(SLAB);
        let blocks = small_bytes / BLOCK;
        let tables = os.table(blocks * (size_of::<AtomicU64>() + 1)).map_err(failed)?;
        let geometry = Geometry {
            small_base: range.base(),
            small_bytes,
            large_base: range.base() + small_bytes,
            large_bytes: bytes - small_bytes,
            born: tables.base() as *const AtomicU64,
            touched: (tables.base() + blocks * size_of::<AtomicU64>()) as *const AtomicU8,
        };
        let large = LargeSpace::new(&geometry, &os, options.poison).map_err(failed)?;
        Ok(Space {
            geometry,
            os,
            large,
            mark: 1,
            totals: SpaceTotals::default(),
            allocated_since: 0,
            trigger: first_trigger(options),
            limit: options.limit,
            external: 0,
            due_told: false,
            room_at_flip: u64::MAX,
            marking: false,
            undecided: false,
            full_above: options.min_trigger,
            next_full: !options.young_cycles,
            keep: options.min_trigger / BLOCK as u64,
            least_free: 0,
            free: BlockSet::default(),
            given_back: BlockSet::default(),
            unswept: BlockSet::default(),
            sweeping: Vec::new(),
            swept: BlockSet::default(),
            swept_holes: 0,
            dense: BlockSet::default(),
            in_use: BlockSet::default(),
            retired: VecDeque::new(),
            fresh_top: 0,
            committed_slabs: 0,
            resident_blocks: 0,
            spiral: Spiral::default(),
            poisoned: options.poison,
            huge_pages: options.huge_pages,
            _range: range,
            _tables: tables,
        })
    }

    /// Collected memory held from the system.
    pub fn heap_bytes(&self) -> u64 {
        self.resident_blocks * BLOCK_FOOTPRINT + self.large.resident_bytes()
    }

    /// Bytes of empty blocks held in reserve.
    pub fn free_bytes(&self) -> u64 {
        self.free.len() as u64 * BLOCK_FOOTPRINT
    }

    /// What counts against the limits.
    pub fn footprint(&self) -> u64 {
        self.heap_bytes() + self.external
    }

    fn note_peak(&mut self) {
        self.totals.peak_footprint = self.totals.peak_footprint.max(self.heap_bytes());
    }

    /// Makes room for `bytes` more under the limit, by giving back memory that nothing uses.
    fn make_room(&mut self, bytes: u64) -> Result<(), Reason> {
        let Some(limit) = self.limit else { return Ok(()) };
        let fits = |space: &Space| space.footprint().saturating_add(bytes) <= limit;
        if fits(self) {
            return Ok(());
        }
        let idle = self.free_bytes() + self.large.dirty_bytes();
        if self.footprint().saturating_add(bytes) - idle.min(self.footprint()) > limit {
            return Err(Reason::Limit);
        }
        self.totals.returned += self.large.give_back_dirty();
        if !fits(self) {
            let missing = self.footprint() + bytes - limit;
            self.give_back_blocks(missing.div_ceil(BLOCK_FOOTPRINT) as usize);
        }
        if fits(self) { Ok(()) } else { Err(Reason::Limit) }
    }

    /// Gives up to `count` free blocks back to the system at once, because their memory is wanted elsewhere.
    fn give_back_blocks(&mut self, count: usize) {
        let blocks = self.withdraw_free(count);
        for run in runs(&blocks) {
            self.geometry.give_back(run);
        }
        self.note_given_back(&blocks);
    }

    /// How many empty blocks nobody has needed since the last call and nobody is expected to, beyond `keep`.
    pub fn idle_blocks(&mut self, keep: u64) -> usize {
        let idle = self.least_free.saturating_sub(keep as usize);
        self.least_free = self.free.len();
        idle
    }

    /// Takes up to `count` free blocks away, the highest first; they are nobody's until they were given back.
    pub fn withdraw_free(&mut self, count: usize) -> Vec<BlockIndex> {
        let mut blocks: Vec<_> = iter::from_fn(|| self.free.take_last()).take(count).collect();
        blocks.reverse();
        self.least_free = self.least_free.min(self.free.len());
        blocks
    }

    /// Notes that withdrawn blocks were given back to the system.
    pub fn note_given_back(&mut self, blocks: &[BlockIndex]) {
        for block in blocks {
            self.given_back.insert(*block);
        }
        self.resident_blocks -= blocks.len() as u64;
        self.totals.returned += blocks.len() as u64 * BLOCK_FOOTPRINT;
    }

    /// Hands out a block to a thread that has passed `flip`.
    pub fn take_block(&mut self, want: Want, flip: u64) -> Result<TakenBlock, Reason> {
        let mut sweep_ns = 0;
        if want == Want::Hole {
            if let Some(block) = self.swept.take_first() {
                // SAFETY: the block has been in use, so its slab is committed.
                let coverage = Coverage::read_swept(unsafe { self.geometry.block_metadata(block) });
                self.swept_holes -= coverage.free_bytes();
                return Ok(self.hand_out(block, coverage, flip, 0));
            }
            let (found, ns) = self.sweep_for_hole(SWEEPS);
            sweep_ns = ns;
            if let Some((block, coverage)) = found {
                return Ok(self.hand_out(block, coverage, flip, sweep_ns));
            }
        }
        let (block, zeroed) = match self.take_free() {
            Some(block) => (self.reopen(block), false),
            None => match self.take_fresh() {
                Ok(block) => (block, true),
                Err(reason) if want == Want::Hole => {
                    let (found, ns) = self.sweep_for_hole(usize::MAX);
                    let (block, coverage) = found.ok_or(reason)?;
                    return Ok(self.hand_out(block, coverage, flip, sweep_ns + ns));
                }
                Err(reason) => return Err(reason),
            },
        };
        let taken = self.hand_out(block, Coverage::EMPTY, flip, sweep_ns);
        Ok(TakenBlock { zeroed, ..taken })
    }

    fn take_free(&mut self) -> Option<BlockIndex> {
        let block = self.free.take_first();
        self.least_free = self.least_free.min(self.free.len());
        block
    }

    fn hand_out(
        &mut self,
        block: BlockIndex,
        coverage: Coverage,
        flip: u64,
        sweep_ns: u64,
    ) -> TakenBlock {
        self.in_use.insert(block);
        self.geometry.bear(block, flip);
        // Who finds an object in the block by what the thread stores from here on finds the block's birth (I9).
        fence(Ordering::Release);
        self.allocated_since += coverage.free_bytes();
        let address = self.geometry.block_address(block);
        TakenBlock { address, coverage, zeroed: false, sweep_ns }
    }

    /// Sweeps up to `most` blocks until one has holes; also says how long that took.
    fn sweep_for_hole(&mut self, most: usize) -> (Option<(BlockIndex, Coverage)>, u64) {
        if self.unswept.len() == 0 {
            return (None, 0);
        }
        let start = Instant::now();
        let mut found = None;
        for _ in 0..most {
            let Some(block) = self.unswept.take_first() else { break };
            let coverage = self.sweep(block);
            if coverage.free_granules() >= DENSE_GRANULES {
                found = Some((block, coverage));
                break;
            }
            self.dense.insert(block);
        }
        let ns = start.elapsed().as_nanos() as u64;
        self.totals.sweep_ns += ns;
        (found, ns)
    }

    /// Sweeps a block that is in no set, under the lock.
    fn sweep(&mut self, block: BlockIndex) -> Coverage {
        self.totals.swept_blocks += 1;
        // SAFETY: the block was unswept, and the lock keeps out everyone else.
        unsafe { self.sweeper().sweep(block) }
    }

    fn sweeper(&self) -> Sweeper {
        Sweeper {
            geometry: self.geometry,
            mark: self.mark,
            undecided: self.undecided,
            poisoned: self.poisoned,
        }
    }

    fn reopen(&mut self, block: BlockIndex) -> BlockIndex {
        if self.undecided {
            // SAFETY: the block has been in use, so its slab is committed.
            let metadata = unsafe { self.geometry.block_metadata(block) };
            Coverage::EMPTY.clear_uncovered_shared(metadata);
        } else {
            // SAFETY: a free block belongs to nobody, and this lock guards its metadata (I2).
            unsafe { self.geometry.block_metadata_mut(block) }.fill(0);
        }
        let address = self.geometry.block_address(block);
        if self.poisoned {
            // SAFETY: the block is free, so no one else uses it.
            unsafe { poison::check(address, BLOCK) };
        }
        block
    }

    fn take_fresh(&mut self) -> Result<BlockIndex, Reason> {
        self.make_room(BLOCK_FOOTPRINT)?;
        let block = match self.given_back.take_first() {
            Some(block) => block,
            None => self.take_untouched()?,
        };
        self.resident_blocks += 1;
        self.note_peak();
        Ok(block)
    }

    fn take_untouched(&mut self) -> Result<BlockIndex, Reason> {
        let mut block = BlockIndex(self.fresh_top);
        while !Geometry::holds_objects(block) {
            block.0 += 1;
        }
        if block.0 >= self.geometry.blocks() {
            return self.reuse_retired();
        }
        let slab = block.0 / SLAB_BLOCKS as u32;
        if slab >= self.committed_slabs {
            let start = self.geometry.small_base + slab as usize * SLAB;
            // A call for many: it changes the address space, for which the threads that fault pages in are waited for.
            let most = self.geometry.blocks() / SLAB_BLOCKS as u32 - slab;
            let slabs = COMMIT_SLABS.max(self.committed_slabs / 4).min(most);
            let bytes = slabs as usize * SLAB;
            let refused = |_| Reason::System;
            self.os.commit(start, bytes).map_err(refused)?;
            if self.huge_pages {
                self.os.prefer_huge_pages(start, bytes);
            }
            self.committed_slabs = slab + slabs;
        }
        self.fresh_top = block.0 + 1;
        Ok(block)
    }

    /// The moving mode has used up the address space: its oldest retired block becomes usable again.
    fn reuse_retired(&mut self) -> Result<BlockIndex, Reason> {
        let block = self.retired.pop_front().ok_or(Reason::AddressSpace)?;
        let address = self.geometry.block_address(block);
        let refused = |_| Reason::System;
        self.os.unseal(address, BLOCK).map_err(refused)?;
        os::give_back(address, BLOCK);
        os::give_back(Geometry::metadata(address) as usize, BLOCK_GRANULES);
        Ok(block)
    }

    /// Hands out memory for a large object to a thread that has passed `flip`.
    pub fn take_large(&mut self, bytes: usize, flip: u64) -> Result<LargeAllocation, Reason> {
        let span = LargeSpace::span_bytes(bytes);
        self.make_room(span)?;
        match self.large.allocate(&self.os, bytes, flip) {
            Ok(Some(allocation)) => {
                fence(Ordering::Release);
                self.allocated_since += span;
                self.note_peak();
                Ok(allocation)
            }
            Ok(None) => Err(Reason::AddressSpace),
            Err(_) => Err(Reason::System),
        }
    }

    /// True, once in an epoch, when so much was handed out that the next cycle is due.
    pub fn becomes_due(&mut self) -> bool {
        let due = !self.due_told && self.allocated_since >= self.trigger;
        self.due_told |= due;
        due
    }

    /// Notes that threads have passed a flip; returns what they took in the epoch that it ended.
    pub fn start_epoch(&mut self) -> u64 {
        self.due_told = false;
        self.room_at_flip = self.usable(self.limit);
        mem::take(&mut self.allocated_since)
    }

    /// The blocks never used before that threads may take until the next cycle has ended.
    pub fn expected_blocks(&self) -> (BlockIndex, BlockIndex) {
        let bytes = self.planned() - self.allocated_since.min(self.planned());
        let blocks = u32::try_from(bytes / BLOCK as u64).unwrap_or(u32::MAX);
        (BlockIndex(self.fresh_top), BlockIndex(self.fresh_top.saturating_add(blocks)))
    }

    /// What threads may allocate in an epoch before the cycle in it is late.
    fn planned(&self) -> u64 {
        self.trigger.saturating_mul(2).saturating_add(self.totals.live / 2)
    }

    /// True when the cycle still marks, and threads have allocated much more since the flip than was planned until the
    /// next, and than half of what is live, or have used most of the room that there was.
    pub fn is_behind(&self) -> bool {
        let most = self.room_at_flip / 4 * 3;
        self.marking && self.allocated_since > self.planned().min(most)
    }

    /// Notes that a thread waited so long for the cycle of this number because memory had run out, when all threads
    /// had allocated so many bytes. True when this has become all that the program does: then it is better told that
    /// memory is out.
    pub fn note_stall(&mut self, cycle: u64, allocated: u64, collecting: Duration) -> bool {
        let now = Instant::now();
        let spiral = &mut self.spiral;
        if allocated - spiral.allocated > self.limit.unwrap_or(u64::MAX) / PROGRESS {
            *spiral = Spiral { allocated, ..Spiral::default() };
        }
        let since = *spiral.since.get_or_insert(now - collecting);
        // Threads that wait for the same cycle stall once.
        if cycle > spiral.cycle {
            spiral.cycle = cycle;
            spiral.stalls += 1;
            spiral.allocated = allocated;
        }
        let counted = spiral.until.map_or(collecting, |until| (now - until).min(collecting));
        spiral.until = Some(now);
        spiral.collecting += counted;
        spiral.stalls >= SPIRAL_STALLS && spiral.collecting * 10 > (now - since) * 9
    }

    /// Enters memory outside the heap into the ledger.
    pub fn charge(&mut self, bytes: u64) -> Result<(), Reason> {
        self.make_room(bytes)?;
        self.external += bytes;
        Ok(())
    }

    /// Takes memory outside the heap off the ledger.
    pub fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.external, "more released than was charged");
        self.external = self.external.saturating_sub(bytes);
    }

    /// Takes up to `count` of the blocks that nobody has swept since the last cycle, for the collector's thread to
    /// sweep without the lock. No block is left when there are none.
    pub fn start_sweeping(&mut self, count: usize) -> Sweep {
        debug_assert!(self.sweeping.is_empty(), "only one thread sweeps in the background");
        let blocks: Vec<_> = iter::from_fn(|| self.unswept.take_first()).take(count).collect();
        self.sweeping.clone_from(&blocks);
        Sweep { blocks, sweeper: self.sweeper() }
    }

    /// Makes the holes usable that were found.
    pub fn end_sweeping(&mut self, found: &[(BlockIndex, usize)], took: Duration) {
        self.sweeping.clear();
        self.totals.swept_blocks += found.len() as u64;
        self.totals.sweep_ns += took.as_nanos() as u64;
        for (block, free_granules) in found {
            if *free_granules < DENSE_GRANULES {
                self.dense.insert(*block);
            } else {
                self.swept.insert(*block);
                self.swept_holes += (free_granules * GRANULE) as u64;
            }
        }
    }

    /// True while the last blocks that nobody has swept are being swept without the lock.
    pub fn ends_sweeping(&self) -> bool {
        self.is_sweeping() && self.unswept.len() == 0
    }

    /// True while blocks are being swept without the lock: they are in no set.
    pub fn is_sweeping(&self) -> bool {
        !self.sweeping.is_empty()
    }

    /// Bytes that can still be allocated in blocks under a limit, once everything is swept; without one, as much as
    /// there are.
    pub fn usable(&self, limit: Option<u64>) -> u64 {
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.footprint()));
        let fresh = room / BLOCK_FOOTPRINT * BLOCK as u64;
        fresh.saturating_add(self.swept_holes + self.free.len() as u64 * BLOCK as u64)
    }

    /// Moves on to the next mark and returns it, if no stale state of it can be left anywhere (I5).
    pub fn next_mark(&mut self) -> Option<u8> {
        if self.unswept.len() > 0 {
            return None;
        }
        self.undecided = true;
        self.marking = true;
        self.mark = self.mark % 3 + 1;
        Some(self.mark)
    }

    /// After marking: sorts up to `count` blocks at or after `from`, of those that `stage` is about, by whether
    /// anything in them is live. Leaves blocks alone that were taken since the flip, or before what the cycle looked at.
    /// Returns where to go on.
    pub fn sort_some(
        &mut self,
        stage: SortStage,
        from: BlockIndex,
        count: usize,
        liveness: Liveness,
    ) -> Option<BlockIndex> {
        let mut at = from;
        for _ in 0..count {
            if stage == SortStage::Swept && self.swept.len() == 0 {
                self.swept_holes = 0;
            }
            let set = match stage {
                SortStage::InUse => &mut self.in_use,
                SortStage::Unswept => &mut self.unswept,
                SortStage::Swept => &mut self.swept,
                SortStage::Dense => &mut self.dense,
            };
            let block = set.next(at)?;
            at = BlockIndex(block.0 + 1);
            let born = self.geometry.born(block);
            if stage == SortStage::InUse && !(liveness.since..liveness.flip).contains(&born) {
                continue;
            }
            set.remove(block);
            let touched = self.geometry.touched(block);
            if touched == self.mark || self.undecided && touched != 0 {
                self.unswept.insert(block);
            } else {
                self.free.insert(block);
                self.geometry.touch(block, 0);
                if self.poisoned {
                    // SAFETY: nothing in the block is live.
                    unsafe { poison::fill(self.geometry.block_address(block), BLOCK) };
                }
            }
        }
        Some(at)
    }

    /// Takes dead large objects out of use, see [`LargeSpace::remove_dead`].
    pub fn remove_dead_large(
        &mut self,
        from: usize,
        count: usize,
        liveness: Liveness,
    ) -> (Vec<DeadSpan>, Option<usize>) {
        self.large.remove_dead(from, count, |address| liveness.is_dead(address))
    }

    /// Makes removed memory free, see [`LargeSpace::release`].
    pub fn release_large(&mut self, dead: DeadSpan, given_back: bool) {
        self.totals.returned += self.large.release(dead, given_back);
    }

    /// True when `address` could be that of an object: aligned and in memory that has been handed out.
    pub fn is_plausible(&self, address: usize) -> bool {
        if !address.is_multiple_of(GRANULE) {
            false
        } else if self.geometry.is_small(address) {
            let block = self.geometry.block_of(address);
            let used = [&self.in_use, &self.unswept, &self.swept, &self.dense];
            used.iter().any(|set| set.contains(block)) || self.sweeping.contains(&block)
        } else {
            self.large.spans.find(address).is_some()
        }
    }

    /// Calls `visit` with the address of every object that the last cycle found live. While a cycle is under way,
    /// those that it finds dead may still be among them.
    pub fn for_each_marked(&self, mut visit: impl FnMut(usize)) {
        for block in 0..self.fresh_top {
            self.for_each_marked_in(BlockIndex(block), &mut visit);
        }
        self.large_marked(0).for_each(visit);
    }

    /// The same for the objects of a block. False: no block at or after this one has been used.
    pub fn for_each_marked_in(&self, block: BlockIndex, mut visit: impl FnMut(usize)) -> bool {
        if block.0 >= self.fresh_top {
            return false;
        }
        let settled = [&self.swept, &self.dense, &self.in_use];
        let any = if self.unswept.contains(block) {
            self.undecided
        } else if settled.iter().any(|set| set.contains(block)) {
            self.marking
        } else {
            return true;
        };
        // SAFETY: the block has been in use, so its slab is committed.
        let metadata = unsafe { self.geometry.block_metadata(block) };
        let address = self.geometry.block_address(block);
        for granule in starts(metadata, |state| any || state == self.mark) {
            visit(address + granule * GRANULE);
        }
        true
    }

    /// The same for large objects at or after an address, in order.
    pub fn large_marked(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let spans = self.large.spans;
        let any = self.marking;
        let counts = move |mark: u8| mark == self.mark || any && mark != 0;
        let marked = move |address| spans.find(address).is_some_and(|at| counts(spans.mark(at)));
        self.large.objects(from).filter(move |address| marked(*address))
    }

    /// For the moving mode: every used block, emptied into a list, so that none is allocated in.
    pub fn withdraw_blocks(&mut self) -> Vec<BlockIndex> {
        let sets =
            [&mut self.in_use, &mut self.unswept, &mut self.swept, &mut self.dense, &mut self.free];
        let blocks: Vec<_> = sets.into_iter().flat_map(|set| set.drain()).collect();
        self.swept_holes = 0;
        self.resident_blocks -= blocks.len() as u64;
        blocks
    }

    /// For the moving mode: a block of memory that was never used before, or not for the longest time.
    pub fn take_evacuation_block(&mut self) -> Result<BlockIndex, Reason> {
        let block = match self.given_back.take_first() {
            Some(block) => block,
            None => self.take_untouched()?,
        };
        self.resident_blocks += 1;
        Ok(block)
    }

    /// For the moving mode: a block that holds evacuated objects.
    pub fn adopt_block(&mut self, block: BlockIndex) {
        self.geometry.touch(block, self.mark);
        self.unswept.insert(block);
        self.note_peak();
    }

    /// For the moving mode: makes blocks inaccessible, or poisons them.
    pub fn retire_blocks(&mut self, blocks: Vec<BlockIndex>) {
        for block in blocks {
            let address = self.geometry.block_address(block);
            if self.poisoned {
                // SAFETY: everything in the block has moved away.
                unsafe { poison::fill(address, BLOCK) };
            } else {
                self.os.seal(address, BLOCK);
            }
            self.retired.push_back(block);
        }
    }

    /// The error for a request that nothing could satisfy.
    pub fn shortage(&self, requested: u64, reason: Reason) -> OutOfMemory {
        OutOfMemory::new(Shortage {
            requested,
            limit: self.limit,
            heap: self.heap_bytes(),
            live: self.totals.live,
            external: self.external,
            reason,
        })
    }
}

/// Neighbours among blocks in ascending order, as first and end.
pub(crate) fn runs(blocks: &[BlockIndex]) -> impl Iterator<Item = (BlockIndex, BlockIndex)> + '_ {
    blocks.chunk_by(|a, b| a.0 + 1 == b.0).map(|run| (run[0], BlockIndex(run[run.len() - 1].0 + 1)))
}

/// What may be allocated before the first cycle, when nothing has been measured: half of the room at most.
fn first_trigger(options: &Options) -> u64 {
    let young = options.young_cycles.then_some(options.young_trigger);
    let limits = [options.limit, options.soft_limit].map(|limit| limit.map(|limit| limit / 2));
    limits.into_iter().chain([young]).flatten().fold(options.initial_trigger, u64::min)
}

fn reserve(os: &Os, options: &Options) -> Result<(Reservation, usize), HeapError> {
    let wanted = options.reserve.unwrap_or_else(|| match options.limit {
        Some(limit) => limit.saturating_mul(4).max(256 << 20),
        None => os::physical_memory().saturating_mul(2),
    });
    let least = options.reserve.unwrap_or(match options.limit {
        Some(limit) => limit.saturating_mul(2),
        None => 256 << 20,
    });
    let mut bytes = (wanted.clamp(4 * SLAB as u64, 1 << 44) as usize).next_multiple_of(2 * SLAB);
    loop {
        match os.reserve(bytes, SLAB) {
            Ok(range) => return Ok((range, bytes)),
            Err(_) if bytes as u64 / 2 >= least.max(4 * SLAB as u64) => {
                bytes = (bytes / 2).next_multiple_of(2 * SLAB)
            }
            Err(source) => return Err(HeapError::Reserve { bytes: bytes as u64, source }),
        }
    }
}

const _: () = assert!(BLOCK_GRANULES == PAGE, "metadata is given back by whole pages");
