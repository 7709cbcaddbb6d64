//! How fast the collector marks, by the number of its threads, while the program waits.
//!
//! `cargo run --release -p medi-heap --example marking -- [MILLIONS] [MARKERS]...`
//!
//! The live objects have 32 bytes and two references each, to others at random places, and are all in one array too: a
//! graph without order, in which each look is a miss.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use medi_heap::layout::{ARRAY_DATA, MutatorWords};
use medi_heap::{CycleReport, HandlesOnly, Heap, OnCycle, Options, TypeLayout};

const ROUNDS: usize = 5;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let millions: usize = numbers.next().unwrap_or(8);
    let counts: Vec<usize> = numbers.collect();
    let counts = if counts.is_empty() { vec![1, 2] } else { counts };
    println!("markers  wall ms  CPU ms  GB/s   (medians of {ROUNDS}; {millions} million objects)");
    for count in counts {
        let mut reports = marking(millions * 1_000_000, count);
        reports.sort_by_key(|report| report.mark);
        let CycleReport { mark, mark_cpu, marked_bytes, .. } = reports[ROUNDS / 2];
        let (wall, cpu) = (mark.as_secs_f64(), mark_cpu.as_secs_f64());
        let rate = marked_bytes as f64 / wall / 1e9;
        println!("{count:7}  {:7.1}  {:6.1}  {rate:.2}", wall * 1e3, cpu * 1e3);
    }
}

fn marking(objects: usize, markers: usize) -> Vec<CycleReport> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let on_cycle = OnCycle(Arc::new(move |report| told.lock().expect("no panic").push(*report)));
    let markers = NonZeroUsize::new(markers).expect("at least one marker");
    let trigger = 1 << 40;
    let options = Options {
        markers,
        on_cycle: Some(on_cycle),
        initial_trigger: trigger,
        young_trigger: trigger,
        ..Options::default()
    };
    let heap = Heap::new(options, Arc::new(HandlesOnly)).expect("a heap");
    let node = heap.register(TypeLayout::fixed("Node", 32, &[8, 16]));
    let refs = heap.register(TypeLayout::array("Refs", 8, &[0]));
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };
    mutator.scope(|scope| {
        let all = scope.alloc_array(refs, objects).map(|array| scope.handle(array)).expect("room");
        let slot = |i: usize| ARRAY_DATA + 8 * i;
        for i in 0..objects {
            let new = scope.alloc_fixed(node).expect("room");
            // SAFETY: both are live, and the array has so many elements.
            unsafe { scope.store(all.get(), slot(i), Some(new)) };
        }
        let mut random = 1u64;
        for i in 0..objects {
            for field in [8, 16] {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let other = slot(random as usize % objects);
                // SAFETY: as above; nothing here is a safepoint.
                unsafe {
                    let node = all.get().load(slot(i)).expect("a node");
                    scope.store(node, field, all.get().load(other));
                }
            }
        }
        scope.collect();
        reports.lock().expect("no panic").clear();
        (0..ROUNDS).for_each(|_| scope.collect());
    });
    let reports = reports.lock().expect("no panic");
    reports.clone()
}
