//! Guarded buffers: each has its own pages, with pages around them that nobody may touch.
//!
//! A guarded buffer ends at the upper guard, so that whatever runs over its end faults at once; the bytes on its pages
//! that are not its own hold a pattern, which is looked at when it ends. Then its pages are guards as well, for as long
//! as the quarantine has room. [`Guards::find`] says from a signal handler which buffer an address belongs to.
//!
//! In a checked run all buffers are guarded, in any other one in every few megabytes that are allocated. The first is
//! the idea of Electric Fence, the second that of GWP-ASan (Serebryany et al., ICSE-SEIP 2024).

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::descriptor::{End, Ending};
use crate::{ALIGNMENT, LARGE};

const PAGE: usize = 4096;
/// What the bytes around a buffer hold on its pages.
const PATTERN: u8 = 0xFD;
/// Pages that a buffer in quarantine may keep, so that they need not be faulted in anew.
const KEPT: usize = 4 * PAGE;
/// Mean distance of the guarded buffers of a run that is not checked, in bytes of scope memory.
pub const SAMPLE_INTERVAL: u64 = 8 << 20;

/// Which buffers are guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarding {
    #[default]
    None,
    /// One in every [`SAMPLE_INTERVAL`] bytes, or fewer where a thread allocates so fast that it would cost 1 % of its time;
    /// none of them large.
    Sampled,
    /// All of them, as long as the kernel gives enough mappings.
    Every,
}

impl Guarding {
    /// Buffers that live or are in quarantine at the same time. A guarded buffer takes up to three of the 65,530 mappings
    /// that a process has.
    fn capacity(self) -> usize {
        match self {
            Guarding::None => 0,
            Guarding::Sampled => 64,
            Guarding::Every => 8192,
        }
    }

    /// Buffers that stay in quarantine.
    fn quarantine(self) -> usize {
        self.capacity() / 2
    }
}

/// Which of a thread's buffers are guarded: exponentially distributed distances, so that no pattern of allocation hides a
/// buffer from it, but not so often that it would take 1 % of the thread's time.
#[derive(Debug)]
pub(crate) struct Picker {
    guarding: Guarding,
    countdown: Cell<u64>,
    random: Cell<u64>,
    /// When the next sample may be.
    rested: Cell<Instant>,
}

/// How long a thread rests after a sample, and how much longer for each of its pages. Either costs up to 6 µs.
const REST: Duration = Duration::from_millis(1);
const REST_OF_PAGE: Duration = Duration::from_millis(1);

/// The least time between a thread's sample of so many bytes and its next one.
pub fn rest(bytes: u64) -> Duration {
    let pages = u32::try_from(bytes.div_ceil(PAGE as u64)).unwrap_or(u32::MAX);
    REST.saturating_add(REST_OF_PAGE.saturating_mul(pages))
}

impl Picker {
    pub(crate) fn new(guards: &Guards) -> Picker {
        let seed = guards.pickers.fetch_add(1, Ordering::Relaxed) + 1;
        let random = Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (guarding, countdown) = (guards.guarding, Cell::new(u64::MAX));
        let picker = Picker { guarding, countdown, random, rested: Cell::new(Instant::now()) };
        picker.draw();
        picker
    }

    /// Whether the next buffer is guarded if it has that many bytes.
    #[inline]
    pub(crate) fn would_pick(&self, bytes: u64) -> bool {
        bytes >= self.countdown.get() && self.may_pick(bytes)
    }

    #[cold]
    fn may_pick(&self, bytes: u64) -> bool {
        let sampled = self.guarding == Guarding::Sampled;
        if sampled && (bytes >= LARGE as u64 || Instant::now() < self.rested.get()) {
            self.draw();
            return false;
        }
        true
    }

    #[inline]
    pub(crate) fn picks(&self, bytes: u64) -> bool {
        if !self.would_pick(bytes) {
            // No program allocates so much that this comes to nothing where nothing is guarded.
            self.countdown.set(self.countdown.get().saturating_sub(bytes));
            return false;
        }
        if self.guarding == Guarding::Sampled {
            self.rested.set(Instant::now() + rest(bytes));
        }
        self.draw();
        true
    }

    fn draw(&self) {
        self.countdown.set(match self.guarding {
            Guarding::None => u64::MAX,
            Guarding::Every => 0,
            Guarding::Sampled => {
                let mut x = self.random.get();
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                self.random.set(x);
                let uniform = ((x >> 11) + 1) as f64 / (1u64 << 53) as f64;
                (-uniform.ln() * SAMPLE_INTERVAL as f64) as u64
            }
        });
    }
}

/// A guarded buffer's place, until it is ended.
#[derive(Debug)]
pub(crate) struct Guarded {
    record: u32,
    pub(crate) base: NonNull<u8>,
}

// SAFETY: the memory is owned like a box of bytes.
unsafe impl Send for Guarded {}

const UNUSED: u8 = 0;
const LIVE: u8 = 1;
const FREED: u8 = 2;
const SCOPE_EXITED: u8 = 3;

/// Of one guarded buffer. Written under the lock; a signal handler reads it, which may find a mixture if the buffer's
/// place goes to another one at that moment.
#[derive(Default)]
struct Record {
    state: AtomicU8,
    /// Of the lower guard; 0 while there is no mapping.
    start: AtomicUsize,
    /// Bytes between the guards.
    room: AtomicUsize,
    base: AtomicUsize,
    len: AtomicUsize,
    allocated_at: AtomicU64,
    ended_at: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Records from here on were never used.
    fresh: usize,
    /// Ended buffers, the oldest first.
    quarantine: VecDeque<u32>,
}

/// What an address belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Of the address from the buffer's first byte.
    pub offset: i64,
    /// Of the buffer, in bytes.
    pub len: u64,
    pub allocated_at: u64,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// Bytes beside a buffer were written to while it lived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The first such byte, from the buffer's first one.
    pub offset: i64,
    pub len: u64,
    pub allocated_at: u64,
}

/// The guarded buffers of a program.
pub struct Guards {
    guarding: Guarding,
    records: Box<[Record]>,
    /// Records that have been used.
    used: AtomicU32,
    pickers: AtomicU64,
    state: Mutex<State>,
    /// Whether there is damage to be told of.
    damaged: AtomicBool,
    damage: Mutex<Option<Damage>>,
}

impl Default for Guards {
    fn default() -> Guards {
        Guards::new(Guarding::None)
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guards({:?})", self.guarding)
    }
}

impl Guards {
    pub fn new(guarding: Guarding) -> Guards {
        let records = (0..guarding.capacity()).map(|_| Record::default()).collect();
        Guards {
            guarding,
            records,
            used: AtomicU32::new(0),
            pickers: AtomicU64::new(0),
            state: Mutex::default(),
            damaged: AtomicBool::new(false),
            damage: Mutex::default(),
        }
    }

    pub fn guarding(&self) -> Guarding {
        self.guarding
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A zeroed buffer of its own, or `None`, where an ordinary one has to do: when there are too many, or the system
    /// refuses.
    pub(crate) fn take(&self, bytes: usize, site: u64) -> Option<Guarded> {
        let whole = bytes.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let room = whole.checked_next_multiple_of(PAGE)?;
        let mut state = self.state();
        let full = state.quarantine.len() >= self.guarding.quarantine().max(1);
        let number = if full || state.fresh == self.records.len() {
            state.quarantine.pop_front()?
        } else {
            state.fresh += 1;
            state.fresh as u32 - 1
        };
        let record = &self.records[number as usize];
        record.state.store(UNUSED, Ordering::Relaxed);
        let Some(start) = Self::open(record, room) else {
            // The record keeps no mapping; the next one to come may have more luck.
            state.quarantine.push_back(number);
            return None;
        };
        let pages = std::ptr::with_exposed_provenance_mut::<u8>(start + PAGE);
        let before = room - whole;
        // SAFETY: `room` bytes are accessible there, and nobody has them.
        let base = unsafe {
            pages.write_bytes(PATTERN, before);
            pages.add(before + bytes).write_bytes(PATTERN, whole - bytes);
            pages.add(before)
        };
        record.base.store(base.addr(), Ordering::Relaxed);
        record.len.store(bytes, Ordering::Relaxed);
        record.allocated_at.store(site, Ordering::Relaxed);
        record.state.store(LIVE, Ordering::Release);
        self.used.store(state.fresh as u32, Ordering::Release);
        Some(Guarded { record: number, base: NonNull::new(base)? })
    }

    /// `room` accessible bytes that are zero, behind a page that is not; the address of that page.
    fn open(record: &Record, room: usize) -> Option<usize> {
        let (mut start, old) =
            (record.start.load(Ordering::Relaxed), record.room.load(Ordering::Relaxed));
        let reused = start != 0 && old == room;
        if !reused {
            Self::unmap(record);
            start = reserve(room.checked_add(2 * PAGE)?)?;
        }
        let pages = std::ptr::with_exposed_provenance_mut::<u8>(start + PAGE);
        // SAFETY: the range is between the guards of a mapping that is the record's alone.
        let opened = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let opened = libc::mprotect(pages.cast(), room, access) == 0;
            if opened && reused && room <= KEPT {
                pages.write_bytes(0, room);
            }
            opened
        };
        record.start.store(start, Ordering::Relaxed);
        record.room.store(room, Ordering::Relaxed);
        if !opened {
            Self::unmap(record);
        }
        opened.then_some(start)
    }

    fn unmap(record: &Record) {
        let start = record.start.swap(0, Ordering::Relaxed);
        if start != 0 {
            let len = record.room.load(Ordering::Relaxed) + 2 * PAGE;
            // SAFETY: the mapping is the record's alone, and no buffer lives in it.
            unsafe { libc::munmap(std::ptr::with_exposed_provenance_mut(start), len) };
        }
    }

    /// Ends the life of a buffer: from here on its pages fault.
    pub(crate) fn end(&self, buffer: &Guarded, ending: Ending, site: u64) {
        let mut state = self.state();
        let record = &self.records[buffer.record as usize];
        if let Some(damage) = Self::damage_of(record) {
            self.damage().get_or_insert(damage);
            self.damaged.store(true, Ordering::Relaxed);
        }
        let room = record.room.load(Ordering::Relaxed);
        let pages = record.start.load(Ordering::Relaxed) + PAGE;
        let pages = std::ptr::with_exposed_provenance_mut::<libc::c_void>(pages);
        // SAFETY: the range is between the guards of the buffer's own mapping, and the buffer is gone.
        unsafe {
            libc::mprotect(pages, room, libc::PROT_NONE);
            if room > KEPT {
                libc::madvise(pages, room, libc::MADV_DONTNEED);
            }
        }
        record.ended_at.store(site, Ordering::Relaxed);
        let ended = if ending == Ending::Freed { FREED } else { SCOPE_EXITED };
        record.state.store(ended, Ordering::Release);
        state.quarantine.push_back(buffer.record);
    }

    fn damage_of(record: &Record) -> Option<Damage> {
        let load = |word: &AtomicUsize| word.load(Ordering::Relaxed);
        let (base, len) = (load(&record.base), load(&record.len));
        let pages = load(&record.start) + PAGE;
        // SAFETY: the buffer's pages are accessible until its end, which the caller is about to make. What writes beside
        // the buffer is a mistake already.
        let bytes = unsafe {
            let start = std::ptr::with_exposed_provenance::<u8>(pages);
            std::slice::from_raw_parts(start, load(&record.room))
        };
        let before = &bytes[..base - pages];
        let after = &bytes[base - pages + len..];
        let wrong = |byte: &u8| *byte != PATTERN;
        let offset = match (before.iter().rposition(wrong), after.iter().position(wrong)) {
            (Some(at), _) => at as i64 - before.len() as i64,
            (None, Some(at)) => (len + at) as i64,
            (None, None) => return None,
        };
        let allocated_at = record.allocated_at.load(Ordering::Relaxed);
        Some(Damage { offset, len: len as u64, allocated_at })
    }

    /// The first damage that the end of a buffer has shown since this was asked.
    pub fn take_damage(&self) -> Option<Damage> {
        // Relaxed: whoever ends a buffer asks on the same thread.
        let asked = self.damaged.load(Ordering::Relaxed);
        asked.then(|| {
            self.damaged.store(false, Ordering::Relaxed);
            self.damage().take()
        })?
    }

    fn damage(&self) -> MutexGuard<'_, Option<Damage>> {
        self.damage.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The guarded buffer, live or in quarantine, on whose pages or guards an address is. Takes no lock and no memory.
    pub fn find(&self, address: usize) -> Option<Found> {
        let used = self.used.load(Ordering::Acquire) as usize;
        self.records[..used].iter().find_map(|record| {
            let load = |word: &AtomicUsize| word.load(Ordering::Relaxed);
            let state = record.state.load(Ordering::Acquire);
            let (start, len) = (load(&record.start), load(&record.len) as u64);
            let inside = start != 0 && address.wrapping_sub(start) < load(&record.room) + 2 * PAGE;
            if !inside || state == UNUSED {
                return None;
            }
            let allocated_at = record.allocated_at.load(Ordering::Relaxed);
            let end = (state != LIVE).then(|| End {
                ending: if state == FREED { Ending::Freed } else { Ending::ScopeExited },
                allocated_at,
                ended_at: record.ended_at.load(Ordering::Relaxed),
                len,
            });
            let offset = address.wrapping_sub(load(&record.base)) as i64;
            Some(Found { offset, len, allocated_at, end })
        })
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        self.records.iter().for_each(Self::unmap);
    }
}

/// Address space that nobody may touch.
fn reserve(len: usize) -> Option<usize> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no existing memory.
    let start = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0)
    };
    (start != libc::MAP_FAILED).then(|| start.expose_provenance())
}

/// Makes a range inaccessible and gives its memory back, or makes it accessible again, with zeros in it.
///
/// # Safety
/// The range is whole pages of a private anonymous mapping, and what it holds is nobody's.
pub(crate) unsafe fn bar(start: usize, len: usize, barred: bool) -> io::Result<()> {
    let pages = std::ptr::with_exposed_provenance_mut::<libc::c_void>(start);
    let access = if barred { libc::PROT_NONE } else { libc::PROT_READ | libc::PROT_WRITE };
    // SAFETY: the caller's promise.
    let status = unsafe {
        if barred {
            libc::madvise(pages, len, libc::MADV_DONTNEED);
        }
        libc::mprotect(pages, len, access)
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_buffers_are_as_far_apart_as_they_should_be() {
        let picker = Picker::new(&Guards::new(Guarding::Sampled));
        let count = 100_000;
        let distances = (0..count).map(|_| {
            picker.draw();
            picker.countdown.get() as f64
        });
        let mean = distances.sum::<f64>() / count as f64 / SAMPLE_INTERVAL as f64;
        assert!((mean - 1.0).abs() < 4.0 / (count as f64).sqrt(), "{mean}");
    }

    #[test]
    fn samples_rest_however_fast_a_thread_allocates() {
        let picker = Picker::new(&Guards::new(Guarding::Sampled));
        let start = Instant::now();
        let picked = (0..2_000_000).filter(|_| picker.picks(512 << 10)).count() as u32;
        let most = start.elapsed().as_micros() as u32 / rest(512 << 10).as_micros() as u32;
        assert!((1..=most + 1).contains(&picked), "{picked} of at most {}", most + 1);
    }

    #[test]
    fn nothing_is_picked_where_nothing_is_guarded_and_all_where_everything_is() {
        let pick = |guarding| {
            let picker = Picker::new(&Guards::new(guarding));
            (0..1000).filter(|bytes| picker.picks(*bytes)).count()
        };
        assert_eq!((pick(Guarding::None), pick(Guarding::Every)), (0, 1000));
    }
}
