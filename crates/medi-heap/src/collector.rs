//! The collector's own thread: who asks it for cycles, and how one waits for them.
//!
//! The thread starts with the first mutator, because making a thread takes longer than any pause may, and ends with the
//! heap. Requests that come while a cycle runs are served by one cycle after it, the most thorough that was asked
//! for. What the thread finds wrong with the heap is told to everyone who waits, and to everyone who asks afterwards.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::cycle;
use crate::heap::HeapInner;
use crate::mark;
use crate::os;

/// What a cycle is asked to do, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// Find what has died young.
    Young,
    /// What the pacing wants.
    Due,
    /// Mostly young, full now and then, for tests that collect all the time.
    Every,
    /// Find everything that is dead.
    Full,
}

/// Stands for a cycle that starts after it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    number: u64,
    /// A young cycle during a full one does as well.
    young_will_do: bool,
}

impl Ticket {
    /// The cycle's number.
    pub fn number(self) -> u64 {
        self.number
    }
}

/// How often the thread looks for idle memory at most.
const LEAST_DELAY: Duration = Duration::from_millis(1);

/// How thoroughly a thread has tried already to get memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Tried {
    #[default]
    Nothing,
    /// It has waited for the next cycle to end, which may be a young one during a full one.
    Soonest,
    /// It has waited for the cycle under way.
    Running,
    /// It has waited for so many full ones.
    Full(u32),
}

#[derive(Default)]
struct State {
    asked: Option<Kind>,
    /// The number of the cycle under way that runs during no other.
    alone: Option<u64>,
    /// Cycles that have started. They are numbered in that order.
    started: u64,
    /// The highest number of a cycle that has ended.
    ended: u64,
    /// The same without those that ran during another.
    ended_alone: u64,
    running: bool,
    quit: bool,
    /// What was found wrong; there are no more cycles then.
    failure: Option<String>,
}

/// The thread's side of the requests, which outlives the heap by a moment.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    asked: Condvar,
    ended: Condvar,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic at the collector's desk")
    }
}

#[derive(Default)]
pub(crate) struct Collector {
    desk: Arc<Desk>,
}

impl Collector {
    /// Asks for a cycle.
    ///
    /// # Panics
    /// When an earlier one has found the heap corrupted.
    pub fn ask(&self, kind: Kind) -> Ticket {
        let mut state = self.desk.state();
        if let Some(message) = state.failure.clone() {
            drop(state);
            panic!("{message}");
        }
        state.asked = state.asked.max(Some(kind));
        let ticket = Ticket { number: state.started + 1, young_will_do: kind < Kind::Full };
        self.desk.asked.notify_one();
        ticket
    }

    /// Starts the thread, and those that help it to mark, once.
    ///
    /// # Panics
    /// When the system gives none.
    pub fn start(&self, heap: &Arc<HeapInner>) {
        let mut state = self.desk.state();
        if !state.running {
            state.running = true;
            for i in 1..heap.options.markers.get() {
                let markers = Arc::clone(&heap.markers);
                spawn(format!("medi-marker-{i}"), move || mark::help(&markers));
            }
            let (desk, heap) = (Arc::clone(&self.desk), Arc::downgrade(heap));
            spawn("medi-collector".into(), move || serve(&desk, &heap));
        }
    }

    /// Asks for memory: for what a cycle that is under way brings, if one is and that has not been waited for, and for
    /// a full cycle otherwise. Returns what to wait for, and what will have been tried then.
    ///
    /// # Panics
    /// As [`Collector::ask`].
    pub fn ask_for_room(&self, tried: Tried) -> (Ticket, Tried) {
        let alone = self.desk.state().alone;
        match (tried, alone) {
            (Tried::Nothing, Some(number)) => {
                self.ask(Kind::Due);
                (Ticket { number, young_will_do: true }, Tried::Soonest)
            }
            (Tried::Soonest, Some(number)) => {
                (Ticket { number, young_will_do: false }, Tried::Running)
            }
            (tried, _) => {
                let before = if let Tried::Full(times) = tried { times } else { 0 };
                (self.ask(Kind::Full), Tried::Full(before + 1))
            }
        }
    }

    /// Waits until the cycle has ended, or the deadline has come. The caller is in native state. An error when the
    /// cycle has found the heap corrupted.
    pub fn wait(&self, ticket: Ticket, deadline: Option<Instant>) -> Result<(), String> {
        let mut state = self.desk.state();
        loop {
            if let Some(message) = &state.failure {
                return Err(message.clone());
            }
            let ended = if ticket.young_will_do { state.ended } else { state.ended_alone };
            if ended >= ticket.number {
                return Ok(());
            }
            state =
                match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                    None => self.desk.ended.wait(state).expect("no panic at the collector's desk"),
                    Some(Duration::ZERO) => return Ok(()),
                    Some(left) => {
                        let waited = self.desk.ended.wait_timeout(state, left);
                        waited.expect("no panic at the collector's desk").0
                    }
                };
        }
    }

    /// Whether a young cycle would do for what was asked. On the collector's thread, which is in a full cycle.
    pub fn young_is_asked(&self) -> bool {
        self.desk.state().asked.is_some_and(|kind| kind < Kind::Full)
    }

    /// Starts on a young cycle, if one does for what was asked; returns its number. On the collector's thread.
    pub fn start_young(&self) -> Option<u64> {
        let mut state = self.desk.state();
        state.asked.take_if(|kind| *kind < Kind::Full)?;
        state.started += 1;
        Some(state.started)
    }

    /// Notes that this young cycle has ended.
    pub fn end_young(&self, number: u64) {
        let mut state = self.desk.state();
        state.ended = state.ended.max(number);
        self.desk.ended.notify_all();
    }

    /// Lets the thread end.
    pub fn quit(&self) {
        self.desk.state().quit = true;
        self.desk.asked.notify_one();
    }
}

/// # Panics
/// When the system gives no thread.
fn spawn(name: String, run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name).spawn(run).expect("a thread for the collector");
}

fn serve(desk: &Desk, heap: &Weak<HeapInner>) {
    os::do_not_preempt_others();
    let delay = {
        let Some(heap) = heap.upgrade() else { return };
        cycle::expect_blocks(&heap);
        heap.options.return_delay.max(LEAST_DELAY)
    };
    let mut looked = Instant::now();
    loop {
        let mut asked = None;
        let number;
        {
            let mut state = desk.state();
            while asked.is_none() && !state.quit {
                asked = state.asked.take();
                let rest = delay.saturating_sub(looked.elapsed());
                if asked.is_some() || rest.is_zero() {
                    break;
                }
                let waited = desk.asked.wait_timeout(state, rest);
                state = waited.expect("no panic at the collector's desk").0;
            }
            if state.quit {
                return;
            }
            state.started += asked.is_some() as u64;
            number = state.started;
            state.alone = asked.map(|_| number);
        }
        let Some(heap) = heap.upgrade() else { return };
        if let Some(kind) = asked
            && !serve_one(desk, &heap, kind, number)
        {
            return;
        }
        if looked.elapsed() >= delay {
            looked = Instant::now();
            cycle::look_after_memory(&heap);
        }
    }
}

/// Runs the cycle of this number; false when it found something wrong.
fn serve_one(desk: &Desk, heap: &HeapInner, kind: Kind, number: u64) -> bool {
    let ran = panic::catch_unwind(AssertUnwindSafe(|| cycle::run(heap, kind)));
    let mut state = desk.state();
    state.ended = state.ended.max(number);
    state.ended_alone = number;
    state.alone = None;
    state.failure = ran.err().map(|payload| message(&*payload));
    desk.ended.notify_all();
    let failed = state.failure.is_some();
    drop(state);
    if failed {
        heap.cleaners.close();
    } else {
        cycle::finish(heap);
    }
    !failed
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("the collector panicked").to_string()
}
