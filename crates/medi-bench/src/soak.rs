//! Whether a long run leaks: an analysis that never ends must hold its footprint.
//!
//! The program of `bench/soak` keeps a bounded amount alive. Its resident set is sampled from outside; what comes after
//! the warm-up is divided into windows of equal length, and the mean of each is compared with that of the first.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::measure::{reap, start};

/// Runs an analysis in a loop for a long time, and looks whether its memory grows.
///
/// Run from the top of the repository, after `cargo build --release`. Exits with 1 when the footprint has changed.
#[derive(Args)]
pub struct Soak {
    /// How long, in minutes.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How often each turn reads the patients: what is live is proportional to it.
    #[arg(long, default_value_t = 20)]
    copies: u32,
    /// By how many percent the mean footprint of a window may differ from that of the first.
    #[arg(long, default_value_t = 5.0)]
    tolerance: f64,
    /// The part of the run that is warm-up, from 0 to 1.
    #[arg(long, default_value_t = 0.2)]
    warm_up: f64,
    /// Into how many windows the rest is divided.
    #[arg(long, default_value_t = 8)]
    windows: usize,
    /// The patients: a folder of FHIR bundles.
    #[arg(long, default_value = "examples/data/hospital")]
    data: PathBuf,
    /// The program.
    #[arg(long, default_value = "bench/soak/main.medi")]
    program: PathBuf,
    /// The medi command to run.
    #[arg(long, default_value = "target/release/medi")]
    medi: PathBuf,
}

const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// The resident set, in MiB, at a moment of the run between 0 and 1.
type Sample = (f64, f64);

struct Window {
    mean: f64,
    peak: f64,
}

impl Soak {
    /// Runs it. False when the footprint has not held.
    ///
    /// # Errors
    /// When the program cannot be run, or fails.
    pub fn run(&self) -> io::Result<bool> {
        let seconds = (self.minutes * 60.0).max(1.0).round();
        let mut command = Command::new(&self.medi);
        command.arg("run").arg(&self.program).arg(&self.data);
        command.args([seconds.to_string(), self.copies.to_string()]).stdout(Stdio::inherit());
        let started = Instant::now();
        let mut child = start(&mut command)?;
        let samples = sample(&mut child, Duration::from_secs_f64(seconds))?;
        let (status, cost) = reap(child, started)?;
        if !status.success() {
            return Err(io::Error::other(format!("the program ended with {status}")));
        }
        let windows = windows(&samples, self.warm_up, self.windows)?;
        let first = windows[0].mean;
        println!("window    mean MiB  peak MiB  against the first");
        for (i, Window { mean, peak }) in windows.iter().enumerate() {
            let change = 100.0 * (mean / first - 1.0);
            println!("{:>6}  {mean:>10.1}{peak:>10.1}{change:>+17.1} %", i + 1);
        }
        let worst = windows.iter().map(|window| 100.0 * (window.mean / first - 1.0));
        let worst = worst.fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        let held = worst.abs() <= self.tolerance;
        println!(
            "{} after a warm-up of {:.0} s: {worst:+.1} % at most in {:.0} s, CPU {:.0} s",
            if held { "held" } else { "NOT HELD" },
            self.warm_up * seconds,
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
        );
        Ok(held)
    }
}

/// Samples the child until it ends, or has taken twice as long as it should, when it is killed.
fn sample(child: &mut Child, expected: Duration) -> io::Result<Vec<Sample>> {
    let started = Instant::now();
    let mut samples = vec![];
    let path = format!("/proc/{}/statm", child.id());
    // The file of a process that has ended and has not been waited for has no pages in it.
    while let Some(rss) = resident(&fs::read_to_string(&path)?) {
        samples.push((started.elapsed().as_secs_f64() / expected.as_secs_f64(), rss));
        if started.elapsed() > expected * 2 + Duration::from_secs(60) {
            child.kill()?;
        }
        thread::sleep(SAMPLE_EVERY);
    }
    Ok(samples)
}

/// The resident set by the text of a `statm` file, in MiB; `None` when there is none.
fn resident(statm: &str) -> Option<f64> {
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    (pages > 0.0).then_some(pages * page / (1 << 20) as f64)
}

/// What comes after the warm-up, a part of the run, in so many windows.
fn windows(samples: &[Sample], warm_up: f64, count: usize) -> io::Result<Vec<Window>> {
    let border = |i: usize| warm_up + (1.0 - warm_up) * i as f64 / count as f64;
    let of = |i: usize| {
        let (from, to) = (border(i), border(i + 1));
        let here = samples.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, rss)| *rss);
        let here: Vec<f64> = here.collect();
        let mean = here.iter().sum::<f64>() / here.len() as f64;
        let peak = here.iter().copied().fold(0.0, f64::max);
        (!here.is_empty()).then_some(Window { mean, peak })
    };
    let windows: Option<Vec<Window>> = (0..count.max(1)).map(of).collect();
    windows.ok_or_else(|| {
        io::Error::other("a window holds no sample: take more --minutes, or a --warm-up below 1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_the_second_number_in_pages() {
        assert_eq!(resident("1000 512 3 4 0 6 0\n"), Some(2.0));
        assert_eq!(resident("0 0 0 0 0 0 0\n"), None);
    }

    #[test]
    fn windows_leave_the_warm_up_out_and_show_growth() {
        // In the middle between the borders of windows, which are not exact.
        let sample = |i| ((i as f64 + 0.5) / 1000.0, i as f64);
        let samples: Vec<Sample> = (0..1000).map(sample).collect();
        let windows = windows(&samples, 0.2, 8).unwrap();
        assert_eq!(windows.len(), 8);
        assert_eq!((windows[0].mean, windows[0].peak), (249.5, 299.0));
        assert_eq!((windows[7].mean, windows[7].peak), (949.5, 999.0));
        assert!(self::windows(&samples[..300], 0.2, 8).is_err());
    }
}
