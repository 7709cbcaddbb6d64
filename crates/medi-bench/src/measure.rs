//! One run of a command, measured by the kernel's own account of the finished process.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time of the process and its threads.
    pub cpu: Duration,
    pub wall: Duration,
    /// Peak resident set, in bytes.
    pub peak_rss: u64,
    /// How often the kernel took the processor from one of its threads.
    pub preemptions: u64,
}

/// Runs a command with its standard output in `output`.
///
/// # Errors
/// When the command cannot be started or does not exit with 0.
pub fn run(argv: &[String], output: &Path) -> io::Result<Cost> {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdout(File::create(output)?);
    let started = Instant::now();
    let (status, cost) = reap(start(&mut command)?, started)?;
    match status.success() {
        true => Ok(cost),
        false => Err(io::Error::other(format!("`{}` ended with {status}", argv.join(" ")))),
    }
}

/// Starts a command without standard input.
///
/// # Errors
/// When it cannot be started.
pub fn start(command: &mut Command) -> io::Result<Child> {
    // A process of its own group, so that a Ctrl-C meant for the benchmark does not leave it half measured.
    command.stdin(Stdio::null()).process_group(0).spawn()
}

/// Waits for a process, and gives what it cost.
///
/// # Errors
/// When the kernel does not let us wait.
pub fn reap(child: Child, started: Instant) -> io::Result<(ExitStatus, Cost)> {
    let mut status = 0;
    // SAFETY: all zero bytes are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pid is that of our own unreaped child; both pointers are to live locals. `child` is not
    // waited for elsewhere, and dropping it does not wait.
    let reaped = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
    if reaped < 0 {
        return Err(io::Error::last_os_error());
    }
    let duration = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    let cost = Cost {
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        wall: started.elapsed(),
        peak_rss: usage.ru_maxrss as u64 * 1024,
        preemptions: usage.ru_nivcsw as u64,
    };
    Ok((ExitStatus::from_raw(status), cost))
}

/// The middle one of an odd number of values, the upper middle of an even number.
///
/// # Panics
/// On an empty list.
pub fn median<T: Copy + PartialOrd>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("measurements are ordered"));
    sorted[sorted.len() / 2]
}
