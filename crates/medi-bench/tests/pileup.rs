//! The pile-up benchmark from its command line to its table, at its smallest size and with Medi alone.

mod support;

use std::process::Command;

use support::{medi, root};

#[test]
fn a_scope_and_the_collected_heap_give_one_result() {
    let build = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_medi-bench"))
        .args(["pileup", "--small", "--rounds", "1", "--without-rust", "--build"])
        .arg(build.path())
        .arg("--medi")
        .arg(medi())
        .current_dir(root())
        .output()
        .expect("the benchmark starts");
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("20000 sites, 10 passes: 200 places, "), "{shown}");
    assert!(shown.contains("| Medi, scope |") && shown.contains("| Medi, collected |"), "{shown}");
}
