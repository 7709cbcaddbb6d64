//! What the heap asks of the runtime around it.

use crate::layout::MutatorWords;

/// The runtime that a heap serves: it knows where threads keep references outside the heap.
///
/// # Safety
/// `visit_stack` and `visit_roots` must call `visit` for every slot outside the heap, other than handles
/// and registered root ranges, that holds the address of a collected object and will be read again. A
/// slot that is visited holds zero or the address of an object of this heap, and may be written to (a
/// moving collection updates it).
pub unsafe trait Embedder: Send + Sync {
    /// Visits every root slot of a stopped mutator's stack: the frames of compiled code.
    ///
    /// # Safety
    /// The mutator that `words` belong to is stopped at a safepoint or in native state, or is the caller
    /// inside an allocation, and stays so until this returns.
    unsafe fn visit_stack(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize));

    /// Visits root slots that belong to no thread and have no registered range, for example references
    /// held in region memory. All mutators are stopped.
    ///
    /// # Safety
    /// As for `visit_stack`, for all mutators.
    unsafe fn visit_roots(&self, _visit: &mut dyn FnMut(*mut usize)) {}

    /// Where the mutator is allocating right now, as an id that means something to the embedder; 0 when
    /// unknown. Called on the mutator's own thread for sampled allocations.
    fn allocation_site(&self, words: *mut MutatorWords) -> u32;
}

/// The embedder of programs that keep all their references in handles, such as plain Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct HandlesOnly;

// SAFETY: whoever uses it keeps no references outside handles and root ranges; there are no frames.
unsafe impl Embedder for HandlesOnly {
    unsafe fn visit_stack(&self, _words: *mut MutatorWords, _visit: &mut dyn FnMut(*mut usize)) {}

    fn allocation_site(&self, _words: *mut MutatorWords) -> u32 {
        0
    }
}
