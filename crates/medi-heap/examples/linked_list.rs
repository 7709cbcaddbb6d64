//! A linked list on the collected heap, without any language: build it, drop half of it, look.

use std::sync::Arc;

use medi_heap::layout::MutatorWords;
use medi_heap::{Bytes, HandlesOnly, Heap, ObjectRef, Options, OutOfMemory, TypeLayout};

const NEXT: usize = 8;
const VALUE: usize = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let heap = Heap::new(Options::default(), Arc::new(HandlesOnly))?;
    let node = heap.register(TypeLayout::fixed("Node", 24, &[NEXT as u32]));
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };

    mutator.scope(|scope| {
        let first = scope.alloc_fixed(node)?;
        let head = scope.handle(first);
        for value in 1..1_000_000u64 {
            let new = scope.alloc_fixed(node)?;
            // SAFETY: the node is new, and a Node has a reference and a number at these offsets.
            unsafe {
                new.initialise(NEXT, Some(head.get()));
                *new.at::<u64>(VALUE) = value;
            }
            head.set(new);
        }
        scope.collect();
        report(&heap, "a million nodes");

        // Keep every second node.
        let mut at = Some(head.get());
        while let Some(kept) = at {
            // SAFETY: nodes reachable from the handle are live, and nothing here is a safepoint.
            at = unsafe { kept.load(NEXT).and_then(|dropped| dropped.load(NEXT)) };
            // SAFETY: as above.
            unsafe { scope.store(kept, NEXT, at) };
        }
        scope.collect();
        report(&heap, "after dropping half");
        println!("the sum of what is left is {}", sum(head.get()));
        Ok::<_, OutOfMemory>(())
    })?;
    Ok(())
}

fn sum(head: ObjectRef) -> u64 {
    let (mut at, mut sum) = (Some(head), 0);
    while let Some(node) = at {
        // SAFETY: the list is live, and nothing here is a safepoint.
        unsafe {
            sum += *node.at::<u64>(VALUE);
            at = node.load(NEXT);
        }
    }
    sum
}

fn report(heap: &Heap, when: &str) {
    let stats = heap.stats();
    println!(
        "{when}: {} live in {} of heap, {} collections",
        Bytes(stats.live_bytes),
        Bytes(stats.heap_bytes),
        stats.cycles
    );
    for use_ in heap.census() {
        println!("  {:>9} × {}: {}", use_.objects, use_.name, Bytes(use_.bytes));
    }
}
