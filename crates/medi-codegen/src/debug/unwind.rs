//! Call frame information for compiled functions and trampolines.
//!
//! Cranelift describes its frames; the trampolines all start by pushing rbp and keeping it as the frame
//! pointer, so theirs is written down here. Registered with the process's unwinder, it lets
//! backtraces taken in native functions reach `main`.

use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInfo;
use gimli::write::{
    Address, CallFrameInstruction, EhFrame, EndianVec, FrameDescriptionEntry, FrameTable,
};
use gimli::{LittleEndian, X86_64};

use super::Symbol;

/// What follows `push rbp; mov rbp, rsp` at the start of a trampoline.
const AFTER_PUSH: u32 = 1;
const AFTER_MOVE: u32 = 4;

/// The `.eh_frame` section of all code: functions with what Cranelift says of them, and trampolines.
pub fn eh_frame(
    isa: &dyn TargetIsa,
    functions: &[(Symbol, Option<UnwindInfo>)],
    trampolines: &[Symbol],
) -> Option<Vec<u8>> {
    let mut table = FrameTable::default();
    let cie = table.add_cie(isa.create_systemv_cie()?);
    for (symbol, unwind) in functions {
        if let Some(UnwindInfo::SystemV(unwind)) = unwind {
            table.add_fde(cie, unwind.to_fde(Address::Constant(symbol.space.address as u64)));
        }
    }
    for symbol in trampolines.iter().filter(|symbol| symbol.space.len > 0) {
        let start = Address::Constant(symbol.space.address as u64);
        let mut entry = FrameDescriptionEntry::new(start, symbol.space.len as u32);
        entry.add_instruction(AFTER_PUSH, CallFrameInstruction::CfaOffset(16));
        entry.add_instruction(AFTER_PUSH, CallFrameInstruction::Offset(X86_64::RBP, -16));
        entry.add_instruction(AFTER_MOVE, CallFrameInstruction::CfaRegister(X86_64::RBP));
        table.add_fde(cie, entry);
    }
    let mut section = EhFrame(EndianVec::new(LittleEndian));
    table.write_eh_frame(&mut section).ok()?;
    let mut bytes = section.0.into_vec();
    // The unwinder reads entries until a length of zero.
    bytes.extend([0; 4]);
    Some(bytes)
}

unsafe extern "C" {
    fn __register_frame(section: *const u8);
    fn __deregister_frame(section: *const u8);
}

/// Frame information that the process's unwinder knows while this lives.
#[derive(Debug)]
pub struct Registered(Box<[u8]>);

impl Registered {
    /// The code that the section describes must stay mapped as long as the value lives.
    pub fn new(section: Vec<u8>) -> Registered {
        let section = section.into_boxed_slice();
        // SAFETY: the section is well formed and ends with a zero length; the box does not move it and
        // lives until it is deregistered.
        unsafe { __register_frame(section.as_ptr()) };
        Registered(section)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: registered in `new`.
        unsafe { __deregister_frame(self.0.as_ptr()) };
    }
}
