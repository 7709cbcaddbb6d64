//! Whether an object is live by the cycle that is under way, or that has ended last.

use std::sync::atomic::Ordering;

use crate::geometry::Geometry;
use crate::large::Spans;
use crate::layout::meta;

/// How live objects are told from dead ones once marking is done. While it is not, an answer of `false` means
/// "not yet".
#[derive(Clone, Copy)]
pub(crate) struct Liveness {
    pub geometry: Geometry,
    pub spans: Spans,
    /// The state of objects that were found live.
    pub mark: u8,
    /// The number of the flip after which new objects are kept without being looked at.
    pub flip: u32,
}

/// What metadata says of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Found live, or taken to be by a young cycle.
    Marked,
    /// Allocated since the flip.
    New,
    /// Neither.
    White,
}

impl Liveness {
    /// The life of the object at `address`, where one is or was; `None` when it was large and is gone.
    #[inline]
    pub fn of(&self, address: usize) -> Option<Life> {
        if self.geometry.is_small(address) {
            // SAFETY: an object is or was here, so its slab is committed.
            let state =
                unsafe { (*Geometry::metadata(address)).load(Ordering::Relaxed) } & meta::STATE;
            Some(if state == self.mark {
                Life::Marked
            } else if state == 0 && self.geometry.born(self.geometry.block_of(address)) == self.flip
            {
                Life::New
            } else {
                Life::White
            })
        } else {
            let page = self.spans.find(address)?;
            Some(if self.spans.mark(page) == self.mark {
                Life::Marked
            } else if self.spans.born(page) == self.flip {
                Life::New
            } else {
                Life::White
            })
        }
    }

    /// True when the object at `address` outlives the cycle.
    #[inline]
    pub fn is_live(&self, address: usize) -> bool {
        matches!(self.of(address), Some(Life::Marked | Life::New))
    }

    /// True when the object at `address` was there before the flip and outlives the cycle.
    pub fn is_marked(&self, address: usize) -> bool {
        self.of(address) == Some(Life::Marked)
    }
}
