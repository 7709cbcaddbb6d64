//! What `--gc-stats` shows: the collector's counters, as a table for people and as JSON for programs.
//!
//! `docs/memory.md` documents the JSON fields.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use medi_heap::{Bytes, PauseCause, Stats};
use serde_json::{Map, Value, json};

use crate::options::GcStats;

/// Counters of a run.
#[derive(Clone, Debug, Default)]
pub struct RunStats {
    pub heap: Stats,
    /// Of the process, in bytes.
    pub peak_rss: u64,
    /// User and system time of the process.
    pub cpu: Duration,
    /// Since the machine was made.
    pub wall: Duration,
}

impl RunStats {
    /// The counters now.
    pub fn now(heap: Stats, wall: Duration) -> RunStats {
        // SAFETY: zeroed is a valid rusage, and the pointer is to a local.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &mut usage);
            usage
        };
        let time = |t: libc::timeval| {
            Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
        };
        RunStats {
            heap,
            peak_rss: usage.ru_maxrss as u64 * 1024,
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            wall,
        }
    }

    pub fn json(&self) -> Value {
        let h = &self.heap;
        let mut pauses = Map::new();
        for cause in PauseCause::ALL {
            let p = h.pause(cause);
            let value = json!({
                "count": p.count, "p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max,
            });
            pauses.insert(cause.name().to_string(), value);
        }
        json!({
            "cycles": h.cycles,
            "young_cycles": h.young_cycles,
            "nested_cycles": h.nested_cycles,
            "allocation_rate": h.allocation_rate as u64,
            "survival": h.survival,
            "allocated_bytes": h.allocated_bytes,
            "live_bytes": h.live_bytes,
            "heap_bytes": h.heap_bytes,
            "peak_heap_bytes": h.peak_heap_bytes,
            "peak_rss_bytes": self.peak_rss,
            "large_bytes": h.large_bytes,
            "free_bytes": h.free_bytes,
            "returned_bytes": h.returned_bytes,
            "external_bytes": h.external_bytes,
            "limit_bytes": h.limit,
            "soft_limit_bytes": h.soft_limit,
            "pressure": h.pressure,
            "peak_pressure": h.peak_pressure,
            "marked_objects": h.marked_objects,
            "marked_bytes": h.marked_bytes,
            "mark_wall_ns": h.mark_wall_ns,
            "mark_cpu_ns": h.mark_cpu_ns,
            "sweep_ns": h.sweep_ns,
            "swept_blocks": h.swept_blocks,
            "barrier_slow_paths": h.barrier_slow_paths,
            "cleaners_registered": h.cleaners_registered,
            "cleaners_ready": h.cleaners_ready,
            "cleaned": h.cleaned,
            "wall_ns": self.wall.as_nanos() as u64,
            "cpu_ns": self.cpu.as_nanos() as u64,
            "pauses": pauses,
        })
    }

    pub fn table(&self) -> String {
        let h = &self.heap;
        let size = |limit: Option<u64>| limit.map_or("none".into(), |l| Bytes(l).to_string());
        let (limit, soft_limit) = (size(h.limit), size(h.soft_limit));
        let rows = [
            (
                "collections",
                format!(
                    "{}: {} full, {} young, {} of these during a full one",
                    h.cycles,
                    h.cycles - h.young_cycles,
                    h.young_cycles,
                    h.nested_cycles
                ),
            ),
            ("allocated", Bytes(h.allocated_bytes).to_string()),
            ("live after the last", Bytes(h.live_bytes).to_string()),
            ("heap now / peak", format!("{} / {}", Bytes(h.heap_bytes), Bytes(h.peak_heap_bytes))),
            ("process peak", Bytes(self.peak_rss).to_string()),
            ("scope memory now", Bytes(h.external_bytes).to_string()),
            ("limit", limit),
            ("soft limit", soft_limit),
            (
                "memory pressure",
                format!("{:.1} % now, {:.1} % at most", h.pressure, h.peak_pressure),
            ),
            ("given back", Bytes(h.returned_bytes).to_string()),
            (
                "marking",
                format!(
                    "{} ({} objects, {})",
                    time(h.mark_wall_ns),
                    h.marked_objects,
                    Bytes(h.marked_bytes)
                ),
            ),
            ("sweeping", time(h.sweep_ns)),
            (
                "cleaners",
                format!(
                    "{} registered, {} ready, {} cleaned",
                    h.cleaners_registered, h.cleaners_ready, h.cleaned
                ),
            ),
            (
                "run",
                format!("{:.3} s, CPU {:.3} s", self.wall.as_secs_f64(), self.cpu.as_secs_f64()),
            ),
        ];
        let mut text = String::from("memory\n");
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:<20} {value}");
        }
        let _ = writeln!(
            text,
            "pauses                   count        p50        p99      p99.9        max"
        );
        for cause in PauseCause::ALL {
            let p = h.pause(cause);
            let _ = writeln!(
                text,
                "  {:<20} {:>7} {:>10} {:>10} {:>10} {:>10}",
                cause.name(),
                p.count,
                time(p.p50),
                time(p.p99),
                time(p.p999),
                time(p.max)
            );
        }
        text
    }

    /// Shows or writes the statistics as asked.
    ///
    /// # Errors
    /// When the file cannot be written; says which.
    pub fn report(&self, to: &GcStats) -> io::Result<()> {
        match to {
            GcStats::Off => {}
            GcStats::Table => eprint!("{}", self.table()),
            GcStats::Json(path) if path == Path::new("-") => eprintln!("{}", self.json()),
            GcStats::Json(path) => {
                fs::write(path, format!("{:#}\n", self.json())).map_err(|e| {
                    io::Error::new(e.kind(), format!("cannot write {}: {e}", path.display()))
                })?
            }
        }
        Ok(())
    }
}

/// Nanoseconds in a unit that a person would use.
pub fn time(ns: u64) -> String {
    match ns {
        0 => "0".into(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_fields_and_no_others() {
        let json = RunStats::now(Stats::default(), Duration::from_secs(1)).json();
        let documented = include_str!("../../../docs/memory.md");
        for field in json.as_object().unwrap().keys() {
            assert!(documented.contains(&format!("`{field}`")), "docs/memory.md lacks {field}");
        }
        for field in
            ["cycles", "allocated_bytes", "peak_heap_bytes", "peak_rss_bytes", "live_bytes"]
        {
            assert!(json[field].is_u64(), "{field}");
        }
        for cause in ["handshake", "slow_path", "sweep", "make_way", "stall"] {
            for field in ["count", "p50", "p99", "p999", "max"] {
                assert!(json["pauses"][cause][field].is_u64(), "{cause}.{field}");
            }
        }
    }

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(
            [0, 12, 1500, 2_500_000, 3_000_000_000].map(time),
            ["0", "12 ns", "1.5 µs", "2.5 ms", "3.00 s"]
        );
    }
}
