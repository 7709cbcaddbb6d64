//! Random programs that use scope memory give what the reference machine of `medi-fuzz` says that they give.
//!
//! `MEDI_SCOPE_FILES=N` runs N files of programs, `MEDI_SCOPE_FROM=S` starts at seed S.

use std::fmt::Write;
use std::fs;

use medi_fuzz::campaign::{Sample, samples};
use medi_fuzz::program::DECLARATIONS;

use crate::support::{finished, medi, root, transcript};

/// Seeds whose programs stand in one file.
const PROGRAMS: u64 = 50;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

/// A file that prints the results of the samples, and what it must print.
fn file_of(samples: &[Sample]) -> (String, String) {
    let (mut text, mut main, mut expected) =
        (DECLARATIONS.to_owned(), String::new(), String::new());
    for Sample { program, results } in samples {
        program.write(&mut text);
        let name = program.entry();
        for (input, result) in results {
            let _ = writeln!(main, "  print(\"{name}\", {input}, {name}({input}))");
            let _ = writeln!(expected, "{name} {input} {result}");
        }
    }
    let _ = write!(text, "\nfunc main() {{\n{main}}}\n");
    (text, expected)
}

#[test]
fn compiled_programs_give_what_the_reference_machine_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("programs.medi");
    let (files, from) = (number("MEDI_SCOPE_FILES", 10), number("MEDI_SCOPE_FROM", 0));
    let mut programs = 0;
    for file in 0..files {
        let seeds = from + file * PROGRAMS..from + (file + 1) * PROGRAMS;
        let samples = samples(seeds.clone());
        programs += samples.len();
        let (program, expected) = file_of(&samples);
        fs::write(&path, &program).expect("the program is written");
        let checks = if file % 2 == 0 { "--check=memory" } else { "--gc-poison" };
        let mut command = medi(&["run", checks]);
        let output = finished(command.arg(&path));
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || printed != expected {
            let kept = root().join(format!("target/scope-programs-{}.medi", seeds.start));
            fs::write(&kept, &program).expect("the program is kept");
            let kept = kept.display();
            for (printed, expected) in printed.lines().zip(expected.lines()) {
                assert_eq!(printed, expected, "{kept}");
            }
            panic!("{kept}:\n{}", transcript(&output));
        }
    }
    assert!(programs as u64 > files * PROGRAMS / 2, "most programs give results: {programs}");
}
