//! Chunks: the memory that small buffers are bumped out of, reused scope after scope.
//!
//! A chunk knows how far it has ever been handed out (`dirty`). Bytes beyond are still the kernel's zeros;
//! bytes before are cleared when they are handed out again, so memory is cleared only where it is used.

use std::io;
use std::ptr::NonNull;

use crate::ALIGNMENT;
use crate::mapping::Mapping;

pub(crate) const CHUNK: usize = 2 << 20;

/// Chunks kept mapped beyond the one in use, so that a scope in a loop does not map anew each time.
const SPARE: usize = 2;

struct Chunk {
    memory: Mapping,
    dirty: usize,
}

/// A position in the stack of chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    chunk: usize,
    used: usize,
}

#[derive(Default)]
pub(crate) struct Chunks {
    list: Vec<Chunk>,
    top: Mark,
}

impl Chunks {
    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        self.top
    }

    /// `bytes` zeroed bytes, at most [`CHUNK`]; `bytes` is a multiple of [`ALIGNMENT`].
    pub(crate) fn take(&mut self, bytes: usize) -> io::Result<NonNull<u8>> {
        debug_assert!(bytes <= CHUNK && bytes.is_multiple_of(ALIGNMENT));
        let mut at = self.top;
        if at.used + bytes > CHUNK {
            at = Mark { chunk: at.chunk + 1, used: 0 };
        }
        if at.chunk >= self.list.len() {
            self.list.push(Chunk { memory: Mapping::new(CHUNK)?, dirty: 0 });
        }
        let chunk = &mut self.list[at.chunk];
        let end = at.used + bytes;
        // SAFETY: `used + bytes <= CHUNK`, the length of the chunk's mapping.
        let start = unsafe { chunk.memory.base().add(at.used) };
        let stale = chunk.dirty.min(end).saturating_sub(at.used);
        // SAFETY: `stale <= bytes`, so the range lies in the chunk; no live buffer has it, since buffers
        // live only below the mark.
        unsafe { start.write_bytes(0, stale) };
        chunk.dirty = chunk.dirty.max(end);
        self.top = Mark { chunk: at.chunk, used: end };
        Ok(start)
    }

    /// Gives back everything handed out since `mark`.
    #[inline]
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.top = mark;
        let kept = mark.chunk + 1 + SPARE;
        if self.list.len() > kept {
            self.list.truncate(kept);
        }
    }
}
