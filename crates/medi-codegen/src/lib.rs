//! MIR to machine code that lives with a precise, collected heap.
//!
//! [`compile`] lays out the program's types, translates each function to Cranelift's IR, compiles it, places
//! it in code memory and describes it in a code map: where references are during each call, why an
//! instruction traps, which source line it belongs to. The result is a [`Compiled`] program whose entry
//! is called through [`medi_runtime::entry::enter`].
//!
//! This crate decides nothing about scopes, barriers or safepoints: the MIR says where they are.

pub mod code_memory;
mod compile;
mod convention;
mod debug;
pub mod error;
mod layout;
mod link;
mod polls;
mod ranges;
mod roots;
mod trampoline;
mod translate;
mod unit;
mod versions;

use std::sync::Arc;

use medi_runtime::code_map::CodeMap;
use medi_runtime::machine::Image;
use medi_runtime::shape::{ShapeId, Shapes};

pub use compile::compile;
pub use error::CompileError;

/// How hard to work on the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Optimise {
    /// For code that runs fast.
    #[default]
    Speed,
    /// For code that is compiled fast.
    Nothing,
}

/// Whether to describe the code to debuggers and unwinders, which costs a few milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DebugInfo {
    /// When the process runs under a debugger.
    #[default]
    WhenTraced,
    Always,
    Never,
}

/// Choices for compiling a program.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub optimise: Optimise,
    pub debug_info: DebugInfo,
    /// Write `/tmp/perf-PID.map`, so that `perf` names compiled functions.
    pub perf_map: bool,
    /// Note which variable each frame slot of references belongs to, for reports of leaks.
    pub name_roots: bool,
    /// Load every reference again after each point at which a collection may happen. Needed with heaps
    /// that move objects, which only tests do.
    pub reload_roots: bool,
    /// For tests: check all int arithmetic for overflow, even where it cannot happen.
    pub check_all_arithmetic: bool,
    /// Write the machine code of these functions to standard error; of all functions for an empty list.
    pub show_code: Option<Vec<String>>,
    /// For measurements: start each function so many bytes, a multiple of 16, later than it would.
    pub code_offset: usize,
    /// For tests of tests: leave one reference out of each stack map.
    pub plant_lost_root: bool,
    /// Native functions that the runtime's table does not have: symbol, address, and whether it is a leaf,
    /// which neither allocates nor raises.
    pub natives: Vec<(String, usize, bool)>,
}

/// A compiled program.
pub struct Compiled {
    /// Of all types that occur.
    pub shapes: Arc<Shapes>,
    pub code: Arc<CodeMap>,
    /// The string literals, in the order that code refers to them.
    pub literals: Vec<String>,
    /// Address of `main`.
    pub entry: usize,
    /// The shape of `list[string]`, when `main` takes the program's arguments.
    pub main_args: Option<ShapeId>,
    /// Address of each function, in the program's order.
    pub functions: Vec<usize>,
    /// Bytes of machine code.
    pub code_bytes: usize,
    // Dropped before the memory that it tells of.
    announced: debug::Announced,
    memory: code_memory::CodeMemory,
}

impl Compiled {
    /// The memory that the code lies in. It must outlive every call of the code.
    pub fn memory(&self) -> &code_memory::CodeMemory {
        &self.memory
    }

    /// Whether debuggers and unwinders know the code.
    pub fn is_announced(&self) -> bool {
        self.announced.is_complete()
    }
}

impl From<Compiled> for Image {
    fn from(compiled: Compiled) -> Image {
        Image {
            shapes: Arc::clone(&compiled.shapes),
            code: Arc::clone(&compiled.code),
            literals: compiled.literals.clone(),
            main: compiled.entry,
            main_args: compiled.main_args,
            owner: Arc::new(compiled),
        }
    }
}
