//! Whether something keeps growing, from what it held after each collection.

use std::time::Duration;

/// What something held after one collection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
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
/// A live structure that grows while it warms up, and then stays or moves up and down, is none that does: the least that it
/// holds does not rise from third to third of the later half, or by less than it moves up and down anyway, or it rises no
/// more in the last sixth, at a third of its rate, or the program has worked on for a quarter of its time without a
/// collection.
pub(super) fn grows(points: &[Point], now: Duration) -> bool {
    if points.len() < LEAST_POINTS {
        return false;
    }
    let window = window(points);
    let last_at = window[window.len() - 1].at;
    if now.saturating_sub(last_at) > now / 4 {
        return false;
    }
    let thirds: [(u64, u64); 3] = std::array::from_fn(|third| {
        let part = &window[third * window.len() / 3..(third + 1) * window.len() / 3];
        let bytes = || part.iter().map(|point| point.bytes);
        (bytes().min().unwrap_or(0), bytes().max().unwrap_or(0))
    });
    let [start, middle, end] = thirds.map(|(least, _)| least);
    let spread = thirds.iter().map(|(least, most)| most - least).sum::<u64>() / 3;
    let rises = start < middle && middle < end;
    if !rises || end - start < LEAST_GROWTH || end - start < spread / 4 * 3 {
        return false;
    }
    let mean = |sixth: usize| {
        let part = &window[sixth * window.len() / 6..(sixth + 1) * window.len() / 6];
        part.iter().map(|point| point.bytes as f64).sum::<f64>() / part.len() as f64
    };
    mean(5) - mean(4) > (mean(5) - mean(0)) / 5.0 / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: impl Iterator<Item = u64>) -> bool {
        let points: Vec<Point> = bytes
            .enumerate()
            .map(|(index, bytes)| Point { at: Duration::from_millis(index as u64), bytes })
            .collect();
        grows(&points, points.last().map_or(Duration::ZERO, |last| last.at))
    }

    #[test]
    fn what_grows_to_the_end_is_found_also_when_some_of_it_goes_now_and_then() {
        assert!(verdict((0..40).map(|i| 1000 + i * 10_000)));
        assert!(verdict(
            (0..40).map(|i| 1_000_000 + i * 10_000 - if i % 5 == 0 { 15_000 } else { 0 })
        ));
        // With garbage that a collection did not find yet, up to a third of what the later half adds.
        assert!(verdict((0..40).map(|i| i * 30_000 + (i * 7919 % 13) * 15_000)));
        // In steps, as an array that gets half as large again.
        assert!(verdict((0..40).map(|i| 1_000_000 << (i / 5))));
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
        let points: Vec<Point> =
            (0..20u64).map(|i| Point { at: Duration::from_millis(i), bytes: i << 20 }).collect();
        assert!(grows(&points, Duration::from_millis(20)));
        assert!(!grows(&points, Duration::from_millis(100)), "it has not allocated for long");
    }

    #[test]
    fn few_collections_tell_nothing() {
        assert!(!verdict((0..5).map(|i| i << 20)));
        assert!(verdict((0..6).map(|i| i << 20)));
    }
}
