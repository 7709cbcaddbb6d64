//! What the heap does as memory gets short: limits, the stall policy, the machine's pressure.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{NEXT, Setup, list, on_thread, quick};
use medi_heap::{Options, OutOfMemory, PauseCause, Stall};

/// Keeps allocating until memory is out.
fn fill(t: &mut Setup) -> OutOfMemory {
    let node = t.node;
    t.mutator.scope(|scope| {
        let head = list(scope, node, 1);
        loop {
            match scope.alloc_fixed(node) {
                Ok(new) => {
                    // SAFETY: the node is new and has a reference at NEXT.
                    unsafe { new.initialise(NEXT, Some(head.get())) };
                    head.set(new);
                }
                Err(error) => return error,
            }
        }
    })
}

#[test]
fn a_soft_limit_below_what_is_live_fails_nothing() {
    let mut t = Setup::new(Options { young_cycles: true, soft_limit: Some(1 << 20), ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let kept = list(scope, node, 200_000);
        assert_eq!(crate::common::list_len(kept.get()), 200_000);
    });
    assert!(t.heap.stats().heap_bytes > 6 << 20);
}

#[test]
fn who_must_not_wait_is_told_at_once_that_memory_is_out() {
    let mut t = Setup::new(Options { limit: Some(8 << 20), stall: Stall::Fail, ..quick() });
    fill(&mut t);
    assert_eq!(t.heap.stats().pause(PauseCause::Stall).count, 0);
}

#[test]
fn who_may_wait_for_so_long_gets_the_error_then() {
    let stall = Stall::AtMost(Duration::from_micros(1));
    let mut t = Setup::new(Options { limit: Some(8 << 20), stall, ..quick() });
    let error = fill(&mut t);
    assert_eq!(error.limit, Some(8 << 20));
}

#[test]
fn who_always_comes_second_is_not_told_that_memory_is_out() {
    // No thread keeps more than a sixteenth of the limit, and there are eight.
    let t = Setup::new(Options { limit: Some(16 << 20), young_cycles: true, ..quick() });
    let Setup { mutator, heap, node, .. } = t;
    mutator.enter_native();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                on_thread(&heap, |mutator| {
                    for _ in 0..60 {
                        mutator.scope(|scope| {
                            list(scope, node, 32_000);
                        });
                    }
                });
            });
        }
    });
    mutator.leave_native();
    assert!(heap.stats().pause(PauseCause::Stall).count > 0);
}

#[test]
fn the_machines_memory_pressure_is_watched() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "some avg10=42.50 avg60=0.00 avg300=0.00 total=1\n").unwrap();
    let mut t = Setup::new(Options {
        young_cycles: true,
        pressure: Some(file.path().to_path_buf()),
        return_delay: Duration::from_millis(5),
        ..quick()
    });
    let node = t.node;
    t.mutator.scope(|scope| _ = list(scope, node, 300_000));
    t.mutator.collect();
    let started = Instant::now();
    while t.heap.stats().free_bytes > 0 && started.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(1));
    }
    let stats = t.heap.stats();
    assert_eq!(stats.free_bytes, 0, "{} bytes are kept in reserve", stats.free_bytes);
    assert_eq!((stats.pressure, stats.peak_pressure), (42.5, 42.5));
}
