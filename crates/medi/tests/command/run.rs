//! Programs that run: each `tests/run/NAME.medi` must print what `NAME.out` holds, plainly and again with a
//! collection every few allocations, freed memory poisoned and the heap verified after each.
//!
//! Programs in `tests/leaks` run with `--leaks`: each that leaks is told so, each that does not is not.
//!
//! The first lines of a program may say `// args: …` and `// flags: …` (of the command, before the file),
//! `// stress: off`, and `// figures: vary` where the output has figures that depend on the machine.

use std::path::Path;

use crate::support::{compare, files, finished, medi, root, text, transcript};

/// Collections at (almost) every allocation find a missing root; slower programs say `// stress: off`.
const STRESS: &[&str] = &["--gc-collect-every", "3", "--gc-verify", "--gc-poison"];

/// Errors say more then: where `NAME.checked.out` is, they do.
const CHECKED: &[&str] = &["--check=memory"];

fn header(source: &str, key: &str) -> Vec<String> {
    let prefix = format!("// {key}:");
    let lines = source.lines().take_while(|line| line.starts_with("//"));
    let values = lines.filter_map(|line| line.strip_prefix(&prefix));
    values.flat_map(|value| value.split_whitespace().map(str::to_string)).collect()
}

fn run(program: &Path, extra: &[&str]) -> String {
    let source = std::fs::read_to_string(program).expect("a program");
    let path = program.strip_prefix(root()).expect("in the repository").display().to_string();
    let (flags, args) = (header(&source, "flags"), header(&source, "args"));
    let flags = flags.iter().map(String::as_str);
    let words: Vec<&str> = ["run"].into_iter().chain(extra.iter().copied()).chain(flags).collect();
    let output = finished(medi(&words).arg(path).args(args));
    let transcript = transcript(&output);
    if header(&source, "figures").is_empty() { transcript } else { without_figures(&transcript) }
}

/// Each run of digits, commas and points between digits becomes one `#`, each run of spaces one space.
fn without_figures(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let part_of_figure = c.is_ascii_digit() || (matches!(c, '.' | ',') && out.ends_with('#'));
        match c {
            _ if part_of_figure && out.ends_with('#') => {}
            _ if part_of_figure => out.push('#'),
            ' ' if out.ends_with(' ') => {}
            _ => out.push(c),
        }
    }
    out
}

fn check_all(folder: &str, extra: &[&str], skip: impl Fn(&str) -> bool) {
    let programs = files(&root().join("crates/medi/tests").join(folder), "medi");
    assert!(!programs.is_empty());
    let mut failures = vec![];
    for program in &programs {
        if skip(&std::fs::read_to_string(program).expect("a program")) {
            continue;
        }
        let checked = program.with_extension("checked.out");
        let expected = match extra == CHECKED && checked.exists() {
            true => checked,
            false => program.with_extension("out"),
        };
        if let Err(difference) = compare(&expected, &run(program, extra)) {
            failures.push(difference);
        }
    }
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn programs_print_what_they_should() {
    check_all("run", &[], |_| false);
}

#[test]
fn programs_print_the_same_when_every_third_allocation_collects() {
    if std::env::var_os("UPDATE").is_none() {
        check_all("run", STRESS, |source| source.contains("// stress: off"));
    }
}

#[test]
fn check_looks_into_the_functions_of_a_file_without_main() {
    for name in ["35_library", "36_never_called"] {
        let wrong = format!("crates/medi-check/tests/scopes/{name}.medi");
        let found = finished(&mut medi(&["check", &wrong]));
        assert_eq!(found.status.code(), Some(3), "{}", text(&found.stderr));
        assert!(text(&found.stderr).contains("M0101"), "{}", text(&found.stderr));
        let right = wrong.replace(".medi", ".twin.medi");
        assert_eq!(transcript(&finished(&mut medi(&["check", &right]))), "");
    }
}

#[test]
fn programs_print_the_same_when_memory_is_checked_and_errors_show_stacks() {
    check_all("run", CHECKED, |source| source.contains("// stress: off"));
}

#[test]
fn programs_that_leak_are_told_and_others_are_not() {
    check_all("leaks", &["--leaks"], |_| false);
}

#[test]
fn a_program_that_asks_for_leaks_is_watched_without_a_flag() {
    let program = "crates/medi/tests/leaks/asks.medi";
    let found = finished(&mut medi(&["run", program]));
    let (out, err) = (text(&found.stdout), text(&found.stderr));
    assert!(out.starts_with("grows true\n`seen` in main (") && err.is_empty(), "{out}{err}");
}

#[test]
fn a_leak_in_a_task_is_told_while_others_run() {
    let program = "crates/medi/tests/tasks/leak.medi";
    let found = finished(&mut medi(&["run", "--leaks", "--threads", "3", program]));
    let (out, err) = (text(&found.stdout), text(&found.stderr));
    assert!(out.starts_with("true ") && found.status.success(), "{out}{err}");
    let first = "leaks: 1 found (";
    let variable = "1. `readings` in keeps (crates/medi/tests/tasks/leak.medi:10) keeps growing: ";
    assert!(err.starts_with(first) && err.contains(variable), "{err}");
    assert!(err.contains("\n     allocated  string in read ("), "{err}");
}
