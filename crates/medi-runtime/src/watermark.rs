//! The stack watermark: what keeps a deep recursion from making a long handshake.
//!
//! At its flip a thread shows the collector its youngest frames, a bounded number, and leaves the older ones as they
//! are: nothing changes in them before the thread has returned to them. The collector looks at those while the
//! thread runs. So that the thread does not get there first, the youngest frame that it would return to unseen has
//! its return address taken out, and [`reached`] stands in its place: it shows the next frames to the collector,
//! puts a return address further down out of the way, and goes on where the call would have returned to.
//! (Return barriers: Yuasa; as generational markers: Cheng, Harper and Lee; on the fly, as stack watermarks: ZGC.)
//!
//! An error that stops a program jumps over frames, and so over the address that was taken out. [`forget_activation`]
//! comes before that.

use std::arch::naked_asm;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::code_map::CodeMap;
use crate::context::Context;
use crate::entry;
use crate::stack::{self, Frames, RawFrame};

/// Frames and slots that are shown at a time: a few microseconds (I10, I17).
const BUDGET: usize = 2048;
/// The same where bugs are looked for, so that returns reach the watermark in ordinary programs.
const SMALL_BUDGET: usize = 8;

/// How far the collector has seen one thread's frames.
#[derive(Default)]
pub(crate) struct Watermark(Mutex<State>);

#[derive(Default)]
struct State {
    /// Frames that the collector has not seen and is to see in this cycle, innermost first.
    unseen: Option<Frames>,
    taken: Option<Taken>,
}

/// A return address that was taken out of its frame.
struct Taken {
    slot: usize,
    return_address: usize,
}

/// # Safety
/// A return address lies there, in a frame that has not returned.
unsafe fn return_slot<'a>(slot: usize) -> &'a AtomicUsize {
    // SAFETY: the caller's promise; the word is aligned, as all of a frame.
    unsafe { &*(slot as *const AtomicUsize) }
}

fn stand_in() -> usize {
    reached as *const () as usize
}

impl Watermark {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that a frame returns to, whether it was taken out or not.
    ///
    /// # Safety
    /// A return address of the watermark's thread lies at `slot`, in a frame that does not return meanwhile.
    pub unsafe fn return_address(&self, slot: usize) -> usize {
        // SAFETY: the caller's promise.
        let word = unsafe { return_slot(slot) };
        let address = word.load(Ordering::Relaxed);
        if address != stand_in() {
            return address;
        }
        let state = self.state();
        match word.load(Ordering::Relaxed) {
            address if address != stand_in() => address,
            _ => state.taken.as_ref().map_or(0, |taken| taken.return_address),
        }
    }
}

impl State {
    /// Puts the address back that was taken out.
    ///
    /// # Safety
    /// The frame that it was taken from has not returned, and does not meanwhile.
    unsafe fn put_back(&mut self) {
        if let Some(taken) = self.taken.take() {
            // SAFETY: the caller's promise.
            unsafe { return_slot(taken.slot) }.store(taken.return_address, Ordering::Relaxed);
        }
    }

    /// Shows the next of the unseen frames. The last of them.
    ///
    /// # Safety
    /// They have not returned, and do not meanwhile; `code` describes them.
    unsafe fn show(
        &mut self,
        code: &CodeMap,
        budget: usize,
        visit: &mut dyn FnMut(*mut usize),
    ) -> Option<RawFrame> {
        let unseen = self.unseen.as_mut()?;
        let (mut spent, mut last) = (0, None);
        while spent < budget {
            let Some(frame) = unseen.next() else { break };
            spent += 1;
            stack::roots(frame, code).for_each(|slot| {
                spent += 1;
                visit(slot);
            });
            last = Some(frame);
        }
        if Frames::next(&mut { *unseen }).is_none() {
            self.unseen = None;
        }
        last
    }

    /// Takes out the return address of the last frame that was shown, if there are frames that were not.
    ///
    /// # Safety
    /// As for `show`.
    unsafe fn take_out(&mut self, last: Option<RawFrame>) {
        let (Some(_), Some(last)) = (&self.unseen, last) else { return };
        let slot = last.fp + 8;
        // SAFETY: the caller's promise.
        let word = unsafe { return_slot(slot) };
        self.taken = Some(Taken { slot, return_address: word.load(Ordering::Relaxed) });
        word.store(stand_in(), Ordering::Relaxed);
    }
}

fn budget(context: *const Context) -> usize {
    // SAFETY: the caller has a context whose thread is set.
    let verify = unsafe { (*(*context).thread).heap.options().verify };
    if verify { SMALL_BUDGET } else { BUDGET }
}

/// # Safety
/// The context has a thread, whose code map describes all compiled code on its stack.
unsafe fn code<'a>(context: *const Context) -> &'a CodeMap {
    // SAFETY: the caller's promise; the code map never changes.
    unsafe { &(*(*context).thread).code }
}

/// Visits the reference slots of a thread's youngest frames, and leaves the others to [`visit_older`] and to the
/// thread's returns.
///
/// # Safety
/// As [`Frames::new`], on behalf of a thread whose collector calls `visit_older` until nothing is left before it calls
/// this again, and marks what the thread shades until then.
pub(crate) unsafe fn visit_youngest(context: *const Context, visit: &mut dyn FnMut(*mut usize)) {
    // SAFETY: the caller's promise. What was taken out before is still in a frame that has not returned: who returns
    // from one comes to `pass`, which forgets it, and whoever jumps over one calls `forget_activation` first.
    unsafe {
        let mut state = (*context).watermark.state();
        state.put_back();
        state.unseen = Some(Frames::new(context));
        // A program that is stopped is about to jump over frames.
        let budget = if (*context).raised == 0 { budget(context) } else { usize::MAX };
        let last = state.show(code(context), budget, visit);
        state.take_out(last);
    }
}

/// Visits the reference slots of some of the frames that have not been seen; whether there are more. While the thread
/// runs, on any other.
///
/// # Safety
/// The context stays, and its thread, if [`visit_youngest`] was ever called for it.
pub(crate) unsafe fn visit_older(
    context: *const Context,
    visit: &mut dyn FnMut(*mut usize),
) -> bool {
    // SAFETY: the context stays. Unseen frames have not returned: the thread does not get there without the lock.
    unsafe {
        let mut state = (*context).watermark.state();
        if state.unseen.is_some() {
            state.show(code(context), BUDGET, visit);
        }
        state.unseen.is_some()
    }
}

/// Shows so many frames that those of the innermost activation are all seen, because they are about to be
/// jumped over.
///
/// # Safety
/// As [`Frames::new`]; on the context's own thread, which is not in native state.
pub(crate) unsafe fn forget_activation(context: *mut Context) {
    // SAFETY: the caller's promise. The frame whose return address was taken out has not returned.
    unsafe {
        let mut state = (*context).watermark.state();
        let below = (*context).entry_fp;
        if state.taken.as_ref().is_none_or(|taken| taken.slot >= below) {
            return;
        }
        state.put_back();
        let mut last = None;
        while state.unseen.is_some() && last.is_none_or(|frame: RawFrame| frame.fp < below) {
            last = state.show(code(context), BUDGET, &mut |slot| shade(context, slot));
        }
        state.take_out(last.filter(|frame| frame.fp >= below));
    }
}

/// # Safety
/// The slot holds a reference or 0; on the context's own thread, which is not in native state.
unsafe fn shade(context: *const Context, slot: *mut usize) {
    // SAFETY: the caller's promise.
    unsafe { (*(*context).thread).mutator.shade(*slot) };
}

/// The thread returns to frames that it has not shown. Where the call that returns would have returned to.
///
/// # Safety
/// Called by [`reached`] only.
unsafe extern "C" fn pass() -> usize {
    let context = entry::current();
    // SAFETY: this thread is in the compiled code of its current context, and has an address taken out of its frame,
    // as it got here. It has returned from that frame, and from none of those that have not been seen.
    unsafe {
        let mut state = (*context).watermark.state();
        let taken = state.taken.take().expect("a return address was taken out");
        let last = state.show(code(context), budget(context), &mut |slot| shade(context, slot));
        state.take_out(last);
        taken.return_address
    }
}

/// Stands where a return address was taken out. Keeps all registers that results are in.
#[unsafe(naked)]
unsafe extern "C" fn reached() {
    naked_asm!(
        // Where the address goes.
        "push rax",
        "push rbp",
        "mov rbp, rsp",
        "push rax",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "sub rsp, 136",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "call {pass}",
        "mov [rbp + 8], rax",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "add rsp, 136",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "pop rbp",
        "ret",
        pass = sym pass,
    )
}
