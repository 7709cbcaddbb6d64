//! Hand-made MIR, compiled and run: every kind of statement, every way to stop, and random programs under a
//! collector that never rests.

mod arithmetic;
mod barrier;
mod build;
mod fuzz;
mod machine;
mod memory_check;
mod random;
mod run;
mod traps;
