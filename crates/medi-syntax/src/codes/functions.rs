//! `E05xx`: functions, records and generics.

use super::Code;

pub(super) static CODES: &[Code] = &[];
