//! Why a program could not be compiled. None of these is the program's fault: the checker has accepted it.

use std::{fmt, io};

#[derive(Debug)]
pub enum CompileError {
    /// The library declares a native function that the runtime does not have.
    UnknownNative(String),
    /// A native function with more arguments or results than registers.
    NativeSignature(String),
    /// This processor or operating system cannot run compiled code.
    Target(String),
    /// Cranelift refused a function: its name, the reason.
    Function(String, String),
    /// No memory for code.
    Memory(io::Error),
    /// The file for `perf` cannot be written.
    PerfMap(io::Error),
}

impl fmt::Display for CompileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::UnknownNative(symbol) => write!(
                out,
                "the library declares the native function `{symbol}`, which this version of Medi does \
                 not have; the library and the command are probably of different versions"
            ),
            CompileError::NativeSignature(symbol) => write!(
                out,
                "the native function `{symbol}` has more arguments or results than fit in registers; \
                 this is a mistake in Medi's library, please report it"
            ),
            CompileError::Target(reason) => {
                write!(out, "Medi cannot make machine code for this computer: {reason}")
            }
            CompileError::Function(name, reason) => write!(
                out,
                "`{name}` could not be compiled; this is a mistake in Medi, please report it: {reason}"
            ),
            CompileError::PerfMap(error) => {
                write!(out, "cannot write /tmp/perf-{}.map: {error}", std::process::id())
            }
            CompileError::Memory(error) => write!(
                out,
                "no memory for machine code: {error}; raise the limit of locked or virtual memory \
                 (`ulimit -v`), or allow memory to be executed"
            ),
        }
    }
}

impl std::error::Error for CompileError {}
