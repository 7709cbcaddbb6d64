//! The part of a running thread that only Rust code reads, and a [`Session`]: a thread attached to a heap,
//! ready to run compiled code. What the threads of one run share is a [`Run`].
//!
//! [`Context`] and [`Thread`] point at each other and stay where they are for the life of the session. Native code
//! never holds a `&mut Thread` while it allocates: the collector reads [`Thread::code`] through the
//! context meanwhile. It borrows single fields instead.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::{Arc, OnceLock};

use crossbeam_deque::Worker;
use medi_heap::{CleanerQueue, Heap, Mutator, ObjectRef, OutOfMemory, Outside, RootRange, layout};
use medi_region::{Guards, Ledger, OwnedBuffers, Refused, RegionSpace, Scopes};

use crate::check::{Check, Sites, Stacks};
use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry;
use crate::error::RuntimeError;
use crate::handles::Handles;
use crate::leaks::{Leaks, Watch};
use crate::output::Output;
use crate::pool::{Job, Pool};
use crate::shape::{ShapeId, Shapes};
use crate::stubs;
use crate::value::ArrayTypes;
use crate::work::Execution;

/// Counts scope memory against the heap's limit.
pub struct HeapLedger(Heap);

impl Ledger for HeapLedger {
    fn charge(&self, bytes: u64) -> Result<(), Refused> {
        self.0.charge(bytes).map_err(|_| Refused)
    }

    fn release(&self, bytes: u64) {
        self.0.release(bytes);
    }

    fn end_traced(&self, start: u64, end: u64) {
        // SAFETY: regions hold objects of the heap's types, one after the other.
        unsafe { self.0.shade_outside(start as usize, end as usize) };
    }
}

/// The objects of regions that may refer to collected ones.
struct Traced(Arc<RegionSpace>);

// SAFETY: compiled code writes the header of each object before the region's cursor passes it, and tells of every
// reference that it stores while `SHADING` is set.
unsafe impl Outside for Traced {
    fn visit(&self, visit: &mut dyn FnMut(usize, usize)) {
        self.0.visit(&mut |start, end| visit(start as usize, end as usize));
    }
}

/// Why a thread that has [`Context::raised`] set is on its way out.
#[derive(Debug)]
pub enum Stop {
    Error(RuntimeError),
    /// `exit(code)`.
    Exit(i32),
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads what the program prints.
    BrokenPipe,
    /// What this thread ran is not needed any more: it failed elsewhere, or the program stops.
    Cancelled,
}

/// String literals, and after them an empty array of each shape in [`Shapes::arrays`], made once for all threads.
struct Literals {
    // Dropped before the slots that it names.
    range: Option<RootRange>,
    slots: Box<[UnsafeCell<usize>]>,
}

// SAFETY: the slots are written while the session that makes them starts, before any other thread runs compiled
// code, and by a collector as it does with all registered roots.
unsafe impl Send for Literals {}
// SAFETY: as above.
unsafe impl Sync for Literals {}

impl Literals {
    fn new(heap: &Heap, count: usize) -> Literals {
        let slots: Box<[_]> = (0..count).map(|_| UnsafeCell::new(0usize)).collect();
        let mut literals = Literals { range: None, slots };
        // SAFETY: the slots are in a box that is kept until after the range is dropped; they hold zero or
        // strings; only running mutators of this heap read them.
        literals.range = Some(unsafe { heap.register_roots(literals.first(), count) });
        literals
    }

    fn first(&self) -> *mut usize {
        UnsafeCell::raw_get(self.slots.as_ptr())
    }
}

/// What tasks of a run may use, and how it is checked.
#[derive(Clone)]
pub struct Limits {
    /// How many threads run the program's code at the same time.
    pub threads: usize,
    /// Bytes of stack of each thread that the run starts.
    pub stack_size: usize,
    pub check: Check,
    /// Who watches for leaks.
    pub leaks: Option<Arc<Leaks>>,
}

/// What all threads of one run of a program share. A thread that is stuck in the operating system when the program
/// ends keeps it alive.
pub struct Run {
    heap: Heap,
    shapes: Arc<Shapes>,
    code: Arc<CodeMap>,
    arrays: Arc<ArrayTypes>,
    output: Output,
    hash_seed: u64,
    literals: OnceLock<Literals>,
    pub(crate) handles: Handles,
    pub(crate) owned: OwnedBuffers<HeapLedger>,
    pub(crate) regions: Arc<RegionSpace>,
    pub(crate) check: Check,
    pub(crate) guards: Arc<Guards>,
    pub(crate) stacks: Stacks,
    pub(crate) leaks: Option<Arc<Leaks>>,
    /// Numbers of open files that the program has lost.
    pub(crate) lost_files: CleanerQueue<i64>,
    pub(crate) pool: Pool,
    /// Keeps the code in memory.
    _owner: Option<Arc<dyn Any + Send + Sync>>,
}

impl Run {
    pub(crate) fn sites(&self) -> Sites<'_> {
        Sites { code: &self.code, stacks: &self.stacks }
    }
}

pub struct Thread {
    pub mutator: Mutator,
    pub heap: Heap,
    pub shapes: Arc<Shapes>,
    pub code: Arc<CodeMap>,
    pub run: Arc<Run>,
    /// Set together with [`Context::raised`].
    pub stop: Option<Stop>,
    pub scopes: Scopes<HeapLedger>,
    /// Somebody watches for leaks.
    pub(crate) watched: bool,
    /// Of the scopes that are open, as far in as one of them holds something; only where somebody watches for leaks.
    pub(crate) watches: Vec<Watch>,
    pub output: Output,
    /// The text that `fmt_begin` … `fmt_end` build.
    pub builder: Vec<u8>,
    /// For natives that make text of unknown length.
    pub scratch: Vec<u8>,
    /// Fixed for the process's life; see `string_hash`.
    pub hash_seed: u64,
    pub(crate) arrays: Arc<ArrayTypes>,
    /// What this thread has started and other threads may take.
    pub(crate) jobs: Worker<Job>,
    /// The part of a task that this thread runs, in the frame of native code that started it; null in `main`.
    pub(crate) execution: *const Execution,
    /// The thread is in native state.
    pub(crate) waiting: bool,
}

/// A thread attached to a heap.
pub struct Session {
    // Dropped in this order: the thread (with its mutator) before the words that it uses.
    thread: Box<Thread>,
    context: Box<Context>,
}

impl Session {
    /// Attaches the calling thread as the first of a run, and makes the literals.
    ///
    /// # Errors
    /// When the literals do not fit in the heap.
    pub fn new(
        heap: &Heap,
        shapes: Arc<Shapes>,
        code: Arc<CodeMap>,
        literals: &[String],
        output: Output,
    ) -> Result<Session, OutOfMemory> {
        let limits = Limits { threads: 1, stack_size: 8 << 20, check: Check::Off, leaks: None };
        Session::first(heap, shapes, code, literals, output, limits, None)
    }

    /// As [`Session::new`], with a choice of what tasks may use; `owner` keeps the code in memory.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn first(
        heap: &Heap,
        shapes: Arc<Shapes>,
        code: Arc<CodeMap>,
        literals: &[String],
        output: Output,
        limits: Limits,
        owner: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Result<Session, OutOfMemory> {
        let check = limits.check;
        let regions = Arc::new(match check {
            Check::Memory => RegionSpace::checked(),
            Check::Off | Check::Sampled => RegionSpace::new(),
        });
        let guards = Arc::new(Guards::new(check.guarding()));
        heap.set_outside(Arc::new(Traced(Arc::clone(&regions))));
        let run = Arc::new(Run {
            regions,
            heap: heap.clone(),
            arrays: Arc::new(ArrayTypes::new(&shapes)),
            shapes,
            code,
            output,
            hash_seed: seed(),
            literals: OnceLock::new(),
            handles: Handles::default(),
            owned: OwnedBuffers::guarded(HeapLedger(heap.clone()), Arc::clone(&guards)),
            check,
            guards,
            stacks: Stacks::default(),
            leaks: limits.leaks.clone(),
            lost_files: CleanerQueue::new(heap),
            pool: Pool::new(limits),
            _owner: owner,
        });
        let mut session = Session::join(&run);
        let arrays: Vec<_> = run.shapes.arrays().collect();
        let count = literals.len() + arrays.len();
        let made = run.literals.get_or_init(|| Literals::new(heap, count));
        session.context.literals = made.first();
        for (index, slot) in made.slots.iter().enumerate() {
            let object = match literals.get(index) {
                Some(text) => session.string(text)?,
                None => session.array(arrays[index - literals.len()], 0)?,
            };
            // SAFETY: no other thread of the run exists yet, and this one is not at a safepoint.
            unsafe { *slot.get() = object.address() };
        }
        Ok(session)
    }

    /// Attaches the calling thread to a run.
    pub(crate) fn join(run: &Arc<Run>) -> Session {
        let mut context = Box::new(Context::new(ptr::null_mut(), stubs::addresses()));
        // SAFETY: the words are in a box that the session keeps until after the mutator is dropped.
        let mutator = unsafe { run.heap.attach(&raw mut context.heap) };
        let scopes = Scopes::within(
            HeapLedger(run.heap.clone()),
            medi_region::Options {
                poison: run.heap.options().poison,
                guards: Arc::clone(&run.guards),
            },
            Arc::clone(&run.regions),
        );
        context.region_base = run.regions.base();
        context.region_tags = run.regions.tags();
        let thread = Box::new(Thread {
            mutator,
            heap: run.heap.clone(),
            shapes: Arc::clone(&run.shapes),
            code: Arc::clone(&run.code),
            run: Arc::clone(run),
            stop: None,
            scopes,
            watched: run.leaks.is_some(),
            watches: vec![],
            output: run.output.clone(),
            builder: vec![],
            scratch: vec![],
            hash_seed: run.hash_seed,
            arrays: Arc::clone(&run.arrays),
            jobs: Worker::new_lifo(),
            execution: ptr::null(),
            waiting: false,
        });
        let mut session = Session { thread, context };
        session.context.thread = &raw mut *session.thread;
        session.context.literals = run.literals.get().map_or(ptr::null_mut(), Literals::first);
        // SAFETY: the context is taken off again before the session's box is freed.
        unsafe { run.pool.add(session.context(), session.thread.jobs.stealer()) };
        session
    }

    /// The first argument of everything compiled.
    pub fn context(&mut self) -> *mut Context {
        &raw mut *self.context
    }

    pub fn thread(&mut self) -> &mut Thread {
        &mut self.thread
    }

    /// Lets compiled code use the stack of the calling thread.
    ///
    /// # Errors
    /// When the system does not say where the stack is.
    pub fn use_this_stack(&mut self) -> std::io::Result<()> {
        self.context.set_stack_floor(entry::stack_floor()?);
        Ok(())
    }

    /// A new array of a shape. Not a root: good until the next allocation.
    ///
    /// # Panics
    /// If the shape is not one of arrays.
    pub(crate) fn array(&mut self, shape: ShapeId, len: usize) -> Result<ObjectRef, OutOfMemory> {
        let ty = self.thread.shapes.get(shape).heap_type.expect("arrays are collected objects");
        self.thread.mutator.alloc_array(ty, len)
    }

    /// A new string. Not a root: good until the next allocation.
    pub(crate) fn string(&mut self, text: &str) -> Result<ObjectRef, OutOfMemory> {
        let ty = self.thread.arrays.string_type();
        let string = self.thread.mutator.alloc_array(ty, text.len())?;
        // SAFETY: the array was just made with that many bytes.
        unsafe {
            let data = string.at::<u8>(layout::ARRAY_DATA);
            data.copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Ok(string)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let context = self.context();
        self.thread.run.pool.remove(context);
    }
}

/// A seed for hashes that nobody outside can guess, so that nobody can make keys that collide.
fn seed() -> u64 {
    let mut seed = [0u8; 8];
    // SAFETY: the buffer is as long as it says. A failure leaves zeros, which only costs the guess.
    unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    u64::from_le_bytes(seed)
}
