//! When the next cycle starts, how thorough it is, and how much idle memory is kept.
//!
//! Two ledgers: what is held from the system must stay under the limit, and bytes that may hold references are the
//! work of a cycle. Without a tight limit, cycles are paced by growth: a young one when so much was allocated, a
//! full one when so much has survived. With a limit, the room that is left must last until the cycle is over: a
//! cycle starts when what is left is no more than what threads will allocate while it runs, by the rates that were
//! measured last, times a margin.

use std::time::{Duration, Instant};

use crate::layout::BLOCK;
use crate::options::Options;
use crate::space::Space;

/// Seconds that a full cycle is taken to last for each live byte before one was measured.
const FIRST_PACE: f64 = 1e-9;
/// What a cycle takes however little is live.
const LEAST_CYCLE: f64 = 1e-3;
/// The least room between two cycles, as a part of what there is.
const LEAST_PART: u64 = 16;
/// What is allocated between two young cycles during a full one at least, so that they do not hold it up.
const LEAST_YOUNG: u64 = 16 << 20;
/// What is allocated between cycles at least for all that the soft limit wants, as a part of what is live.
const SOFT_PART: u64 = 8;
/// The same however little is live.
const LEAST_SOFT: u64 = 1 << 20;
/// What part of the allocated bytes is expected to die at least.
const LEAST_DYING: f64 = 1.0 / 8.0;
/// When more than this part of what is allocated survives, and room is short, a young cycle is not worth its time.
const MOST_SURVIVAL: f64 = 0.7;

/// What the collector has measured.
pub(crate) struct Pacer {
    flipped: Instant,
    /// Bytes that threads allocate in a second.
    rate: f64,
    /// Seconds that a full cycle lasts for each byte that it finds live.
    full_pace: f64,
    /// Seconds that a young cycle lasts.
    young_cycle: f64,
    /// What part of the allocated bytes the last young cycle found live.
    survival: f64,
    /// How much the heap may grow, as a part of what it may without pressure on the machine's memory.
    restraint: f64,
    /// Percent of the last ten seconds in which some task of the machine waited for memory, and the most that was seen.
    pressure: (f64, f64),
}

impl Pacer {
    pub fn new() -> Pacer {
        Pacer {
            flipped: Instant::now(),
            rate: 0.0,
            full_pace: FIRST_PACE,
            young_cycle: 0.0,
            survival: 0.0,
            restraint: 1.0,
            pressure: (0.0, 0.0),
        }
    }

    /// Notes a flip, with what was allocated since the one before.
    pub fn note_flip(&mut self, allocated: u64) {
        let now = Instant::now();
        let seconds = (now - self.flipped).as_secs_f64().max(1e-6);
        self.flipped = now;
        // Fast up, slowly down: an underestimate stalls, an overestimate costs a cycle too many.
        self.rate = (allocated as f64 / seconds).max(self.rate * 0.5);
    }

    /// Notes how long a cycle took, from its start until memory was free again, and what it marked of the bytes
    /// allocated in the epoch that it ended.
    pub fn note_cycle(&mut self, full: bool, marked: u64, allocated: u64, took: Duration) {
        let seconds = took.as_secs_f64();
        if full {
            self.full_pace = seconds / marked.max(1 << 20) as f64;
        } else {
            self.young_cycle = seconds.max(self.young_cycle * 0.5);
            self.survival = marked as f64 / allocated.max(1) as f64;
        }
    }

    /// Has the heap grow less, or as it may again.
    pub fn restrain(&mut self, restraint: f64) {
        self.restraint = restraint;
    }

    /// Notes a look at the machine's memory pressure.
    pub fn note_pressure(&mut self, percent: Option<f64>) {
        let now = percent.unwrap_or(0.0);
        self.pressure = (now, now.max(self.pressure.1));
    }

    /// Bytes that threads allocate in a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// What part of the allocated bytes the last young cycle found live.
    pub fn survival(&self) -> f64 {
        self.survival
    }

    /// The pressure at the last look, and the most that was seen, in percent of the time.
    pub fn pressure(&self) -> (f64, f64) {
        self.pressure
    }

    fn growth(&self, options: &Options, live: u64) -> u64 {
        (live as f64 * options.growth * self.restraint) as u64
    }

    /// What is allocated at least before a young cycle looks for the dead in it: the more survives, the more, so that a
    /// cycle finds as many dead bytes as where nothing does; but no more than there is already.
    fn young_trigger(&self, options: &Options, live: u64) -> u64 {
        let dying = (1.0 - self.survival).max(LEAST_DYING);
        let wanted = (options.young_trigger as f64 / dying) as u64;
        wanted.min(live).max(options.young_trigger)
    }

    /// Decides when the next cycle is due, after one.
    pub fn plan(&self, options: &Options, space: &mut Space, full: bool) {
        let live = space.totals.live;
        let growth = self.growth(options, live);
        let grown = growth.max(options.min_trigger);
        if full {
            space.full_above = live.saturating_add(grown);
        }
        space.trigger = if options.young_cycles {
            // In proportion to what is live, so that what a young cycle costs by being asked too often
            // (it takes what is half built to be old) stays in proportion, too.
            (growth / 2).max(self.young_trigger(options, live))
        } else {
            grown
        };
        space.next_full = live > space.full_above;
        let room = |limit: u64| limit.saturating_sub(live + space.external);
        let (hard, soft) = (space.limit.map(room), options.soft_limit.map(room));
        self.leave_room(options, space, hard, soft);
        space.keep = grown.max(space.trigger) / BLOCK as u64;
    }

    /// Decides when a young cycle is due during a full one, which has just flipped.
    pub fn plan_young(&self, options: &Options, space: &mut Space) {
        let wanted = (self.growth(options, space.totals.live) / 2).max(options.young_trigger);
        let room = space.usable(space.limit) / 2;
        space.trigger = wanted.min(room).max(options.young_trigger.min(LEAST_YOUNG));
    }

    /// The same once everything is swept, when it is known how much room there is.
    pub fn plan_again(&self, options: &Options, space: &mut Space) {
        let room = |limit| Some(space.usable(Some(limit?)) + space.allocated_since);
        let (hard, soft) = (room(space.limit), room(options.soft_limit));
        self.leave_room(options, space, hard, soft);
    }

    /// Has the next cycle start so early that it ends before there is no room left under the limits, as far as cycles
    /// can see to that under the soft one.
    fn leave_room(
        &self,
        options: &Options,
        space: &mut Space,
        hard: Option<u64>,
        soft: Option<u64>,
    ) {
        if let Some(room) = soft {
            let least = (space.totals.live / SOFT_PART).max(LEAST_SOFT);
            self.end_before(options, space, room, least);
        }
        if let Some(room) = hard {
            self.end_before(options, space, room, room / LEAST_PART);
        }
    }

    /// Has the next cycle start so early that it ends before `room` is used up, unless that were before `least` is.
    fn end_before(&self, options: &Options, space: &mut Space, room: u64, least: u64) {
        let live = space.totals.live as f64;
        let expected = |seconds: f64| ((seconds + LEAST_CYCLE) * self.rate * options.pacing) as u64;
        let after_full = room.saturating_sub(expected(self.full_pace * live)).max(least);
        // Another young cycle has to leave enough for a full one after it.
        let after_both = after_full.saturating_sub(expected(self.young_cycle));
        if after_both < space.trigger
            && (after_both < space.trigger / 2 || self.survival > MOST_SURVIVAL)
        {
            space.next_full = true;
        }
        let most = if space.next_full { after_full } else { after_both.max(least) };
        space.trigger = space.trigger.min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// When the next cycle is due after a full one that found so much live, in MiB.
    fn trigger(pacer: &Pacer, options: &Options, live: u64) -> u64 {
        let reserve = Some(64 * MIB);
        let options = Options { young_cycles: true, reserve, ..options.clone() };
        let mut space = Space::new(&options).unwrap();
        space.totals.live = live * MIB;
        pacer.plan(&options, &mut space, true);
        space.trigger / MIB
    }

    #[test]
    fn limits_and_pressure_make_cycles_more_frequent() {
        let mut pacer = Pacer::new();
        let of = |limit: Option<u64>, soft_limit: Option<u64>| Options {
            limit: limit.map(|limit| limit * MIB),
            soft_limit: soft_limit.map(|limit| limit * MIB),
            ..Options::default()
        };
        assert_eq!(trigger(&pacer, &of(None, None), 10), 64);
        assert_eq!(trigger(&pacer, &of(None, None), 1000), 750);
        assert_eq!(trigger(&pacer, &of(None, Some(1200)), 1000), 200);
        assert_eq!(trigger(&pacer, &of(Some(1200), None), 1000), 200);
        assert_eq!(trigger(&pacer, &of(Some(1200), Some(1100)), 1000), 125, "an eighth at least");
        assert_eq!(trigger(&pacer, &of(None, Some(900)), 1000), 125);
        pacer.restrain(0.5);
        assert_eq!(trigger(&pacer, &of(None, None), 1000), 375);
    }

    #[test]
    fn young_cycles_wait_for_something_to_have_died() {
        let mut pacer = Pacer::new();
        let options = Options { growth: 0.1, ..Options::default() };
        pacer.note_cycle(false, 75, 100, Duration::from_millis(1));
        assert_eq!(trigger(&pacer, &options, 200), 200, "no more than is live");
        assert_eq!(trigger(&pacer, &options, 1000), 256, "a quarter of it dies");
        pacer.note_cycle(false, 100, 100, Duration::from_millis(1));
        assert_eq!(trigger(&pacer, &options, 5000), 512);
        pacer.note_cycle(false, 0, 100, Duration::from_millis(1));
        assert_eq!(trigger(&pacer, &options, 500), 64);
    }

    #[test]
    fn the_room_that_is_left_lasts_until_a_cycle_is_over() {
        let mut pacer = Pacer::new();
        pacer.rate = (100 * MIB) as f64;
        pacer.full_pace = 0.5 / (1000 * MIB) as f64;
        let limit = Some(1200 * MIB);
        let options = Options { limit, pacing: 2.0, ..Options::default() };
        // Half a second for a gigabyte, in which 50 MiB are allocated: twice that is left.
        assert_eq!(trigger(&pacer, &options, 1000), 99);
    }
}
