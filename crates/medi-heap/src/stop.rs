//! Stopping all threads, and letting them be in native code meanwhile.
//!
//! Each attached thread is a [`Member`] with one status word. Bit `NATIVE` says that the thread promises
//! not to touch the heap until it has cleared the bit; bit `STOP` says that a collection wants, or has,
//! the thread stopped. Both sides change the word by read-modify-write only, so for each stop exactly one
//! of two things is true: the collector saw `NATIVE` and does not wait for the thread, or the thread saw
//! `STOP` when it went native and reports its arrival (I9). A thread at a safepoint simply passes through
//! native state. Because the decision is one word, no fence between two places is needed (the classic
//! store-load trap of safepoint protocols).
//!
//! The protocol knows members, not addresses, and takes its primitives from [`crate::sync`], so loom
//! explores what ships (`tests` below).

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

const NATIVE: u32 = 1;
const STOP: u32 = 2;

/// The flag that compiled code polls.
pub(crate) trait PollFlag {
    /// Asks the thread to come to a safepoint.
    fn raise(&self);
    /// Withdraws the request.
    fn lower(&self);
}

/// One attached thread.
pub(crate) struct Member<P> {
    status: AtomicU32,
    poll: P,
}

/// A thread's membership, shared with the stop.
pub(crate) type MemberRef<P> = Arc<Member<P>>;

/// The threads of a heap and the stop that may be under way.
pub(crate) struct Stop<P> {
    state: Mutex<State<P>>,
    /// A thread that the stopper waits for has arrived.
    arrived: Condvar,
    /// The stop is over.
    resumed: Condvar,
}

struct State<P> {
    members: Vec<MemberRef<P>>,
    stopping: bool,
    awaited: usize,
}

impl<P: PollFlag> Stop<P> {
    pub fn new() -> Stop<P> {
        Stop {
            state: Mutex::new(State { members: Vec::new(), stopping: false, awaited: 0 }),
            arrived: Condvar::new(),
            resumed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().expect("the stop protocol does not panic")
    }

    fn wait_while_stopping<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<P>>,
    ) -> MutexGuard<'a, State<P>> {
        while state.stopping {
            state = self.resumed.wait(state).expect("the stop protocol does not panic");
        }
        state
    }

    /// Adds the calling thread, running. Waits for a stop under way to end.
    pub fn join(&self, poll: P) -> MemberRef<P> {
        let member = Arc::new(Member { status: AtomicU32::new(0), poll });
        let mut state = self.wait_while_stopping(self.lock());
        state.members.push(Arc::clone(&member));
        member
    }

    /// Removes a running thread.
    pub fn leave(&self, member: &MemberRef<P>) {
        self.enter_native(member);
        let mut state = self.wait_while_stopping(self.lock());
        state.members.retain(|other| !Arc::ptr_eq(other, member));
    }

    /// The thread touches nothing of the heap from here to [`Stop::leave_native`].
    #[inline]
    pub fn enter_native(&self, member: &Member<P>) {
        // Release: what the thread did to the heap happens before a collector that sees the bit (I9).
        let old = member.status.fetch_or(NATIVE, Ordering::AcqRel);
        debug_assert_eq!(old & NATIVE, 0, "the thread is in native state already");
        if old & STOP != 0 {
            self.arrive();
        }
    }

    #[cold]
    fn arrive(&self) {
        let mut state = self.lock();
        debug_assert!(state.stopping && state.awaited > 0);
        state.awaited -= 1;
        if state.awaited == 0 {
            self.arrived.notify_one();
        }
    }

    /// The thread wants to touch the heap again. False: a stop is under way, and
    /// [`Stop::leave_native_slowly`] must wait for its end.
    #[inline]
    pub fn try_leave_native(&self, member: &Member<P>) -> bool {
        // Acquire: what the collector did happens before what the thread does next (I9).
        member.status.compare_exchange(NATIVE, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Waits for the stop under way to end, and leaves native state.
    #[cold]
    pub fn leave_native_slowly(&self, member: &Member<P>) {
        let state = self.wait_while_stopping(self.lock());
        let old = member.status.fetch_and(!NATIVE, Ordering::AcqRel);
        debug_assert_eq!(old, NATIVE);
        drop(state);
    }

    /// Lets a stop happen here if one is wanted.
    fn safepoint(&self, member: &Member<P>) {
        self.enter_native(member);
        if !self.try_leave_native(member) {
            self.leave_native_slowly(member);
        }
    }

    /// Stops every other thread. False when another thread was stopping the world already: then its stop
    /// has come and gone while this one waited, and the caller should look again whether it still needs
    /// one.
    pub fn stop(&self, me: &MemberRef<P>) -> bool {
        let mut state = self.lock();
        if state.stopping {
            drop(state);
            self.safepoint(me);
            return false;
        }
        state.stopping = true;
        let mut awaited = 0;
        for member in &state.members {
            if Arc::ptr_eq(member, me) {
                continue;
            }
            // Acquire: see what a native thread did before it went native.
            if member.status.fetch_or(STOP, Ordering::AcqRel) & NATIVE == 0 {
                awaited += 1;
            }
            member.poll.raise();
        }
        state.awaited = awaited;
        while state.awaited > 0 {
            state = self.arrived.wait(state).expect("the stop protocol does not panic");
        }
        true
    }

    /// Ends the stop that the caller made.
    pub fn resume(&self) {
        let mut state = self.lock();
        debug_assert!(state.stopping && state.awaited == 0);
        state.stopping = false;
        for member in &state.members {
            member.poll.lower();
            // Release: publishes the collection to a thread that leaves native state without the lock.
            member.status.fetch_and(!STOP, Ordering::AcqRel);
        }
        self.resumed.notify_all();
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::thread;

    struct Flag(Arc<AtomicU32>);

    impl PollFlag for Flag {
        fn raise(&self) {
            self.0.store(1, Ordering::Relaxed);
        }
        fn lower(&self) {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    /// A heap of one word that loom guards: mutators write it while running, the collector while all
    /// are stopped; any overlap is a race that loom reports.
    struct World {
        stop: Stop<Flag>,
        heap: UnsafeCell<u32>,
    }

    // SAFETY: the protocol under test is what makes it so; loom checks each access.
    unsafe impl Sync for World {}
    // SAFETY: as above.
    unsafe impl Send for World {}

    impl World {
        fn new() -> Arc<World> {
            Arc::new(World { stop: Stop::new(), heap: UnsafeCell::new(0) })
        }

        fn attach(&self) -> (MemberRef<Flag>, Arc<AtomicU32>) {
            let poll = Arc::new(AtomicU32::new(0));
            (self.stop.join(Flag(Arc::clone(&poll))), poll)
        }

        fn collect(&self, me: &MemberRef<Flag>) {
            if self.stop.stop(me) {
                // SAFETY: all others are stopped.
                self.heap.with_mut(|word| unsafe { *word += 1 });
                self.stop.resume();
            }
        }

        fn read(&self) {
            // SAFETY: a running thread; the collector is not in its stop.
            self.heap.with(|word| unsafe { std::ptr::read_volatile(word) });
        }
    }

    #[test]
    fn a_collector_never_overlaps_a_running_thread() {
        loom::model(|| {
            let world = World::new();
            let (me, _) = world.attach();
            let (other, poll) = world.attach();
            let thread = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.read();
                    if poll.load(Ordering::Relaxed) != 0 {
                        world.stop.safepoint(&other);
                    }
                    world.read();
                    world.stop.leave(&other);
                })
            };
            world.collect(&me);
            world.read();
            world.stop.leave(&me);
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_thread_in_native_state_is_not_waited_for_and_waits_on_its_return() {
        loom::model(|| {
            let world = World::new();
            let (me, _) = world.attach();
            let (other, _) = world.attach();
            let thread = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.stop.safepoint(&other);
                    world.read();
                    world.stop.leave(&other);
                })
            };
            world.collect(&me);
            world.collect(&me);
            world.stop.leave(&me);
            thread.join().unwrap();
        });
    }

    #[test]
    fn two_threads_that_want_to_collect_do_so_in_turn() {
        loom::model(|| {
            let world = World::new();
            let (me, _) = world.attach();
            let (other, _) = world.attach();
            let thread = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.collect(&other);
                    world.read();
                    world.stop.leave(&other);
                })
            };
            world.collect(&me);
            world.read();
            world.stop.leave(&me);
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_thread_that_attaches_during_a_stop_waits() {
        loom::model(|| {
            let world = World::new();
            let (me, _) = world.attach();
            let thread = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let (other, _) = world.attach();
                    world.read();
                    world.stop.leave(&other);
                })
            };
            world.collect(&me);
            world.stop.leave(&me);
            thread.join().unwrap();
        });
    }

    /// A thread that goes native and comes back in the given wrong way, beside a collection.
    fn with_planted_bug(wrong: fn(&World, &Member<Flag>)) {
        loom::model(move || {
            let world = World::new();
            let (me, _) = world.attach();
            let (other, _) = world.attach();
            let thread = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.read();
                    wrong(&world, &other);
                    world.stop.leave(&other);
                })
            };
            world.collect(&me);
            world.stop.leave(&me);
            thread.join().unwrap();
        });
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn touching_the_heap_in_native_state_is_caught() {
        with_planted_bug(|world, member| {
            world.stop.enter_native(member);
            world.read();
            if !world.stop.try_leave_native(member) {
                world.stop.leave_native_slowly(member);
            }
        });
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn leaving_native_state_without_looking_is_caught() {
        with_planted_bug(|world, member| {
            world.stop.enter_native(member);
            let looked_away = member.status.fetch_and(!NATIVE, Ordering::AcqRel);
            world.read();
            // The rest is right again, so that the race is all there is to find.
            if member.status.fetch_or(NATIVE, Ordering::AcqRel) & !looked_away & STOP != 0 {
                world.stop.arrive();
            }
            if !world.stop.try_leave_native(member) {
                world.stop.leave_native_slowly(member);
            }
        });
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn going_native_without_a_release_is_caught() {
        with_planted_bug(|world, member| {
            if member.status.fetch_or(NATIVE, Ordering::Relaxed) & STOP != 0 {
                world.stop.arrive();
            }
            if !world.stop.try_leave_native(member) {
                world.stop.leave_native_slowly(member);
            }
        });
    }
}
