//! `E07xx`: parts of the language that this version parses and does not run yet.

use super::Code;

pub(super) static CODES: &[Code] = &[];
