//! The synchronisation that the handshakes and the queues are written with: `std`'s, or loom's when it is checked.
//!
//! Only code that loom explores imports from here; the rest of the heap runs while the protocol
//! guarantees exclusion and uses `std` directly.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
