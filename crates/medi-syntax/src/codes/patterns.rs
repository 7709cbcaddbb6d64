//! `E04xx`: patterns and `match`.

use super::Code;

pub(super) static CODES: &[Code] = &[];
