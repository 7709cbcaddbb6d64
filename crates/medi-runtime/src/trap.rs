//! Traps: instructions of compiled code that stop the program, and the signals they arrive as.
//!
//! The code generator emits a faulting instruction where a check fails (`ud2`, or the division
//! itself) and notes its address and [`TrapCode`] in the code map. The handler here runs on the alternate
//! signal stack and does three things that need no lock and no memory: it looks the address up, notes where
//! compiled code was left, and resumes at [`entry::raise_trap`], which makes the error on the thread's own
//! stack. A fault at any other address is not ours and goes to the handler that was installed before.

use std::mem;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use medi_heap::layout;

use crate::check;
use crate::context::Context;
use crate::entry;

/// Why compiled code stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum TrapCode {
    /// The result of int arithmetic does not fit in 64 bits.
    Overflow = 1,
    DivideByZero,
    /// `e!` on nil.
    NilAssert,
    /// The distance of a shift is not in 0..64.
    ShiftDistance,
    /// A float that is not a number or does not fit in an int.
    FloatToInt,
    /// An int outside 0..256 where a byte is wanted.
    IntToByte,
    /// The stack's guard was touched before a check could see it.
    StackOverflow,
    /// A place that the compiler proved cannot be reached.
    Unreachable,
    /// Compiled code touched memory that it must not: a mistake of the compiler. The operand is the
    /// address.
    BadAccess,
    /// A reference that the type says is there is not: another task took it away.
    Race,
}

impl TrapCode {
    const ALL: [TrapCode; 10] = [
        TrapCode::Overflow,
        TrapCode::DivideByZero,
        TrapCode::NilAssert,
        TrapCode::ShiftDistance,
        TrapCode::FloatToInt,
        TrapCode::IntToByte,
        TrapCode::StackOverflow,
        TrapCode::Unreachable,
        TrapCode::BadAccess,
        TrapCode::Race,
    ];

    /// The code with that number, as [`crate::context::Stub::RaiseTrap`] receives it.
    pub fn from_number(number: u64) -> Option<TrapCode> {
        Self::ALL.into_iter().find(|code| *code as u64 == number)
    }

    /// What happened, in the words of a person who writes Medi.
    pub fn message(self) -> &'static str {
        match self {
            TrapCode::Overflow => "the result of this calculation does not fit in an int (64 bits)",
            TrapCode::DivideByZero => "division by zero",
            TrapCode::NilAssert => "this value is nil, but `!` promised that it is not",
            TrapCode::ShiftDistance => "a shift distance must be at least 0 and at most 63",
            TrapCode::FloatToInt => {
                "this float has no int: it is not a number, infinite, or beyond 64 bits"
            }
            TrapCode::IntToByte => "this int does not fit in a byte (0 to 255)",
            TrapCode::StackOverflow => "the calls are nested too deeply for the stack",
            TrapCode::Unreachable => {
                "the program reached a place that the compiler took for unreachable; this is a mistake \
                 in Medi, please report it"
            }
            TrapCode::Race => "another task took this value away while it was read",
            TrapCode::BadAccess => {
                "the program touched memory that is not its own; this is a mistake in Medi, please \
                 report it"
            }
        }
    }
}

/// The signals that compiled code can raise.
const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What was installed before, in the order of [`SIGNALS`]; written once, before our handler is.
struct Previous([libc::sigaction; SIGNALS.len()]);

static PREVIOUS: AtomicPtr<Previous> = AtomicPtr::new(ptr::null_mut());

/// Installs the handlers of this process, once.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: zeroed is a valid sigaction; each pointer is to a live local. The previous actions are
        // published before the handler that reads them is installed.
        unsafe {
            let mut previous = Box::new(Previous(mem::zeroed()));
            for (index, signal) in SIGNALS.into_iter().enumerate() {
                libc::sigaction(signal, ptr::null(), &mut previous.0[index]);
            }
            PREVIOUS.store(Box::into_raw(previous), Ordering::Release);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            for signal in SIGNALS {
                libc::sigaction(signal, &action, ptr::null_mut());
            }
        }
    });
    ensure_signal_stack();
}

/// Gives this thread an alternate signal stack unless it has one; Rust's own threads do.
pub fn ensure_signal_stack() {
    const SIZE: usize = 64 << 10;
    // SAFETY: both pointers are to locals; the mapping is fresh and stays for the life of the thread.
    unsafe {
        let mut current: libc::stack_t = mem::zeroed();
        libc::sigaltstack(ptr::null(), &mut current);
        if current.ss_flags & libc::SS_DISABLE == 0 {
            return;
        }
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let memory = libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0);
        if memory != libc::MAP_FAILED {
            let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: SIZE };
            libc::sigaltstack(&stack, ptr::null_mut());
        }
    }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, machine: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler.
    let taken = unsafe { resume_at_landing(signal, &*info, &mut *machine.cast()) };
    if !taken {
        pass_on(signal, info, machine);
    }
}

/// Redirects a fault of compiled code to [`entry::raise_trap`]; false when it is somebody else's.
///
/// # Safety
/// Called from a signal handler with what it got.
unsafe fn resume_at_landing(
    signal: i32,
    info: &libc::siginfo_t,
    machine: &mut libc::ucontext_t,
) -> bool {
    let context = entry::current();
    if context.is_null() {
        return false;
    }
    let registers = &mut machine.uc_mcontext.gregs;
    let read = |registers: &[i64; 23], name: i32| registers[name as usize] as usize;
    let pc = read(registers, libc::REG_RIP);
    // SAFETY: the context is that of the code this thread was in when the signal came, and its thread
    // outlives it; the code map never changes.
    let code = unsafe { &(*(*context).thread).code };
    let memory_fault = signal == libc::SIGSEGV || signal == libc::SIGBUS;
    // SAFETY: memory faults carry an address.
    let address = if memory_fault { unsafe { info.si_addr() as usize } } else { 0 };
    if !code.contains(pc) {
        // SAFETY: as above; these are the registers of the thread that was interrupted.
        return memory_fault && unsafe { check::resume_at_report(context, address, registers) };
    }
    let trap = match code.trap(pc) {
        Some(trap) => trap,
        // SAFETY: as above.
        None if memory_fault && near(address, unsafe { (*context).stack_floor }) => {
            TrapCode::StackOverflow
        }
        None if memory_fault => TrapCode::BadAccess,
        None => return false,
    };
    // SAFETY: as above. r15 is the cursor wherever compiled code can fault; the address after the
    // faulting one stands for it the way a return address stands for its call.
    unsafe {
        (*context).exit_fp = read(registers, libc::REG_RBP);
        (*context).exit_pc = pc + 1;
        let cursor = context.cast::<u8>().add(layout::CURSOR).cast::<usize>();
        cursor.write(read(registers, libc::REG_R15));
    }
    // A fault in the guard leaves no stack to make the error on: go back up to where compiled code
    // was allowed to be.
    let sp = if trap == TrapCode::StackOverflow {
        // SAFETY: as above.
        unsafe { (*context).stack_floor }
    } else {
        read(registers, libc::REG_RSP)
    };
    registers[libc::REG_RSP as usize] = ((sp & !15) - 128) as i64;
    registers[libc::REG_RDI as usize] = context as i64;
    registers[libc::REG_RSI as usize] = trap as i64;
    registers[libc::REG_RDX as usize] = address as i64;
    registers[libc::REG_RIP as usize] = entry::raise_trap as *const () as i64;
    true
}

/// Whether a faulting address is so close to the stack's end that it can only be an overflow.
fn near(address: usize, floor: usize) -> bool {
    const REACH: usize = 2 * entry::NATIVE_RESERVE;
    address < floor && floor - address < REACH
}

fn pass_on(signal: i32, info: *mut libc::siginfo_t, machine: *mut libc::c_void) {
    let previous = PREVIOUS.load(Ordering::Acquire);
    let index = SIGNALS.iter().position(|known| *known == signal);
    // SAFETY: written before our handler was installed, never freed. A handler installed with SA_SIGINFO
    // takes three arguments, another takes one. The default is brought back by returning to the fault
    // with it installed.
    unsafe {
        let action = match (previous.is_null(), index) {
            (false, Some(index)) => (*previous).0[index],
            _ => mem::zeroed(),
        };
        match action.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => {
                let mut default: libc::sigaction = mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &default, ptr::null_mut());
            }
            handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                    mem::transmute(handler);
                handler(signal, info, machine);
            }
            handler => {
                let handler: extern "C" fn(i32) = mem::transmute(handler);
                handler(signal);
            }
        }
    }
}

/// The poll word's bit that asks for a safepoint because the person pressed Ctrl-C.
pub const POLL_INTERRUPT: u32 = 2;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static INTERRUPT_TARGET: AtomicPtr<Context> = AtomicPtr::new(ptr::null_mut());

/// Whether Ctrl-C was pressed. [`crate::context::Stub::Safepoint`] and long native loops ask.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// While it lives, Ctrl-C makes one context stop at its next safepoint; a second Ctrl-C ends the process.
pub struct InterruptGuard {
    previous: libc::sigaction,
}

impl InterruptGuard {
    /// # Safety
    /// The context stays valid until the guard is dropped.
    pub unsafe fn new(context: *mut Context) -> InterruptGuard {
        INTERRUPTED.store(false, Ordering::Relaxed);
        INTERRUPT_TARGET.store(context, Ordering::Release);
        // SAFETY: zeroed is a valid sigaction; the pointers are to locals.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            let mut previous: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_interrupt as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigaction(libc::SIGINT, &action, &mut previous);
            InterruptGuard { previous }
        }
    }
}

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        INTERRUPT_TARGET.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: the action is what was installed before.
        unsafe { libc::sigaction(libc::SIGINT, &self.previous, ptr::null_mut()) };
    }
}

extern "C" fn on_interrupt(signal: i32) {
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        // SAFETY: both are allowed in a handler; the default action of SIGINT ends the process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    let context = INTERRUPT_TARGET.load(Ordering::Acquire);
    if !context.is_null() {
        // SAFETY: the guard's maker promised that the context is valid; the fields are atomic.
        unsafe {
            (*context).heap.poll().fetch_or(POLL_INTERRUPT, Ordering::Relaxed);
            (*context).stack_limit.store(usize::MAX, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_code_comes_back_from_its_number() {
        for code in TrapCode::ALL {
            assert_eq!(TrapCode::from_number(code as u64), Some(code));
        }
        assert_eq!(TrapCode::from_number(0), None);
        assert_eq!(TrapCode::from_number(200), None);
    }
}
