//! Compiled code as debuggers, profilers and unwinders see it.
//!
//! Three audiences, three forms: call frame information registered with the unwinder of this process
//! ([`unwind`]), so that a backtrace taken in native code passes through compiled frames; an object file in
//! memory for gdb and lldb ([`gdb`]), with names, frames and lines; and a text file for `perf` ([`perf`]).

pub mod elf;
pub mod gdb;
pub mod lines;
pub mod perf;
pub mod unwind;

use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInfo;
use medi_runtime::code_map::CodeMap;

use crate::code_memory::Space;
use crate::{DebugInfo, Options};

/// A piece of code with a name.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub name: String,
    pub space: Space,
}

/// What others were told about a program's code; they forget it when this is dropped.
#[derive(Debug, Default)]
pub struct Announced {
    unwind: Option<unwind::Registered>,
    gdb: Option<gdb::Registered>,
}

impl Announced {
    /// Both were told.
    pub fn is_complete(&self) -> bool {
        self.unwind.is_some() && self.gdb.is_some()
    }
}

/// Tells debuggers, profilers and the unwinder of the code, as far as the options ask for it.
///
/// # Errors
/// When the file for `perf` cannot be written.
pub fn announce(
    options: &Options,
    isa: &dyn TargetIsa,
    functions: &[(Symbol, Option<UnwindInfo>)],
    trampolines: &[Symbol],
    map: &CodeMap,
) -> std::io::Result<Announced> {
    let wanted = wanted(options);
    if !wanted && !options.perf_map {
        return Ok(Announced::default());
    }
    let named = functions.iter().map(|(symbol, _)| symbol).chain(trampolines);
    let symbols: Vec<Symbol> = named.filter(|symbol| symbol.space.len > 0).cloned().collect();
    if options.perf_map {
        perf::write_map(&symbols)?;
    }
    let mut announced = Announced::default();
    if wanted {
        let mut extra = lines::sections(map).unwrap_or_default();
        if let Some(frames) = unwind::eh_frame(isa, functions, trampolines) {
            extra.push((".eh_frame", frames.clone()));
            announced.unwind = Some(unwind::Registered::new(frames));
        }
        announced.gdb = Some(gdb::Registered::new(elf::object(&symbols, extra)));
    }
    Ok(announced)
}

/// Whether the options ask for debugging information.
pub fn wanted(options: &Options) -> bool {
    match options.debug_info {
        DebugInfo::Always => true,
        DebugInfo::Never => false,
        DebugInfo::WhenTraced => is_traced(),
    }
}

/// Whether a debugger is watching this process.
fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}
