//! What the tests of the benchmarks share.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The `medi` command beside this test, built by the same `cargo test`, or by one of its own.
pub fn medi() -> PathBuf {
    let bench = Path::new(env!("CARGO_BIN_EXE_medi-bench"));
    let medi = bench.with_file_name("medi");
    if !medi.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", "medi"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.current_dir(root()).status().expect("cargo runs").success());
    }
    medi
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
