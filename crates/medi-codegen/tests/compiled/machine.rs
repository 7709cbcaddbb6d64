//! Runs a hand-made program: a heap, a session, the compiled code, and what it answers.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use medi_check::mir::{self, Program};
use medi_codegen::{Compiled, Options};
use medi_heap::layout::MutatorWords;
use medi_heap::{Embedder, Heap, ObjectRef};
use medi_runtime::check::Check;
use medi_runtime::context::{Context, Stub};
use medi_runtime::entry::{self, Registers};
use medi_runtime::error::RuntimeError;
use medi_runtime::output::Output;
use medi_runtime::stack;
use medi_runtime::thread::{Limits, Session, Stop};
use medi_runtime::trap;
use medi_syntax::source::SourceMap;

/// Finds roots the way the runtime does.
struct Frames;

// SAFETY: all references of a compiled program outside the heap are in its frames, or in root ranges and
// handles that the session registers.
unsafe impl Embedder for Frames {
    unsafe fn visit_stack(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize)) {
        let context: *const Context = words.cast();
        // SAFETY: the words are the first field of a session's context; its thread is stopped.
        unsafe {
            if let Some(thread) = (*context).thread.as_ref() {
                stack::visit_roots(context, &thread.code, visit);
            }
        }
    }

    fn allocation_site(&self, _: *mut MutatorWords) -> u32 {
        0
    }
}

/// How a program is compiled and what heap it gets.
#[derive(Clone, Debug)]
pub struct Setup {
    pub heap: medi_heap::Options,
    pub code: Options,
    /// Bytes of stack.
    pub stack: usize,
    /// Press Ctrl-C a moment after the program has started.
    pub interruptible: bool,
    /// Collect at every safepoint and function entry too.
    pub storm: bool,
    /// Note what the barrier's slow path is told.
    pub note_barriers: bool,
    /// What of the memory is checked.
    pub check: Check,
    pub args: Vec<u64>,
    pub float_args: Vec<f64>,
}

impl Default for Setup {
    fn default() -> Self {
        let reserve = Some(1 << 30);
        Setup {
            heap: medi_heap::Options { reserve, ..Default::default() },
            code: Options::default(),
            stack: 8 << 20,
            storm: false,
            note_barriers: false,
            interruptible: false,
            check: Check::Off,
            args: vec![],
            float_args: vec![],
        }
    }
}

/// What `main` answered.
#[derive(Debug)]
pub struct Answer {
    pub registers: Registers,
    pub stop: Option<Stop>,
    pub collections: u64,
    /// With [`Setup::note_barriers`].
    pub barriers: Vec<Told>,
}

/// What the barrier's slow path was told of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Of the slot in its object, in bytes.
    pub offset: usize,
    /// Which string literal is stored; `None` for nil.
    pub literal: Option<usize>,
}

impl Answer {
    /// The first integer result.
    pub fn int(&self) -> i64 {
        assert!(self.stop.is_none(), "stopped: {:?}", self.stop);
        self.registers.ints[0] as i64
    }

    /// The first float result.
    pub fn float(&self) -> f64 {
        assert!(self.stop.is_none(), "stopped: {:?}", self.stop);
        self.registers.floats[0]
    }

    pub fn error(&self) -> &RuntimeError {
        match &self.stop {
            Some(Stop::Error(error)) => error,
            other => panic!("no error: {other:?}"),
        }
    }
}

pub fn run(program: &Program) -> Answer {
    run_with(program, &Setup::default())
}

pub fn run_with(program: &Program, setup: &Setup) -> Answer {
    let violations = mir::validate::validate(program);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let heap = Heap::new(setup.heap.clone(), Arc::new(Frames)).expect("a heap");
    let mut sources = SourceMap::default();
    sources.add("test.medi", "\n".repeat(10_000), false);
    let compiled = medi_codegen::compile(program, Arc::new(sources), &heap, &setup.code);
    let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
    let thread = std::thread::Builder::new().stack_size(setup.stack);
    std::thread::scope(|scope| {
        let running = thread.spawn_scoped(scope, || run_here(&heap, &compiled, setup));
        running.expect("a thread").join().expect("no panic")
    })
}

fn run_here(heap: &Heap, compiled: &Compiled, setup: &Setup) -> Answer {
    trap::install();
    let (shapes, code) = (Arc::clone(&compiled.shapes), Arc::clone(&compiled.code));
    let output = Output::collected().0;
    let limits = Limits { threads: 1, stack_size: setup.stack, check: setup.check, leaks: None };
    let literals = &compiled.literals;
    let mut session =
        Session::first(heap, shapes, code, literals, output, limits, None).expect("literals fit");
    session.use_this_stack().expect("a stack");
    if setup.storm {
        // SAFETY: the context is this thread's, and no compiled code runs yet.
        unsafe { start_storm(session.context()) };
    }
    // SAFETY: the session outlives the guard.
    let guard =
        setup.interruptible.then(|| unsafe { trap::InterruptGuard::new(session.context()) });
    if setup.interruptible {
        std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            // SAFETY: the guard has installed a handler.
            unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
        });
    }
    if setup.note_barriers {
        // SAFETY: as for the storm.
        unsafe {
            (*session.context()).stubs[Stub::Barrier as usize] = note_barrier as *const () as usize;
        }
    }
    let mut registers = Registers::default();
    registers.ints[..setup.args.len()].copy_from_slice(&setup.args);
    registers.floats[..setup.float_args.len()].copy_from_slice(&setup.float_args);
    // SAFETY: the context is this thread's, the entry is main of the code the session knows, and the tests
    // pass the arguments that their main takes, none of them references.
    let result = unsafe { entry::enter(session.context(), compiled.entry, &mut registers) };
    drop(guard);
    let stop = session.thread().stop.take();
    assert_eq!(result.is_err(), stop.is_some());
    let barriers = NOTED.take().into_iter().map(|Store { object, slot, value }| {
        let literal = (value != 0).then(|| {
            let literal = (0..compiled.literals.len()).find(|index| {
                // SAFETY: the table has a word for each literal.
                unsafe { *(*session.context()).literals.add(*index) == value }
            });
            literal.unwrap_or_else(|| panic!("{value:#x} is no literal"))
        });
        // SAFETY: the objects of these tests are never collected.
        assert_eq!(unsafe { *(slot as *const usize) }, value, "what the slot holds at the end");
        Told { offset: slot - object, literal }
    });
    Answer { registers, stop, collections: heap.stats().cycles, barriers: barriers.collect() }
}

/// A store of a reference that is about to be made.
#[derive(Clone, Copy)]
struct Store {
    object: usize,
    slot: usize,
    value: usize,
}

thread_local! {
    /// What [`note_barrier`] was told.
    static NOTED: RefCell<Vec<Store>> = const { RefCell::new(vec![]) };
}

/// Stands for the barrier's slow path in programs that store to each slot once.
unsafe extern "C" fn note_barrier(
    context: *mut Context,
    object: u64,
    slot: u64,
    value: u64,
) -> u64 {
    let [object, slot, value] = [object, slot, value].map(|word| word as usize);
    let store = Store { object, slot, value };
    // SAFETY: called by compiled code with its own context, before it stores.
    unsafe {
        assert_ne!(*(store.slot as *const usize), store.value, "the barrier precedes the store");
        NOTED.with_borrow_mut(|noted| noted.push(store));
        let object = ObjectRef::from_address(store.object).expect("a store into an object");
        (*(*context).thread).mutator.write_barrier(object, store.slot, store.value);
    }
    0
}

/// From now on every poll finds its flag set and collects.
///
/// # Safety
/// The context is valid and its thread in no compiled code.
unsafe fn start_storm(context: *mut Context) {
    /// A bit of the poll word that nobody clears.
    const POLL_STORM: u32 = 1 << 31;
    unsafe extern "C" fn collect(context: *mut Context, _: u64, _: u64, _: u64) -> u64 {
        // SAFETY: called by compiled code with its own context; the mutator is borrowed for this call.
        unsafe { (*(*context).thread).mutator.collect() };
        0
    }
    // SAFETY: the caller's promise.
    unsafe {
        (*context).stubs[Stub::Safepoint as usize] = collect as *const () as usize;
        (*context).stubs[Stub::StackCheck as usize] = collect as *const () as usize;
        (*context).heap.poll().fetch_or(POLL_STORM, Ordering::Relaxed);
        (*context).stack_limit.store(usize::MAX, Ordering::Relaxed);
    }
}

/// Natives of the tests.
pub mod natives {
    use super::*;

    /// Collects, and answers with its argument plus one.
    pub unsafe extern "C" fn test_collect(context: *mut Context, value: u64) -> u64 {
        // SAFETY: called by compiled code with its own context; the mutator is borrowed for this call.
        unsafe { (*(*context).thread).mutator.collect() };
        value + 1
    }

    /// Answers with (b, a + b, x) for (a, b, x).
    pub unsafe extern "C" fn test_several(context: *mut Context, a: u64, b: u64, x: f64) {
        // SAFETY: called by compiled code with its own context.
        unsafe { (&mut (*context).results)[..3].copy_from_slice(&[b, a + b, x.to_bits()]) };
    }

    /// A leaf: the sum of a byte, a float rounded down, and an int.
    pub unsafe extern "C" fn test_leaf(_: *mut Context, a: u64, x: f64, b: u64) -> u64 {
        a + x as u64 + b
    }

    /// Stops the program.
    pub unsafe extern "C" fn test_raise(context: *mut Context) {
        // SAFETY: called by compiled code with its own context.
        unsafe {
            let thread = (*context).thread;
            let stack = stack::walk(stack::Frames::new(context), &(*thread).code);
            let error = RuntimeError::new("T0001", "raised").with_stack(stack);
            (*thread).stop = Some(Stop::Error(error));
            (*context).raised = 1;
        }
    }

    /// The first two words of a value in memory, added; 1000 times the shape is added too.
    pub unsafe extern "C" fn test_shaped(_: *mut Context, value: *const u64, shape: u64) -> u64 {
        // SAFETY: the tests pass values of at least two words.
        unsafe { *value + *value.add(1) + 1000 * u64::from(shape != 0) }
    }

    /// Reads a byte that may be beside the view.
    pub unsafe extern "C" fn test_read_at(
        _: *mut Context,
        _: u64,
        _: u64,
        base: *const u8,
        _: u64,
        at: i64,
    ) -> u64 {
        // SAFETY: none: the tests want to see what happens.
        unsafe { u64::from(base.offset(at as isize).read_volatile()) }
    }

    /// Writes a byte that may be beside the view.
    pub unsafe extern "C" fn test_write_at(
        _: *mut Context,
        _: u64,
        _: u64,
        base: *mut u8,
        _: u64,
        at: i64,
    ) -> u64 {
        // SAFETY: none: the tests want to see what happens.
        unsafe { base.offset(at as isize).write_volatile(1) };
        0
    }

    /// The length of a string.
    pub unsafe extern "C" fn test_len(_: *mut Context, string: u64) -> u64 {
        // SAFETY: a live string's length follows its header.
        unsafe { *((string + 8) as *const u64) }
    }

    /// Calls a closure without arguments and gives its int answer plus one.
    pub unsafe extern "C" fn test_call(context: *mut Context, closure: u64) -> u64 {
        let mut registers = Registers::default();
        registers.ints[0] = closure;
        // SAFETY: a closure's code lies after its header; it takes the closure alone.
        unsafe {
            let code = *((closure + 8) as *const usize);
            match entry::enter(context, code, &mut registers) {
                Ok(()) => registers.ints[0] + 1,
                Err(entry::Raised) => 0,
            }
        }
    }

    /// How many frames of compiled code the process's unwinder sees from here, and 1000 when it sees the
    /// entry below them.
    pub unsafe extern "C" fn test_backtrace(context: *mut Context) -> u64 {
        struct Seen {
            context: *mut Context,
            compiled: u64,
            below: bool,
        }
        unsafe extern "C" {
            fn _Unwind_Backtrace(
                each: unsafe extern "C" fn(*mut u8, *mut u8) -> i32,
                seen: *mut u8,
            ) -> i32;
            fn _Unwind_GetIP(frame: *mut u8) -> usize;
        }
        unsafe extern "C" fn each(frame: *mut u8, seen: *mut u8) -> i32 {
            let seen = seen.cast::<Seen>();
            // SAFETY: called by the unwinder with its frame and with what was passed to it.
            unsafe {
                let at = _Unwind_GetIP(frame);
                let code = &(*(*(*seen).context).thread).code;
                if code.contains(at.wrapping_sub(1)) {
                    (*seen).compiled += 1;
                } else if (*seen).compiled > 0 {
                    (*seen).below = true;
                }
            }
            0
        }
        let mut seen = Seen { context, compiled: 0, below: false };
        // SAFETY: the callback only counts.
        unsafe { _Unwind_Backtrace(each, (&raw mut seen).cast()) };
        seen.compiled + if seen.below { 1000 } else { 0 }
    }

    pub fn table() -> Vec<(String, usize, bool)> {
        vec![
            ("test_collect".into(), test_collect as *const () as usize, false),
            ("test_several".into(), test_several as *const () as usize, false),
            ("test_leaf".into(), test_leaf as *const () as usize, true),
            ("test_raise".into(), test_raise as *const () as usize, false),
            ("test_shaped".into(), test_shaped as *const () as usize, false),
            ("test_len".into(), test_len as *const () as usize, true),
            ("test_backtrace".into(), test_backtrace as *const () as usize, false),
            ("test_call".into(), test_call as *const () as usize, false),
            ("test_read_at".into(), test_read_at as *const () as usize, false),
            ("test_write_at".into(), test_write_at as *const () as usize, false),
        ]
    }
}
