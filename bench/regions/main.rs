//! Scopes beside `bumpalo` and mimalloc, at what these do: batches of small objects, buffers, one huge buffer, and threads
//! that do so each for itself. Every figure is the best of five runs. With the argument `guards`: what sampled guard pages
//! cost.
//!
//! An object is 24 bytes and is written whole. A scope's batch is a scope with its objects and its end; that of `bumpalo`,
//! a `Bump` that is made and dropped, or one that is reset; that of mimalloc, an allocation and a free for each object.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bumpalo::Bump;
use medi_region::{
    Guarding, Guards, Options, RegionSpace, SAMPLE_INTERVAL, Scopes, Unlimited, rest, space,
};
use mimalloc::MiMalloc;

type Object = [u64; 3];
const SIZE: usize = size_of::<Object>();

/// Nanoseconds for each of `count` things that a run does.
fn best(count: usize, mut run: impl FnMut()) -> f64 {
    run();
    let times = (0..5).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or(Duration::ZERO).as_nanos() as f64 / count as f64
}

fn scopes() -> Scopes<Unlimited> {
    Scopes::new(Unlimited, Options::default())
}

fn scope_batch(scopes: &mut Scopes<Unlimited>, objects: usize) {
    let region = scopes.enter();
    for i in 0..objects {
        // SAFETY: the scope is open.
        let handle = unsafe { region.as_ref() }.allocate(SIZE).unwrap_or_else(|| {
            scopes.make_room(region.as_ptr(), false, SIZE, 0).expect("there is memory");
            // SAFETY: as above.
            unsafe { region.as_ref() }.allocate(SIZE).expect("there is room")
        });
        let object = std::ptr::with_exposed_provenance_mut(space::address(handle) as usize);
        // SAFETY: the object is new, of that size, and aligned for words.
        unsafe { std::ptr::write::<Object>(object, [i as u64; 3]) };
        black_box(object);
    }
    scopes.exit(0);
}

fn bump_batch(bump: &Bump, objects: usize) {
    for i in 0..objects {
        black_box(bump.alloc([i as u64; 3]));
    }
}

fn mimalloc_batch(objects: &mut Vec<*mut Object>, count: usize) {
    let layout = Layout::new::<Object>();
    for i in 0..count {
        // SAFETY: the layout has a size, and the memory is of that layout.
        unsafe {
            let object = MiMalloc.alloc(layout).cast::<Object>();
            object.write([i as u64; 3]);
            objects.push(object);
        }
    }
    for object in objects.drain(..) {
        // SAFETY: it was allocated above, with that layout.
        unsafe { MiMalloc.dealloc(object.cast(), layout) };
    }
}

fn objects() {
    println!(
        "small objects, ns each {:>13} {:>11} {:>11} {:>11}",
        "scope", "new Bump", "reset Bump", "mimalloc"
    );
    for batch in [1, 10, 100, 1000, 100_000, 1_000_000] {
        let rounds = (1_000_000 / batch).max(1);
        let all = rounds * batch;
        let mut mine = scopes();
        let scope = best(all, || (0..rounds).for_each(|_| scope_batch(&mut mine, batch)));
        let fresh = best(all, || (0..rounds).for_each(|_| bump_batch(&Bump::new(), batch)));
        let mut bump = Bump::new();
        let reset = best(all, || {
            for _ in 0..rounds {
                bump_batch(&bump, batch);
                bump.reset();
            }
        });
        let mut kept = Vec::with_capacity(batch);
        let mimalloc = best(all, || (0..rounds).for_each(|_| mimalloc_batch(&mut kept, batch)));
        println!(
            "  batches of {batch:<9} {scope:>13.2} {fresh:>11.2} {reset:>11.2} {mimalloc:>11.2}"
        );
    }
}

fn threads() {
    println!(
        "two threads, ns of each for an object {:>10} {:>9} {:>9}",
        "scope", "new Bump", "mimalloc"
    );
    for batch in [10usize, 1000, 100_000] {
        let rounds = 1_000_000 / batch;
        let all = rounds * batch;
        let space = Arc::new(RegionSpace::new());
        let both = |run: &(dyn Fn() + Sync)| {
            best(all, || {
                thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(run))));
            })
        };
        let scope = both(&|| {
            let mut mine = Scopes::within(Unlimited, Options::default(), Arc::clone(&space));
            (0..rounds).for_each(|_| scope_batch(&mut mine, batch));
        });
        let bump = both(&|| (0..rounds).for_each(|_| bump_batch(&Bump::new(), batch)));
        let mimalloc = both(&|| {
            let mut kept = Vec::with_capacity(batch);
            (0..rounds).for_each(|_| mimalloc_batch(&mut kept, batch));
        });
        println!("  batches of {batch:<14} {scope:>19.2} {bump:>9.2} {mimalloc:>9.2}");
    }
}

/// Writes to each page.
fn touch(start: *mut u8, bytes: usize) {
    for at in (0..bytes).step_by(4096) {
        // SAFETY: the buffer is that long, and nobody else has it.
        unsafe { start.add(at).write_volatile(1) };
    }
}

/// Zeroed buffers, of which each page is written to once.
fn buffers() {
    println!("buffers, µs each {:>19} {:>11} {:>11}", "scope", "new Bump", "mimalloc");
    for (name, bytes, rounds) in [
        ("4 KiB", 4 << 10, 20_000),
        ("64 KiB", 64 << 10, 5_000),
        ("8 MiB", 8 << 20, 50),
        ("256 MiB", 256 << 20, 2),
    ] {
        let mut mine = scopes();
        let scope = best(rounds, || {
            for _ in 0..rounds {
                mine.enter();
                let buffer = mine.allocate(bytes as u64, 0).expect("there is memory");
                // SAFETY: the buffer lives.
                let base = unsafe { (*buffer.descriptor).base() };
                touch(std::ptr::with_exposed_provenance_mut(base as usize), bytes);
                mine.exit(0);
            }
        });
        let layout = Layout::from_size_align(bytes, 64).expect("a size");
        let bump = best(rounds, || {
            for _ in 0..rounds {
                let bump = Bump::new();
                let buffer = bump.alloc_layout(layout).as_ptr();
                // SAFETY: the buffer is that long. `bumpalo` does not zero.
                unsafe { buffer.write_bytes(0, bytes) };
                touch(black_box(buffer), bytes);
            }
        });
        let mimalloc = best(rounds, || {
            for _ in 0..rounds {
                // SAFETY: the layout has a size, and the memory goes back once.
                unsafe {
                    let buffer = MiMalloc.alloc_zeroed(layout);
                    touch(black_box(buffer), bytes);
                    MiMalloc.dealloc(buffer, layout);
                }
            }
        });
        let (scope, bump, mimalloc) = (scope / 1e3, bump / 1e3, mimalloc / 1e3);
        println!("  {name:<12} {scope:>21.2} {bump:>11.2} {mimalloc:>11.2}");
    }
}

/// Nanoseconds of one round of buffers of some bytes, each with all its pages touched.
fn round(mine: &mut Scopes<Unlimited>, bytes: usize, rounds: usize) -> u64 {
    let start = Instant::now();
    for _ in 0..rounds {
        mine.enter();
        let buffer = mine.allocate(bytes as u64, 0).expect("there is memory");
        // SAFETY: the buffer lives.
        let base = unsafe { (*buffer.descriptor).base() };
        touch(std::ptr::with_exposed_provenance_mut(base as usize), bytes);
        mine.exit(0);
    }
    start.elapsed().as_nanos() as u64
}

/// What it costs that one buffer in every few megabytes has guards. Rounds without, without again and with alternate, and
/// each kind's figure is its median: the second shows how far apart two equal things are. Since that may be more than the
/// cost, the last column is computed: what a guarded buffer takes longer, as a part of the time until the next.
fn guards() {
    println!(
        "guarded buffers, one in {} MiB, ns each {:>6} {:>16} {:>16} {:>9} {:>9}",
        SAMPLE_INTERVAL >> 20,
        "none",
        "none",
        "sampled",
        "guarded",
        "cost"
    );
    let guarding = |guarding| {
        let guards = Arc::new(Guards::new(guarding));
        Scopes::new(Unlimited, Options { guards, ..Options::default() })
    };
    for (bytes, rounds) in [
        (64, 400_000),
        (1 << 10, 400_000),
        (4 << 10, 200_000),
        (16 << 10, 100_000),
        (64 << 10, 40_000),
        (512 << 10, 8000),
    ] {
        let mut kinds = [scopes(), scopes(), guarding(Guarding::Sampled)];
        let mut times = [const { vec![] }; 3];
        for first in 0..30 {
            for kind in (0..3).map(|kind| (kind + first) % 3) {
                times[kind].push(round(&mut kinds[kind], bytes, rounds));
            }
        }
        let median = |times: &mut Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2] as f64 / rounds as f64
        };
        let [none, again, sampled] = times.each_mut().map(median);
        let mut guarded = guarding(Guarding::Every);
        // Once the quarantine is full.
        round(&mut guarded, bytes, 10_000);
        let guarded = round(&mut guarded, bytes, 2000) as f64 / 2000.0;
        let apart = SAMPLE_INTERVAL as f64 / bytes as f64 * none;
        let apart = apart.max(rest(bytes as u64).as_nanos() as f64);
        let more = |time: f64| 100.0 * (time / none - 1.0);
        println!(
            "  {:<20} {none:>20.1} {again:>8.1} {:>+5.2} % {sampled:>8.1} {:>+5.2} % {guarded:>9.0} {:>7.2} %",
            format!("{bytes} B"),
            more(again),
            more(sampled),
            100.0 * (guarded - none) / apart
        );
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "guards") {
        return guards();
    }
    objects();
    threads();
    buffers();
}
