//! What a heap counts about itself.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::types::TypeId;

/// Why a thread could not go on for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum PauseCause {
    /// It did what a handshake asked of it, or waited on its way back from native code while the collector did.
    Handshake,
    /// It took a block to allocate in, or memory for a large object.
    SlowPath,
    /// It swept a block for that.
    Sweep,
    /// It slept a moment, because threads allocate faster than the collector marks.
    MakeWay,
    /// It waited for a cycle because memory had run out.
    Stall,
}

impl PauseCause {
    /// All causes, in the order of their declaration.
    pub const ALL: [PauseCause; 5] = [
        PauseCause::Handshake,
        PauseCause::SlowPath,
        PauseCause::Sweep,
        PauseCause::MakeWay,
        PauseCause::Stall,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            PauseCause::Handshake => "handshake",
            PauseCause::SlowPath => "slow_path",
            PauseCause::Sweep => "sweep",
            PauseCause::MakeWay => "make_way",
            PauseCause::Stall => "stall",
        }
    }
}

/// How long the pauses of one cause were, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseStats {
    /// How many there were.
    pub count: u64,
    /// Half were no longer than this.
    pub p50: u64,
    /// 99 % were no longer than this.
    pub p99: u64,
    /// 99.9 % were no longer than this.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// The state of a heap's counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Collections finished, young ones included.
    pub cycles: u64,
    /// Collections of young objects only.
    pub young_cycles: u64,
    /// Those of the young ones that ran during a full one.
    pub nested_cycles: u64,
    /// Bytes allocated since the heap was made, in whole granules. Exact after a collection; between
    /// collections it leaves out what threads have allocated in the stretch they are in.
    pub allocated_bytes: u64,
    /// Bytes that the last collection found live.
    pub live_bytes: u64,
    /// Collected memory held from the system now, metadata included.
    pub heap_bytes: u64,
    /// The most that was ever held.
    pub peak_heap_bytes: u64,
    /// Bytes held in empty blocks, ready for use.
    pub free_bytes: u64,
    /// Bytes in page spans of large objects.
    pub large_bytes: u64,
    /// Bytes that the embedder has charged to the ledger.
    pub external_bytes: u64,
    /// The limit in force.
    pub limit: Option<u64>,
    /// What memory should stay under.
    pub soft_limit: Option<u64>,
    /// Bytes that threads allocated in a second, lately.
    pub allocation_rate: f64,
    /// What part of the bytes that it looked at the last young cycle found live.
    pub survival: f64,
    /// Percent of the last ten seconds in which some task of the machine or container waited for memory, when the heap
    /// last looked.
    pub pressure: f64,
    /// The most of that at any look.
    pub peak_pressure: f64,
    /// Objects marked, over all collections.
    pub marked_objects: u64,
    /// Bytes marked, over all collections.
    pub marked_bytes: u64,
    /// Wall-clock nanoseconds spent marking.
    pub mark_wall_ns: u64,
    /// CPU nanoseconds spent marking.
    pub mark_cpu_ns: u64,
    /// Nanoseconds spent sweeping. Sweeps are too short for the CPU clock, so this is by the wall clock.
    pub sweep_ns: u64,
    /// Blocks swept.
    pub swept_blocks: u64,
    /// Bytes given back to the system.
    pub returned_bytes: u64,
    /// How often a reference store took the barrier's slow path.
    pub barrier_slow_paths: u64,
    /// Objects that are registered with cleaner queues.
    pub cleaners_registered: u64,
    /// Payloads of dead objects that nobody has taken yet.
    pub cleaners_ready: u64,
    /// Payloads that were taken.
    pub cleaned: u64,
    /// Pauses by cause, in the order of [`PauseCause::ALL`].
    pub pauses: [PauseStats; PauseCause::ALL.len()],
}

impl Stats {
    /// The pauses of one cause.
    pub fn pause(&self, cause: PauseCause) -> PauseStats {
        self.pauses[cause as usize]
    }
}

/// What one cycle did. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleReport {
    /// Counts from one.
    pub number: u64,
    /// It looked at everything; otherwise at young objects and what was written since the last flip.
    pub full: bool,
    /// It ran during a full one, which goes on after it.
    pub nested: bool,
    /// When it began, since the heap was made.
    pub began: Duration,
    /// From its first handshake until every thread had passed the flip.
    pub flip: Duration,
    /// From then until nothing was left to mark.
    pub mark: Duration,
    /// CPU time of all markers in it.
    pub mark_cpu: Duration,
    /// From its beginning until what it found dead could be used again.
    pub whole: Duration,
    /// How often threads were asked to hand over what they had overwritten.
    pub rounds: u32,
    /// Objects marked.
    pub marked_objects: u64,
    /// Their bytes.
    pub marked_bytes: u64,
    /// What threads took in the epoch that it ended.
    pub allocated: u64,
    /// What threads took while it ran.
    pub allocated_meanwhile: u64,
    /// What counts as live after it.
    pub live: u64,
    /// What is held from the system after it.
    pub heap: u64,
    /// How much of that is in empty blocks.
    pub free: u64,
    /// Memory outside the heap on its ledger.
    pub external: u64,
    /// The limit in force.
    pub limit: Option<u64>,
    /// The next cycle begins when so much more was taken.
    pub next_after: u64,
    /// The next cycle will be a full one.
    pub next_full: bool,
}

/// What one type holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeUse {
    /// The type.
    pub type_id: TypeId,
    /// The name it was registered with.
    pub name: String,
    /// Live objects of it.
    pub objects: u64,
    /// Their bytes, in whole granules.
    pub bytes: u64,
}

/// Histograms of pauses.
pub(crate) struct Pauses {
    by_cause: [Histogram<u64>; PauseCause::ALL.len()],
}

impl Pauses {
    pub fn new() -> Pauses {
        // Two digits: 1 % is finer than the machine's own noise. An hour is longer than anyone waits.
        let histogram =
            || Histogram::new_with_max(3_600_000_000_000, 2).expect("a valid range and precision");
        Pauses { by_cause: std::array::from_fn(|_| histogram()) }
    }

    pub fn record(&mut self, cause: PauseCause, pause: Duration) {
        let ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        self.by_cause[cause as usize].saturating_record(ns);
    }

    pub fn summary(&self) -> [PauseStats; PauseCause::ALL.len()] {
        std::array::from_fn(|i| {
            let h = &self.by_cause[i];
            PauseStats {
                count: h.len(),
                p50: h.value_at_quantile(0.5),
                p99: h.value_at_quantile(0.99),
                p999: h.value_at_quantile(0.999),
                max: h.max(),
            }
        })
    }
}
