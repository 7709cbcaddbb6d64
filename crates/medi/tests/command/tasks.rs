//! Tasks, where the plain programs of `tests/run` do not reach: Ctrl-C, options, every mode of the heap, and programs
//! that race.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::{finished, medi, text, transcript};

/// Modes that show a reference which nobody roots, or a store without its barrier.
pub const MODES: &[&[&str]] = &[
    &[],
    &["--gc-collect-every", "40", "--gc-verify", "--gc-poison", "--gc-markers", "3"],
    &["--gc-collect-every", "25", "--gc-verify", "--gc-poison", "--gc-moving"],
    &["--gc-collect-every", "60", "--gc-log-writes", "--gc-poison"],
    &["--gc-initial-trigger", "1MB", "--gc-min-trigger", "1MB", "--gc-verify"],
];

fn run(flags: &[&str], program: &str, args: &[&str]) -> Output {
    let path = format!("crates/medi/tests/tasks/{program}.medi");
    finished(medi(&["run"]).args(flags).arg(path).args(args))
}

#[test]
fn tasks_give_what_the_same_work_gives_in_turn_in_every_mode_and_with_any_number_of_threads() {
    for mode in MODES {
        for threads in ["1", "2", "3", "8"] {
            let flags = [mode, &["--threads", threads][..]].concat();
            let output = run(&flags, "sharing", &["60"]);
            assert_eq!(transcript(&output), "60 of everything\n", "{flags:?}");
        }
    }
}

#[test]
fn a_race_ends_well_or_with_an_error_and_never_breaks_the_process() {
    let allowed = ["R0003", "R0005", "R0013", "R0016"];
    for (index, mode) in MODES.iter().enumerate() {
        let rounds = if mode.is_empty() { "600" } else { "100" };
        for seed in (index * 7..1728).step_by(97) {
            let flags = [mode, &["--threads", "4"][..]].concat();
            let output = run(&flags, "race", &[&seed.to_string(), rounds]);
            let errors = text(&output.stderr);
            let expected = match output.status.code() {
                Some(0) => errors.is_empty(),
                Some(1) => allowed.iter().any(|code| errors.starts_with(&format!("error[{code}]"))),
                _ => false,
            };
            assert!(expected, "{flags:?}, seed {seed}: {}", transcript(&output));
        }
    }
}

/// Two tasks that put entries into one place of a map leave no free place in its index, where a search ended.
#[test]
fn a_search_in_a_map_that_tasks_have_filled_up_ends() {
    for _ in 0..20 {
        let output = run(&["--threads", "2"], "full_map", &["10000"]);
        let errors = text(&output.stderr);
        let expected = match output.status.code() {
            Some(0) => errors.is_empty(),
            Some(1) => ["R0003", "R0016"].iter().any(|code| errors.contains(code)),
            _ => false,
        };
        assert!(expected, "{}", transcript(&output));
    }
}

#[test]
fn a_file_that_two_tasks_read_at_the_same_time_stops_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo starts");
    assert!(made.success());
    // Open for both, so that neither this process nor the other waits for somebody at the other end.
    let mut pipe = File::options().read(true).write(true).open(&path).expect("the pipe opens");
    pipe.write_all(b"no end").expect("there is room in a pipe");
    let path = path.display().to_string();
    let output = run(&["--threads", "3"], "one_file", &[&path]);
    let said = transcript(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[R0016]: another task reads or writes this file"), "{said}");
}

#[test]
fn ctrl_c_stops_all_tasks_and_what_waits_for_them() {
    for threads in ["1", "4"] {
        let folder = tempfile::tempdir().expect("a folder");
        let started = folder.path().join("started");
        let mut command = medi(&["run", "--threads", threads]);
        command.arg("crates/medi/tests/tasks/endless.medi").arg(&started);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("medi starts");
        while !started.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let id = i32::try_from(child.id()).expect("a process id");
        // SAFETY: the child has not been waited for, so its id is its own.
        unsafe { libc::kill(id, libc::SIGINT) };
        let output = child.wait_with_output().expect("medi ends");
        assert_eq!(output.status.signal(), None);
        assert_eq!(output.status.code(), Some(130), "{}", transcript(&output));
        assert_eq!(text(&output.stdout), "started\n");
    }
}

#[test]
fn a_number_of_threads_that_cannot_be_is_refused_with_what_could() {
    for (flags, variable) in [(&["--threads", "0"][..], None), (&[], Some("many"))] {
        let mut command = medi(&["run"]);
        command.args(flags).arg("crates/medi/tests/tasks/sharing.medi").arg("1");
        if let Some(value) = variable {
            command.env("MEDI_THREADS", value);
        }
        let output = command.output().expect("medi starts");
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        let (name, value) = variable.map_or(("--threads", "0"), |value| ("MEDI_THREADS:", value));
        let wanted = format!("{name} wants a whole number from 1 to 256, not `{value}`");
        assert!(said.contains(&wanted), "{said}");
    }
}
