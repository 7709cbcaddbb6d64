//! `R0xxx`: errors that stop a running program.

use super::Code;

pub(super) static CODES: &[Code] = &[];
