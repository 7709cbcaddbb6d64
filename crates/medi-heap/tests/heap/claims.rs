//! What the heap promises, one claim at a time.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{NEXT, Setup, list, list_len, quick};
use medi_heap::layout::{ARRAY_DATA, LIMIT, MutatorWords, PAGE, POISON, SKIP};
use medi_heap::{
    CleanerQueue, Handle, HandleScope, HandlesOnly, Heap, HeapError, ObjectRef, OnCycle, Options,
    PauseCause, Plant, Reason, TypeLayout,
};

#[test]
fn a_million_small_objects_cost_at_most_seven_percent_of_metadata() {
    let mut t = Setup::new(Options { initial_trigger: 1 << 30, ..Options::default() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let head = list(scope, node, 1_000_000);
        let stats = scope.heap().stats();
        assert!(stats.heap_bytes * 100 <= 32_000_000 * 107, "{} bytes", stats.heap_bytes);
        assert_eq!(list_len(head.get()), 1_000_000);
    });
}

#[test]
fn what_is_unreachable_is_gone_after_a_collection_and_its_memory_is_reused() {
    let mut t = Setup::new(quick());
    let node = t.node;
    for _ in 0..50 {
        t.mutator.scope(|scope| list(scope, node, 10_000).get().address());
        t.mutator.collect();
    }
    let peak = t.heap.stats().peak_heap_bytes;
    assert!(peak < 2 << 20, "{peak} bytes for lists of 320 kB each");
    t.mutator.collect();
    assert_eq!(t.heap.stats().live_bytes, 0);
    assert!(t.heap.census().is_empty());
}

/// Waits until so many blocks have been swept: a thread takes a fresh block rather than wait for one that the collector
/// is sweeping at the moment.
fn until_swept(heap: &Heap, blocks: u64) {
    while heap.stats().swept_blocks < blocks {
        std::thread::yield_now();
    }
}

#[test]
fn holes_between_survivors_are_allocated_in_to_the_granule() {
    let mut t = Setup::new(Options { initial_trigger: 1 << 30, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        // Keep every second node, so that each hole is one node long.
        let head = list(scope, node, 20_000);
        let mut at = Some(head.get());
        while let Some(kept) = at {
            // SAFETY: the list is live, and nothing here is a safepoint.
            unsafe {
                at = kept.load(NEXT).and_then(|gone| gone.load(NEXT));
                scope.store(kept, NEXT, at);
            }
        }
        scope.collect();
        until_swept(&scope.heap(), (20_000u64 * 32).div_ceil(65_536));
        let before = scope.heap().stats().heap_bytes;
        let more = list(scope, node, 9_000);
        assert_eq!(scope.heap().stats().heap_bytes, before, "holes were there to be used");
        assert_eq!(list_len(head.get()), 10_000);
        assert_eq!(list_len(more.get()), 9_000);
    });
}

#[test]
fn a_deep_list_is_marked_without_deep_recursion() {
    let mut t = Setup::new(quick());
    let node = t.node;
    t.mutator.scope(|scope| {
        let head = list(scope, node, 2_000_000);
        scope.collect();
        assert_eq!(list_len(head.get()), 2_000_000);
    });
}

#[test]
fn a_large_array_of_references_keeps_all_of_its_elements() {
    let mut t = Setup::new(Options { verify: true, ..quick() });
    let (node, refs) = (t.node, t.refs);
    t.mutator.scope(|scope| {
        let array = scope.alloc_array(refs, 100_000).unwrap();
        let array = scope.handle(array);
        for i in 0..100_000 {
            let new = scope.alloc_fixed(node).unwrap();
            // SAFETY: both are live, and the slot is one of the array's.
            unsafe { scope.store(array.get(), ARRAY_DATA + 8 * i, Some(new)) };
        }
        scope.collect();
        let nodes = scope.heap().census().iter().find(|u| u.name == "Node").unwrap().objects;
        assert_eq!(nodes, 100_000);
    });
}

#[test]
fn a_dead_large_array_goes_back_to_the_system_and_a_new_one_is_zero() {
    let mut t = Setup::new(quick());
    let bytes = t.bytes;
    for round in 0..5 {
        for size in [9_000, 100_000, 300_000, 8 << 20] {
            let array = t.mutator.alloc_array(bytes, size).unwrap();
            // SAFETY: the array is live until the next allocation, and this long.
            let data = unsafe { std::slice::from_raw_parts_mut(array.at::<u8>(ARRAY_DATA), size) };
            assert!(data.iter().all(|b| *b == 0), "round {round}, {size} bytes");
            data.fill(0xee);
        }
        t.mutator.collect();
        let stats = t.heap.stats();
        assert_eq!(stats.large_bytes, 0);
        assert!(stats.heap_bytes < 2 << 20, "{} bytes held for nothing", stats.heap_bytes);
    }
    assert!(t.heap.stats().returned_bytes > 40 << 20);
}

#[test]
fn empty_blocks_beyond_the_reserve_go_back_to_the_system() {
    let return_delay = Duration::from_millis(1);
    let mut t = Setup::new(Options { initial_trigger: 1 << 30, return_delay, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| list(scope, node, 1_000_000).get().address());
    assert!(t.heap.stats().heap_bytes > 30 << 20);
    t.mutator.collect();
    // The collector gives half of it back each time.
    while t.heap.stats().heap_bytes > 8 << 20 {
        std::thread::sleep(return_delay);
    }
    t.mutator.scope(|scope| assert_eq!(list_len(list(scope, node, 100_000).get()), 100_000));
}

#[test]
fn the_limit_holds_and_the_error_says_what_holds_the_memory() {
    let limit = 8 << 20;
    let mut t = Setup::new(Options { limit: Some(limit), ..quick() });
    let (node, bytes) = (t.node, t.bytes);
    t.mutator.scope(|scope| {
        let first = scope.alloc_fixed(node).unwrap();
        let head = scope.handle(first);
        let error = loop {
            match scope.alloc_fixed(node) {
                Ok(new) => {
                    // SAFETY: the node is new.
                    unsafe { new.initialise(NEXT, Some(head.get())) };
                    head.set(new);
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.reason, Reason::Limit);
        assert_eq!(error.requested, 32);
        assert!(error.live > limit * 9 / 10, "{} of {limit} bytes used", error.live);
        let text = error.to_string();
        assert!(text.starts_with("out of memory: 32 B requested, the limit is 8 MiB;"), "{text}");
        assert_eq!(scope.heap().census()[0].name, "Node");
        assert!(scope.heap().stats().heap_bytes <= limit);
        assert!(scope.alloc_array(bytes, 1 << 20).is_err());
        assert!(list_len(head.get()) > 200_000);
    });
    let array = t.mutator.alloc_array(bytes, 6 << 20);
    assert!(array.is_ok(), "the list is dead, so there is room: {}", array.unwrap_err());
    assert!(t.heap.stats().peak_heap_bytes <= limit);
}

/// Blocks with holes that were all too small for the object once were taken and given back by one cycle after the other.
#[test]
fn an_object_that_no_hole_has_room_for_is_out_of_memory() {
    let mut t = Setup::new(Options { limit: Some(8 << 20), ..quick() });
    let bytes = t.bytes;
    t.mutator.scope(|scope| {
        let error = std::iter::from_fn(|| {
            let array = scope.alloc_array(bytes, 8000);
            Some(array.map(|array| _ = scope.handle(array)))
        })
        .find_map(Result::err)
        .unwrap();
        assert_eq!(error.requested, 8016);
    });
}

#[test]
fn scope_memory_counts_against_the_limit_and_makes_the_heap_give_way() {
    let mut t = Setup::new(Options { limit: Some(16 << 20), ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| list(scope, node, 300_000).get().address());
    assert!(t.heap.stats().heap_bytes > 2 << 20);
    t.mutator.charge(14 << 20).unwrap();
    assert!(t.heap.stats().heap_bytes <= 2 << 20);
    assert_eq!(t.heap.stats().external_bytes, 14 << 20);
    let error = t.mutator.charge(3 << 20).unwrap_err();
    assert!(error.to_string().contains("14 MiB in scope memory"), "{error}");
    assert!(t.heap.charge(3 << 20).is_err());
    t.heap.release(14 << 20);
    t.heap.charge(3 << 20).unwrap();
}

#[test]
fn a_program_that_would_only_collect_is_told_that_memory_is_out() {
    let mut t = Setup::new(Options { limit: Some(8 << 20), ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let _most = list(scope, node, 220_000);
        let mut allocated = 0;
        let error = loop {
            match scope.alloc_fixed(node) {
                // One node in ten stays, so each collection finds a little less room.
                Ok(new) if allocated % 10 == 0 => _ = scope.handle(new),
                Ok(_) => {}
                Err(error) => break error,
            }
            allocated += 1;
        };
        assert_eq!(error.reason, Reason::Limit);
        let cycles = scope.heap().stats().cycles;
        assert!(cycles < 200, "{cycles} collections before giving up");
    });
}

#[test]
fn an_absurd_length_is_an_error_and_not_an_overflow() {
    let mut t = Setup::new(quick());
    let refs = t.refs;
    for len in [usize::MAX, usize::MAX / 8, 1 << 60, 1 << 44] {
        let error = t.mutator.alloc_array(refs, len).unwrap_err();
        assert!(matches!(error.reason, Reason::TooLarge | Reason::AddressSpace), "{error}");
    }
    let error = t.mutator.alloc_slow(refs, usize::MAX).unwrap_err();
    assert_eq!(error.reason, Reason::TooLarge);
}

#[test]
fn a_heap_that_the_system_refuses_says_so_and_a_full_system_is_out_of_memory() {
    let mut made = 0;
    for fail_after in 0..12 {
        let options = Options { fail_os_after: Some(fail_after), ..quick() };
        match Heap::new(options, Arc::new(HandlesOnly)) {
            Err(HeapError::Reserve { .. }) => assert_eq!(made, 0),
            Err(other) => panic!("{other}"),
            Ok(heap) => {
                made += 1;
                let mut t = Setup::on(heap);
                let (node, bytes) = (t.node, t.bytes);
                t.mutator.scope(|scope| {
                    for _ in 0..200_000 {
                        let Ok(object) = scope.alloc_fixed(node) else { break };
                        scope.handle(object);
                    }
                    let error = std::iter::from_fn(|| {
                        let array = scope.alloc_array(bytes, 10 << 20);
                        Some(array.map(|array| _ = scope.handle(array)))
                    })
                    .find_map(Result::err)
                    .unwrap();
                    assert_eq!(error.reason, Reason::System);
                    assert!(error.to_string().contains("the operating system has no more to give"));
                });
            }
        }
    }
    assert!(made > 0);
}

#[test]
fn a_limit_too_small_to_work_in_is_refused() {
    let options = Options { limit: Some(4096), ..Options::default() };
    let error = Heap::new(options, Arc::new(HandlesOnly)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "a memory limit of 4 KiB is too small for a heap; use at least 1 MiB"
    );
}

#[test]
fn weak_references_answer_nil_when_their_object_is_dead() {
    let mut t = Setup::new(Options { verify: true, ..quick() });
    let (node, cell) = (t.node, t.weak_cell);
    t.mutator.scope(|scope| {
        let kept = scope.alloc_fixed(node).map(|o| scope.handle(o)).unwrap();
        let to_kept = scope.alloc_weak(cell, kept.get()).map(|o| scope.handle(o)).unwrap();
        let gone = scope.alloc_fixed(node).unwrap();
        let watched = scope.weak(gone);
        let to_gone = scope.alloc_weak(cell, gone).map(|o| scope.handle(o)).unwrap();
        assert!(watched.get().is_some());
        scope.collect();
        // SAFETY: both are live weak cells.
        unsafe {
            assert_eq!(scope.weak_load(to_kept.get()), Some(kept.get()));
            assert_eq!(scope.weak_load(to_gone.get()), None);
        }
        assert!(watched.get().is_none());
    });
}

#[test]
fn an_owned_handle_keeps_its_object_and_may_be_dropped_on_another_thread() {
    let mut t = Setup::new(quick());
    let node = t.node;
    let object = t.mutator.alloc_fixed(node).unwrap();
    let root = t.mutator.root(object);
    let twin = root.clone();
    t.mutator.collect();
    assert_eq!(root.get(), object);
    std::thread::spawn(move || drop(root)).join().unwrap();
    t.mutator.collect();
    assert_eq!(t.heap.stats().live_bytes, 32);
    drop(twin);
    t.mutator.collect();
    assert_eq!(t.heap.stats().live_bytes, 0);
}

#[test]
fn two_heaps_in_one_process_know_nothing_of_each_other() {
    let mut a = Setup::new(quick());
    let b = Setup::new(quick());
    let node = a.node;
    a.mutator.scope(|scope| {
        let head = list(scope, node, 1000);
        scope.collect();
        assert_eq!(list_len(head.get()), 1000);
    });
    assert_eq!(b.heap.stats().cycles, 0);
    assert_eq!(b.heap.stats().allocated_bytes, 0);
}

#[test]
fn collecting_at_every_allocation_shows_compiled_code_no_room() {
    let options = Options { collect_every: std::num::NonZeroU64::new(1), ..quick() };
    let mut t = Setup::new(options);
    let node = t.node;
    for i in 1..=10 {
        t.mutator.alloc_fixed(node).unwrap();
        assert_eq!(t.heap.stats().cycles, i);
        // SAFETY: the words are the mutator's, and the limit is at this offset.
        assert_eq!(unsafe { *t.mutator.words().byte_add(LIMIT).cast::<usize>() }, 0);
    }
}

#[test]
fn allocation_sites_are_estimated_within_their_error() {
    let mut t = Setup::new(Options { sample_interval: 4096, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let _list = list(scope, node, 200_000);
        scope.collect();
        let sites = scope.heap().sites();
        assert_eq!((sites.len(), sites[0].name.as_str()), (1, "Node"));
        let (estimate, truth) = (sites[0].bytes_estimate as f64, 6_400_000.0);
        let sigma = truth / (sites[0].samples as f64).sqrt();
        assert!((estimate - truth).abs() < 4.0 * sigma, "{estimate} for {truth}");
    });
    t.mutator.collect();
    assert!(t.heap.sites().is_empty());
}

#[test]
fn allocated_bytes_are_exact_after_a_collection() {
    let mut t = Setup::new(quick());
    let (node, bytes) = (t.node, t.bytes);
    let mut expected = 0;
    for i in 0..20_000usize {
        t.mutator.alloc_fixed(node).unwrap();
        t.mutator.alloc_array(bytes, i).unwrap();
        expected += 32 + (16 + i).next_multiple_of(16);
    }
    t.mutator.collect();
    assert_eq!(t.heap.stats().allocated_bytes, expected as u64);
}

#[test]
fn pauses_are_counted_under_their_cause() {
    let mut t = Setup::new(quick());
    let node = t.node;
    t.mutator.scope(|scope| list(scope, node, 100_000).get().address());
    let stats = t.heap.stats();
    assert_eq!(stats.pause(PauseCause::Stall).count, 0);
    let p = stats.pause(PauseCause::SlowPath);
    assert!(p.p50 > 0 && p.p50 <= p.p99 && p.p99 <= p.p999 && p.p999 <= p.max, "{p:?}");
}

#[test]
fn each_cycle_is_told_of_once_it_has_ended() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let on_cycle = OnCycle(Arc::new(move |report| told.lock().unwrap().push(*report)));
    let options = Options { on_cycle: Some(on_cycle), young_cycles: true, ..quick() };
    let mut t = Setup::new(options);
    let node = t.node;
    t.mutator.scope(|scope| {
        let kept = list(scope, node, 1000);
        scope.collect();
        scope.collect_young();
        assert_eq!(list_len(kept.get()), 1000);
    });
    let reports = reports.lock().unwrap();
    let shown: Vec<_> = reports.iter().map(|r| (r.number, r.full, r.marked_objects)).collect();
    assert_eq!(shown, [(1, true, 1000), (2, false, 0)]);
    assert!(reports.iter().all(|r| r.live == 32_000 && r.flip + r.mark <= r.whole && r.rounds > 0));
    assert!(reports[0].began < reports[1].began && reports[0].allocated >= 32_000);
}

#[test]
fn several_markers_find_what_one_finds_and_count_it_once() {
    let found = |markers: usize| {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&reports);
        let on_cycle = OnCycle(Arc::new(move |report| told.lock().unwrap().push(*report)));
        let markers = NonZeroUsize::new(markers).unwrap();
        let mut t =
            Setup::new(Options { on_cycle: Some(on_cycle), markers, verify: true, ..quick() });
        let (node, refs, bytes) = (t.node, t.refs, t.bytes);
        t.mutator.scope(|scope| {
            let hub = scope.alloc_array(refs, 20_000).map(|o| scope.handle(o)).unwrap();
            for i in 0..20_000 {
                let new = match i % 4 {
                    0 => scope.alloc_array(bytes, 40).unwrap(),
                    1 => scope.alloc_array(refs, 2000).unwrap(),
                    // Many ways lead to what was put there before.
                    _ => scope.alloc_fixed(node).unwrap(),
                };
                // SAFETY: both are live; the array has room for it, and so has what was put into it before.
                unsafe {
                    scope.store(hub.get(), ARRAY_DATA + 8 * i, Some(new));
                    if i % 4 > 1 {
                        scope.store(new, NEXT, hub.get().load(ARRAY_DATA + 8 * (i / 2)));
                    }
                }
            }
            scope.collect();
            scope.collect();
        });
        let reports = reports.lock().unwrap();
        reports[reports.len() - 2..]
            .iter()
            .map(|r| (r.marked_objects, r.marked_bytes))
            .collect::<Vec<_>>()
    };
    let alone = found(1);
    assert_eq!(alone[0].0, 20_001);
    assert_eq!([found(2), found(4)], [alone.clone(), alone]);
}

#[test]
fn a_second_write_to_an_object_in_one_epoch_takes_no_slow_path() {
    let mut t = Setup::new(Options { young_cycles: true, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let old = scope.alloc_fixed(node).map(|o| scope.handle(o)).unwrap();
        let slow_paths = |t: &medi_heap::HandleScope| t.heap().stats().barrier_slow_paths;
        // SAFETY: the object is live and has a reference at NEXT.
        let write = |t: &medi_heap::HandleScope| unsafe { t.store(old.get(), NEXT, None) };
        write(scope);
        scope.collect_young();
        assert_eq!(slow_paths(scope), 0, "new objects are never logged");
        write(scope);
        write(scope);
        scope.collect_young();
        assert_eq!(slow_paths(scope), 1);
        write(scope);
        scope.collect_young();
        assert_eq!(slow_paths(scope), 2);
    });
}

#[test]
fn colours_run_out_many_times_without_a_lost_write() {
    let mut t = Setup::new(Options { young_cycles: true, verify: true, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let old = scope.alloc_fixed(node).map(|o| scope.handle(o)).unwrap();
        // Written once and then left alone, so its colour grows as old as a colour can.
        let quiet = list(scope, node, 10);
        for i in 0..1100 {
            let new = scope.alloc_fixed(node).unwrap();
            // SAFETY: both are live.
            unsafe { scope.store(old.get(), NEXT, Some(new)) };
            if i % 254 == 17 {
                let tail = scope.alloc_fixed(node).unwrap();
                // SAFETY: both are live.
                unsafe { scope.store(quiet.get(), NEXT, Some(tail)) };
            }
            scope.collect_young();
        }
        assert_eq!(list_len(old.get()), 2);
        assert_eq!(list_len(quiet.get()), 2);
    });
    let stats = t.heap.stats();
    assert_eq!(stats.cycles - stats.young_cycles, 1100 / 252, "one full one when colours end");
}

#[test]
fn a_log_outlives_the_thread_that_wrote_it() {
    let t = Setup::new(Options { young_cycles: true, verify: true, ..quick() });
    let Setup { mut mutator, heap, node, .. } = t;
    let old = mutator.alloc_fixed(node).unwrap();
    let old = mutator.root(old);
    mutator.collect();
    mutator.enter_native();
    let held = old.clone();
    std::thread::spawn(move || {
        let mut words = MutatorWords::new();
        // SAFETY: the words outlive the mutator and belong to it alone.
        let mut mutator = unsafe { heap.attach(&raw mut words) };
        let new = mutator.alloc_fixed(node).unwrap();
        // SAFETY: both are live.
        unsafe { mutator.store(held.get(), NEXT, Some(new)) };
    })
    .join()
    .unwrap();
    mutator.leave_native();
    mutator.collect_young();
    assert_eq!(list_len(old.get()), 2);
}

/// The message of the panic that `run` ends with.
fn panic_of(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(run).expect_err("the planted bug was not found");
    *payload.downcast::<String>().expect("a message")
}

fn plant(plant: Plant, options: Options) -> String {
    panic_of(move || {
        let mut t = Setup::new(Options { plant: Some(plant), verify: true, ..options });
        let (node, cell) = (t.node, t.weak_cell);
        let queue = CleanerQueue::new(&t.heap);
        t.mutator.scope(|scope| {
            let old = list(scope, node, 5);
            let gone = scope.alloc_fixed(node).unwrap();
            let _weak = scope.alloc_weak(cell, gone).map(|o| scope.handle(o)).unwrap();
            queue.register(scope, old.get(), "old");
            let died = scope.alloc_fixed(node).unwrap();
            queue.register(scope, died, "died");
            scope.collect();
            until_swept(&scope.heap(), 1);
            let new = scope.alloc_fixed(node).unwrap();
            // SAFETY: both are live.
            unsafe { scope.store(old.get(), NEXT, Some(new)) };
            scope.collect_young();
        });
    })
}

#[test]
fn the_verifier_finds_each_planted_bug() {
    for (bug, finding) in [
        (Plant::SkipRoot, "can be reached, but marking did not find it"),
        (Plant::SkipField, "can be reached, but marking did not find it"),
        (Plant::SkipEnd, "does not say where the object ends"),
        (Plant::KeepWeak, "which is dead"),
        (Plant::KeepCleaners, "a cleaner is registered for"),
        (Plant::CleanLive, "is ready, but that lives"),
    ] {
        let message = plant(bug, quick());
        assert!(message.contains(finding), "{bug:?}: {message}");
    }
    let young = Options { young_cycles: true, ..quick() };
    let message = plant(Plant::SkipLog, young);
    assert!(message.contains("can be reached, but marking did not find it"), "{message}");
    let logged = Options { log_writes: true, ..quick() };
    let message = plant(Plant::SkipLog, logged);
    assert!(message.contains("overwritten without the write barrier"), "{message}");
}

#[test]
fn a_store_without_the_barrier_is_found_when_writes_are_logged() {
    let message = panic_of(|| {
        let mut t = Setup::new(Options { log_writes: true, verify: true, ..quick() });
        let node = t.node;
        t.mutator.scope(|scope| {
            let old = list(scope, node, 2);
            scope.collect();
            // SAFETY: the object is live; that a safepoint lies between is the bug.
            unsafe { old.get().initialise(NEXT, None) };
            scope.collect();
        });
    });
    assert!(message.contains("in the Node at"), "{message}");
}

#[test]
fn with_logging_every_store_takes_the_slow_path() {
    let mut t = Setup::new(Options { log_writes: true, ..quick() });
    let node = t.node;
    let object = t.mutator.alloc_fixed(node).unwrap();
    // SAFETY: the words are the mutator's, and the colour is at this offset.
    let skip = unsafe { *t.mutator.words().byte_add(SKIP).cast::<u8>() };
    // SAFETY: the object is live.
    unsafe {
        assert_ne!(object.colour(), skip);
        t.mutator.store(object, NEXT, None);
    }
    t.mutator.collect();
    assert_eq!(t.heap.stats().barrier_slow_paths, 1);
}

#[test]
fn poison_finds_a_write_after_free() {
    let message = panic_of(|| {
        let mut t = Setup::new(Options { poison: true, ..quick() });
        let node = t.node;
        let lost = t.mutator.alloc_fixed(node).unwrap();
        t.mutator.collect();
        // SAFETY: the memory is mapped; that the object is dead is the bug.
        unsafe { *lost.at::<u64>(16) = 42 };
        for _ in 0..10_000 {
            t.mutator.alloc_fixed(node).unwrap();
        }
    });
    assert!(message.contains("was written after it was freed"), "{message}");
    assert!(message.contains("0x000000000000002a"), "{message}");
}

#[test]
fn a_root_that_nobody_reported_reads_poison_after_objects_have_moved() {
    let mut t = Setup::new(Options { moving: true, poison: true, ..quick() });
    let (node, bytes) = (t.node, t.bytes);
    t.mutator.scope(|scope| {
        let small = scope.alloc_fixed(node).unwrap();
        let large = scope.alloc_array(bytes, 3 * PAGE).unwrap();
        let (small_root, large_root) = (scope.handle(small), scope.handle(large));
        scope.collect();
        for (stale, rooted) in [(small, small_root), (large, large_root)] {
            assert_ne!(stale, rooted.get());
            // SAFETY: with poison, memory that objects have left stays readable.
            assert_eq!(unsafe { *stale.at::<u64>(0) }, u64::from_ne_bytes([POISON; 8]));
            // SAFETY: the object is rooted.
            let ty = unsafe { rooted.get().type_id() };
            assert!(ty == node || ty == bytes);
        }
    });
}

#[test]
fn holes_beside_objects_that_have_moved_are_poisoned_too() {
    // Once, the rest of a block that objects had moved to held zeroes, and taking it looked like a write
    // after free.
    let mut t = Setup::new(Options { moving: true, poison: true, ..quick() });
    let node = t.node;
    t.mutator.scope(|scope| {
        let head = list(scope, node, 3);
        scope.collect();
        list(scope, node, 100);
        assert_eq!(list_len(head.get()), 3);
    });
}

#[test]
fn moving_forever_reuses_its_address_space() {
    let options = Options { moving: true, reserve: Some(32 << 20), ..quick() };
    let mut t = Setup::new(options);
    let (node, bytes) = (t.node, t.bytes);
    t.mutator.scope(|scope| {
        let head = list(scope, node, 100);
        let large = scope.alloc_array(bytes, 100_000).map(|o| scope.handle(o)).unwrap();
        for _ in 0..1000 {
            scope.collect();
        }
        assert_eq!(list_len(head.get()), 100);
        // SAFETY: the array is live.
        assert_eq!(unsafe { large.get().array_len() }, 100_000);
    });
}

#[test]
fn the_last_array_grows_where_it_is_and_no_other_does() {
    let mut t = Setup::new(quick());
    let (refs, bytes, node) = (t.refs, t.bytes, t.node);
    t.mutator.scope(|scope| {
        let first = scope.alloc_array(refs, 1).unwrap();
        let first = scope.handle(first);
        // SAFETY: the array is rooted, here and below.
        let extend = |scope: &mut HandleScope, array: Handle, room| unsafe {
            scope.extend_array(array.get(), room)
        };
        assert!(extend(scope, first, 6));
        // SAFETY: as above. Up to the end of the granule: 16 bytes and 6 references, then 7.
        assert_eq!(unsafe { (first.get().array_room(), first.get().array_len()) }, (6, 1));
        assert!(extend(scope, first, 7));
        // SAFETY: as above.
        assert_eq!(unsafe { first.get().array_room() }, 8);
        assert!(!extend(scope, first, 10_000), "a page span is somewhere else");

        let second = scope.alloc_array(bytes, 100).unwrap();
        let second = scope.handle(second);
        assert!(!extend(scope, first, 9), "the second array is in the way");
        assert!(extend(scope, second, 1000));
        let after = scope.alloc_fixed(node).unwrap();
        assert!(after.address() >= second.get().address() + 1016, "they overlap");
        let third = scope.alloc_array(refs, 1).unwrap();
        let third = scope.handle(third);
        scope.collect();
        assert!(!extend(scope, third, 2), "the cycle has seen the array as it was");
    });
}

#[test]
fn a_mutator_is_found_again_from_its_words() {
    let t = Setup::new(quick());
    let node = t.node;
    let words = t.mutator.words();
    // SAFETY: the words are attached, this is their thread, and no other reference is in use.
    let again = unsafe { medi_heap::Mutator::from_words(words) };
    let object: ObjectRef = again.alloc_slow(node, 24).unwrap();
    // SAFETY: the object is live.
    assert_eq!(unsafe { object.type_id() }, node);
}

#[test]
fn medium_objects_fill_blocks_without_wasting_holes() {
    let mut t = Setup::new(Options { initial_trigger: 1 << 30, ..quick() });
    let page = t.heap.register(TypeLayout::fixed("Page", 4000, &[]));
    let node = t.node;
    for _ in 0..10_000 {
        t.mutator.alloc_fixed(page).unwrap();
        t.mutator.alloc_fixed(node).unwrap();
    }
    let stats = t.heap.stats();
    assert!(stats.heap_bytes * 10 < stats.allocated_bytes * 13, "{stats:?}");
}
