//! The command line: what can be asked of `medi`, and the text that says so.
//!
//! The options of a run are not written here: they come from [`medi_runtime::options::OPTIONS`], which
//! also names their environment variables.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use medi_runtime::options::{OPTIONS, OptionSpec, Options, Takes};

use crate::gc_top::GcTop;

/// What was asked for.
pub enum Request {
    Run(Box<RunRequest>),
    Check { files: Vec<PathBuf>, emit_mir: bool, errors: ErrorFormat },
    Explain { code: Option<String> },
    GcTop(GcTop),
}

pub struct RunRequest {
    pub file: PathBuf,
    pub args: Vec<String>,
    pub options: Options,
    pub errors: ErrorFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorFormat {
    Human,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  medi run examples/hello/main.medi
  medi run --memory 2GB --gc-stats analysis.medi patients.ndjson
  medi check *.medi
  medi explain E0301
  medi gc-top

Exit codes: 0 success; 1 the program stopped with an error; 2 wrong usage or an unreadable source file;
3 the program does not compile; 130 stopped by Ctrl-C; a program's exit(n) gives n.";

const RUN_EXAMPLES: &str = "\
Examples:
  medi run examples/seed/main.medi patients.ndjson reference.fa.gz reads.bam
  medi run --memory 512MB --gc-stats=json:stats.json analysis.medi data.csv
  medi run --leaks ward.medi
  medi run --check=memory analysis.medi data.csv
  MEDI_MEMORY=512MB medi run analysis.medi data.csv

What follows FILE is given to the program's main(args). Sizes are such as 64KB, 512MB, 2GB.";

fn command() -> Command {
    Command::new("medi")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs programs in Medi, a statically typed language for healthcare analytics")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(run_command())
        .subcommand(
            Command::new("check")
                .about("Checks programs without running them")
                .after_help("Examples:\n  medi check analysis.medi\n  medi check --error-format json *.medi")
                .arg(file_arg("FILES", "Files to check, each a program or a part of one").num_args(1..))
                .arg(
                    Arg::new("emit-mir")
                        .long("emit-mir")
                        .action(ArgAction::SetTrue)
                        .help("Print the control-flow graph of every function that main reaches"),
                )
                .arg(error_format()),
        )
        .subcommand(
            Command::new("explain")
                .about("Says more about the code of an error")
                .after_help("Examples:\n  medi explain E0301\n  medi explain          (lists every code)")
                .arg(Arg::new("CODE").help("A code as in `error[E0301]`; all are listed without one")),
        )
        .subcommand(gc_top_command())
}

fn gc_top_command() -> Command {
    Command::new("gc-top")
        .about("Shows the memory of a running program, live")
        .after_help(
            "Examples:\n  medi gc-top            (the program that is running)\n  medi gc-top 4711\n  medi gc-top --once | grep stall",
        )
        .arg(
            Arg::new("PID")
                .help("Process of the program; can be left out when only one is running")
                .value_parser(value_parser!(u32).range(1..)),
        )
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("Show it once, from the program's start, and end"),
        )
        .arg(
            Arg::new("interval")
                .long("interval")
                .value_name("SECONDS")
                .default_value("1")
                .value_parser(interval)
                .help("Time between two looks"),
        )
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.05..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "wants a number from 0.05 to 3600".into())
}

fn run_command() -> Command {
    let command = Command::new("run")
        .about("Compiles a program and runs it")
        .after_help(RUN_EXAMPLES)
        .arg(file_arg("FILE", "The program"))
        .arg(
            Arg::new("ARGS")
                .help("Arguments of the program")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        )
        .arg(error_format());
    OPTIONS.iter().fold(command, |command, spec| command.arg(option_arg(spec)))
}

fn file_arg(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .help(help)
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
}

fn error_format() -> Arg {
    Arg::new("error-format")
        .long("error-format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["human", "json"]))
        .default_value("human")
        .help("How to print the compiler's messages; json is one object a line")
}

fn option_arg(spec: &'static OptionSpec) -> Arg {
    let arg =
        Arg::new(spec.name).long(spec.name).help(format!("{} [env: {}]", spec.help, spec.env));
    let check = |text: &str| -> Result<String, String> { Ok(text.to_string()) };
    match spec.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        Takes::Value(name) => arg.value_name(name).value_parser(check),
        Takes::OptionalValue(name) => arg
            .value_name(name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_parser(check),
    }
}

impl Request {
    /// Reads the command line and the environment. Ends the process for `--help`, `--version` and wrong usage.
    pub fn from_environment() -> Request {
        let mut command = command();
        let matches = command.get_matches_mut();
        match matches.subcommand() {
            Some(("run", matches)) => {
                let options = run_options(matches).unwrap_or_else(|problem| {
                    command.error(clap::error::ErrorKind::InvalidValue, problem).exit()
                });
                let args = matches.get_many::<String>("ARGS").unwrap_or_default();
                Request::Run(Box::new(RunRequest {
                    file: matches.get_one::<PathBuf>("FILE").expect("required").clone(),
                    args: args.cloned().collect(),
                    options,
                    errors: error_format_of(matches),
                }))
            }
            Some(("check", matches)) => Request::Check {
                files: matches.get_many("FILES").expect("required").cloned().collect(),
                emit_mir: matches.get_flag("emit-mir"),
                errors: error_format_of(matches),
            },
            Some(("explain", matches)) => {
                Request::Explain { code: matches.get_one::<String>("CODE").cloned() }
            }
            Some(("gc-top", matches)) => Request::GcTop(GcTop {
                pid: matches.get_one("PID").copied(),
                once: matches.get_flag("once"),
                interval: *matches.get_one("interval").expect("has a default"),
            }),
            _ => unreachable!("a subcommand is required"),
        }
    }
}

fn error_format_of(matches: &ArgMatches) -> ErrorFormat {
    match matches.get_one::<String>("error-format").map(String::as_str) {
        Some("json") => ErrorFormat::Json,
        _ => ErrorFormat::Human,
    }
}

/// The environment's choices, overridden by the flags'.
fn run_options(matches: &ArgMatches) -> Result<Options, String> {
    let env = |name: &str| std::env::var(name).ok();
    let mut options = Options::from_env(env).map_err(|error| error.to_string())?;
    for spec in OPTIONS {
        let value = match spec.takes {
            Takes::Nothing => matches.get_flag(spec.name).then(String::new),
            Takes::Value(_) | Takes::OptionalValue(_) => {
                matches.get_one::<String>(spec.name).cloned()
            }
        };
        if let Some(value) = value {
            let set = (spec.set)(&mut options, &value);
            set.map_err(|reason| format!("--{} {reason}", spec.name))?;
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
