//! `E09xx`: limits that keep the compiler safe from its input.

use super::Code;

pub(super) static CODES: &[Code] = &[];
