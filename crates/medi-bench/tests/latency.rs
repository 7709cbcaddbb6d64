//! The latency benchmark from its command line to its figures, at its smallest size and with Medi alone.

mod support;

use std::process::Command;

use serde_json::Value;

use support::{medi, root};

/// The lines of figures of one run of the benchmark, and its tables.
fn latency(arguments: &[&str]) -> (Vec<Value>, String) {
    let build = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_medi-bench"))
        .arg("latency")
        .args(arguments)
        .args(["--runtimes", "medi", "--rounds", "1", "--build"])
        .arg(build.path())
        .arg("--medi")
        .arg(medi())
        .current_dir(root())
        .output()
        .expect("the benchmark starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::fs::read_to_string(build.path().join("latency.jsonl")).unwrap();
    let values = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (values, String::from_utf8(output.stdout).unwrap())
}

fn assert_measured(line: &Value, operations: u64) {
    assert_eq!((&line["runtime"], &line["failed"]), (&"medi".into(), &Value::Null), "{line}");
    assert_eq!(line["measured"]["operations"], operations);
    let latencies = &line["measured"]["latency_ns"];
    let in_order =
        ["p50", "p99", "p99.9", "p99.99", "longest"].map(|name| latencies[name].as_u64());
    assert!(in_order.is_sorted() && in_order[0] > Some(0), "{line}");
    let pauses = &line["collector"]["pauses"];
    assert!(pauses["count"].as_u64() > Some(0), "{line}");
    assert!(line["peak_rss_bytes"].as_u64() > line["limit_bytes"].as_u64().map(|limit| limit / 2));
}

#[test]
fn churn_is_measured_at_each_size_beside_an_idle_thread() {
    let (lines, tables) = latency(&["churn", "--live", "4MB,8MB", "--limit", "2"]);
    let runtimes: Vec<&str> = lines.iter().filter_map(|line| line["runtime"].as_str()).collect();
    assert_eq!(runtimes, ["medi", "idle", "medi", "idle"]);
    for (line, size) in [(&lines[0], 4), (&lines[2], 8)] {
        let events = (size << 20) / 49;
        assert_eq!(line["events"], events);
        // Whole batches of 64.
        assert_measured(line, events * 2 / 64 * 64);
    }
    assert!(lines[1]["latency_ns"]["longest"].as_u64() > Some(0));
    assert!(tables.contains("longest pause against size"), "{tables}");
}

#[test]
fn each_push_into_a_window_is_measured() {
    let window = ["window", "--arrays", "5000", "--pushes", "20000"];
    let (lines, _) = latency(&window);
    assert_measured(&lines[0], 20_000);
}
