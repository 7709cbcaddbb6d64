//! The runtimes: where each is found, how its program is compiled, and how it is started with a heap limit and with its collector's log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workload::compile;

/// One contender: a language's implementation with one collector.
pub struct Runtime {
    /// As `--runtimes` names it.
    pub name: &'static str,
    /// As the tables show it.
    pub title: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Medi,
    /// OpenJDK with these flags.
    Java(&'static [&'static str]),
    Go,
    Node,
    OCaml,
    /// C on the Boehm collector.
    Boehm,
    /// No collector at all.
    Rust,
}

const fn java(name: &'static str, title: &'static str, flags: &'static [&'static str]) -> Runtime {
    Runtime { name, title, kind: Kind::Java(flags) }
}

/// Every runtime, in the order of the tables. Medi comes first: the idle thread spins for as long as it ran.
pub const RUNTIMES: &[Runtime] = &[
    Runtime { name: "medi", title: "Medi", kind: Kind::Medi },
    java("zgc", "Java, ZGC", &["-XX:+UseZGC"]),
    java("shenandoah", "Java, Shenandoah", &["-XX:+UseShenandoahGC"]),
    java(
        "genshen",
        "Java, Shenandoah, generational",
        &["-XX:+UseShenandoahGC", "-XX:ShenandoahGCMode=generational"],
    ),
    java("g1", "Java, G1", &["-XX:+UseG1GC"]),
    java("parallel", "Java, Parallel", &["-XX:+UseParallelGC"]),
    Runtime { name: "go", title: "Go", kind: Kind::Go },
    Runtime { name: "node", title: "Node", kind: Kind::Node },
    Runtime { name: "ocaml", title: "OCaml", kind: Kind::OCaml },
    Runtime { name: "boehm", title: "C, Boehm", kind: Kind::Boehm },
    Runtime { name: "rust", title: "Rust, no collector", kind: Kind::Rust },
];

/// Where commands are looked for: a directory of peers first, then the PATH.
pub struct Tools {
    pub medi: PathBuf,
    pub peers: PathBuf,
    /// Where what is compiled goes.
    pub build: PathBuf,
}

impl Tools {
    /// A command.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn find(&self, name: &str) -> io::Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = [self.peers.join("bin")].into_iter().chain(std::env::split_paths(&path));
        directories
            .map(|directory| directory.join(name))
            .find(|file| file.is_file())
            .ok_or_else(|| io::Error::other(format!("there is no command `{name}`")))
    }
}

/// How much memory a run may use.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub bytes: u64,
    /// The limit as a multiple of what is live.
    pub factor: f64,
}

/// A runtime whose program is ready to run.
pub struct Contender {
    pub runtime: &'static Runtime,
    pub version: String,
    /// What starts the program: a binary, or a virtual machine.
    executable: PathBuf,
    /// The program as an argument of a virtual machine.
    program: PathBuf,
}

/// The files of one run.
pub struct Files {
    pub output: PathBuf,
    pub errors: PathBuf,
    /// The collector's log, for runtimes that write it to a file of its own.
    pub log: PathBuf,
}

impl Files {
    pub fn of(runtime: &Runtime, build: &Path) -> Files {
        let file = |end: &str| build.join(format!("latency-{}.{end}", runtime.name));
        Files { output: file("out"), errors: file("err"), log: file("log") }
    }
}

impl Contender {
    /// Finds the runtime and compiles the program in `sources` for it.
    ///
    /// # Errors
    /// When the runtime, its compiler or the program is not there, or does not compile.
    pub fn prepare(
        runtime: &'static Runtime,
        sources: &Path,
        tools: &Tools,
    ) -> io::Result<Contender> {
        let source = sources.join(runtime.source());
        if !source.is_file() {
            return Err(io::Error::other(format!("there is no {}", source.display())));
        }
        let workload = sources.file_name().unwrap_or_default().to_string_lossy();
        let built = tools.build.join(format!("{workload}_{}", runtime.source().replace('.', "_")));
        let contender = |executable: PathBuf, program: PathBuf, version: &[&str]| Contender {
            runtime,
            version: version_of(version),
            executable,
            program,
        };
        match runtime.kind {
            Kind::Medi => {
                let medi = tools.medi.display().to_string();
                Ok(contender(tools.medi.clone(), source, &[&medi, "--version"]))
            }
            Kind::Java(_) => {
                let java = tools.find("java")?;
                // The peers' Java may be a runtime without a compiler; 17 is what the oldest compiler in use writes.
                compile(
                    Command::new(tools.find("javac")?)
                        .args(["--release", "17", "-d"])
                        .arg(&built)
                        .arg(&source),
                )?;
                let version = java.display().to_string();
                Ok(contender(java, built, &[&version, "-version"]))
            }
            Kind::Go => {
                let go = tools.find("go")?;
                compile(Command::new(&go).args(["build", "-o"]).arg(&built).arg(&source))?;
                Ok(contender(built, PathBuf::new(), &[&go.display().to_string(), "version"]))
            }
            Kind::Node => {
                let node = tools.find("node")?;
                let version = node.display().to_string();
                Ok(contender(node, source, &[&version, "--version"]))
            }
            Kind::OCaml => {
                let compiler = tools.find("ocamlopt")?;
                // The compiler leaves its other files beside the source.
                let copy = built.with_extension("ml");
                std::fs::copy(&source, &copy)?;
                compile(
                    Command::new(&compiler)
                        .args(["-O3", "-inline", "100", "-I", "+unix", "unix.cmxa"])
                        .arg(&copy)
                        .arg("-o")
                        .arg(&built),
                )?;
                let compiler = compiler.display().to_string();
                Ok(contender(built, PathBuf::new(), &[&compiler, "-version"]))
            }
            Kind::Boehm => {
                let compiler = tools.find("cc")?;
                compile(
                    Command::new(compiler)
                        .args(["-O2", "-o"])
                        .args([&built, &source])
                        .arg("-lgc")
                        .stderr(File::create(built.with_extension("err"))?),
                )
                .map_err(|_| {
                    io::Error::other("it needs `cc` and the library `gc` with its header")
                })?;
                Ok(contender(built, PathBuf::new(), &["pkg-config", "--modversion", "bdw-gc"]))
            }
            Kind::Rust => {
                let compiler = tools.find("rustc")?;
                compile(
                    Command::new(&compiler)
                        .args(["-C", "opt-level=3", "--edition", "2024", "-o"])
                        .args([&built, &source]),
                )?;
                let compiler = compiler.display().to_string();
                Ok(contender(built, PathBuf::new(), &[&compiler, "--version"]))
            }
        }
    }

    /// The command that runs the program with these arguments.
    pub fn command(&self, args: &[String], limit: Option<Limit>, files: &Files) -> Command {
        let mut command = Command::new(&self.executable);
        match self.runtime.kind {
            Kind::Medi => {
                command.arg("run").arg(format!("--gc-stats=json:{}", files.log.display()));
                if let Some(limit) = limit {
                    command.arg(format!("--memory={}", limit.bytes));
                }
                command.arg(&self.program);
            }
            Kind::Java(flags) => {
                command.args(flags);
                command.arg(format!("-Xlog:gc,gc+stats,safepoint:file={}", files.log.display()));
                if let Some(limit) = limit {
                    let mib = limit.bytes.div_ceil(1 << 20);
                    command.args([format!("-Xms{mib}m"), format!("-Xmx{mib}m")]);
                }
                command.arg("-cp").arg(&self.program).arg("Main");
            }
            Kind::Go => {
                command.env("GODEBUG", "gctrace=1");
                if let Some(limit) = limit {
                    command.env("GOGC", "off").env("GOMEMLIMIT", limit.bytes.to_string());
                }
            }
            Kind::Node => {
                command.args(["--expose-gc", "--trace-gc"]);
                if let Some(limit) = limit {
                    let mib = limit.bytes.div_ceil(1 << 20);
                    command.arg(format!("--max-old-space-size={mib}"));
                }
                command.arg(&self.program);
            }
            Kind::OCaml => {
                if let Some(limit) = limit {
                    // There is no limit to set: this is the room it leaves for garbage, in percent of what is live.
                    let room = (100.0 * (limit.factor - 1.0)).round().max(1.0);
                    command.env("OCAMLRUNPARAM", format!("o={room}"));
                }
            }
            Kind::Boehm => {
                command.env("GC_PRINT_STATS", "1");
                if let Some(limit) = limit {
                    command.env("GC_MAXIMUM_HEAP_SIZE", limit.bytes.to_string());
                }
            }
            Kind::Rust => {}
        }
        command.args(args);
        command
    }
}

impl Runtime {
    /// The program's file in a workload's folder.
    fn source(&self) -> &'static str {
        match self.kind {
            Kind::Medi => "main.medi",
            Kind::Java(_) => "Main.java",
            Kind::Go => "main.go",
            Kind::Node => "main.js",
            Kind::OCaml => "main.ml",
            Kind::Boehm => "main.c",
            Kind::Rust => "main.rs",
        }
    }
}

/// The first line that a version command prints, wherever it does.
fn version_of(argv: &[&str]) -> String {
    let output = Command::new(argv[0]).args(&argv[1..]).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_a_name_of_its_own() {
        for (index, runtime) in RUNTIMES.iter().enumerate() {
            assert!(RUNTIMES[..index].iter().all(|other| other.name != runtime.name));
        }
    }
}
