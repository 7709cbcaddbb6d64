//! Scopes and buffers: memory that is freed at a known point.
//!
//! A thread has one [`Scopes`]. It opens scopes in a stack, allocates buffers in the innermost one and frees
//! what a scope allocated, in reverse order, when the scope exits. The crate knows no language: a buffer is
//! a [`Descriptor`] at a stable address plus the generation it was made in, so that whoever compiled the
//! access can check with one load that the buffer still lives, and a stale handle is told from a live one.
//!
//! Promises: buffers are [`ALIGNMENT`]-aligned and read as zero; a descriptor's memory stays mapped as long as its
//! `Scopes`; every byte charged to the [`Ledger`] is released again. Small buffers are bumped out of chunks that
//! scopes reuse; a large one is its own mapping, which costs nothing until it is touched. Some, or in a checked run all, lie
//! between pages that nobody may touch.
//!
//! The idea of regions with generations comes from Vale's generational references and Cyclone's LIFO regions.

mod chunk;
pub mod descriptor;
mod guard;
mod mapping;
mod owned;
pub mod region;
mod scopes;
pub mod space;

pub use descriptor::{Descriptor, End, Ending};
pub use guard::{Damage, Found, Guarding, Guards, SAMPLE_INTERVAL, rest};
pub use owned::OwnedBuffers;
pub use region::Region;
pub use scopes::{AllocateError, Buffer, FreeError, Ledger, Options, Refused, Scopes, Unlimited};
pub use space::{RegionEnd, RegionSpace};

/// Of every buffer, in bytes: a cache line, and the widest vector register.
pub const ALIGNMENT: usize = 64;

/// Buffers of at least this many bytes are mappings of their own.
pub const LARGE: usize = 1 << 20;
