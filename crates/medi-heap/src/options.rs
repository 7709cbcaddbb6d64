//! Everything about a heap that can be chosen when it is made.
//!
//! The defaults are what a program should run with; the modes that find bugs are ordinary options, so
//! that a test turns them on without another build.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::stats::CycleReport;

/// Choices for a new heap. All sizes are bytes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most memory that the heap and the external ledger together may hold. `None`: as much as the
    /// reserve has room for. Default: `None`.
    pub limit: Option<u64>,
    /// What the heap and the external ledger together should stay under, as long as cycles can see to it: as they get
    /// close to it, cycles become more frequent, at the worst one for each eighth of what is live that is allocated.
    /// Nothing fails for it. Default: `None`.
    pub soft_limit: Option<u64>,
    /// What a thread does that finds no memory. Default: [`Stall::Wait`].
    pub stall: Stall,
    /// A file in the format of the kernel's pressure stall information, for memory: read on the collector's thread
    /// once every `return_delay`. Under pressure the heap grows less between cycles, and gives all idle
    /// memory back. Default: `None`.
    pub pressure: Option<PathBuf>,
    /// Address space to reserve. Costs nothing until used. `None`: four times the limit, or twice the
    /// machine's memory when there is no limit; halved until the system grants it. Default: `None`.
    pub reserve: Option<u64>,
    /// Fill what is freed with [`crate::layout::POISON`], and check the pattern when the memory is used
    /// again, which finds writes after free. Default: off.
    pub poison: bool,
    /// Collect at every n-th allocation; compiled code then takes the slow path for each of them.
    /// Default: `None`.
    pub collect_every: Option<NonZeroU64>,
    /// After each collection, trace the heap again in the simplest way and compare. A difference is a
    /// panic that says what was found. Default: off.
    pub verify: bool,
    /// For tests: every collection moves every object to fresh memory and makes the old memory
    /// inaccessible (or poisoned and readable, with `poison`), so that a root nobody reported faults at
    /// its next use. Default: off.
    pub moving: bool,
    /// Make every reference store take the barrier's slow path. With `verify`, also check at each
    /// collection that an object whose references changed went through it. Default: off.
    pub log_writes: bool,
    /// Collect young objects alone where that is enough: between two full collections, what has survived
    /// one is taken to be live. Needs the write barrier before every reference store into an object that
    /// may have seen a safepoint. Default: off.
    pub young_cycles: bool,
    /// The least that is allocated before a young collection; more when much is live, or much of what is allocated
    /// survives. Default: 64 MiB.
    pub young_trigger: u64,
    /// How much may be allocated before the next collection (with `young_cycles`: survive before the next
    /// full one), as a multiple of what the last one found
    /// live. Default: 1.5.
    pub growth: f64,
    /// The least that is allocated (or survives) between two of them, however little is live. Default: 64 MiB.
    pub min_trigger: u64,
    /// How much is allocated before the first collection, at most the young trigger. Default: 64 MiB.
    pub initial_trigger: u64,
    /// How much more room a cycle is given under a limit than threads are expected to allocate while it runs, as a
    /// factor. More makes stalls rarer and cycles more frequent. Default: 1.5.
    pub pacing: f64,
    /// Threads that mark, the collector's own included. More shorten cycles when processors are free, and take them from
    /// the program when none are. Default: 1.
    pub markers: NonZeroUsize,
    /// How long memory stays idle before it goes back to the system, half of it each time. Default: 1 s.
    pub return_delay: Duration,
    /// Mean distance between two sampled allocations; 0 turns sampling off. Default: 512 KiB.
    pub sample_interval: u64,
    /// Ask the kernel for huge pages for the small-object space. Default: off.
    pub huge_pages: bool,
    /// Told of each cycle when it has ended, on the collector's thread. Default: `None`.
    pub on_cycle: Option<OnCycle>,
    /// Make the n-th request to the operating system (reserve, commit) and all later ones fail, counted
    /// from zero, to see what the embedder does then. Default: `None`.
    pub fail_os_after: Option<u64>,
    /// Delay steps of the collector's protocol at random, from this seed, to see interleavings that are rare otherwise.
    /// Default: `None`.
    pub delay_seed: Option<u64>,
    /// Break the collector in a chosen way, to prove that the checks would find it. Default: none.
    pub plant: Option<Plant>,
}

/// What a thread does that finds no memory, and could have some after a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stall {
    /// Waits for cycles, until memory is free or they have shown that it is out.
    #[default]
    Wait,
    /// The same, but for one allocation no longer than this in all; then memory counts as out.
    AtMost(Duration),
    /// Takes memory to be out at once, for programs in which a late answer is a wrong one.
    Fail,
}

/// Someone who wants to be told of cycles. It must not call into the heap in ways that wait for a cycle.
#[derive(Clone)]
pub struct OnCycle(pub Arc<dyn Fn(&CycleReport) + Send + Sync>);

// A heap whose observer has panicked runs no more cycles.
impl UnwindSafe for OnCycle {}
impl RefUnwindSafe for OnCycle {}

impl fmt::Debug for OnCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnCycle")
    }
}

/// A bug to plant in the collector. Each is one that the verifier must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Marking overlooks the first root slot that is not nil.
    SkipRoot,
    /// Marking overlooks the last reference of each object.
    SkipField,
    /// Marking leaves out the end bits.
    SkipEnd,
    /// Weak references to dead objects are left as they were.
    KeepWeak,
    /// Cleaners of dead objects stay registered.
    KeepCleaners,
    /// Cleaners of old objects become ready.
    CleanLive,
    /// The write barrier logs nothing.
    SkipLog,
    /// The write barrier does not have marked what is stored while some threads have passed the flip and others have not.
    SkipShade,
    /// What is allocated while some threads have passed the flip and others have not is not remembered.
    SkipTransition,
    /// Marking ends when the marker has nothing left to do, and no thread is asked what it has overwritten.
    SkipRounds,
    /// What goes into handles and out of them is not marked.
    SkipHandles,
    /// Weak references are followed without having what they refer to marked.
    SkipWeak,
    /// A young cycle during a full one does not start from what was written.
    SkipNestedLog,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limit: None,
            soft_limit: None,
            stall: Stall::Wait,
            pressure: None,
            reserve: None,
            poison: false,
            collect_every: None,
            verify: false,
            moving: false,
            log_writes: false,
            young_cycles: false,
            young_trigger: 64 << 20,
            growth: 1.5,
            min_trigger: 64 << 20,
            initial_trigger: 64 << 20,
            pacing: 1.5,
            markers: NonZeroUsize::MIN,
            return_delay: Duration::from_secs(1),
            sample_interval: 512 << 10,
            huge_pages: false,
            on_cycle: None,
            fail_os_after: None,
            delay_seed: None,
            plant: None,
        }
    }
}
