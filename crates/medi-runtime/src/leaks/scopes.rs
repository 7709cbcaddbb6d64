//! Scopes that are open for too long: what they allocated by when.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Less than this is not worth a word.
const LEAST: u64 = 1 << 20;
/// A scope that is open for less time is not open for too long, whatever it does.
const LEAST_OPEN: Duration = Duration::from_millis(500);
/// Points that are kept of a scope; of more, every second one.
const POINTS: usize = 64;
/// A scope that has allocated in fewer steps has allocated what it needs.
const LEAST_STEPS: usize = 16;

/// An open scope that holds something.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    /// Where it allocated first.
    pub(super) first: u64,
    held: u64,
    steps: usize,
    /// Of so many steps one is a point.
    stride: usize,
    /// Since it began, and what it held then.
    points: Vec<(Duration, u64)>,
    by_site: HashMap<u64, u64>,
}

/// A scope that has been open for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    pub first: u64,
    /// Where most of it was allocated.
    pub most: u64,
    pub held: u64,
    pub open: Duration,
}

impl Watch {
    pub(crate) fn new(site: u64) -> Watch {
        Watch {
            began: Instant::now(),
            first: site,
            held: 0,
            steps: 0,
            stride: 1,
            points: vec![],
            by_site: HashMap::new(),
        }
    }

    pub(crate) fn allocated(&mut self, bytes: u64, site: u64) {
        self.note(bytes, site, self.began.elapsed());
    }

    fn note(&mut self, bytes: u64, site: u64, at: Duration) {
        self.held += bytes;
        *self.by_site.entry(site).or_default() += bytes;
        if self.steps.is_multiple_of(self.stride) {
            if self.points.len() == POINTS {
                self.stride *= 2;
                let mut index = 0;
                self.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
            }
            self.points.push((at, self.held));
        }
        self.steps += 1;
    }

    pub(crate) fn freed(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
        if let Some(last) = self.points.last_mut() {
            last.1 = last.1.min(self.held);
        }
    }

    /// Whether the scope, which ends now or is looked at while it is open, should have ended long ago: it has grown in many
    /// steps and without a pause, for half of the time that the program has run.
    pub(crate) fn overdue(&self, run: Duration) -> Option<Overdue> {
        self.judge(self.began.elapsed(), run)
    }

    fn judge(&self, open: Duration, run: Duration) -> Option<Overdue> {
        let short = open < LEAST_OPEN || open < run / 2;
        if self.held < LEAST || self.steps < LEAST_STEPS || short {
            return None;
        }
        // What it held at each quarter of the time that it was open.
        let held_at = |quarter: u32| {
            let until = open * quarter / 4;
            let before = self.points.iter().rev().find(|(at, _)| *at <= until);
            before.map_or(0, |(_, held)| *held)
        };
        let grows = |quarter: u32| {
            let now = if quarter == 4 { self.held } else { held_at(quarter) };
            now > held_at(quarter - 1) + self.held / 20
        };
        let most = self.by_site.iter().max_by_key(|(site, bytes)| (**bytes, **site));
        let most = most.map_or(self.first, |(site, _)| *site);
        (1..=4).all(grows).then_some(Overdue { first: self.first, most, held: self.held, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A scope that allocates for some time of the ten seconds that it is open.
    fn scope(seconds: u32, back: u64) -> Watch {
        let mut watch = Watch::new(1);
        for step in 0..1000 {
            watch.note(100_000, 2 + u64::from(step % 3 == 0), SECOND * seconds * step / 1000);
            watch.freed(back);
        }
        watch
    }

    #[test]
    fn a_scope_that_grows_as_long_as_it_is_open_is_overdue() {
        let overdue = scope(10, 0).judge(10 * SECOND, 11 * SECOND).unwrap();
        assert_eq!(overdue, Overdue { first: 1, most: 2, held: 100_000_000, open: 10 * SECOND });
    }

    #[test]
    fn a_scope_that_builds_something_and_uses_it_is_not() {
        assert_eq!(scope(3, 0).judge(10 * SECOND, 11 * SECOND), None);
        assert_eq!(scope(7, 0).judge(10 * SECOND, 11 * SECOND), None);
    }

    #[test]
    fn neither_is_a_short_one_nor_one_that_frees_what_it_allocates() {
        assert_eq!(scope(10, 0).judge(10 * SECOND, 30 * SECOND), None);
        assert_eq!(scope(10, 100_000).judge(10 * SECOND, 11 * SECOND), None);
        let mut one = Watch::new(1);
        one.note(1 << 30, 1, Duration::ZERO);
        assert_eq!(one.judge(10 * SECOND, 11 * SECOND), None);
    }
}
