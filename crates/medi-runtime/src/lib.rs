//! What a running Medi program stands on: its context, traps, native library and file readers.

pub mod context;
pub mod shape;
