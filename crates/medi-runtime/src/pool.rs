//! The threads that run tasks.
//!
//! Each thread has a queue of the work it has started: it takes the newest back, others steal the oldest (the deque
//! of Chase and Lev). At most [`Limits::threads`] threads run the program's code at the same time. A thread that waits
//! runs only what it waits for, and when there is none of that left, it sleeps and lets another thread run in its place,
//! which is started if need be. So a wait depends on nothing but what it waits for: a thread that ran other work
//! meanwhile could find that this work waits for what lies below it on the same stack, and never come back to it.
//!
//! A thread that looks for work or waits is in native state. The lock of [`Pool`] is never held by a running thread
//! across a safepoint.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_deque::{Steal, Stealer, Worker};

use crate::call::Call;
use crate::context::Context;
use crate::thread::{Limits, Run, Session, Stop};
use crate::trap;
use crate::work::Work;

/// The poll word's bit that asks a thread to look whether its task was cancelled.
pub(crate) const POLL_CANCEL: u32 = 4;

/// How many threads a run may have; beyond, those that wait are not replaced.
const MOST_WORKERS: usize = 512;
/// How long a thread that waits may take to notice Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);
/// How long the end of a program waits for threads that the operating system holds.
const GRACE: Duration = Duration::from_secs(1);

/// What a thread can take from a queue: work that may be done already.
pub(crate) type Job = Arc<Work>;

struct ContextPtr(*mut Context);

// SAFETY: other threads touch only the atomic words of a context, and only while it is in the pool's list.
unsafe impl Send for ContextPtr {}

/// What the threads agree on.
#[derive(Default)]
pub(crate) struct State {
    /// Threads that run the program's code or look for some to run.
    active: usize,
    /// Threads that sleep until there is work.
    idle: usize,
    /// Of those, how many were counted as active again and woken.
    granted: usize,
    /// Threads of the pool: all but `main`'s.
    workers: usize,
    contexts: Vec<ContextPtr>,
    /// Tasks that were started and have not ended, by number.
    pub tasks: HashMap<i64, Arc<Work>>,
    last_task: i64,
    stop: Option<Stop>,
    ended: bool,
}

impl State {
    /// A number for a new task.
    pub fn next_task(&mut self) -> i64 {
        self.last_task += 1;
        self.last_task
    }

    /// Asks all threads to look whether what they run was cancelled.
    pub fn ask_all(&self) {
        for context in &self.contexts {
            // SAFETY: a context in the list is valid; the fields are atomic. AcqRel: what makes the answer yes was
            // stored before, see `Call::is_cancelled`.
            unsafe {
                (*context.0).heap.poll().fetch_or(POLL_CANCEL, Ordering::AcqRel);
                (*context.0).stack_limit.store(usize::MAX, Ordering::Relaxed);
            }
        }
    }
}

pub(crate) struct Pool {
    limits: Limits,
    stopping: AtomicBool,
    executions: AtomicI64,
    state: Mutex<State>,
    /// A thread that sleeps was granted to run.
    work_is_there: Condvar,
    /// Some work has ended, or was cancelled.
    changed: Condvar,
    queues: RwLock<Vec<Stealer<Job>>>,
}

impl Pool {
    pub fn new(limits: Limits) -> Pool {
        Pool {
            limits,
            stopping: AtomicBool::new(false),
            executions: AtomicI64::new(0),
            // The thread of `main`.
            state: Mutex::new(State { active: 1, ..State::default() }),
            work_is_there: Condvar::new(),
            changed: Condvar::new(),
            queues: RwLock::default(),
        }
    }

    pub fn threads(&self) -> usize {
        self.limits.threads
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a thread known.
    ///
    /// # Safety
    /// The context stays valid until [`Pool::remove`].
    pub unsafe fn add(&self, context: *mut Context, queue: Stealer<Job>) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).push(queue);
        self.state().contexts.push(ContextPtr(context));
    }

    pub fn remove(&self, context: *mut Context) {
        self.state().contexts.retain(|other| other.0 != context);
    }

    /// A number for a part of a task; never 0.
    pub fn next_number(&self) -> i64 {
        self.executions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the program is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Stops the program: every thread leaves what it runs at its next safepoint. The first reason wins.
    pub fn stop(&self, stop: Stop) {
        let mut state = self.state();
        self.stop_in(&mut state, stop);
    }

    fn stop_in(&self, state: &mut State, stop: Stop) {
        state.stop.get_or_insert(stop);
        self.stopping.store(true, Ordering::Release);
        state.ask_all();
        self.changed.notify_all();
    }

    /// Why the program stopped.
    pub fn take_stop(&self) -> Option<Stop> {
        self.state().stop.take()
    }

    /// Tells threads that wait to look again.
    pub fn announce(&self) {
        self.changed.notify_all();
    }

    /// Puts work into the caller's queue, for `helpers` threads to take part in.
    pub fn offer(&self, run: &Arc<Run>, queue: &Worker<Job>, work: &Arc<Work>, helpers: usize) {
        for _ in 0..helpers {
            queue.push(Arc::clone(work));
        }
        if helpers > 0 {
            drop(self.employ(run, self.state(), helpers));
        }
    }

    /// Lets up to `wanted` more threads run, as far as that many may.
    fn employ<'a>(
        &'a self,
        run: &Arc<Run>,
        mut state: MutexGuard<'a, State>,
        wanted: usize,
    ) -> MutexGuard<'a, State> {
        for _ in 0..wanted {
            if state.active >= self.limits.threads || state.ended {
                break;
            }
            if state.idle > 0 {
                state.idle -= 1;
                state.granted += 1;
                state.active += 1;
                self.work_is_there.notify_one();
            } else if state.workers < MOST_WORKERS {
                state.workers += 1;
                state.active += 1;
                drop(state);
                let started = self.start_worker(run);
                state = self.state();
                if started.is_err() {
                    // Work that no thread takes is run by whoever waits for it.
                    state.workers -= 1;
                    state.active -= 1;
                    break;
                }
            }
        }
        state
    }

    fn start_worker(&self, run: &Arc<Run>) -> io::Result<()> {
        let run = Arc::clone(run);
        let thread = Builder::new().name("task".into()).stack_size(self.limits.stack_size);
        thread.spawn(move || worker(&run)).map(drop)
    }

    fn find(&self, queue: &Worker<Job>) -> Option<Job> {
        if let Some(job) = queue.pop() {
            return Some(job);
        }
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.iter().find_map(|queue| {
            loop {
                match queue.steal() {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        })
    }

    fn has_jobs(&self) -> bool {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.iter().any(|queue| !queue.is_empty())
    }

    /// Work for a thread that is counted as active; sleeps until there is some. `None`: the program has ended, and
    /// the thread is not counted any more.
    fn next(&self, queue: &Worker<Job>) -> Option<Job> {
        loop {
            let mut state = self.state();
            if state.ended {
                state.active -= 1;
                return None;
            }
            // Others have come back from a wait meanwhile: then this one is too many.
            if state.active <= self.limits.threads && self.has_jobs() {
                drop(state);
                if let Some(job) = self.find(queue) {
                    return Some(job);
                }
                continue;
            }
            state.active -= 1;
            state.idle += 1;
            while state.granted == 0 {
                if state.ended {
                    return None;
                }
                state = self.work_is_there.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.granted -= 1;
        }
    }

    /// Sleeps until `done` says so, while another thread may run in this one's place. The thread is in native state.
    pub fn wait(&self, run: &Arc<Run>, done: impl Fn(&State) -> bool) {
        let mut state = self.state();
        if done(&state) {
            return;
        }
        state.active -= 1;
        if self.has_jobs() {
            state = self.employ(run, state, 1);
        }
        while !done(&state) {
            let woken = self.changed.wait_timeout(state, GLANCE);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            if trap::interrupted() && !self.is_stopping() {
                self.stop_in(&mut state, Stop::Interrupted);
            }
        }
        state.active += 1;
    }

    /// Lets the tasks that nobody waited for come to their end, after that of `main`.
    pub fn finish(&self, call: Call) {
        loop {
            let mut waits_for_us = vec![];
            for task in self.state().tasks.values().filter(|task| !task.is_taken()) {
                waits_for_us.push(Arc::clone(task));
            }
            for task in waits_for_us {
                task.take_part(call);
            }
            let over = |state: &State| state.tasks.is_empty() || self.is_stopping();
            if over(&self.state()) {
                return;
            }
            let run = call.run();
            call.waiting(|| {
                self.wait(run, |state| {
                    over(state) || state.tasks.values().any(|task| !task.is_taken())
                });
            });
        }
    }

    /// Sends the threads away. One that the operating system holds is left behind after a while; it keeps what it
    /// needs of the run.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.work_is_there.notify_all();
        self.changed.notify_all();
        let until = Instant::now() + GRACE;
        while state.workers > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The life of a thread of the pool.
fn worker(run: &Arc<Run>) {
    trap::install();
    let mut session = Session::join(run);
    if session.use_this_stack().is_ok() {
        // SAFETY: the session's context is this thread's, and no compiled code runs below.
        let call = unsafe { Call::new(session.context()) };
        while let Some(job) = call.waiting(|| run.pool.next(call.jobs())) {
            job.take_part(call);
        }
    } else {
        run.pool.state().active -= 1;
    }
    drop(session);
    run.pool.state().workers -= 1;
    run.pool.announce();
}
