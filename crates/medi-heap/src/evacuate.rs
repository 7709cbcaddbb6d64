//! The moving mode, for tests: every live object goes to fresh memory at every collection.
//!
//! The heap does not move objects in ordinary use. Here it moves all of them, updates every slot that it
//! was told of, and makes the old memory inaccessible. A root that nobody reported, or a reference kept
//! across a safepoint, then faults at its next use instead of going unnoticed until its object dies.
//! It runs after an ordinary marking, so that is under test as well.

use std::ptr;

use crate::geometry::Geometry;
use crate::heap::{AddressMap, HeapInner};
use crate::layout::{BLOCK, GRANULE, LARGE, meta};
use crate::mark::weak_slot;
use crate::space::Space;
use crate::types::{Tracing, TypeInfo};
use crate::verify::for_each_root;

/// Copies every marked object and updates all references.
///
/// # Safety
/// All threads have been held since before the cycle, marking is done and weak references are cleared.
pub(crate) unsafe fn evacuate(heap: &HeapInner, space: &mut Space, types: &[TypeInfo]) {
    let mut live = Vec::new();
    space.for_each_marked(|address| live.push(address));
    let old_blocks = space.withdraw_blocks();
    let mut target = Target::default();
    let mut moved: AddressMap<usize> = AddressMap::with_capacity(live.len());
    for &old in &live {
        // SAFETY: the object is marked, so it is live.
        let info = unsafe { &types[*(old as *const u32) as usize] };
        // SAFETY: as above.
        let bytes = unsafe { info.size.size_of(old) };
        let new = target.allocate(space, bytes, matches!(info.tracing, Tracing::None));
        // SAFETY: both ranges are `bytes` long, and the new one was free.
        unsafe { ptr::copy_nonoverlapping(old as *const u8, new as *mut u8, bytes) };
        moved.insert(old, new);
    }

    let arrived: std::collections::HashSet<usize> = moved.values().copied().collect();
    let mut update = |slot: *mut usize| {
        // SAFETY: the slot was reported as a root, or belongs to a live object.
        let slot = unsafe { &mut *slot };
        if *slot == 0 {
            return;
        }
        match moved.get(slot) {
            Some(new) => *slot = *new,
            // A slot that two frames report is updated once.
            None => assert!(
                arrived.contains(slot),
                "heap corrupted: a slot holds {:#x}, which marking did not find",
                *slot
            ),
        }
    };
    // SAFETY: all threads are held.
    unsafe { for_each_root(heap, types, &mut update) };
    heap.weaks.visit(&mut update);
    heap.cleaners.for_each_address(&mut update);
    for new in moved.values() {
        // SAFETY: a copy of a live object is here.
        unsafe {
            let info = &types[*(*new as *const u32) as usize];
            info.for_each_slot(*new, &mut update);
            if matches!(info.tracing, Tracing::Weak) {
                update(weak_slot(*new));
            }
        }
    }
    for sample in heap.samples.lock().expect("no panic while samples change").iter_mut() {
        sample.address = moved[&sample.address];
    }

    for &old in live.iter().filter(|old| !space.geometry.is_small(**old)) {
        space.large.retire(&space.os, old);
    }
    space.retire_blocks(old_blocks);
}

/// Where objects go.
#[derive(Default)]
struct Target {
    cursor: usize,
    end: usize,
}

impl Target {
    /// Memory for an object, with the metadata that marking would have left.
    fn allocate(&mut self, space: &mut Space, bytes: usize, leaf: bool) -> usize {
        if bytes >= LARGE {
            let memory = match space.large.allocate(&space.os, bytes, 0) {
                Ok(Some(memory)) => memory,
                Ok(None) => {
                    panic!("the moving mode has no address space left; use a larger reserve")
                }
                Err(error) => panic!("the moving mode got no memory: {error}"),
            };
            let page = space.large.spans.find(memory.address).expect("the span was just made");
            space.large.spans.set_mark(page, space.mark);
            return memory.address;
        }
        if self.cursor + bytes > self.end {
            let block = space.take_evacuation_block().unwrap_or_else(|refusal| {
                panic!("the moving mode got no memory ({refusal:?}); use a larger reserve")
            });
            space.geometry.bear(block, 0);
            self.cursor = space.geometry.block_address(block);
            self.end = self.cursor + BLOCK;
            space.adopt_block(block);
        }
        let address = self.cursor;
        self.cursor += bytes;
        let first = Geometry::metadata(address);
        // SAFETY: the block is fresh, and its metadata is guarded by the space's lock (I2).
        unsafe {
            *first.cast::<u8>() = space.mark | if leaf { meta::NO_REFS } else { 0 };
            *first.cast::<u8>().add(bytes / GRANULE - 1) |= meta::END;
        }
        address
    }
}
