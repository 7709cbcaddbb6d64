//! `medi gc-top`: the memory of a running program, live.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use console::Term;
use medi_runtime::live;
use medi_runtime::options::show_size;
use medi_runtime::stats::time;
use serde_json::Value;

use crate::exit;

/// What is shown, and how.
pub struct GcTop {
    pub pid: Option<u32>,
    /// Show it once and end.
    pub once: bool,
    pub interval: Duration,
}

/// Cells of the bar.
const BAR: usize = 50;
/// A limit of so many times what is held says nothing.
const FAR: u64 = 8;

impl GcTop {
    /// Shows a program until that ends; gives the exit code.
    pub fn run(&self) -> u8 {
        match self.show() {
            Ok(()) => exit::SUCCESS,
            Err(problem) => {
                eprintln!("error: {problem}");
                exit::STOPPED
            }
        }
    }

    fn show(&self) -> Result<(), String> {
        let directory = live::directory().map_err(|error| error.to_string())?;
        let pid = match self.pid {
            Some(pid) => pid,
            None => the_only_one(&directory)?,
        };
        let ask = || live::ask(&directory, pid).ok().map(Sample);
        let mut last = ask().ok_or_else(|| {
            format!(
                "no Medi program of yours runs as process {pid}, or it was started with --gc-top=0"
            )
        })?;
        let terminal = Term::stdout();
        if self.once {
            return print(&last.screen(None));
        }
        let mut lines = 0;
        loop {
            thread::sleep(self.interval);
            let Some(now) = ask() else {
                return print("the program has ended\n");
            };
            if terminal.is_term() {
                let screen = now.screen(Some(&last));
                terminal.clear_last_lines(lines).map_err(|error| error.to_string())?;
                lines = screen.lines().count();
                print(&screen)?;
            } else {
                print(&now.line(&last))?;
            }
            last = now;
        }
    }
}

/// The running program, if there is one and no other.
fn the_only_one(directory: &Path) -> Result<u32, String> {
    let pids = live::running(directory).map_err(|error| error.to_string())?;
    match pids[..] {
        [pid] => Ok(pid),
        [] => Err("no Medi program of yours is running".into()),
        _ => {
            let mut text = String::from("several programs are running; say which:\n");
            for pid in pids {
                let command = live::ask(directory, pid).map(|answer| Sample(answer).command());
                let _ = writeln!(text, "  medi gc-top {pid}   {}", command.unwrap_or_default());
            }
            text.truncate(text.trim_end().len());
            Err(text)
        }
    }
}

/// Whoever reads may go away.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Err(_) => std::process::exit(exit::SUCCESS.into()),
        Ok(()) => Ok(()),
    }
}

/// A program's counters at one moment.
struct Sample(Value);

impl Sample {
    fn count(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or(0)
    }

    fn command(&self) -> String {
        self.0["command"].as_str().unwrap_or_default().to_string()
    }

    fn seconds(&self) -> f64 {
        self.count("wall_ns") as f64 * 1e-9
    }

    /// By how much a counter grew a second since `before`; since the program's start without it.
    fn rate(&self, field: &str, before: Option<&Sample>) -> f64 {
        let (count, seconds) =
            before.map_or((0, 0.0), |before| (before.count(field), before.seconds()));
        self.count(field).saturating_sub(count) as f64 / (self.seconds() - seconds).max(1e-3)
    }

    /// Live memory, and the rest of what is held, as parts of the limit; of the most that was ever held, where that
    /// is far from the limit.
    fn bar(&self) -> String {
        let (live, heap) = (self.count("live_bytes"), self.count("heap_bytes"));
        let near = |limit: &u64| *limit < FAR * heap.max(1);
        let (whole, name) = match self.0["limit_bytes"].as_u64().filter(near) {
            Some(limit) => (limit, "the limit"),
            None => (self.count("peak_heap_bytes"), "its peak"),
        };
        let whole = whole.max(heap).max(1);
        let cells = |bytes: u64| (bytes as f64 / whole as f64 * BAR as f64).round() as usize;
        let (live, heap) = (cells(live.min(heap)), cells(heap));
        let bar = ["#".repeat(live), "=".repeat(heap - live), ".".repeat(BAR - heap)].concat();
        format!("[{bar}] of {name}")
    }

    fn size(&self, field: &str) -> String {
        self.0[field].as_u64().map_or("none".into(), show_size)
    }

    fn screen(&self, before: Option<&Sample>) -> String {
        let percent = |field| 100.0 * self.rate(field, before) * 1e-9;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}   process {}, {} threads, {:.1} s, CPU {:.0} %",
            self.command(),
            self.count("pid"),
            self.count("threads"),
            self.seconds(),
            percent("cpu_ns"),
        );
        let _ = writeln!(text, "memory      {}", self.bar());
        let _ = writeln!(
            text,
            "            # live {}, = held {}, limit {}, soft limit {}",
            self.size("live_bytes"),
            self.size("heap_bytes"),
            self.size("limit_bytes"),
            self.size("soft_limit_bytes"),
        );
        let _ = writeln!(
            text,
            "            scopes {}, process at most {}, pressure {:.1} %",
            self.size("external_bytes"),
            self.size("peak_rss_bytes"),
            self.0["pressure"].as_f64().unwrap_or(0.0),
        );
        let _ = writeln!(
            text,
            "allocates   {}/s; the last young collection found {:.0} % live",
            show_size(self.rate("allocated_bytes", before) as u64),
            100.0 * self.0["survival"].as_f64().unwrap_or(0.0),
        );
        let _ = writeln!(
            text,
            "collects    {:.1}/s; {} full, {} young, {} of these in a full one; marking {:.1} % of a CPU",
            self.rate("cycles", before),
            self.count("cycles") - self.count("young_cycles"),
            self.count("young_cycles"),
            self.count("nested_cycles"),
            percent("mark_cpu_ns"),
        );
        let _ = writeln!(text, "pauses           count       p50       p99     p99.9       max");
        for cause in ["handshake", "slow_path", "sweep", "make_way", "stall"] {
            let pause = &self.0["pauses"][cause];
            let of = |field: &str| time(pause[field].as_u64().unwrap_or(0));
            let _ = writeln!(
                text,
                "  {cause:<10} {:>9} {:>9} {:>9} {:>9} {:>9}",
                pause["count"].as_u64().unwrap_or(0),
                of("p50"),
                of("p99"),
                of("p999"),
                of("max")
            );
        }
        text
    }

    /// The same as a line, for who does not look at a terminal.
    fn line(&self, before: &Sample) -> String {
        let stall = &self.0["pauses"]["stall"];
        format!(
            "{:.1} s  live {}, held {}, limit {}; allocates {}/s, {:.1} collections/s, marking {:.1} % of a CPU; {} stalls, \
             {} at most\n",
            self.seconds(),
            self.size("live_bytes"),
            self.size("heap_bytes"),
            self.size("limit_bytes"),
            show_size(self.rate("allocated_bytes", Some(before)) as u64),
            self.rate("cycles", Some(before)),
            100.0 * self.rate("mark_cpu_ns", Some(before)) * 1e-9,
            stall["count"],
            time(stall["max"].as_u64().unwrap_or(0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_bar_shows_what_is_live_of_what_is_held_of_the_limit() {
        let bar = |live: u64, heap: u64, peak: u64, limit: Value| {
            let (live, heap) = (json!(live), json!(heap));
            let sample = json!({
                "live_bytes": live, "heap_bytes": heap, "peak_heap_bytes": peak, "limit_bytes": limit,
            });
            Sample(sample).bar()
        };
        let drawn = |live, held, rest| {
            format!("[{}{}{}]", "#".repeat(live), "=".repeat(held), ".".repeat(rest))
        };
        assert_eq!(bar(25, 50, 60, 100.into()), drawn(13, 12, 25) + " of the limit");
        assert_eq!(bar(25, 50, 100, 1000.into()), drawn(13, 12, 25) + " of its peak");
        assert_eq!(bar(0, 0, 0, Value::Null), drawn(0, 0, BAR) + " of its peak");
        // Found live by the last collection, and given back since.
        assert_eq!(bar(80, 50, 90, 50.into()), drawn(BAR, 0, 0) + " of the limit");
    }

    #[test]
    fn rates_are_of_the_time_between_two_samples() {
        let at = |seconds: u64, bytes: u64| {
            Sample(json!({"wall_ns": seconds * 1_000_000_000, "allocated_bytes": bytes}))
        };
        assert_eq!(at(4, 900).rate("allocated_bytes", Some(&at(2, 100))), 400.0);
        assert_eq!(at(4, 900).rate("allocated_bytes", None), 225.0);
    }
}
