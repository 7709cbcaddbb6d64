//! `E01xx`: the words are known, their order is not.

use super::Code;

pub(super) static CODES: &[Code] = &[];
