//! Exit codes of the command, as `docs/command.md` lists them.

/// The program ran to its end, or `check` found no error.
pub const SUCCESS: u8 = 0;
/// The program stopped with an error. `exit(n)` in a program gives n; Ctrl-C gives 130.
pub const STOPPED: u8 = 1;
/// The command line is wrong, or a source file cannot be read.
pub const USAGE: u8 = 2;
/// The program does not compile.
pub const DOES_NOT_COMPILE: u8 = 3;
