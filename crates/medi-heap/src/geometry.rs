//! Where things are: the division of the reserved range, and the way from an address to its metadata.
//!
//! The lower part of the range holds slabs of blocks for small objects, the upper part page spans for
//! large ones. Inside a slab an object's metadata byte is at `slab + offset / 16`: the first blocks of a
//! slab would describe themselves, so they hold the metadata instead.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::block_set::BlockIndex;
use crate::layout::{BLOCK, BLOCK_GRANULES, GRANULE, PAGE, SLAB, SLAB_BLOCKS, SLAB_META_BLOCKS};
use crate::os;

/// The division of a heap's reserved range. Never changes while the heap lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// First address of the slabs; aligned to a slab.
    pub small_base: usize,
    /// Bytes of slabs.
    pub small_bytes: usize,
    /// First address of the page spans.
    pub large_base: usize,
    /// Bytes of page spans.
    pub large_bytes: usize,
    /// For each block: the mark under which something in it was last found live.
    pub touched: *const AtomicU8,
    /// For each block: the number of the last flip that the thread had passed that took it last.
    pub born: *const AtomicU64,
}

// SAFETY: the tables live as long as the heap, and their entries are atomic.
unsafe impl Send for Geometry {}
// SAFETY: as above.
unsafe impl Sync for Geometry {}

impl Geometry {
    /// True when `address` lies in the slabs.
    #[inline]
    pub fn is_small(&self, address: usize) -> bool {
        address.wrapping_sub(self.small_base) < self.small_bytes
    }

    /// The block that a small address lies in.
    #[inline]
    pub fn block_of(&self, address: usize) -> BlockIndex {
        BlockIndex(((address - self.small_base) / BLOCK) as u32)
    }

    /// First address of a block.
    #[inline]
    pub fn block_address(&self, block: BlockIndex) -> usize {
        self.small_base + block.0 as usize * BLOCK
    }

    /// How many blocks the slabs have, those for metadata included.
    pub fn blocks(&self) -> u32 {
        (self.small_bytes / BLOCK) as u32
    }

    /// True when the block holds objects, not metadata.
    pub fn holds_objects(block: BlockIndex) -> bool {
        block.0 as usize % SLAB_BLOCKS >= SLAB_META_BLOCKS
    }

    /// The metadata byte of the granule at a small address.
    #[inline]
    pub fn metadata(address: usize) -> *mut AtomicU8 {
        let slab = address & !(SLAB - 1);
        (slab + (address & (SLAB - 1)) / GRANULE) as *mut AtomicU8
    }

    /// The metadata of a whole block. The marker may be changing states in it (I2).
    ///
    /// # Safety
    /// The block's slab is committed.
    pub unsafe fn block_metadata<'a>(&self, block: BlockIndex) -> &'a [AtomicU8; BLOCK_GRANULES] {
        // SAFETY: the bytes belong to the block (I1), and the caller vouches for the rest.
        unsafe { &*Self::metadata(self.block_address(block)).cast() }
    }

    /// The metadata of a whole block, to change.
    ///
    /// # Safety
    /// The block's slab is committed, and nobody else reads or writes the block's metadata while the
    /// reference lives.
    pub unsafe fn block_metadata_mut<'a>(&self, block: BlockIndex) -> &'a mut [u8; BLOCK_GRANULES] {
        // SAFETY: as above, exclusively.
        unsafe { &mut *Self::metadata(self.block_address(block)).cast() }
    }

    /// Gives neighbouring blocks back to the system, with their metadata. The caller has withdrawn them.
    pub fn give_back(&self, (first, end): (BlockIndex, BlockIndex)) {
        let blocks = (end.0 - first.0) as usize;
        let address = self.block_address(first);
        os::give_back(address, blocks * BLOCK);
        // Neighbours lie in one slab, because each slab starts with metadata blocks; so does their metadata.
        os::give_back(Self::metadata(address) as usize, blocks * BLOCK_GRANULES);
    }

    /// The mark under which something in the block was last found live; zero when nothing was.
    #[inline]
    pub fn touched(&self, block: BlockIndex) -> u8 {
        debug_assert!(block.0 < self.blocks());
        // SAFETY: the table has a byte for each block.
        unsafe { (*self.touched.add(block.0 as usize)).load(Ordering::Relaxed) }
    }

    /// Notes that something in the block is live under `mark`.
    #[inline]
    pub fn touch(&self, block: BlockIndex, mark: u8) {
        debug_assert!(block.0 < self.blocks());
        // SAFETY: the table has a byte for each block.
        unsafe { (*self.touched.add(block.0 as usize)).store(mark, Ordering::Relaxed) }
    }

    /// The number of the last flip that the thread had passed that took the block last.
    #[inline]
    pub fn born(&self, block: BlockIndex) -> u64 {
        debug_assert!(block.0 < self.blocks());
        // SAFETY: the table has an entry for each block.
        unsafe { (*self.born.add(block.0 as usize)).load(Ordering::Relaxed) }
    }

    /// Has the system find memory for the births of these blocks, so that no thread that takes one waits for it.
    pub fn expect_births(&self, first: BlockIndex, end: BlockIndex) {
        let address = |block: BlockIndex| {
            self.born as usize + block.0.min(self.blocks()) as usize * size_of::<AtomicU64>()
        };
        let (start, end) = (address(first) / PAGE * PAGE, address(end).next_multiple_of(PAGE));
        os::populate(start, end.saturating_sub(start));
    }

    /// Notes that a thread that has passed `flip` takes the block.
    #[inline]
    pub fn bear(&self, block: BlockIndex, flip: u64) {
        debug_assert!(block.0 < self.blocks());
        // SAFETY: the table has an entry for each block.
        unsafe { (*self.born.add(block.0 as usize)).store(flip, Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_different_granules_never_meets_objects_or_other_metadata() {
        let slab = 64 * SLAB;
        let first_object = slab + SLAB_META_BLOCKS * BLOCK;
        let last_object = slab + SLAB - GRANULE;
        assert_eq!(Geometry::metadata(first_object) as usize, slab + 16 * 1024);
        assert_eq!(Geometry::metadata(last_object) as usize, first_object - 1);
        assert_eq!(Geometry::metadata(slab + SLAB) as usize, slab + SLAB);
    }
}
