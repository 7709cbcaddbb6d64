//! One run of a command, measured by the kernel's own account of the finished process.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time of the process and its threads.
    pub cpu: Duration,
    pub wall: Duration,
    /// Peak resident set, in bytes.
    pub peak_rss: u64,
}

/// Runs a command with its standard output in `output`.
///
/// # Errors
/// When the command cannot be started or does not exit with 0.
pub fn run(argv: &[String], output: &Path) -> io::Result<Cost> {
    let started = Instant::now();
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).stdout(File::create(output)?);
    // A process of its own group, so that a Ctrl-C meant for the benchmark does not leave it half measured.
    let child = command.process_group(0).spawn()?;
    let mut status = 0;
    // SAFETY: all zero bytes are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pid is that of our own unreaped child; both pointers are to live locals. `child` is not
    // waited for elsewhere, and dropping it does not wait.
    let reaped = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
    if reaped < 0 {
        return Err(io::Error::last_os_error());
    }
    if status != 0 {
        return Err(io::Error::other(format!("`{}` ended with status {status}", argv.join(" "))));
    }
    let duration = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    Ok(Cost {
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        wall: started.elapsed(),
        peak_rss: usage.ru_maxrss as u64 * 1024,
    })
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
