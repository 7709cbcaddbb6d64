//! A process that the system stops in the middle of collections, and a stack that overflows there.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{finished, medi, text};

/// Allocates and stores at full speed for a while, so that a cycle runs most of the time.
const PROGRAM: &str = "
record Bed { number: int, next: Bed? }
func main() {
  let ward: list[Bed?] = []
  for i in 0..20000 { ward.push(nil) }
  var sum = 0
  for i in 0..600000 {
    let place = (i * 7919) % 20000
    ward[place] = Bed { number: i, next: ward[(i * 31) % 20000] }
    ward[place]!.next = nil
    sum += ward[(i * 13) % 20000]?.number ?? 0
  }
  print(sum)
}
";
const FLAGS: [&str; 6] =
    ["--gc-initial-trigger", "1MB", "--gc-young-trigger", "1MB", "--gc-min-trigger", "1MB"];

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child has not been waited for, so its id is its own.
    unsafe { libc::kill(i32::try_from(child.id()).expect("a process id"), signal) };
}

#[test]
fn a_process_that_is_stopped_and_goes_on_prints_what_it_should() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("ward.medi");
    std::fs::write(&source, PROGRAM).unwrap();
    let command = || {
        let mut command = medi(&["run"]);
        command.args(FLAGS).arg(&source).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let expected = finished(&mut command());
    assert!(expected.status.success(), "{}", text(&expected.stderr));
    let child = command().spawn().unwrap();
    for step in 0..20 {
        signal(&child, libc::SIGSTOP);
        sleep(Duration::from_millis(3));
        signal(&child, libc::SIGCONT);
        sleep(Duration::from_micros(700 * step));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.success(), output.stdout), (true, expected.stdout));
}

#[test]
fn a_stack_that_overflows_beside_cycles_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("deep.medi");
    let deep = "
record Bed { number: int, next: Bed? }
func deeper(bed: Bed) -> int {
  let next = Bed { number: bed.number + 1, next: nil }
  bed.next = next
  return deeper(next) + 1
}
func main() { print(deeper(Bed { number: 0, next: nil })) }
";
    std::fs::write(&source, deep).unwrap();
    for flags in [&FLAGS[..], &["--gc-log-writes"], &["--gc-delay-seed", "7"]] {
        let mut command = medi(&["run", "--stack-size", "4MB"]);
        let output = finished(command.args(flags).arg(&source));
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("R0007"), "{}", text(&output.stderr));
    }
}
