//! Ragged handshakes: how the collector asks something of every thread and waits for none of them to stop.
//!
//! Each attached thread is a [`Member`] with one status word. The collector *posts* a request by setting `PENDING`
//! and the request in it; the thread *passes* when the request's work has been done for it. A running thread does that
//! work itself at its next safepoint. For one in native state (`NATIVE`: it promises not to touch the heap) the
//! collector does it: it *claims* the thread, and a thread that wants to leave native state meanwhile waits for
//! it. All changes of the word are read-modify-writes, so for each request and thread exactly one of the two does the
//! work (I9). Because the decision is one word, no fence between two places is needed (the classic store-load
//! trap of safepoint protocols).
//!
//! ```text
//!            post            act                      NATIVE, post          claim          act
//!  running --------> PENDING -----> running   native -----------> PENDING --------> CLAIMED -----> native
//!                                                                    | leave
//!                                                                    v
//!                                                            running, PENDING
//! ```
//!
//! The protocol knows members, not addresses, and takes its primitives from [`crate::sync`], so loom
//! explores what ships (`tests` below).

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

/// The thread does not touch the heap until it has cleared the bit.
const NATIVE: u32 = 1;
/// A request is to be passed.
const PENDING: u32 = 2;
/// The collector passes it for the thread.
const CLAIMED: u32 = 4;
/// Where the request is.
const REQUEST_SHIFT: u32 = 8;

/// What each thread is asked to do at its next safepoint, in the order of a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Have marked what is stored.
    Shade,
    /// Hand over what was written, and log for the next epoch.
    Begin,
    /// Hand over the roots, and enter the next epoch.
    Flip,
    /// Hand over what was overwritten.
    HandOver,
    /// The cycle has found everything.
    End,
    /// Wait.
    Hold,
}

impl Request {
    const ALL: [Request; 6] = [
        Request::Shade,
        Request::Begin,
        Request::Flip,
        Request::HandOver,
        Request::End,
        Request::Hold,
    ];

    fn of(status: u32) -> Request {
        Request::ALL[(status >> REQUEST_SHIFT) as usize]
    }

    fn bits(self) -> u32 {
        PENDING | (self as u32) << REQUEST_SHIFT
    }
}

/// A thread as the handshakes see it.
pub(crate) trait Participant: Send + Sync {
    /// Makes the thread look at its next safepoint.
    fn raise(&self);
    /// Withdraws that.
    fn lower(&self);
    /// Does the request's work for the thread.
    ///
    /// # Safety
    /// The caller is the thread at a safepoint, or the collector while the thread is in native state or held and
    /// cannot leave it.
    unsafe fn act(&self, request: Request);
}

/// One attached thread.
pub(crate) struct Member<P> {
    status: AtomicU32,
    participant: P,
}

/// A thread's membership, shared with the collector.
pub(crate) type MemberRef<P> = Arc<Member<P>>;

/// The threads of a heap and the handshake that may be under way.
pub(crate) struct Handshakes<P> {
    registry: Mutex<Registry<P>>,
    /// A thread that the collector waits for has passed.
    passed: Condvar,
    /// A claim or a hold is over.
    released: Condvar,
}

struct Registry<P> {
    members: Vec<MemberRef<P>>,
    /// What was posted last, holds left out.
    last: Option<Request>,
    /// Threads that have not passed the handshake under way.
    awaited: usize,
    holding: bool,
}

impl<P: Participant> Handshakes<P> {
    pub fn new() -> Handshakes<P> {
        let registry = Registry { members: Vec::new(), last: None, awaited: 0, holding: false };
        Handshakes {
            registry: Mutex::new(registry),
            passed: Condvar::new(),
            released: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registry<P>> {
        self.registry.lock().expect("no panic under the registry's lock")
    }

    fn wait_while_held<'a>(
        &'a self,
        mut registry: MutexGuard<'a, Registry<P>>,
    ) -> MutexGuard<'a, Registry<P>> {
        while registry.holding {
            registry = self.released.wait(registry).expect("no panic under the registry's lock");
        }
        registry
    }

    /// Adds the calling thread, running. `make` is given what was posted last; the thread joins as one that has passed
    /// that, so `make` has to bring it there. Nothing is posted meanwhile.
    pub fn join(&self, make: impl FnOnce(Option<Request>) -> P) -> MemberRef<P> {
        let mut registry = self.wait_while_held(self.lock());
        let participant = make(registry.last);
        let member = Arc::new(Member { status: AtomicU32::new(0), participant });
        registry.members.push(Arc::clone(&member));
        member
    }

    /// Removes the running, calling thread. What `last` hands over, the collector has when the next handshake
    /// is over: the thread counts as a member until `last` has run, however often requests make it run again.
    pub fn leave(&self, member: &MemberRef<P>, mut last: impl FnMut()) {
        loop {
            last();
            let mut registry = self.lock();
            // Posting takes the lock that we hold. Acquire: see `safepoint`.
            if member.status.load(Ordering::Acquire) & PENDING == 0 {
                registry.members.retain(|other| !Arc::ptr_eq(other, member));
                return;
            }
            drop(registry);
            self.safepoint(member);
        }
    }

    /// The thread touches nothing of the heap from here until it leaves native state. False: a request is pending,
    /// and [`Handshakes::enter_native_slowly`] must be called instead.
    #[inline]
    pub fn try_enter_native(&self, member: &Member<P>) -> bool {
        // Release: what the thread did to the heap happens before what a collector does that claims it (I9).
        member.status.compare_exchange(0, NATIVE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Passes what is pending, and enters native state.
    #[cold]
    pub fn enter_native_slowly(&self, member: &Member<P>) {
        while !self.try_enter_native(member) {
            self.safepoint(member);
        }
    }

    /// The thread wants to touch the heap again. False: a request is pending, and
    /// [`Handshakes::leave_native_slowly`] must be called instead.
    #[inline]
    pub fn try_leave_native(&self, member: &Member<P>) -> bool {
        // Acquire: what the collector did for the thread happens before what that does next (I9).
        member.status.compare_exchange(NATIVE, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits while the collector acts for the thread, and leaves native state; passes what is pending then.
    #[cold]
    pub fn leave_native_slowly(&self, member: &Member<P>) {
        loop {
            let status = member.status.load(Ordering::Relaxed);
            if status & CLAIMED != 0 {
                self.wait_while_claimed(member, self.lock());
                continue;
            }
            // A claim needs no lock, so that one may have come in since; then this fails. Acquire: as above.
            let running = status & !NATIVE;
            let left = member.status.compare_exchange(
                status,
                running,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            if left.is_ok() {
                if status & PENDING != 0 {
                    self.safepoint(member);
                }
                return;
            }
        }
    }

    fn wait_while_claimed<'a>(
        &'a self,
        member: &Member<P>,
        mut registry: MutexGuard<'a, Registry<P>>,
    ) {
        while member.status.load(Ordering::Relaxed) & CLAIMED != 0 {
            registry = self.released.wait(registry).expect("no panic under the registry's lock");
        }
    }

    /// Passes what is pending, if something is; waits while the threads are held.
    pub fn safepoint(&self, member: &Member<P>) {
        // Acquire: what the collector did before it posted happens before what the request makes us do.
        let status = member.status.load(Ordering::Acquire);
        if status & PENDING == 0 {
            // The thread passed a request before the collector had raised its flag.
            let _registry = self.lock();
            if member.status.load(Ordering::Relaxed) & PENDING == 0 {
                member.participant.lower();
            }
            return;
        }
        debug_assert_eq!(status & (NATIVE | CLAIMED), 0, "the thread is not running");
        let request = Request::of(status);
        member.participant.lower();
        if request != Request::Hold {
            // SAFETY: this is the thread, at a safepoint.
            unsafe { member.participant.act(request) };
            // Release: what the thread did happens before what the collector does once all have passed.
            member.status.fetch_and(0, Ordering::Release);
            self.note_passed(self.lock());
            return;
        }
        // Held: in native state, the collector's claim included, until it is released.
        member.status.fetch_or(NATIVE | CLAIMED, Ordering::Release);
        let registry = self.lock();
        self.note_passed(registry);
        self.leave_native_slowly(member);
    }

    fn note_passed(&self, mut registry: MutexGuard<'_, Registry<P>>) {
        registry.awaited -= 1;
        if registry.awaited == 0 {
            self.passed.notify_one();
        }
    }

    /// Posts a request to all members; returns them.
    fn post(&self, request: Request) -> Vec<MemberRef<P>> {
        let mut registry = self.lock();
        debug_assert_eq!(registry.awaited, 0, "one handshake at a time");
        if request == Request::Hold {
            registry.holding = true;
        } else {
            registry.last = Some(request);
        }
        registry.awaited = registry.members.len();
        for member in &registry.members {
            // Release: see `safepoint`.
            let old = member.status.fetch_or(request.bits(), Ordering::Release);
            debug_assert_eq!(old & (PENDING | CLAIMED), 0);
            member.participant.raise();
        }
        registry.members.clone()
    }

    /// Claims a member that is in native state and has not passed.
    fn claim(&self, member: &Member<P>, request: Request) -> bool {
        let native = NATIVE | request.bits();
        // Acquire: what the thread did before it went native happens before what we do for it.
        let claimed = member.status.compare_exchange(
            native,
            native | CLAIMED,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        claimed.is_ok()
    }

    fn wait_until_passed(&self) {
        let mut registry = self.lock();
        while registry.awaited > 0 {
            registry = self.passed.wait(registry).expect("no panic under the registry's lock");
        }
    }

    /// Asks all threads, acts for those in native state, and waits until all have passed. The collector only.
    pub fn handshake(&self, request: Request) {
        for member in self.post(request) {
            if self.claim(&member, request) {
                let _release = Release { handshakes: self, member: &member };
                // SAFETY: the thread is in native state, and cannot leave while it is claimed.
                unsafe { member.participant.act(request) };
            }
        }
        self.wait_until_passed();
    }

    /// Holds all threads: once this returns, each is in native state or waits at a safepoint, and stays so until
    /// [`Handshakes::release`]. The collector only.
    pub fn hold(&self) {
        for member in self.post(Request::Hold) {
            if self.claim(&member, Request::Hold) {
                member.participant.lower();
                self.note_passed(self.lock());
            }
        }
        self.wait_until_passed();
    }

    /// Passes a request on behalf of all threads, which are held.
    pub fn handshake_held(&self, request: Request) {
        let members = {
            let mut registry = self.lock();
            registry.last = Some(request);
            registry.members.clone()
        };
        for member in members {
            // SAFETY: the thread is held.
            unsafe { member.participant.act(request) };
        }
    }

    /// Lets the threads go on that are held.
    pub fn release(&self) {
        let mut registry = self.lock();
        registry.holding = false;
        for member in &registry.members {
            // Release: what the collector did happens before what the thread does next.
            member.status.fetch_and(NATIVE, Ordering::Release);
        }
        self.released.notify_all();
    }

    /// The threads that are members now.
    pub fn members(&self) -> Vec<MemberRef<P>> {
        self.lock().members.clone()
    }

    /// Calls `f` for a thread, which may be running, and does not leave meanwhile. `None` when it has left.
    pub fn with<R>(&self, member: &MemberRef<P>, f: impl FnOnce(&P) -> R) -> Option<R> {
        let registry = self.lock();
        let is_member = registry.members.iter().any(|other| Arc::ptr_eq(other, member));
        is_member.then(|| f(&member.participant))
    }

    /// Calls `f` for each thread, which may be running.
    pub fn for_each(&self, mut f: impl FnMut(&P)) {
        for member in &self.lock().members {
            f(&member.participant);
        }
    }
}

/// Ends a claim, also when acting for the thread has panicked.
struct Release<'a, P: Participant> {
    handshakes: &'a Handshakes<P>,
    member: &'a Member<P>,
}

impl<P: Participant> Drop for Release<'_, P> {
    fn drop(&mut self) {
        let Release { handshakes, member } = self;
        member.participant.lower();
        // The lock is held so that a thread that has just seen the claim is not asleep yet, or already.
        let registry = handshakes.lock();
        // Release: what was done for the thread happens before what that does next.
        member.status.fetch_and(NATIVE, Ordering::Release);
        handshakes.released.notify_all();
        handshakes.note_passed(registry);
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::thread;

    /// A thread's own memory, and how often it has handed over. Loom reports whoever touches the memory at the same
    /// time as someone else, or without having synchronised with those before; a relaxed count shows every value
    /// that the synchronisation allows.
    struct Seat {
        poll: AtomicU32,
        own: UnsafeCell<u32>,
        handed: AtomicU32,
    }

    // SAFETY: what the tests are about.
    unsafe impl Send for Seat {}
    // SAFETY: as above.
    unsafe impl Sync for Seat {}

    impl Seat {
        fn touch(&self) {
            // SAFETY: loom checks the access.
            self.own.with_mut(|own| unsafe { *own += 1 });
        }

        fn hand_over(&self) {
            self.touch();
            self.handed.fetch_add(1, Ordering::Relaxed);
        }

        fn handed(&self) -> u32 {
            self.handed.load(Ordering::Relaxed)
        }
    }

    impl Participant for Arc<Seat> {
        fn raise(&self) {
            self.poll.store(1, Ordering::Relaxed);
        }

        fn lower(&self) {
            self.poll.store(0, Ordering::Relaxed);
        }

        unsafe fn act(&self, _: Request) {
            self.hand_over();
        }
    }

    type World = Arc<Handshakes<Arc<Seat>>>;
    type Me = MemberRef<Arc<Seat>>;

    fn attach(world: &World) -> (Me, Arc<Seat>) {
        let seat = Arc::new(Seat {
            poll: AtomicU32::new(0),
            own: UnsafeCell::new(0),
            handed: AtomicU32::new(0),
        });
        (world.join(|_| Arc::clone(&seat)), seat)
    }

    fn go_native(world: &World, me: &Me) {
        if !world.try_enter_native(me) {
            world.enter_native_slowly(me);
        }
    }

    fn return_from_native(world: &World, me: &Me) {
        if !world.try_leave_native(me) {
            world.leave_native_slowly(me);
        }
    }

    /// Runs `thread` on an attached thread beside `collector`, which is given the thread's seat.
    fn beside(thread: fn(&World, &Me, &Seat), collector: fn(&World, &Seat)) {
        loom::model(move || run_beside(thread, collector));
    }

    /// The same, in those interleavings alone that take the processor away from a thread twice at most.
    fn beside_bounded(thread: fn(&World, &Me, &Seat), collector: fn(&World, &Seat)) {
        let mut bounded = loom::model::Builder::new();
        bounded.preemption_bound = Some(2);
        bounded.check(move || run_beside(thread, collector));
    }

    fn run_beside(thread: fn(&World, &Me, &Seat), collector: fn(&World, &Seat)) {
        let world: World = Arc::new(Handshakes::new());
        let (me, seat) = attach(&world);
        let spawned = {
            let (world, seat) = (Arc::clone(&world), Arc::clone(&seat));
            thread::spawn(move || thread(&world, &me, &seat))
        };
        collector(&world, &seat);
        spawned.join().unwrap();
    }

    fn leave(world: &World, me: &Me, seat: &Seat) {
        world.leave(me, || seat.hand_over());
    }

    fn two_handshakes(world: &World, seat: &Seat) {
        world.handshake(Request::Begin);
        let first = seat.handed();
        assert!(first > 0);
        world.handshake(Request::Flip);
        assert!(seat.handed() >= first);
    }

    #[test]
    fn a_running_thread_passes_at_its_poll_or_as_it_leaves() {
        beside(
            |world, me, seat| {
                seat.touch();
                if seat.poll.load(Ordering::Relaxed) != 0 {
                    world.safepoint(me);
                }
                leave(world, me, seat);
            },
            |world, seat| {
                world.handshake(Request::Begin);
                assert!(seat.handed() > 0);
            },
        );
    }

    #[test]
    fn a_thread_that_leaves_hands_over_to_the_handshake_under_way_or_the_next() {
        beside(leave, two_handshakes);
    }

    #[test]
    fn the_collector_acts_for_a_thread_in_native_state() {
        beside(
            |world, me, seat| {
                seat.touch();
                go_native(world, me);
                return_from_native(world, me);
                seat.touch();
                leave(world, me, seat);
            },
            |world, seat| {
                world.handshake(Request::Begin);
                assert!(seat.handed() > 0);
            },
        );
    }

    #[test]
    fn a_thread_that_stays_native_is_not_waited_for() {
        loom::model(|| {
            let world: World = Arc::new(Handshakes::new());
            let (me, seat) = attach(&world);
            go_native(&world, &me);
            let spawned = {
                let (world, seat) = (Arc::clone(&world), Arc::clone(&seat));
                thread::spawn(move || two_handshakes(&world, &seat))
            };
            // Joining before leaving native state: nothing waits for us.
            spawned.join().unwrap();
            return_from_native(&world, &me);
            seat.touch();
            leave(&world, &me, &seat);
        });
    }

    #[test]
    fn a_thread_joins_beside_a_handshake() {
        loom::model(|| {
            let world: World = Arc::new(Handshakes::new());
            let spawned = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let (me, seat) = attach(&world);
                    seat.touch();
                    leave(&world, &me, &seat);
                })
            };
            world.handshake(Request::Begin);
            spawned.join().unwrap();
        });
    }

    #[test]
    fn a_held_thread_touches_nothing_until_it_is_released() {
        beside(
            |world, me, seat| {
                seat.touch();
                world.safepoint(me);
                seat.touch();
                leave(world, me, seat);
            },
            |world, seat| {
                world.hold();
                world.handshake_held(Request::Begin);
                world.for_each(|seat| seat.touch());
                assert!(seat.handed() > 0);
                world.release();
            },
        );
    }

    #[test]
    fn a_thread_that_was_held_meets_the_next_handshake() {
        beside_bounded(
            |world, me, seat| {
                world.safepoint(me);
                seat.touch();
                leave(world, me, seat);
            },
            |world, seat| {
                world.hold();
                world.release();
                world.handshake(Request::Begin);
                assert!(seat.handed() > 0);
            },
        );
    }

    #[test]
    fn a_held_thread_in_native_state_stays_there() {
        beside(
            |world, me, seat| {
                go_native(world, me);
                return_from_native(world, me);
                seat.touch();
                leave(world, me, seat);
            },
            |world, _| {
                world.hold();
                world.for_each(|seat| seat.touch());
                world.release();
            },
        );
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn touching_the_heap_in_native_state_is_caught() {
        beside(
            |world, me, seat| {
                go_native(world, me);
                seat.touch();
                return_from_native(world, me);
                leave(world, me, seat);
            },
            |world, _| world.handshake(Request::Begin),
        );
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn going_native_without_a_release_is_caught() {
        beside(
            |world, me, seat| {
                seat.touch();
                let gone =
                    me.status.compare_exchange(0, NATIVE, Ordering::Relaxed, Ordering::Relaxed);
                if gone.is_err() {
                    world.enter_native_slowly(me);
                }
                return_from_native(world, me);
                leave(world, me, seat);
            },
            |world, _| world.handshake(Request::Begin),
        );
    }

    #[test]
    #[should_panic]
    fn leaving_native_state_without_looking_is_caught() {
        beside(
            |world, me, seat| {
                go_native(world, me);
                me.status.fetch_and(!NATIVE, Ordering::AcqRel);
                seat.touch();
                world.safepoint(me);
                leave(world, me, seat);
            },
            |world, _| world.handshake(Request::Begin),
        );
    }

    #[test]
    #[should_panic]
    fn acting_after_having_passed_is_caught() {
        beside(
            |world, me, seat| {
                if me.status.load(Ordering::Acquire) & PENDING != 0 {
                    me.status.fetch_and(0, Ordering::Release);
                    world.note_passed(world.lock());
                    seat.hand_over();
                }
                leave(world, me, seat);
            },
            |world, seat| {
                world.handshake(Request::Begin);
                assert!(seat.handed() > 0);
            },
        );
    }

    #[test]
    #[should_panic]
    fn handing_over_after_having_left_is_caught() {
        beside(
            |world, me, seat| {
                world.leave(me, || {});
                seat.hand_over();
            },
            |world, seat| {
                world.handshake(Request::Begin);
                assert!(seat.handed() > 0);
            },
        );
    }
}
