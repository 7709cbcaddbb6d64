//! Who holds which block and which page span, and how much memory that is.
//!
//! A block of the small-object space is in exactly one of these states (I3): *fresh* (never used, or given
//! back: zero memory, zero metadata), *free* (empty, its contents and metadata left over), *unswept* (a
//! collection found something live in it and nobody has looked for its holes since), *in use* (a thread
//! allocates in it, or has filled it since the last collection), or *retired* (the moving mode emptied it).
//! Sweeping happens when a thread takes an unswept block, and what is left is swept before the next
//! collection marks.
//!
//! The space also keeps the ledgers: what is held from the system plus what the embedder charges must stay
//! under the limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::block_set::{BlockIndex, BlockSet};
use crate::coverage::{Coverage, live_starts};
use crate::error::{HeapError, OutOfMemory, Reason, Shortage};
use crate::geometry::Geometry;
use crate::large::{LargeAllocation, LargeSpace};
use crate::layout::{BLOCK, BLOCK_GRANULES, COLOUR_FIRST, GRANULE, PAGE, SLAB, SLAB_BLOCKS};
use crate::options::Options;
use crate::os::{self, Os, Reservation};
use crate::poison;

/// What a block takes from the system: its memory and its page of metadata.
const BLOCK_FOOTPRINT: u64 = (BLOCK + BLOCK_GRANULES) as u64;
/// A block with fewer free granules than this is as good as full.
const DENSE_GRANULES: usize = BLOCK_GRANULES / 64;
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

/// Why no memory was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is time for a collection.
    Due,
    /// There is none; a collection may help.
    Exhausted(Reason),
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
    stalls: u32,
    collecting: Duration,
}

/// A stall is part of a spiral when less than this part of the limit was allocated since the last one.
const SPIRAL_PROGRESS: u64 = 50;
/// So many stalls in a row, with nine tenths of the time spent collecting, and the heap counts as full.
const SPIRAL_STALLS: u32 = 8;

/// The memory of a heap. One lock guards it.
pub(crate) struct Space {
    pub geometry: Geometry,
    pub os: Os,
    pub large: LargeSpace,
    /// The state of live objects in metadata and spans: 1, 2 or 3, next at each collection.
    pub mark: u8,
    pub totals: SpaceTotals,
    /// Bytes handed out since the last collection.
    pub allocated_since: u64,
    /// How much may be handed out before the next collection is due.
    pub trigger: u64,
    pub limit: Option<u64>,
    pub external: u64,
    /// The colour of new objects.
    pub epoch: u8,
    /// A collection that is due is a full one when more than this is live.
    pub full_above: u64,
    free: BlockSet,
    given_back: BlockSet,
    unswept: BlockSet,
    /// Swept, and found to have next to no holes; not worth another look before the next full collection.
    dense: BlockSet,
    /// Blocks that may hold objects: those in use and those unswept.
    used: BlockSet,
    retired: VecDeque<BlockIndex>,
    /// Blocks below this one have been handed out before.
    fresh_top: u32,
    committed_slabs: u32,
    resident_blocks: u64,
    spiral: Spiral,
    poisoned: bool,
    huge_pages: bool,
    _range: Reservation,
    _touched: Reservation,
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
        let touched = os.table(small_bytes / BLOCK).map_err(failed)?;
        let geometry = Geometry {
            small_base: range.base(),
            small_bytes,
            large_base: range.base() + small_bytes,
            large_bytes: bytes - small_bytes,
            touched: touched.base() as *mut u8,
        };
        let large = LargeSpace::new(&geometry, &os, options.poison).map_err(failed)?;
        Ok(Space {
            geometry,
            os,
            large,
            mark: 1,
            totals: SpaceTotals::default(),
            allocated_since: 0,
            trigger: match options.young_cycles {
                true => options.initial_trigger.min(options.young_trigger),
                false => options.initial_trigger,
            },
            limit: options.limit,
            external: 0,
            epoch: COLOUR_FIRST,
            full_above: options.min_trigger,
            free: BlockSet::default(),
            given_back: BlockSet::default(),
            unswept: BlockSet::default(),
            dense: BlockSet::default(),
            used: BlockSet::default(),
            retired: VecDeque::new(),
            fresh_top: 0,
            committed_slabs: 0,
            resident_blocks: 0,
            spiral: Spiral::default(),
            poisoned: options.poison,
            huge_pages: options.huge_pages,
            _range: range,
            _touched: touched,
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

    /// Empty blocks held in reserve.
    pub fn free_blocks(&self) -> usize {
        self.free.len()
    }

    fn footprint(&self) -> u64 {
        self.heap_bytes() + self.external
    }

    fn note_peak(&mut self) {
        self.totals.peak_footprint = self.totals.peak_footprint.max(self.heap_bytes());
    }

    /// Makes room for `bytes` more under the limit, by giving back memory that nothing uses.
    fn make_room(&mut self, bytes: u64) -> Result<(), Refusal> {
        let Some(limit) = self.limit else { return Ok(()) };
        let fits = |space: &Space| space.footprint().saturating_add(bytes) <= limit;
        if fits(self) {
            return Ok(());
        }
        let idle = self.free_bytes() + self.large.dirty_bytes();
        if self.footprint().saturating_add(bytes) - idle.min(self.footprint()) > limit {
            return Err(Refusal::Exhausted(Reason::Limit));
        }
        self.totals.returned += self.large.give_back_dirty(&self.os);
        if !fits(self) {
            let missing = self.footprint() + bytes - limit;
            self.give_back_blocks(missing.div_ceil(BLOCK_FOOTPRINT) as usize);
        }
        if fits(self) { Ok(()) } else { Err(Refusal::Exhausted(Reason::Limit)) }
    }

    /// Gives up to `count` free blocks back to the system, highest first, neighbours together.
    pub fn give_back_blocks(&mut self, count: usize) {
        let mut run: Option<(u32, u32)> = None;
        for _ in 0..count {
            let Some(block) = self.free.take_last() else { break };
            self.given_back.insert(block);
            self.resident_blocks -= 1;
            self.totals.returned += BLOCK_FOOTPRINT;
            run = match run {
                Some((first, end)) if block.0 + 1 == first => Some((block.0, end)),
                other => {
                    self.drop_run(other);
                    Some((block.0, block.0 + 1))
                }
            };
        }
        self.drop_run(run);
    }

    fn drop_run(&self, run: Option<(u32, u32)>) {
        let Some((first, end)) = run else { return };
        let blocks = (end - first) as usize;
        let address = self.geometry.block_address(BlockIndex(first));
        self.os.give_back(address, blocks * BLOCK);
        // Neighbours lie in one slab, because each slab starts with metadata blocks; so does their metadata.
        self.os.give_back(Geometry::metadata(address) as usize, blocks * BLOCK_GRANULES);
    }

    /// Hands out a block. `due_matters` is false right after a collection.
    pub fn take_block(&mut self, want: Want, due_matters: bool) -> Result<TakenBlock, Refusal> {
        if due_matters && self.allocated_since >= self.trigger {
            return Err(Refusal::Due);
        }
        let mut sweep_ns = 0;
        if want == Want::Hole && self.unswept.len() > 0 {
            let start = Instant::now();
            while let Some(block) = self.unswept.take_first() {
                let coverage = self.sweep(block);
                let free = coverage.free_granules();
                sweep_ns = start.elapsed().as_nanos() as u64;
                if free < DENSE_GRANULES {
                    self.dense.insert(block);
                } else {
                    self.totals.sweep_ns += sweep_ns;
                    self.allocated_since += (free * GRANULE) as u64;
                    let address = self.geometry.block_address(block);
                    return Ok(TakenBlock { address, coverage, zeroed: false, sweep_ns });
                }
            }
            self.totals.sweep_ns += sweep_ns;
        }
        let (address, zeroed) = match self.free.take_first() {
            Some(block) => (self.reopen(block), false),
            None => (self.take_fresh()?, true),
        };
        self.used.insert(self.geometry.block_of(address));
        self.allocated_since += BLOCK as u64;
        Ok(TakenBlock { address, coverage: Coverage::EMPTY, zeroed, sweep_ns })
    }

    /// Looks for the holes of a block and zeroes their metadata.
    fn sweep(&mut self, block: BlockIndex) -> Coverage {
        self.totals.swept_blocks += 1;
        // SAFETY: the block is not handed out, and the metadata of such blocks is written only under
        // this lock (I2).
        let metadata = unsafe { self.geometry.block_metadata_mut(block) };
        let coverage = Coverage::read(metadata, self.mark);
        coverage.clear_uncovered(metadata);
        coverage
    }

    fn reopen(&mut self, block: BlockIndex) -> usize {
        // SAFETY: a free block belongs to nobody, and this lock guards its metadata (I2).
        let metadata = unsafe { self.geometry.block_metadata_mut(block) };
        metadata.fill(0);
        let address = self.geometry.block_address(block);
        if self.poisoned {
            // SAFETY: the block is free, so no one else uses it.
            unsafe { poison::check(address, BLOCK) };
        }
        address
    }

    fn take_fresh(&mut self) -> Result<usize, Refusal> {
        self.make_room(BLOCK_FOOTPRINT)?;
        let block = match self.given_back.take_first() {
            Some(block) => block,
            None => self.take_untouched()?,
        };
        self.resident_blocks += 1;
        self.note_peak();
        Ok(self.geometry.block_address(block))
    }

    fn take_untouched(&mut self) -> Result<BlockIndex, Refusal> {
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
            let refused = |_| Refusal::Exhausted(Reason::System);
            self.os.commit(start, SLAB).map_err(refused)?;
            if self.huge_pages {
                self.os.prefer_huge_pages(start, SLAB);
            }
            self.committed_slabs = slab + 1;
        }
        self.fresh_top = block.0 + 1;
        Ok(block)
    }

    /// The moving mode has used up the address space: its oldest retired block becomes usable again.
    fn reuse_retired(&mut self) -> Result<BlockIndex, Refusal> {
        let block = self.retired.pop_front().ok_or(Refusal::Exhausted(Reason::AddressSpace))?;
        let address = self.geometry.block_address(block);
        let refused = |_| Refusal::Exhausted(Reason::System);
        self.os.unseal(address, BLOCK).map_err(refused)?;
        self.os.give_back(address, BLOCK);
        self.os.give_back(Geometry::metadata(address) as usize, BLOCK_GRANULES);
        Ok(block)
    }

    /// Hands out memory for a large object.
    pub fn take_large(
        &mut self,
        bytes: usize,
        due_matters: bool,
    ) -> Result<LargeAllocation, Refusal> {
        if due_matters && self.allocated_since.saturating_add(bytes as u64) > self.trigger {
            return Err(Refusal::Due);
        }
        let span = LargeSpace::span_bytes(bytes);
        self.make_room(span)?;
        match self.large.allocate(&self.os, bytes) {
            Ok(Some(allocation)) => {
                self.allocated_since += span;
                self.note_peak();
                Ok(allocation)
            }
            Ok(None) => Err(Refusal::Exhausted(Reason::AddressSpace)),
            Err(_) => Err(Refusal::Exhausted(Reason::System)),
        }
    }

    /// Notes that a thread collected because memory had run out, after `progress` bytes of allocation.
    /// True when this has become all that the program does: then it is better told that memory is out.
    pub fn note_stall(&mut self, progress: u64, collecting: Duration) -> bool {
        if progress > self.limit.unwrap_or(u64::MAX) / SPIRAL_PROGRESS {
            self.spiral = Spiral::default();
        }
        let spiral = &mut self.spiral;
        let since = *spiral.since.get_or_insert_with(|| Instant::now() - collecting);
        spiral.stalls += 1;
        spiral.collecting += collecting;
        spiral.stalls >= SPIRAL_STALLS && spiral.collecting * 10 > since.elapsed() * 9
    }

    /// Enters memory outside the heap into the ledger.
    pub fn charge(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.make_room(bytes)?;
        self.external += bytes;
        Ok(())
    }

    /// Takes memory outside the heap off the ledger.
    pub fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.external, "more released than was charged");
        self.external = self.external.saturating_sub(bytes);
    }

    /// Sweeps what nobody has swept since the last collection, so that no stale state survives until its
    /// value comes round again (I5).
    pub fn finish_sweep(&mut self) {
        let start = Instant::now();
        while let Some(block) = self.unswept.take_first() {
            self.sweep(block);
        }
        self.totals.sweep_ns += start.elapsed().as_nanos() as u64;
    }

    /// Moves on to the next mark and returns it.
    pub fn next_mark(&mut self) -> u8 {
        self.mark = self.mark % 3 + 1;
        self.mark
    }

    /// After marking: sorts the blocks by whether anything in them is live, and frees dead large objects.
    /// After a young collection, blocks that were dense still are.
    pub fn sort_blocks(&mut self, full: bool) {
        self.unswept = BlockSet::default();
        if full {
            self.dense = BlockSet::default();
        }
        for block in std::mem::take(&mut self.used).iter() {
            if self.geometry.touched(block) == self.mark {
                self.used.insert(block);
                if !self.dense.contains(block) {
                    self.unswept.insert(block);
                }
            } else {
                self.free.insert(block);
                self.geometry.touch(block, 0);
                if self.poisoned {
                    // SAFETY: nothing in the block is live.
                    unsafe { poison::fill(self.geometry.block_address(block), BLOCK) };
                }
            }
        }
        self.totals.returned += self.large.sweep(&self.os, self.mark);
    }

    /// In poison mode: fills all holes, once nothing will be put there any more before allocation.
    pub fn poison_holes(&mut self) {
        if !self.poisoned {
            return;
        }
        for block in self.unswept.iter() {
            // SAFETY: the block is not handed out, and this lock guards its metadata (I2).
            let metadata = unsafe { self.geometry.block_metadata(block) };
            let address = self.geometry.block_address(block);
            for (start, end) in Coverage::read(metadata, self.mark).holes() {
                // SAFETY: nothing live covers these granules (I4).
                unsafe { poison::fill(address + start * GRANULE, (end - start) * GRANULE) };
            }
        }
    }

    /// True when the last collection found the object at `address` live (or, for any other address, that
    /// nothing live starts there).
    pub fn is_marked(&self, address: usize) -> bool {
        if self.geometry.is_small(address) {
            // SAFETY: callers pass addresses of objects, whose slabs are committed.
            let byte = unsafe { *Geometry::metadata(address) };
            byte & crate::layout::meta::STATE == self.mark
        } else {
            self.large.mark_of(address) == Some(self.mark)
        }
    }

    /// True when `address` could be that of an object: aligned and in memory that has been handed out.
    pub fn is_plausible(&self, address: usize) -> bool {
        if !address.is_multiple_of(GRANULE) {
            false
        } else if self.geometry.is_small(address) {
            self.used.contains(self.geometry.block_of(address))
        } else {
            self.large.mark_of(address).is_some()
        }
    }

    /// Calls `visit` with the address of every object that the last collection found live.
    pub fn for_each_marked(&self, mut visit: impl FnMut(usize)) {
        for block in self.used.iter().filter(|b| self.geometry.touched(*b) == self.mark) {
            // SAFETY: marks change only during a collection, under this lock; a thread that fills the
            // block's holes does not write metadata (I2).
            let metadata = unsafe { self.geometry.block_metadata(block) };
            let address = self.geometry.block_address(block);
            for granule in live_starts(metadata, self.mark) {
                visit(address + granule * GRANULE);
            }
        }
        for (address, _) in self.large.marked(self.mark) {
            visit(address);
        }
    }

    /// For the moving mode: every used block, emptied into a list, so that none is allocated in.
    pub fn withdraw_blocks(&mut self) -> Vec<BlockIndex> {
        self.unswept = BlockSet::default();
        self.dense = BlockSet::default();
        let used = std::mem::take(&mut self.used);
        let free = std::mem::take(&mut self.free);
        self.resident_blocks -= (used.len() + free.len()) as u64;
        used.iter().chain(free.iter()).collect()
    }

    /// For the moving mode: a block of memory that was never used before, or not for the longest time.
    pub fn take_evacuation_block(&mut self) -> Result<BlockIndex, Refusal> {
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
        self.used.insert(block);
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
