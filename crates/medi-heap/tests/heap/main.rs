//! The heap from outside, as an embedder uses it.

mod claims;
mod common;
mod graph;
mod threads;
