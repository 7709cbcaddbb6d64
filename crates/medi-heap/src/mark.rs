//! Finding everything that can be reached.
//!
//! Marking keeps its own stack, so deep structures cannot overflow the thread's, and passes every
//! reference through a short ring of prefetches before it looks at the object: a dependent miss costs
//! hundreds of nanoseconds, several in flight cost little each (the OCaml 5 marker works this way). Large
//! reference arrays are marked in pieces, taken up only when the stack is empty, so that one array cannot
//! make the stack as large as itself.
//!
//! For each live object the marker writes the start state, and on the object's first collection the end
//! bit (I4). An object without references is noted as such in its metadata byte, and later cycles do not
//! touch the object at all.

use crate::coverage::marked_granules;
use crate::geometry::Geometry;
use crate::large::LargeSpace;
use crate::layout::{ARRAY_DATA, ARRAY_LEN, BLOCK, GRANULE, WEAK_REFERENT, meta};
use crate::options::Plant;
use crate::types::{SizeRule, Tracing, TypeInfo};

/// How many references are on their way from memory at a time.
const RING: usize = 16;
/// Elements of a reference array that are marked before other work gets a turn.
const PIECE: usize = 512;

/// The rest of an array that is being marked in pieces.
struct Piece {
    array: usize,
    next: usize,
}

/// What marking found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marked {
    pub objects: u64,
    /// Bytes of live objects, in whole granules.
    pub bytes: u64,
}

/// One marking.
pub(crate) struct Marker<'a> {
    types: &'a [TypeInfo],
    geometry: Geometry,
    large: &'a mut LargeSpace,
    mark: u8,
    stack: Vec<usize>,
    pieces: Vec<Piece>,
    weak_cells: Vec<usize>,
    marked: Marked,
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
    pub fn new(
        types: &'a [TypeInfo],
        geometry: Geometry,
        large: &'a mut LargeSpace,
        mark: u8,
        plant: Option<Plant>,
    ) -> Marker<'a> {
        Marker {
            types,
            geometry,
            large,
            mark,
            stack: Vec::new(),
            pieces: Vec::new(),
            weak_cells: Vec::new(),
            marked: Marked::default(),
            plant,
        }
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

    /// Marks everything that the roots reach.
    ///
    /// # Safety
    /// All mutators are stopped, and every root added, as every reference slot reachable from them, holds
    /// the address of an object of this heap.
    pub unsafe fn drain(&mut self) {
        let mut ring = [0usize; RING];
        let mut at = 0;
        let mut empty = 0;
        loop {
            match self.stack.pop() {
                Some(address) => {
                    prefetch(address);
                    if self.geometry.is_small(address) {
                        prefetch(Geometry::metadata(address) as usize);
                    }
                    at = (at + 1) % RING;
                    let ready = std::mem::replace(&mut ring[at], address);
                    empty = 0;
                    if ready != 0 {
                        // SAFETY: the caller vouches for every reference.
                        unsafe { self.visit(ready) };
                    }
                }
                None if empty < RING => {
                    at = (at + 1) % RING;
                    empty += 1;
                    let ready = std::mem::take(&mut ring[at]);
                    if ready != 0 {
                        // SAFETY: as above.
                        unsafe { self.visit(ready) };
                    }
                }
                None => match self.pieces.pop() {
                    Some(piece) => {
                        empty = 0;
                        // SAFETY: a piece is the rest of a live array.
                        unsafe { self.scan_piece(piece) };
                    }
                    None => return,
                },
            }
        }
    }

    /// # Safety
    /// As for `drain`, with `address` one of the references.
    #[inline]
    unsafe fn visit(&mut self, address: usize) {
        if self.geometry.is_small(address) {
            let metadata = Geometry::metadata(address);
            // SAFETY: the address is an object's, so its slab is committed; only the marker writes
            // metadata while all mutators are stopped (I2).
            let old = unsafe { *metadata };
            if old & meta::STATE == self.mark {
                return;
            }
            // SAFETY: as above.
            unsafe { *metadata = old & !meta::STATE | self.mark };
            self.geometry.touch(self.geometry.block_of(address), self.mark);
            self.marked.objects += 1;
            if old & meta::NO_REFS != 0 {
                let left = (BLOCK - address % BLOCK) / GRANULE;
                // SAFETY: the metadata from here to the end of the block is one run.
                let granules = unsafe { marked_granules(metadata, left) };
                self.marked.bytes += (granules.unwrap_or(1) * GRANULE) as u64;
                return;
            }
            // SAFETY: the object is live.
            let info = unsafe { self.type_of(address) };
            // SAFETY: as above.
            let bytes = unsafe { info.size.size_of(address) };
            self.marked.bytes += bytes as u64;
            if old & meta::STATE == 0 {
                let last = bytes / GRANULE - 1;
                let leaf = if matches!(info.tracing, Tracing::None) { meta::NO_REFS } else { 0 };
                let end = if self.plant == Some(Plant::SkipEnd) { 0 } else { meta::END };
                // SAFETY: the object's granules are its own, and those after the first have no state.
                unsafe {
                    *metadata |= leaf;
                    *metadata.add(last) |= end;
                }
            }
            // SAFETY: the object is live and of this type.
            unsafe { self.scan(address, info) };
        } else {
            match self.large.mark(address, self.mark) {
                Some(true) => {
                    self.marked.objects += 1;
                    // SAFETY: a large object is live here.
                    let info = unsafe { self.type_of(address) };
                    // SAFETY: as above.
                    self.marked.bytes += unsafe { info.size.size_of(address) } as u64;
                    // SAFETY: as above.
                    unsafe { self.scan(address, info) };
                }
                Some(false) => {}
                None => panic!(
                    "heap corrupted: {address:#x} was found in a reference slot, but no object is there"
                ),
            }
        }
    }

    /// # Safety
    /// A live object is at `address`.
    #[inline]
    unsafe fn type_of(&self, address: usize) -> &'a TypeInfo {
        // SAFETY: a live object starts with its type.
        let ty = unsafe { *(address as *const u32) };
        match self.types.get(ty as usize) {
            Some(info) => info,
            None => panic!("heap corrupted: the object at {address:#x} has the unknown type {ty}"),
        }
    }

    /// # Safety
    /// A live object with the layout `info` is at `address`.
    #[inline]
    unsafe fn scan(&mut self, address: usize, info: &'a TypeInfo) {
        match &info.tracing {
            Tracing::None => {}
            Tracing::Words(bits) => {
                let mut bits = *bits;
                if self.plant == Some(Plant::SkipField) {
                    bits &= !(1 << bits.ilog2());
                }
                while bits != 0 {
                    let slot = address + 8 * bits.trailing_zeros() as usize;
                    // SAFETY: the layout says that a reference is here.
                    self.push(unsafe { *(slot as *const usize) });
                    bits &= bits - 1;
                }
            }
            Tracing::Offsets(offsets) => {
                for offset in offsets {
                    // SAFETY: the layout says that a reference is here.
                    self.push(unsafe { *((address + *offset as usize) as *const usize) });
                }
            }
            Tracing::RefArray | Tracing::Elements(_) => {
                // SAFETY: the piece is the whole of a live array.
                unsafe { self.scan_piece(Piece { array: address, next: 0 }) };
            }
            Tracing::Weak => self.weak_cells.push(address),
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
        let Piece { array, next } = piece;
        // SAFETY: the caller says that a live array is here.
        let (info, len) = unsafe { (self.type_of(array), *((array + ARRAY_LEN) as *const usize)) };
        let end = len.min(next + PIECE);
        if end < len {
            self.pieces.push(Piece { array, next: end });
        }
        let SizeRule::PerElement(elem_size) = info.size else { unreachable!("an array") };
        let offsets: &[u32] = match &info.tracing {
            Tracing::Elements(offsets) => offsets,
            _ => &[0],
        };
        for i in next..end {
            let element = array + ARRAY_DATA + i * elem_size as usize;
            for offset in offsets {
                // SAFETY: the layout says that a reference is here.
                self.push(unsafe { *((element + *offset as usize) as *const usize) });
            }
        }
    }

    /// What was marked, and the weak cells among it, whose referents have not been looked at.
    pub fn finish(self) -> (Marked, Vec<usize>) {
        (self.marked, self.weak_cells)
    }
}

/// The slot of a weak cell that holds its referent.
#[inline]
pub(crate) fn weak_slot(cell: usize) -> *mut usize {
    (cell + WEAK_REFERENT) as *mut usize
}
