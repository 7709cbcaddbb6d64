//! The write barrier's slow path.
//!
//! A store of a reference comes here when the object's colour is not the thread's `skip` byte. In the idle phase
//! that is the first such store into the object in this epoch: it is noted for the remembered set. While a cycle
//! marks, what the object refers to is handed to the collector as well, because it belongs to the snapshot that the
//! cycle marks. Between a thread's first handshake of a cycle and its flip, other threads may have their stacks scanned
//! already, or not yet, so that no snapshot holds: each store then also hands over what it stores (I8). The whole is the sliding-view barrier of Azatchi, Levanoni, Paz and Petrank with
//! the logging of Levanoni and Petrank.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::address::ObjectRef;
use crate::delay::Point;
use crate::heap::HeapInner;
use crate::layout::{COLOUR_SEGMENTED, SEGMENT};
use crate::log::{Log, Written};
use crate::options::Plant;
use crate::types::TypeInfo;

/// Where a thread is in a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No cycle that marks concerns it.
    Idle,
    /// It has marked what it stores, because others may log for the next epoch soon: what one of them has read of an
    /// object, to log it, must not be overwritten with something that nobody is told of.
    Shading,
    /// It logs for the next epoch, has marked what it stores, and still allocates in the old epoch.
    Transition,
    /// It is in the new epoch, and marking may not be done.
    Marking,
}

/// The barrier of one thread.
pub(crate) struct Barrier {
    pub log: Log,
    pub phase: Cell<Phase>,
    /// The number of the flip whose epoch the log is of.
    pub flip: Cell<u64>,
    /// That epoch's colour.
    pub epoch: Cell<u8>,
    /// Slow paths taken. Written by the thread alone, read by statistics.
    pub slow_paths: AtomicU64,
    types: RefCell<Arc<Vec<TypeInfo>>>,
}

impl Barrier {
    pub fn new(heap: &HeapInner) -> Barrier {
        Barrier {
            log: Log::default(),
            phase: Cell::new(Phase::Idle),
            flip: Cell::new(0),
            epoch: Cell::new(0),
            slow_paths: AtomicU64::new(0),
            types: RefCell::new(heap.types.read()),
        }
    }

    /// # Safety
    /// `object` is live, `value` is what will be stored next into its reference slot at `slot`.
    pub unsafe fn slow_path(&self, heap: &HeapInner, object: ObjectRef, slot: usize, value: usize) {
        debug_assert!(
            // SAFETY: the caller vouches for the object.
            unsafe { self.with_type(heap, object, |info| info.size.size_of(object.address())) }
                > slot.wrapping_sub(object.address()),
            "{slot:#x} is no slot of {object:?}, into which {value:#x} goes"
        );
        let slow_paths = self.slow_paths.load(Ordering::Relaxed);
        self.slow_paths.store(slow_paths + 1, Ordering::Relaxed);
        // SAFETY: the caller vouches for the object.
        unsafe {
            let colour = object.colour();
            if colour == COLOUR_SEGMENTED {
                self.log_segment(heap, object, slot);
            } else if colour != self.epoch.get() {
                self.log_object(heap, object);
            }
        }
        let shades = matches!(self.phase.get(), Phase::Shading | Phase::Transition);
        if shades && heap.options.plant != Some(Plant::SkipShade) {
            self.log.shade(&heap.inbox, value);
        }
    }

    fn note(&self, heap: &HeapInner, written: Written) {
        let used = heap.options.young_cycles || heap.options.log_writes;
        if used && heap.options.plant != Some(Plant::SkipLog) {
            self.log.note(&heap.inbox, self.flip.get(), written);
        }
    }

    /// # Safety
    /// `object` is live.
    unsafe fn log_object(&self, heap: &HeapInner, object: ObjectRef) {
        // SAFETY: the caller vouches for the object.
        unsafe {
            if self.phase.get() != Phase::Idle {
                self.with_type(heap, object, |info| {
                    info.for_each_slot(object.address(), |slot| self.shade_old(heap, slot));
                });
            }
            heap.delays.at(Point::BarrierRead);
            self.note(heap, Written::Object(object.address()));
            object.set_colour(self.epoch.get());
            heap.delays.at(Point::BarrierPublished);
        }
    }

    /// # Safety
    /// `object` is a live array of [`COLOUR_SEGMENTED`], and `slot` lies in it.
    unsafe fn log_segment(&self, heap: &HeapInner, object: ObjectRef, slot: usize) {
        let spans = heap.spans;
        let page = spans.find(object.address()).expect("an array in segments has a span");
        let new = self.phase.get() != Phase::Transition && spans.born(page) == self.flip.get();
        let colour = spans.segment(slot);
        if colour.load(Ordering::Acquire) == self.epoch.get() {
            return;
        }
        if new {
            // So that compiled code need not ask again.
            colour.store(self.epoch.get(), Ordering::Relaxed);
            return;
        }
        let segment = slot & !(SEGMENT - 1);
        if self.phase.get() != Phase::Idle {
            // SAFETY: the caller vouches for the array.
            unsafe {
                self.with_type(heap, object, |info| {
                    let end = segment + SEGMENT;
                    info.for_each_slot_between(object.address(), segment, end, |slot| {
                        self.shade_old(heap, slot);
                    });
                });
            }
        }
        heap.delays.at(Point::BarrierRead);
        self.note(heap, Written::Segment { array: object.address(), segment });
        colour.store(self.epoch.get(), Ordering::Release);
        heap.delays.at(Point::BarrierPublished);
    }

    /// # Safety
    /// A reference slot is there.
    unsafe fn shade_old(&self, heap: &HeapInner, slot: *mut usize) {
        // SAFETY: slots are aligned words.
        let old = unsafe { (*slot.cast::<AtomicUsize>()).load(Ordering::Relaxed) };
        self.log.shade(&heap.inbox, old);
    }

    /// # Safety
    /// `object` is live.
    unsafe fn with_type<R>(
        &self,
        heap: &HeapInner,
        object: ObjectRef,
        f: impl FnOnce(&TypeInfo) -> R,
    ) -> R {
        // SAFETY: the caller vouches for the object.
        let ty = unsafe { object.type_id() }.0 as usize;
        let mut types = self.types.borrow_mut();
        if ty >= types.len() {
            *types = heap.types.read();
        }
        f(&types[ty])
    }

    /// True when a large object of this type is logged by segments.
    pub fn has_references(&self, heap: &HeapInner, ty: u32) -> bool {
        let mut types = self.types.borrow_mut();
        if ty as usize >= types.len() {
            *types = heap.types.read();
        }
        types[ty as usize].has_references()
    }
}
