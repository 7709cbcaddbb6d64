//! The small pieces of machine code between compiled code and the runtime.
//!
//! A *stub* is what compiled code calls where its inline path does not do: it keeps every register, notes
//! where compiled code left, calls the runtime's function and puts the answer into the context. It finds the
//! context itself and takes its arguments from float registers, because a register that the cold call must have
//! is one that the usual way around it must do without. A *raise* is a stub that does not come back. An *exit*
//! stands before a native function that may allocate or stop the program: it notes the same, hands the
//! arguments on and the result back. Both give the runtime the allocation cursor on the way out and take it
//! back on the way in, and both go to the landing pad of [`medi_runtime::entry`] when the runtime has
//! raised an error. Both build a frame, so that unwinders and profilers see through them.
//!
//! They are assembled once, as position-independent templates in the executable, and copied into code memory
//! with their one parameter filled in, so that compiled code reaches them by a near call.

use std::arch::global_asm;
use std::slice;

use medi_heap::layout;
use medi_runtime::context::{Stub, offsets};
use medi_runtime::entry::{self, SAVED_REGISTERS};

/// Stands in the templates where the parameter goes.
const PARAMETER: u64 = 0x1122_3344_5566_7788;
/// Stands in the template of stubs where the address of [`entry::current`] goes.
const CURRENT: u64 = 0x1122_3344_5566_7799;

global_asm!(
    ".pushsection .rodata.medi_trampolines, \"a\", @progbits",
    ".globl medi_stub_template",
    ".hidden medi_stub_template",
    "medi_stub_template:",
    "push rbp",
    "mov rbp, rsp",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "sub rsp, 264",
    "movups [rsp], xmm0",
    "movups [rsp + 16], xmm1",
    "movups [rsp + 32], xmm2",
    "movups [rsp + 48], xmm3",
    "movups [rsp + 64], xmm4",
    "movups [rsp + 80], xmm5",
    "movups [rsp + 96], xmm6",
    "movups [rsp + 112], xmm7",
    "movups [rsp + 128], xmm8",
    "movups [rsp + 144], xmm9",
    "movups [rsp + 160], xmm10",
    "movups [rsp + 176], xmm11",
    "movups [rsp + 192], xmm12",
    "movups [rsp + 208], xmm13",
    "movups [rsp + 224], xmm14",
    "movups [rsp + 240], xmm15",
    "movabs rax, {current}",
    "call rax",
    "mov [rsp + 256], rax",
    "mov rdi, rax",
    "mov rax, [rbp + 8]",
    "mov [rdi + {exit_pc}], rax",
    "mov rax, [rbp]",
    "mov [rdi + {exit_fp}], rax",
    "mov [rdi + {cursor}], r15",
    "mov rsi, [rsp]",
    "mov rdx, [rsp + 16]",
    "mov rcx, [rsp + 32]",
    "movabs rax, {parameter}",
    "call [rdi + rax]",
    "mov rdi, [rsp + 256]",
    "mov r15, [rdi + {cursor}]",
    "mov [rdi + {results}], rax",
    "cmp qword ptr [rdi + {raised}], 0",
    "jne 2f",
    "movups xmm0, [rsp]",
    "movups xmm1, [rsp + 16]",
    "movups xmm2, [rsp + 32]",
    "movups xmm3, [rsp + 48]",
    "movups xmm4, [rsp + 64]",
    "movups xmm5, [rsp + 80]",
    "movups xmm6, [rsp + 96]",
    "movups xmm7, [rsp + 112]",
    "movups xmm8, [rsp + 128]",
    "movups xmm9, [rsp + 144]",
    "movups xmm10, [rsp + 160]",
    "movups xmm11, [rsp + 176]",
    "movups xmm12, [rsp + 192]",
    "movups xmm13, [rsp + 208]",
    "movups xmm14, [rsp + 224]",
    "movups xmm15, [rsp + 240]",
    "add rsp, 264",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "pop rbp",
    "ret",
    "2:",
    "mov rbp, [rdi + {entry_fp}]",
    "mov eax, 1",
    "lea rsp, [rbp - {saved}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".globl medi_stub_template_end",
    ".hidden medi_stub_template_end",
    "medi_stub_template_end:",
    ".globl medi_raise_template",
    ".hidden medi_raise_template",
    "medi_raise_template:",
    "push rbp",
    "mov rbp, rsp",
    "mov rax, [rbp + 8]",
    "mov [rdi + {exit_pc}], rax",
    "mov rax, [rbp]",
    "mov [rdi + {exit_fp}], rax",
    "mov [rdi + {cursor}], r15",
    "mov rbx, rdi",
    "movabs rax, {parameter}",
    "call [rdi + rax]",
    "mov rbp, [rbx + {entry_fp}]",
    "mov eax, 1",
    "lea rsp, [rbp - {saved}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".globl medi_raise_template_end",
    ".hidden medi_raise_template_end",
    "medi_raise_template_end:",
    ".globl medi_exit_template",
    ".hidden medi_exit_template",
    "medi_exit_template:",
    "push rbp",
    "mov rbp, rsp",
    "mov rax, [rbp + 8]",
    "mov [rdi + {exit_pc}], rax",
    "mov rax, [rbp]",
    "mov [rdi + {exit_fp}], rax",
    "mov [rdi + {cursor}], r15",
    "push rdi",
    "push rdi",
    "movabs rax, {parameter}",
    "call rax",
    "pop rcx",
    "pop rcx",
    "mov r15, [rcx + {cursor}]",
    "cmp qword ptr [rcx + {raised}], 0",
    "jne 2f",
    "pop rbp",
    "ret",
    "2:",
    "mov rbp, [rcx + {entry_fp}]",
    "mov eax, 1",
    "lea rsp, [rbp - {saved}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".globl medi_exit_template_end",
    ".hidden medi_exit_template_end",
    "medi_exit_template_end:",
    ".popsection",
    exit_pc = const offsets::EXIT_PC,
    exit_fp = const offsets::EXIT_FP,
    entry_fp = const offsets::ENTRY_FP,
    raised = const offsets::RAISED,
    results = const offsets::RESULTS,
    cursor = const layout::CURSOR,
    saved = const SAVED_REGISTERS,
    parameter = const PARAMETER,
    current = const CURRENT,
);

unsafe extern "C" {
    static medi_stub_template: u8;
    static medi_stub_template_end: u8;
    static medi_raise_template: u8;
    static medi_raise_template_end: u8;
    static medi_exit_template: u8;
    static medi_exit_template_end: u8;
}

/// The code of a stub.
pub fn stub(stub: Stub) -> Vec<u8> {
    let at = (offsets::STUBS + 8 * stub as usize) as u64;
    if stub.raises() {
        // SAFETY: both symbols are defined above, in this order, in one section.
        let template =
            unsafe { template(&raw const medi_raise_template, &raw const medi_raise_template_end) };
        return filled(template, &[(PARAMETER, at)]);
    }
    // SAFETY: as above.
    let template =
        unsafe { template(&raw const medi_stub_template, &raw const medi_stub_template_end) };
    filled(template, &[(PARAMETER, at), (CURRENT, entry::current as *const () as u64)])
}

/// The code of an exit to the native function at `target`.
pub fn exit(target: usize) -> Vec<u8> {
    // SAFETY: as above.
    let template =
        unsafe { template(&raw const medi_exit_template, &raw const medi_exit_template_end) };
    filled(template, &[(PARAMETER, target as u64)])
}

/// # Safety
/// `start` to `end` is readable for ever.
unsafe fn template(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: passed on.
    unsafe { slice::from_raw_parts(start, end as usize - start as usize) }
}

/// The template with an address for each mark that stands in it.
fn filled(template: &[u8], addresses: &[(u64, u64)]) -> Vec<u8> {
    let mut code = template.to_vec();
    for (mark, address) in addresses {
        let at = code.windows(8).position(|bytes| bytes == mark.to_le_bytes());
        let at = at.expect("each template holds its marks once");
        code[at..at + 8].copy_from_slice(&address.to_le_bytes());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trampoline_holds_its_target_and_nothing_of_the_marks() {
        for code in [exit(0x1234_5678_9abc), stub(Stub::Barrier), stub(Stub::RaiseIndex)] {
            for mark in [PARAMETER, CURRENT] {
                assert!(!code.windows(8).any(|bytes| bytes == mark.to_le_bytes()));
            }
        }
        let target = 0x1234_5678_9abc_u64.to_le_bytes();
        assert!(exit(0x1234_5678_9abc).windows(8).any(|bytes| bytes == target));
    }
}
