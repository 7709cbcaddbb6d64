//! The way into compiled code, and the way out of it when a program is stopped.
//!
//! [`enter`] calls a compiled function from Rust: it saves the registers that Rust expects back, notes
//! its own frame as the end of the compiled frames, loads the allocation cursor into its register and
//! calls. An error that stops the program does not unwind the compiled frames one by one: whoever raises it
//! (an exit trampoline after a native function, or [`raise_trap`] after a signal) goes straight back to the
//! innermost entry's frame, which is the landing pad. Native code on the way sees [`Raised`] and
//! returns; nothing of Rust is jumped over.
//!
//! Compiled functions use Cranelift's `tail` convention: arguments in the registers of the C convention
//! (the context first), up to eight integer results in rax, rcx, rdx, rsi, rdi, r8, r9, r10 and eight
//! floats in xmm0 to xmm7, r15 the allocation cursor.

use std::arch::naked_asm;
use std::cell::Cell;
use std::mem::offset_of;
use std::ptr;

use medi_heap::layout;

use crate::context::{Activation, Context, Stub, offsets};
use crate::watermark;

/// Bytes of stack that stay free below compiled code for the native functions it calls. The readers take the
/// most: serde_json goes 128 levels deep into a file before it refuses.
pub const NATIVE_RESERVE: usize = 1 << 20;

/// The program was stopped by an error; [`crate::thread::Thread`] holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raised;

/// Arguments and results of a compiled function.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// Integer and reference arguments after the context; then integer results.
    pub ints: [u64; 8],
    /// Float arguments; then float results.
    pub floats: [f64; 8],
}

impl Registers {
    /// How many integer arguments there is room for.
    pub const INT_ARGS: usize = 5;
}

thread_local! {
    /// The context whose compiled code this thread is in, for the signal handler.
    static CURRENT: Cell<*mut Context> = const { Cell::new(ptr::null_mut()) };
}

/// The context of the compiled code that this thread is in or was called from; null outside. Stubs ask, too.
pub extern "C" fn current() -> *mut Context {
    CURRENT.get()
}

/// Calls the compiled function at `code`. Results are in `registers` afterwards.
///
/// # Safety
/// `context` belongs to this thread and its heap words are attached. `code` is the address of a compiled
/// function whose arguments `registers` holds, in order, and its code map is the thread's. References in
/// `registers` are not roots: nothing may collect before the call, and results must be rooted before
/// anything collects.
pub unsafe fn enter(
    context: *mut Context,
    code: usize,
    registers: &mut Registers,
) -> Result<(), Raised> {
    // SAFETY: the caller promises a valid context of this thread, which nobody else writes to.
    let outer = unsafe {
        Activation {
            previous: (*context).activation,
            exit_fp: (*context).exit_fp,
            exit_pc: (*context).exit_pc,
            entry_fp: (*context).entry_fp,
        }
    };
    let outer_current = CURRENT.replace(context);
    // SAFETY: as above. `outer` outlives the call, and is unlinked again after it. A first entry has no
    // outer frames, and then its exit_fp equals its entry_fp (both 0), which a walk takes as the end.
    let raised = unsafe {
        (*context).activation = &raw const outer;
        let raised = call_compiled(context, code, registers);
        (*context).activation = outer.previous;
        (*context).exit_fp = outer.exit_fp;
        (*context).exit_pc = outer.exit_pc;
        (*context).entry_fp = outer.entry_fp;
        raised
    };
    CURRENT.set(outer_current);
    if raised == 0 {
        return Ok(());
    }
    // SAFETY: this is native code again, called from the outer frames, which are about to be jumped over as well.
    unsafe { watermark::forget_activation(context) };
    Err(Raised)
}

/// How far below its frame pointer [`call_compiled`] saves the last of the registers that Rust expects
/// back: rbx, r12, r13, r14, r15.
pub const SAVED_REGISTERS: usize = 40;

/// Returns 0 when the function returned, 1 when an error landed here.
#[unsafe(naked)]
unsafe extern "C" fn call_compiled(
    context: *mut Context,
    code: usize,
    registers: *mut Registers,
) -> u64 {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "sub rsp, 8",
        "push rdi",
        "push rdx",
        "mov [rdi + {entry_fp}], rbp",
        "mov r15, [rdi + {cursor}]",
        "mov rax, rsi",
        "mov r11, rdx",
        "mov rsi, [r11]",
        "mov rdx, [r11 + 8]",
        "mov rcx, [r11 + 16]",
        "mov r8, [r11 + 24]",
        "mov r9, [r11 + 32]",
        "movsd xmm0, [r11 + {floats}]",
        "movsd xmm1, [r11 + {floats} + 8]",
        "movsd xmm2, [r11 + {floats} + 16]",
        "movsd xmm3, [r11 + {floats} + 24]",
        "movsd xmm4, [r11 + {floats} + 32]",
        "movsd xmm5, [r11 + {floats} + 40]",
        "movsd xmm6, [r11 + {floats} + 48]",
        "movsd xmm7, [r11 + {floats} + 56]",
        "call rax",
        "mov r11, [rsp]",
        "mov [r11], rax",
        "mov [r11 + 8], rcx",
        "mov [r11 + 16], rdx",
        "mov [r11 + 24], rsi",
        "mov [r11 + 32], rdi",
        "mov [r11 + 40], r8",
        "mov [r11 + 48], r9",
        "mov [r11 + 56], r10",
        "movsd [r11 + {floats}], xmm0",
        "movsd [r11 + {floats} + 8], xmm1",
        "movsd [r11 + {floats} + 16], xmm2",
        "movsd [r11 + {floats} + 24], xmm3",
        "movsd [r11 + {floats} + 32], xmm4",
        "movsd [r11 + {floats} + 40], xmm5",
        "movsd [r11 + {floats} + 48], xmm6",
        "movsd [r11 + {floats} + 56], xmm7",
        "mov rcx, [rsp + 8]",
        "mov [rcx + {cursor}], r15",
        "xor eax, eax",
        "lea rsp, [rbp - {saved}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        entry_fp = const offsets::ENTRY_FP,
        cursor = const layout::CURSOR,
        floats = const offset_of!(Registers, floats),
        saved = const SAVED_REGISTERS,
    )
}

/// Where a signal handler resumes after a fault in compiled code: raises the error on the faulting
/// thread's own stack, then goes to the landing pad. Never called by Rust.
///
/// # Safety
/// Entered with the stack pointer 16-aligned; the context says where compiled code was left.
#[unsafe(naked)]
pub unsafe extern "C" fn raise_trap(context: *mut Context, code: u64, operand: u64) -> ! {
    naked_asm!(
        "push rdi",
        "sub rsp, 8",
        "call [rdi + {stubs} + 8 * {raise_trap}]",
        "mov rcx, [rsp + 8]",
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
        stubs = const offsets::STUBS,
        raise_trap = const Stub::RaiseTrap as usize,
        entry_fp = const offsets::ENTRY_FP,
        saved = const SAVED_REGISTERS,
    )
}

/// The lowest address of this thread's stack, and its size in bytes.
pub fn stack_bounds() -> std::io::Result<(usize, usize)> {
    // SAFETY: the attributes are initialised by pthread_getattr_np before they are read, and destroyed
    // once; both pointers are to locals.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let status = libc::pthread_getattr_np(libc::pthread_self(), &mut attributes);
        if status != 0 {
            return Err(std::io::Error::from_raw_os_error(status));
        }
        let (mut low, mut size) = (ptr::null_mut(), 0);
        let status = libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
        if status != 0 {
            return Err(std::io::Error::from_raw_os_error(status));
        }
        Ok((low as usize, size))
    }
}

/// The lowest address that compiled code may use of this thread's stack: the stack's own low end, the
/// pages that the kernel keeps as a guard, and the reserve for native code.
///
/// # Errors
/// When the system does not say where the stack is, or it has no room beside the reserve.
pub fn stack_floor() -> std::io::Result<usize> {
    const GUARD: usize = 64 << 10;
    let (low, size) = stack_bounds()?;
    if size <= GUARD + NATIVE_RESERVE {
        let message = format!("a stack of {size} bytes has no room for a program");
        return Err(std::io::Error::other(message));
    }
    Ok(low + GUARD + NATIVE_RESERVE)
}
