//! Which granules of a block live objects cover, read from the block's metadata alone.
//!
//! The marker leaves a start state on the first granule and an end bit on the last granule of each live
//! object (I4). Turning these into a bitmap of covered granules needs no loop over objects: in 64 granules
//! at a time, let `s` be the live starts and `e` the end bits. Adding `s` to `!e` makes each start carry
//! through the ones up to the nearest end, so `(!e + s) ^ !e` is exactly the spans, end granule included;
//! the carry out of one word enters the next. End bits of dead objects lie where no carry runs and have no
//! effect. The dead therefore cost nothing, and the live cost nothing each.
//!
//! The idea of mark bits at both ends, and of sweeping by metadata only, is Whippet's Nofl space; the
//! addition is that of parallel bit scanning in simdjson.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::layout::{BLOCK_GRANULES, GRANULE, meta};

/// Words of 64 granules in a block.
pub(crate) const WORDS: usize = BLOCK_GRANULES / 64;

/// One bit for each granule of a block, set where a live object lies.
#[derive(Clone)]
pub(crate) struct Coverage {
    words: [u64; WORDS],
}

impl Coverage {
    /// A block with nothing live in it.
    pub const EMPTY: Coverage = Coverage { words: [0; WORDS] };

    /// Computes the coverage of a block from its metadata, where `mark` is the state of live objects.
    pub fn read(metadata: &[u8; BLOCK_GRANULES], mark: u8) -> Coverage {
        let sixty_fours = metadata.as_chunks::<64>().0;
        Coverage::between(sixty_fours.iter().map(|bytes| starts_and_ends(bytes, mark)))
    }

    /// The same for a block in which any start is that of a live object, while the marker may be changing states:
    /// what is read here does not change (I2).
    pub fn read_swept(metadata: &[AtomicU8; BLOCK_GRANULES]) -> Coverage {
        let sixty_fours = metadata.as_chunks::<64>().0;
        Coverage::between(sixty_fours.iter().map(any_starts_and_ends))
    }

    /// What lies between the starts and the ends of 64 granules at a time.
    #[inline]
    fn between(starts_and_ends: impl Iterator<Item = (u64, u64)>) -> Coverage {
        let mut words = [0; WORDS];
        let mut carry = false;
        for (word, (starts, ends)) in words.iter_mut().zip(starts_and_ends) {
            let open = !ends;
            let (sum, over1) = open.overflowing_add(starts);
            let (sum, over2) = sum.overflowing_add(carry as u64);
            *word = sum ^ open;
            carry = over1 | over2;
        }
        debug_assert!(!carry, "a live object reaches over the end of its block");
        Coverage { words }
    }

    /// Zeroes the metadata of all granules that are not covered (I5).
    pub fn clear_uncovered(&self, metadata: &mut [u8; BLOCK_GRANULES]) {
        for (word, bytes) in self.words.iter().zip(metadata.as_chunks_mut::<64>().0) {
            match *word {
                0 => *bytes = [0; 64],
                u64::MAX => {}
                word => {
                    for (i, eight) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                        let kept = spread((word >> (8 * i)) as u8);
                        *eight = (u64::from_le_bytes(*eight) & kept).to_le_bytes();
                    }
                }
            }
        }
    }

    /// The same while a marker may be changing states of what is covered, and may look at what is not (I2).
    pub fn clear_uncovered_shared(&self, metadata: &[AtomicU8; BLOCK_GRANULES]) {
        for (start, end) in self.holes() {
            for byte in &metadata[start..end] {
                byte.store(0, Ordering::Relaxed);
            }
        }
    }

    /// How many granules are not covered.
    pub fn free_granules(&self) -> usize {
        self.words.iter().map(|word| word.count_zeros() as usize).sum()
    }

    /// Bytes that are not covered.
    pub fn free_bytes(&self) -> u64 {
        (self.free_granules() * GRANULE) as u64
    }

    /// The first hole at or after granule `from`: `(start, end)` in granules, `end` excluded.
    #[inline]
    pub fn hole(&self, from: usize) -> Option<(usize, usize)> {
        let start = self.next(from, |word| !word)?;
        let end = self.next(start, |word| word).unwrap_or(BLOCK_GRANULES);
        Some((start, end))
    }

    /// The first granule at or after `from` whose bit is set in the words as `view` sees them.
    #[inline]
    fn next(&self, from: usize, view: impl Fn(u64) -> u64) -> Option<usize> {
        let mut index = from / 64;
        let mut word = view(*self.words.get(index)?) & (!0 << (from % 64));
        while word == 0 {
            index += 1;
            word = view(*self.words.get(index)?);
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }

    /// All holes, in order.
    pub fn holes(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let hole = self.hole(from)?;
            from = hole.1;
            Some(hole)
        })
    }
}

/// The granules of a block where an object starts whose state is as `wanted` says, in order.
pub(crate) fn starts<'a>(
    metadata: &'a [AtomicU8; BLOCK_GRANULES],
    wanted: impl Fn(u8) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    let states = metadata.iter().map(|byte| byte.load(Ordering::Relaxed) & meta::STATE);
    states.enumerate().filter(move |(_, state)| *state != 0 && wanted(*state)).map(|(i, _)| i)
}

/// How many granules the object that starts at `first` covers, from its end bit; `None` when the block
/// ends first.
///
/// # Safety
/// `first` points at the metadata of a granule of a block, and the rest of the block's metadata is
/// readable.
#[inline]
pub(crate) unsafe fn marked_granules(
    first: *const AtomicU8,
    granules_left: usize,
) -> Option<usize> {
    // SAFETY: the caller vouches for the bytes.
    let ends = |i: &usize| unsafe { (*first.add(*i)).load(Ordering::Relaxed) } & meta::END != 0;
    (0..granules_left).find(ends).map(|i| i + 1)
}

/// The bits of `mask` as bytes: `0xff` for one, `0` for zero, lowest bit first.
#[inline]
fn spread(mask: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    // One bit of the mask in each byte, then that bit (whichever it is) to a one, then to 0xff.
    let chosen = (mask as u64 * LOW) & 0x8040_2010_0804_0201;
    (((chosen + 0x7f * LOW) >> 7) & LOW) * 0xff
}

/// Two bitmaps of 64 granules: where live objects start, and where any object ends.
#[cfg(target_arch = "x86_64")]
#[inline]
fn starts_and_ends(bytes: &[u8; 64], mark: u8) -> (u64, u64) {
    use std::arch::x86_64::*;
    let (mut starts, mut ends) = (0, 0);
    for (i, chunk) in bytes.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: SSE2 is part of x86-64; the load is unaligned and stays inside `chunk`.
        let (start, end) = unsafe {
            let v = _mm_loadu_si128(chunk.as_ptr().cast());
            let states = _mm_and_si128(v, _mm_set1_epi8(meta::STATE as i8));
            let live = _mm_cmpeq_epi8(states, _mm_set1_epi8(mark as i8));
            (_mm_movemask_epi8(live), _mm_movemask_epi8(v))
        };
        starts |= (start as u16 as u64) << (16 * i);
        ends |= (end as u16 as u64) << (16 * i);
    }
    (starts, ends)
}

#[cfg(not(target_arch = "x86_64"))]
use starts_and_ends_portably as starts_and_ends;

/// Two bitmaps of 64 granules: where any object starts, and where any ends. States may be changing from one to another.
#[cfg(target_arch = "x86_64")]
#[inline]
fn any_starts_and_ends(bytes: &[AtomicU8; 64]) -> (u64, u64) {
    use std::arch::asm;
    use std::arch::x86_64::*;
    let (mut starts, mut ends) = (0, 0);
    for (i, chunk) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let v: __m128i;
        // SAFETY: SSE2 is part of x86-64, and the load stays inside `chunk`. It stands for sixteen relaxed loads of a
        // byte each: the processor tears no byte.
        let (none, end) = unsafe {
            asm!("movdqu {v}, [{at}]", at = in(reg) chunk.as_ptr(), v = out(xmm_reg) v,
                options(pure, readonly, nostack, preserves_flags));
            let states = _mm_and_si128(v, _mm_set1_epi8(meta::STATE as i8));
            let none = _mm_cmpeq_epi8(states, _mm_setzero_si128());
            (_mm_movemask_epi8(none), _mm_movemask_epi8(v))
        };
        starts |= (!none as u16 as u64) << (16 * i);
        ends |= (end as u16 as u64) << (16 * i);
    }
    (starts, ends)
}

#[cfg(not(target_arch = "x86_64"))]
use any_starts_and_ends_portably as any_starts_and_ends;

/// The same, a byte at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn any_starts_and_ends_portably(bytes: &[AtomicU8; 64]) -> (u64, u64) {
    let (mut starts, mut ends) = (0, 0);
    for (i, byte) in bytes.iter().enumerate() {
        let byte = byte.load(Ordering::Relaxed);
        starts |= ((byte & meta::STATE != 0) as u64) << i;
        ends |= ((byte & meta::END != 0) as u64) << i;
    }
    (starts, ends)
}

/// The same, eight bytes at a time in plain registers.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn starts_and_ends_portably(bytes: &[u8; 64], mark: u8) -> (u64, u64) {
    const LOW: u64 = 0x0101_0101_0101_0101;
    // Gathers bit 0 of byte i into bit i: the products that land above bit 55 do not collide.
    let gather = |flags: u64| (flags.wrapping_mul(0x0102_0408_1020_4080)) >> 56;
    let (mut starts, mut ends) = (0, 0);
    for (i, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let v = u64::from_le_bytes(*eight);
        let difference = (v & (meta::STATE as u64 * LOW)) ^ (mark as u64 * LOW);
        let differs = ((difference + 0x7f * LOW) >> 7) & LOW;
        starts |= gather(differs ^ LOW) << (8 * i);
        ends |= gather((v >> 7) & LOW) << (8 * i);
    }
    (starts, ends)
}

const _: () = assert!(meta::END == 0x80, "the end bit is the sign bit that movemask gathers");
const _: () = assert!(GRANULE.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lays objects of the given (gap, granules, live) one after the other, as the marker would leave
    /// them, with stale states and ends on the dead; returns the metadata and what should be covered.
    fn build(objects: &[(usize, usize, bool)], mark: u8) -> ([u8; BLOCK_GRANULES], Vec<bool>) {
        let mut metadata = [0; BLOCK_GRANULES];
        let mut covered = vec![false; BLOCK_GRANULES];
        let mut at = 0;
        for &(gap, granules, live) in objects {
            at += gap;
            if at + granules > BLOCK_GRANULES {
                break;
            }
            metadata[at] |= if live { mark } else { mark % 3 + 1 };
            metadata[at + granules - 1] |= meta::END;
            covered[at..at + granules].fill(live);
            at += granules;
        }
        (metadata, covered)
    }

    proptest! {
        #[test]
        fn coverage_is_the_union_of_the_live_objects(
            objects in prop::collection::vec((0usize..70, 1usize..200, any::<bool>()), 0..400),
            mark in 1u8..=3,
        ) {
            let (mut metadata, covered) = build(&objects, mark);
            let coverage = Coverage::read(&metadata, mark);
            let bit = |i: usize| coverage.words[i / 64] >> (i % 64) & 1 == 1;
            prop_assert!((0..BLOCK_GRANULES).all(|i| bit(i) == covered[i]));
            prop_assert_eq!(coverage.free_granules(), covered.iter().filter(|c| !**c).count());

            let mut holes = vec![true; BLOCK_GRANULES];
            for (start, end) in coverage.holes() {
                prop_assert!(start < end);
                holes[start..end].fill(false);
            }
            prop_assert_eq!(&holes, &covered);

            let before = metadata;
            coverage.clear_uncovered(&mut metadata);
            for i in 0..BLOCK_GRANULES {
                prop_assert_eq!(metadata[i], if covered[i] { before[i] } else { 0 });
            }
            prop_assert!(Coverage::read(&metadata, mark).words == coverage.words);
            let shared = before.map(AtomicU8::new);
            coverage.clear_uncovered_shared(&shared);
            prop_assert_eq!(shared.map(AtomicU8::into_inner), metadata);
            let swept = metadata.map(AtomicU8::new);
            prop_assert!(Coverage::read_swept(&swept).words == coverage.words);
        }

        #[test]
        fn the_portable_reading_agrees_with_the_wide_one(bytes: [u8; 32], mark in 1u8..=3) {
            let mut sixty_four = [0; 64];
            sixty_four[..32].copy_from_slice(&bytes);
            sixty_four[32..].copy_from_slice(&bytes);
            prop_assert_eq!(
                starts_and_ends(&sixty_four, mark),
                starts_and_ends_portably(&sixty_four, mark)
            );
            let shared = sixty_four.map(AtomicU8::new);
            prop_assert_eq!(any_starts_and_ends(&shared), any_starts_and_ends_portably(&shared));
        }
    }

    #[test]
    fn a_full_block_has_no_hole_and_an_empty_one_has_one() {
        let (metadata, _) = build(&[(0, BLOCK_GRANULES, true)], 2);
        assert_eq!(Coverage::read(&metadata, 2).hole(0), None);
        assert_eq!(Coverage::EMPTY.hole(0), Some((0, BLOCK_GRANULES)));
        assert_eq!(Coverage::EMPTY.hole(BLOCK_GRANULES), None);
    }
}
