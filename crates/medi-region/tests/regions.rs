//! What a region promises about its objects.

use std::collections::HashSet;
use std::sync::Arc;

use medi_region::space::{CHUNK, address};
use medi_region::{Options, Region, RegionEnd, RegionSpace, Scopes, Unlimited};

fn within(space: &Arc<RegionSpace>) -> Scopes<Unlimited> {
    Scopes::within(Unlimited, Options { poison: true, ..Options::default() }, Arc::clone(space))
}

/// A new object of `bytes` bytes that refers to nothing collected.
fn object(scopes: &mut Scopes<Unlimited>, region: &Region, bytes: usize, site: u64) -> u64 {
    region.allocate(bytes).unwrap_or_else(|| {
        let handle = scopes.make_room(region, false, bytes, site).expect("there is memory");
        assert_eq!(region.allocate(bytes), Some(handle));
        handle
    })
}

#[test]
fn an_object_is_there_until_its_scope_ends_and_no_later() {
    let space = Arc::new(RegionSpace::new());
    let mut scopes = within(&space);
    // SAFETY: regions stay in place as long as their scopes.
    let outer = unsafe { scopes.enter().as_ref() };
    let first = object(&mut scopes, outer, 24, 1);
    // SAFETY: as above.
    let inner = unsafe { scopes.enter().as_ref() };
    let second = object(&mut scopes, inner, 24, 2);
    let third = object(&mut scopes, outer, 16, 3);
    assert_eq!(address(third), address(first) + 24);
    scopes.exit(9);
    assert!(space.resolve(first).is_some() && space.resolve(third).is_some());
    assert_eq!(space.resolve(second), None);
    assert_eq!(space.ending(second), Some(RegionEnd { allocated_at: 2, ended_at: 9 }));
    assert_eq!(space.ending(first), None);
    scopes.exit(10);
    assert_eq!(space.ending(third), Some(RegionEnd { allocated_at: 1, ended_at: 10 }));
    assert_eq!(space.resolve(0), None);
}

#[test]
fn no_handle_is_made_twice_even_when_the_tags_of_a_chunk_run_out() {
    let space = Arc::new(RegionSpace::new());
    let mut scopes = within(&space);
    let mut made = HashSet::new();
    for _ in 0..300_000 {
        // SAFETY: regions stay in place as long as their scopes.
        let region = unsafe { scopes.enter().as_ref() };
        assert!(made.insert(object(&mut scopes, region, 8, 0)));
        scopes.exit(0);
    }
    let chunks: HashSet<u64> = made.iter().map(|handle| address(*handle)).collect();
    assert_eq!(chunks.len(), 3);
    assert!(made.iter().all(|handle| space.resolve(*handle).is_none()));
}

#[test]
fn a_collector_sees_the_filled_parts_of_traced_chunks_and_nothing_else() {
    let space = Arc::new(RegionSpace::new());
    let mut scopes = within(&space);
    let runs = || {
        let mut runs = vec![];
        space.visit(&mut |start, end| runs.push(end - start));
        runs
    };
    let region = scopes.enter();
    // SAFETY: regions stay in place as long as their scopes.
    object(&mut scopes, unsafe { region.as_ref() }, 64, 0);
    assert!(runs().is_empty());
    scopes.make_room(region.as_ptr(), true, 32, 0).expect("there is memory");
    assert_eq!(runs(), [0], "an object is there once the cursor has passed it");
    let cursor = region.as_ptr().wrapping_byte_add(Region::TRACED + Region::CURSOR).cast::<u64>();
    // SAFETY: what compiled code does; no object was made of the memory, and nobody reads it here.
    unsafe { *cursor += CHUNK as u64 - 16 };
    scopes.make_room(region.as_ptr(), true, 32, 0).expect("there is memory");
    assert_eq!(runs(), [CHUNK as u64 - 16, 0]);
    scopes.exit(0);
    assert!(runs().is_empty());
}

#[test]
fn many_objects_fill_chunk_after_chunk_and_keep_their_content() {
    let space = Arc::new(RegionSpace::new());
    let mut scopes = within(&space);
    for _ in 0..3 {
        // SAFETY: regions stay in place as long as their scopes.
        let region = unsafe { scopes.enter().as_ref() };
        let made: Vec<u64> = (0..200_000).map(|_| object(&mut scopes, region, 24, 0)).collect();
        for (index, handle) in made.iter().enumerate() {
            let place = space.resolve(*handle).expect("it is there").cast::<[usize; 3]>();
            // SAFETY: the object is of that size, and its own.
            unsafe { place.write([index; 3]) };
        }
        for (index, handle) in made.iter().enumerate() {
            let place = space.resolve(*handle).expect("it is there").cast::<[usize; 3]>();
            // SAFETY: as above.
            assert_eq!(unsafe { place.read() }, [index; 3]);
        }
        scopes.exit(0);
    }
}
