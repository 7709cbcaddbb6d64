//! Handles: how code that is not compiled by us holds on to objects.
//!
//! An owned [`Root`] keeps its object alive until dropped and may be kept anywhere, on any thread. A
//! [`Weak`] does not keep it alive and answers `None` afterwards. A [`Handle`] lives in a [`HandleScope`],
//! costs a push, and ends with the scope. All three are slots that a cycle visits, so they also
//! follow an object that the moving mode moves.
//!
//! The slots of owned handles belong to no thread's snapshot: the collector reads them one by one while any thread
//! changes them. So while a cycle marks, what goes into such a slot and what it held before are both handed over
//! to be marked (I8).

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::address::ObjectRef;
use crate::heap::HeapInner;
use crate::mutator::Mutator;

const CHUNK: usize = 64;
/// Chunks noted under one hold of the lock (I10).
const VISITED: usize = 4;

/// Arrays of slots whose addresses never change. Held by pointer, because a box that moves promises that
/// nobody else holds its address.
struct Chunks<T>(Vec<NonNull<[T; CHUNK]>>);

// SAFETY: it owns its slots.
unsafe impl<T: Send> Send for Chunks<T> {}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks(Vec::new())
    }
}

impl<T> Chunks<T> {
    fn push(&mut self, chunk: [T; CHUNK]) -> &[T; CHUNK] {
        let chunk = NonNull::from(Box::leak(Box::new(chunk)));
        self.0.push(chunk);
        // SAFETY: leaked above, and freed only with `self`.
        unsafe { chunk.as_ref() }
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn slot(&self, index: usize) -> &T {
        // SAFETY: the chunk was leaked in `push`, and is freed only with `self`.
        unsafe { &self.0[index / CHUNK].as_ref()[index % CHUNK] }
    }

    fn slots(&self) -> impl Iterator<Item = &T> {
        (0..self.len() * CHUNK).map(|index| self.slot(index))
    }
}

impl<T> Drop for Chunks<T> {
    fn drop(&mut self) {
        for chunk in &self.0 {
            // SAFETY: leaked in `push`, and freed once, here.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}

/// Slots with stable addresses that are taken and given back one at a time, from any thread.
pub(crate) struct HandleTable {
    slots: Mutex<Slots>,
    /// What the slots hold is kept alive.
    strong: bool,
}

#[derive(Default)]
struct Slots {
    chunks: Chunks<AtomicUsize>,
    unused: Vec<SlotPtr>,
}

/// The address of a slot in a chunk of a table.
#[derive(Clone, Copy)]
struct SlotPtr(*const AtomicUsize);

// SAFETY: the slot is atomic, and its chunk lives as long as the table.
unsafe impl Send for SlotPtr {}

impl HandleTable {
    pub fn new(strong: bool) -> HandleTable {
        HandleTable { slots: Mutex::default(), strong }
    }

    fn shade(&self, heap: &HeapInner, address: usize) {
        if self.strong {
            heap.shade(address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().expect("no panic while slots change hands")
    }

    /// A slot that holds what `object` says once the table is locked.
    fn take(&self, heap: &HeapInner, object: impl FnOnce() -> ObjectRef) -> SlotPtr {
        let mut slots = self.lock();
        if slots.unused.is_empty() {
            let Slots { chunks, unused } = &mut *slots;
            let chunk = chunks.push([const { AtomicUsize::new(0) }; CHUNK]);
            unused.extend(chunk.iter().rev().map(|slot| SlotPtr(slot)));
        }
        let slot = slots.unused.pop().expect("a chunk was added when there was none");
        let address = object().address();
        // SAFETY: the chunk lives as long as the table.
        unsafe { (*slot.0).store(address, Ordering::Relaxed) };
        self.shade(heap, address);
        slot
    }

    fn set(&self, heap: &HeapInner, slot: SlotPtr, object: ObjectRef) {
        let _slots = self.lock();
        // SAFETY: as in `take`.
        self.shade(heap, unsafe { (*slot.0).swap(object.address(), Ordering::Relaxed) });
        self.shade(heap, object.address());
    }

    fn give_back(&self, heap: &HeapInner, slot: SlotPtr) {
        let mut slots = self.lock();
        // SAFETY: as in `take`.
        self.shade(heap, unsafe { (*slot.0).swap(0, Ordering::Relaxed) });
        slots.unused.push(slot);
    }

    /// Notes the slots that are not zero of some chunks from `first` on; false when there are none left.
    fn note(&self, first: usize, noted: &mut Vec<(SlotPtr, usize)>) -> bool {
        let slots = self.lock();
        noted.clear();
        let to = (first + VISITED).min(slots.chunks.len());
        for slot in (first * CHUNK..to * CHUNK).map(|index| slots.chunks.slot(index)) {
            // Acquire: who finds a new object finds its block's birth (I9).
            let address = slot.load(Ordering::Acquire);
            if address != 0 {
                noted.push((SlotPtr(slot), address));
            }
        }
        first < to
    }

    /// Calls `f` with batches of slots and what they held just now. Threads may have the table meanwhile, and wait no
    /// longer than it takes to note a batch.
    fn for_each_batch(&self, mut f: impl FnMut(&[(SlotPtr, usize)])) {
        let mut noted = Vec::with_capacity(VISITED * CHUNK);
        let mut first = 0;
        while self.note(first, &mut noted) {
            f(&noted);
            first += VISITED;
        }
    }

    /// Visits what the slots hold. Slots that are taken, set or given back meanwhile are visited or not.
    pub fn for_each_address(&self, mut visit: impl FnMut(usize)) {
        self.for_each_batch(|noted| noted.iter().for_each(|(_, address)| visit(*address)));
    }

    /// Clears the slots that hold what is dead, which nobody can put into a slot any more.
    pub fn clear_dead(&self, is_dead: impl Fn(usize) -> bool) {
        let mut dead = Vec::with_capacity(VISITED * CHUNK);
        self.for_each_batch(|noted| {
            dead.extend(noted.iter().filter(|(_, address)| is_dead(*address)));
            if dead.is_empty() {
                return;
            }
            let _slots = self.lock();
            for (slot, address) in dead.drain(..) {
                // SAFETY: as in `take`.
                let slot = unsafe { &*slot.0 };
                // It may have been given back, and be another handle's by now.
                if slot.load(Ordering::Relaxed) == address {
                    slot.store(0, Ordering::Relaxed);
                }
            }
        });
    }

    /// Visits every slot that is not zero, while all threads are held.
    pub fn visit(&self, visit: &mut dyn FnMut(*mut usize)) {
        let slots = self.lock();
        for slot in slots.chunks.slots().filter(|slot| slot.load(Ordering::Relaxed) != 0) {
            visit(slot.as_ptr());
        }
    }

    /// Returns once whoever held the table's lock at the call has let go of it.
    pub fn pass(&self) {
        drop(self.lock());
    }
}

/// An owned handle: its object lives, and can be found, as long as the handle does.
pub struct Root {
    heap: Arc<HeapInner>,
    slot: SlotPtr,
}

// SAFETY: the slot is atomic, and taking and giving back are locked.
unsafe impl Sync for Root {}

impl Root {
    pub(crate) fn new(heap: &Arc<HeapInner>, object: ObjectRef) -> Root {
        Root { heap: Arc::clone(heap), slot: heap.roots.take(heap, || object) }
    }

    /// The object. Good until the calling thread's next safepoint, as any plain reference.
    pub fn get(&self) -> ObjectRef {
        // SAFETY: the slot lives as long as the table, which the heap owns.
        let address = unsafe { (*self.slot.0).load(Ordering::Relaxed) };
        ObjectRef::from_address(address).expect("a root is never nil")
    }

    /// Makes the handle hold `object` instead.
    pub fn set(&self, object: ObjectRef) {
        self.heap.roots.set(&self.heap, self.slot, object);
    }
}

impl Clone for Root {
    fn clone(&self) -> Root {
        Root { heap: Arc::clone(&self.heap), slot: self.heap.roots.take(&self.heap, || self.get()) }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.heap.roots.give_back(&self.heap, self.slot);
    }
}

/// A handle that does not keep its object alive.
pub struct Weak {
    heap: Arc<HeapInner>,
    slot: SlotPtr,
}

// SAFETY: as for `Root`.
unsafe impl Sync for Weak {}

impl Weak {
    pub(crate) fn new(heap: &Arc<HeapInner>, object: ObjectRef) -> Weak {
        Weak { heap: Arc::clone(heap), slot: heap.weaks.take(heap, || object) }
    }

    /// The object, or `None` when a cycle has found it dead. Good until the calling thread's next safepoint; of no
    /// use to a thread that is not a running mutator.
    pub fn get(&self) -> Option<ObjectRef> {
        // Under the lock, no cycle gets past clearing the slot while a thread that no cycle waits for is between
        // reading it and asking the gate.
        let _slots = self.heap.weaks.lock();
        // SAFETY: the slot lives as long as the table, which the heap owns.
        let address = unsafe { (*self.slot.0).load(Ordering::Relaxed) };
        self.heap.weak_gate.follow(&self.heap, address)
    }
}

impl Drop for Weak {
    fn drop(&mut self) {
        self.heap.weaks.give_back(&self.heap, self.slot);
    }
}

/// The scoped handles of one thread: a stack of slots with stable addresses.
#[derive(Default)]
pub(crate) struct HandleStack {
    chunks: UnsafeCell<Chunks<Cell<usize>>>,
    len: Cell<usize>,
}

impl HandleStack {
    fn push(&self, object: ObjectRef) -> *const Cell<usize> {
        let at = self.len.get();
        // SAFETY: only the owning thread, or a collector while it is stopped, gets here; no reference to
        // the vector outlives the statement that makes it.
        let chunks = unsafe { &mut *self.chunks.get() };
        if at / CHUNK == chunks.len() {
            chunks.push([const { Cell::new(0) }; CHUNK]);
        }
        let slot = chunks.slot(at);
        slot.set(object.address());
        self.len.set(at + 1);
        slot
    }

    /// Visits every slot in use.
    pub fn visit(&self, visit: &mut dyn FnMut(*mut usize)) {
        // SAFETY: as in `push`.
        let chunks = unsafe { &*self.chunks.get() };
        for slot in chunks.slots().take(self.len.get()) {
            visit(slot.as_ptr());
        }
    }
}

/// A stretch of code whose handles end with it; made by [`Mutator::scope`]. It is a mutator, too.
pub struct HandleScope<'s> {
    mutator: &'s mut Mutator,
    base: usize,
    brand: PhantomData<Cell<&'s ()>>,
}

/// A handle that lasts as long as its scope.
#[derive(Clone, Copy)]
pub struct Handle<'s> {
    slot: *const Cell<usize>,
    brand: PhantomData<Cell<&'s ()>>,
}

impl<'s> HandleScope<'s> {
    pub(crate) fn open(mutator: &'s mut Mutator) -> HandleScope<'s> {
        let base = mutator.inner().handles.len.get();
        HandleScope { mutator, base, brand: PhantomData }
    }

    /// Roots `object` until the scope ends.
    pub fn handle(&self, object: ObjectRef) -> Handle<'s> {
        Handle { slot: self.mutator.inner().handles.push(object), brand: PhantomData }
    }
}

impl Drop for HandleScope<'_> {
    fn drop(&mut self) {
        self.mutator.inner().handles.len.set(self.base);
    }
}

impl Deref for HandleScope<'_> {
    type Target = Mutator;
    fn deref(&self) -> &Mutator {
        self.mutator
    }
}

impl DerefMut for HandleScope<'_> {
    fn deref_mut(&mut self) -> &mut Mutator {
        self.mutator
    }
}

impl Handle<'_> {
    /// The object. Good until the next safepoint, as any plain reference.
    #[inline]
    pub fn get(self) -> ObjectRef {
        // SAFETY: the brand keeps the handle inside its scope, and the slot is the scope's until then.
        let address = unsafe { (*self.slot).get() };
        ObjectRef::from_address(address).expect("a handle is never nil")
    }

    /// Makes the handle hold `object` instead.
    #[inline]
    pub fn set(self, object: ObjectRef) {
        // SAFETY: as in `get`.
        unsafe { (*self.slot).set(object.address()) };
    }
}
