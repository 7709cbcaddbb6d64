//! From syntax trees to MIR: names and types, then the control-flow graph that everything after reads.

#![forbid(unsafe_code)]

pub mod check;
pub mod deep_stack;
mod edits;
pub mod hir;
pub mod library;
pub mod lower;
pub mod mir;
pub mod scope;
pub mod types;
