//! The curves of docs/tuning.md from the command line, at their smallest size.

mod support;

use std::process::{Command, Output};

use support::{medi, root};

fn tune(arguments: &[&str]) -> Output {
    let build = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_medi-bench"))
        .args(["tune", "--small", "--rounds", "1", "--build"])
        .arg(build.path())
        .arg("--medi")
        .arg(medi())
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the benchmark starts")
}

#[test]
fn a_curve_has_a_line_for_each_value() {
    let output = tune(&["growth", "pacing"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(shown.matches("| `--gc-growth ").count(), 5, "{shown}");
    assert_eq!(shown.matches("| `--memory 384MB --gc-pacing ").count(), 3, "{shown}");
}

#[test]
fn a_curve_that_there_is_not_is_refused_with_what_there_is() {
    let output = tune(&["delay"]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8_lossy(&output.stderr);
    let wanted = "there is no curve `delay`; there are growth, young-trigger, memory, pacing";
    assert!(shown.contains(wanted), "{shown}");
}
