//! Choices for a run, defined once: [`OPTIONS`] names each as command-line flag and environment variable, the
//! fields of [`Options`] are the same choices for Rust.

use std::fmt;
use std::num::{NonZero, NonZeroU64};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use medi_heap::{Bytes, OnCycle, Stall};

use crate::check::Check;
use crate::container::Container;
use crate::gc_log::line;

/// Where the collector's statistics go when a program ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GcStats {
    #[default]
    Off,
    /// A table on standard error.
    Table,
    /// A JSON object in a file; `-` is standard error.
    Json(PathBuf),
}

/// Whether a run is watched for leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchLeaks {
    #[default]
    Off,
    /// For a program that asks.
    Watch,
    /// And told of at the end.
    Report,
}

impl WatchLeaks {
    pub fn is_on(self) -> bool {
        self != WatchLeaks::Off
    }
}

/// Choices for a run. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct Options {
    /// What collected memory and scope memory may hold together. Default: three quarters of what the
    /// machine or the container has.
    pub memory: Option<u64>,
    /// What they should stay under where collecting more often sees to it. Default: nine tenths of what the container
    /// is slowed down above, if it is.
    pub memory_soft: Option<u64>,
    /// Stack of each thread, taken as it is used. Default: 256 MiB.
    pub stack_size: u64,
    /// How many threads run tasks at the same time. Default: as many as the machine or the container has.
    pub threads: Option<usize>,
    pub check: Check,
    pub leaks: WatchLeaks,
    pub gc_stats: GcStats,
    /// Answer `medi gc-top` while the program runs.
    pub gc_top: bool,
    /// Print a line on standard error for each collection.
    pub gc_log: bool,
    /// Collect at every n-th allocation.
    pub collect_every: Option<NonZeroU64>,
    /// Check the heap against an independent trace after each collection.
    pub verify: bool,
    /// Overwrite freed memory, and check that nobody wrote to it.
    pub poison: bool,
    /// Move every object at every collection.
    pub moving: bool,
    /// Send every store of a reference through the barrier's slow path.
    pub log_writes: bool,
    /// Delay steps of the collector's protocol at random from this seed.
    pub delay_seed: Option<u64>,
    /// Trace everything at each collection, instead of mostly what is young.
    pub full_only: bool,
    /// How much may be allocated between collections, as a multiple of what is live.
    pub growth: Option<f64>,
    /// The least that is allocated between two collections of what is young.
    pub young_trigger: Option<u64>,
    /// How much more room a collection is given under a limit than threads are expected to need while it runs, as a
    /// factor.
    pub pacing: Option<f64>,
    /// Threads that mark. Default: one for each four processors.
    pub markers: Option<usize>,
    /// How long memory stays idle before it goes back to the system.
    pub return_delay: Option<Duration>,
    /// What a thread does that finds no memory.
    pub stall: Stall,
    /// Hold less memory while the machine or the container is short of it, by the kernel's account.
    pub watch_pressure: bool,
    /// The least that is allocated between collections.
    pub min_trigger: Option<u64>,
    /// What is allocated before the first collection.
    pub initial_trigger: Option<u64>,
    /// Mean distance of sampled allocations; 0 for none.
    pub sample_interval: Option<u64>,
    pub huge_pages: bool,
    /// Write /tmp/perf-PID.map, so that `perf` names compiled functions.
    pub perf_map: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            memory: None,
            memory_soft: None,
            young_trigger: None,
            pacing: None,
            markers: None,
            return_delay: None,
            stall: Stall::Wait,
            watch_pressure: true,
            stack_size: 256 << 20,
            threads: None,
            check: Check::Sampled,
            leaks: WatchLeaks::Off,
            gc_stats: GcStats::Off,
            gc_top: true,
            gc_log: false,
            collect_every: None,
            verify: false,
            poison: false,
            moving: false,
            log_writes: false,
            delay_seed: None,
            full_only: false,
            growth: None,
            min_trigger: None,
            initial_trigger: None,
            sample_interval: None,
            huge_pages: false,
            perf_map: false,
        }
    }
}

/// What follows an option's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// Nothing; the environment variable may be `1` or `0`.
    Nothing,
    /// A value of this kind.
    Value(&'static str),
    /// Nothing, or `=` and a value of this kind.
    OptionalValue(&'static str),
}

/// One option: the flag `--name`, the variable, and what it sets.
pub struct OptionSpec {
    pub name: &'static str,
    pub env: &'static str,
    pub takes: Takes,
    pub help: &'static str,
    /// Sets the option from its value; empty where none was given. Answers what is wrong with it.
    pub set: fn(&mut Options, &str) -> Result<(), String>,
}

macro_rules! option {
    ($name:literal, $env:literal, $takes:expr, $help:literal, $set:expr) => {
        OptionSpec { name: $name, env: $env, takes: $takes, help: $help, set: $set }
    };
}

const SIZE: Takes = Takes::Value("SIZE");
const TIME: Takes = Takes::Value("TIME");

/// Every option of a run.
pub static OPTIONS: &[OptionSpec] = &[
    option!(
        "memory",
        "MEDI_MEMORY",
        SIZE,
        "Most memory that the program may hold, such as 512MB or 2GB [default: 3/4 of the machine's]",
        |o, v| set_some(&mut o.memory, size(v))
    ),
    option!(
        "memory-soft",
        "MEDI_MEMORY_SOFT",
        SIZE,
        "Memory to stay under where collecting more often can see to it [default: 9/10 of the container's high mark]",
        |o, v| set_some(&mut o.memory_soft, size(v))
    ),
    option!(
        "stack-size",
        "MEDI_STACK_SIZE",
        SIZE,
        "Stack for nested calls [default: 256MB]",
        |o, v| set(&mut o.stack_size, size(v))
    ),
    option!(
        "threads",
        "MEDI_THREADS",
        Takes::Value("N"),
        "How many threads run tasks at the same time [default: one for each processor]",
        |o, v| set_some(&mut o.threads, threads(v))
    ),
    option!(
        "check",
        "MEDI_CHECK",
        Takes::Value("memory|sampled|off"),
        "Find native code that misuses memory: guard and quarantine all scope memory and verify the heap at each \
         collection (slow), guard one buffer in 8 MB, or none [default: sampled]",
        |o, v| set(&mut o.check, check(v))
    ),
    option!(
        "leaks",
        "MEDI_LEAKS",
        Takes::Nothing,
        "Say when the program ends what it never freed, and what kept growing; collects more often",
        |o, v| set(
            &mut o.leaks,
            switch(v).map(|on| if on { WatchLeaks::Report } else { WatchLeaks::Off })
        )
    ),
    option!(
        "gc-stats",
        "MEDI_GC_STATS",
        Takes::OptionalValue("table|json:FILE"),
        "Print what the collector did when the program ends, or write it to a file as JSON",
        |o, v| set(&mut o.gc_stats, gc_stats(v))
    ),
    option!(
        "gc-log",
        "MEDI_GC_LOG",
        Takes::Nothing,
        "Print a line for each collection: what it found, what it cost, when the next is due",
        |o, v| set(&mut o.gc_log, switch(v))
    ),
    option!(
        "gc-top",
        "MEDI_GC_TOP",
        Takes::OptionalValue("1|0"),
        "Let `medi gc-top` look at the running program [default: 1]",
        |o, v| set(&mut o.gc_top, switch(v))
    ),
    option!(
        "gc-collect-every",
        "MEDI_GC_COLLECT_EVERY",
        Takes::Value("N"),
        "Collect at every N-th allocation (finds mistakes in the runtime)",
        |o, v| set_some(&mut o.collect_every, v.parse().map_err(|_| whole("1")))
    ),
    option!(
        "gc-verify",
        "MEDI_GC_VERIFY",
        Takes::Nothing,
        "Check the whole heap after each collection",
        |o, v| set(&mut o.verify, switch(v))
    ),
    option!(
        "gc-poison",
        "MEDI_GC_POISON",
        Takes::Nothing,
        "Overwrite freed memory, and check that it stays so",
        |o, v| set(&mut o.poison, switch(v))
    ),
    option!(
        "gc-moving",
        "MEDI_GC_MOVING",
        Takes::Nothing,
        "Move every object at every collection (shows references that the collector missed)",
        |o, v| set(&mut o.moving, switch(v))
    ),
    option!(
        "gc-log-writes",
        "MEDI_GC_LOG_WRITES",
        Takes::Nothing,
        "Send every store of a reference through the write barrier's slow path",
        |o, v| set(&mut o.log_writes, switch(v))
    ),
    option!(
        "gc-delay-seed",
        "MEDI_GC_DELAY_SEED",
        Takes::Value("SEED"),
        "Delay steps of the collector at random, from this seed (finds mistakes in the runtime)",
        |o, v| set_some(&mut o.delay_seed, v.parse().map_err(|_| whole("0")))
    ),
    option!(
        "gc-full-only",
        "MEDI_GC_FULL_ONLY",
        Takes::Nothing,
        "Trace everything at each collection, instead of mostly what is young",
        |o, v| set(&mut o.full_only, switch(v))
    ),
    option!(
        "gc-growth",
        "MEDI_GC_GROWTH",
        Takes::Value("FACTOR"),
        "Memory to allocate before the next collection, as a multiple of what is in use",
        |o, v| set_some(&mut o.growth, factor(v))
    ),
    option!(
        "gc-young-trigger",
        "MEDI_GC_YOUNG_TRIGGER",
        SIZE,
        "Least memory to allocate before what is young is collected [default: 64MB]",
        |o, v| set_some(&mut o.young_trigger, size(v))
    ),
    option!(
        "gc-pacing",
        "MEDI_GC_PACING",
        Takes::Value("FACTOR"),
        "Room left for what is allocated during a collection, as a multiple of what is expected [default: 1.5]",
        |o, v| set_some(&mut o.pacing, factor(v))
    ),
    option!(
        "gc-markers",
        "MEDI_GC_MARKERS",
        Takes::Value("N"),
        "How many threads find what is in use [default: one for each four processors]",
        |o, v| set_some(&mut o.markers, threads(v))
    ),
    option!(
        "gc-return-delay",
        "MEDI_GC_RETURN_DELAY",
        TIME,
        "How long memory is idle before it goes back to the system, such as 500ms or 10s [default: 1s]",
        |o, v| set_some(&mut o.return_delay, time(v))
    ),
    option!(
        "gc-stall",
        "MEDI_GC_STALL",
        Takes::Value("wait|fail|TIME"),
        "What an allocation does that finds no memory: wait for collections, fail, or wait at most so long",
        |o, v| set(&mut o.stall, stall(v))
    ),
    option!(
        "gc-watch-pressure",
        "MEDI_GC_WATCH_PRESSURE",
        Takes::OptionalValue("1|0"),
        "Hold less memory while the machine is short of it [default: 1]",
        |o, v| set(&mut o.watch_pressure, switch(v))
    ),
    option!(
        "gc-min-trigger",
        "MEDI_GC_MIN_TRIGGER",
        SIZE,
        "Least memory to allocate before the next collection",
        |o, v| set_some(&mut o.min_trigger, size(v))
    ),
    option!(
        "gc-initial-trigger",
        "MEDI_GC_INITIAL_TRIGGER",
        SIZE,
        "Memory to allocate before the first collection",
        |o, v| set_some(&mut o.initial_trigger, size(v))
    ),
    option!(
        "gc-sample-interval",
        "MEDI_GC_SAMPLE_INTERVAL",
        SIZE,
        "Mean distance of the allocations that the out-of-memory report is estimated from; 0 for none",
        |o, v| set_some(&mut o.sample_interval, size(v))
    ),
    option!(
        "gc-huge-pages",
        "MEDI_GC_HUGE_PAGES",
        Takes::Nothing,
        "Ask the kernel for huge pages",
        |o, v| set(&mut o.huge_pages, switch(v))
    ),
    option!(
        "perf-map",
        "MEDI_PERF_MAP",
        Takes::Nothing,
        "Write /tmp/perf-PID.map, so that perf shows the program's functions",
        |o, v| set(&mut o.perf_map, switch(v))
    ),
];

/// An environment variable that does not say what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionError {
    pub name: &'static str,
    pub reason: String,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl std::error::Error for OptionError {}

impl Options {
    /// The defaults, overridden by the environment: `lookup` finds a variable's value.
    ///
    /// # Errors
    /// For the first variable with a value that its option cannot take.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Options, OptionError> {
        let mut options = Options::default();
        for spec in OPTIONS {
            let Some(value) = lookup(spec.env) else { continue };
            let set = (spec.set)(&mut options, &value);
            set.map_err(|reason| OptionError { name: spec.env, reason })?;
        }
        Ok(options)
    }

    /// The limit in force, in a container with these limits.
    fn memory_limit(&self, container: &Container) -> u64 {
        let machine = || {
            let physical = physical_memory();
            container.max.map_or(physical, |max| max.min(physical))
        };
        self.memory.unwrap_or_else(|| machine() / 4 * 3)
    }

    /// How many threads run tasks.
    pub fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(processors).min(MOST_THREADS)
    }

    /// How many threads mark.
    fn marker_count(&self) -> NonZero<usize> {
        let count = self.markers.unwrap_or_else(|| processors() / 4);
        NonZero::new(count.min(MOST_THREADS)).unwrap_or(NonZero::<usize>::MIN)
    }

    /// What the heap is made with.
    pub fn heap_options(&self) -> medi_heap::Options {
        let defaults = medi_heap::Options::default();
        let container = Container::read(Path::new("/"));
        let sample_interval =
            if self.leaks.is_on() { LEAKS_SAMPLES } else { defaults.sample_interval };
        medi_heap::Options {
            limit: Some(self.memory_limit(&container)),
            soft_limit: self.memory_soft.or(container.high.map(|high| high / 10 * 9)),
            stall: self.stall,
            pressure: container.pressure.filter(|_| self.watch_pressure),
            young_trigger: self.young_trigger.unwrap_or(defaults.young_trigger),
            pacing: self.pacing.unwrap_or(defaults.pacing),
            markers: self.marker_count(),
            return_delay: self.return_delay.unwrap_or(defaults.return_delay),
            poison: self.poison || self.check == Check::Memory,
            collect_every: self.collect_every,
            verify: self.verify || self.check == Check::Memory,
            moving: self.moving,
            log_writes: self.log_writes,
            delay_seed: self.delay_seed,
            young_cycles: !self.full_only,
            growth: self.growth.unwrap_or(defaults.growth),
            min_trigger: self.min_trigger.unwrap_or(defaults.min_trigger),
            initial_trigger: self.initial_trigger.unwrap_or(defaults.initial_trigger),
            sample_interval: self.sample_interval.unwrap_or(sample_interval),
            huge_pages: self.huge_pages,
            on_cycle: self
                .gc_log
                .then(|| OnCycle(Arc::new(|report| eprintln!("{}", line(report))))),
            ..defaults
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Mean distance of sampled allocations where leaks are watched for.
const LEAKS_SAMPLES: u64 = 32 << 10;

fn set<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

fn set_some<T>(field: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *field = Some(value?);
    Ok(())
}

fn whole(least: &str) -> String {
    format!("wants a whole number of at least {least}")
}

/// More would not fit into the address space with their stacks.
const MOST_THREADS: usize = 256;

fn threads(value: &str) -> Result<usize, String> {
    let count = value.parse().ok().filter(|count| (1..=MOST_THREADS).contains(count));
    count.ok_or_else(|| format!("wants a whole number from 1 to {MOST_THREADS}, not `{value}`"))
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("wants 1 or 0, not `{value}`")),
    }
}

fn check(value: &str) -> Result<Check, String> {
    match value {
        "memory" => Ok(Check::Memory),
        "sampled" => Ok(Check::Sampled),
        "off" => Ok(Check::Off),
        _ => Err(format!("wants `memory`, `sampled` or `off`, not `{value}`")),
    }
}

fn factor(value: &str) -> Result<f64, String> {
    let factor = value.parse().ok().filter(|factor| (0.1..=100.0).contains(factor));
    factor.ok_or_else(|| format!("wants a number from 0.1 to 100, not `{value}`"))
}

fn stall(value: &str) -> Result<Stall, String> {
    match value {
        "wait" => Ok(Stall::Wait),
        "fail" => Ok(Stall::Fail),
        _ => time(value)
            .map(Stall::AtMost)
            .map_err(|_| format!("wants `wait`, `fail` or a time such as 20ms, not `{value}`")),
    }
}

/// A time as people write it: `250ms`, `1.5s`, `2min`, `300us`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("wants a time such as 500ms or 10s, not `{text}`");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

fn gc_stats(value: &str) -> Result<GcStats, String> {
    match value.split_once(':') {
        None if matches!(value, "" | "table" | "1") => Ok(GcStats::Table),
        None if matches!(value, "0" | "off") => Ok(GcStats::Off),
        None if value == "json" => Ok(GcStats::Json("-".into())),
        Some(("json", path)) if !path.is_empty() => Ok(GcStats::Json(path.into())),
        _ => Err(format!("wants `table` or `json:FILE`, not `{value}`")),
    }
}

/// A size as people write it: `512MB`, `2GB`, `64KiB`, `1.5GB`, `4096`. Units are powers of 1024.
///
/// # Errors
/// Says what is wrong and what would be right.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("wants a size such as 512MB or 2GB, not `{text}`");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * (1u64 << shift) as f64;
    if bytes > (1u64 << 47) as f64 {
        return Err(format!("`{text}` is more than any machine has"));
    }
    Ok(bytes as u64)
}

/// Memory of the machine.
fn physical_memory() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let (pages, page) =
        unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let physical = u64::try_from(pages).unwrap_or(0) * u64::try_from(page).unwrap_or(0);
    if physical == 0 { 4 << 30 } else { physical }
}

/// For messages: a size in the unit that a person would use.
pub fn show_size(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = |text| size(text).ok();
        assert_eq!(read("512MB"), Some(512 << 20));
        assert_eq!(read("1.5g"), Some(3 << 29));
        assert_eq!(read("64KiB"), Some(64 << 10));
        assert_eq!(read("4096"), Some(4096));
        assert_eq!(
            (read("MB"), read("12 parsecs"), read("-1GB"), read("9999999TB")),
            (None, None, None, None)
        );
    }

    #[test]
    fn the_environment_sets_what_the_flags_set() {
        let lookup = |name: &str| match name {
            "MEDI_MEMORY" => Some("2GB".to_string()),
            "MEDI_GC_STATS" => Some("json:out.json".to_string()),
            "MEDI_GC_VERIFY" => Some("1".to_string()),
            _ => None,
        };
        let options = Options::from_env(lookup).unwrap();
        assert_eq!(options.memory, Some(2 << 30));
        assert_eq!(options.gc_stats, GcStats::Json("out.json".into()));
        assert!(options.verify && !options.poison);
    }

    #[test]
    fn a_bad_value_names_its_variable_and_what_it_wants() {
        let error = Options::from_env(|name| (name == "MEDI_MEMORY").then(|| "lots".into()));
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "MEDI_MEMORY: wants a size such as 512MB or 2GB, not `lots`");
    }

    #[test]
    fn threads_are_a_whole_number_that_a_machine_can_have() {
        let read = |text| threads(text).ok();
        assert_eq!([read("1"), read("256")], [Some(1), Some(256)]);
        assert_eq!([read("0"), read("257"), read("-2"), read("two"), read("")], [None; 5]);
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |text| time(text).ok();
        assert_eq!(read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!([read("10"), read("ms"), read("-1s"), read("1 day")], [None; 4]);
        assert_eq!(stall("20ms"), Ok(Stall::AtMost(Duration::from_millis(20))));
        assert_eq!((stall("wait"), stall("fail")), (Ok(Stall::Wait), Ok(Stall::Fail)));
        assert!(stall("never").unwrap_err().contains("`wait`, `fail` or a time"));
    }

    #[test]
    fn each_option_has_its_own_name_and_variable() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            let upper = spec.name.to_uppercase().replace('-', "_");
            assert_eq!(spec.env, format!("MEDI_{upper}"));
            assert!(OPTIONS[..index].iter().all(|other| other.name != spec.name));
        }
    }
}
