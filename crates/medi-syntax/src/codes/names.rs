//! `E02xx`: names that are unknown, given twice, or of the wrong kind.

use super::Code;

pub(super) static CODES: &[Code] = &[];
