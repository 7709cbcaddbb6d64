//! How markers share work, and how they learn that none is left.
//!
//! One of them, the *leader*, opens a *shift*; helpers come, each takes work, and whoever has some to spare gives it when
//! others are hungry. The shift is over when all who are in it wait for work, or when the leader calls the helpers back:
//! then each leaves what it has not done with the crew, and the leader goes on alone once the last has left. So outside of
//! a shift nobody but the leader marks.
//!
//! The code knows nothing of what the work is, so that loom can explore it.

use std::mem;
use std::time::Duration;

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// What helpers need to know (`P`), what is shared (`W`), and what a helper has found when it leaves (`F`).
pub(crate) struct Crew<P, W, F> {
    state: Mutex<State<P, W, F>>,
    /// For helpers that are in no shift: one has opened.
    opened: Condvar,
    /// For those in a shift: there is work, or the shift is over, or a helper has left.
    changed: Condvar,
    /// How many wait for work; read without the lock, as a hint.
    hungry: AtomicUsize,
    /// Helpers are to leave; a hint, the truth is in the state.
    closing: AtomicBool,
}

struct State<P, W, F> {
    /// Helpers may come.
    plan: Option<P>,
    /// Who is in the shift, the leader included.
    members: usize,
    /// Those of them that wait for work.
    waiting: usize,
    work: Vec<W>,
    findings: Vec<F>,
    /// A helper has panicked.
    failed: bool,
    quit: bool,
}

/// What the leader gets when it asks for work.
pub(crate) enum Taken<W> {
    Work(W),
    /// Others have some, and have not given any in the time that the leader would wait.
    Nothing,
    /// Nobody has any.
    Over,
}

/// What is left of a shift.
pub(crate) struct Rest<W, F> {
    pub work: Vec<W>,
    pub findings: Vec<F>,
}

impl<P: Clone, W, F> Crew<P, W, F> {
    pub fn new() -> Self {
        Crew {
            state: Mutex::new(State {
                plan: None,
                members: 0,
                waiting: 0,
                work: Vec::new(),
                findings: Vec::new(),
                failed: false,
                quit: false,
            }),
            opened: Condvar::new(),
            changed: Condvar::new(),
            hungry: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<P, W, F>> {
        self.state.lock().expect("no panic while work changes hands")
    }

    /// Opens a shift. There is none.
    pub fn open(&self, plan: P) -> Shift<'_, P, W, F> {
        let mut state = self.state();
        debug_assert!(state.members == 0 && state.work.is_empty());
        state.plan = Some(plan);
        state.members = 1;
        self.closing.store(false, Ordering::Relaxed);
        self.opened.notify_all();
        Shift { crew: self }
    }

    /// Waits for a shift and joins it; `None` when there will be none.
    pub fn join(&self) -> Option<Helper<'_, P, W, F>> {
        let mut state = self.state();
        loop {
            if state.quit {
                return None;
            }
            if let Some(plan) = state.plan.clone() {
                state.members += 1;
                return Some(Helper { crew: self, plan, left: false });
            }
            state = self.opened.wait(state).expect("no panic while work changes hands");
        }
    }

    /// Lets helpers end. No shift is open.
    pub fn quit(&self) {
        self.state().quit = true;
        self.opened.notify_all();
    }

    fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    fn give(&self, work: W) {
        self.state().work.push(work);
        self.changed.notify_one();
    }

    /// Takes work, or waits for it, at most for `patience`.
    fn take(&self, patience: Option<Duration>) -> Taken<W> {
        let mut state = self.state();
        let mut tired = false;
        loop {
            if state.plan.is_none() {
                return Taken::Over;
            }
            if let Some(work) = state.work.pop() {
                return Taken::Work(work);
            }
            if tired {
                return Taken::Nothing;
            }
            if state.waiting + 1 == state.members {
                self.close(&mut state);
                return Taken::Over;
            }
            state.waiting += 1;
            self.hungry.store(state.waiting, Ordering::Relaxed);
            state = match patience {
                None => self.changed.wait(state).expect("no panic while work changes hands"),
                Some(patience) => {
                    let waited = self.changed.wait_timeout(state, patience);
                    tired = true;
                    waited.expect("no panic while work changes hands").0
                }
            };
            state.waiting -= 1;
            self.hungry.store(state.waiting, Ordering::Relaxed);
        }
    }

    /// Has everyone leave the shift.
    fn close(&self, state: &mut State<P, W, F>) {
        state.plan = None;
        self.closing.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }
}

/// The leader's hold on a shift; helpers are called back when it is dropped.
pub(crate) struct Shift<'a, P: Clone, W, F> {
    crew: &'a Crew<P, W, F>,
}

impl<P: Clone, W, F> Shift<'_, P, W, F> {
    /// Whether somebody waits for work.
    pub fn is_hungry(&self) -> bool {
        self.crew.is_hungry()
    }

    pub fn give(&self, work: W) {
        self.crew.give(work);
    }

    /// Takes work, or waits for it as long as `patience`.
    pub fn take(&self, patience: Duration) -> Taken<W> {
        self.crew.take(Some(patience))
    }

    /// Calls the helpers back and waits for them.
    ///
    /// # Panics
    /// When one of them has.
    pub fn call_back(self) -> Rest<W, F> {
        let (rest, failed) = self.end();
        mem::forget(self);
        assert!(!failed, "a marker that helped has failed");
        rest
    }

    fn end(&self) -> (Rest<W, F>, bool) {
        let mut state = self.crew.state();
        self.crew.close(&mut state);
        while state.members > 1 {
            state = self.crew.changed.wait(state).expect("no panic while work changes hands");
        }
        state.members = 0;
        let (work, findings) = (mem::take(&mut state.work), mem::take(&mut state.findings));
        (Rest { work, findings }, mem::take(&mut state.failed))
    }
}

impl<P: Clone, W, F> Drop for Shift<'_, P, W, F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A helper's place in a shift. One that is dropped without leaving has failed.
pub(crate) struct Helper<'a, P: Clone, W, F> {
    crew: &'a Crew<P, W, F>,
    pub plan: P,
    left: bool,
}

impl<P: Clone, W, F> Helper<'_, P, W, F> {
    /// Whether somebody waits for work.
    pub fn is_hungry(&self) -> bool {
        self.crew.is_hungry()
    }

    /// Whether the shift is over; one is told of that in [`Helper::take`] at the latest.
    pub fn is_called_back(&self) -> bool {
        self.crew.closing.load(Ordering::Relaxed)
    }

    pub fn give(&self, work: W) {
        self.crew.give(work);
    }

    /// Takes work, or waits for it; `None` when the shift is over.
    pub fn take(&self) -> Option<W> {
        match self.crew.take(None) {
            Taken::Work(work) => Some(work),
            Taken::Nothing | Taken::Over => None,
        }
    }

    /// Leaves the shift, with what has not been done in it.
    pub fn leave(mut self, rest: impl IntoIterator<Item = W>, finding: F) {
        let mut state = self.crew.state();
        state.work.extend(rest);
        state.findings.push(finding);
        state.members -= 1;
        self.left = true;
        self.crew.changed.notify_all();
    }
}

impl<P: Clone, W, F> Drop for Helper<'_, P, W, F> {
    fn drop(&mut self) {
        if !self.left {
            let mut state = self.crew.state();
            state.failed = true;
            state.members -= 1;
            self.crew.close(&mut state);
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::sync::Arc;
    use loom::cell::UnsafeCell;
    use loom::thread;

    /// A tree of work: doing `n` finds `2 n` and `2 n + 1`, if there are such. Who does something writes its cell, which
    /// the leader reads when it is alone again.
    struct Tree {
        crew: Crew<usize, usize, usize>,
        done: Vec<UnsafeCell<u32>>,
    }

    // SAFETY: what the tests are about.
    unsafe impl Send for Tree {}
    // SAFETY: as above.
    unsafe impl Sync for Tree {}

    impl Tree {
        fn new(nodes: usize) -> Arc<Tree> {
            let done = (0..nodes).map(|_| UnsafeCell::new(0)).collect();
            Arc::new(Tree { crew: Crew::new(), done })
        }

        fn root(&self) -> Vec<usize> {
            vec![1]
        }

        fn step(&self, own: &mut Vec<usize>) -> bool {
            let Some(node) = own.pop() else { return false };
            // SAFETY: loom checks the access.
            self.done[node].with_mut(|done| unsafe { *done += 1 });
            own.extend([2 * node, 2 * node + 1].iter().filter(|node| **node < self.done.len()));
            true
        }

        /// A helper for one shift; with `forget` it loses what it has not done.
        fn help(&self, forget: bool) {
            let Some(helper) = self.crew.join() else { return };
            let (mut own, mut steps) = (Vec::new(), 0);
            while let Some(work) = helper.take() {
                own.push(work);
                while !helper.is_called_back() && self.step(&mut own) {
                    steps += 1;
                    if helper.is_hungry() && own.len() > 1 {
                        helper.give(own.remove(0));
                    }
                }
            }
            helper.leave(if forget { Vec::new() } else { own }, steps);
        }

        /// The leader's shift, called back after so many of its own steps.
        fn lead(&self, mut steps: usize) {
            let mut own = self.root();
            let shift = self.crew.open(self.done.len());
            'shift: loop {
                while self.step(&mut own) {
                    steps -= 1;
                    if steps == 0 {
                        break 'shift;
                    }
                    if own.len() > 1 {
                        shift.give(own.remove(0));
                    }
                }
                match shift.take(Duration::ZERO) {
                    Taken::Work(work) => own.push(work),
                    Taken::Nothing => {}
                    Taken::Over => break,
                }
            }
            own.extend(shift.call_back().work);
            while self.step(&mut own) {}
            for node in 1..self.done.len() {
                // SAFETY: loom checks the access.
                self.done[node].with(|done| assert_eq!(unsafe { *done }, 1));
            }
            self.crew.quit();
        }
    }

    fn explore(nodes: usize, helpers: usize, steps: usize, forget: bool) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = (helpers > 1).then_some(3);
        model.check(move || {
            let tree = Tree::new(nodes);
            let helpers: Vec<_> = (0..helpers)
                .map(|_| {
                    let tree = Arc::clone(&tree);
                    thread::spawn(move || tree.help(forget))
                })
                .collect();
            tree.lead(steps);
            for helper in helpers {
                helper.join().unwrap();
            }
        });
    }

    #[test]
    fn all_is_done_once() {
        explore(6, 1, usize::MAX, false);
    }

    #[test]
    fn all_is_done_once_by_three() {
        explore(5, 2, usize::MAX, false);
    }

    #[test]
    fn who_is_called_back_loses_nothing() {
        for steps in 1..4 {
            explore(6, 1, steps, false);
        }
    }

    #[test]
    #[should_panic = "assertion"]
    fn losing_what_is_not_done_is_found() {
        for steps in 1..4 {
            explore(6, 1, steps, true);
        }
    }
}
