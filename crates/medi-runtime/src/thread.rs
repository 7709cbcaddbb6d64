//! The part of a running thread that only Rust code reads, and a [`Session`]: a thread attached to a heap,
//! ready to run compiled code.
//!
//! [`Context`] and [`Thread`] point at each other and stay where they are for the life of the session. Native code
//! never holds a `&mut Thread` while it allocates: the collector reads [`Thread::code`] through the
//! context meanwhile. It borrows single fields instead.

use std::ptr;
use std::sync::Arc;

use medi_heap::{Heap, Mutator, ObjectRef, OutOfMemory, RootRange, layout};
use medi_region::{Ledger, Refused, Scopes};

use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry;
use crate::error::RuntimeError;
use crate::handles::Handles;
use crate::output::Output;
use crate::shape::Shapes;
use crate::stubs;
use crate::value::ArrayTypes;

/// Counts scope memory against the heap's limit.
pub struct HeapLedger(Heap);

impl Ledger for HeapLedger {
    fn charge(&self, bytes: u64) -> Result<(), Refused> {
        self.0.charge(bytes).map_err(|_| Refused)
    }

    fn release(&self, bytes: u64) {
        self.0.release(bytes);
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
}

pub struct Thread {
    pub mutator: Mutator,
    pub heap: Heap,
    pub shapes: Arc<Shapes>,
    pub code: Arc<CodeMap>,
    /// Set together with [`Context::raised`].
    pub stop: Option<Stop>,
    pub scopes: Scopes<HeapLedger>,
    pub handles: Handles,
    pub output: Output,
    /// The text that `fmt_begin` … `fmt_end` build.
    pub builder: Vec<u8>,
    /// For natives that make text of unknown length.
    pub scratch: Vec<u8>,
    /// Fixed for the process's life; see `string_hash`.
    pub hash_seed: u64,
    pub(crate) arrays: ArrayTypes,
}

/// A thread attached to a heap.
pub struct Session {
    // Dropped in this order: the literals and the thread (with its mutator) before the words that they use.
    literal_roots: Option<RootRange>,
    literals: Box<[usize]>,
    thread: Box<Thread>,
    context: Box<Context>,
}

impl Session {
    /// Attaches the calling thread and makes the literals.
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
        let mut context = Box::new(Context::new(ptr::null_mut(), stubs::addresses()));
        // SAFETY: the words are in a box that the session keeps until after the mutator is dropped.
        let mutator = unsafe { heap.attach(&raw mut context.heap) };
        let arrays = ArrayTypes::new(&shapes);
        let scopes = Scopes::new(
            HeapLedger(heap.clone()),
            medi_region::Options { poison: heap.options().poison },
        );
        let thread = Box::new(Thread {
            mutator,
            heap: heap.clone(),
            shapes,
            code,
            stop: None,
            scopes,
            handles: Handles::default(),
            output,
            builder: vec![],
            scratch: vec![],
            hash_seed: seed(),
            arrays,
        });
        let slots = vec![0usize; literals.len()].into_boxed_slice();
        let mut session = Session { literal_roots: None, literals: slots, thread, context };
        session.context.thread = &raw mut *session.thread;
        session.context.literals = session.literals.as_mut_ptr();
        let (slots, count) = (session.literals.as_mut_ptr(), session.literals.len());
        // SAFETY: the slots are in a box that the session keeps until after the range is dropped; they
        // hold zero or strings; only this thread's code reads them.
        session.literal_roots = Some(unsafe { heap.register_roots(slots, count) });
        for (index, text) in literals.iter().enumerate() {
            session.literals[index] = session.string(text)?.address();
        }
        Ok(session)
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

/// A seed for hashes that nobody outside can guess, so that nobody can make keys that collide.
fn seed() -> u64 {
    let mut seed = [0u8; 8];
    // SAFETY: the buffer is as long as it says. A failure leaves zeros, which only costs the guess.
    unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    u64::from_le_bytes(seed)
}
