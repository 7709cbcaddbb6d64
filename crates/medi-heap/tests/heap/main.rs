//! The heap from outside, as an embedder uses it.

mod claims;
mod cleaners;
mod common;
mod graph;
mod limits;
mod paths;
mod stress;
mod threads;
