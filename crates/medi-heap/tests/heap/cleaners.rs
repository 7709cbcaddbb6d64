//! Cleaner queues.

use std::num::NonZeroU64;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::on_thread;
use crate::common::{NEXT, Setup, list, list_len, quick};
use medi_heap::{
    CleanerQueue, HandlesOnly, Heap, Mutator, Options, Root, Stats, TypeId, TypeLayout,
};

fn drain<T: Send>(queue: &CleanerQueue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.poll()).collect()
}

#[test]
fn what_is_registered_for_a_dead_object_comes_out_and_the_rest_stays() {
    let mut t = Setup::new(Options { verify: true, ..quick() });
    let (node, bytes) = (t.node, t.bytes);
    let queue = CleanerQueue::new(&t.heap);
    t.mutator.scope(|scope| {
        let kept = scope.alloc_fixed(node).map(|o| scope.handle(o)).unwrap();
        queue.register(scope, kept.get(), "kept");
        let gone = scope.alloc_fixed(node).unwrap();
        queue.register(scope, gone, "small");
        queue.register(scope, gone, "small again");
        let large = scope.alloc_array(bytes, 100_000).unwrap();
        queue.register(scope, large, "large");
        assert_eq!(queue.poll(), None);
        scope.collect();
        let mut cleaned = drain(&queue);
        cleaned.sort_unstable();
        assert_eq!(cleaned, ["large", "small", "small again"]);
    });
    t.mutator.collect();
    assert_eq!(drain(&queue), ["kept"]);
    let stats = t.heap.stats();
    assert_eq!((stats.cleaners_registered, stats.cleaners_ready, stats.cleaned), (0, 0, 4));
}

#[test]
fn a_payload_that_holds_its_object_keeps_it_alive() {
    let mut t = Setup::new(quick());
    let node = t.node;
    let queue: CleanerQueue<Root> = CleanerQueue::new(&t.heap);
    let object = t.mutator.alloc_fixed(node).unwrap();
    let root = t.mutator.root(object);
    let cleaner = queue.register(&t.mutator, object, root);
    for _ in 0..3 {
        t.mutator.collect();
        assert!(queue.poll().is_none());
    }
    assert!(cleaner.cancel().is_some());
    t.mutator.collect();
    assert_eq!(t.heap.stats().live_bytes, 0);
}

#[test]
fn a_young_cycle_cleans_what_died_young_and_leaves_the_old_to_a_full_one() {
    let mut t = Setup::new(Options { young_cycles: true, verify: true, ..quick() });
    let node = t.node;
    let queue = CleanerQueue::new(&t.heap);
    t.mutator.scope(|scope| {
        let old = scope.alloc_fixed(node).unwrap();
        queue.register(scope, old, "old");
        let handle = scope.handle(old);
        scope.collect_young();
        assert_eq!(list_len(handle.get()), 1);
    });
    let young = t.mutator.alloc_fixed(node).unwrap();
    queue.register(&t.mutator, young, "young");
    t.mutator.collect_young();
    assert_eq!(drain(&queue), ["young"]);
    t.mutator.collect();
    assert_eq!(drain(&queue), ["old"]);
}

#[test]
fn what_is_cancelled_never_comes_out_and_its_slot_serves_the_next() {
    let mut t = Setup::new(Options { verify: true, ..quick() });
    let node = t.node;
    let queue = CleanerQueue::new(&t.heap);
    let mut earlier: Option<medi_heap::Cleaner<u32>> = None;
    for i in 0..1000 {
        let object = t.mutator.alloc_fixed(node).unwrap();
        let cleaner = queue.register(&t.mutator, object, i);
        if let Some(earlier) = earlier.replace(cleaner) {
            assert_eq!(earlier.cancel(), Some(i - 1));
            assert_eq!(earlier.cancel(), None);
        }
    }
    t.mutator.collect();
    assert_eq!(drain(&queue), [999]);
    assert_eq!(earlier.unwrap().cancel(), None, "the queue has given it out");
}

#[test]
fn entries_follow_objects_that_move() {
    let mut t = Setup::new(Options { moving: true, verify: true, ..quick() });
    let node = t.node;
    let queue = CleanerQueue::new(&t.heap);
    t.mutator.scope(|scope| {
        let kept = list(scope, node, 3);
        queue.register(scope, kept.get(), 1);
        for _ in 0..4 {
            scope.collect();
            assert_eq!(queue.poll(), None);
        }
    });
    t.mutator.collect();
    assert_eq!(queue.poll(), Some(1));
}

#[test]
fn a_heap_that_goes_gives_out_what_is_left() {
    let t = Setup::new(quick());
    let Setup { mut mutator, heap, node, .. } = t;
    let queue = CleanerQueue::new(&heap);
    let twin = queue.clone();
    for i in 0..1000 {
        let object = mutator.alloc_fixed(node).unwrap();
        queue.register(&mutator, object, i);
    }
    assert_eq!(queue.poll(), None);
    drop((mutator, heap));
    let mut all = drain(&queue);
    all.append(&mut drain(&twin));
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_queue_that_goes_drops_its_payloads_on_that_thread() {
    struct Told(Arc<AtomicU64>, thread::ThreadId);
    impl Drop for Told {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.1);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut t = Setup::new(Options { collect_every: NonZeroU64::new(3), ..quick() });
    let node = t.node;
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = CleanerQueue::new(&t.heap);
    let mut last = None;
    for _ in 0..1000 {
        let object = t.mutator.alloc_fixed(node).unwrap();
        let told = Told(Arc::clone(&dropped), thread::current().id());
        last = Some(queue.register(&t.mutator, object, told));
    }
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(queue);
    assert_eq!(dropped.load(Ordering::Relaxed), 1000);
    assert!(last.unwrap().cancel().is_none());
    t.mutator.collect();
    assert_eq!((t.heap.stats().cleaners_registered, t.heap.stats().cleaners_ready), (0, 0));
}

#[test]
#[should_panic(expected = "of another heap")]
fn an_object_of_another_heap_is_refused() {
    let mut t = Setup::new(quick());
    let other = Heap::new(quick(), Arc::new(HandlesOnly)).unwrap();
    let object = t.mutator.alloc_fixed(t.node).unwrap();
    CleanerQueue::new(&other).register(&t.mutator, object, ());
}

#[test]
fn taking_waits_until_something_is_ready_or_the_queue_is_closed() {
    let mut t = Setup::new(quick());
    let node = t.node;
    let queue = CleanerQueue::new(&t.heap);
    assert_eq!(queue.take_timeout(&mut t.mutator, Duration::from_millis(1)), None);
    thread::scope(|threads| {
        let (heap, taken) = (&t.heap, queue.clone());
        let taker = threads.spawn(move || {
            on_thread(heap, |mutator| {
                std::iter::from_fn(|| taken.take(mutator)).collect::<Vec<u32>>()
            })
        });
        for i in 0..100 {
            let object = t.mutator.alloc_fixed(node).unwrap();
            queue.register(&t.mutator, object, i);
        }
        t.mutator.collect();
        queue.close();
        let mut taken = taker.join().unwrap();
        taken.sort_unstable();
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_thread_that_waits_is_told_when_the_collector_has_failed() {
    let options = Options { plant: Some(medi_heap::Plant::SkipRoot), verify: true, ..quick() };
    let mut t = Setup::new(options);
    let node = t.node;
    let queue: CleanerQueue<()> = CleanerQueue::new(&t.heap);
    thread::scope(|threads| {
        let heap = &t.heap;
        let waiting = threads.spawn(|| on_thread(heap, |mutator| queue.take(mutator)));
        let object = t.mutator.alloc_fixed(node).unwrap();
        let _root = t.mutator.root(object);
        let failed = std::panic::catch_unwind(AssertUnwindSafe(|| t.mutator.collect()));
        assert!(failed.is_err(), "the planted bug was not found");
        assert_eq!(waiting.join().unwrap(), None);
    });
}

/// What is known of numbered objects.
struct Ledger {
    /// Cleared by the owner before it lets go of the object.
    alive: Vec<AtomicBool>,
    cleaned: Vec<AtomicU64>,
    queue: CleanerQueue<u64>,
    node: TypeId,
}

impl Ledger {
    fn bury(&self, number: u64) {
        self.alive[number as usize].store(false, Ordering::Relaxed);
    }

    fn clean(&self, number: u64) {
        assert!(!self.alive[number as usize].load(Ordering::Relaxed), "{number} is alive");
        self.cleaned[number as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Cleans until the queue is closed; one payload in seven fails.
    fn clean_all(&self, mutator: &mut Mutator) {
        while let Some(number) = self.queue.take(mutator) {
            let cleaned = std::panic::catch_unwind(AssertUnwindSafe(|| {
                self.clean(number);
                if number % 7 == 0 {
                    std::panic::resume_unwind(Box::new(()));
                }
            }));
            assert_eq!(cleaned.is_err(), number % 7 == 0);
            mutator.scope(|scope| {
                assert_eq!(list_len(list(scope, self.node, 20).get()), 20);
                if number % 101 == 0 {
                    scope.collect_young();
                }
            });
        }
    }

    /// Makes objects, registers them, and keeps each for a while; cancels some.
    fn own(&self, mutator: &mut Mutator, numbers: Range<u64>) {
        let mut kept: Vec<(Root, u64)> = Vec::new();
        for number in numbers {
            let object = mutator.alloc_fixed(self.node).unwrap();
            let cleaner = self.queue.register(mutator, object, number);
            if number % 11 == 0 {
                assert_eq!(cleaner.cancel(), Some(number), "the object is in our hands");
                self.bury(number);
                self.clean(number);
                continue;
            }
            kept.push((mutator.root(object), number));
            if number % 5 == 0 {
                let (root, number) = kept.swap_remove(kept.len() / 2);
                self.bury(number);
                // SAFETY: the object is live, and has a reference there.
                unsafe { mutator.store(root.get(), NEXT, None) };
            }
            if kept.len() > 100 {
                kept.drain(50..).for_each(|(_root, number)| self.bury(number));
                mutator.safepoint();
            }
        }
        kept.drain(..).for_each(|(_root, number)| self.bury(number));
    }
}

/// Several threads register, several clean: with allocation, with cycles of their own, with panics. Each payload comes
/// out once, and none before its object is dead. With `full`, one more thread has full cycles run all the time.
fn storm(options: Options, objects: u64, full: bool) -> Stats {
    const OWNERS: u64 = 3;
    let t = Setup::new(options);
    let all = || 0..OWNERS * objects;
    let ledger = &Ledger {
        alive: all().map(|_| AtomicBool::new(true)).collect(),
        cleaned: all().map(|_| AtomicU64::new(0)).collect(),
        queue: CleanerQueue::new(&t.heap),
        node: t.node,
    };
    let (heap, done) = (&t.heap, &AtomicBool::new(false));
    t.mutator.enter_native();
    thread::scope(|threads| {
        let cleaners = [(); 2]
            .map(|()| threads.spawn(|| on_thread(heap, |mutator| ledger.clean_all(mutator))));
        let owners = (0..OWNERS).map(|owner| {
            let numbers = owner * objects..(owner + 1) * objects;
            threads.spawn(move || on_thread(heap, |mutator| ledger.own(mutator, numbers)))
        });
        let owners: Vec<_> = owners.collect();
        let collecting = full.then(|| {
            threads.spawn(|| {
                on_thread(heap, |mutator| {
                    mutator.scope(|scope| {
                        let old = list(scope, ledger.node, 20_000);
                        while !done.load(Ordering::Relaxed) {
                            scope.collect();
                        }
                        assert_eq!(list_len(old.get()), 20_000);
                    });
                })
            })
        });
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        done.store(true, Ordering::Relaxed);
        collecting.into_iter().for_each(|thread| thread.join().unwrap());
        on_thread(heap, |mutator| mutator.collect());
        ledger.queue.close();
        cleaners.into_iter().for_each(|cleaner| cleaner.join().unwrap());
    });
    t.mutator.leave_native();
    assert!(ledger.cleaned.iter().all(|times| times.load(Ordering::Relaxed) == 1));
    let stats = t.heap.stats();
    assert_eq!((stats.cleaners_registered, stats.cleaners_ready), (0, 0));
    stats
}

#[test]
fn threads_clean_while_others_register_and_cycles_run() {
    let options = Options { young_cycles: true, young_trigger: 64 << 10, ..quick() };
    storm(options, 20_000, false);
}

#[test]
fn threads_clean_during_full_cycles_and_the_young_ones_in_them() {
    let options = Options { young_cycles: true, young_trigger: 32 << 10, ..quick() };
    let mut nested = 0;
    while nested < 20 {
        nested += storm(options.clone(), 20_000, true).nested_cycles;
    }
    storm(Options { verify: true, poison: true, ..options }, 2000, true);
}

#[test]
fn threads_clean_with_verification_of_each_cycle() {
    let every = NonZeroU64::new(200);
    let base = Options { verify: true, collect_every: every, ..quick() };
    storm(Options { young_cycles: true, poison: true, ..base.clone() }, 1000, false);
    storm(base, 1000, false);
}

#[test]
fn threads_clean_in_a_heap_that_moves() {
    let every = NonZeroU64::new(100);
    storm(Options { moving: true, verify: true, collect_every: every, ..quick() }, 1000, false);
}

#[test]
fn threads_take_from_a_queue_whose_heap_goes_away() {
    for _ in 0..20 {
        let t = Setup::new(quick());
        let Setup { mut mutator, heap, node, .. } = t;
        let queue = CleanerQueue::new(&heap);
        for i in 0..2000u64 {
            let object = mutator.alloc_fixed(node).unwrap();
            queue.register(&mutator, object, i);
        }
        let taken = AtomicU64::new(0);
        thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while taken.load(Ordering::Relaxed) < 2000 {
                        let more = drain(&queue).len() as u64;
                        taken.fetch_add(more, Ordering::Relaxed);
                        thread::yield_now();
                    }
                });
            }
            drop((mutator, heap));
        });
        assert_eq!(taken.into_inner(), 2000);
    }
}

#[test]
fn a_million_cleaners_are_registered_found_dead_and_cleaned() {
    let mut t = Setup::new(Options { young_cycles: true, ..quick() });
    let leaf = t.heap.register(TypeLayout::fixed("Leaf", 16, &[]));
    let queue = CleanerQueue::new(&t.heap);
    for i in 0..1_000_000u64 {
        let object = t.mutator.alloc_fixed(leaf).unwrap();
        queue.register(&t.mutator, object, i);
    }
    t.mutator.collect();
    let sum: u64 = std::iter::from_fn(|| queue.poll()).sum();
    assert_eq!(sum, 999_999 * 1_000_000 / 2);
}
