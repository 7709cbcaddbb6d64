//! The lowering and the promises of MIR.

mod lowering;
mod tree;
mod validator;
