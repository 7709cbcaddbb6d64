//! From compiled functions to running code: places them in code memory, points their calls at each other, and
//! describes them in the code map.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::LibCall;
use cranelift_codegen::isa::unwind::UnwindInfo;
use medi_runtime::code_map::{CallSite, CodeMapBuilder, FunctionCode, NamedSlot};
use medi_runtime::context::Stub;
use medi_runtime::trap::TrapCode;

use crate::code_memory::{CodeMemory, Space, Window};
use crate::convention;
use crate::debug::{self, Symbol};
use crate::error::CompileError;
use crate::trampoline;
use crate::translate::SourceTable;
use crate::unit::Unit;

/// What a relocation points at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// (namespace, index) as in [`convention`].
    Named(u32, u32),
    Library(LibCall),
}

/// A place in a function's code that needs an address.
#[derive(Clone, Copy, Debug)]
pub struct Relocation {
    pub offset: u32,
    pub kind: Reloc,
    pub target: Target,
    pub addend: i64,
}

/// A function's machine code, not yet at its place.
#[derive(Debug)]
pub struct Object {
    pub name: String,
    pub code: Vec<u8>,
    pub relocations: Vec<Relocation>,
    pub calls: Vec<CallSite>,
    pub traps: Vec<(u32, TrapCode)>,
    /// (offset, index in the source table's places), ascending.
    pub lines: Vec<(u32, u32)>,
    pub source: SourceTable,
    pub slots: Vec<NamedSlot>,
    pub unwind: Option<UnwindInfo>,
}

/// Code at its place.
pub struct Linked {
    pub memory: CodeMemory,
    /// Address of each function, in the program's order.
    pub functions: Vec<usize>,
    pub trampolines: Vec<Symbol>,
    pub map: CodeMapBuilder,
}

const STUBS: [(Stub, &str); Stub::COUNT] = [
    (Stub::Allocate, "allocate"),
    (Stub::AllocateArray, "allocate_array"),
    (Stub::Safepoint, "safepoint"),
    (Stub::Barrier, "barrier"),
    (Stub::StackCheck, "stack_check"),
    (Stub::RaiseIndex, "raise_index"),
    (Stub::RaiseTrap, "raise_trap"),
];

/// Places all functions of the unit, in its order.
pub fn link(unit: &Unit<'_>, objects: &mut [Object]) -> Result<Linked, CompileError> {
    let stubs: Vec<_> = STUBS
        .iter()
        .map(|(stub, name)| (format!("medi_{name}"), trampoline::stub(*stub)))
        .collect();
    let exits = unit.natives.iter().map(|native| {
        let code = if native.leaf { vec![] } else { trampoline::exit(native.address) };
        (format!("to {}", native.symbol), code)
    });
    let exits: Vec<_> = exits.collect();
    let offset = unit.options.code_offset;
    let room = |len: usize| (offset + len).next_multiple_of(64);
    let total: usize = objects.iter().map(|object| room(object.code.len())).sum::<usize>()
        + stubs.iter().chain(&exits).map(|(_, code)| room(code.len())).sum::<usize>();
    let window = if debug::wanted(unit.options) { Window::Private } else { Window::Shared };
    let mut memory = CodeMemory::new(total, window).map_err(CompileError::Memory)?;
    let mut place = |len: usize| {
        let full = || CompileError::Memory(std::io::ErrorKind::OutOfMemory.into());
        let space = memory.take(offset + len).ok_or_else(full)?;
        Ok(Space { address: space.address + offset, len })
    };
    let spaces: Vec<Space> =
        objects.iter().map(|object| place(object.code.len())).collect::<Result<_, _>>()?;
    let mut trampolines = vec![];
    for (name, code) in stubs.into_iter().chain(exits) {
        trampolines.push((name, place(code.len())?, code));
    }
    let addresses = Addresses { functions: &spaces, trampolines: &trampolines };
    let mut map = CodeMapBuilder::default();
    for (object, space) in objects.iter_mut().zip(&spaces) {
        for relocation in &object.relocations {
            patch(&mut object.code, space.address, relocation, addresses.of(relocation.target)?);
        }
        memory.write(*space, &object.code);
        map.add(FunctionCode {
            name: object.name.clone(),
            start: space.address,
            len: object.code.len() as u32,
            calls: std::mem::take(&mut object.calls),
            traps: std::mem::take(&mut object.traps),
            lines: std::mem::take(&mut object.lines),
            places: std::mem::take(&mut object.source.places),
            inlined: std::mem::take(&mut object.source.inlined),
            slots: std::mem::take(&mut object.slots),
        });
    }
    for (_, space, code) in &trampolines {
        memory.write(*space, code);
    }
    let functions = spaces.iter().map(|space| space.address).collect();
    let trampolines =
        trampolines.into_iter().map(|(name, space, _)| Symbol { name, space }).collect();
    Ok(Linked { memory, functions, trampolines, map })
}

struct Addresses<'a> {
    functions: &'a [Space],
    /// The stubs, then the exits.
    trampolines: &'a [(String, Space, Vec<u8>)],
}

impl Addresses<'_> {
    fn of(&self, target: Target) -> Result<usize, CompileError> {
        Ok(match target {
            Target::Named(convention::NAMESPACE_FUNCTION, index) => {
                self.functions[index as usize].address
            }
            Target::Named(convention::NAMESPACE_STUB, index) => {
                self.trampolines[index as usize].1.address
            }
            Target::Named(convention::NAMESPACE_NATIVE, index) => {
                self.trampolines[Stub::COUNT + index as usize].1.address
            }
            Target::Named(namespace, index) => {
                let reason = format!("unknown name {namespace}:{index}");
                return Err(CompileError::Target(reason));
            }
            Target::Library(call) => library(call)?,
        })
    }
}

/// What Cranelift calls for operations that the processor lacks.
fn library(call: LibCall) -> Result<usize, CompileError> {
    extern "C" fn ceil(value: f64) -> f64 {
        value.ceil()
    }
    extern "C" fn floor(value: f64) -> f64 {
        value.floor()
    }
    extern "C" fn trunc(value: f64) -> f64 {
        value.trunc()
    }
    Ok(match call {
        LibCall::CeilF64 => ceil as *const () as usize,
        LibCall::FloorF64 => floor as *const () as usize,
        LibCall::TruncF64 => trunc as *const () as usize,
        other => return Err(CompileError::Target(format!("this processor has no {other}"))),
    })
}

fn patch(code: &mut [u8], address: usize, relocation: &Relocation, target: usize) {
    let at = relocation.offset as usize;
    let value = target as i64 + relocation.addend;
    match relocation.kind {
        Reloc::Abs8 => code[at..at + 8].copy_from_slice(&value.to_le_bytes()),
        Reloc::X86PCRel4 | Reloc::X86CallPCRel4 => {
            let distance = i32::try_from(value - (address + at) as i64);
            let distance = distance.expect("all code lies in one mapping of less than 2 GB");
            code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        other => panic!("Cranelift does not use the relocation {other:?} on x86-64"),
    }
}
