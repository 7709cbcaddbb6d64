//! Every diagnostic code of Medi, for messages and for `medi explain CODE`.
//!
//! One file per family, each a static slice; the letter says when the person meets it: `E` when the
//! program is read and checked, `M` when its manual memory is checked, `R` while it runs. A code, once
//! given, keeps its meaning, since people search for it. Tests hold that codes are unique, belong to
//! their family, and explain themselves with an example.

use crate::suggest;

mod functions;
mod instances;
mod lexical;
mod limits;
mod names;
mod optional;
mod patterns;
mod run_time;
mod scopes;
mod syntax;
mod tasks;
mod types;

/// One kind of error or warning.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `E0101`.
    pub code: &'static str,
    /// One line, without a full stop: what is wrong.
    pub title: &'static str,
    /// Paragraphs of Markdown: the reason, a wrong example, a right one.
    pub explanation: &'static str,
}

/// The families, in the order of their codes.
pub static CODES: &[&[Code]] = &[
    lexical::CODES,
    syntax::CODES,
    names::CODES,
    types::CODES,
    patterns::CODES,
    functions::CODES,
    optional::CODES,
    tasks::CODES,
    limits::CODES,
    instances::CODES,
    scopes::CODES,
    run_time::CODES,
];

/// Every code, in order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    CODES.iter().copied().flatten()
}

/// The entry of a code, however its letter is written.
pub fn explain(code: &str) -> Option<&'static Code> {
    let code = code.trim();
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

/// The code that was probably meant by one that does not exist.
pub fn closest(code: &str) -> Option<&'static Code> {
    let wanted = code.trim().to_ascii_uppercase();
    suggest::closest(&wanted, all().map(|entry| entry.code)).and_then(explain)
}
