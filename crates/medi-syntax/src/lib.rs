//! Medi's syntax: text to tokens to syntax tree, and every diagnostic.
//!
//! Nothing here knows what a name means. [`parse`] never panics and never gives up: it returns a tree
//! for every text, with the diagnostics of what was wrong in it.

#![forbid(unsafe_code)]

pub mod ast;
pub mod codes;
pub mod diagnostic;
mod lexer;
mod parser;
pub mod render;
pub mod source;
pub mod suggest;
pub mod token;

pub use lexer::{MAX_FILE_BYTES, lex};
pub use parser::{MAX_DEPTH, parse};
