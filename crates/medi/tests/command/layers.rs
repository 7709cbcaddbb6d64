//! The dependency law of docs/src/architecture.md: which crate may stand on which.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every crate and the crates of this project that it may depend on, tests included.
const LAW: &[(&str, &[&str])] = &[
    ("medi-heap", &[]),
    ("medi-region", &[]),
    ("medi-formats", &[]),
    ("medi-syntax", &[]),
    ("medi-check", &["medi-syntax"]),
    ("medi-runtime", &["medi-heap", "medi-region", "medi-formats"]),
    ("medi-codegen", &["medi-check", "medi-syntax", "medi-runtime", "medi-heap"]),
    (
        "medi",
        &[
            "medi-syntax",
            "medi-check",
            "medi-codegen",
            "medi-runtime",
            "medi-heap",
            "medi-formats",
            "medi-fuzz",
        ],
    ),
    ("medi-fuzz", &["medi-syntax", "medi-check"]),
    ("medi-bench", &["medi-fuzz"]),
];

#[test]
fn no_dependency_points_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let law: BTreeMap<&str, &[&str]> = LAW.iter().copied().collect();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let allowed = law.get(name).unwrap_or_else(|| panic!("crate {name} is not in the law"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            assert!(
                !on.starts_with("medi") || allowed.contains(&on),
                "{name} depends on {on}, which the architecture forbids"
            );
        }
    }
}
