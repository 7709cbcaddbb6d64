//! Delays between the steps of the protocol, at random from a seed, so that tests see interleavings that are rare
//! otherwise.
//!
//! How long the n-th passing of a point is delayed follows from the seed, the point and n alone. That does not make a
//! run repeat itself, because the system schedules threads as it likes, but runs with one seed resemble each other
//! far more than runs with different ones do.

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// A place between two steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Point {
    /// The collector is about to ask something of all threads.
    Post,
    /// All threads have passed.
    Passed,
    /// A thread, or the collector for it, is about to do what was asked.
    Act,
    /// It has, and does not count as passed yet.
    Acted,
    /// The collector is about to look at some of what the flip has left of a stack.
    Older,
    /// The collector is between two batches of marking.
    Mark,
    /// The gate for weak references is about to close.
    Close,
    /// Between two steps of sorting or sweeping.
    Sort,
    /// A barrier has read the old references of an object.
    BarrierRead,
    /// A barrier has published the object's colour, and the store follows.
    BarrierPublished,
    /// A reference has been taken out of a weak one, and the gate has not been asked.
    WeakRead,
    /// A thread has left native state, or is about to enter it.
    Native,
    /// A block was taken, and nothing is in it yet.
    Taken,
}

impl Point {
    const COUNT: usize = Point::Taken as usize + 1;
}

/// Delays, if a seed was given.
pub(crate) struct Delays {
    seed: Option<u64>,
    passed: [AtomicU32; Point::COUNT],
}

impl Delays {
    pub fn new(seed: Option<u64>) -> Delays {
        Delays { seed, passed: Default::default() }
    }

    /// Delays whoever comes by here.
    #[inline]
    pub fn at(&self, point: Point) {
        if let Some(seed) = self.seed {
            let nth = self.passed[point as usize].fetch_add(1, Ordering::Relaxed);
            delay(mix(seed ^ mix((point as u64) << 32 | u64::from(nth))));
        }
    }
}

/// Mostly nothing, often a moment, rarely long enough for whole cycles.
#[cold]
fn delay(random: u64) {
    match random % 16 {
        0..8 => {}
        8..12 => thread::yield_now(),
        12..15 => (0..(random >> 8) % 4096).for_each(|_| hint::spin_loop()),
        _ => thread::sleep(Duration::from_micros((random >> 8) % 300)),
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
