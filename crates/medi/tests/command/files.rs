//! Open files are not lost with what refers to them.

use std::os::unix::process::CommandExt;

use crate::support::{finished, medi, transcript};

/// Opens so many files without closing one, in a process that may have 64 open, and gives what it prints.
fn open_without_closing(flags: &[&str], count: &str) -> String {
    let mut command = medi(&["run"]);
    command.args(flags).args(["crates/medi/tests/files/unclosed.medi", count]);
    let limit = || {
        let few = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        // SAFETY: the limits are valid while the call reads them.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec nothing happens but a system call.
    unsafe { command.pre_exec(limit) };
    transcript(&finished(&mut command))
}

#[test]
fn files_that_are_never_closed_do_not_use_up_descriptors() {
    assert_eq!(open_without_closing(&["--threads", "1"], "100000"), "100000\n");
    assert_eq!(open_without_closing(&["--threads", "4"], "20000"), "20000\n");
}

#[test]
fn lost_files_are_closed_in_every_mode_of_the_heap() {
    for mode in [
        &["--gc-collect-every", "20", "--gc-verify", "--gc-poison"][..],
        &["--gc-collect-every", "20", "--gc-verify", "--gc-poison", "--gc-moving"],
        &["--gc-collect-every", "20", "--gc-log-writes", "--gc-verify"],
    ] {
        assert_eq!(open_without_closing(&[mode, &["--threads", "3"]].concat(), "500"), "500\n");
    }
}
