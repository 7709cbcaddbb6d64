//! `E03xx`: values whose type does not fit the place.

use super::Code;

pub(super) static CODES: &[Code] = &[];
