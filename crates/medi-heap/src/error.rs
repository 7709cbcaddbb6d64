//! What can go wrong, said to the person who has to do something about it.

use std::fmt;
use std::io;

/// Why a heap could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum HeapError {
    /// The system did not grant the address space.
    Reserve {
        /// How much was asked for, in bytes.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The limit leaves no room for even one block.
    LimitTooSmall {
        /// The limit that was asked for, in bytes.
        limit: u64,
        /// The least that works, in bytes.
        least: u64,
    },
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeapError::Reserve { bytes, source } => write!(
                f,
                "could not reserve {} of address space for the heap: {source}; \
                 raise the address-space limit (ulimit -v) or set a smaller memory limit",
                Bytes(*bytes)
            ),
            HeapError::LimitTooSmall { limit, least } => write!(
                f,
                "a memory limit of {} is too small for a heap; use at least {}",
                Bytes(*limit),
                Bytes(*least)
            ),
        }
    }
}

impl std::error::Error for HeapError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HeapError::Reserve { source, .. } => Some(source),
            HeapError::LimitTooSmall { .. } => None,
        }
    }
}

/// An allocation that did not fit, even after a collection.
///
/// The figures are those at the moment of failure; [`crate::Heap::census`] and [`crate::Heap::sites`]
/// say which types and which allocation sites hold the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfMemory(Box<Shortage>);

/// The figures of an [`OutOfMemory`], all in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What was asked for.
    pub requested: u64,
    /// The limit in force, if there is one.
    pub limit: Option<u64>,
    /// Collected memory held from the system.
    pub heap: u64,
    /// What the last collection found live.
    pub live: u64,
    /// What the external ledger holds (scope buffers and the like).
    pub external: u64,
    /// What ran out.
    pub reason: Reason,
}

/// What stood in the way of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It would have exceeded the limit.
    Limit,
    /// The reserved address space is used up.
    AddressSpace,
    /// The operating system gave no memory.
    System,
    /// No address space could hold an object of that size.
    TooLarge,
}

impl OutOfMemory {
    pub(crate) fn new(shortage: Shortage) -> OutOfMemory {
        OutOfMemory(Box::new(shortage))
    }
}

impl std::ops::Deref for OutOfMemory {
    type Target = Shortage;
    fn deref(&self) -> &Shortage {
        &self.0
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &*self.0;
        write!(f, "out of memory: {} requested", Bytes(s.requested))?;
        match (s.reason, s.limit) {
            (Reason::Limit, Some(limit)) => write!(f, ", the limit is {}", Bytes(limit))?,
            (Reason::Limit, None) => {}
            (Reason::AddressSpace, _) => write!(f, ", the reserved address space is used up")?,
            (Reason::System, _) => write!(f, ", the operating system has no more to give")?,
            (Reason::TooLarge, _) => write!(f, ", more than any object can hold")?,
        }
        write!(f, "; {} live in {} of heap", Bytes(s.live), Bytes(s.heap))?;
        if s.external > 0 {
            write!(f, ", {} in scope memory", Bytes(s.external))?;
        }
        Ok(())
    }
}

impl std::error::Error for OutOfMemory {}

/// A size in the unit that a person would use.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let unit = (self.0.max(1).ilog2() as usize / 10).min(UNITS.len() - 1);
        let scaled = self.0 as f64 / (1u64 << (10 * unit)) as f64;
        if unit == 0 || scaled.fract() == 0.0 {
            write!(f, "{scaled:.0} {}", UNITS[unit])
        } else {
            write!(f, "{scaled:.1} {}", UNITS[unit])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let shown = |n| Bytes(n).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(999), "999 B");
        assert_eq!(shown(64 << 10), "64 KiB");
        assert_eq!(shown(3 << 19), "1.5 MiB");
        assert_eq!(shown(2 << 30), "2 GiB");
    }

    #[test]
    fn out_of_memory_says_what_was_asked_and_what_holds_the_memory() {
        let error = OutOfMemory::new(Shortage {
            requested: 1 << 20,
            limit: Some(64 << 20),
            heap: 60 << 20,
            live: 59 << 20,
            external: 4 << 20,
            reason: Reason::Limit,
        });
        assert_eq!(
            error.to_string(),
            "out of memory: 1 MiB requested, the limit is 64 MiB; 59 MiB live in 60 MiB of heap, \
             4 MiB in scope memory"
        );
    }
}
