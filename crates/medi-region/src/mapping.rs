//! Memory from the operating system: anonymous, zero, lazily touched.

use std::io;
use std::ptr::NonNull;

/// Transparent huge pages are this big; large mappings are aligned to it so that the kernel can use them.
const HUGE_PAGE: usize = 2 << 20;

/// A private anonymous mapping, unmapped on drop.
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// `len` bytes (rounded up to pages) that read as zero, 2 MiB aligned.
    ///
    /// # Errors
    /// What `mmap` answers, or `ENOMEM` when `len` cannot be an address range.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let too_big = || io::Error::from_raw_os_error(libc::ENOMEM);
        let len = len.checked_next_multiple_of(4096).ok_or_else(too_big)?;
        let reserved = len.checked_add(HUGE_PAGE).ok_or_else(too_big)?;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                reserved,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = start.addr().next_multiple_of(HUGE_PAGE);
        let (head, tail) = (base - start.addr(), start.addr() + reserved - (base + len));
        // SAFETY: head and tail lie inside the mapping just made, outside `base..base + len`, page-aligned.
        unsafe {
            if head > 0 {
                libc::munmap(start, head);
            }
            if tail > 0 {
                libc::munmap(start.with_addr(base + len), tail);
            }
        }
        let base = NonNull::new(start.with_addr(base).cast()).expect("a mapping is never at 0");
        Ok(Self { base, len })
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Asks the kernel for huge pages from `start` on: a page fault of 2 MiB takes a tenth of the time that those of its
    /// small pages take. Whether there are any is the kernel's to say.
    pub(crate) fn prefer_huge_pages(&self, start: usize) {
        let start = start.next_multiple_of(HUGE_PAGE);
        if start < self.len {
            // SAFETY: the range lies in the mapping, and the advice changes no content.
            unsafe {
                let from = self.base.as_ptr().add(start);
                libc::madvise(from.cast(), self.len - start, libc::MADV_HUGEPAGE);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` and is owned by this value alone.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

// SAFETY: the mapping is owned like a box of bytes.
unsafe impl Send for Mapping {}
