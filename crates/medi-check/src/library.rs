//! The source files of the library that ships with Medi, embedded in the compiler.

/// Path as messages show it, and text, in the order in which they are declared.
pub const FILES: &[(&str, &str)] = &[
    ("lib/core.medi", include_str!("../../../lib/core.medi")),
    ("lib/text.medi", include_str!("../../../lib/text.medi")),
    ("lib/numbers.medi", include_str!("../../../lib/numbers.medi")),
    ("lib/system.medi", include_str!("../../../lib/system.medi")),
    ("lib/tasks.medi", include_str!("../../../lib/tasks.medi")),
    ("lib/health.medi", include_str!("../../../lib/health.medi")),
    ("lib/genome.medi", include_str!("../../../lib/genome.medi")),
];
