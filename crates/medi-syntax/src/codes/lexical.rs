//! `E00xx`: the text cannot be split into words, numbers and signs.

use super::Code;

pub(super) static CODES: &[Code] = &[];
