//! When a weak reference may still be followed.
//!
//! While marking runs, whoever follows a weak reference to an object that is not marked has it marked, as
//! if it had been found. That ends at one moment, under the gate's lock: when nothing is left to mark, the gate
//! closes, and what is not marked then is dead: following a weak reference to it answers nil, although the
//! reference is still there. The collector then clears the references and opens the gate again. The gate opens
//! only after every thread has passed a handshake, so that no thread is between reading a weak reference and
//! asking the gate (I13).

use crate::address::ObjectRef;
use crate::heap::HeapInner;
use crate::liveness::Life;
use crate::options::Plant;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, Ordering};

/// No cycle runs, or none has come so far that it matters.
const OPEN: u8 = 0;
/// What is followed is marked.
const MARKING: u8 = 1;
/// What is not marked is dead.
const CLOSED: u8 = 2;

#[derive(Default)]
pub(crate) struct WeakGate {
    state: AtomicU8,
    lock: Mutex<()>,
}

impl WeakGate {
    /// From now on what is followed is marked.
    pub fn start_marking(&self) {
        self.state.store(MARKING, Ordering::Release);
    }

    /// Closes the gate, unless `more` finds more to mark. Threads may wait meanwhile, so that it marks nothing itself.
    pub fn close_unless(&self, more: impl FnOnce() -> bool) -> bool {
        let _guard = self.lock.lock().expect("no panic at the gate");
        if more() {
            return false;
        }
        self.state.store(CLOSED, Ordering::Release);
        true
    }

    /// Weak references say what is true again.
    pub fn open(&self) {
        self.state.store(OPEN, Ordering::Release);
    }

    /// The same after a young cycle, while the full one that it interrupted goes on as `resume` says.
    pub fn resume_marking(&self, resume: impl FnOnce()) {
        let _guard = self.lock.lock().expect("no panic at the gate");
        resume();
        self.state.store(MARKING, Ordering::Release);
    }

    /// What a weak reference that was found to hold `address` refers to.
    #[inline]
    pub fn follow(&self, heap: &HeapInner, address: usize) -> Option<ObjectRef> {
        let object = ObjectRef::from_address(address)?;
        let life = || heap.liveness().of(address);
        let shade = || {
            if heap.options.plant != Some(Plant::SkipWeak) {
                heap.inbox.shade(address);
            }
        };
        self.lets_pass(life, shade).then_some(object)
    }

    /// Whether a reference may be followed to an object of the `life` that it has when that is asked; `shade` has the
    /// object marked.
    #[inline]
    pub fn lets_pass(&self, life: impl Fn() -> Option<Life>, shade: impl FnOnce()) -> bool {
        self.state.load(Ordering::Acquire) == OPEN || self.decide(life, shade)
    }

    #[cold]
    fn decide(&self, life: impl Fn() -> Option<Life>, shade: impl FnOnce()) -> bool {
        let is_live = |life| matches!(life, Some(Life::Marked | Life::New));
        if is_live(life()) {
            return true;
        }
        let _guard = self.lock.lock().expect("no panic at the gate");
        let state = self.state.load(Ordering::Relaxed);
        // It may have been marked since the look above.
        let life = life();
        if state == OPEN || is_live(life) {
            return true;
        }
        if state == CLOSED && life != Some(Life::Undecided) {
            return false;
        }
        shade();
        true
    }
}
