//! Is the scope checker sound? Random programs through the checker and through a machine with tagged memory: what the
//! checker accepts must never fault there.
//!
//! [`generate`] makes the program of a seed; [`front`] takes many of them through the compiler at once; [`machine`] is
//! the reference semantics; [`campaign`] runs seeds and counts; [`shrink`] makes a failing program small.

#![forbid(unsafe_code)]

pub mod campaign;
pub mod front;
pub mod generate;
pub mod large;
pub mod machine;
pub mod program;
pub mod random;
pub mod shrink;
