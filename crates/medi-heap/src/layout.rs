//! Every offset, size and bit pattern of the heap, in one place.
//!
//! Rust code and the code generator both read this module, so a number that compiled code depends on
//! exists once. Nothing here allocates or decides; it only names. Sizes are in bytes unless the name says
//! otherwise. The object model follows Whippet's Nofl space: 16-byte granules with one metadata byte
//! each, found by masking an address down to its slab.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32};

use crate::mutator::Inner;

/// The unit of allocation: every object starts at a multiple of it and its size is rounded up to it.
pub const GRANULE: usize = 16;
/// The unit that a thread takes to allocate in.
pub const BLOCK: usize = 64 << 10;
/// Objects of this size and above live in page spans of their own.
pub const LARGE: usize = 8 << 10;
/// Arrays of references of this size and above are logged in segments.
pub const SEGMENTED: usize = 64 << 10;
/// The bytes of such an array that one log entry stands for: 64 references.
pub const SEGMENT: usize = 1 << SEGMENT_SHIFT;
/// The binary logarithm of [`SEGMENT`].
pub const SEGMENT_SHIFT: u32 = 9;
/// The unit that address space is put to use in; slabs are aligned to their size, so that a mask finds
/// an object's metadata.
pub const SLAB: usize = 4 << 20;
/// The operating system's page.
pub const PAGE: usize = 4096;

/// Granules in a block, which is also the bytes of metadata that a block has.
pub const BLOCK_GRANULES: usize = BLOCK / GRANULE;
/// Blocks in a slab, those that hold metadata included.
pub const SLAB_BLOCKS: usize = SLAB / BLOCK;
/// Blocks at the start of each slab that hold its metadata: one byte per granule of the whole slab.
pub const SLAB_META_BLOCKS: usize = SLAB / GRANULE / BLOCK;

/// Size of the header; the first field of a fixed object follows it.
pub const HEADER: usize = 8;
/// Offset of a `u16` that says how many elements an array has room for; see [`room_of`].
pub const ARRAY_ROOM: usize = 6;
/// Offset of an array's length, a `u64` of which the heap only writes what the array was made for.
pub const ARRAY_LEN: usize = 8;
/// Offset of an array's first element.
pub const ARRAY_DATA: usize = 16;
/// Offset of the colour byte in the header.
pub const COLOUR: usize = 4;
/// Offset of the first of the header's bytes, up to [`HEADER`], that belong to an object that is no array: the heap makes
/// them zero with the header, and does not touch them again.
pub const OWN: usize = 5;
/// Offset of the referent in a weak cell.
pub const WEAK_REFERENT: usize = 8;

/// Offset of the allocation cursor in [`MutatorWords`]: the address that the next object gets.
pub const CURSOR: usize = 0;
/// Offset of the allocation limit: an object fits when the cursor plus its size does not exceed it.
pub const LIMIT: usize = 8;
/// Offset of the header template: the colour bits in place; OR it with the type id.
pub const ALLOC_HEADER: usize = 16;
/// Offset of the word (`u64`) that holds [`SKIP`] in its lowest byte and [`POLL`] in its upper half. It equals a colour
/// exactly if a reference store into an object of that colour needs no slow path and no safepoint is due.
pub const CHECK: usize = 24;
/// Offset of the colour (`u8`) for which a reference store needs no slow path.
pub const SKIP: usize = 24;
/// Offset of the poll word (`u32`): when it is not zero, come to a safepoint. The heap owns bit 0, the
/// embedder may use the others for its own requests.
pub const POLL: usize = 28;
/// Offset of the byte that is not zero while what goes into slots outside of the heap, or out of them, is to be handed
/// over (I8).
pub const SHADING: usize = 48;
/// Offset of the word that, with an address shifted right by [`SEGMENT_SHIFT`] added, is the address of the colour byte
/// of the segment that the address lies in.
pub const SEGMENT_COLOURS: usize = 40;

/// The bit of the poll word that the heap raises.
pub const POLL_STOP: u32 = 1;

/// The colour that equals no object's: with it in [`SKIP`], every reference store takes the slow path.
pub const COLOUR_NONE: u8 = 0xff;
/// The colour of arrays of references that are logged by [`SEGMENT`]s; never that of an epoch.
pub const COLOUR_SEGMENTED: u8 = 0xfe;
/// The first colour of an epoch.
pub const COLOUR_FIRST: u8 = 1;
/// The last of the colours that epochs take one after the other.
pub(crate) const COLOUR_LAST: u8 = 0xfb;
/// The epochs between [`COLOUR_LAST`] and [`COLOUR_FIRST`] have these in turn (I8).
pub(crate) const RESTAMP_COLOURS: [u8; 2] = [0xfc, 0xfd];
/// The colour of an object whose colour is of no epoch.
pub(crate) const COLOUR_STALE: u8 = 0;

/// What freed memory is filled with in poison mode, byte by byte.
pub const POISON: u8 = 0xdb;

/// The bits of a granule's metadata byte.
pub(crate) mod meta {
    /// Which bits hold the mark state of the object that starts here; zero means none.
    pub const STATE: u8 = 0b0000_0111;
    /// The object that starts here holds no references, so marking need not touch it again.
    pub const NO_REFS: u8 = 0b0001_0000;
    /// An object ends with this granule.
    pub const END: u8 = 0b1000_0000;
}

/// The words that compiled code shares with the heap, one set for each thread.
///
/// The embedder puts them first in its per-thread context. Compiled code reads and writes the fields at
/// the offsets above; everyone else goes through [`crate::Mutator`].
#[repr(C, align(64))]
pub struct MutatorWords {
    pub(crate) cursor: Cell<usize>,
    pub(crate) limit: Cell<usize>,
    pub(crate) alloc_header: Cell<u64>,
    pub(crate) skip: AtomicU8,
    zero: [u8; 3],
    pub(crate) poll: AtomicU32,
    pub(crate) mutator: Cell<*mut Inner>,
    pub(crate) segment_colours: Cell<usize>,
    pub(crate) shading: AtomicU8,
    reserved: [u8; 15],
}

impl MutatorWords {
    /// Words that belong to no heap yet: nothing can be allocated through them until
    /// [`crate::Heap::attach`].
    pub const fn new() -> MutatorWords {
        MutatorWords {
            cursor: Cell::new(0),
            limit: Cell::new(0),
            alloc_header: Cell::new(0),
            skip: AtomicU8::new(COLOUR_FIRST),
            zero: [0; 3],
            poll: AtomicU32::new(0),
            mutator: Cell::new(ptr::null_mut()),
            segment_colours: Cell::new(0),
            shading: AtomicU8::new(0),
            reserved: [0; 15],
        }
    }

    /// The poll word, which other threads may read and raise bits in.
    pub fn poll(&self) -> &AtomicU32 {
        &self.poll
    }
}

impl Default for MutatorWords {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<MutatorWords>() == 64);
    assert!(offset_of!(MutatorWords, cursor) == CURSOR);
    assert!(offset_of!(MutatorWords, limit) == LIMIT);
    assert!(offset_of!(MutatorWords, alloc_header) == ALLOC_HEADER);
    assert!(offset_of!(MutatorWords, skip) == SKIP && SKIP == CHECK);
    assert!(offset_of!(MutatorWords, zero) == CHECK + 1);
    assert!(offset_of!(MutatorWords, poll) == POLL && POLL == CHECK + 4);
    assert!(cfg!(target_endian = "little"), "CHECK is one word of a byte and a half");
    assert!(offset_of!(MutatorWords, shading) == SHADING);
    assert!(offset_of!(MutatorWords, segment_colours) == SEGMENT_COLOURS);
    assert!(BLOCK_GRANULES == PAGE, "a block's metadata is one page, so it is touched alone");
    assert!(size_of::<usize>() == 8, "the object model needs 64-bit addresses");
};

/// The header word of a new object of type `ty`, given the thread's header template.
#[inline]
pub const fn header_word(template: u64, ty: u32) -> u64 {
    template | ty as u64
}

/// What an array's header has besides that of other objects.
#[inline]
pub const fn room_word(code: u16) -> u64 {
    (code as u64) << (ARRAY_ROOM * 8)
}

/// The header template that carries `colour`.
#[inline]
pub const fn header_template(colour: u8) -> u64 {
    (colour as u64) << (COLOUR * 8)
}

/// How many bits of a room's code are its digits; the others say how often they are doubled.
pub const ROOM_DIGITS: u32 = 11;
/// The largest room whose code is the room itself.
pub const ROOM_EXACT: usize = (1 << ROOM_DIGITS) - 1;

/// How many elements an array has room for, from the code in its header: a floating-point number without a sign, exact up
/// to [`ROOM_EXACT`].
#[inline]
pub const fn room_of(code: u16) -> usize {
    (code as usize & ROOM_EXACT) << (code >> ROOM_DIGITS)
}

/// The code of the smallest room for `len` elements, at most a thousandth more; `None` from 2^42 on.
#[inline]
pub const fn room_code(len: usize) -> Option<u16> {
    if len <= ROOM_EXACT {
        return Some(len as u16);
    }
    let doublings = usize::BITS - len.leading_zeros() - ROOM_DIGITS;
    let digits = len.div_ceil(1 << doublings);
    // Rounding up may carry into one digit more.
    let (digits, doublings) =
        if digits > ROOM_EXACT { (digits / 2, doublings + 1) } else { (digits, doublings) };
    if doublings < 32 { Some((doublings << ROOM_DIGITS) as u16 | digits as u16) } else { None }
}

/// `bytes` rounded up to whole granules, or `None` when that overflows.
#[inline]
pub const fn round_to_granule(bytes: usize) -> Option<usize> {
    match bytes.checked_add(GRANULE - 1) {
        Some(sum) => Some(sum & !(GRANULE - 1)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn room_is_enough_and_hardly_more(len in (0u32..42).prop_flat_map(|bits| 0usize..1 << bits)) {
            let room = room_of(room_code(len).unwrap());
            prop_assert!(room >= len && room - len <= len / 1000, "{room} for {len}");
            prop_assert_eq!(room_code(room), room_code(len));
        }
    }

    #[test]
    fn no_room_is_too_large_for_its_code() {
        let most = ROOM_EXACT << 31;
        assert_eq!(room_code(most).map(room_of), Some(most));
        assert_eq!(room_code(most + 1), None);
        assert_eq!(room_code(usize::MAX), None);
    }
}
