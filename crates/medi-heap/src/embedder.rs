//! What the heap asks of the runtime around it.

use crate::layout::MutatorWords;

/// Told of a slot, the number of its frame, and what the slot is called.
pub type VisitNamed<'a> = dyn FnMut(*mut usize, usize, &dyn Fn() -> String) + 'a;

/// The runtime that a heap serves: it knows where threads keep references outside the heap.
///
/// # Safety
/// `visit_stack` must call `visit` for every slot outside the heap, other than handles and registered root ranges,
/// that holds the address of a collected object and will be read again. A slot that is visited holds zero or the
/// address of an object of this heap, and may be written to (the moving mode updates it). Only the thread itself
/// may write such a slot.
///
/// Slots that `visit_youngest` leaves out keep what they hold until `visit_older` has visited them, or until their thread
/// has handed over what they hold by [`crate::Mutator::shade`].
pub unsafe trait Embedder: Send + Sync {
    /// Visits every root slot of a mutator's stack: the frames of compiled code. Called on the mutator's own thread,
    /// or on the collector's while the mutator is in native state.
    ///
    /// # Safety
    /// The mutator that `words` belong to is at a safepoint or in native state, or inside an allocation, and stays so
    /// until this returns.
    unsafe fn visit_stack(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize));

    /// As `visit_stack`, from the innermost frame to the outermost, with the number of the slot's frame and what the slot is
    /// called, for reports. Called while all threads are held.
    ///
    /// # Safety
    /// As for `visit_stack`.
    unsafe fn visit_named_stack(&self, words: *mut MutatorWords, visit: &mut VisitNamed) {
        // SAFETY: passed on.
        unsafe { self.visit_stack(words, &mut |slot| visit(slot, 0, &|| String::from("a stack"))) };
    }

    /// Visits those root slots of a mutator's stack that may change as soon as it runs on, and leaves the others to
    /// `visit_older`. Called as `visit_stack` is, once in a cycle: what a stack holds may be without bounds, and the
    /// thread waits for this.
    ///
    /// # Safety
    /// As for `visit_stack`; since the last call `visit_older` has said that nothing is left, or the stack is empty.
    unsafe fn visit_youngest(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize)) {
        // SAFETY: passed on.
        unsafe { self.visit_stack(words, visit) };
    }

    /// Visits some of the slots that `visit_youngest` has left out; whether there are more. Called on the collector's thread,
    /// while the mutator runs.
    ///
    /// # Safety
    /// The mutator is attached, and stays so until this returns.
    unsafe fn visit_older(
        &self,
        _words: *mut MutatorWords,
        _visit: &mut dyn FnMut(*mut usize),
    ) -> bool {
        false
    }

    /// Where the mutator is allocating right now, as an id that means something to the embedder; 0 when
    /// unknown. Called on the mutator's own thread for sampled allocations.
    fn allocation_site(&self, words: *mut MutatorWords) -> u32;
}

/// Objects outside the heap that refer to collected ones, such as those of regions that end as a whole.
///
/// # Safety
/// Each run of memory that is visited holds objects of types that the heap knows, one after the other, with headers
/// and sizes as in the heap. Whoever changes a reference in one of them, or ends one, while [`crate::layout::SHADING`] is not
/// zero, has the collector mark what was there and what will be there, by [`crate::Heap::shade`]. Slots may be written to
/// while all threads are held (the moving mode updates them).
pub unsafe trait Outside: Send + Sync {
    /// Calls `visit` with start and end of each run. Called on the collector's thread while others run.
    fn visit(&self, visit: &mut dyn FnMut(usize, usize));
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
