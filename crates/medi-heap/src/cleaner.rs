//! Cleaners: how a program gets to know that an object has died, and releases what belongs to it.
//!
//! An object is registered with a *payload*: a value of the program's own that says what is to be done once the object
//! is dead, such as which file to close. When a cycle has found the object dead, the payload goes to the queue's ready
//! list, and whoever takes it from there, on a thread and at a time of the program's choosing, does with it what it
//! likes: allocate, wait for locks, fail. The collector runs and drops nothing of the program's. As the payload is
//! detached from the object there is no resurrection: what is ready is about something that is gone. The idea is that
//! of guardians (Dybvig, Bruggeman and Eby 1993) and of Java's `Cleaner`.
//!
//! A payload that holds a [`Root`](crate::Root) to its own object keeps that alive for ever, as does one that holds
//! another object from which it can be reached.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use crate::address::ObjectRef;
use crate::cleaner_table::{Counts, Table};
use crate::heap::{Heap, HeapInner};
use crate::liveness::{Life, Liveness};
use crate::mutator::Mutator;
use crate::options::Plant;

/// A queue of the payloads of objects that have died. Cloning gives the same queue.
///
/// When the heap goes, all of its objects are gone, and what is still registered becomes ready. When the last clone of
/// a queue goes, the payloads that are left in it, registered and ready ones, are dropped by the thread that drops
/// the clone.
///
/// ```
/// use std::sync::Arc;
/// use medi_heap::{CleanerQueue, HandlesOnly, Heap, Options, TypeLayout, layout::MutatorWords};
///
/// let heap = Heap::new(Options::default(), Arc::new(HandlesOnly))?;
/// let file = heap.register(TypeLayout::fixed("File", 16, &[]));
/// let mut words = MutatorWords::new();
/// // SAFETY: the words outlive the mutator and belong to it alone.
/// let mut mutator = unsafe { heap.attach(&raw mut words) };
/// let to_close = CleanerQueue::new(&heap);
/// let object = mutator.alloc_fixed(file)?;
/// to_close.register(&mutator, object, "file 3");
/// assert_eq!(to_close.poll(), None);
/// mutator.collect();
/// assert_eq!(to_close.poll(), Some("file 3"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct CleanerQueue<T: Send + 'static>(Arc<Owner<T>>);

struct Owner<T: Send> {
    heap: Weak<HeapInner>,
    table: Arc<Table<T>>,
}

impl<T: Send> Drop for Owner<T> {
    fn drop(&mut self) {
        // Here, since the collector may be the last to let go of the table.
        drop(self.table.abandon());
    }
}

impl<T: Send> Clone for CleanerQueue<T> {
    fn clone(&self) -> Self {
        CleanerQueue(Arc::clone(&self.0))
    }
}

impl<T: Send> CleanerQueue<T> {
    /// Makes a queue for objects of `heap`. A program has one for each kind of thing that it cleans up, not one for
    /// each object.
    pub fn new(heap: &Heap) -> CleanerQueue<T> {
        let heap = heap.inner();
        let table = Arc::new(Table::new(Arc::clone(&heap.cleaners.counts)));
        let watched: Weak<Table<T>> = Arc::downgrade(&table);
        heap.cleaners.add(watched);
        CleanerQueue(Arc::new(Owner { heap: Arc::downgrade(heap), table }))
    }

    /// Has the queue give `payload` out when `object` has died. An object may be registered several times, with this
    /// queue and others; each gives its payload, in no particular order.
    ///
    /// # Panics
    /// When the mutator is of another heap than the queue.
    pub fn register(&self, mutator: &Mutator, object: ObjectRef, payload: T) -> Cleaner<T> {
        let Owner { heap, table } = &*self.0;
        assert!(
            std::ptr::eq(heap.as_ptr(), Arc::as_ptr(&mutator.inner().heap)),
            "the object is of another heap than the cleaner queue"
        );
        // The object is in the hands of a running thread. If a cycle is past the closing of the gate, it is marked or
        // new (I13) and stays registered; if not, it is decided upon as any other.
        let (index, key) = table.add(object.address(), payload);
        Cleaner { table: Arc::clone(table), index, key }
    }

    /// The payload that has been ready for longest, if one is. Any thread may ask, also one in native state.
    pub fn poll(&self) -> Option<T> {
        self.0.table.take_ready()
    }

    /// The payload that has been ready for longest; waits for one in native state. `None`: the queue was closed and
    /// nothing is ready.
    ///
    /// Waiting does not make the collector run: what nobody refers to any more is found dead by the next cycle that
    /// looks at it.
    pub fn take(&self, mutator: &mut Mutator) -> Option<T> {
        self.poll().or_else(|| self.wait(mutator, None))
    }

    /// As [`CleanerQueue::take`]; `None` also when nothing became ready for so long.
    pub fn take_timeout(&self, mutator: &mut Mutator, timeout: Duration) -> Option<T> {
        self.poll().or_else(|| self.wait(mutator, Some(timeout)))
    }

    fn wait(&self, mutator: &mut Mutator, timeout: Option<Duration>) -> Option<T> {
        mutator.enter_native();
        let payload = self.0.table.wait(timeout);
        mutator.leave_native();
        payload
    }

    /// Ends all waiting, now and later: threads in [`CleanerQueue::take`] get what is ready, and then `None`. All else
    /// stays as it is.
    pub fn close(&self) {
        self.0.table.close();
    }
}

/// Names a registration, to take it back. Dropping it changes nothing.
pub struct Cleaner<T> {
    table: Arc<Table<T>>,
    index: u32,
    key: u64,
}

impl<T> Cleaner<T> {
    /// Takes the registration back, for who has cleaned up early. `None` when that has been done before or a cycle has
    /// found the object dead: each payload is given out once, here or by the queue.
    pub fn cancel(&self) -> Option<T> {
        self.table.cancel(self.index, self.key)
    }
}

/// A queue as the collector sees it.
trait Watched: Send + Sync {
    fn visit(&self, life: &dyn Fn(usize) -> Life, full: bool, keep: bool);
    fn for_each_address(&self, visit: &mut dyn FnMut(*mut usize));
    fn for_each_dead(&self, visit: &mut dyn FnMut(usize));
    fn close(&self);
}

impl<T: Send> Watched for Table<T> {
    fn visit(&self, life: &dyn Fn(usize) -> Life, full: bool, keep: bool) {
        self.visit(life, full, keep);
    }

    fn for_each_address(&self, visit: &mut dyn FnMut(*mut usize)) {
        self.for_each_address(visit);
    }

    fn for_each_dead(&self, visit: &mut dyn FnMut(usize)) {
        self.for_each_dead(visit);
    }

    fn close(&self) {
        self.close();
    }
}

/// The queues of a heap.
#[derive(Default)]
pub(crate) struct Cleaners {
    queues: Mutex<Vec<Weak<dyn Watched>>>,
    pub counts: Arc<Counts>,
}

impl Cleaners {
    fn queues(&self) -> MutexGuard<'_, Vec<Weak<dyn Watched>>> {
        self.queues.lock().expect("no panic while queues come and go")
    }

    fn add(&self, queue: Weak<dyn Watched>) {
        let mut queues = self.queues();
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(queue);
    }

    /// Calls `f` for each queue that is there, with no lock held.
    fn for_each(&self, f: impl FnMut(Arc<dyn Watched>)) {
        let queues: Vec<_> = self.queues().iter().filter_map(Weak::upgrade).collect();
        queues.into_iter().for_each(f);
    }

    /// Makes the entries of dead objects ready, those that were old before a young cycle left out. Every thread has
    /// passed the cycle's end, and nothing has been sorted.
    pub fn visit(&self, liveness: Liveness, full: bool, plant: Option<Plant>, keep: bool) {
        let life = |address| match (liveness.of(address).unwrap_or(Life::White), plant) {
            (Life::Marked, Some(Plant::CleanLive)) => Life::White,
            (Life::White, Some(Plant::KeepCleaners)) => Life::Marked,
            (life, _) => life,
        };
        self.for_each(|queue| queue.visit(&life, full, keep));
    }

    /// Visits the addresses of registered objects, while all threads are held.
    pub fn for_each_address(&self, visit: &mut dyn FnMut(*mut usize)) {
        self.for_each(|queue| queue.for_each_address(visit));
    }

    /// Visits what the last cycle found dead, if it noted that.
    pub fn for_each_dead(&self, visit: &mut dyn FnMut(usize)) {
        self.for_each(|queue| queue.for_each_dead(visit));
    }

    /// Ends all waiting: there will be no more cycles.
    pub fn close(&self) {
        self.for_each(|queue| queue.close());
    }

    /// Makes all entries ready: the heap goes, and its objects with it.
    pub fn end(&self) {
        self.for_each(|queue| {
            queue.visit(&|_| Life::White, true, false);
            queue.close();
        });
    }
}
