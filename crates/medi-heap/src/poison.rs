//! The pattern that freed memory carries in poison mode.

use crate::layout::POISON;

/// Fills a free range with the pattern.
///
/// # Safety
/// The range is committed and nothing live is in it.
pub(crate) unsafe fn fill(start: usize, bytes: usize) {
    // SAFETY: the caller vouches for the range.
    unsafe { std::ptr::write_bytes(start as *mut u8, POISON, bytes) }
}

/// Panics when a range that was filled has been written since.
///
/// # Safety
/// The range is committed and belongs to the caller.
pub(crate) unsafe fn check(start: usize, bytes: usize) {
    // SAFETY: the caller vouches for the range.
    let range = unsafe { std::slice::from_raw_parts(start as *const u8, bytes) };
    if let Some(i) = range.iter().position(|byte| *byte != POISON) {
        let at = start + i;
        let word = at & !7;
        // SAFETY: ranges start and end at granules, so the whole word is inside.
        let value = unsafe { *(word as *const u64) };
        panic!(
            "heap corrupted: memory at {at:#x} was written after it was freed \
             (the word at {word:#x} is {value:#018x}); \
             something kept a reference that no root reports"
        );
    }
}
