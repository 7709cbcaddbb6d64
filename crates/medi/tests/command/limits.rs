//! What a system refuses that lets a process have little.

use std::os::unix::process::CommandExt;

use crate::support::{finished, medi, transcript};

/// `medi run` of this program where the process may have so many bytes of data.
fn with_little_data(program: &str, bytes: u64) -> String {
    let mut command = medi(&["run", "--stack-size", "8MB", "--threads", "1", program]);
    let limit = move || {
        let little = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: the limits are valid while the call reads them.
        match unsafe { libc::setrlimit(libc::RLIMIT_DATA, &little) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec nothing happens but a system call.
    unsafe { command.pre_exec(limit) };
    transcript(&finished(&mut command))
}

#[test]
fn a_system_that_counts_what_could_be_used_is_asked_for_what_is() {
    let run = with_little_data("examples/hello/main.medi", 1 << 30);
    assert!(run.starts_with("Hello from Medi"), "{run}");
}

#[test]
fn a_system_that_gives_next_to_nothing_ends_the_program_with_advice() {
    let run = with_little_data("examples/hello/main.medi", 100 << 20);
    assert!(run.contains("set a smaller memory limit"), "{run}");
}

#[test]
fn a_system_that_gives_no_stack_for_the_compiler_ends_the_program_with_advice() {
    let run = with_little_data("examples/hello/main.medi", 40 << 20);
    assert!(run.contains("the system gives the compiler no thread"), "{run}");
    assert!(run.contains("ulimit -d") && !run.contains("panicked"), "{run}");
}
