//! Reports of leaks: what was never freed, and what keeps growing.
//!
//! With `--leaks`, or in a program that calls `memory.leaks()`, each full collection notes what every type holds, and some
//! of them what is reached from where ([`medi_heap::Heap::paths`]). A type whose volume keeps growing ([`trend`]) leads to
//! the structure that grows, found by comparing two such looks ([`growth`]). That is the method of Cork (Jump and McKinley,
//! POPL 2007), which watches the volume of each type over full collections and follows the growth through a graph of
//! types to what holds it; the graph here is a tree of chains of types from each root, so that two caches of the same
//! type are told apart.
//!
//! Owned buffers and scopes are noted by the natives that allocate them, with their stacks.

mod growth;
mod scopes;
mod trend;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use medi_heap::{Bytes, CycleReport, Heap, OnCycle, REGISTERED, TypeId};

use crate::code_map::CodeMap;
use crate::stack::{RawFrame, grouped};
use crate::stats::time;
use crate::thread::Run;
use growth::Look;
use scopes::Overdue;
pub(crate) use scopes::Watch;
use trend::Point;

/// Collections that are remembered one by one; of more, every second one.
const MOMENTS: usize = 128;
/// What is allocated between two full collections: this part of what is live, or so many bytes.
const PART_APART: u64 = 4;
const LEAST_APART: u64 = 1 << 20;
/// Looks that are kept: the last is compared with the first of them.
const LOOKS: usize = 3;
/// The full collection that is the first to be looked at.
const FIRST_LOOK: usize = 4;
/// A pin that is there in all looks is there for too long if these lie so many collections apart.
const PIN_CYCLES: usize = 6;
/// What the name of a root has in it that is a variable of the library.
const IN_LIBRARY: &str = "(lib/";
/// What such roots may hold, as a part of all.
const SMALL_PART: f64 = 0.1;
/// What the name of a root begins with that is a pin.
const PIN: &str = "pin ";

/// What kind of leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A collected structure that keeps growing.
    Grows,
    /// Owned memory that was never freed.
    Owned,
    /// A scope that is open for too long.
    Scope,
    /// A pin that is held for too long.
    Pin,
}

impl Kind {
    /// As programs see it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Grows => "grows",
            Kind::Owned => "owned",
            Kind::Scope => "scope",
            Kind::Pin => "pin",
        }
    }
}

/// A leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    /// What a person has to know first.
    pub what: String,
    /// What it holds.
    pub bytes: u64,
    /// What is said, and of what; the latter may have several lines.
    pub details: Vec<(&'static str, String)>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (label, text) in &self.details {
            write!(f, "\n     {label:<9}  {}", text.replace('\n', "\n                "))?;
        }
        Ok(())
    }
}

/// What the heap held after one full collection.
struct Moment {
    /// Counted from 1.
    cycle: usize,
    at: Duration,
    types: HashMap<TypeId, u64>,
}

#[derive(Default)]
struct State {
    heap: Option<Heap>,
    /// Full collections so far.
    cycles: usize,
    /// What was allocated since the last moment.
    allocated: u64,
    /// The last collection, and of those before it one in so many.
    moments: Vec<Moment>,
    stride: usize,
    next_look: usize,
    looks: VecDeque<Look>,
    /// Of scopes that have ended, by where they allocated first.
    overdue: HashMap<u64, (Overdue, usize)>,
}

/// Watches a run.
pub struct Leaks {
    started: OnceLock<Instant>,
    /// What has been allocated when the next full collection is due for the sake of the watch.
    due: AtomicU64,
    state: Mutex<State>,
}

impl Leaks {
    pub(crate) fn new() -> Arc<Leaks> {
        let state = State { next_look: FIRST_LOOK, stride: 1, ..State::default() };
        Arc::new(Leaks {
            started: OnceLock::new(),
            due: AtomicU64::new(LEAST_APART),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is told of cycles, besides `other`.
    pub(crate) fn on_cycle(self: &Arc<Leaks>, other: Option<OnCycle>) -> OnCycle {
        let leaks: Weak<Leaks> = Arc::downgrade(self);
        OnCycle(Arc::new(move |report| {
            if let Some(OnCycle(other)) = &other {
                other(report);
            }
            if let Some(leaks) = leaks.upgrade() {
                leaks.observe(report);
            }
        }))
    }

    /// How long the program runs.
    fn now(&self) -> Duration {
        self.started.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// The program starts.
    pub(crate) fn begin(&self) {
        self.started.get_or_init(Instant::now);
    }

    /// The heap whose cycles are told of.
    pub(crate) fn watch(&self, heap: Heap) {
        self.state().heap = Some(heap);
    }

    /// Whether a thread that allocates should collect first: growth shows over collections. One thread is told so.
    pub(crate) fn is_due(&self, heap: &Heap) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        // Relaxed: only the number matters, and that one thread takes it.
        heap.allocated_bytes() >= due
            && self
                .due
                .compare_exchange(due, u64::MAX, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Looks at the next full collection, in any case.
    pub(crate) fn look_soon(&self) {
        let mut state = self.state();
        state.next_look = state.cycles + 1;
    }

    /// Notes what a full cycle has found. On the collector's thread; without the lock while threads are held, since one
    /// of them may want it.
    fn observe(&self, report: &CycleReport) {
        let (heap, look) = {
            let mut state = self.state();
            state.allocated += report.allocated;
            if !report.full || report.nested {
                return;
            }
            state.cycles += 1;
            let look = state.cycles >= state.next_look;
            if look {
                state.next_look = state.cycles + (state.cycles / 2).max(1);
            }
            let Some(heap) = state.heap.clone() else { return };
            (heap, look)
        };
        let types = heap.census().into_iter().map(|row| (row.type_id, row.bytes)).collect();
        let paths = look.then(|| heap.paths()).flatten();
        let sites = if paths.is_some() { heap.sites() } else { vec![] };
        let apart = (report.live / PART_APART).max(LEAST_APART);
        self.due.store(heap.allocated_bytes() + apart, Ordering::Relaxed);
        let mut state = self.state();
        // One that comes soon after another, because the program asked for it, takes its place.
        let last = state.moments.last().map(|moment| moment.cycle);
        let replaced = last.filter(|_| state.allocated < apart / 2);
        if replaced.is_some() {
            state.moments.pop();
        } else {
            state.allocated = 0;
        }
        if state.moments.len() == MOMENTS {
            state.stride *= 2;
        }
        let (stride, cycle) = (state.stride, replaced.unwrap_or(state.cycles));
        state.moments.retain(|moment| moment.cycle.is_multiple_of(stride));
        let moment = Moment { cycle, at: self.now(), types };
        state.moments.push(moment);
        // In the middle of a library function, such as one that moves a map's content, a structure may be in pieces.
        if paths.as_ref().is_some_and(|paths| growth::held_by(paths, IN_LIBRARY) > SMALL_PART) {
            state.next_look = state.cycles + 1;
        } else if let Some(paths) = paths {
            let cycle = state.cycles;
            state.looks.push_back(Look { cycle, paths, sites });
            if state.looks.len() > LOOKS {
                state.looks.pop_front();
            }
        }
    }

    /// Notes a scope that ends.
    pub(crate) fn scope_ends(&self, watch: &Watch) {
        if let Some(overdue) = watch.overdue(self.now()) {
            let mut state = self.state();
            let entry = state.overdue.entry(overdue.first).or_insert((overdue, 0));
            entry.1 += 1;
            if overdue.held > entry.0.held {
                entry.0 = overdue;
            }
        }
    }

    /// All that is found now, in a program that has these scopes open.
    pub(crate) fn find(&self, run: &Run, open: &[Watch]) -> Vec<Finding> {
        let now = self.now();
        let mut findings = owned(run);
        let state = self.state();
        let mut scopes: Vec<(Overdue, usize)> = state.overdue.values().copied().collect();
        scopes.extend(open.iter().filter_map(|watch| Some((watch.overdue(now)?, 1))));
        scopes.sort_by_key(|(overdue, _)| std::cmp::Reverse(overdue.held));
        findings.extend(scopes.iter().map(|(overdue, times)| scope(run, *overdue, *times)));
        findings.extend(state.grown(run, now));
        findings.extend(state.pins());
        findings
    }

    /// The report at the end of a program.
    pub(crate) fn report(&self, run: &Run) -> String {
        let findings = self.find(run, &[]);
        let cycles = self.state().cycles;
        let looked = match cycles {
            0 => "there was no full collection, so growth was not looked for".into(),
            1 => "one full collection is too few to tell what grows".into(),
            cycles if cycles < trend::LEAST_POINTS => {
                format!("{cycles} full collections are too few to tell what grows")
            }
            cycles => format!("{} full collections looked at", grouped(cycles)),
        };
        if findings.is_empty() {
            return format!("leaks: none found ({looked})");
        }
        let mut text = format!("leaks: {} found ({looked})", findings.len());
        for (index, finding) in findings.iter().enumerate() {
            let _ = write!(text, "\n{:>3}. {finding}", index + 1);
        }
        text
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        self.state().heap = None;
    }
}

impl State {
    /// Structures that keep growing.
    fn grown(&self, run: &Run, now: Duration) -> Vec<Finding> {
        let Some(last) = self.moments.last() else { return vec![] };
        let grows = |ty: &TypeId| {
            let point = |moment: &Moment| Point {
                at: moment.at,
                bytes: moment.types.get(ty).copied().unwrap_or(0),
            };
            trend::grows(&self.moments.iter().map(point).collect::<Vec<_>>(), now)
        };
        let growing: HashSet<TypeId> = last.types.keys().filter(|ty| grows(ty)).copied().collect();
        let Some(later) = self.looks.back() else { return vec![] };
        let earlier = self.looks.front().filter(|look| look.cycle < later.cycle);
        growth::findings(earlier, later, &growing, self.cycles, run.sites())
    }

    /// Pins that were there in all looks.
    fn pins(&self) -> Vec<Finding> {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else {
            return vec![];
        };
        let cycles = last.cycle - first.cycle;
        if self.looks.len() < LOOKS || cycles < PIN_CYCLES {
            return vec![];
        }
        // A pin itself, or a collection of pins.
        let is_pin = |name: &str| name.starts_with(PIN) || name.contains("Pin[");
        let chains = |look: &Look| -> HashMap<Vec<String>, u64> {
            let nodes = &look.paths.nodes;
            let chain = |index| growth::chain(nodes, index).into_iter().map(String::from).collect();
            (0..nodes.len()).map(|index| (chain(index), nodes[index].bytes)).collect()
        };
        let looks: Vec<_> = self.looks.iter().map(chains).collect();
        let mut held: Vec<(&Vec<String>, u64)> = vec![];
        for (chain, bytes) in &looks[LOOKS - 1] {
            let pins = chain.iter().filter(|name| is_pin(name)).count();
            // What a collection of pins consists of is not told of again, and the empty collection of literals not at all.
            let literal = chain.first().is_some_and(|name| name == REGISTERED);
            let first = pins == 1 && !literal && chain.last().is_some_and(|name| is_pin(name));
            if first && looks.iter().all(|look| look.contains_key(chain)) {
                held.push((chain, *bytes));
            }
        }
        held.sort();
        let finding = |(chain, bytes): (&Vec<String>, u64)| {
            Finding {
            kind: Kind::Pin,
            what: match chain.as_slice() {
                [pin] => format!("{pin} has been held for {cycles} full collections or more"),
                [root, .., pins] => format!(
                    "{root} has held pins, in a {pins}, for {cycles} full collections or more"
                ),
                [] => String::new(),
            },
            bytes,
            details: vec![(
                "do",
                "pin a value where its place is needed, and let the pin go after that: what is pinned must not be \
                 resized"
                    .into(),
            )],
        }
        };
        held.into_iter().map(finding).collect()
    }
}

/// Owned memory that is not freed, by where it was allocated.
fn owned(run: &Run) -> Vec<Finding> {
    let mut by_site: HashMap<u64, (usize, u64)> = HashMap::new();
    for (bytes, site) in run.owned.live() {
        let found = by_site.entry(site).or_default();
        *found = (found.0 + 1, found.1 + bytes);
    }
    let mut sites: Vec<_> = by_site.into_iter().collect();
    sites.sort_by_key(|(site, (_, bytes))| (std::cmp::Reverse(*bytes), *site));
    let finding = |(site, (count, bytes)): (u64, (usize, u64))| {
        Finding {
        kind: Kind::Owned,
        what: match count {
            1 => format!("an owned buffer of {} was never freed", Bytes(bytes)),
            _ => format!("{} owned buffers were never freed: {}", grouped(count), Bytes(bytes)),
        },
        bytes,
        details: vec![
            ("allocated", run.sites().lines(site)),
            ("do", "call `free(x)` where the last one is done with it, or use `allocate(…)` in a scope".into()),
        ],
    }
    };
    sites.into_iter().map(finding).collect()
}

fn scope(run: &Run, overdue: Overdue, times: usize) -> Finding {
    let Overdue { first, most, held, open } = overdue;
    let often = if times > 1 { format!(" ({} times)", grouped(times)) } else { String::new() };
    let mut details = vec![("first", run.sites().lines(first))];
    if most != first {
        details.push(("most", run.sites().lines(most)));
    }
    details.push((
        "do",
        "open a `scope` inside of the loop for what one round needs; the outer one frees nothing before its end".into(),
    ));
    Finding {
        kind: Kind::Scope,
        what: format!(
            "a scope was open for {} and grew all the time, to {}{often}",
            time(open.as_nanos() as u64),
            Bytes(held)
        ),
        bytes: held,
        details,
    }
}

/// What a frame slot of references is called: the variable, or at least the function.
pub(crate) fn slot_name(code: &CodeMap, frame: RawFrame, slot: usize) -> String {
    let offset = slot.wrapping_sub(frame.fp) as isize as i32;
    match code.variable(frame.return_address, offset) {
        Some((function, Some(variable))) => {
            let (file, line, _) = code.resolve(variable.declared);
            let pin = if variable.pin { PIN } else { "" };
            format!("{pin}`{}` in {function} ({file}:{line})", variable.name)
        }
        Some((function, None)) => format!("a value of {function}"),
        None => "a value on a stack".into(),
    }
}
