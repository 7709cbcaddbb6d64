//! Memory for machine code.
//!
//! One anonymous file is mapped twice: a window to write through and a window to run from, so that no page
//! is ever writable and executable at one address, and publishing a function changes no protection and
//! stops nobody. Space is handed out in order and reused by size when it is freed.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// Functions start at multiples of this: a cache line, so that how a loop lies in one depends on its function alone.
const ALIGN: usize = 64;

/// What the window to run from is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The file itself.
    Shared,
    /// A copy of each page that somebody writes to: a debugger's breakpoints need that. Such a page no longer
    /// shows what is written later.
    Private,
}

/// A double mapping of code memory.
#[derive(Debug)]
pub struct CodeMemory {
    writable: *mut u8,
    runnable: *mut u8,
    len: usize,
    used: usize,
    /// Freed (offset, size) pairs.
    free: Vec<(usize, usize)>,
}

// SAFETY: the mappings belong to the value; writing needs `&mut`.
unsafe impl Send for CodeMemory {}
// SAFETY: as above; running code through a shared value changes nothing in it.
unsafe impl Sync for CodeMemory {}

/// Space in code memory: where to run from, and how many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// The address that the code will run at.
    pub address: usize,
    pub len: usize,
}

impl CodeMemory {
    /// Room for `len` bytes of code; it is taken from the system page by page as it is written.
    pub fn new(len: usize, window: Window) -> io::Result<CodeMemory> {
        const PAGE: usize = 4096;
        let len = len.max(1).next_multiple_of(PAGE);
        // SAFETY: the name is a C string; the descriptor is fresh and owned.
        let file = unsafe {
            let file = libc::memfd_create(c"medi-code".as_ptr(), libc::MFD_CLOEXEC);
            if file < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(file)
        };
        // SAFETY: the descriptor is open.
        if unsafe { libc::ftruncate(file.as_raw_fd(), len as libc::off_t) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let map = |protection, flags| {
            // SAFETY: a fresh mapping of our own file; nothing is mapped over.
            let at = unsafe {
                let file = file.as_raw_fd();
                libc::mmap(ptr::null_mut(), len, protection, flags, file, 0)
            };
            if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at.cast()) }
        };
        let writable: *mut u8 = map(libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED)?;
        let flags = match window {
            Window::Shared => libc::MAP_SHARED,
            Window::Private => libc::MAP_PRIVATE,
        };
        let runnable = match map(libc::PROT_READ | libc::PROT_EXEC, flags) {
            Ok(runnable) => runnable,
            Err(error) => {
                // SAFETY: mapped above with this length, and not handed out.
                unsafe { libc::munmap(writable.cast(), len) };
                return Err(error);
            }
        };
        Ok(CodeMemory { writable, runnable, len, used: 0, free: vec![] })
    }

    /// Space for `len` bytes of code; `None` when the memory is full.
    pub fn take(&mut self, len: usize) -> Option<Space> {
        let size = len.next_multiple_of(ALIGN);
        let fits = self.free.iter().position(|(_, free)| *free >= size);
        let offset = match fits {
            Some(index) => {
                let (offset, free) = self.free.swap_remove(index);
                if free > size {
                    self.free.push((offset + size, free - size));
                }
                offset
            }
            None if self.used + size <= self.len => {
                self.used += size;
                self.used - size
            }
            None => return None,
        };
        Some(Space { address: self.runnable as usize + offset, len })
    }

    /// Copies code into its space.
    ///
    /// # Panics
    /// If the code is longer than the space, or the space is not of this memory.
    pub fn write(&mut self, space: Space, code: &[u8]) {
        let offset = self.offset(space);
        assert!(code.len() <= space.len, "code outgrew its space");
        // SAFETY: the space lies in the mapping, as `offset` checked, and the writable window is not code
        // that runs.
        unsafe { self.writable.add(offset).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    }

    /// Gives space back. Whoever calls it knows that nothing runs there or will call it any more; that it
    /// is filled with traps makes a mistake visible.
    ///
    /// # Panics
    /// If the space is not of this memory.
    pub fn free(&mut self, space: Space) {
        const INT3: u8 = 0xcc;
        let offset = self.offset(space);
        let size = space.len.next_multiple_of(ALIGN);
        // SAFETY: as in `write`.
        unsafe { self.writable.add(offset).write_bytes(INT3, size) };
        self.free.push((offset, size));
    }

    fn offset(&self, space: Space) -> usize {
        let offset = space.address.wrapping_sub(self.runnable as usize);
        assert!(offset <= self.len && space.len <= self.len - offset, "space of another memory");
        offset
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: both were mapped with this length; whoever drops the memory runs no code in it.
        unsafe {
            libc::munmap(self.writable.cast(), self.len);
            libc::munmap(self.runnable.cast(), self.len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mov eax, number; ret`
    fn answering(number: u8) -> Vec<u8> {
        vec![0xb8, number, 0, 0, 0, 0xc3]
    }

    fn run(space: Space) -> i32 {
        // SAFETY: the space holds the function above.
        let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(space.address) };
        function()
    }

    #[test]
    fn what_is_written_can_be_run() {
        for window in [Window::Shared, Window::Private] {
            let mut memory = CodeMemory::new(4096, window).unwrap();
            let spaces = [7, 42].map(|number| {
                let space = memory.take(6).unwrap();
                memory.write(space, &answering(number));
                space
            });
            assert_eq!(spaces.map(run), [7, 42]);
        }
    }

    #[test]
    fn freed_space_is_used_again_before_fresh_space() {
        let mut memory = CodeMemory::new(4096, Window::Shared).unwrap();
        let first = memory.take(40).unwrap();
        let second = memory.take(6).unwrap();
        memory.write(second, &answering(3));
        memory.free(first);
        assert_eq!(memory.take(20).unwrap().address, first.address);
        assert_eq!(run(second), 3);
    }

    #[test]
    fn a_full_memory_says_so() {
        let mut memory = CodeMemory::new(4096, Window::Shared).unwrap();
        assert!(memory.take(4096).is_some());
        assert!(memory.take(1).is_none());
    }
}
