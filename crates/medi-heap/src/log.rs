//! What threads tell the collector: objects that were written, and references that must not be missed.
//!
//! A thread's [`Log`] has two parts. *Written* are the objects, or parts of them, whose references it changed
//! first in an epoch; they are the remembered set of the next young cycle. *Shades* are references that this
//! cycle has to mark: what written objects referred to before, what a stack held, what a transition store
//! stored. Both are kept in chunks that go to the heap's [`Inbox`] when full, so that no log is ever copied
//! to grow, and when a handshake asks for them.

use std::cell::RefCell;
use std::mem;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Words in a chunk: one slow path in a thousand hands one over.
const CHUNK: usize = if cfg!(loom) { 2 } else { 1024 };
/// Words in a chunk for what no thread in particular hands over.
const SMALL_CHUNK: usize = if cfg!(loom) { 2 } else { 64 };
/// So many chunks are a crowd.
const CROWD: usize = 16;

/// An entry's kind, in the bits that the alignment of objects leaves free.
const SEGMENT: usize = 1;
const KIND: usize = 15;

/// Something whose references changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Written {
    /// Any of the references of the object at this address.
    Object(usize),
    /// Those of `array` in the segment that starts at the address `segment`.
    Segment { array: usize, segment: usize },
}

pub(crate) type Chunk = Vec<usize>;

/// The entries of a chunk of written objects.
pub(crate) fn entries(chunk: &[usize]) -> impl Iterator<Item = Written> + '_ {
    let mut words = chunk.iter();
    std::iter::from_fn(move || {
        let word = *words.next()?;
        let address = word & !KIND;
        Some(match word & KIND {
            SEGMENT => {
                let segment = *words.next().expect("a segment's address follows its array's");
                Written::Segment { array: address, segment }
            }
            _ => Written::Object(address),
        })
    })
}

/// What one thread has to tell. Its thread uses it while running, the collector while it acts for it (I9).
#[derive(Default)]
pub(crate) struct Log {
    written: RefCell<Chunk>,
    shades: RefCell<Chunk>,
}

impl Log {
    /// Notes a write of the epoch that starts with `flip`.
    pub fn note(&self, inbox: &Inbox, flip: u64, written: Written) {
        let mut chunk = self.written.borrow_mut();
        if chunk.len() + 2 > CHUNK {
            inbox.mail().written[flip as usize % 2].push(mem::take(&mut chunk));
        }
        if chunk.capacity() == 0 {
            *chunk = inbox.empty_chunk();
        }
        match written {
            Written::Object(address) => chunk.push(address),
            Written::Segment { array, segment } => chunk.extend([array | SEGMENT, segment]),
        }
    }

    /// Has the collector mark what is at `address`; zero is nothing.
    #[inline]
    pub fn shade(&self, inbox: &Inbox, address: usize) {
        if address == 0 {
            return;
        }
        let mut chunk = self.shades.borrow_mut();
        if chunk.len() == CHUNK {
            inbox.mail().shades.push(mem::take(&mut chunk));
        }
        if chunk.capacity() == 0 {
            *chunk = inbox.empty_chunk();
        }
        chunk.push(address);
    }

    /// Hands over what was written in the epoch that starts with `flip`.
    pub fn hand_over_written(&self, inbox: &Inbox, flip: u64) {
        let chunk = self.written.take();
        if !chunk.is_empty() {
            inbox.mail().written[flip as usize % 2].push(chunk);
        }
    }

    /// Hands over what has to be marked.
    pub fn hand_over_shades(&self, inbox: &Inbox) {
        let chunk = self.shades.take();
        if !chunk.is_empty() {
            inbox.mail().shades.push(chunk);
        }
    }

    /// Forgets what had to be marked, once everything is.
    pub fn drop_shades(&self) {
        self.shades.borrow_mut().clear();
    }
}

/// What was handed over and the collector has not taken yet.
#[derive(Default)]
pub(crate) struct Mail {
    /// By the parity of the epoch's flip: while some threads are in the old epoch, others write in the next.
    written: [Vec<Chunk>; 2],
    shades: Vec<Chunk>,
    /// Empty chunks, to be filled again: those that the collector has read.
    spare: Vec<Chunk>,
    /// How many chunks it has read since it looked last how many to keep.
    read: usize,
}

/// Where threads put it. The lock is held for moments, and nothing is locked under it.
#[derive(Default)]
pub(crate) struct Inbox {
    mail: Mutex<Mail>,
    /// There is more to mark than should wait until the collector has marked what it knows of.
    crowded: AtomicBool,
}

impl Inbox {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().expect("no panic while mail changes hands")
    }

    /// Whether the collector should look at what has to be marked before it goes on: whoever follows weak references
    /// tells of an object each time, until it is marked.
    pub fn is_crowded(&self) -> bool {
        // Relaxed: a hint.
        self.crowded.load(Ordering::Relaxed)
    }

    /// Has the collector mark what is at `address`, on behalf of no thread in particular.
    pub fn shade(&self, address: usize) {
        let mut mail = self.mail();
        match mail.shades.last_mut() {
            Some(chunk) if chunk.len() < chunk.capacity() => chunk.push(address),
            _ => {
                let mut chunk = Vec::with_capacity(SMALL_CHUNK);
                chunk.push(address);
                mail.shades.push(chunk);
                if mail.shades.len() >= CROWD {
                    self.crowded.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn empty_chunk(&self) -> Chunk {
        let spare = self.mail().spare.pop();
        spare.unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }

    /// Keeps chunks for threads to fill again. A thread that asks the system for memory instead may have to wait, as that
    /// changes the address space; and giving much of it back holds up all that run.
    pub fn recycle(&self, chunks: Vec<Chunk>) {
        let mut mail = self.mail();
        for mut chunk in chunks {
            if chunk.capacity() == CHUNK {
                chunk.clear();
                mail.spare.push(chunk);
                mail.read += 1;
            }
        }
    }

    /// Frees the chunks beyond as many as were read since the last call.
    pub fn free_spare(&self) {
        let _free = {
            let mut mail = self.mail();
            let kept = mem::take(&mut mail.read).min(mail.spare.len());
            mail.spare.split_off(kept)
        };
    }

    /// Takes what was written in the epoch that started with `flip`.
    pub fn take_written(&self, flip: u64) -> Vec<Chunk> {
        mem::take(&mut self.mail().written[flip as usize % 2])
    }

    /// Takes what has to be marked.
    pub fn take_shades(&self) -> Vec<Chunk> {
        let mut mail = self.mail();
        self.crowded.store(false, Ordering::Relaxed);
        mem::take(&mut mail.shades)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_by_epoch_also_across_chunks() {
        let (log, inbox) = (Log::default(), Inbox::default());
        let mut expected = Vec::new();
        for i in 1..3 * CHUNK {
            let written = match i % 2 {
                0 => Written::Object(16 * i),
                _ => Written::Segment { array: 4096 * i, segment: 4096 * i + 512 },
            };
            log.note(&inbox, 7, written);
            expected.push(written);
        }
        log.hand_over_written(&inbox, 7);
        log.note(&inbox, 8, Written::Object(32));
        log.hand_over_written(&inbox, 8);
        let of = |flip| {
            let chunks = inbox.take_written(flip);
            chunks.iter().flat_map(|chunk| entries(chunk).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(of(7), expected);
        assert_eq!(of(8), [Written::Object(32)]);

        for address in 1..=2 * CHUNK + 1 {
            log.shade(&inbox, 16 * address);
            log.shade(&inbox, 0);
        }
        inbox.shade(8);
        log.hand_over_shades(&inbox);
        let shades: usize = inbox.take_shades().iter().map(Vec::len).sum();
        assert_eq!(shades, 2 * CHUNK + 2);
    }

    #[test]
    fn chunks_that_were_read_are_filled_again_as_many_as_are_in_use() {
        let (log, inbox) = (Log::default(), Inbox::default());
        let fill = |chunks: usize| {
            (0..chunks * CHUNK).for_each(|_| log.shade(&inbox, 16));
            log.hand_over_shades(&inbox);
            let shades = inbox.take_shades();
            assert_eq!(shades.iter().map(Vec::len).sum::<usize>(), chunks * CHUNK);
            let places: HashSet<_> = shades.iter().map(|chunk| chunk.as_ptr()).collect();
            inbox.recycle(shades);
            inbox.free_spare();
            places
        };
        let first = fill(6);
        assert!(fill(4).is_subset(&first));
        assert_eq!(inbox.mail().spare.len(), 4, "two that nobody needed are freed");
        inbox.shade(16);
        inbox.recycle(inbox.take_shades());
        assert_eq!(inbox.mail().spare.len(), 4, "small chunks are nobody's");
        inbox.free_spare();
        assert_eq!(inbox.mail().spare.len(), 0);
    }

    #[test]
    fn an_inbox_with_much_to_mark_is_crowded_until_that_is_taken() {
        let inbox = Inbox::default();
        let mut told = 0;
        while !inbox.is_crowded() {
            inbox.shade(16);
            told += 1;
        }
        assert!(told > 500, "some entries are no reason to interrupt the marking");
        assert_eq!(inbox.take_shades().iter().map(Vec::len).sum::<usize>(), told);
        assert!(!inbox.is_crowded());
    }
}
