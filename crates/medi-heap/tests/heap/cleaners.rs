//! Cleaner queues.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{NEXT, Setup, list, list_len, quick};
use crate::threads::on_thread;
use medi_heap::{CleanerQueue, HandlesOnly, Heap, Options, Root, TypeLayout};

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
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| t.mutator.collect()));
        assert!(failed.is_err(), "the planted bug was not found");
        assert_eq!(waiting.join().unwrap(), None);
    });
}

/// Several threads register, several clean: with allocation, with cycles of their own, with panics. Each payload comes
/// out once, and none before its object is dead.
fn storm(options: Options, objects: u64) {
    const OWNERS: u64 = 3;
    let t = Setup::new(options);
    let node = t.node;
    // Alive by the number; cleared by the owner before it lets go of the object.
    let alive: Vec<AtomicBool> = (0..OWNERS * objects).map(|_| AtomicBool::new(true)).collect();
    let cleaned: Vec<AtomicU64> = alive.iter().map(|_| AtomicU64::new(0)).collect();
    let queue: CleanerQueue<u64> = CleanerQueue::new(&t.heap);
    let heap = &t.heap;
    t.mutator.enter_native();
    thread::scope(|threads| {
        let (alive, cleaned, queue) = (&alive, &cleaned, &queue);
        let clean = move |payload: u64| {
            assert!(!alive[payload as usize].load(Ordering::Relaxed), "{payload} is alive");
            cleaned[payload as usize].fetch_add(1, Ordering::Relaxed);
        };
        let cleaners: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(move || {
                    on_thread(heap, |mutator| {
                        while let Some(payload) = queue.take(mutator) {
                            let failed = std::panic::catch_unwind(|| {
                                clean(payload);
                                // A cleaner of the program's may fail; silently here.
                                if payload % 7 == 0 {
                                    std::panic::resume_unwind(Box::new(()));
                                }
                            });
                            assert_eq!(failed.is_err(), payload % 7 == 0);
                            mutator.scope(|scope| {
                                assert_eq!(list_len(list(scope, node, 20).get()), 20);
                                if payload % 101 == 0 {
                                    scope.collect_young();
                                }
                            });
                        }
                    });
                })
            })
            .collect();
        let owners: Vec<_> = (0..OWNERS)
            .map(|owner| {
                threads.spawn(move || {
                    on_thread(heap, |mutator| {
                        let mut kept: Vec<(Root, u64)> = Vec::new();
                        for number in owner * objects..(owner + 1) * objects {
                            let object = mutator.alloc_fixed(node).unwrap();
                            let cleaner = queue.register(mutator, object, number);
                            kept.push((mutator.root(object), number));
                            if number % 5 == 0 {
                                let (root, number) = kept.swap_remove(kept.len() / 2);
                                alive[number as usize].store(false, Ordering::Relaxed);
                                // SAFETY: the object is live, and has a reference there.
                                unsafe { mutator.store(root.get(), NEXT, None) };
                            }
                            if number % 11 == 0 && kept.last().is_some_and(|(_, n)| *n == number) {
                                kept.pop();
                                if let Some(payload) = cleaner.cancel() {
                                    alive[number as usize].store(false, Ordering::Relaxed);
                                    clean(payload);
                                }
                            }
                            if kept.len() > 100 {
                                for (_, number) in &kept[50..] {
                                    alive[*number as usize].store(false, Ordering::Relaxed);
                                }
                                kept.truncate(50);
                                mutator.safepoint();
                            }
                        }
                        for (_, number) in &kept {
                            alive[*number as usize].store(false, Ordering::Relaxed);
                        }
                    });
                })
            })
            .collect();
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        on_thread(heap, |mutator| mutator.collect());
        queue.close();
        cleaners.into_iter().for_each(|cleaner| cleaner.join().unwrap());
    });
    t.mutator.leave_native();
    assert!(cleaned.iter().all(|times| times.load(Ordering::Relaxed) == 1));
    let stats = t.heap.stats();
    assert_eq!((stats.cleaners_registered, stats.cleaners_ready), (0, 0));
}

#[test]
fn threads_clean_while_others_register_and_cycles_run() {
    let options = Options { young_cycles: true, young_trigger: 64 << 10, ..quick() };
    storm(options, 20_000);
}

#[test]
fn threads_clean_with_verification_of_each_cycle() {
    let every = NonZeroU64::new(200);
    let base = Options { verify: true, collect_every: every, ..quick() };
    storm(Options { young_cycles: true, poison: true, ..base.clone() }, 1000);
    storm(base, 1000);
}

#[test]
fn threads_clean_in_a_heap_that_moves() {
    let every = NonZeroU64::new(100);
    storm(Options { moving: true, verify: true, collect_every: every, ..quick() }, 1000);
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
