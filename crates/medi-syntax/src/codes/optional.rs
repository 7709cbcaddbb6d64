//! `E06xx`: optionals and results.

use super::Code;

pub(super) static CODES: &[Code] = &[];
