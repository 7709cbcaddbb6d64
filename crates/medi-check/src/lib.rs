//! From syntax trees to MIR: names and types, then the control-flow graph that everything after reads.

pub mod hir;
pub mod lower;
pub mod mir;
pub mod types;
