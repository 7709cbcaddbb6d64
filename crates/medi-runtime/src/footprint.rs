//! What the process takes besides the heap.

use std::fs;

/// Gives the memory back that is needed no more once a program is compiled: free memory that the allocator keeps, and
/// the pages of the compiler's own code. What of these is touched again comes back from the file by itself.
pub fn shrink() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let Ok(program) = std::env::current_exe() else { return };
    let program = program.to_string_lossy();
    for (start, end) in code(&maps, &program) {
        // SAFETY: pages that are mapped from a file, cannot be written, and so hold what the file holds.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
}

/// Where the text of a `maps` file says that code of the file `program` is. Nothing else of it qualifies: the loader has
/// changed what it relocated.
fn code<'a>(maps: &'a str, program: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    maps.lines().filter_map(move |line| {
        let (range, rest) = line.split_once(' ')?;
        if !rest.starts_with("r-xp ") || !rest.ends_with(program) {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some((address(start)?, address(end)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_is_found() {
        let maps = "\
55d0a000-55d0b000 r--p 00000000 fe:00 1234   /usr/bin/medi
55d0b000-55d0d000 r-xp 00001000 fe:00 1234   /usr/bin/medi
55d0d000-55d0e000 rw-p 00003000 fe:00 1234   /usr/bin/medi
7f000000-7f001000 r-xp 00000000 fe:00 99     /usr/lib/libc.so.6
7f002000-7f003000 r-xp 00000000 00:00 0
";
        let found: Vec<_> = code(maps, "/usr/bin/medi").collect();
        assert_eq!(found, [(0x55d0_b000, 0x55d0_d000)]);
    }

    #[test]
    fn a_process_that_has_shrunk_still_works() {
        shrink();
        let sum: u64 = (0..1000u64).map(|n| n.to_string().len() as u64).sum();
        assert_eq!(sum, 2890);
    }
}
