//! Several threads in one heap.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{NEXT, Setup, Table, list, list_len, on_thread, quick, random};

use medi_heap::{Mutator, Options, PauseCause, TypeId};

/// Builds lists, keeps some across collections, goes native now and then, and checks every list at its end.
fn work(mutator: &mut Mutator, node: TypeId, seed: u64, rounds: usize) {
    let mut next = random(seed);
    for _ in 0..rounds {
        mutator.scope(|scope| {
            let len = 1 + next(500) as usize;
            let head = list(scope, node, len);
            let root = scope.root(head.get());
            match next(5) {
                0 => {
                    scope.enter_native();
                    std::thread::yield_now();
                    scope.leave_native();
                }
                1 => scope.safepoint(),
                2 => scope.collect_young(),
                3 if next(8) == 0 => scope.collect(),
                _ => {}
            }
            let added = scope.alloc_fixed(node).unwrap();
            // SAFETY: both are live.
            unsafe { scope.store(added, NEXT, Some(root.get())) };
            // SAFETY: as above; the head may be old by now, so its new tail goes through the barrier.
            unsafe {
                let second = head.get().load(NEXT);
                scope.store(head.get(), NEXT, second);
            }
            assert_eq!(list_len(added), len + 1);
        });
    }
}

fn stress(options: Options, rounds: usize) {
    let t = Setup::new(options);
    let (mutator, heap, node) = (&t.mutator, &t.heap, t.node);
    mutator.enter_native();
    std::thread::scope(|threads| {
        for seed in 1..=4 {
            threads.spawn(move || on_thread(heap, |mutator| work(mutator, node, seed, rounds)));
        }
        // Threads that come and go while others collect.
        threads.spawn(move || {
            for seed in 10..40 {
                on_thread(heap, |mutator| work(mutator, node, seed, 3));
            }
        });
    });
    mutator.leave_native();
    assert!(heap.stats().cycles > 0);
}

#[test]
fn threads_allocate_and_collect_without_losing_anything() {
    stress(quick(), 400);
}

#[test]
fn threads_survive_young_collections_with_verification() {
    let options = Options { young_cycles: true, verify: true, poison: true, ..quick() };
    stress(options, 60);
}

#[test]
fn a_census_while_threads_allocate_and_cycles_run_counts_all_that_stays() {
    const NODES: usize = 20_000;
    const ARRAYS: usize = 200;
    let t = Setup::new(Options { young_cycles: true, verify: false, ..quick() });
    let (mutator, heap, node, refs) = (&t.mutator, &t.heap, t.node, t.refs);
    let (ready, counted) = (&AtomicBool::new(false), &AtomicBool::new(false));
    mutator.enter_native();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            on_thread(heap, |mutator| {
                mutator.scope(|scope| {
                    let old = list(scope, node, NODES);
                    let large: Vec<_> = (0..ARRAYS)
                        .map(|_| {
                            let array = scope.alloc_array(refs, 8_000).unwrap();
                            scope.handle(array)
                        })
                        .collect();
                    scope.collect();
                    ready.store(true, Ordering::Relaxed);
                    while !counted.load(Ordering::Relaxed) {
                        scope.scope(|scope| {
                            assert_eq!(list_len(list(scope, node, 3_000).get()), 3_000)
                        });
                        scope.alloc_array(refs, 8_000).unwrap();
                        scope.collect_young();
                        scope.collect();
                    }
                    assert_eq!(list_len(old.get()), NODES);
                    assert_eq!(large.len(), ARRAYS);
                });
            })
        });
        threads.spawn(move || {
            while !ready.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let least = |ty, least: usize| {
                (0..200)
                    .map(|_| {
                        let census = heap.census();
                        let row = census.iter().find(|row| row.type_id == ty);
                        row.map_or(0, |row| row.objects)
                    })
                    .min()
                    .filter(|objects| *objects < least as u64)
            };
            let missing = [least(node, NODES), least(refs, ARRAYS)];
            counted.store(true, Ordering::Relaxed);
            assert_eq!(missing, [None, None], "objects counted where there were more all the time");
        });
    });
    mutator.leave_native();
}

#[test]
fn young_cycles_run_during_full_ones_and_lose_nothing() {
    let options = Options { young_cycles: true, verify: true, poison: true, ..quick() };
    let t = Setup::new(options);
    let (mutator, heap, node, refs, weak_cell) = (&t.mutator, &t.heap, t.node, t.refs, t.weak_cell);
    mutator.enter_native();
    let done = &AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(move || {
            on_thread(heap, |mutator| {
                mutator.scope(|scope| {
                    let old = list(scope, node, 5_000);
                    while heap.stats().nested_cycles < 20 {
                        scope.collect();
                        assert_eq!(list_len(old.get()), 5_000);
                    }
                });
                done.store(true, Ordering::Relaxed);
            })
        });
        for seed in 1..=2 {
            threads.spawn(move || {
                on_thread(heap, |mutator| {
                    let mut next = random(seed);
                    mutator.scope(|scope| {
                        let mut table = Table::new(scope, refs);
                        let weak = scope.alloc_weak(weak_cell, table.arrays[1].get()).unwrap();
                        let weak = scope.handle(weak);
                        while !done.load(Ordering::Relaxed) {
                            for _ in 0..200 {
                                let id = 1 + next(u64::MAX - 1);
                                let places = table.model.len() as u64;
                                let (index, next) = (next(places) as usize, next(places) as usize);
                                table.put(scope, node, index, next, id);
                            }
                            let dying = scope.alloc_fixed(node).unwrap();
                            let fresh = scope.alloc_weak(weak_cell, dying).unwrap();
                            let fresh = scope.handle(fresh);
                            scope.collect_young();
                            table.check();
                            // SAFETY: both are live weak cells.
                            unsafe {
                                assert_eq!(
                                    scope.weak_load(weak.get()),
                                    Some(table.arrays[1].get())
                                );
                                if let Some(node) = scope.weak_load(fresh.get()) {
                                    assert_eq!(list_len(node), 1);
                                }
                            }
                        }
                    });
                })
            });
        }
    });
    mutator.leave_native();
}

#[test]
fn a_thread_that_follows_weak_references_all_the_time_finds_what_is_alive() {
    let mut t = Setup::new(Options { young_cycles: true, ..quick() });
    let (node, weak_cell) = (t.node, t.weak_cell);
    let done = AtomicBool::new(false);
    t.mutator.scope(|scope| {
        // Marking comes to the tail last.
        let tail = scope.alloc_fixed(node).map(|tail| scope.handle(tail)).unwrap();
        let cell = scope.alloc_weak(weak_cell, tail.get()).unwrap();
        let cell = scope.root(cell);
        for _ in 0..200_000 {
            let new = scope.alloc_fixed(node).unwrap();
            // SAFETY: the node is new.
            unsafe { new.initialise(NEXT, Some(tail.get())) };
            tail.set(new);
        }
        let heap = scope.heap();
        std::thread::scope(|threads| {
            let (heap, done, cell) = (&heap, &done, &cell);
            for _ in 0..2 {
                threads.spawn(move || {
                    on_thread(heap, |mutator| {
                        while !done.load(Ordering::Relaxed) {
                            for _ in 0..1000 {
                                // SAFETY: the cell is rooted, and nothing here is a safepoint.
                                let tail = unsafe { mutator.weak_load(cell.get()) };
                                // SAFETY: as above.
                                assert_eq!(tail.map(|tail| unsafe { tail.load(NEXT) }), Some(None));
                            }
                            mutator.safepoint();
                        }
                    });
                });
            }
            for _ in 0..10 {
                scope.collect();
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn threads_survive_a_heap_that_moves_at_every_turn() {
    let options = Options { moving: true, collect_every: NonZeroU64::new(500), ..quick() };
    stress(options, 60);
}

#[test]
fn threads_share_a_limit() {
    stress(Options { limit: Some(6 << 20), ..quick() }, 300);
}

#[test]
fn a_running_thread_without_allocations_passes_handshakes_at_its_poll() {
    let mut t = Setup::new(quick());
    let node = t.node;
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let (heap, done) = (&t.heap, &done);
        threads.spawn(move || {
            on_thread(heap, |mutator| {
                while !done.load(Ordering::Relaxed) {
                    mutator.safepoint();
                }
            })
        });
        for _ in 0..200 {
            t.mutator.scope(|scope| assert_eq!(list_len(list(scope, node, 50).get()), 50));
            t.mutator.collect();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(t.heap.stats().pause(PauseCause::Handshake).count > 0);
}
