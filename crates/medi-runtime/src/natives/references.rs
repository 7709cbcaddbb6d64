//! Arrays whose elements hold references, as natives read and overwrite them.
//!
//! Such elements consist of whole words. Each word that is written was read once, whole, into a register: the
//! barrier is told of it, if it is a reference, and that same word is stored. So the collector knows every
//! reference that the array comes to hold, whatever another task does to either array meanwhile.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use medi_heap::{ObjectRef, layout};

use crate::call::Call;
use crate::value::Elements;

/// An array with references in its elements. Words are counted from the first element on.
#[derive(Clone, Copy)]
pub(super) struct ReferenceArray<'a> {
    call: Call,
    array: ObjectRef,
    /// Of each word of an element, whether it is a reference.
    references: &'a [bool],
}

impl<'a> ReferenceArray<'a> {
    /// `None` when the elements hold no references: those may be copied in any way.
    ///
    /// # Safety
    /// `array` is live, with such elements, until no use of this is left; no safepoint comes before that.
    pub unsafe fn new(call: Call, array: ObjectRef, elements: &'a Elements) -> Option<Self> {
        let references = &*elements.references;
        (!references.is_empty()).then_some(ReferenceArray { call, array, references })
    }

    /// The words of so many elements.
    fn words(&self, elements: Range<usize>) -> Range<usize> {
        elements.start * self.references.len()..elements.end * self.references.len()
    }

    /// # Safety
    /// The word is one of the array's.
    unsafe fn word(&self, index: usize) -> &'a AtomicUsize {
        // SAFETY: the caller's promise. Elements with references are words from the first on.
        unsafe { &*self.array.at::<AtomicUsize>(layout::ARRAY_DATA + 8 * index) }
    }

    /// # Safety
    /// As [`Self::word`].
    unsafe fn load(&self, index: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe { self.word(index).load(Ordering::Relaxed) }
    }

    /// Whether the collector must be told of stores. That changes by telling it, and at a safepoint.
    #[inline]
    fn needs_barrier(&self) -> bool {
        // SAFETY: the words of a running thread are valid, and the array is live.
        unsafe {
            let skip = self.call.context().cast::<u8>().add(layout::SKIP).cast::<AtomicU8>();
            self.array.colour() != (*skip).load(Ordering::Relaxed)
        }
    }

    /// Stores a word of an element; without `BARRIER`, the array needs none.
    ///
    /// # Safety
    /// As [`Self::word`]; `value` is a word of such an element.
    #[inline]
    unsafe fn store<const BARRIER: bool>(&self, index: usize, is_reference: bool, value: usize) {
        // SAFETY: the caller's promise; the store follows the barrier.
        unsafe {
            let slot = self.word(index);
            if BARRIER && is_reference && self.needs_barrier() {
                let mutator = self.call.mutator();
                mutator.write_barrier(self.array, slot.as_ptr().addr(), value);
            }
            slot.store(value, Ordering::Relaxed);
        }
    }

    /// Overwrites elements, the last one first when `backwards`, with what `value` gives for each word.
    ///
    /// # Safety
    /// The elements are in the array, and `value` gives words of such elements.
    #[inline]
    pub unsafe fn overwrite(
        &self,
        elements: Range<usize>,
        backwards: bool,
        value: impl Fn(usize) -> usize,
    ) {
        // SAFETY: the caller's promise, for all words.
        unsafe {
            if !self.needs_barrier() {
                let store = |index| self.store::<false>(index, true, value(index));
                let words = self.words(elements);
                if backwards {
                    words.rev().for_each(store)
                } else {
                    words.for_each(store)
                }
                return;
            }
            let store = |element| {
                for (index, is_reference) in self.words(element..element + 1).zip(self.references) {
                    self.store::<true>(index, *is_reference, value(index));
                }
            };
            if backwards { elements.rev().for_each(store) } else { elements.for_each(store) }
        }
    }

    /// Copies elements of `source`, an array of the same type, from `from` on to where `to` says; also within one
    /// array, with overlap.
    ///
    /// # Safety
    /// `source` is live, and both runs of elements are in their arrays.
    pub unsafe fn copy(&self, source: ObjectRef, from: usize, to: Range<usize>) {
        let source = ReferenceArray { array: source, ..*self };
        let backwards = source.array == self.array && from < to.start;
        let (first_from, first_to) = (self.words(from..from).start, self.words(to.clone()).start);
        // SAFETY: the caller's promise. Each word is read before another is stored over it.
        unsafe {
            self.overwrite(to, backwards, |index| source.load(index - first_to + first_from));
        }
    }

    /// # Safety
    /// The array has so many elements.
    pub unsafe fn reverse(&self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.needs_barrier() {
                true => self.swap_ends::<true>(count),
                false => self.swap_ends::<false>(count),
            }
        }
    }

    /// # Safety
    /// As [`Self::reverse`] and [`Self::store`].
    unsafe fn swap_ends<const BARRIER: bool>(&self, count: usize) {
        let width = self.references.len();
        for (word, is_reference) in self.references.iter().enumerate() {
            for element in 0..count / 2 {
                let (low, high) = (element * width + word, (count - 1 - element) * width + word);
                // SAFETY: the caller's promise, for both words.
                unsafe {
                    let (a, b) = (self.load(low), self.load(high));
                    self.store::<BARRIER>(low, *is_reference, b);
                    self.store::<BARRIER>(high, *is_reference, a);
                }
            }
        }
    }

    /// The words of the first elements.
    ///
    /// # Safety
    /// The array has so many elements.
    pub unsafe fn read(&self, count: usize) -> Vec<usize> {
        // SAFETY: the caller's promise.
        self.words(0..count).map(|index| unsafe { self.load(index) }).collect()
    }
}
