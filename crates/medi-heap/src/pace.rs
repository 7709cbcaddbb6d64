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
}

impl Pacer {
    pub fn new() -> Pacer {
        Pacer {
            flipped: Instant::now(),
            rate: 0.0,
            full_pace: FIRST_PACE,
            young_cycle: 0.0,
            survival: 0.0,
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

    /// Decides when the next cycle is due, after one.
    pub fn plan(&self, options: &Options, space: &mut Space, full: bool) {
        let live = space.totals.live;
        let growth = (live as f64 * options.growth) as u64;
        let grown = growth.max(options.min_trigger);
        if full {
            space.full_above = live.saturating_add(grown);
        }
        space.trigger = if options.young_cycles {
            // In proportion to what is live, so that what a young cycle costs by being asked too often
            // (it takes what is half built to be old) stays in proportion, too.
            (growth / 2).max(options.young_trigger)
        } else {
            grown
        };
        space.next_full = live > space.full_above;
        if let Some(limit) = space.limit {
            let room = limit.saturating_sub(live + space.external);
            self.leave_room(options, space, room);
        }
        space.keep = grown.max(space.trigger) / BLOCK as u64;
    }

    /// Decides when a young cycle is due during a full one, which has just flipped.
    pub fn plan_young(&self, options: &Options, space: &mut Space) {
        let growth = (space.totals.live as f64 * options.growth / 2.0) as u64;
        let wanted = growth.max(options.young_trigger);
        space.trigger = wanted.min(space.usable() / 2).max(options.young_trigger.min(LEAST_YOUNG));
    }

    /// The same once everything is swept, when it is known how much room there is.
    pub fn plan_again(&self, options: &Options, space: &mut Space) {
        if space.limit.is_some() {
            let room = space.usable() + space.allocated_since;
            self.leave_room(options, space, room);
        }
    }

    /// Has the next cycle start so early that it ends before `room` is used up.
    fn leave_room(&self, options: &Options, space: &mut Space, room: u64) {
        let least = room / LEAST_PART;
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
        let most = if space.next_full { after_full } else { after_both };
        space.trigger = space.trigger.min(most);
    }
}
