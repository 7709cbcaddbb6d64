//! The machine: a heap, and the running of a compiled program on it.
//!
//! The program runs on a thread of its own with a deep stack, so that deep recursion is an error of the
//! program and not of the process. Whatever way it ends, its output is flushed and its scopes are freed.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Instant;

use medi_heap::{
    Embedder, Heap, HeapError, MutatorWords, ObjectRef, OutOfMemory, TypeId, VisitNamed, layout,
};

use crate::call::Call;
use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry::{self, Raised, Registers};
use crate::error::{RuntimeError, codes};
use crate::leaks::{self, Leaks};
use crate::live::{self, Program, Publisher};
use crate::memory_report;
use crate::options::{Options, WatchLeaks};
use crate::output::Output;
use crate::shape::{Kind, LIST_ITEMS, ShapeId, Shapes};
use crate::stack;
use crate::stats::RunStats;
use crate::thread::{Limits, Session, Stop};
use crate::trap::{self, InterruptGuard};
use crate::watermark;

/// A compiled program.
pub struct Image {
    pub shapes: Arc<Shapes>,
    pub code: Arc<CodeMap>,
    /// The text of each string literal, by its number.
    pub literals: Vec<String>,
    /// Address of `main`.
    pub main: usize,
    /// The shape of `list[string]`, when `main` takes the program's arguments.
    pub main_args: Option<ShapeId>,
    /// Keeps the code in memory.
    pub owner: Arc<dyn Any + Send + Sync>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// 0 at the end of `main`, 1 after an error, 130 after Ctrl-C, or what `exit` was given.
    pub exit_code: i32,
    pub error: Option<RuntimeError>,
    /// It was stopped by Ctrl-C.
    pub interrupted: bool,
    /// What was found, where a report was wanted.
    pub leaks: Option<String>,
}

/// Why a program could not be started.
#[derive(Debug)]
pub enum StartError {
    Heap(HeapError),
    /// The system gave no thread, or did not say where its stack is.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Heap(error) => error.fmt(f),
            StartError::Thread(error) => {
                write!(
                    f,
                    "cannot start a thread with that stack: {error}; try a smaller --stack-size"
                )
            }
        }
    }
}

impl std::error::Error for StartError {}

/// A heap with the choices of a run.
pub struct Machine {
    heap: Heap,
    options: Options,
    leaks: Option<Arc<Leaks>>,
    started: Instant,
}

impl Machine {
    /// # Errors
    /// When the heap cannot be made.
    pub fn new(options: Options) -> Result<Machine, HeapError> {
        let started = Instant::now();
        let mut heap_options = options.heap_options();
        let leaks = options.leaks.is_on().then(Leaks::new);
        if let Some(leaks) = &leaks {
            heap_options.on_cycle = Some(leaks.on_cycle(heap_options.on_cycle.take()));
        }
        let heap = Heap::new(heap_options, Arc::new(Frames))?;
        if let Some(leaks) = &leaks {
            leaks.watch(heap.clone());
        }
        Ok(Machine { heap, options, leaks, started })
    }

    /// Where the program's types are registered.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The counters now.
    pub fn stats(&self) -> RunStats {
        RunStats::now(self.heap.stats(), self.started.elapsed())
    }

    /// Lets `medi gc-top` look at the program until the result is dropped. `None` when the system does not let us:
    /// nothing else depends on it.
    pub fn publish(&self, command: String) -> Option<Publisher> {
        if !self.options.gc_top {
            return None;
        }
        let program = Program { command, threads: self.options.thread_count() };
        let directory = live::directory().ok()?;
        Publisher::start(&directory, program, self.heap.clone(), self.started).ok()
    }

    /// Runs a program from the start of `main` to its end.
    ///
    /// # Errors
    /// When it could not be started at all.
    pub fn run(
        &self,
        image: &Image,
        args: &[String],
        output: Output,
    ) -> Result<Outcome, StartError> {
        std::thread::scope(|scope| {
            let program = Builder::new()
                .name("main".into())
                .stack_size(self.stack_size())
                .spawn_scoped(scope, || self.run_here(image, args, output))
                .map_err(StartError::Thread)?;
            match program.join() {
                Ok(outcome) => outcome.map_err(StartError::Thread),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs a program on the calling thread.
    fn run_here(&self, image: &Image, args: &[String], output: Output) -> io::Result<Outcome> {
        trap::install();
        let limits = Limits {
            threads: self.options.thread_count(),
            stack_size: self.stack_size(),
            check: self.options.check,
            leaks: self.leaks.clone(),
        };
        let (shapes, code) = (Arc::clone(&image.shapes), Arc::clone(&image.code));
        let owner = Some(Arc::clone(&image.owner));
        let literals = &image.literals;
        let started = Session::first(&self.heap, shapes, code, literals, output, limits, owner);
        let mut session = match started {
            Ok(session) => session,
            Err(error) => return Ok(self.out_of_memory(image, &error)),
        };
        session.use_this_stack()?;
        let mut registers = Registers::default();
        if let Some(list) = image.main_args {
            match session.string_list(list, args) {
                Ok(list) => registers.ints[0] = list.address() as u64,
                Err(error) => return Ok(self.out_of_memory(image, &error)),
            }
        }
        let context = session.context();
        let run = Arc::clone(&session.thread().run);
        if let Some(leaks) = &self.leaks {
            leaks.begin();
        }
        // SAFETY: the context is that of this session, which ends after the guard; the image's maker
        // promises the address of `main` and its arguments; nothing has allocated since they were made.
        let (_interrupt, ended) = unsafe {
            let interrupt = InterruptGuard::new(context);
            (interrupt, entry::enter(context, image.main, &mut registers))
        };
        let stop = match ended {
            Ok(()) => None,
            Err(Raised) => session.thread().stop.take().or_else(|| {
                let message = "the program stopped without saying why; this is a mistake in Medi";
                Some(Stop::Error(RuntimeError::new(codes::INTERNAL, message)))
            }),
        };
        // SAFETY: the context is this thread's, and no compiled code runs.
        let call = unsafe { Call::new(context) };
        match stop {
            None => run.pool.finish(call),
            // Whoever cancelled this thread has said why.
            Some(Stop::Cancelled) => {}
            Some(stop) => run.pool.stop(stop),
        }
        call.waiting(|| run.pool.end());
        let mut outcome = match run.pool.take_stop() {
            Some(stop) => stopped(stop),
            None => Outcome { exit_code: 0, error: None, interrupted: false, leaks: None },
        };
        if let Some(leaks) = &self.leaks {
            let wanted = self.options.leaks == WatchLeaks::Report;
            outcome.leaks = wanted.then(|| call.waiting(|| leaks.report(&run)));
            leaks.end();
        }
        if let Err(error) = session.thread().output.flush()
            && error.kind() != io::ErrorKind::BrokenPipe
            && outcome.error.is_none()
        {
            let message = format!("cannot write the output: {error}");
            outcome.error = Some(RuntimeError::new(codes::FILE, message));
            outcome.exit_code = 1;
        }
        Ok(outcome)
    }

    /// Of each thread.
    fn stack_size(&self) -> usize {
        usize::try_from(self.options.stack_size).unwrap_or(usize::MAX / 2).max(MIN_STACK)
    }

    fn out_of_memory(&self, image: &Image, error: &OutOfMemory) -> Outcome {
        let error = memory_report::out_of_memory(&self.heap, &image.code, error);
        Outcome { exit_code: 1, error: Some(error), interrupted: false, leaks: None }
    }
}

/// Room for some depth of calls above the reserve that [`entry::stack_floor`] keeps.
const MIN_STACK: usize = 3 * entry::NATIVE_RESERVE;

fn stopped(stop: Stop) -> Outcome {
    let (exit_code, error, interrupted) = match stop {
        Stop::Error(error) => (1, Some(error), false),
        Stop::Exit(code) => (code, None, false),
        Stop::Interrupted => (130, None, true),
        Stop::BrokenPipe | Stop::Cancelled => (0, None, false),
    };
    Outcome { exit_code, error, interrupted, leaks: None }
}

/// What the heap learns about stacks: the frames of compiled code.
struct Frames;

impl Frames {
    /// # Safety
    /// The words are the first field of a context.
    unsafe fn code<'a>(context: *const Context) -> Option<&'a CodeMap> {
        // SAFETY: the thread, once set, stays as long as the mutator is attached.
        unsafe { (*context).thread.as_ref().map(|thread| &*thread.code) }
    }
}

// SAFETY: references of a thread are in frames of compiled code, which the code map describes, in handles, and
// in the literals, which are a registered range. Scope memory holds plain values only.
unsafe impl Embedder for Frames {
    unsafe fn visit_stack(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize)) {
        let context = words.cast::<Context>();
        // SAFETY: every mutator of a machine's heap is attached with the words of a context; its
        // thread is stopped, so its frames stay.
        unsafe {
            if let Some(code) = Self::code(context) {
                stack::visit_roots(context, code, visit);
            }
        }
    }

    unsafe fn visit_named_stack(&self, words: *mut MutatorWords, visit: &mut VisitNamed) {
        let context = words.cast::<Context>();
        // SAFETY: as above.
        unsafe {
            if let Some(code) = Self::code(context) {
                for frame in stack::Frames::new(context) {
                    stack::roots(frame, code).for_each(|slot| {
                        visit(slot, frame.fp, &|| leaks::slot_name(code, frame, slot as usize));
                    });
                }
            }
        }
    }

    unsafe fn visit_youngest(&self, words: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize)) {
        let context = words.cast::<Context>();
        // SAFETY: as above; the heap keeps its part of the contract.
        unsafe {
            if !(*context).thread.is_null() {
                watermark::visit_youngest(context, visit);
            }
        }
    }

    unsafe fn visit_older(
        &self,
        words: *mut MutatorWords,
        visit: &mut dyn FnMut(*mut usize),
    ) -> bool {
        let context = words.cast::<Context>();
        // SAFETY: the context, and the thread once it has run code, stay as long as the mutator is attached.
        unsafe { watermark::visit_older(context, visit) }
    }

    fn allocation_site(&self, words: *mut MutatorWords) -> u32 {
        let context = words.cast::<Context>();
        // SAFETY: as above; this is called on the context's own thread.
        unsafe { Self::code(context).map_or(0, |code| code.site((*context).exit_pc)) }
    }
}

impl Session {
    /// A `list[string]` of that shape. Not a root: good until the next allocation.
    fn string_list(&mut self, shape: ShapeId, texts: &[String]) -> Result<ObjectRef, OutOfMemory> {
        let shapes = Arc::clone(&self.thread().shapes);
        let list = shapes.get(shape);
        let Kind::List { items, .. } = list.kind else {
            unreachable!("the arguments of `main` are a list, not {}", list.name)
        };
        let type_of = |id: ShapeId| -> TypeId {
            shapes.get(id).heap_type.expect("types of collected objects are registered")
        };
        let (list_type, items_type) = (type_of(shape), type_of(items));
        let string_type = self.thread().arrays.string_type();
        self.thread().mutator.scope(|scope| {
            let array = scope.alloc_array(items_type, texts.len())?;
            let array = scope.handle(array);
            for (index, text) in texts.iter().enumerate() {
                let string = scope.alloc_array(string_type, text.len())?;
                // SAFETY: the string was just made, that long; the array has a reference at each of
                // its elements.
                unsafe {
                    let data = string.at::<u8>(layout::ARRAY_DATA);
                    data.copy_from_nonoverlapping(text.as_ptr(), text.len());
                    scope.store(array.get(), layout::ARRAY_DATA + 8 * index, Some(string));
                }
            }
            let object = scope.alloc_fixed(list_type)?;
            // SAFETY: the list was just made.
            unsafe { object.initialise(LIST_ITEMS as usize, Some(array.get())) };
            Ok(object)
        })
    }
}
