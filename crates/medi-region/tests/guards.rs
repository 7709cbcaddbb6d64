//! What holds of buffers between pages that nobody may touch.

use std::io::pipe;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use medi_region::{
    ALIGNMENT, Buffer, Ending, Found, FreeError, Guarding, Guards, LARGE, Options, OwnedBuffers,
    RegionSpace, Scopes, Unlimited, space,
};

fn checked() -> (Scopes<Unlimited>, Arc<Guards>) {
    let guards = Arc::new(Guards::new(Guarding::Every));
    let options = Options { poison: true, guards: Arc::clone(&guards) };
    (Scopes::within(Unlimited, options, Arc::new(RegionSpace::checked())), guards)
}

fn base(buffer: Buffer) -> *mut u8 {
    // SAFETY: descriptors stay mapped as long as their `Scopes`.
    let base = unsafe { (*buffer.descriptor).base() };
    std::ptr::with_exposed_provenance_mut(base as usize)
}

/// Whether a byte can be read, asked of the kernel, which answers where this process would be stopped.
fn is_readable(byte: *const u8) -> bool {
    let (_reader, writer) = pipe().unwrap();
    // SAFETY: the kernel checks the address.
    unsafe { libc::write(writer.as_raw_fd(), byte.cast(), 1) == 1 }
}

#[test]
fn a_guarded_buffer_is_zero_and_aligned_and_ends_at_a_guard() {
    let (mut scopes, guards) = checked();
    for len in [0usize, 1, 63, 64, 4096, 5000, LARGE, 3 << 20] {
        for _ in 0..2 {
            scopes.enter();
            let start = base(scopes.allocate(len as u64, 7).unwrap());
            assert_eq!(start as usize % ALIGNMENT, 0);
            // SAFETY: the buffer lives and is that long.
            let bytes = unsafe { std::slice::from_raw_parts_mut(start, len) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(0xAA);
            let end = start.wrapping_add(len.max(1).next_multiple_of(ALIGNMENT));
            assert!(is_readable(end.wrapping_sub(1)) && !is_readable(end), "{len}");
            let past = guards.find(end as usize).unwrap();
            let offset = (end as usize - start as usize) as i64;
            assert_eq!(past, Found { offset, len: len as u64, allocated_at: 7, end: None });
            scopes.exit(0);
        }
    }
}

#[test]
fn a_buffer_that_has_ended_cannot_be_touched_and_is_known() {
    let (mut scopes, guards) = checked();
    scopes.enter();
    let (freed, left) = (scopes.allocate(100, 1).unwrap(), scopes.allocate(3 << 20, 2).unwrap());
    let addresses = [base(freed), base(left)];
    // SAFETY: the buffer is this thread's.
    unsafe { scopes.free(freed.descriptor, freed.generation, 3).unwrap() };
    scopes.exit(4);
    let ends = addresses.map(|address| {
        assert!(!is_readable(address));
        guards.find(address as usize).unwrap().end.unwrap()
    });
    assert_eq!([ends[0].ending, ends[1].ending], [Ending::Freed, Ending::ScopeExited]);
    assert_eq!([ends[0].allocated_at, ends[1].allocated_at], [1, 2]);
    assert_eq!([ends[0].ended_at, ends[1].ended_at], [3, 4]);
    // SAFETY: descriptors stay as long as their `Scopes`.
    let again = unsafe { scopes.free(freed.descriptor, freed.generation, 5) };
    assert_eq!(again, Err(FreeError::Ended(Some(ends[0]))));
}

#[test]
fn memory_comes_back_only_when_much_has_ended_after_it() {
    let (mut scopes, _guards) = checked();
    scopes.enter();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..4096 {
        let buffer = scopes.allocate(64, 0).unwrap();
        assert!(seen.insert(base(buffer)), "a buffer's memory was used again at once");
        // SAFETY: the buffer is this thread's.
        unsafe { scopes.free(buffer.descriptor, buffer.generation, 0).unwrap() };
    }
    // And then it does, so that a long run needs no more and more of it.
    for _ in 0..4096 {
        let buffer = scopes.allocate(64, 0).unwrap();
        seen.insert(base(buffer));
        // SAFETY: as above.
        unsafe { scopes.free(buffer.descriptor, buffer.generation, 0).unwrap() };
    }
    assert!(seen.len() < 4200, "{}", seen.len());
}

#[test]
fn what_was_written_beside_a_buffer_shows_when_it_ends() {
    for (offset, len) in [(100i64, 100u64), (127, 100), (-1, 100), (-64, 5000)] {
        let (mut scopes, guards) = checked();
        scopes.enter();
        let buffer = scopes.allocate(len, 9).unwrap();
        // SAFETY: the byte is not the buffer's, but on its pages.
        unsafe { base(buffer).offset(offset as isize).write(1) };
        assert_eq!(guards.take_damage(), None);
        scopes.exit(0);
        let damage = guards.take_damage().unwrap();
        assert_eq!((damage.offset, damage.len, damage.allocated_at), (offset, len, 9));
        assert_eq!(guards.take_damage(), None);
    }
}

#[test]
fn more_buffers_than_can_be_guarded_are_buffers_nevertheless() {
    let (mut scopes, guards) = checked();
    scopes.enter();
    let buffers: Vec<Buffer> = (0..10_000).map(|_| scopes.allocate(8, 0).unwrap()).collect();
    let guarded = |buffer: &&Buffer| guards.find(base(**buffer) as usize).is_some();
    assert_eq!(buffers.iter().filter(guarded).count(), 8192);
    for (index, buffer) in buffers.iter().enumerate() {
        // SAFETY: the buffers live.
        unsafe { base(*buffer).write(index as u8) };
    }
    // SAFETY: as above.
    assert!(buffers.iter().enumerate().all(|(i, b)| unsafe { *base(*b) } == i as u8));
    scopes.exit(0);
    assert_eq!(guards.take_damage(), None);
}

#[test]
fn owned_buffers_are_guarded_too() {
    let guards = Arc::new(Guards::new(Guarding::Every));
    let owned = OwnedBuffers::guarded(Unlimited, Arc::clone(&guards));
    let buffer = owned.allocate(10, 1).unwrap();
    let start = base(buffer);
    assert!(is_readable(start) && !is_readable(start.wrapping_add(64)));
    // SAFETY: the buffer came from there.
    unsafe { owned.free(buffer.descriptor, buffer.generation, 2).unwrap() };
    assert!(!is_readable(start));
    assert_eq!(guards.find(start as usize).unwrap().end.unwrap().ended_at, 2);
}

#[test]
fn objects_of_a_region_that_has_ended_cannot_be_touched() {
    let (mut scopes, _guards) = checked();
    let mut first = None;
    for round in 0..1500u64 {
        let region = scopes.enter();
        let handle = scopes.make_room(region.as_ptr(), round % 2 == 0, 64, round).unwrap();
        let address = space::address(handle);
        let byte = std::ptr::with_exposed_provenance::<u8>(address as usize);
        assert!(is_readable(byte));
        let first = *first.get_or_insert(byte);
        scopes.exit(10_000 + round);
        assert!(!is_readable(byte));
        let end = scopes.space().ended_at(address).unwrap();
        assert_eq!((end.allocated_at, end.ended_at), (round, 10_000 + round));
        if round > 0 && round < 1000 {
            assert_ne!(byte, first, "used again in round {round}");
        }
    }
}

#[test]
fn a_run_that_is_not_checked_guards_some_buffers_but_no_large_ones() {
    let guards = Arc::new(Guards::new(Guarding::Sampled));
    let options = Options { guards: Arc::clone(&guards), ..Options::default() };
    let mut scopes = Scopes::new(Unlimited, options);
    let mut guarded = [0, 0];
    for (kind, bytes) in [4096, LARGE as u64].into_iter().enumerate() {
        for _ in 0..(1 << 30) / bytes {
            scopes.enter();
            let expected = scopes.will_guard(bytes);
            let buffer = scopes.allocate(bytes, 0).unwrap();
            let found = guards.find(base(buffer) as usize).is_some_and(|found| found.end.is_none());
            assert_eq!(found, expected);
            guarded[kind] += usize::from(found);
            scopes.exit(0);
        }
    }
    assert!((5..200).contains(&guarded[0]) && guarded[1] == 0, "{guarded:?}");
}
