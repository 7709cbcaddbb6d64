//! Whether something keeps growing, from what it held after each collection.

use std::time::Duration;

/// What something held after one collection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// What the program had allocated by then, in bytes: the clock of a program that waits for nothing.
    pub allocated: u64,
    /// Since the start of the program.
    pub at: Duration,
    pub bytes: u64,
}

/// Fewer collections than this tell nothing.
pub(super) const LEAST_POINTS: usize = 6;
/// Less than this is not worth a word.
pub(super) const LEAST_GROWTH: u64 = 64 << 10;

/// The points that a verdict rests on: the later half, or more of a few.
pub(super) fn window(points: &[Point]) -> &[Point] {
    let count = points.len().div_ceil(2).max(LEAST_POINTS).min(points.len());
    &points[points.len() - count..]
}

/// Whether what the points show kept growing, and still did at the end of the program or `now`.
///
/// A live structure that grows while it warms up, and then stays or moves up and down, is none that does: it does not
/// rise in three of four steps of the later half, or what it falls back to does not rise from third to third, or it rises
/// no more in the last third of what was allocated there, or the program has worked on for a quarter of its time without
/// a collection.
pub(super) fn grows(points: &[Point], now: Duration) -> bool {
    if points.len() < LEAST_POINTS {
        return false;
    }
    let window = window(points);
    let (first, last) = (window[0], window[window.len() - 1]);
    let steps = window.len() - 1;
    let rises = window.windows(2).filter(|pair| pair[1].bytes > pair[0].bytes).count();
    let grown = last.bytes.saturating_sub(first.bytes);
    if rises * 4 < steps * 3 || grown < LEAST_GROWTH || now.saturating_sub(last.at) > now / 4 {
        return false;
    }
    let floor = |third: usize| {
        let part = &window[third * window.len() / 3..(third + 1) * window.len() / 3];
        part.iter().map(|point| point.bytes).min()
    };
    if floor(0) >= floor(1) || floor(1) >= floor(2) {
        return false;
    }
    let rate = |from: Point| {
        let allocated = last.allocated.saturating_sub(from.allocated).max(1);
        last.bytes.saturating_sub(from.bytes) as f64 / allocated as f64
    };
    let third = last.allocated - (last.allocated - first.allocated) / 3;
    let late = window.iter().rev().find(|point| point.allocated <= third).copied();
    rate(late.unwrap_or(first)) > rate(first) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: impl Iterator<Item = u64>) -> bool {
        let points: Vec<Point> = bytes
            .enumerate()
            .map(|(index, bytes)| Point {
                allocated: 1_000_000 * index as u64,
                at: Duration::from_millis(index as u64),
                bytes,
            })
            .collect();
        grows(&points, points.last().map_or(Duration::ZERO, |last| last.at))
    }

    #[test]
    fn what_grows_to_the_end_is_found_also_when_some_of_it_goes_now_and_then() {
        assert!(verdict((0..40).map(|i| 1000 + i * 10_000)));
        assert!(verdict(
            (0..40).map(|i| 1_000_000 + i * 10_000 - if i % 5 == 0 { 15_000 } else { 0 })
        ));
        // Ever more slowly, but without end.
        assert!(verdict((0..40).map(|i| ((i as f64).sqrt() * 1e6) as u64)));
    }

    #[test]
    fn what_stays_or_moves_up_and_down_is_no_leak() {
        assert!(!verdict((0..40).map(|_| 5_000_000)));
        assert!(!verdict((0..40).map(|i| 5_000_000 + (i * 7919 % 13) * 50_000)));
        for period in 2..13 {
            for length in 30..60 {
                assert!(!verdict((0..length).map(|i| (i % period) * 1_000_000)));
            }
        }
        // A step of noise more or less is not worth a word.
        assert!(!verdict((0..40).map(|i| 5_000_000 + i * 100)));
    }

    #[test]
    fn growth_that_has_ended_is_none() {
        let warm = |until: u64| (0..40).map(move |i: u64| 1_000_000 * i.min(until));
        assert!(!verdict(warm(10)) && !verdict(warm(20)) && !verdict(warm(30)));
        assert!(verdict(warm(40)));
        let points: Vec<Point> = (0..20u64)
            .map(|i| Point {
                allocated: i * 1_000_000,
                at: Duration::from_millis(i),
                bytes: i << 20,
            })
            .collect();
        assert!(grows(&points, Duration::from_millis(20)));
        assert!(!grows(&points, Duration::from_millis(100)), "it has not allocated for long");
    }

    #[test]
    fn few_collections_tell_nothing() {
        assert!(!verdict((0..5).map(|i| i << 20)));
        assert!(verdict((0..6).map(|i| i << 20)));
    }
}
