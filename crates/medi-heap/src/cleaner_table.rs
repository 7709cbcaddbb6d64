//! The entries of one cleaner queue: objects that are watched, and the payloads of those that have died.
//!
//! An entry is in a slot whose place never changes, so that registering costs the same however many there are, and
//! lists are links between slots. It is *registered*, with the object's address, until a cycle finds the object dead,
//! and *ready* from then until its payload is taken. The collector looks at entries in batches. It notes the addresses
//! of a batch under the lock, looks whether the objects live without it, and takes the lock again for those that do
//! not; what was cancelled in between has another key. So the lock is held for about a microsecond at a time, and a
//! payload is neither run, dropped nor looked at under it.
//!
//! Entries whose object no cycle has found old yet are in a list of their own; a young cycle looks at those only.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::liveness::Life;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Slots in a chunk, and entries looked at under one hold of the lock (I10).
const CHUNK: usize = if cfg!(loom) { 2 } else { 256 };
/// No slot.
const NIL: u32 = u32::MAX;
/// What links a slot that is not in the list.
const UNLISTED: u32 = u32::MAX - 1;

/// How many entries a heap's queues have.
#[derive(Default)]
pub(crate) struct Counts {
    pub registered: AtomicU64,
    pub ready: AtomicU64,
    /// Payloads that were taken from queues.
    pub cleaned: AtomicU64,
}

struct Slot<T> {
    /// The object while the entry is registered; zero otherwise.
    address: usize,
    /// No other entry of the queue has or had it; zero: no entry is here.
    key: u64,
    payload: Option<T>,
    /// The next slot that is unused, or ready.
    next: u32,
    /// The next young entry; an entry may have gone from a slot that is still in that list.
    next_young: u32,
}

struct Entries<T> {
    chunks: Vec<Box<[Slot<T>]>>,
    last_key: u64,
    unused: u32,
    first_ready: u32,
    last_ready: u32,
    young: u32,
    /// The young entries that the cycle under way has not looked at yet.
    unseen: u32,
    /// Nobody waits any more.
    closed: bool,
    /// What the last cycle found dead, for the verifier.
    dead: Vec<usize>,
}

/// An entry as the collector has noted it.
pub(crate) struct Seen {
    index: u32,
    key: u64,
    address: usize,
    life: Life,
}

impl<T> Entries<T> {
    fn get(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)
    }

    fn slot(&mut self, index: u32) -> &mut Slot<T> {
        self.get(index).expect("a link leads to a slot")
    }

    fn add_chunk(&mut self) {
        let first = self.chunks.len() * CHUNK;
        let last = u32::try_from(first + CHUNK).ok().filter(|last| *last < UNLISTED);
        let end = last.expect("fewer than four thousand million entries");
        let slots = (first as u32 + 1..=end).map(|next| Slot {
            address: 0,
            key: 0,
            payload: None,
            next: if next == end { NIL } else { next },
            next_young: UNLISTED,
        });
        self.chunks.push(slots.collect());
        self.unused = first as u32;
    }

    fn list_young(&mut self, index: u32) {
        let young = self.young;
        let slot = self.slot(index);
        if slot.next_young == UNLISTED {
            slot.next_young = young;
            self.young = index;
        }
    }

    fn add(&mut self, address: usize, payload: T) -> (u32, u64) {
        if self.unused == NIL {
            self.add_chunk();
        }
        self.last_key += 1;
        let (index, key) = (self.unused, self.last_key);
        let slot = self.slot(index);
        let unused = slot.next;
        (slot.address, slot.key, slot.payload) = (address, key, Some(payload));
        self.unused = unused;
        self.list_young(index);
        (index, key)
    }

    /// Makes the slot one for another entry.
    fn vacate(&mut self, index: u32) -> Option<T> {
        let unused = self.unused;
        let slot = self.slot(index);
        (slot.address, slot.key, slot.next) = (0, 0, unused);
        let payload = slot.payload.take();
        self.unused = index;
        payload
    }

    fn make_ready(&mut self, index: u32) {
        let slot = self.slot(index);
        (slot.address, slot.next) = (0, NIL);
        match self.last_ready {
            NIL => self.first_ready = index,
            last => self.slot(last).next = index,
        }
        self.last_ready = index;
    }

    fn take_ready(&mut self) -> Option<T> {
        let index = self.first_ready;
        if index == NIL {
            return None;
        }
        self.first_ready = self.slot(index).next;
        if self.first_ready == NIL {
            self.last_ready = NIL;
        }
        self.vacate(index)
    }

    /// Notes the next young entries; false when there are no more.
    fn note_young(&mut self, seen: &mut Vec<Seen>) -> bool {
        for _ in 0..CHUNK {
            let index = self.unseen;
            let Some(slot) = self.get(index) else { break };
            let next = mem::replace(&mut slot.next_young, UNLISTED);
            seen.extend(slot.note(index));
            self.unseen = next;
        }
        self.unseen != NIL || !seen.is_empty()
    }

    /// Notes the entries of a chunk; false when there is no such chunk.
    fn note_chunk(&mut self, chunk: usize, seen: &mut Vec<Seen>) -> bool {
        let Some(slots) = self.chunks.get(chunk) else { return false };
        let first = (chunk * CHUNK) as u32;
        seen.extend(slots.iter().zip(first..).filter_map(|(slot, index)| slot.note(index)));
        true
    }
}

impl<T> Slot<T> {
    fn note(&self, index: u32) -> Option<Seen> {
        let Slot { address, key, .. } = *self;
        (address != 0).then_some(Seen { index, key, address, life: Life::Marked })
    }
}

pub(crate) struct Table<T> {
    entries: Mutex<Entries<T>>,
    /// Something is ready, or nobody waits any more.
    ready: Condvar,
    counts: Arc<Counts>,
}

impl<T> Table<T> {
    pub fn new(counts: Arc<Counts>) -> Table<T> {
        let entries = Entries {
            chunks: Vec::new(),
            last_key: 0,
            unused: NIL,
            first_ready: NIL,
            last_ready: NIL,
            young: NIL,
            unseen: NIL,
            closed: false,
            dead: Vec::new(),
        };
        Table { entries: Mutex::new(entries), ready: Condvar::new(), counts }
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().expect("no panic while entries change")
    }

    /// Registers an entry; its place and key.
    pub fn add(&self, address: usize, payload: T) -> (u32, u64) {
        self.counts.registered.fetch_add(1, Ordering::Relaxed);
        self.lock().add(address, payload)
    }

    /// Takes an entry back that is still registered.
    pub fn cancel(&self, index: u32, key: u64) -> Option<T> {
        let mut entries = self.lock();
        entries.get(index).filter(|slot| slot.key == key && slot.address != 0)?;
        self.counts.registered.fetch_sub(1, Ordering::Relaxed);
        entries.vacate(index)
    }

    fn cleaned(&self, payload: T) -> T {
        self.counts.ready.fetch_sub(1, Ordering::Relaxed);
        self.counts.cleaned.fetch_add(1, Ordering::Relaxed);
        payload
    }

    /// The payload that has been ready for longest.
    pub fn take_ready(&self) -> Option<T> {
        let payload = self.lock().take_ready()?;
        Some(self.cleaned(payload))
    }

    /// The same; waits while there is none, until the queue is closed or the time is over.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<T> {
        // A time too far away to be told is never.
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut entries = self.lock();
        loop {
            if let Some(payload) = entries.take_ready() {
                drop(entries);
                return Some(self.cleaned(payload));
            }
            if entries.closed {
                return None;
            }
            const CALM: &str = "no panic while entries change";
            entries = match end {
                None => self.ready.wait(entries).expect(CALM),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.ready.wait_timeout(entries, left).expect(CALM).0
                }
            };
        }
    }

    /// Nobody waits from now on.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Gives up all entries, and gives what they held to be dropped.
    pub fn abandon(&self) -> impl Sized {
        let chunks = {
            let mut entries = self.lock();
            (entries.unused, entries.young, entries.unseen) = (NIL, NIL, NIL);
            (entries.first_ready, entries.last_ready) = (NIL, NIL);
            mem::take(&mut entries.chunks)
        };
        let slots = || chunks.iter().flatten().filter(|slot| slot.payload.is_some());
        let registered = slots().filter(|slot| slot.address != 0).count();
        let ready = slots().count() - registered;
        self.counts.registered.fetch_sub(registered as u64, Ordering::Relaxed);
        self.counts.ready.fetch_sub(ready as u64, Ordering::Relaxed);
        chunks
    }

    /// Makes those of the entries ready whose objects are dead by `life`, which may answer [`Life::White`] for nothing
    /// else. With `full` all are looked at, otherwise the young ones. `keep` says to note addresses for the verifier.
    pub fn visit(&self, life: impl Fn(usize) -> Life, full: bool, keep: bool) {
        {
            let mut entries = self.lock();
            entries.unseen = mem::replace(&mut entries.young, NIL);
            entries.dead.clear();
        }
        let mut seen = Vec::with_capacity(CHUNK);
        while self.note(|entries| entries.note_young(&mut seen)) {
            self.settle(&mut seen, &life, keep);
        }
        for chunk in 0.. {
            if !full || !self.note(|entries| entries.note_chunk(chunk, &mut seen)) {
                return;
            }
            self.settle(&mut seen, &life, keep);
        }
    }

    fn note(&self, note: impl FnOnce(&mut Entries<T>) -> bool) -> bool {
        note(&mut self.lock())
    }

    /// Decides on the entries that were noted, and forgets them.
    fn settle(&self, seen: &mut Vec<Seen>, life: &impl Fn(usize) -> Life, keep: bool) {
        for entry in seen.iter_mut() {
            entry.life = life(entry.address);
        }
        seen.retain(|entry| entry.life != Life::Marked);
        if seen.is_empty() {
            return;
        }
        let mut died = 0;
        let mut entries = self.lock();
        for Seen { index, key, address, life } in seen.drain(..) {
            if entries.get(index).is_none_or(|slot| slot.key != key || slot.address == 0) {
                continue;
            }
            if matches!(life, Life::New | Life::Undecided) {
                entries.list_young(index);
                continue;
            }
            entries.make_ready(index);
            died += 1;
            if keep {
                entries.dead.push(address);
            }
        }
        self.counts.registered.fetch_sub(died, Ordering::Relaxed);
        self.counts.ready.fetch_add(died, Ordering::Relaxed);
        drop(entries);
        if died > 0 {
            self.ready.notify_all();
        }
    }

    /// Visits the address of each registered entry, while all threads are held.
    pub fn for_each_address(&self, visit: &mut dyn FnMut(*mut usize)) {
        let mut entries = self.lock();
        for slot in entries.chunks.iter_mut().flatten().filter(|slot| slot.address != 0) {
            visit(&raw mut slot.address);
        }
    }

    /// Visits what the last cycle found dead, if it noted that.
    pub fn for_each_dead(&self, visit: &mut dyn FnMut(usize)) {
        self.lock().dead.iter().for_each(|address| visit(*address));
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::thread;

    const DEAD: usize = 16;
    const LIVE: usize = 32;

    fn life(address: usize) -> Life {
        if address == DEAD { Life::White } else { Life::Marked }
    }

    type Shared = Arc<Table<u32>>;

    fn table() -> Shared {
        Arc::new(Table::new(Arc::default()))
    }

    /// Runs `thread` beside a cycle; gives what both leave ready.
    fn beside_a_cycle(
        table: &Shared,
        thread: impl FnOnce(&Shared) + 'static,
        full: bool,
    ) -> Vec<u32> {
        let beside = {
            let table = Arc::clone(table);
            thread::spawn(move || thread(&table))
        };
        table.visit(life, full, false);
        beside.join().unwrap();
        std::iter::from_fn(|| table.take_ready()).collect()
    }

    #[test]
    fn a_payload_is_given_out_once_by_the_queue_or_by_who_cancels() {
        loom::model(|| {
            let table = table();
            let (index, key) = table.add(DEAD, 7);
            let cancelled = Arc::new(loom::sync::atomic::AtomicU32::new(0));
            let told = Arc::clone(&cancelled);
            let cancel = move |table: &Shared| {
                told.store(table.cancel(index, key).unwrap_or(0), Ordering::Relaxed);
            };
            let mut out = beside_a_cycle(&table, cancel, true);
            out.extend(Some(cancelled.load(Ordering::Relaxed)).filter(|payload| *payload != 0));
            assert_eq!(out, [7]);
        });
    }

    #[test]
    fn a_cycle_does_not_take_the_next_entry_of_a_slot_for_the_one_it_saw() {
        for full in [false, true] {
            loom::model(move || {
                let table = table();
                let (index, key) = table.add(DEAD, 7);
                let reuse = move |table: &Shared| {
                    if table.cancel(index, key).is_some() {
                        assert_eq!(table.add(LIVE, 8).0, index);
                    }
                };
                let out = beside_a_cycle(&table, reuse, full);
                assert!(out.is_empty() || out == [7]);
                table.visit(|_| Life::White, true, false);
                let rest: Vec<u32> = std::iter::from_fn(|| table.take_ready()).collect();
                assert_eq!(rest.len() + out.len(), 1);
            });
        }
    }

    #[test]
    fn who_waits_is_woken_by_a_cycle_and_by_the_end() {
        loom::model(|| {
            let table = table();
            table.add(DEAD, 7);
            let beside = {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    assert_eq!(table.wait(None), Some(7));
                    assert_eq!(table.wait(None), None);
                })
            };
            table.visit(life, true, false);
            table.close();
            beside.join().unwrap();
        });
    }

    #[test]
    fn two_threads_that_wait_get_one_each() {
        let mut bounded = loom::model::Builder::new();
        bounded.preemption_bound = Some(2);
        bounded.check(|| {
            let table = table();
            table.add(DEAD, 7);
            table.add(DEAD, 8);
            let waiting = [(); 2].map(|()| {
                let table = Arc::clone(&table);
                thread::spawn(move || assert!(table.wait(None).is_some()))
            });
            table.visit(life, true, false);
            waiting.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(table.take_ready().is_none());
        });
    }

    #[test]
    fn a_queue_that_is_given_up_beside_a_cycle_drops_each_payload_once() {
        loom::model(|| {
            let table: Arc<Table<Arc<()>>> = Arc::new(Table::new(Arc::default()));
            let payload = Arc::new(());
            for address in [DEAD, LIVE, DEAD] {
                table.add(address, Arc::clone(&payload));
            }
            let beside = {
                let table = Arc::clone(&table);
                thread::spawn(move || table.visit(life, true, false))
            };
            drop(table.abandon());
            assert_eq!(Arc::strong_count(&payload), 1);
            beside.join().unwrap();
            assert!(table.take_ready().is_none());
            let counts = &table.counts;
            assert_eq!(counts.registered.load(Ordering::Relaxed), 0);
            assert_eq!(counts.ready.load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    #[should_panic]
    fn a_ready_entry_that_wakes_nobody_is_caught() {
        loom::model(|| {
            let table = table();
            table.add(DEAD, 7);
            let beside = {
                let table = Arc::clone(&table);
                thread::spawn(move || table.wait(None))
            };
            table.lock().make_ready(0);
            beside.join().unwrap();
        });
    }
}
