//! The benchmark of the checker from its command line to its table, on small programs.

mod support;

use std::path::Path;
use std::process::Command;

use support::{medi, root};

fn check(medi: &Path, arguments: &[&str]) -> (bool, String) {
    let build = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_medi-bench"))
        .args(["check", "--lines", "800", "--rounds", "1", "--build"])
        .arg(build.path())
        .arg("--medi")
        .arg(medi)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the benchmark starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn programs_with_scopes_pass_the_check_within_the_limit() {
    let (succeeded, shown) = check(&medi(), &["--limit", "60000"]);
    assert!(succeeded, "{shown}");
    assert!(shown.contains("| short functions | 8"), "{shown}");
    assert!(shown.contains("| functions of 1,000 lines | "), "{shown}");
}

#[test]
fn a_check_that_takes_longer_than_the_limit_fails() {
    let (succeeded, shown) = check(&medi(), &["--limit", "0"]);
    assert!(!succeeded, "{shown}");
    assert!(shown.contains("Some program takes more than 0 ms."), "{shown}");
}

#[test]
fn a_command_that_there_is_not_is_said_with_how_to_make_it() {
    let (succeeded, shown) = check(Path::new("no/medi"), &[]);
    assert!(!succeeded);
    assert!(shown.contains("cannot run `no/medi`") && shown.contains("cargo build"), "{shown}");
}
