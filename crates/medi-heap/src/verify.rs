//! Checking the heap against an independent trace.
//!
//! After a cycle, while all threads are held, the verifier follows all references again in
//! the plainest way, a set and a worklist, with none of the marker's code, and compares: what is reachable
//! must be marked or new (or a full cycle's to decide, after a young one during it), and nothing else, unless threads
//! have run meanwhile; objects must lie where objects can lie, not overlap, and carry start and end in their metadata; weak references must be nil or refer to what is
//! live; cleaners must be registered for what lives and ready for what has died. A second check, for the barrier: an
//! object whose references changed since the last cycle must have been logged.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use std::sync::atomic::Ordering;

use crate::geometry::Geometry;
use crate::heap::{AddressMap, HeapInner};
use crate::layout::{BLOCK, GRANULE, LARGE, meta};
use crate::liveness::{Life, Liveness};
use crate::log::{Chunk, Written, entries};
use crate::mark::weak_slot;
use crate::space::Space;
use crate::types::{Tracing, TypeInfo};

/// What the verifier found wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    object: usize,
    name: String,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    NotAnObject { found_in: usize },
    UnknownType(u32),
    NotMarked,
    MarkedButUnreachable,
    Overlaps { next: usize },
    LeavesItsBlock,
    WrongEnd,
    WeakToTheDead { referent: usize },
    CleanerOfTheDead,
    CleanedAlive,
    LiveBytes { counted: u64, marked: u64 },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { object, name, what } = self;
        match what {
            What::NotAnObject { found_in: 0 } => {
                write!(f, "a root holds {object:#x}, and no object is there")
            }
            What::NotAnObject { found_in } => {
                write!(
                    f,
                    "the object at {found_in:#x} refers to {object:#x}, and no object is there"
                )
            }
            What::UnknownType(ty) => {
                write!(f, "the object at {object:#x} has the unknown type {ty}")
            }
            What::NotMarked => {
                write!(f, "the {name} at {object:#x} can be reached, but marking did not find it")
            }
            What::MarkedButUnreachable => {
                write!(f, "the {name} at {object:#x} is marked, but nothing refers to it")
            }
            What::Overlaps { next } => {
                write!(f, "the {name} at {object:#x} reaches into the object at {next:#x}")
            }
            What::LeavesItsBlock => {
                write!(f, "the {name} at {object:#x} reaches over the end of its block or span")
            }
            What::WrongEnd => write!(
                f,
                "the metadata of the {name} at {object:#x} does not say where the object ends"
            ),
            What::WeakToTheDead { referent } => {
                write!(
                    f,
                    "the weak reference at {object:#x} still refers to {referent:#x}, which is dead"
                )
            }
            What::CleanerOfTheDead => {
                write!(f, "a cleaner is registered for {object:#x}, which is dead")
            }
            What::CleanedAlive => {
                write!(f, "the cleaner of the object at {object:#x} is ready, but that lives")
            }
            What::LiveBytes { counted, marked } => {
                write!(f, "{counted} bytes can be reached, but marking counted {marked}")
            }
        }
    }
}

/// Visits every strong root slot of the heap.
///
/// # Safety
/// All threads are held, and stay so until this returns.
pub(crate) unsafe fn for_each_root(
    heap: &HeapInner,
    types: &[TypeInfo],
    visit: &mut dyn FnMut(*mut usize),
) {
    // SAFETY: the caller says so.
    heap.handshakes.for_each(|seat| unsafe { seat.inner().for_each_root(visit) });
    heap.for_each_range_slot(None, visit);
    heap.roots.visit(visit);
    heap.for_each_outside_slot(types, visit);
}

/// Verifies the whole heap; `exact` says that the last cycle was a full one and that no thread has run since it
/// began, so that everything else must be dead.
///
/// # Safety
/// All threads are held, and a cycle has ended.
pub(crate) unsafe fn verify(
    heap: &HeapInner,
    space: &Space,
    types: &[TypeInfo],
    exact: bool,
) -> Result<(), Violation> {
    let liveness = heap.liveness();
    let name = |address: usize| {
        // SAFETY: only called for what has been found to be an object.
        let ty = unsafe { *(address as *const u32) };
        types[ty as usize].name.to_string()
    };
    let violation = |object, what| Violation { object, name: name(object), what };

    let mut worklist: Vec<(usize, usize)> = Vec::new();
    // SAFETY: all threads are held.
    unsafe {
        for_each_root(heap, types, &mut |slot| {
            if *slot != 0 {
                worklist.push((*slot, 0));
            }
        })
    };
    let mut reached: HashSet<usize> = HashSet::new();
    let mut extents: Vec<(usize, usize)> = Vec::new();
    let mut counted = 0;
    while let Some((address, found_in)) = worklist.pop() {
        if !reached.insert(address) {
            continue;
        }
        let nameless = |what| Violation { object: address, name: String::new(), what };
        if !space.is_plausible(address) {
            return Err(nameless(What::NotAnObject { found_in }));
        }
        // SAFETY: the address is aligned and in memory that holds objects.
        let ty = unsafe { *(address as *const u32) };
        let info = types.get(ty as usize).ok_or_else(|| nameless(What::UnknownType(ty)))?;
        let life = liveness.of(address).unwrap_or(Life::White);
        if life == Life::White {
            return Err(violation(address, What::NotMarked));
        }
        // SAFETY: as above; the type is known.
        let bytes = unsafe { info.size.size_of(address) };
        extents.push((address, bytes));
        counted += if life == Life::Marked { bytes as u64 } else { 0 };
        // SAFETY: as above.
        unsafe {
            check_extent(liveness, life, address, bytes)
                .map_err(|what| violation(address, what))?;
            info.for_each_slot(address, |slot| {
                if *slot != 0 {
                    worklist.push((*slot, address));
                }
            });
        }
    }

    extents.sort_unstable();
    for pair in extents.windows(2) {
        let ((object, bytes), (next, _)) = (pair[0], pair[1]);
        if object + bytes > next {
            return Err(violation(object, What::Overlaps { next }));
        }
    }
    let mut unreachable = None;
    space.for_each_marked(|address| {
        if exact && !reached.contains(&address) {
            unreachable = Some(address);
        }
    });
    if let Some(address) = unreachable {
        return Err(violation(address, What::MarkedButUnreachable));
    }
    let decided = liveness.since == 0;
    if decided && counted > space.totals.live || exact && counted != space.totals.live {
        let what = What::LiveBytes { counted, marked: space.totals.live };
        return Err(Violation { object: 0, name: String::new(), what });
    }

    let mut stale = None;
    let live = |address| match exact {
        true => reached.contains(&address),
        false => !liveness.is_dead(address),
    };
    let mut check_weak = |holder: usize, slot: *mut usize| {
        // SAFETY: the slot is a weak handle's or a live weak cell's.
        let referent = unsafe { *slot };
        if referent != 0 && !live(referent) {
            stale = Some(Violation {
                object: holder,
                name: String::new(),
                what: What::WeakToTheDead { referent },
            });
        }
    };
    heap.weaks.visit(&mut |slot| check_weak(slot as usize, slot));
    for (address, _) in &extents {
        // SAFETY: the object has been checked.
        let ty = unsafe { *(*address as *const u32) };
        if matches!(types[ty as usize].tracing, Tracing::Weak) {
            check_weak(*address, weak_slot(*address));
        }
    }
    let nameless = |object, what| Violation { object, name: String::new(), what };
    heap.cleaners.for_each_address(&mut |slot| {
        // SAFETY: the slot is an entry's.
        let address = unsafe { *slot };
        if !live(address) {
            stale = Some(nameless(address, What::CleanerOfTheDead));
        }
    });
    heap.cleaners.for_each_dead(&mut |address| {
        // Threads may have put new objects there since.
        if liveness.is_old(address) || exact && reached.contains(&address) {
            stale = Some(nameless(address, What::CleanedAlive));
        }
    });
    stale.map_or(Ok(()), Err)
}

/// Checks that an object lies inside its block or span, and that its metadata spans it exactly, if it has some.
///
/// # Safety
/// A live object of `bytes` bytes is at `address`.
unsafe fn check_extent(
    liveness: Liveness,
    life: Life,
    address: usize,
    bytes: usize,
) -> Result<(), What> {
    let Liveness { geometry, spans, .. } = liveness;
    if !geometry.is_small(address) {
        let span = spans.find(address).map_or(0, |page| spans.bytes(page));
        return if bytes <= span && bytes >= LARGE { Ok(()) } else { Err(What::LeavesItsBlock) };
    }
    if address % BLOCK + bytes > BLOCK {
        return Err(What::LeavesItsBlock);
    }
    if life == Life::Undecided {
        return Ok(());
    }
    let first = Geometry::metadata(address);
    let last = bytes / GRANULE - 1;
    for i in 0..=last {
        // SAFETY: the object's granules are in one block, whose metadata is one run.
        let byte = unsafe { (*first.add(i)).load(Ordering::Relaxed) };
        let starts = byte & meta::STATE != 0;
        let ends = byte & meta::END != 0;
        let marked = life == Life::Marked;
        if starts != (marked && i == 0) || ends != (marked && i == last) {
            return Err(What::WrongEnd);
        }
    }
    Ok(())
}

/// The references of every object at the end of a collection, hashed.
#[derive(Default)]
pub(crate) struct WriteSnapshot {
    references: AddressMap<u64>,
}

/// # Safety
/// A live object of the type is at `address`.
unsafe fn hash_references(info: &TypeInfo, address: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // SAFETY: the caller vouches for the object.
    unsafe { info.for_each_slot(address, |slot| hasher.write_usize(*slot)) };
    hasher.finish()
}

/// Panics when an object's references changed since the last cycle and no barrier logged it.
///
/// # Safety
/// All threads have been held since before the cycle, and nothing has been swept since it.
pub(crate) unsafe fn check_writes(
    heap: &HeapInner,
    types: &[TypeInfo],
    liveness: Liveness,
    written: &[Chunk],
) {
    let written: HashSet<Written> = written.iter().flat_map(|chunk| entries(chunk)).collect();
    let in_segments: HashSet<usize> = written
        .iter()
        .filter_map(|written| match written {
            Written::Segment { array, .. } => Some(*array),
            _ => None,
        })
        .collect();
    let logged = |address: &usize| {
        written.contains(&Written::Object(*address)) || in_segments.contains(address)
    };
    let snapshot = heap.snapshot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for (address, before) in &snapshot.references {
        if !liveness.is_old(*address) {
            continue;
        }
        // SAFETY: the object is live.
        let info = unsafe { &types[*(*address as *const u32) as usize] };
        // SAFETY: as above.
        let now = unsafe { hash_references(info, *address) };
        assert!(
            now == *before || logged(address),
            "heap verification failed: a reference in the {} at {address:#x} was overwritten without \
             the write barrier",
            info.name
        );
    }
}

/// Takes the snapshot that the next cycle's [`check_writes`] compares with.
///
/// # Safety
/// All threads are held, and the cycle has sorted the blocks.
pub(crate) unsafe fn snapshot_writes(heap: &HeapInner, types: &[TypeInfo]) {
    let space = heap.space();
    let mut snapshot = heap.snapshot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    snapshot.references.clear();
    space.for_each_marked(|address| {
        // SAFETY: the object is live.
        let info = unsafe { &types[*(address as *const u32) as usize] };
        // SAFETY: as above.
        let hash = unsafe { hash_references(info, address) };
        snapshot.references.insert(address, hash);
    });
}
