//! One call from compiled code into a native function: what natives do to raise, to answer and to make
//! strings.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use medi_heap::{Heap, Mutator, ObjectRef, OutOfMemory, Root, layout};
use medi_region::OwnedBuffers;

use crate::check::Check;
use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry;
use crate::error::{Frame, RuntimeError, codes};
use crate::handles::Handles;
use crate::leaks::Watch;
use crate::memory_report;
use crate::output::Output;
use crate::pool::POLL_CANCEL;
use crate::shape::Shapes;
use crate::stack::{self, Departure, Frames};
use crate::thread::{HeapLedger, Run, Stop, Thread};
use crate::value::{ArrayTypes, object};
use crate::watermark;
use crate::work::Execution;

/// Where the functions that every program sees are declared.
const PRELUDE: [&str; 5] =
    ["lib/core.medi", "lib/text.medi", "lib/numbers.medi", "lib/system.medi", TASKS];

/// Where tasks are declared. A call stack shows what runs in a task, not how it was started.
const TASKS: &str = "lib/tasks.medi";

/// A native function's view of the thread that called it. Fields of the thread are borrowed one at a time:
/// the collector reads others while the mutator is borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Call(*mut Context);

/// The program is stopping; the native returns at once, with any value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

/// Leaves the innermost calls out that are within the prelude, if there are others: an index that `swap` was given is the
/// mistake of who called `swap`.
pub(crate) fn leave_prelude_out(stack: &mut Vec<Frame>) {
    let inner = stack.iter().take_while(|frame| PRELUDE.contains(&frame.file.as_str())).count();
    if inner < stack.len() {
        stack.drain(..inner);
    }
}

/// Elements from which a kernel takes so long, some tens of microseconds, that collections should not wait for it.
const LONG_KERNEL: i64 = 1 << 15;

macro_rules! fields {
    ($($name:ident: $ty:ty),* $(,)?) => {$(
        #[allow(clippy::mut_from_ref, reason = "one field of a thread that only this call uses")]
        pub fn $name(&self) -> &mut $ty {
            // SAFETY: see `Call::new`; natives borrow a field for a few lines, and never the same twice.
            unsafe { &mut (*self.thread()).$name }
        }
    )*};
}

/// Runs `wait` in native state, if the thread is not in it already; see [`Call::waiting`].
///
/// # Safety
/// `context` is this thread's, and it is in native code that is no leaf.
pub(crate) unsafe fn waiting<R>(context: *mut Context, wait: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's promise; the flag is this thread's own.
    unsafe {
        let thread = (*context).thread;
        if (*thread).waiting {
            return wait();
        }
        (*thread).waiting = true;
        (*thread).mutator.enter_native();
        let answer = wait();
        (*thread).mutator.leave_native();
        (*thread).waiting = false;
        answer
    }
}

/// Whether the call that has just failed did so because the process, or the system, has no file descriptor left. What
/// opens files makes messages of its errors, so that this looks at the system's own note.
fn out_of_descriptors() -> bool {
    matches!(io::Error::last_os_error().raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

impl Call {
    /// # Safety
    /// `context` is what compiled code passed to a native function that has not returned yet.
    pub unsafe fn new(context: *mut Context) -> Call {
        Call(context)
    }

    pub fn context(&self) -> *mut Context {
        self.0
    }

    fn thread(&self) -> *mut Thread {
        // SAFETY: the context of a running thread is valid, and its thread is set once.
        unsafe { (*self.0).thread }
    }

    fields! {
        mutator: Mutator,
        scopes: medi_region::Scopes<crate::thread::HeapLedger>,
        watches: Vec<Watch>,
        jobs: crossbeam_deque::Worker<crate::pool::Job>,
        builder: Vec<u8>,
        scratch: Vec<u8>,
        stop: Option<Stop>,
    }

    pub fn run(&self) -> &Arc<Run> {
        // SAFETY: as for shapes.
        unsafe { &(*self.thread()).run }
    }

    /// Buffers that no scope owns.
    pub fn owned(&self) -> &OwnedBuffers<HeapLedger> {
        &self.run().owned
    }

    pub fn handles(&self) -> &Handles {
        &self.run().handles
    }

    /// What compiled code holds of a file that was opened: an array of ints whose only element is its number. When a
    /// collection finds the array dead, the file is closed by the next call that looks for lost ones. References not in
    /// handles are stale afterwards.
    pub fn open_file(&self, file: impl Any + Send) -> Result<u64, Stopped> {
        let ints = self.arrays().int_type();
        let array = self.mutator().alloc_array(ints, 1);
        let array = array.map_err(|error| self.out_of_memory(&error))?;
        let handle = self.handles().insert(file);
        // SAFETY: the array was just made with one element.
        unsafe { *array.at::<i64>(layout::ARRAY_DATA) = handle };
        self.run().lost_files.register(self.mutator(), array, handle);
        Ok(array.address() as u64)
    }

    /// Opens a file, in native state, once those that the program has lost are closed. References not in handles are
    /// stale afterwards.
    pub fn opening<R, E>(&self, open: impl Fn() -> Result<R, E>) -> Result<R, E> {
        self.close_lost_files();
        if self.handles().are_many() {
            self.find_lost_files();
        }
        loop {
            let (opened, out_of_descriptors) = self.waiting(|| {
                let opened = open();
                let out = opened.is_err() && out_of_descriptors();
                (opened, out)
            });
            let closed = self.handles().closed();
            if !out_of_descriptors {
                return opened;
            }
            self.find_lost_files();
            if self.handles().closed() == closed {
                return opened;
            }
        }
    }

    /// Closes the files that the program has lost: those that a young collection finds if that is enough, or all.
    fn find_lost_files(&self) {
        let closed = self.handles().closed();
        self.mutator().collect_young();
        self.close_lost_files();
        if self.handles().closed() == closed || self.handles().are_many() {
            self.mutator().collect();
            self.close_lost_files();
        }
        self.handles().note_kept();
    }

    /// Closes the files that a collection has found lost.
    pub fn close_lost_files(&self) {
        while let Some(handle) = self.run().lost_files.poll() {
            self.handles().remove(handle);
        }
    }

    pub fn output(&self) -> &Output {
        // SAFETY: as for shapes.
        unsafe { &(*self.thread()).output }
    }

    /// The part of a task that this thread runs; `None` in `main`.
    pub fn execution(&self) -> Option<&Execution> {
        // SAFETY: an execution lies in the frame of the native code that runs it, below this one.
        unsafe { (*self.thread()).execution.as_ref() }
    }

    /// Sets what [`Call::execution`] answers; the old one.
    pub fn set_execution(&self, execution: *const Execution) -> *const Execution {
        // SAFETY: the thread of a running context is valid, and the field is not borrowed.
        unsafe { std::mem::replace(&mut (*self.thread()).execution, execution) }
    }

    /// Where compiled code was left, to walk what this task (or `main`) has called.
    pub fn departure(&self) -> Departure {
        let until = self.execution().map(|execution| execution.below);
        // SAFETY: the context of a running thread is valid, and the thread is in native code.
        unsafe { Departure::of(self.0, until) }
    }

    /// The calls under way of this task, or of `main`.
    pub fn frames(&self) -> Frames {
        // SAFETY: the thread stays in native code while it looks.
        unsafe { self.departure().frames() }
    }

    /// Whether what this thread runs is not needed any more. Takes back the request to look.
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: the context of a running thread is valid; the word is atomic. AcqRel: whoever cancels sets the
        // flag before the bit, so that it is seen now or the bit is set again.
        unsafe { (*self.0).heap.poll().fetch_and(!POLL_CANCEL, Ordering::AcqRel) };
        self.run().pool.is_stopping() || self.execution().is_some_and(|e| e.work.is_cancelled())
    }

    /// Waits for the operating system or another thread: no collection waits for this thread meanwhile, and `wait`
    /// touches no collected memory. Not for leaves, whose callers' frames cannot be walked.
    pub fn waiting<R>(&self, wait: impl FnOnce() -> R) -> R {
        // SAFETY: the context is of this thread.
        unsafe { waiting(self.0, wait) }
    }

    /// Runs a kernel: work on elements of these arrays that holds no references in them, and touches nothing else of the
    /// heap. Where there is much of it, no collection waits for the thread meanwhile; the arrays are kept alive. Not for
    /// leaves.
    ///
    /// # Safety
    /// Each of `arrays` is a live array of elements without references.
    pub unsafe fn kernel<R>(&self, arrays: &[u64], count: i64, work: impl FnOnce() -> R) -> R {
        let mutator = self.mutator();
        // The moving mode moves what a thread in native state works on.
        if count < LONG_KERNEL || mutator.heap().options().moving {
            return work();
        }
        let root = |array: &u64| mutator.root(object(*array));
        let _kept: Vec<Root> = arrays.iter().map(root).collect();
        self.waiting(work)
    }

    pub fn shapes(&self) -> &Shapes {
        // SAFETY: shapes never change while a program runs.
        unsafe { &(*self.thread()).shapes }
    }

    pub fn code(&self) -> &CodeMap {
        // SAFETY: as for shapes.
        unsafe { &(*self.thread()).code }
    }

    pub fn heap(&self) -> &Heap {
        // SAFETY: as for shapes.
        unsafe { &(*self.thread()).heap }
    }

    pub fn arrays(&self) -> &ArrayTypes {
        // SAFETY: as for shapes.
        unsafe { &(*self.thread()).arrays }
    }

    pub fn hash_seed(&self) -> u64 {
        // SAFETY: as for shapes.
        unsafe { (*self.thread()).hash_seed }
    }

    /// The return address in compiled code: the site of this call.
    pub fn site(&self) -> u64 {
        // SAFETY: the context of a running thread is valid.
        unsafe { (*self.0).exit_pc as u64 }
    }

    /// The site of this call for scope memory: with its stack in a checked run, where somebody watches for leaks, or where
    /// `precise`.
    pub fn memory_site(&self, precise: bool) -> u64 {
        let run = self.run();
        if precise || run.check == Check::Memory || self.is_watched() {
            run.stacks.site(self.frames())
        } else {
            self.site()
        }
    }

    /// Stops the program when this native returns. The first reason wins.
    pub fn halt(&self, stop: Stop) -> Stopped {
        self.stop().get_or_insert(stop);
        // SAFETY: the context of a running thread is valid.
        unsafe {
            watermark::forget_activation(self.0);
            (*self.0).raised = 1;
        }
        Stopped
    }

    /// Stops the program with an error, which gets the call stack, without its innermost calls within the prelude.
    pub fn raise(&self, error: RuntimeError) -> Stopped {
        let mut stack = stack::walk(self.frames(), self.code());
        leave_prelude_out(&mut stack);
        if let Some(execution) = self.execution() {
            execution.work.append_origin(&mut stack, self.code());
            stack.retain(|frame| frame.file != TASKS);
        }
        self.halt(Stop::Error(error.with_stack(stack)))
    }

    /// Stops the program for an argument that a native cannot work with.
    pub fn bad_argument(&self, message: impl Into<String>) -> Stopped {
        self.raise(RuntimeError::new(codes::BAD_ARGUMENT, message))
    }

    pub fn out_of_memory(&self, error: &OutOfMemory) -> Stopped {
        self.raise(memory_report::out_of_memory(self.heap(), self.code(), error))
    }

    /// Stops the program because `print` failed.
    pub fn output_failed(&self, error: &io::Error) -> Stopped {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return self.halt(Stop::BrokenPipe);
        }
        self.raise(RuntimeError::new(codes::FILE, format!("cannot write the output: {error}")))
    }

    /// Answers with several scalars.
    pub fn results<const N: usize>(&self, values: [u64; N]) {
        // SAFETY: the context of a running thread is valid; a native answers with at most MAX_RESULTS.
        unsafe { (&mut (*self.0).results)[..N].copy_from_slice(&values) };
    }

    /// Collects, if somebody watches for leaks and it is time. References not in handles are stale afterwards.
    pub fn collect_for_watch(&self) {
        if self.is_watched() {
            self.collect_when_due();
        }
    }

    /// Whether somebody watches for leaks.
    pub fn is_watched(&self) -> bool {
        // SAFETY: as for shapes.
        unsafe { (*self.thread()).watched }
    }

    #[cold]
    fn collect_when_due(&self) {
        if let Some(leaks) = &self.run().leaks
            && leaks.is_due(self.heap())
        {
            self.mutator().collect();
        }
    }

    /// An uninitialised (zero) string of `len` bytes. References not in handles are stale afterwards.
    pub fn new_bytes(&self, len: usize) -> Result<ObjectRef, Stopped> {
        self.collect_for_watch();
        let ty = self.arrays().string_type();
        self.mutator().alloc_array(ty, len).map_err(|error| self.out_of_memory(&error))
    }

    /// A string of `len` bytes made from objects, which `fill` is given where they are by then; what it
    /// writes is valid UTF-8. Other references not in handles are stale afterwards.
    pub fn new_string_from<const N: usize>(
        &self,
        objects: [u64; N],
        len: usize,
        fill: impl FnOnce([u64; N], &mut [u8]),
    ) -> Result<u64, Stopped> {
        let ty = self.arrays().string_type();
        let made = self.mutator().scope(|scope| -> Result<_, OutOfMemory> {
            let handles = objects.map(|reference| scope.handle(object(reference)));
            let string = scope.alloc_array(ty, len)?;
            Ok((string, handles.map(|handle| handle.get().address() as u64)))
        });
        let (string, objects) = made.map_err(|error| self.out_of_memory(&error))?;
        // SAFETY: the string was just made with that many bytes, and nothing else knows it.
        fill(objects, unsafe {
            std::slice::from_raw_parts_mut(string.at::<u8>(layout::ARRAY_DATA), len)
        });
        Ok(string.address() as u64)
    }

    /// A string of bytes that natives put together; they are valid UTF-8, as everything they are made of.
    pub fn new_text(&self, bytes: &[u8]) -> Result<u64, Stopped> {
        // SAFETY: see above.
        self.new_string(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// Gives memory back after an unusually large text.
    pub fn shrink_scratch(&self) {
        let scratch = self.scratch();
        if scratch.capacity() > 1 << 20 {
            *scratch = vec![];
        }
    }

    /// The lowest address that a native that calls itself may use of the stack.
    pub fn stack_end(&self) -> usize {
        // SAFETY: the context of a running thread is valid.
        unsafe { (*self.0).stack_floor }.saturating_sub(entry::NATIVE_RESERVE / 2)
    }

    /// A string with this text, which must not lie in the collected heap. References not in handles are
    /// stale afterwards.
    pub fn new_string(&self, text: &str) -> Result<u64, Stopped> {
        let string = self.new_bytes(text.len())?;
        // SAFETY: the string was just made, as long as the text.
        unsafe {
            let data = string.at::<u8>(layout::ARRAY_DATA);
            data.copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Ok(string.address() as u64)
    }

    /// Answers with a `Result[string]`-like pair: no error, and the value's bits.
    pub fn ok(&self, value: u64) {
        self.results([0, value]);
    }

    /// Answers with a failed result whose value is one scalar.
    pub fn fail(&self, message: &str) {
        if let Ok(message) = self.new_string(message) {
            self.results([message, 0]);
        }
    }
}
