//! The parallel benchmark from its command line to its tables, at its smallest size and with Medi alone.

mod support;

use std::process::Command;

use support::{medi, root};

fn parallel(arguments: &[&str]) -> (bool, String) {
    let build = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_medi-bench"))
        .args(["parallel", "--small", "--rounds", "2", "--contenders", "medi", "--build"])
        .arg(build.path())
        .arg("--medi")
        .arg(medi())
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the benchmark starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn each_kind_of_work_is_done_with_each_number_of_threads() {
    let (succeeded, shown) = parallel(&["--threads", "1,2,5"]);
    assert!(succeeded, "{shown}");
    for wanted in ["1521 words, 1247680 in all", "32000 events, sum 15921248", "16256 nodes"] {
        assert!(shown.contains(wanted), "{shown}");
    }
    assert_eq!(shown.matches("| Medi | 1 |").count(), 3, "{shown}");
    assert_eq!(shown.matches("| Medi | 5 |").count(), 3, "{shown}");
}

#[test]
fn work_that_there_is_not_is_refused_with_what_there_is() {
    let (succeeded, shown) = parallel(&["sorting"]);
    assert!(!succeeded);
    let wanted = "error: there is no work `sorting`; there are words, groups, trees";
    assert!(shown.contains(wanted), "{shown}");
}
