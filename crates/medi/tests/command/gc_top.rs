//! Looking at a running program.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{finished, medi, text};

/// A program that runs until it is killed.
struct Running(Child);

impl Running {
    fn start(home: &Path, flags: &[&str]) -> Running {
        let source = home.join("ward.medi");
        let loops = "func main() { var n = 0\n while true { n += \"bed {n}\".len() } }";
        fs::write(&source, loops).unwrap();
        let mut command = gc_top(home, &[&["run"], flags].concat());
        let child = command.arg(source).arg("night").stderr(Stdio::null()).spawn().unwrap();
        Running(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A `medi` command whose programs are found in `home` alone.
fn gc_top(home: &Path, args: &[&str]) -> Command {
    let mut command = medi(args);
    command.env("XDG_RUNTIME_DIR", home);
    command
}

/// What the command prints once it finds the program.
fn once_it_runs(home: &Path, args: &[&str]) -> String {
    let started = Instant::now();
    loop {
        let output = finished(&mut gc_top(home, args));
        if output.status.success() {
            return text(&output.stdout);
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{}", text(&output.stderr));
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_running_program_is_shown_with_its_memory_and_pauses() {
    let home = tempfile::tempdir().unwrap();
    let program = Running::start(home.path(), &["--memory", "64MB"]);
    let shown = once_it_runs(home.path(), &["gc-top", "--once", &program.pid()]);
    assert!(shown.contains("ward.medi night   process"), "{shown}");
    assert!(shown.contains("limit 64 MiB, soft limit none"), "{shown}");
    for row in [
        "memory      [",
        "allocates",
        "collects",
        "handshake",
        "slow_path",
        "sweep",
        "make_way",
        "stall",
    ] {
        assert!(shown.contains(row), "{row} is missing in {shown}");
    }
    // It is the only one, so its number can be left out.
    let alone = once_it_runs(home.path(), &["gc-top", "--once"]);
    assert!(alone.contains("ward.medi night"), "{alone}");
}

#[test]
fn which_of_several_is_asked_for_and_who_is_not_there_is_said() {
    let home = tempfile::tempdir().unwrap();
    let nobody = finished(&mut gc_top(home.path(), &["gc-top"]));
    assert_eq!(nobody.status.code(), Some(1));
    assert_eq!(text(&nobody.stderr), "error: no Medi program of yours is running\n");

    let (first, second) = (Running::start(home.path(), &[]), Running::start(home.path(), &[]));
    for program in [&first, &second] {
        once_it_runs(home.path(), &["gc-top", "--once", &program.pid()]);
    }
    let which = finished(&mut gc_top(home.path(), &["gc-top"]));
    assert_eq!(which.status.code(), Some(1));
    let asked = text(&which.stderr);
    assert!(asked.contains("say which") && asked.contains(&first.pid()), "{asked}");
    assert!(asked.contains(&format!("medi gc-top {}", second.pid())), "{asked}");
}

#[test]
fn a_program_may_refuse_to_be_looked_at() {
    let home = tempfile::tempdir().unwrap();
    let shown = Running::start(home.path(), &[]);
    let hidden = Running::start(home.path(), &["--gc-top=0"]);
    once_it_runs(home.path(), &["gc-top", "--once", &shown.pid()]);
    let refused = finished(&mut gc_top(home.path(), &["gc-top", &hidden.pid()]));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--gc-top=0"), "{}", text(&refused.stderr));
}
