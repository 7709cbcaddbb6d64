//! The only place that asks the operating system for memory.
//!
//! Address space is reserved once; parts of it are committed (readable and writable, zero on first touch), returned
//! (contents dropped, zero on the next touch) and, for the moving mode, sealed. Where the system lets us, all that is reserved
//! is usable from the start, and takes memory as it is touched: a call that makes a part of it usable holds up every thread
//! that needs a page meanwhile. A system that counts what could be used (strict overcommit, a limit on data) gets
//! such calls, for the parts that are. Every request that can fail passes a fail point, so that tests see what happens when it does.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// What goes back to the system at a time: meanwhile the process's address space cannot change, and whoever waits to
/// change it makes every thread wait that needs a page.
const SLICE: usize = 1 << 20;

/// A reserved range of addresses, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: usize,
    bytes: usize,
}

impl Reservation {
    pub fn base(&self) -> usize {
        self.base
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what `reserve` mapped, and the heap that used it is gone.
        unsafe { libc::munmap(self.base as *mut libc::c_void, self.bytes) };
    }
}

/// The system, with its fail point.
#[derive(Debug)]
pub(crate) struct Os {
    requests_left: AtomicI64,
    /// The system has not let a reservation be usable from the start.
    counted: AtomicBool,
}

impl Os {
    /// A system that refuses its `fail_after`-th request and all later ones.
    pub fn new(fail_after: Option<u64>) -> Os {
        let requests = fail_after.map_or(i64::MAX, |n| n.min(i64::MAX as u64) as i64);
        Os { requests_left: AtomicI64::new(requests), counted: AtomicBool::new(false) }
    }

    fn admit(&self) -> io::Result<()> {
        if self.requests_left.load(Ordering::Relaxed) == i64::MAX {
            return Ok(());
        }
        if self.requests_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.requests_left.store(0, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        Ok(())
    }

    /// Reserves `bytes` of addresses aligned to `align`.
    pub fn reserve(&self, bytes: usize, align: usize) -> io::Result<Reservation> {
        self.admit()?;
        let whole = bytes.checked_add(align).ok_or(io::ErrorKind::InvalidInput)?;
        let start = match map(whole, libc::PROT_READ | libc::PROT_WRITE) {
            Ok(start) => start,
            Err(_) => {
                self.counted.store(true, Ordering::Relaxed);
                map(whole, libc::PROT_NONE)?
            }
        };
        let base = start.next_multiple_of(align);
        for (from, to) in [(start, base), (base + bytes, start + whole)] {
            if to > from {
                // SAFETY: a part of the mapping made above that nothing uses.
                unsafe { libc::munmap(from as *mut libc::c_void, to - from) };
            }
        }
        Ok(Reservation { base, bytes })
    }

    /// A mapping that is readable, writable, and zero, and that takes memory only where it is touched.
    pub fn table(&self, bytes: usize) -> io::Result<Reservation> {
        let reservation = self.reserve(bytes.next_multiple_of(4096), 4096)?;
        self.commit(reservation.base, reservation.bytes)?;
        Ok(reservation)
    }

    /// Makes `[start, start + bytes)` of a reservation usable.
    pub fn commit(&self, start: usize, bytes: usize) -> io::Result<()> {
        self.admit()?;
        if !self.counted.load(Ordering::Relaxed) {
            return Ok(());
        }
        protect(start, bytes, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Makes a committed range inaccessible and drops its contents.
    pub fn seal(&self, start: usize, bytes: usize) {
        give_back(start, bytes);
        protect(start, bytes, libc::PROT_NONE).expect("sealing our own mapping");
    }

    /// Makes a sealed range usable again; it reads as zero.
    pub fn unseal(&self, start: usize, bytes: usize) -> io::Result<()> {
        protect(start, bytes, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Asks for huge pages. A refusal is not an error: they are only a matter of speed.
    pub fn prefer_huge_pages(&self, start: usize, bytes: usize) {
        // SAFETY: advice on a range of ours; it changes no contents.
        unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE) };
    }
}

/// Has the system find memory for a committed range now rather than at the first write. A refusal is not an error.
pub(crate) fn populate(start: usize, bytes: usize) {
    // SAFETY: advice on a range of ours; it changes no contents.
    unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_POPULATE_WRITE) };
}

/// Drops the contents of a committed range: its memory goes back to the system, and it reads as zero
/// from now on.
pub(crate) fn give_back(start: usize, bytes: usize) {
    let end = start + bytes;
    for from in (start..end).step_by(SLICE) {
        let bytes = SLICE.min(end - from);
        // SAFETY: the caller owns the range and wants its contents gone.
        let result =
            unsafe { libc::madvise(from as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
        let error = io::Error::last_os_error;
        assert_eq!(result, 0, "madvise(DONTNEED) on our own mapping: {}", error());
    }
}

fn map(bytes: usize, protection: libc::c_int) -> io::Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing of ours.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(start as usize)
}

fn protect(start: usize, bytes: usize, protection: libc::c_int) -> io::Result<()> {
    // SAFETY: the range lies in a reservation of ours; the caller has no use of it that the new
    // protection forbids.
    match unsafe { libc::mprotect(start as *mut libc::c_void, bytes, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The machine's memory in bytes.
pub(crate) fn physical_memory() -> u64 {
    // SAFETY: sysconf only reads.
    let (pages, page) =
        unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    if pages > 0 && page > 0 { pages as u64 * page as u64 } else { 8 << 30 }
}

/// Has the system wake the calling thread without taking the processor from whoever runs on it at that moment: it is
/// the collector's, which a thread wakes when it passes a handshake.
pub(crate) fn do_not_preempt_others() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local. A refusal leaves the scheduling as it was.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
}

/// Has the calling thread sleep for hardly longer than `time`. The system may add fifty microseconds to a sleep otherwise,
/// so as to wake several threads at once.
pub(crate) fn nap(time: Duration) {
    // SAFETY: the calls read and set a number of the calling thread.
    let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
    let set = |slack: libc::c_int| {
        // SAFETY: as above.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack as libc::c_ulong) };
    };
    set(1);
    thread::sleep(time);
    if slack > 0 {
        set(slack);
    }
}

/// CPU time of the calling thread in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux and the pointer is to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_reads_as_zero() {
        let os = Os::new(None);
        let table = os.table(8192).unwrap();
        let byte = table.base() as *mut u8;
        // SAFETY: the table is 8192 usable bytes.
        unsafe {
            byte.write(7);
            give_back(table.base(), 4096);
            assert_eq!(byte.read(), 0);
        }
    }

    #[test]
    fn a_system_told_to_fail_fails_from_then_on() {
        let os = Os::new(Some(1));
        let range = os.reserve(1 << 20, 1 << 20).unwrap();
        assert_eq!(range.base() % (1 << 20), 0);
        assert!(os.commit(range.base(), 4096).is_err());
        assert!(os.reserve(4096, 4096).is_err());
    }
}
