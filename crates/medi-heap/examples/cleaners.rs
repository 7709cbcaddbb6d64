//! What cleaners cost: a million objects are registered, live through cycles, die, and are cleaned.
//!
//! `cargo run --release -p medi-heap --example cleaners [OBJECTS]` prints times of each step, and how long a
//! second thread took that registers and cancels meanwhile; the same with no cleaners to visit is the machine's noise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use medi_heap::layout::{ARRAY_DATA, MutatorWords};
use medi_heap::{
    CleanerQueue, HandlesOnly, Heap, Mutator, Options, OutOfMemory, PauseCause, TypeId, TypeLayout,
};

/// What goes on beside the registrations of the second thread.
const BESIDE: [&str; 5] = [
    "while objects are allocated",
    "while cycles run, nothing registered",
    "while objects are registered",
    "while cycles run, all registered",
    "while all are found dead and taken",
];
/// No step any more.
const NONE: usize = usize::MAX;
/// Cycles beside which registrations are measured.
const CYCLES: usize = 20;

/// Runs `step` and prints how long it took, and for each of `count`.
fn timed<R>(what: &str, count: usize, step: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = step();
    let took = start.elapsed();
    let each = took.as_nanos() as f64 / count.max(1) as f64;
    println!("{what:<44} {:>9.1} ms {each:>9.1} ns each", took.as_secs_f64() * 1e3);
    result
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    // No cycles but those that are asked for.
    let trigger = 4 << 30;
    let options = Options { initial_trigger: trigger, min_trigger: trigger, ..Options::default() };
    let heap = Heap::new(options, Arc::new(HandlesOnly))?;
    let leaf = heap.register(TypeLayout::fixed("Leaf", 16, &[]));
    let refs = heap.register(TypeLayout::array("Refs", 8, &[0]));
    let queue: CleanerQueue<u64> = CleanerQueue::new(&heap);
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };

    let step = AtomicUsize::new(0);
    thread::scope(|threads| {
        let beside = threads.spawn(|| beside(&heap, &queue, leaf, &step));
        let ran = steps(&mut mutator, &queue, leaf, refs, count, &step);
        step.store(NONE, Ordering::Relaxed);
        mutator.enter_native();
        let times = beside.join().expect("the thread beside does not panic");
        mutator.leave_native();
        println!("a registration and its cancellation, beside");
        for (what, h) in BESIDE.iter().zip(&times) {
            let [p50, p99, max] =
                [h.value_at_quantile(0.5), h.value_at_quantile(0.99), h.max()].map(micros);
            println!("  {what:<42} {:>7} times: {p50} µs, p99 {p99}, at most {max}", h.len());
        }
        ran
    })?;
    let stats = heap.stats();
    for cause in PauseCause::ALL {
        let pause = stats.pause(cause);
        let (p99, max) = (micros(pause.p99), micros(pause.max));
        println!("pauses, {:<10} {:>6}: p99 {p99} µs, at most {max}", cause.name(), pause.count);
    }
    Ok(())
}

fn micros(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e3)
}

fn steps(
    mutator: &mut Mutator,
    queue: &CleanerQueue<u64>,
    leaf: TypeId,
    refs: TypeId,
    count: usize,
    step: &AtomicUsize,
) -> Result<(), OutOfMemory> {
    let make = |mutator: &mut Mutator, registered: bool| {
        mutator.scope(|scope| {
            let array = scope.alloc_array(refs, count)?;
            let array = scope.handle(array);
            for i in 0..count {
                let object = scope.alloc_fixed(leaf)?;
                // SAFETY: both are live, and the slot is one of the array's.
                unsafe { scope.store(array.get(), ARRAY_DATA + 8 * i, Some(object)) };
                if registered {
                    queue.register(scope, object, i as u64);
                }
            }
            Ok::<_, OutOfMemory>(scope.root(array.get()))
        })
    };
    let plain = timed("allocate", count, || make(mutator, false))?;
    step.store(1, Ordering::Relaxed);
    timed("full cycle", count, || mutator.collect());
    (0..CYCLES).for_each(|_| mutator.collect());
    step.store(2, Ordering::Relaxed);
    drop(plain);
    mutator.collect();
    let registered = timed("allocate and register", count, || make(mutator, true))?;
    step.store(3, Ordering::Relaxed);
    timed("full cycle, all registered for the first time", count, || mutator.collect());
    timed("full cycle, all registered", count, || mutator.collect());
    (0..CYCLES).for_each(|_| mutator.collect());
    step.store(4, Ordering::Relaxed);
    drop(registered);
    timed("full cycle, all dead", count, || mutator.collect());
    let cleaned = timed("take", count, || std::iter::from_fn(|| queue.poll()).count());
    println!("{cleaned} were cleaned");
    Ok(())
}

/// Registers and cancels until the steps end: how long both took, in nanoseconds, in each of them.
fn beside(
    heap: &Heap,
    queue: &CleanerQueue<u64>,
    leaf: TypeId,
    step: &AtomicUsize,
) -> [Histogram<u64>; 5] {
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };
    let mut times = BESIDE.map(|_| Histogram::new(3).expect("a valid precision"));
    loop {
        let now = step.load(Ordering::Relaxed);
        let Some(times) = times.get_mut(now) else { break };
        let object = mutator.alloc_fixed(leaf).expect("room for a small object");
        let start = Instant::now();
        let cleaner = queue.register(&mutator, object, 0);
        assert!(cleaner.cancel().is_some(), "the object is alive");
        times.saturating_record(start.elapsed().as_nanos() as u64);
        thread::sleep(Duration::from_micros(20));
        mutator.safepoint();
    }
    times
}
