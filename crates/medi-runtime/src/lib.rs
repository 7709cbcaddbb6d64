//! What a running Medi program stands on: its context, traps, native library and file readers.
//!
//! A [`machine::Machine`] holds a heap; compiled code is handed to it as a [`machine::Image`] and run on a thread with
//! a deep stack. Compiled code reaches the runtime through two doors: the [`stubs`] (allocation, safepoints, errors)
//! and the native functions of [`natives`], which the library `lib/*.medi` declares.

mod call;
pub mod check;
pub mod code_map;
mod compare;
pub mod container;
pub mod context;
pub mod entry;
pub mod error;
pub mod footprint;
mod format;
mod gc_log;
mod handles;
pub mod leaks;
pub mod live;
pub mod machine;
mod memory_report;
pub mod natives;
pub mod options;
pub mod output;
mod pool;
pub mod shape;
pub mod stack;
pub mod stats;
pub mod stubs;
pub mod thread;
pub mod trap;
mod value;
mod watermark;
mod work;
