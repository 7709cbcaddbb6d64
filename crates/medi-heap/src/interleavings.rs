//! Logs, inbox, weak gate and handshakes together, in a heap of two objects: loom tries their interleavings.
//!
//! The first object is in a slot, which stands for a field of an object that is always live, or for a weak reference;
//! the second one is in a field of the first. A collector runs one cycle and frees what was not marked. Threads take
//! objects from slots, overwrite slots through the barrier, keep objects on their stack, and touch them; to touch what
//! is freed, or is being freed, is an error that loom finds. The barrier and the marker are small copies, in the order
//! of I8; the rest is the code that ships.

use std::mem;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::handshake::{Handshakes, MemberRef, Participant, Request};
use crate::liveness::Life;
use crate::log::{Inbox, Log, Written, entries};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::weak::WeakGate;

/// Where the objects are.
const OBJECTS: [usize; 2] = [16, 32];
/// The epoch that the cycle's flip starts.
const FLIP: u64 = 1;

fn index(address: usize) -> usize {
    address / OBJECTS[0] - 1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Shading,
    Transition,
    Marking,
}

/// A thread's state, which is its own while it runs.
struct Own {
    phase: Phase,
    /// Whose log it is.
    epoch: u64,
    log: Log,
    stack: usize,
}

struct Seat {
    own: UnsafeCell<Own>,
    world: Arc<World>,
}

// SAFETY: what the tests are about.
unsafe impl Send for Seat {}
// SAFETY: as above.
unsafe impl Sync for Seat {}

struct World {
    inbox: Inbox,
    gate: WeakGate,
    /// What refers to the first object, and to the second.
    slots: [AtomicUsize; 2],
    /// Of the object that each slot is in: the epoch in which it was logged.
    colours: [AtomicU8; 2],
    marked: [AtomicBool; 2],
    /// Touched by threads, written when they are freed.
    objects: [UnsafeCell<()>; 2],
    mistake: Mistake,
}

// SAFETY: as for `Seat`.
unsafe impl Send for World {}
// SAFETY: as for `Seat`.
unsafe impl Sync for World {}

type Threads = Arc<Handshakes<Arc<Seat>>>;

impl World {
    fn life(&self, address: usize) -> Option<Life> {
        let marked = self.marked[index(address)].load(Ordering::Relaxed);
        Some(if marked { Life::Marked } else { Life::White })
    }

    /// Marks an object and what it refers to; whether there was anything new.
    fn mark(&self, address: usize) -> bool {
        if address == 0 || self.marked[index(address)].swap(true, Ordering::Relaxed) {
            return false;
        }
        if address == OBJECTS[0] {
            self.mark(self.slots[1].load(Ordering::Acquire));
        }
        true
    }

    /// Marks what was handed over; whether there was anything new.
    fn mark_mail(&self) -> bool {
        let mail = self.inbox.take_shades();
        mail.iter().flatten().filter(|address| self.mark(**address)).count() > 0
    }
}

impl Participant for Arc<Seat> {
    fn raise(&self) {}

    fn lower(&self) {}

    unsafe fn act(&self, request: Request) {
        let inbox = &self.world.inbox;
        self.with_own(|own| match request {
            Request::Shade => own.phase = Phase::Shading,
            Request::Begin => {
                own.log.hand_over_written(inbox, FLIP - 1);
                (own.phase, own.epoch) = (Phase::Transition, FLIP);
            }
            Request::Flip => {
                own.log.shade(inbox, own.stack);
                own.log.hand_over_shades(inbox);
                own.phase = Phase::Marking;
            }
            Request::HandOver => own.log.hand_over_shades(inbox),
            Request::End => {
                own.log.drop_shades();
                own.phase = Phase::Idle;
            }
            Request::Hold => {}
        });
    }
}

impl Seat {
    fn with_own<R>(&self, f: impl FnOnce(&mut Own) -> R) -> R {
        // SAFETY: loom checks the access.
        self.own.with_mut(|own| f(unsafe { &mut *own }))
    }
}

/// A thread, which begins in native state.
struct Me {
    threads: Threads,
    seat: Arc<Seat>,
    member: MemberRef<Arc<Seat>>,
}

impl Me {
    fn join(threads: &Threads, world: &Arc<World>, stack: usize) -> Me {
        let own = Own { phase: Phase::Idle, epoch: FLIP - 1, log: Log::default(), stack };
        let seat = Arc::new(Seat { own: UnsafeCell::new(own), world: Arc::clone(world) });
        let member = threads.join(|_| Arc::clone(&seat));
        assert!(threads.try_enter_native(&member));
        Me { threads: Arc::clone(threads), seat, member }
    }

    fn world(&self) -> &World {
        &self.seat.world
    }

    fn run(&self) {
        if !self.threads.try_leave_native(&self.member) {
            self.threads.leave_native_slowly(&self.member);
        }
    }

    fn rest(&self) {
        if !self.threads.try_enter_native(&self.member) {
            self.threads.enter_native_slowly(&self.member);
        }
    }

    fn keep(&self, address: usize) {
        self.seat.with_own(|own| own.stack = address);
    }

    fn touch(&self, address: usize) {
        if address != 0 {
            self.world().objects[index(address)].with(|_| ());
        }
    }

    /// What a slot holds, as a strong reference.
    fn load(&self, slot: usize) -> usize {
        self.world().slots[slot].load(Ordering::Relaxed)
    }

    /// The first object, if the gate lets it pass, from a weak reference.
    fn load_weak(&self) -> usize {
        let world = self.world();
        let address = self.load(0);
        let (life, shade) = (|| world.life(address), || world.inbox.shade(address));
        if address != 0 && world.gate.lets_pass(life, shade) { address } else { 0 }
    }

    /// Stores into a slot, through the barrier.
    fn store(&self, slot: usize, value: usize) {
        let world = self.world();
        self.seat.with_own(|own| {
            if world.colours[slot].load(Ordering::Relaxed) != own.epoch as u8 {
                if own.phase != Phase::Idle {
                    own.log.shade(&world.inbox, world.slots[slot].load(Ordering::Relaxed));
                }
                own.log.note(&world.inbox, own.epoch, Written::Object(OBJECTS[slot]));
                world.colours[slot].store(own.epoch as u8, Ordering::Release);
            }
            let shades = matches!(own.phase, Phase::Shading | Phase::Transition);
            if shades && world.mistake != Mistake::NoShade {
                own.log.shade(&world.inbox, value);
            }
        });
        world.slots[slot].store(value, Ordering::Relaxed);
    }

    fn leave(self) {
        let inbox = &self.world().inbox;
        let last = || {
            self.seat.with_own(|own| {
                own.log.hand_over_written(inbox, own.epoch);
                own.log.hand_over_shades(inbox);
            });
        };
        self.threads.leave(&self.member, last);
    }
}

/// What a cycle leaves out, to see it found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The first hand-over is taken for the last.
    OneRound,
    /// What came in before the gate closed is not looked at.
    Unseen,
    /// The gate opens before the last handshake.
    OpenEarly,
    /// What is stored in the transition is not marked.
    NoShade,
}

/// Where the first object is in the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    InSlot,
    /// In the slot, as a weak reference.
    Weak,
    /// On the stack of the first thread.
    OnStack,
}

fn collect(threads: &Threads, world: &World, weak: bool) {
    let mistake = world.mistake;
    world.gate.start_marking();
    threads.handshake(Request::Shade);
    threads.handshake(Request::Begin);
    threads.handshake(Request::Flip);
    if !weak {
        world.mark(world.slots[0].load(Ordering::Acquire));
    }
    world.mark_mail();
    loop {
        threads.handshake(Request::HandOver);
        let new = world.mark_mail() && mistake != Mistake::OneRound;
        let more = || mistake != Mistake::Unseen && world.mark_mail();
        if !new && world.gate.close_unless(more) {
            break;
        }
    }
    let dead = OBJECTS.map(|address| world.life(address) == Some(Life::White));
    if weak && dead[0] {
        world.slots[0].store(0, Ordering::Relaxed);
    }
    if mistake == Mistake::OpenEarly {
        world.gate.open();
    }
    threads.handshake(Request::End);
    world.inbox.take_shades();
    world.gate.open();
    for (object, _) in world.objects.iter().zip(dead).filter(|(_, dead)| *dead) {
        object.with_mut(|_| ());
    }
}

/// Runs threads beside a cycle, in the interleavings that take the processor away from one `preemptions` times.
fn beside_a_cycle(preemptions: usize, bodies: &'static [fn(Me)], first: First, mistake: Mistake) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let (first_slot, mut stack) = match first {
            First::OnStack => (0, OBJECTS[0]),
            First::InSlot | First::Weak => (OBJECTS[0], 0),
        };
        let world = Arc::new(World {
            inbox: Inbox::default(),
            gate: WeakGate::default(),
            slots: [first_slot, OBJECTS[1]].map(AtomicUsize::new),
            colours: OBJECTS.map(|_| AtomicU8::new(0)),
            marked: OBJECTS.map(|_| AtomicBool::new(false)),
            objects: OBJECTS.map(|_| UnsafeCell::new(())),
            mistake,
        });
        let threads: Threads = Arc::new(Handshakes::new());
        let mut run = |body: &fn(Me)| {
            let (me, body) = (Me::join(&threads, &world, mem::take(&mut stack)), *body);
            thread::spawn(move || body(me))
        };
        let running: Vec<_> = bodies.iter().map(&mut run).collect();
        let weak = first == First::Weak;
        collect(&threads, &world, weak);
        running.into_iter().for_each(|thread| thread.join().unwrap());
        if !weak {
            check_written(&world);
        }
    });
}

/// What has an epoch's colour is in that epoch's log.
fn check_written(world: &World) {
    let mail = [FLIP - 1, FLIP].map(|flip| world.inbox.take_written(flip));
    for (colour, address) in world.colours.iter().zip(OBJECTS) {
        let colour = usize::from(colour.load(Ordering::Relaxed));
        let mut logged = mail[colour].iter().flat_map(|chunk| entries(chunk));
        assert!(colour == 0 || logged.any(|written| written == Written::Object(address)));
    }
}

/// Takes the first object out of its slot, and keeps it for a while.
fn take_out(me: Me) {
    me.run();
    let object = me.load(0);
    me.store(0, 0);
    me.touch(object);
    me.keep(object);
    me.rest();
    me.run();
    me.touch(object);
    me.leave();
}

/// The same, and then the second one out of the first.
fn take_both_out(me: Me) {
    me.run();
    let first = me.load(0);
    me.store(0, 0);
    me.keep(first);
    me.rest();
    me.run();
    me.touch(first);
    let second = me.load(1);
    me.store(1, 0);
    me.keep(second);
    me.rest();
    me.run();
    me.touch(second);
    me.leave();
}

/// Puts the first object from the stack into its slot.
fn put_down(me: Me) {
    me.run();
    me.store(0, OBJECTS[0]);
    me.keep(0);
    me.leave();
}

fn clear(me: Me) {
    me.run();
    me.store(0, 0);
    me.leave();
}

fn follow(me: Me) {
    me.run();
    me.touch(me.load_weak());
    me.leave();
}

fn follow_and_keep(me: Me) {
    me.run();
    let object = me.load_weak();
    me.keep(object);
    me.rest();
    me.run();
    me.touch(object);
    me.leave();
}

#[test]
fn what_is_taken_out_of_a_slot_that_is_overwritten_is_marked() {
    beside_a_cycle(3, &[take_out], First::InSlot, Mistake::None);
}

#[test]
fn what_is_taken_out_of_what_was_taken_out_is_marked() {
    beside_a_cycle(3, &[take_both_out], First::InSlot, Mistake::None);
}

#[test]
fn two_threads_that_overwrite_a_slot_lose_nothing() {
    beside_a_cycle(2, &[take_out, clear], First::InSlot, Mistake::None);
}

#[test]
fn what_one_thread_puts_down_and_another_picks_up_is_marked() {
    beside_a_cycle(2, &[put_down, take_out], First::OnStack, Mistake::None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_transition_without_marking_what_is_stored_is_caught() {
    beside_a_cycle(2, &[put_down, take_out], First::OnStack, Mistake::NoShade);
}

#[test]
fn what_a_weak_reference_gives_is_not_freed_while_it_is_used() {
    beside_a_cycle(3, &[follow], First::Weak, Mistake::None);
}

#[test]
fn what_a_weak_reference_gives_may_be_kept() {
    beside_a_cycle(3, &[follow_and_keep], First::Weak, Mistake::None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_round_too_few_is_caught() {
    beside_a_cycle(3, &[take_both_out], First::InSlot, Mistake::OneRound);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn closing_the_gate_without_a_look_is_caught() {
    beside_a_cycle(2, &[follow_and_keep], First::Weak, Mistake::Unseen);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_gate_that_opens_early_is_caught() {
    beside_a_cycle(2, &[follow_and_keep], First::Weak, Mistake::OpenEarly);
}
