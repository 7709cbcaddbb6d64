//! What a collector says of itself: its pauses, and how long the program waited for memory, from each runtime's own log.
//!
//! A *pause* is a time in which the collector holds the program still. A *stall* is a wait of the program for memory that the
//! collector has not freed yet. What a runtime does not log is `None`, never 0.

use std::fs;
use std::io;

use serde_json::{Value, json};

use crate::latency::runtime::{Files, Kind};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collector {
    pub pauses: Option<Pauses>,
    pub stalls: Stalls,
    /// Collections of everything in one pause, by collectors that mean to do without.
    pub fallbacks: Option<u64>,
}

/// In nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    pub count: u64,
    pub longest: u64,
}

/// In nanoseconds. Shenandoah's pacing and Go's assists are logged as sums only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    pub count: Option<u64>,
    pub longest: Option<u64>,
    pub total: Option<u64>,
}

impl Pauses {
    fn add(&mut self, duration: u64) {
        self.count += 1;
        self.longest = self.longest.max(duration);
    }
}

impl Stalls {
    fn add(&mut self, duration: u64) {
        *self.count.get_or_insert(0) += 1;
        *self.total.get_or_insert(0) += duration;
        self.longest = self.longest.max(Some(duration));
    }
}

impl Collector {
    /// Reads what a finished run left.
    ///
    /// # Errors
    /// When its log cannot be read, or is not what its runtime writes.
    pub fn read(kind: Kind, files: &Files) -> io::Result<Collector> {
        match kind {
            Kind::Medi => medi(&fs::read_to_string(&files.log)?),
            Kind::Java(_) => Ok(hotspot(&fs::read_to_string(&files.log)?)),
            Kind::Go => Ok(go(&fs::read_to_string(&files.errors)?)),
            Kind::Node => Ok(node(&fs::read_to_string(&files.output)?)),
            Kind::Boehm => Ok(boehm(&fs::read_to_string(&files.errors)?)),
            Kind::OCaml | Kind::Rust => Ok(Collector::default()),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "pauses": self.pauses.map(|p| json!({ "count": p.count, "longest_ns": p.longest })),
            "stalls": {
                "count": self.stalls.count,
                "longest_ns": self.stalls.longest,
                "total_ns": self.stalls.total,
            },
            "fallbacks": self.fallbacks,
        })
    }
}

/// The statistics of `medi run --gc-stats=json:FILE`.
fn medi(text: &str) -> io::Result<Collector> {
    let stats: Value = serde_json::from_str(text)?;
    let causes = stats["pauses"].as_object();
    let causes =
        causes.ok_or_else(|| io::Error::other("Medi's statistics hold no object `pauses`"))?;
    let (mut pauses, mut stalls) = (Pauses::default(), Stalls::default());
    for (cause, figures) in causes {
        let figure = |name: &str| figures[name].as_u64().unwrap_or(0);
        pauses.count += figure("count");
        pauses.longest = pauses.longest.max(figure("max"));
        if cause == "stall" {
            stalls =
                Stalls { count: Some(figure("count")), longest: Some(figure("max")), total: None };
        }
    }
    Ok(Collector { pauses: Some(pauses), stalls, fallbacks: None })
}

/// `-Xlog:gc,gc+stats,safepoint`: `[0.1s][info][gc          ] MESSAGE`. A pause is counted from the moment that the threads are asked
/// to stop.
fn hotspot(text: &str) -> Collector {
    const COLLECTORS: &[&str] = &["G1", "Parallel", "Serial", "Z", "Shenandoah", "GenCollect"];
    let (mut pauses, mut stalls, mut fallbacks) = (Pauses::default(), Stalls::default(), 0);
    for line in text.lines() {
        let Some((decorations, message)) = line.split_once("] ") else { continue };
        let tags = decorations.rsplit('[').next().unwrap_or("").trim();
        match tags {
            "safepoint" => {
                let operation = after(message, "Safepoint \"").unwrap_or("");
                if COLLECTORS.iter().any(|name| operation.starts_with(name)) {
                    pauses.add(number(after(message, "Total: ")) as u64);
                }
            }
            "gc,stats" if message.starts_with("Pacing ") => {
                stalls.total = Some((1e9 * number(after(message, "= ").map(str::trim))) as u64);
            }
            "gc" if message.starts_with("Using The Z ") => stalls.count = Some(0),
            "gc" if message.contains("Pause Full") || message.contains("Pause Degenerated") => {
                fallbacks += 1;
            }
            "gc" => {
                let stall =
                    after(message, "Allocation Stall (").or(after(message, "Relocation Stall ("));
                // The collector's own threads wait for each other too.
                if let Some((thread, duration)) = stall.and_then(|stall| stall.split_once(") "))
                    && !thread.starts_with("ZWorker")
                {
                    stalls.add(millis(number(Some(duration))));
                }
            }
            _ => {}
        }
    }
    Collector { pauses: Some(pauses), stalls, fallbacks: Some(fallbacks) }
}

/// `GODEBUG=gctrace=1`: `gc 1 @0.1s 2%: 0.02+1.3+0.01 ms clock, 0.04+0.1/1.2/0.3+0.02 ms cpu, …`. Of the three times of the
/// clock the world is stopped in the first and the last; assists are the first of the three in the middle.
fn go(text: &str) -> Collector {
    let (mut pauses, mut stalls) = (Pauses::default(), Stalls::default());
    let cycles = text.lines().filter(|line| line.starts_with("gc "));
    for line in cycles {
        let Some((clock, rest)) =
            after(line, "%: ").and_then(|rest| rest.split_once(" ms clock, "))
        else {
            continue;
        };
        let times: Vec<&str> = clock.split('+').collect();
        for stopped in [times.first(), times.get(2)] {
            pauses.add(millis(number(stopped.copied())));
        }
        *stalls.total.get_or_insert(0) += millis(number(rest.split('+').nth(1)));
    }
    Collector { pauses: Some(pauses), stalls, fallbacks: None }
}

/// `--trace-gc`: `… 885 ms: Mark-Compact 114.7 (153.9) -> 72.3 (153.9) MB, 76.15 / 0.00 ms  (+ 1.2 ms in 1 steps since start of
/// marking, biggest step 1.2 ms, …`.
fn node(text: &str) -> Collector {
    let mut pauses = Pauses::default();
    for line in text.lines().filter(|line| line.contains(" ms: ") && line.contains(" MB, ")) {
        pauses.add(millis(number(after(line, " MB, "))));
        if let Some(steps) = after(line, "(+ ") {
            pauses.count += number(after(steps, " ms in ")) as u64;
            pauses.longest = pauses.longest.max(millis(number(after(steps, "biggest step "))));
        }
    }
    Collector { pauses: Some(pauses), ..Collector::default() }
}

/// `GC_PRINT_STATS=1`: `Complete collection took 142 ms 518455 ns`.
fn boehm(text: &str) -> Collector {
    let mut pauses = Pauses::default();
    for took in text.lines().filter_map(|line| after(line, "Complete collection took ")) {
        pauses.add(millis(number(Some(took))) + number(after(took, " ms ")) as u64);
    }
    Collector { pauses: Some(pauses), ..Collector::default() }
}

fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest)
}

/// The number that a text begins with; 0 if it begins with none.
fn number(text: Option<&str>) -> f64 {
    let text = text.unwrap_or("");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].parse().unwrap_or(0.0)
}

fn millis(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(count: u64, longest: u64) -> Option<Pauses> {
        Some(Pauses { count, longest })
    }

    #[test]
    fn medi_pauses_are_the_longest_of_all_causes_and_stalls_stand_apart() {
        let text = r#"{"pauses": {
            "handshake": {"count": 7, "max": 900},
            "stall": {"count": 2, "max": 5000}
        }}"#;
        let stalls = Stalls { count: Some(2), longest: Some(5000), total: None };
        let expected = Collector { pauses: pauses(9, 5000), stalls, fallbacks: None };
        assert_eq!(medi(text).unwrap(), expected);
        assert!(medi("{}").is_err());
    }

    #[test]
    fn zgc_stalls_are_those_of_the_program() {
        let log = r#"
[0.003s][info][gc          ] Using The Z Garbage Collector
[0.079s][info][safepoint   ] Safepoint "ZMarkEndYoung", Time since last: 4922307 ns, Reaching safepoint: 87401 ns, At safepoint: 18147 ns, Leaving safepoint: 11006 ns, Total: 116554 ns, Threads: 1 runnable, 10 total
[0.080s][info][safepoint   ] Safepoint "CleanClassLoaderDataMetaspaces", Time since last: 4922307 ns, Total: 900000 ns, Threads: 1 runnable, 10 total
[4.858s][info][gc          ] Allocation Stall (main) 1.776ms
[5.286s][info][gc          ] Allocation Stall (main) 107.313ms
[5.290s][info][gc          ] GC(30) O: Relocation Stall (ZWorkerOld#0) 900.000ms"#;
        let stalls =
            Stalls { count: Some(2), longest: Some(107_313_000), total: Some(109_089_000) };
        let expected = Collector { pauses: pauses(1, 116_554), stalls, fallbacks: Some(0) };
        assert_eq!(hotspot(log), expected);
        let calm = hotspot(log.lines().nth(1).unwrap());
        assert_eq!(calm.stalls, Stalls { count: Some(0), ..Stalls::default() });
    }

    #[test]
    fn shenandoah_pacing_and_full_collections_are_counted() {
        let log = r#"
[0.1s][info][safepoint   ] Safepoint "ShenandoahInitMark", Time since last: 1 ns, Total: 254000 ns, Threads: 1 runnable
[0.2s][info][gc,start    ] GC(16) Pause Full
[0.3s][info][gc          ] GC(17) Pause Full (G1 Compaction Pause) 90M->39M(90M) 86.822ms
[0.3s][info][gc          ] GC(18) Pause Degenerated GC (Mark) 80M->39M(90M) 6.822ms
[3.5s][info][gc,stats    ] Pacing                         =    2.405 s (a =   133585 us) (n =    18) (lvls, us = 1, 2)"#;
        let stalls = Stalls { total: Some(2_405_000_000), ..Stalls::default() };
        let expected = Collector { pauses: pauses(1, 254_000), stalls, fallbacks: Some(2) };
        assert_eq!(hotspot(log), expected);
    }

    #[test]
    fn go_stops_the_world_twice_in_each_cycle() {
        let line = "gc 18 @1.671s 10%: 0.028+42+0.039 ms clock, 0.057+1.5/25/29+0.079 ms cpu, 37->39->32 MB\n";
        let stalls = Stalls { total: Some(1_500_000), ..Stalls::default() };
        let expected = Collector { pauses: pauses(2, 39_000), stalls, fallbacks: None };
        assert_eq!(go(&format!("other\n{line}")), expected);
    }

    #[test]
    fn node_marks_in_steps_before_it_pauses() {
        let log = "\
[1:0x2] 17 ms: Scavenge 4.8 (5.9) -> 4.7 (8.9) MB, 0.95 / 0.00 ms  (average mu = 1.000) allocation failure;
[1:0x2] 885 ms: Mark-Compact 114.7 (153.9) -> 72.3 (153.9) MB, 76.15 / 0.00 ms  (+ 91.5 ms in 2 steps since start of marking, biggest step 90.3 ms, walltime since start of marking 79 ms)
operations 5";
        assert_eq!(node(log).pauses, pauses(4, 90_300_000));
    }

    #[test]
    fn boehm_times_have_milliseconds_and_nanoseconds() {
        let log = "World-stopped marking took 141 ms 410893 ns (38 ms in average)\nComplete collection took 142 ms 518455 ns\n";
        assert_eq!(boehm(log).pauses, pauses(1, 142_518_455));
    }
}
