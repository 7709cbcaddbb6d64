//! The lowering and the promises of MIR.

mod fixtures;
mod lowering;
mod machine;
mod oracle;
mod programs;
mod random;
mod tree;
mod validator;
mod value;
mod value_records;
