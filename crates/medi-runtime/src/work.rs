//! Work that several threads may do: a task, or the parts of a `parallel`.
//!
//! A [`Work`] is a range of pieces. Threads take pieces and run the closure with them, until there are no more. A
//! task that `spawn` starts has one piece; a `parallel` block has one for each statement, a `parallel for` one for each
//! step, taken in runs that get shorter towards the end. Who waits takes part first, so that work gets done even if no
//! thread is free.
//!
//! The closure is in a root handle from the start to the end. Its results are stored by compiled code. An error that
//! stops the program stops it wherever it happens; a failed `Result` cancels the other pieces of its work and what
//! these started and wait for, and becomes the result of the whole.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use medi_heap::{ObjectRef, Root, layout};

use crate::call::Call;
use crate::code_map::CodeMap;
use crate::context::Activation;
use crate::entry::{self, Raised, Registers};
use crate::error::{Frame, RuntimeError, codes};
use crate::shape::CLOSURE_CODE;
use crate::stack::{self, Departure};
use crate::thread::Stop;

/// Into how many runs of steps for each thread a `parallel for` is divided at first. More balance better, fewer cost
/// less.
const SHARES: u64 = 8;

/// What the pieces are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// One: the task with this number.
    Task(i64),
    /// Closures in an array.
    Closures,
    /// Numbers that one closure takes in runs.
    Range,
}

/// Where the work was started, for call stacks.
enum Origin {
    /// By code that waits for it.
    Waiting(Departure),
    /// By these calls, of a program that is stopping and has not waited.
    Left(Vec<Frame>),
    /// The innermost return addresses of who went on.
    Site([usize; 3]),
}

#[derive(Default)]
struct Progress {
    /// Threads that take part.
    running: usize,
    /// No thread may join in any more.
    closed: bool,
    /// The failed result of the earliest piece that had one.
    failure: Option<(i64, Root)>,
    /// What those who take part wait for.
    awaited: Vec<Arc<Work>>,
}

pub(crate) struct Work {
    kind: Kind,
    /// The closures give a `Result[()]`.
    fallible: bool,
    /// Gone when the work has ended, so that a stale entry in a queue keeps nothing alive.
    body: Mutex<Option<Root>>,
    /// The work whose code waits for this one.
    parent: Option<Arc<Work>>,
    origin: Mutex<Origin>,
    next: AtomicI64,
    end: i64,
    cancelled: AtomicBool,
    progress: Mutex<Progress>,
}

/// A thread's part in some work, while it runs.
pub(crate) struct Execution {
    pub work: Arc<Work>,
    /// No other execution of the run has it; not 0, which stands for `main`.
    pub number: i64,
    /// The context's activation before it began.
    pub below: *const Activation,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    fn new(call: Call, kind: Kind, fallible: bool, body: ObjectRef, from: i64, to: i64) -> Work {
        let waits = !matches!(kind, Kind::Task(_));
        let origin = if waits {
            Origin::Waiting(call.departure())
        } else {
            let mut site = [0; 3];
            for (slot, frame) in site.iter_mut().zip(call.frames()) {
                *slot = frame.return_address;
            }
            Origin::Site(site)
        };
        let parent = call.execution().filter(|_| waits);
        Work {
            kind,
            fallible,
            body: Mutex::new(Some(call.mutator().root(body))),
            parent: parent.map(|execution| Arc::clone(&execution.work)),
            origin: Mutex::new(origin),
            next: AtomicI64::new(from),
            end: to,
            cancelled: AtomicBool::new(false),
            progress: Mutex::default(),
        }
    }

    /// Whether it, or work that waits for it, is not needed any more.
    pub fn is_cancelled(&self) -> bool {
        let mut work = self;
        loop {
            if work.cancelled.load(Ordering::Acquire) {
                return true;
            }
            match &work.parent {
                Some(parent) => work = parent,
                None => return false,
            }
        }
    }

    /// Whether all pieces were taken.
    pub fn is_taken(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.end
    }

    /// Some pieces that are this thread's now.
    fn take(&self, threads: usize) -> Option<(i64, i64)> {
        // Relaxed: only who gets which piece matters; what they need came with the reference to the work.
        let mut at = self.next.load(Ordering::Relaxed);
        loop {
            if at >= self.end {
                return None;
            }
            let left = self.end.abs_diff(at);
            let count = match self.kind {
                Kind::Range if threads == 1 => left,
                Kind::Range => (left / (SHARES * threads as u64)).max(1),
                Kind::Task(_) | Kind::Closures => 1,
            };
            let to = at.wrapping_add_unsigned(count);
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.next.compare_exchange_weak(at, to, success, failure) {
                Ok(_) => return Some((at, to)),
                Err(now) => at = now,
            }
        }
    }

    /// Runs pieces until there are no more to take.
    pub fn take_part(self: &Arc<Work>, call: Call) {
        let pool = &call.run().pool;
        {
            let _state = pool.state();
            let mut progress = lock(&self.progress);
            if progress.closed {
                return;
            }
            progress.running += 1;
        }
        let mut took_some = false;
        while let Some((from, to)) = self.take(pool.threads()) {
            took_some = true;
            if self.is_cancelled() || pool.is_stopping() {
                break;
            }
            self.run(call, from, to);
        }
        let mut state = pool.state();
        if let Kind::Task(id) = self.kind
            && took_some
        {
            state.tasks.remove(&id);
            lock(&self.body).take();
        }
        lock(&self.progress).running -= 1;
        pool.announce();
    }

    /// The closure for a piece.
    fn closure(&self, piece: i64) -> Option<ObjectRef> {
        let body = lock(&self.body).as_ref()?.get();
        match self.kind {
            // SAFETY: the array is live, and has a closure for each piece.
            Kind::Closures => unsafe { body.load(layout::ARRAY_DATA + 8 * piece as usize) },
            Kind::Task(_) | Kind::Range => Some(body),
        }
    }

    fn run(self: &Arc<Work>, call: Call, from: i64, to: i64) {
        let Some(closure) = self.closure(from) else { return };
        let context = call.context();
        // SAFETY: the context of a running thread is valid.
        let below = unsafe { (*context).activation };
        let number = call.run().pool.next_number();
        let execution = Execution { work: Arc::clone(self), number, below };
        let outer = call.set_execution(&raw const execution);
        let scopes = call.scopes().depth();
        let mut registers = Registers::default();
        registers.ints[..3].copy_from_slice(&[closure.address() as u64, from as u64, to as u64]);
        // SAFETY: the closure is live, its code lies after its header and takes the closure and, of a range, two
        // ints; nothing has collected since the closure was read from its root.
        let ended = unsafe {
            let code = closure.at::<usize>(CLOSURE_CODE as usize).read();
            entry::enter(context, code, &mut registers)
        };
        call.set_execution(outer);
        match ended {
            Ok(()) if self.fallible => {
                if let Some(message) = ObjectRef::from_address(registers.ints[0] as usize) {
                    self.fail(call, from, message);
                }
            }
            Ok(()) => {}
            Err(Raised) => {
                // SAFETY: the context is this thread's; the error has landed, and what it says is taken below.
                unsafe { (*context).raised = 0 };
                call.scopes().exit_to(scopes, 0);
                call.watches().truncate(scopes);
                match call.stop().take() {
                    Some(Stop::Cancelled) => {}
                    Some(stop) => call.run().pool.stop(stop),
                    None => {
                        let message =
                            "a task stopped without saying why; this is a mistake in Medi";
                        let error = RuntimeError::new(codes::INTERNAL, message);
                        call.run().pool.stop(Stop::Error(error));
                    }
                }
            }
        }
    }

    /// A piece has failed: the others are cancelled.
    fn fail(&self, call: Call, piece: i64, message: ObjectRef) {
        let message = call.mutator().root(message);
        let state = call.run().pool.state();
        let mut progress = lock(&self.progress);
        if progress.failure.as_ref().is_none_or(|(earlier, _)| piece < *earlier) {
            progress.failure = Some((piece, message));
        }
        self.cancelled.store(true, Ordering::Release);
        state.ask_all();
    }

    /// Whether what takes part in `self` waits for `wanted`, directly or not.
    fn waits_for(&self, wanted: &Work, seen: &mut Vec<*const Work>) -> bool {
        if std::ptr::eq(self, wanted) {
            return true;
        }
        if seen.contains(&std::ptr::from_ref(self)) {
            return false;
        }
        seen.push(self);
        let awaited = lock(&self.progress).awaited.clone();
        awaited.iter().any(|work| work.waits_for(wanted, seen))
    }

    fn waits(&self, for_work: &Arc<Work>) {
        lock(&self.progress).awaited.push(Arc::clone(for_work));
    }

    fn waited(&self, for_work: &Arc<Work>) {
        let awaited = &mut lock(&self.progress).awaited;
        if let Some(at) = awaited.iter().position(|work| Arc::ptr_eq(work, for_work)) {
            awaited.swap_remove(at);
        }
    }

    /// Appends the calls that led to this work.
    pub fn append_origin(&self, stack: &mut Vec<Frame>, code: &CodeMap) {
        stack.push(Frame::note("… in a task of …".into()));
        match &*lock(&self.origin) {
            Origin::Waiting(departure) => {
                // SAFETY: whoever started this work waits until no thread takes part in it or in what it started any more,
                // or says first that it does not.
                let frames = unsafe { departure.frames() };
                stack.extend(stack::walk(frames, code));
            }
            Origin::Left(calls) => stack.extend_from_slice(calls),
            Origin::Site(site) => {
                for address in site.iter().filter(|address| **address != 0) {
                    stack.extend(code.frames(*address));
                }
            }
        }
        if let Some(parent) = &self.parent {
            parent.append_origin(stack, code);
        }
    }

    /// The calls that started this work end, although a thread may still take part.
    fn leave(&self, code: &CodeMap) {
        let mut origin = lock(&self.origin);
        if let Origin::Waiting(departure) = &*origin {
            // SAFETY: the caller is who started the work, and has not come back yet.
            let frames = unsafe { departure.frames() };
            *origin = Origin::Left(stack::walk(frames, code));
        }
    }
}

/// The work that the calling code is part of; `None` in `main`.
fn current(call: Call) -> Option<Arc<Work>> {
    call.execution().map(|execution| Arc::clone(&execution.work))
}

/// Runs pieces `from..to` at the same time and waits for all. The message, if one failed; nothing when the program is
/// to stop, or the caller's own work was cancelled: then the native that called this has been halted.
pub(crate) fn run_all(
    call: Call,
    kind: Kind,
    fallible: bool,
    body: ObjectRef,
    from: i64,
    to: i64,
) -> Option<Root> {
    if from >= to {
        return None;
    }
    let work = Arc::new(Work::new(call, kind, fallible, body, from, to));
    let run = call.run();
    let pool = &run.pool;
    let mine = current(call);
    if let Some(mine) = &mine {
        let _state = pool.state();
        mine.waits(&work);
    }
    let others = usize::try_from(to.abs_diff(from) - 1).unwrap_or(usize::MAX);
    pool.offer(run, call.jobs(), &work, others.min(pool.threads() - 1));
    work.take_part(call);
    lock(&work.progress).closed = true;
    // A thread that the operating system holds ends nothing soon; see `Pool::end`.
    let has_ended = || lock(&work.progress).running == 0;
    call.waiting(|| pool.wait(run, |_| has_ended() || pool.is_stopping()));
    // When the program stops, threads also leave work that others still take part in, and whose origin this is.
    if !has_ended() || pool.is_stopping() {
        work.leave(call.code());
    }
    if let Some(mine) = &mine {
        let _state = pool.state();
        mine.waited(&work);
    }
    lock(&work.body).take();
    if call.is_cancelled() {
        call.halt(Stop::Cancelled);
        return None;
    }
    let failure = lock(&work.progress).failure.take();
    failure.map(|(_, message)| message)
}

/// Starts a task; its number.
pub(crate) fn start(call: Call, body: ObjectRef) -> i64 {
    let run = call.run();
    let id = run.pool.state().next_task();
    let work = Arc::new(Work::new(call, Kind::Task(id), false, body, 0, 1));
    run.pool.state().tasks.insert(id, Arc::clone(&work));
    run.pool.offer(run, call.jobs(), &work, 1);
    id
}

/// Waits for a task to end.
pub(crate) fn join(call: Call, id: i64) {
    let run = call.run();
    let pool = &run.pool;
    let mine = current(call);
    let work = {
        let state = pool.state();
        // A task that is not in the table has ended, maybe with what stops the program.
        let Some(work) = state.tasks.get(&id) else {
            drop(state);
            if call.is_cancelled() {
                call.halt(Stop::Cancelled);
            }
            return;
        };
        let work = Arc::clone(work);
        if let Some(mine) = &mine {
            if work.waits_for(mine, &mut vec![]) {
                drop(state);
                call.raise(deadlock(Arc::ptr_eq(&work, mine)));
                return;
            }
            mine.waits(&work);
        }
        work
    };
    work.take_part(call);
    call.waiting(|| {
        pool.wait(run, |state| {
            let cancelled = mine.as_ref().is_some_and(|mine| mine.is_cancelled());
            !state.tasks.contains_key(&id) || pool.is_stopping() || cancelled
        });
    });
    if let Some(mine) = &mine {
        let _state = pool.state();
        mine.waited(&work);
    }
    if call.is_cancelled() {
        call.halt(Stop::Cancelled);
    }
}

fn deadlock(itself: bool) -> RuntimeError {
    let message = if itself {
        "this task waits for itself, which would never end"
    } else {
        "this task waits for a task that waits for it, which would never end"
    };
    RuntimeError::new(codes::DEADLOCK, message)
        .with_help("join a task where it was started, and hand its value on instead of the task")
}
