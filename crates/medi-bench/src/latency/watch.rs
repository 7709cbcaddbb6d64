//! Runs a program under watch: how late a sleeping thread woke meanwhile, what the hypervisor took, and an end to
//! programs that come to none. And the machine's noise floor: what a thread sees that only reads the clock.

use std::fs::{self, File};
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::latency::program::Latencies;
use crate::latency::runtime::Files;
use crate::measure::{Cost, reap, start};

/// What was seen from outside while a program ran.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    pub cost: Cost,
    /// The most by which a thread that sleeps a millisecond at a time woke late.
    pub hiccup: Duration,
    /// What the hypervisor gave to others, all processors together.
    pub stolen: Duration,
}

/// Runs a command to its end, with its output and errors in files.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than `timeout`: says so in a few words.
pub fn watch(mut command: Command, files: &Files, timeout: Duration) -> io::Result<Watched> {
    command.stdout(File::create(&files.output)?).stderr(File::create(&files.errors)?);
    let (started, stolen) = (Instant::now(), stolen());
    let child = start(&mut command)?;
    let pid = child.id();
    let done = AtomicBool::new(false);
    let (hiccup, ended) = thread::scope(|scope| {
        let watcher = scope.spawn(|| sleep_beside(pid, started + timeout, &done));
        let ended = wait_unreaped(pid);
        done.store(true, Ordering::Relaxed);
        (watcher.join().expect("the watcher does not panic"), ended)
    });
    ended?;
    let (status, cost) = reap(child, started)?;
    if !status.success() {
        let reason = match cost.wall >= timeout {
            true => format!("took longer than {} s", timeout.as_secs()),
            false => reason(&fs::read_to_string(&files.errors)?, &status.to_string()),
        };
        return Err(io::Error::other(reason));
    }
    Ok(Watched { cost, hiccup, stolen: self::stolen().saturating_sub(stolen) })
}

/// Sleeps in small steps until the process is done, and ends it when its time is over. Gives the longest delay.
fn sleep_beside(pid: u32, deadline: Instant, done: &AtomicBool) -> Duration {
    const STEP: Duration = Duration::from_millis(1);
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let slept = Instant::now();
        thread::sleep(STEP);
        longest = longest.max(slept.elapsed().saturating_sub(STEP));
        if Instant::now() > deadline {
            // SAFETY: kill has no preconditions. The pid is still the child's, which is reaped only after this thread.
            unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
        }
    }
    longest
}

/// Waits until a child has ended and leaves it to be reaped, so that its pid stays its own.
fn wait_unreaped(pid: u32) -> io::Result<()> {
    // SAFETY: all zero bytes are a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: the pid is our own unreaped child's; the pointer is to a live local.
    match unsafe { libc::waitid(libc::P_PID, pid, &mut info, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Why a program failed, from what it wrote.
fn reason(errors: &str, status: &str) -> String {
    let out_of_memory = ["out of memory", "OutOfMemory", "Out of memory", "Out of Memory", "R0008"];
    if out_of_memory.iter().any(|words| errors.contains(words)) {
        return "out of memory".into();
    }
    let line = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
    format!("{status} {line}").trim().to_string()
}

/// Time that the hypervisor gave to others since the machine started.
fn stolen() -> Duration {
    // Elsewhere than on Linux there is no such file, and nothing is known to be stolen.
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = stat.lines().next().and_then(|all| all.split_whitespace().nth(8)?.parse().ok());
    // The unit of this file is a hundredth of a second, whatever the kernel's own clock is.
    Duration::from_millis(10 * ticks.unwrap_or(0))
}

/// What programs could still take of the machine's memory, in bytes.
pub fn available_memory() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Reads the clock for `length`, in batches that end once `batch` has passed, and gives how long each took: the machine's noise,
/// as a program would see it that needs no memory.
pub fn spin(length: Duration, batch: Duration) -> Latencies {
    let mut latencies = Latencies::default();
    let started = Instant::now();
    let mut last = started;
    while last - started < length {
        let mut now = Instant::now();
        while now - last < batch {
            now = Instant::now();
        }
        latencies.add((now - last).as_nanos() as u64);
        last = now;
    }
    latencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_end_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let files = Files { output: file("out"), errors: file("err"), log: file("log") };
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let error = watch(sleep, &files, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "took longer than 0 s");
        let watched = watch(Command::new("true"), &files, Duration::from_secs(600)).unwrap();
        assert!(watched.cost.peak_rss > 0);
    }

    #[test]
    fn a_failure_is_told_in_a_few_words() {
        assert_eq!(
            reason("java.lang.OutOfMemoryError: Java heap space\n", "exit"),
            "out of memory"
        );
        assert_eq!(reason("a\nlast words\n\n", "signal 9"), "signal 9 last words");
    }

    #[test]
    fn free_memory_is_less_than_the_machine_has() {
        // SAFETY: sysconf has no preconditions.
        let [pages, page] =
            [libc::_SC_PHYS_PAGES, libc::_SC_PAGESIZE].map(|name| unsafe { libc::sysconf(name) });
        let free = available_memory().expect("Linux tells");
        assert!(free > 1 << 20 && free < (pages * page) as u64);
    }

    #[test]
    fn an_idle_thread_sees_batches_of_the_asked_length() {
        let latencies = spin(Duration::from_millis(20), Duration::from_micros(10));
        assert!(latencies.at(0.5) >= 10_000 && latencies.longest() >= latencies.at(0.5));
    }
}
