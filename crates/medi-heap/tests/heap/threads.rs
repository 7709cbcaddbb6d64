//! Several threads in one heap.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{NEXT, Setup, list, list_len, quick};
use medi_heap::layout::MutatorWords;
use medi_heap::{Heap, Mutator, Options, PauseCause, TypeId};

pub fn on_thread<R>(heap: &Heap, run: impl FnOnce(&mut Mutator) -> R) -> R {
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };
    run(&mut mutator)
}

/// Builds lists, keeps some across collections, goes native now and then, and checks every list at its end.
fn work(mutator: &mut Mutator, node: TypeId, seed: u64, rounds: usize) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
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
