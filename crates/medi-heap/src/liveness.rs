//! Whether an object is live by the cycle that is under way, or that has ended last.

use std::sync::atomic::Ordering;

use crate::geometry::Geometry;
use crate::large::Spans;
use crate::layout::meta;

/// How live objects are told from dead ones once marking is done. While it is not, a white object is one that has
/// not been found yet.
#[derive(Clone, Copy)]
pub(crate) struct Liveness {
    pub geometry: Geometry,
    pub spans: Spans,
    /// The state of objects that were found live.
    pub mark: u8,
    /// The number of the flip after which new objects are kept without being looked at.
    pub flip: u64,
    /// For a young cycle during a full one, the number of the full one's flip: what was there before is for that
    /// to decide. Zero otherwise.
    pub since: u64,
}

/// What metadata says of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Found live, or taken to be by a young cycle.
    Marked,
    /// Allocated since the flip.
    New,
    /// Not found by a full cycle that is still marking, and not for this cycle to judge.
    Undecided,
    /// None of these.
    White,
}

impl Liveness {
    /// The life of the object at `address`, where one is or was; `None` when it was large and is gone.
    #[inline]
    pub fn of(&self, address: usize) -> Option<Life> {
        let (state, born) = if self.geometry.is_small(address) {
            // SAFETY: an object is or was here, so its slab is committed.
            let byte = unsafe { (*Geometry::metadata(address)).load(Ordering::Relaxed) };
            (byte & meta::STATE, self.geometry.born(self.geometry.block_of(address)))
        } else {
            let page = self.spans.find(address)?;
            (self.spans.mark(page), self.spans.born(page))
        };
        Some(if state == self.mark {
            Life::Marked
        } else if state == 0 && born >= self.flip {
            Life::New
        } else if self.since > 0 && (state != 0 || born < self.since) {
            Life::Undecided
        } else {
            Life::White
        })
    }

    /// True when the cycle, which has done its marking, has found the object at `address` dead.
    pub fn is_dead(&self, address: usize) -> bool {
        matches!(self.of(address), None | Some(Life::White))
    }

    /// True when the object at `address` was there before what the cycle looks at: it is old, and nothing has been
    /// freed there since.
    pub fn is_old(&self, address: usize) -> bool {
        matches!(self.of(address), Some(Life::Marked | Life::Undecided))
    }
}
