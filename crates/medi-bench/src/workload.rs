//! The workloads: what is run, in which languages, and the bar each has to pass.
//!
//! Sources are `bench/NAME/`: the same algorithm once per language, with the same output.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which figure a bar compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    Cpu,
    Wall,
    PeakRss,
}

/// Medi's figure is at most `factor` times that of the best peer in `language`.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    pub figure: Figure,
    pub language: Language,
    pub factor: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Rust,
    Java,
    Python,
}

pub struct Workload {
    pub name: &'static str,
    pub args: &'static [&'static str],
    pub peers: &'static [Language],
    pub bar: Option<Bar>,
}

const CPU_OF_RUST: Option<Bar> =
    Some(Bar { figure: Figure::Cpu, language: Language::Rust, factor: 1.5 });

/// A text of some length.
pub const JSON: &str =
    "examples/data/fhir/Johnnie679_Hermiston71_2cd30bd6-3a87-4191-af90-6daa70f58f55.json";

/// Every workload, in the order of the report.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "binary_trees",
        args: &["21"],
        peers: &[Language::Java, Language::Rust],
        bar: Some(Bar { figure: Figure::Cpu, language: Language::Java, factor: 1.3 }),
    },
    Workload { name: "nbody", args: &["50000000"], peers: &[Language::Rust], bar: CPU_OF_RUST },
    Workload { name: "spectral_norm", args: &["5500"], peers: &[Language::Rust], bar: CPU_OF_RUST },
    Workload { name: "fannkuch", args: &["11"], peers: &[Language::Rust], bar: CPU_OF_RUST },
    Workload { name: "mandelbrot", args: &["3000"], peers: &[Language::Rust], bar: CPU_OF_RUST },
    Workload { name: "json_parser", args: &[JSON, "200"], peers: &[Language::Rust], bar: None },
    Workload { name: "word_count", args: &[JSON, "200"], peers: &[Language::Rust], bar: None },
    Workload {
        name: "patients",
        args: &["1000000"],
        peers: &[Language::Python],
        bar: Some(Bar { figure: Figure::PeakRss, language: Language::Python, factor: 0.25 }),
    },
];

/// A command that runs one workload.
pub struct Contender {
    /// `Medi`, `Rust`, `Java, parallel`.
    pub name: String,
    /// `None` for Medi itself.
    pub language: Option<Language>,
    pub argv: Vec<String>,
}

/// Java's collectors that a program of this size would be run with.
const COLLECTORS: &[(&str, &str)] =
    &[("serial", "-XX:+UseSerialGC"), ("parallel", "-XX:+UseParallelGC"), ("G1", "-XX:+UseG1GC")];

impl Workload {
    /// Compiles the peers into `build` and gives the commands, Medi's first.
    ///
    /// # Errors
    /// When a compiler is missing or rejects its source.
    pub fn prepare(&self, medi: &Path, build: &Path) -> io::Result<Vec<Contender>> {
        let source = PathBuf::from("bench").join(self.name);
        let main = source.join("main.medi").display().to_string();
        let argv = [&[medi.display().to_string(), "run".into(), main], &self.args()[..]].concat();
        let mut contenders = vec![Contender { name: "Medi".into(), language: None, argv }];
        for language in self.peers {
            contenders.extend(self.prepare_peer(*language, &source, build)?);
        }
        Ok(contenders)
    }

    fn prepare_peer(
        &self,
        language: Language,
        source: &Path,
        build: &Path,
    ) -> io::Result<Vec<Contender>> {
        let contender = |name: &str, command: &[&str]| Contender {
            name: name.into(),
            language: Some(language),
            argv: [
                &command.iter().map(|word| word.to_string()).collect::<Vec<_>>()[..],
                &self.args(),
            ]
            .concat(),
        };
        match language {
            Language::Rust => {
                let binary = build.join(format!("{}-rust", self.name));
                compile(
                    Command::new("rustc")
                        .args(["-C", "opt-level=3", "--edition", "2024", "-o"])
                        .arg(&binary)
                        .arg(source.join("main.rs")),
                )?;
                Ok(vec![contender("Rust", &[&binary.display().to_string()])])
            }
            Language::Java => {
                let classes = build.join(format!("{}-java", self.name));
                compile(
                    Command::new("javac").arg("-d").arg(&classes).arg(source.join("Main.java")),
                )?;
                let classes = classes.display().to_string();
                let run = |(name, flag): &(&str, &str)| {
                    contender(&format!("Java, {name}"), &["java", flag, "-cp", &classes, "Main"])
                };
                Ok(COLLECTORS.iter().map(run).collect())
            }
            Language::Python => {
                let script = source.join("main.py").display().to_string();
                Ok(vec![contender("Python", &["python3", &script])])
            }
        }
    }

    fn args(&self) -> Vec<String> {
        self.args.iter().map(|arg| arg.to_string()).collect()
    }
}

/// Runs a compiler.
///
/// # Errors
/// When it cannot be started, or rejects its source.
pub fn compile(command: &mut Command) -> io::Result<()> {
    let status = command.status().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {:?}: {error}", command.get_program()))
    })?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?} failed"))) }
}
