//! `M0xxx`: manual memory inside `scope`.

use super::Code;

pub(super) static CODES: &[Code] = &[];
