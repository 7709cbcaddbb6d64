//! A collected heap for language runtimes, usable from Rust without a language.
//!
//! A [`Heap`] is a value. Each thread that uses it attaches and gets a [`Mutator`], which allocates by
//! bumping a cursor that compiled code can bump as well ([`layout`] has the offsets). Types are described
//! by [`TypeLayout`]s. References that live in compiled frames are found through the [`Embedder`]; Rust
//! code keeps objects alive with handles ([`Root`], [`Weak`], [`HandleScope`]).
//!
//! The collector runs on a thread of its own and never stops the others: each passes its handshakes at its
//! own safepoints. It marks with prefetching, and sweeps lazily and in the background: memory is
//! reclaimed to the 16-byte granule, without moving anything and without touching what is dead. The layout
//! follows Whippet's Nofl space; `docs/collector.md` tells of the protocol, and `docs/invariants.md` numbers the
//! rules that the modules cite.
//!
//! ```
//! use std::sync::Arc;
//! use medi_heap::{HandlesOnly, Heap, Options, TypeLayout, layout::MutatorWords};
//!
//! let heap = Heap::new(Options::default(), Arc::new(HandlesOnly))?;
//! let pair = heap.register(TypeLayout::fixed("Pair", 24, &[8, 16]));
//! let mut words = MutatorWords::new();
//! // SAFETY: the words outlive the mutator and belong to it alone.
//! let mut mutator = unsafe { heap.attach(&raw mut words) };
//! mutator.scope(|scope| {
//!     let first = scope.alloc_fixed(pair).map(|o| scope.handle(o))?;
//!     let second = scope.alloc_fixed(pair)?;
//!     // SAFETY: both are live, and a Pair has references at 8 and 16.
//!     unsafe { scope.store(first.get(), 8, Some(second)) };
//!     scope.collect();
//!     assert_eq!(heap.census()[0].objects, 2);
//!     Ok::<_, medi_heap::OutOfMemory>(())
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod address;
mod barrier;
mod block_set;
mod cleaner;
mod cleaner_table;
mod collector;
mod coverage;
mod crew;
mod cycle;
mod delay;
mod embedder;
mod error;
mod evacuate;
mod geometry;
mod handles;
mod handshake;
mod heap;
#[cfg(all(test, loom))]
mod interleavings;
mod large;
pub mod layout;
mod liveness;
mod log;
mod mark;
mod mutator;
mod options;
mod os;
mod pace;
mod paths;
mod poison;
mod pressure;
mod sampling;
mod space;
mod stats;
mod sync;
mod types;
mod verify;
mod weak;

pub use address::ObjectRef;
pub use cleaner::{Cleaner, CleanerQueue};
pub use embedder::{Embedder, HandlesOnly, Outside, VisitNamed};
pub use error::{Bytes, HeapError, OutOfMemory, Reason, Shortage};
pub use handles::{Handle, HandleScope, Root, Weak};
pub use heap::{Heap, RootRange};
pub use layout::MutatorWords;
pub use mutator::Mutator;
pub use options::{OnCycle, Options, Plant, Stall};
pub use paths::{PathNode, Paths, REGISTERED};
pub use sampling::SiteUse;
pub use stats::{CycleReport, PauseCause, PauseStats, Stats, TypeUse};
pub use types::{Shape, TypeId, TypeLayout};
